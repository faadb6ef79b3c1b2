// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension SMMUv3 {
  /// A descriptor that ends a walk, and how the walk got there.
  struct Leaf {
    var descriptor: UInt64
    /// Where it is: as the table before it says, and in memory.
    var place: UInt64
    var physical: UInt64
    var level: UInt64
    var shift: UInt64
    /// The descriptors above, or-ed together.
    var hierarchy: UInt64
  }

  /// Walks the stage 1 tables for a canonical address. Arm DDI 0487, D8.2; the order of checks is that of
  /// IHI 0070, 15.5. With stage 2 on, the output and every table address are intermediate.
  func walkStage1<O: Observer>(
    _ address: UInt64, _ context: UnsafePointer<Context>, _ need: UInt16, _ observer: inout O
  ) throws(Fault) -> Entry {
    // 1. The half by bit 55, which all bits above the input size must repeat; EPD.
    let isHigh = address & (1 << 55) != 0 && !context.pointee.flat
    let half = isHigh ? context.pointee.high : context.pointee.low
    let above = Int64(bitPattern: address) &>> Int64(bitPattern: half.geometry.inputBits)
    guard half.enabled, above == (isHigh ? -1 : 0) else { throw Fault(SMMU.Event.translation) }

    let memory = memory
    let nested = context.pointee.stage2
    let bigEndian = context.pointee.bigEndian
    let marksTables = context.pointee.setsTableAccessFlag
    let granule = half.geometry.granuleLg2
    let stride = granule &- 3
    let strideMask: UInt64 = (1 &<< stride) &- 1
    let tableMask = VMSAv8.addressMask & ~((1 &<< granule) &- 1)
    let outputBits = half.geometry.outputBits
    var table = half.geometry.root
    var level = half.geometry.startLevel
    var shift = half.geometry.firstShift
    var mask = half.geometry.rootMask
    var hierarchy: UInt64 = 0
    var fromRoot = true
    if O.consults, level < 3, configuration.walkCache,
      let pointer = cachedTable(address, context.pointee.tag, half.geometry)
    {
      observer.found()
      table = pointer.value.table
      hierarchy = pointer.value.hierarchy
      level = pointer.level
      shift = granule &+ stride &* (3 &- level)
      mask = strideMask
      fromRoot = false
    }
    if O.live, fromRoot, !nested, !bigEndian, !marksTables, !half.wide {
      let cursor = descend(address, half.geometry)
      (table, level, shift, mask) = (cursor.table, cursor.level, cursor.shift, cursor.mask)
      hierarchy = cursor.hierarchy
    }
    var attempts = 0
    while true {
      let place = table | ((address &>> shift) & mask) &<< 3
      // 2. and 3. The descriptor is read, with stage 2 on through it.
      let physical =
        nested ? try translateTable(place, context, write: false, &observer).address(place) : place
      guard let loaded = memory.load64(at: PhysAddr(physical)) else {
        observer.descriptor(stage: 1, level: Int(level), at: physical, nil)
        throw Fault(SMMU.Event.walkExternalAbort, cause: SMMU.Event.classTable, physical)
      }
      let descriptor = bigEndian ? loaded.byteSwapped : loaded
      observer.descriptor(stage: 1, level: Int(level), at: physical, descriptor)
      if descriptor & 3 == VMSAv8.valid | VMSAv8.tableOrPage, level < 3 {
        // 5. The next table is in range.
        var next = descriptor & tableMask
        if half.wide { next |= (descriptor & 0xF000) &<< 36 }
        guard next &>> outputBits == 0 else { throw Fault(SMMU.Event.addressSize) }
        if marksTables, descriptor & VMSAv8.accessFlag == 0 {
          if nested { _ = try translateTable(place, context, write: true, &observer) }
          if O.live, !update(physical, descriptor, descriptor | VMSAv8.accessFlag, bigEndian) {
            try countAttempt(&attempts, physical)
            continue
          }
        }
        hierarchy |= descriptor
        table = next
        level &+= 1
        shift &-= stride
        mask = strideMask
        continue
      }
      // 4. It is valid for its level.
      guard descriptor & VMSAv8.valid != 0,
        descriptor & VMSAv8.tableOrPage != 0 || blockIsLegal(level, half.geometry, half.wide)
      else { throw Fault(SMMU.Event.translation) }
      let found = Leaf(
        descriptor: descriptor, place: place, physical: physical, level: level, shift: shift,
        hierarchy: half.flat ? 0 : hierarchy)
      guard let entry = try stage1Entry(found, address, half, context, need, &observer) else {
        try countAttempt(&attempts, physical)
        continue
      }
      if O.live, fromRoot, level >= 2, level > half.geometry.startLevel, configuration.walkCache {
        let pointer = TablePointer(
          table: table, hierarchy: hierarchy, coverageLg2: UInt8(truncatingIfNeeded: shift &+ stride))
        remember(pointer, address, context.pointee.tag, level)
      }
      return entry
    }
  }

  /// Steps 5 to 7 for a leaf; nil when it changed under an update, and must be read again.
  @inline(__always)
  private func stage1Entry<O: Observer>(
    _ leaf: Leaf, _ address: UInt64, _ half: Half, _ context: UnsafePointer<Context>, _ need: UInt16,
    _ observer: inout O
  ) throws(Fault) -> Entry? {
    let descriptor = leaf.descriptor
    var output = descriptor & VMSAv8.addressMask
    if half.wide { output |= (descriptor & 0xF000) &<< 36 }
    output &= ~((1 &<< leaf.shift) &- 1)
    // 5. The output is in range.
    guard output &>> half.geometry.outputBits == 0 else { throw Fault(SMMU.Event.addressSize) }
    // 6. The access flag, and 7. permissions.
    var allow = permissions(descriptor, leaf.hierarchy, context)
    var marked = descriptor
    if descriptor & VMSAv8.accessFlag == 0, !context.pointee.ignoresAccessFlag {
      guard context.pointee.setsAccessFlag else { throw Fault(SMMU.Event.access) }
      marked |= VMSAv8.accessFlag
    }
    let missing = need & Allow.stage1 & ~allow
    if missing != 0, allow & Allow.stage1Clean != 0, missing & ~Allow.stage1Writes == 0 {
      let dirty = permissions(descriptor & ~VMSAv8.Stage1.readOnly, leaf.hierarchy, context)
      if need & Allow.stage1 & ~dirty == 0 {
        marked &= ~VMSAv8.Stage1.readOnly
        allow = dirty
      }
    }
    if marked != descriptor {
      if context.pointee.stage2 { _ = try translateTable(leaf.place, context, write: true, &observer) }
      if O.live, !update(leaf.physical, descriptor, marked, context.pointee.bigEndian) { return nil }
    }
    // E0PD: nothing here is for the unprivileged.
    if half.privilegedOnly { allow &= ~(7 << Allow.unprivilegedShift) }
    var entry = Entry(
      output: output, sizeLg2: leaf.shift, reachLg2: leaf.shift, level: leaf.level,
      granuleLg2: half.geometry.granuleLg2, allow: allow | Allow.stage2)
    if descriptor & VMSAv8.contiguous != 0, configuration.usesContiguousHint {
      try widen(
        &entry, descriptor, leaf.physical, address, bigEndian: context.pointee.bigEndian, stage2: false)
    }
    observer.leaf(entry)
    return entry
  }

  /// A stage 1 descriptor is fetched through stage 2, as data. IHI 0070, 3.13 for writing it.
  @inline(__always)
  private func translateTable<O: Observer>(
    _ place: UInt64, _ context: UnsafePointer<Context>, write: Bool, _ observer: inout O
  ) throws(Fault) -> Entry {
    let need = write ? Allow.stage2Read | Allow.stage2Write : Allow.stage2Read
    return try translateIntermediate(place, context, need, SMMU.Event.classTable, &observer)
  }

  /// The walk that nearly always happens: stage 1 alone, little-endian, to a valid leaf that was accessed
  /// before. It fills the TLB, whatever the leaf allows; nil leaves the walk, and the fault, to `walkStage1`.
  @inline(__always)
  func walkQuickly(_ address: UInt64, _ context: UnsafePointer<Context>) -> Entry? {
    let isHigh = address & (1 << 55) != 0
    let half = isHigh ? context.pointee.high : context.pointee.low
    let geometry = half.geometry
    let above = Int64(bitPattern: address) &>> Int64(bitPattern: geometry.inputBits)
    guard half.enabled, above == (isHigh ? -1 : 0) else { return nil }
    let granule = geometry.granuleLg2
    let stride = granule &- 3
    let strideMask: UInt64 = (1 &<< stride) &- 1
    let walkCache = configuration.walkCache
    var (table, shift, mask) = (geometry.root, geometry.firstShift, geometry.rootMask)
    var hierarchy: UInt64 = 0
    var fromRoot = walkCache
    if walkCache, let start = cachedStart(address, context.pointee.tag, geometry) {
      (table, hierarchy, shift, mask) = (start.table, start.hierarchy, start.shift, strideMask)
      fromRoot = false
    }
    let memory = memory
    let (tableMask, tableType) = (geometry.tableMask, geometry.tableType)
    var descriptor: UInt64
    while true {
      guard let loaded = memory.load64(at: PhysAddr(table | ((address &>> shift) & mask) &<< 3)) else {
        return nil
      }
      descriptor = loaded
      guard shift > granule, loaded & tableType == VMSAv8.valid | VMSAv8.tableOrPage else { break }
      hierarchy |= loaded
      table = loaded & tableMask
      shift &-= stride
      mask = strideMask
    }
    var level: UInt64 = 3
    var leafType = VMSAv8.valid | VMSAv8.tableOrPage
    if shift > granule {
      level &-= (shift &- granule) / stride
      guard blockIsLegal(level, geometry, false) else { return nil }
      leafType = VMSAv8.valid
    }
    let leaf = leafType | VMSAv8.accessFlag
    guard descriptor & (VMSAv8.valid | VMSAv8.tableOrPage | VMSAv8.accessFlag) == leaf else { return nil }
    let output = descriptor & VMSAv8.addressMask & ~((1 &<< shift) &- 1)
    guard output &>> geometry.outputBits == 0 else { return nil }
    let allow = permissions(descriptor, half.flat ? 0 : hierarchy, context)
    let entry = Entry(
      output: output, sizeLg2: shift, reachLg2: shift, level: level, granuleLg2: granule,
      allow: allow | Allow.stage2)
    let isGlobal = allow & Allow.global != 0
    if isGlobal { holdsGlobals = true }
    let tag = isGlobal ? context.pointee.globalTag : context.pointee.tag
    tlb.pointee.insert(entry, for: address, tag, salt: tag)
    if fromRoot, level >= 2, level > geometry.startLevel {
      let pointer = TablePointer(
        table: table, hierarchy: hierarchy, coverageLg2: UInt8(truncatingIfNeeded: shift &+ stride))
      remember(pointer, address, context.pointee.tag, level)
    }
    return entry
  }

  /// Where a walk begins that the walk cache knows. Not inlined: it would take the registers of the walks that begin
  /// at the root.
  @inline(never)
  private func cachedStart(_ address: UInt64, _ tag: UInt64, _ geometry: TableGeometry) -> Cursor? {
    guard let pointer = cachedTable(address, tag, geometry) else { return nil }
    let stride = geometry.granuleLg2 &- 3
    return Cursor(
      table: pointer.value.table, level: pointer.level,
      shift: geometry.granuleLg2 &+ stride &* (3 &- pointer.level), mask: (1 &<< stride) &- 1,
      hierarchy: pointer.value.hierarchy)
  }

  /// Permissions of a leaf for both privileges. Arm DDI 0487, D8.4: AP, the hierarchy above, XN, WXN, PAN.
  @inline(__always)
  private func permissions(_ leaf: UInt64, _ hierarchy: UInt64, _ context: UnsafePointer<Context>) -> UInt16 {
    typealias S1 = VMSAv8.Stage1
    var allow: UInt16 = 0
    let flat = context.pointee.flat
    let unprivileged = leaf & S1.unprivileged != 0 && hierarchy & S1.privilegedOnlyTable == 0
    let clean = context.pointee.setsDirty && leaf & VMSAv8.dirtyBitModifier != 0
    let readOnlyTable = hierarchy & S1.readOnlyTable != 0
    let writable = leaf & S1.readOnly == 0 && !readOnlyTable
    // What hardware may make writable counts as writable where that forbids execution.
    let couldWrite = writable || (clean && !readOnlyTable)
    if couldWrite, !writable { allow |= Allow.stage1Clean }
    if leaf & S1.notGlobal == 0 { allow |= Allow.global }

    let executeNever = leaf & S1.executeNever != 0 || hierarchy & S1.executeNeverTable != 0
    if flat {
      // One privilege: what it may, any access may.
      var both = Allow.privilegedRead | (writable ? Allow.privilegedWrite : 0)
      if !executeNever, !(context.pointee.writableExecuteNever && couldWrite) {
        both |= Allow.privilegedExecute
      }
      return allow | both | both << Allow.unprivilegedShift
    }
    let noExecute = context.pointee.writableExecuteNever && couldWrite
    if !(context.pointee.privilegedAccessNever && unprivileged) {
      allow |= Allow.privilegedRead | (writable ? Allow.privilegedWrite : 0)
    }
    let privilegedNever =
      leaf & S1.privilegedExecuteNever != 0 || hierarchy & S1.privilegedExecuteNeverTable != 0
      || (unprivileged && couldWrite) || noExecute
    if !privilegedNever { allow |= Allow.privilegedExecute }
    if unprivileged {
      allow |= (Allow.privilegedRead | (writable ? Allow.privilegedWrite : 0)) << Allow.unprivilegedShift
    }
    if !executeNever, !(unprivileged && noExecute) {
      allow |= Allow.privilegedExecute << Allow.unprivilegedShift
    }
    return allow
  }
}
