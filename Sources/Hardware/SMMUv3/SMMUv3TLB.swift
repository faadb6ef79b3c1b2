// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// A TLB entry is tagged with StreamWorld, VMID and ASID (IHI 0070, 3.17), packed into one word so that a
// lookup compares one number. An entry of stage 1 and 2 together keeps the permissions of both apart, so that
// a permission fault is that of the right stage.
//
//     tag   37:36 level (walk cache only) · 34 global · 33:32 world · 31:16 VMID · 15:0 ASID

extension SMMUv3 {
  enum Tag {
    static let global: UInt64 = 1 << 34
    static let levelShift: UInt64 = 36

    static func make(_ world: World, vmid: UInt64, asid: UInt64) -> UInt64 {
      world.rawValue << 32 | (vmid & 0xFFFF) << 16 | (asid & 0xFFFF)
    }

    @inline(__always) static func world(_ tag: UInt64) -> UInt64 { (tag >> 32) & 3 }
    @inline(__always) static func vmid(_ tag: UInt64) -> UInt64 { (tag >> 16) & 0xFFFF }
    @inline(__always) static func asid(_ tag: UInt64) -> UInt64 { tag & 0xFFFF }
    @inline(__always) static func isGlobal(_ tag: UInt64) -> Bool { tag & global != 0 }
    static func level(_ tag: UInt64) -> UInt64 { (tag >> levelShift) & 3 }
  }

  /// What a cached translation allows, and what is known about it.
  enum Allow {
    static let privilegedRead: UInt16 = 1
    static let privilegedWrite: UInt16 = 2
    static let privilegedExecute: UInt16 = 4
    /// From the bits of a privileged access to those of an unprivileged one.
    static let unprivilegedShift: UInt16 = 3
    static let stage1: UInt16 = 0x3F
    static let stage1Writes: UInt16 = 0x12
    static let stage2Read: UInt16 = 0x40
    static let stage2Write: UInt16 = 0x80
    static let stage2ExecutePrivileged: UInt16 = 0x100
    static let stage2ExecuteUnprivileged: UInt16 = 0x200
    static let stage2: UInt16 = 0x3C0
    static let global: UInt16 = 0x400
    /// Writable as soon as the table says dirty: a write must walk once more, to say so.
    static let stage1Clean: UInt16 = 0x800
    static let stage2Clean: UInt16 = 0x1000
    /// Device memory, by stage 2.
    static let device: UInt16 = 0x2000
  }

  /// A translation: a leaf of one stage, or of both.
  ///
  /// Its small fields share a word: written one by one and read together they would cost a stall each time.
  struct Entry: BitwiseCopyable, Sendable {
    /// First output address of the page or block.
    var output: UInt64
    /// With both stages, the intermediate address of its first byte.
    var intermediate: UInt64 = 0
    /// 7:0 size · 15:8 reach · 23:16 level · 31:24 granule · 47:32 `Allow` · 50:48 and 53:51 grants.
    private var shape: UInt64

    @inline(__always)
    init(
      output: UInt64, intermediate: UInt64 = 0, sizeLg2: UInt64, reachLg2: UInt64, level: UInt64,
      granuleLg2: UInt64, allow: UInt16
    ) {
      self.output = output
      self.intermediate = intermediate
      shape = sizeLg2 | reachLg2 &<< 8 | level &<< 16 | granuleLg2 &<< 24 | Self.permissions(allow)
    }

    /// Bits 47:32 and the grants: read 1, write 2 and execute 4, of both stages together, first for the
    /// unprivileged and then for the privileged. To execute, a page must be readable in stage 2.
    @inline(__always)
    private static func permissions(_ allow: UInt16) -> UInt64 {
      let allow = UInt64(allow)
      let second = (allow &>> 6) & 3
      let readable = second & 1
      let privileged = allow & (second | ((allow &>> 8) & readable) &<< 2)
      let unprivileged = (allow &>> 3) & (second | ((allow &>> 9) & readable) &<< 2)
      return allow &<< 32 | (unprivileged & 7) &<< 48 | (privileged & 7) &<< 51
    }

    /// What it allows at a privilege: read 1, write 2, execute 4; more bits above.
    @inline(__always)
    func grants(privileged: Bool) -> UInt64 { shape &>> (privileged ? 51 : 48) }

    /// What a device is told of it.
    @inline(__always)
    func answer(privileged: Bool, fromCache: Bool) -> Translation.Flags {
      // `Allow.global` is bit 42 of the word.
      let bits = grants(privileged: privileged) & 7 | (shape &>> 39) & 8
      let flags = Translation.Flags(rawValue: UInt8(truncatingIfNeeded: bits))
      return fromCache ? flags.union(.fromCache) : flags
    }

    @inline(__always) var sizeLg2: UInt64 { shape & 0xFF }
    /// Size of the leaf that a TLBI names, stage 1's when there is one: every piece of it goes at once.
    @inline(__always) var reachLg2: UInt64 { (shape >> 8) & 0xFF }
    /// Level of that leaf.
    @inline(__always) var level: UInt64 { (shape >> 16) & 0xFF }
    @inline(__always) var granuleLg2: UInt64 { (shape >> 24) & 0xFF }
    @inline(__always)
    var allow: UInt16 {
      get { UInt16(truncatingIfNeeded: shape >> 32) }
      set { shape = shape & 0xFFFF_FFFF | Self.permissions(newValue) }
    }

    @inline(__always)
    func address(_ input: UInt64) -> UInt64 { output | (input & ((1 &<< sizeLg2) &- 1)) }

    /// Makes it a translation of more, for a contiguous run.
    mutating func widen(_ sizeLg2: UInt64) {
      output &= ~((1 &<< sizeLg2) &- 1)
      shape = shape & ~0xFFFF | sizeLg2 | sizeLg2 << 8
    }
  }

  /// A table that a walk went through last.
  struct TablePointer: BitwiseCopyable, Sendable {
    var table: UInt64
    /// Bits 63:59 of the descriptors above, collected.
    var hierarchy: UInt64
    /// Base-2 logarithm of the bytes that the table translates.
    var coverageLg2: UInt8
  }

  /// Puts a translation into the TLB. With the switch `reportsConflicts` it is compared with all others
  /// first.
  @inline(__always)
  func fill(_ entry: Entry, _ address: UInt64, _ tag: UInt64) throws(Fault) {
    if configuration.reportsConflicts { try checkConflicts(entry, address, tag) }
    if tag & Tag.global != 0 { holdsGlobals = true }
    tlb.pointee.insert(entry, for: address, tag, salt: tag)
  }

  /// Two translations of one address and different sizes: what changing a block into a table without
  /// break-before-make leads to. Arm DDI 0487, D8.16.1.
  private func checkConflicts(_ entry: Entry, _ address: UInt64, _ tag: UInt64) throws(Fault) {
    let space: UInt64 = 0x3_FFFF_0000
    for (other, otherTag, held) in tlb.pointee.entries {
      guard (otherTag ^ tag) & space == 0 else { continue }
      guard otherTag & Tag.global != 0 || tag & Tag.global != 0 || otherTag == tag else { continue }
      guard held.sizeLg2 != entry.sizeLg2 else { continue }
      let coarse = max(held.sizeLg2, entry.sizeLg2)
      if other >> coarse == address >> coarse {
        throw Fault(SMMU.Event.tlbConflict, stage2: Tag.world(tag) == World.stage2.rawValue, address)
      }
    }
  }
}
