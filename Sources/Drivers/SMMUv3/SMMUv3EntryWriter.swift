// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// How an STE or a CD is changed under hardware that reads it word by word, whenever it likes.
//
// Each entry, the one in memory and the one that is wanted, uses some of its bits and ignores the rest. If a single
// word has to change in what is used, nothing in between can be seen:
//
//     1. words that the old entry ignores take their new value        and after each step in which anything
//     2. the one word changes: from now on it is the new entry        changed, the hardware is told to forget
//     3. words that the new entry ignores become 0                    its copy
//
// Otherwise the entry is invalid for a moment: V = 0, the other words, V = 1.
// Source: `arm_smmu_write_entry`; reference backends-arm-riscv-s390.md A5.3.

/// Writes one entry of a table.
struct SMMUv3EntryWriter {
  let buffer: SMMUv3Buffer
  let offset: UInt64
  /// The bits that an entry uses.
  let used: (SMMUv3Entry) -> SMMUv3Entry
  /// Bits that may change although they are used.
  let harmless: (SMMUv3Entry, SMMUv3Entry) -> SMMUv3Entry
  /// Makes the hardware forget its copy.
  let forget: () -> Void
  /// A mistake: the word with V goes first, and the rest after the only invalidation.
  let tears: Bool

  var current: SMMUv3Entry {
    var entry = SMMUv3Entry()
    for index in entry.words.indices { entry.words[index] = buffer.load(offset + UInt64(index) << 3) }
    return entry
  }

  func write(_ target: SMMUv3Entry) {
    let old = current
    guard !tears else {
      put(target, 0..<1)
      forget()
      put(target, 1..<SMMUv3Entry.size)
      return
    }
    let oldUsed = used(old)
    let newUsed = used(target)
    let safe = harmless(old, target)
    var between = SMMUv3Entry()
    var critical: [Int] = []
    for index in 0..<SMMUv3Entry.size {
      let kept = oldUsed.words[index] & ~safe.words[index]
      between.words[index] = old.words[index] & kept | target.words[index] & ~kept
      if between.words[index] & newUsed.words[index] != target.words[index] { critical.append(index) }
    }
    switch critical.count {
    case 0: step(target, 0..<SMMUv3Entry.size)
    case 1:
      // The critical word is written next anyway.
      between.words[critical[0]] = old.words[critical[0]]
      step(between, 0..<SMMUv3Entry.size)
      step(target, critical[0]..<critical[0] + 1)
      step(target, 0..<SMMUv3Entry.size)
    default:
      between.words[0] = 0
      step(between, 0..<1)
      step(target, 1..<SMMUv3Entry.size)
      step(target, 0..<1)
    }
  }

  private func step(_ entry: SMMUv3Entry, _ range: Range<Int>) {
    if put(entry, range) { forget() }
  }

  /// Returns whether any word is another now.
  @discardableResult
  private func put(_ entry: SMMUv3Entry, _ range: Range<Int>) -> Bool {
    var changed = false
    for index in range {
      let place = offset + UInt64(index) << 3
      guard buffer.load(place) != entry.words[index] else { continue }
      buffer.store(entry.words[index], place)
      changed = true
    }
    return changed
  }
}

extension SMMUv3Entry {
  // MARK: What is used of an STE

  private static let steAlways = mask(SMMU.STE.valid, SMMU.STE.config)
  private static let steStage1: SMMUv3Entry = {
    var all = mask(
      SMMU.STE.s1Format, SMMU.STE.s1CDMax, SMMU.STE.s1DSS, SMMU.STE.s1CIR, SMMU.STE.s1COR, SMMU.STE.s1CSH,
      SMMU.STE.s1StallDisabled, SMMU.STE.strw, SMMU.STE.eats, SMMU.STE.mev, SMMU.STE.s2VMID)
    all.words[0] |= SMMU.STE.s1ContextMask
    return all
  }()
  private static let steStage2: SMMUv3Entry = {
    var all = mask(
      SMMU.STE.s2FWB, SMMU.STE.eats, SMMU.STE.shCfg, SMMU.STE.mev, SMMU.STE.s2VMID, SMMU.Field(2, 50, 32),
      SMMU.STE.s2AA64, SMMU.STE.s2Endian, SMMU.STE.s2PTW, SMMU.STE.s2Stall, SMMU.STE.s2Record)
    all.words[3] |= SMMU.STE.s2TTBMask
    return all
  }()
  private static let steShareability = mask(SMMU.STE.shCfg)

  /// `arm_smmu_get_ste_used`.
  var usedOfSTE: SMMUv3Entry {
    guard self[SMMU.STE.valid] != 0 else { return Self.mask(SMMU.STE.valid) }
    var used = Self.steAlways
    let config = self[SMMU.STE.config]
    if config & 5 == 5 {
      used.formUnion(Self.steStage1)
      if self[SMMU.STE.s1DSS] == SMMU.STE.dssBypass { used.formUnion(Self.steShareability) }
    }
    if config & 6 == 6 { used.formUnion(Self.steStage2) }
    if config == SMMU.STE.bypass { used.formUnion(Self.steShareability) }
    return used
  }

  /// What may change at any time: whether events are merged, and full ATS where neither side has another kind of it.
  /// `arm_smmu_get_ste_update_safe`.
  static func harmlessOfSTE(_ old: SMMUv3Entry, _ new: SMMUv3Entry) -> SMMUv3Entry {
    var harmless = mask(SMMU.STE.mev)
    let ats = [old, new].allSatisfy {
      $0[SMMU.STE.eats] != SMMU.STE.eatsSplit && $0[SMMU.STE.s2Stall] == 0
    }
    if ats { harmless[SMMU.STE.eats] = SMMU.STE.eatsFull }
    return harmless
  }

  // MARK: What is used of a CD

  /// `arm_smmu_get_cd_used`.
  var usedOfCD: SMMUv3Entry {
    guard self[SMMU.CD.valid] != 0 else { return Self.mask(SMMU.CD.valid) }
    var used = SMMUv3Entry()
    used.words = [UInt64](repeating: .max, count: Self.size)
    return used
  }
}
