// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import UAPI

/// Something that may hold translations of a domain: an ID in the SMMU's translation cache, or a device's own cache.
/// `struct arm_smmu_inv`.
struct SMMUv3Holder: Hashable, Comparable, Sendable {
  /// In the order in which they are told.
  enum Kind: Int, Sendable {
    case asid
    case vmid
    /// Everything of stage 1 in a VMID: a change below a nested domain.
    case vmidStage1
    case device
    /// A device that has to forget everything, since it knows addresses that the domain does not.
    case deviceWhole
  }
  let kind: Kind
  /// ASID, VMID or StreamID.
  let id: UInt32
  /// 0 for the RID.
  var ssid: UInt32 = 0

  var isDevice: Bool { kind == .device || kind == .deviceWhole }

  static func < (a: SMMUv3Holder, b: SMMUv3Holder) -> Bool {
    (a.kind.rawValue, a.id, a.ssid) < (b.kind.rawValue, b.id, b.ssid)
  }
}

/// Who may hold translations of a domain, each with the number of attachments that it is there for: the domain's
/// invalidation array. An ID that is in no array has nothing in the translation cache.
/// Source: `struct arm_smmu_invs` of 7.2; reference backends-arm-riscv-s390.md A5.4.
struct SMMUv3Holders: Sendable {
  private(set) var all: [(holder: SMMUv3Holder, users: Int)] = []

  /// `arm_smmu_invs_merge`.
  mutating func add(_ holders: [SMMUv3Holder]) {
    for holder in holders {
      let place = all.firstIndex { $0.holder >= holder } ?? all.count
      if place < all.count, all[place].holder == holder {
        all[place].users += 1
      } else {
        all.insert((holder, 1), at: place)
      }
    }
  }

  /// Returns those that have no user any more. `arm_smmu_invs_unref`.
  mutating func remove(_ holders: [SMMUv3Holder]) -> [SMMUv3Holder] {
    var gone: [SMMUv3Holder] = []
    for holder in holders {
      guard let place = all.firstIndex(where: { $0.holder == holder }) else { continue }
      all[place].users -= 1
      if all[place].users == 0 {
        all.remove(at: place)
        gone.append(holder)
      }
    }
    return gone
  }
}

/// A range of IOVAs whose translations go.
struct SMMUv3Range: Sendable {
  let first: UInt64
  let last: UInt64
  /// Size of the leaves; a granule where they are not known.
  let leafLg2: Int
  /// Only leaves went: tables above them stay.
  let isLeaf: Bool

  var length: UInt64 { last &- first &+ 1 }
}

extension SMMUv3Command {
  /// TLBI commands by address for a range, with range fields where the SMMU has them.
  /// Source: `arm_smmu_cmdq_batch_add_range`; reference A5.4.
  ///
  /// - Parameters:
  ///   - template: opcode and IDs.
  ///   - granuleLg2: of the domain's tables.
  static func ranges(
    _ template: SMMUv3Command, _ range: SMMUv3Range, granuleLg2: Int, hasRanges: Bool
  ) -> [SMMUv3Command] {
    var commands: [SMMUv3Command] = []
    var command = template
    command[SMMU.Command.leaf] = range.isLeaf ? 1 : 0
    var at = range.first
    let mask = template.opcode == SMMU.Command.tlbiS2IPA ? SMMU.Command.ipaMask : SMMU.Command.addressMask
    guard hasRanges else {
      let step = UInt64(1) << UInt64(range.leafLg2)
      for _ in 0..<max(1, (range.length &+ (step - 1)) >> UInt64(range.leafLg2)) {
        command.word1 = command.word1 & ~mask | at & mask
        commands.append(command)
        at &+= step
      }
      return commands
    }
    var pages = range.length >> UInt64(granuleLg2)
    command[SMMU.Command.tg] = UInt64(granuleLg2 - 10) / 2
    if range.isLeaf {
      command[SMMU.Command.ttl] = UInt64(4 - (range.leafLg2 - 3) / (granuleLg2 - 3))
    } else if pages & 31 == 1 {
      // NUM, SCALE and TTL must not all be 0.
      pages += 1
    }
    while pages > 0 {
      let scale = min(UInt64(pages.trailingZeroBitCount), 31)
      let count = max(1, pages >> scale & 31)
      command[SMMU.Command.scale] = scale
      command[SMMU.Command.num] = count - 1
      command.word1 = command.word1 & ~mask | at & mask
      commands.append(command)
      let done = min(pages, count << scale)
      pages -= done
      at &+= done << UInt64(granuleLg2)
    }
    return commands
  }
}
