// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension SMMUv3 {
  /// Translates an intermediate address, from the TLB or the tables. IHI 0070, 3.3.3 and 15.5.
  ///
  /// - Parameter cause: what the address is for, CLASS of a fault.
  @inline(__always)
  func translateIntermediate<O: Observer>(
    _ address: UInt64, _ context: UnsafePointer<Context>, _ need: UInt16, _ cause: UInt8,
    _ observer: inout O
  ) throws(Fault) -> Entry {
    let tag = context.pointee.stage2Tag
    let cached = O.consults ? tlb.pointee.find(address, tag, salt: tag) : nil
    if cached != nil { observer.found() }
    return try translateIntermediate(address, context, need, cause, cached, &observer)
  }

  /// The same, when the TLB was already asked.
  func translateIntermediate<O: Observer>(
    _ address: UInt64, _ context: UnsafePointer<Context>, _ need: UInt16, _ cause: UInt8,
    _ cached: Entry?, _ observer: inout O
  ) throws(Fault) -> Entry {
    let need = need & Allow.stage2
    let tag = context.pointee.stage2Tag
    let entry: Entry
    if let cached,
      need & ~cached.allow == 0 || cached.allow & Allow.stage2Clean == 0 || need & Allow.stage2Write == 0
    {
      entry = cached
    } else {
      do throws(Fault) {
        entry = try walkStage2(address, context, need, &observer)
      } catch {
        var fault = error
        fault.stage2 = true
        fault.cause = cause
        if fault.event != SMMU.Event.walkExternalAbort { fault.address = address }
        throw fault
      }
      if O.live { try fill(entry, address, tag) }
    }
    // 7. Permissions; and S2PTW: no tables in Device memory.
    let table = cause == SMMU.Event.classTable
    if need & ~entry.allow != 0
      || (table && context.pointee.second.protectsWalk && entry.allow & Allow.device != 0)
    {
      throw Fault(
        SMMU.Event.permission, stage2: true, cause: cause, address,
        writesTable: need & Allow.stage2Write != 0)
    }
    return entry
  }

  /// Walks the stage 2 tables: a root of up to 16 tables side by side, no hierarchy. Faults are without what
  /// only the caller knows.
  private func walkStage2<O: Observer>(
    _ address: UInt64, _ context: UnsafePointer<Context>, _ need: UInt16, _ observer: inout O
  ) throws(Fault) -> Entry {
    let second = context.pointee.second
    let geometry = second.geometry
    // 1. The address is within S2T0SZ.
    guard address &>> geometry.inputBits == 0 else { throw Fault(SMMU.Event.translation) }
    let memory = memory
    let granule = geometry.granuleLg2
    let stride = granule &- 3
    let strideMask: UInt64 = (1 &<< stride) &- 1
    let tableMask = VMSAv8.addressMask & ~((1 &<< granule) &- 1)
    let outputBits = second.geometry.outputBits
    var table = geometry.root
    var level = geometry.startLevel
    var shift = geometry.firstShift
    var mask = geometry.rootMask
    var fromRoot = true
    if O.consults, level < 3, configuration.walkCache,
      let pointer = cachedTable(address, context.pointee.stage2Tag, geometry)
    {
      observer.found()
      table = pointer.value.table
      level = pointer.level
      shift = granule &+ stride &* (3 &- level)
      mask = strideMask
      fromRoot = false
    }
    if O.live, fromRoot, !second.bigEndian, !second.wide {
      let cursor = descend(address, geometry)
      (table, level, shift, mask) = (cursor.table, cursor.level, cursor.shift, cursor.mask)
    }
    var attempts = 0
    while true {
      let place = table | ((address &>> shift) & mask) &<< 3
      // 2. The descriptor is read.
      guard let loaded = memory.load64(at: PhysAddr(place)) else {
        observer.descriptor(stage: 2, level: Int(level), at: place, nil)
        throw Fault(SMMU.Event.walkExternalAbort, place)
      }
      let descriptor = second.bigEndian ? loaded.byteSwapped : loaded
      observer.descriptor(stage: 2, level: Int(level), at: place, descriptor)
      if descriptor & 3 == VMSAv8.valid | VMSAv8.tableOrPage, level < 3 {
        // 5. The next table is in range.
        var next = descriptor & tableMask
        if second.wide { next |= (descriptor & 0xF000) &<< 36 }
        guard next &>> outputBits == 0 else { throw Fault(SMMU.Event.addressSize) }
        table = next
        level &+= 1
        shift &-= stride
        mask = strideMask
        continue
      }
      // 4. It is valid for its level.
      guard descriptor & VMSAv8.valid != 0,
        descriptor & VMSAv8.tableOrPage != 0 || blockIsLegal(level, geometry, second.wide)
      else { throw Fault(SMMU.Event.translation) }
      let found = Leaf(
        descriptor: descriptor, place: place, physical: place, level: level, shift: shift, hierarchy: 0)
      guard let entry = try stage2Entry(found, address, context, need, &observer) else {
        try countAttempt(&attempts, place)
        continue
      }
      if O.live, fromRoot, level >= 2, level > geometry.startLevel, configuration.walkCache {
        let pointer = TablePointer(
          table: table, hierarchy: 0, coverageLg2: UInt8(truncatingIfNeeded: shift &+ stride))
        remember(pointer, address, context.pointee.stage2Tag, level)
      }
      return entry
    }
  }

  /// Steps 5 and 6 for a leaf; nil when it changed under an update, and must be read again.
  @inline(__always)
  private func stage2Entry<O: Observer>(
    _ leaf: Leaf, _ address: UInt64, _ context: UnsafePointer<Context>, _ need: UInt16,
    _ observer: inout O
  ) throws(Fault) -> Entry? {
    let second = context.pointee.second
    let descriptor = leaf.descriptor
    var output = descriptor & VMSAv8.addressMask
    if second.wide { output |= (descriptor & 0xF000) &<< 36 }
    output &= ~((1 &<< leaf.shift) &- 1)
    // 5. The output is in range.
    guard output &>> second.geometry.outputBits == 0 else { throw Fault(SMMU.Event.addressSize) }
    // 6. The access flag.
    var marked = descriptor
    if descriptor & VMSAv8.accessFlag == 0, !second.ignoresAccessFlag {
      guard second.setsAccessFlag else { throw Fault(SMMU.Event.access) }
      marked |= VMSAv8.accessFlag
    }
    var allow = permissions(descriptor, second)
    if need & ~allow == Allow.stage2Write, allow & Allow.stage2Clean != 0 {
      marked |= VMSAv8.Stage2.write
      allow = permissions(descriptor | VMSAv8.Stage2.write, second)
    }
    if marked != descriptor, O.live, !update(leaf.physical, descriptor, marked, second.bigEndian) {
      return nil
    }
    var entry = Entry(
      output: output, sizeLg2: leaf.shift, reachLg2: leaf.shift, level: leaf.level,
      granuleLg2: second.geometry.granuleLg2, allow: allow | Allow.stage1)
    if descriptor & VMSAv8.contiguous != 0, configuration.usesContiguousHint {
      try widen(&entry, descriptor, leaf.physical, address, bigEndian: second.bigEndian, stage2: true)
    }
    observer.leaf(entry)
    return entry
  }

  /// S2AP and XN. To execute, a page must be readable too.
  @inline(__always)
  private func permissions(_ leaf: UInt64, _ second: Stage2) -> UInt16 {
    var allow: UInt16 = 0
    if leaf & VMSAv8.Stage2.read != 0 { allow |= Allow.stage2Read }
    if leaf & VMSAv8.Stage2.write != 0 {
      allow |= Allow.stage2Write
    } else if second.setsDirty, leaf & VMSAv8.dirtyBitModifier != 0 {
      allow |= Allow.stage2Clean
    }
    let never = (leaf >> VMSAv8.Stage2.executeNeverShift) & (second.extendedExecuteNever ? 3 : 2)
    if never == 0 || never == 3 { allow |= Allow.stage2ExecutePrivileged }
    if never <= 1 { allow |= Allow.stage2ExecuteUnprivileged }
    if (leaf >> VMSAv8.Stage2.memAttrShift) & 0xF < VMSAv8.Stage2.firstNormalMemAttr {
      allow |= Allow.device
    }
    return allow
  }
}
