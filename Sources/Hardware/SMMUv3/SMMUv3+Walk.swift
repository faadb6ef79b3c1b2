// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// What both stages of a walk share.

extension SMMUv3 {
  /// Whether a block may be at a level: 1 GiB and 2 MiB, 32 MiB, 512 MiB and with 52 bits 4 TiB.
  /// Arm DDI 0487, D8.2.
  @inline(__always)
  func blockIsLegal(_ level: UInt64, _ geometry: TableGeometry, _ wide: Bool) -> Bool {
    switch level {
    case 2: true
    case 1: geometry.granuleLg2 == 12 || wide
    default: false
    }
  }

  /// One atomic exchange of a descriptor; false when it was another by now. IHI 0070, 3.13.
  func update(_ place: UInt64, _ old: UInt64, _ new: UInt64, _ bigEndian: Bool) -> Bool {
    bigEndian
      ? memory.exchange64(at: PhysAddr(place), from: old.byteSwapped, to: new.byteSwapped)
      : memory.exchange64(at: PhysAddr(place), from: old, to: new)
  }

  /// A descriptor that changes under every attempt to update it ends as an external abort, not in a hang.
  func countAttempt(_ attempts: inout Int, _ place: UInt64) throws(Fault) {
    attempts += 1
    if attempts > 16 { throw Fault(SMMU.Event.walkExternalAbort, cause: SMMU.Event.classTable, place) }
  }

  /// How far a walk has come: the table, the index's place in the address, the descriptors above or-ed.
  struct Cursor {
    var table: UInt64
    var mask: UInt64
    var hierarchy: UInt64 = 0
    /// 7:0 shift, 15:8 level: with one word more the cursor would be returned in memory.
    private var place: UInt64

    @inline(__always)
    init(table: UInt64, level: UInt64, shift: UInt64, mask: UInt64, hierarchy: UInt64) {
      self.table = table
      self.mask = mask
      self.hierarchy = hierarchy
      place = shift | level &<< 8
    }

    @inline(__always) var shift: UInt64 { place & 0xFF }
    @inline(__always) var level: UInt64 { place &>> 8 }
  }

  /// Follows table descriptors from the root as long as there is nothing to it: physical, little-endian,
  /// valid, in range. Whatever ends that, a leaf or a fault, is left for the caller to read again. The walks
  /// come here first because their own loops have too much to keep for the registers there are.
  @inline(never)
  func descend(_ address: UInt64, _ geometry: TableGeometry) -> Cursor {
    let memory = memory
    let granule = geometry.granuleLg2
    let stride = granule &- 3
    let strideMask: UInt64 = (1 &<< stride) &- 1
    let (tableMask, tableType) = (geometry.tableMask, geometry.tableType)
    var table = geometry.root
    var shift = geometry.firstShift
    var mask = geometry.rootMask
    var hierarchy: UInt64 = 0
    while shift > granule,
      let descriptor = memory.load64(at: PhysAddr(table | ((address &>> shift) & mask) &<< 3)),
      descriptor & tableType == VMSAv8.valid | VMSAv8.tableOrPage
    {
      hierarchy |= descriptor
      table = descriptor & tableMask
      shift &-= stride
      mask = strideMask
    }
    // Level 3 has the lowest index, just above the granule.
    var level: UInt64 = 3
    var above = granule
    while above < shift {
      above &+= stride
      level &-= 1
    }
    return Cursor(table: table, level: level, shift: shift, mask: mask, hierarchy: hierarchy)
  }

  // MARK: Walk cache

  /// The lowest table that an earlier walk found for an address: of level 3, or of level 2.
  @inline(__always)
  func cachedTable(_ address: UInt64, _ tag: UInt64, _ geometry: TableGeometry) -> (
    value: TablePointer, level: UInt64
  )? {
    guard walkEntries.pointee.count > 0 else { return nil }
    let stride = geometry.granuleLg2 &- 3
    var level: UInt64 = 3
    while level >= 2, level > geometry.startLevel {
      let coverage = geometry.granuleLg2 &+ stride &* (4 &- level)
      let key = (address &>> coverage) &<< coverage
      let tag = tag | level << Tag.levelShift
      if let found = walkEntries.pointee.find(key, tag, salt: tag &+ address &>> coverage),
        UInt64(found.coverageLg2) == coverage
      {
        return (found, level)
      }
      level &-= 1
    }
    return nil
  }

  @inline(never)
  func remember(_ pointer: TablePointer, _ address: UInt64, _ tag: UInt64, _ level: UInt64) {
    let coverage = UInt64(pointer.coverageLg2)
    let tag = tag | level << Tag.levelShift
    walkEntries.pointee.insert(
      pointer, for: (address &>> coverage) &<< coverage, tag, salt: tag &+ address &>> coverage)
  }

  // MARK: Contiguous runs

  /// How many leaves a contiguous run has, base-2 logarithm. Arm DDI 0487, D8.7.1.
  private func runLg2(_ entry: Entry) -> UInt64 {
    switch (entry.granuleLg2, entry.level) {
    case (12, _): 4
    case (14, 3): 7
    default: 5
    }
  }

  /// Makes an entry cover its run, if the run is what its hint promises; a run that is not is reported with
  /// the switch `reportsConflicts`, and otherwise the hint is ignored.
  func widen(
    _ entry: inout Entry, _ descriptor: UInt64, _ place: UInt64, _ address: UInt64, bigEndian: Bool,
    stage2: Bool
  ) throws(Fault) {
    let run = runLg2(entry)
    let size = entry.sizeLg2
    let whole: UInt64 = (1 << (size + run)) - 1
    let aligned = (entry.output ^ (address >> size) << size) & whole == 0
    var agrees = aligned
    if aligned, configuration.reportsConflicts {
      let first = place & ~((8 << run) - 1)
      let index = (place & ((8 << run) - 1)) >> 3
      // AF and the dirty bit may differ: hardware updates one descriptor at a time.
      let ignored = VMSAv8.accessFlag | VMSAv8.Stage1.readOnly
      for other in 0..<UInt64(1) << run {
        guard let loaded = memory.load64(at: PhysAddr(first | other << 3)) else {
          agrees = false
          break
        }
        let value = bigEndian ? loaded.byteSwapped : loaded
        let expected = descriptor &- index << size &+ other << size
        if (value ^ expected) & ~ignored != 0 { agrees = false }
      }
    }
    guard agrees else {
      if configuration.reportsConflicts {
        throw Fault(SMMU.Event.tlbConflict, stage2: stage2, address)
      }
      return
    }
    entry.widen(size + run)
  }
}
