// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The device directory and the process directory, sections 3.3.1 and 3.3.2, each behind a cache that only IODIR
// commands empty. Nothing that is not valid and well configured is ever cached.

extension RISCVIOMMU.Core {
  /// A process context that was found valid, section 3.2.3.
  struct ProcessContext: Hashable, BitwiseCopyable, Sendable {
    /// The device_id; all ones for none.
    var device: UInt32 = .max
    var process: UInt32 = 0
    var ta: UInt64 = 0
    var space = AddressSpace()
  }

  /// Steps 3 to 6 of section 3.3: where in `deviceContexts` the context of a device is. The last place is not part
  /// of the cache.
  @inline(__always)
  mutating func locateDevice<Trace: RISCVWalkTrace>(
    _ device: UInt32, process: UInt32?, _ trace: inout Trace
  ) throws(RISCVFault) -> Int {
    // 5. The device_id is too wide.
    guard device >> registers.deviceBits == 0 else { throw RISCVFault(RISCV.Cause.transactionDisallowed) }
    let slot = Int(device) & deviceMask
    if Trace.asksCaches, deviceContexts[slot].device == device {
      trace.usedCache()
      return slot
    }
    return try walkDevices(device, process: process, slot: slot, &trace)
  }

  private mutating func walkDevices<Trace: RISCVWalkTrace>(
    _ device: UInt32, process: UInt32?, slot: Int, _ trace: inout Trace
  ) throws(RISCVFault) -> Int {
    typealias Entry = RISCV.DirectoryEntry
    let mode = registers.mode
    if Trace.isLive, monitor.isActive {
      count(RISCV.Event.deviceDirectoryWalk, device: device, process: process, tag: nil)
    }
    let bigEndian = registers.bigEndian
    // 3.3.1, 1. Levels, and the table at the root.
    var level = Int(truncatingIfNeeded: mode &- RISCV.DirectoryPointer.oneLevel)
    var table = (registers.ddtp >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
    let leafBits: UInt32 = extendedFormat ? 6 : 7
    // 2 to 7. The entries that lead on.
    while level > 0 {
      let index = device >> (leafBits &+ 9 &* UInt32(level &- 1)) & 0x1FF
      let address = table &+ UInt64(index) &* 8
      guard let entry = view.load64(address, bigEndian: bigEndian) else {
        trace.note("DDT level \(level)", at: address, [])
        throw RISCVFault(view.isPoisoned(address) ? RISCV.Cause.ddtCorrupted : RISCV.Cause.ddtLoadFault)
      }
      trace.note("DDT level \(level)", at: address, [entry])
      guard entry & Entry.v != 0 else { throw RISCVFault(RISCV.Cause.ddtNotValid) }
      guard entry & Entry.reserved == 0 else { throw RISCVFault(RISCV.Cause.ddtMisconfigured) }
      table = (entry >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
      level -= 1
    }
    // 8. The context itself.
    let size = extendedFormat ? Entry.extendedContextSize : Entry.baseContextSize
    let address = table &+ UInt64(device & ((1 << leafBits) &- 1)) &* size
    var words = InlineArray<8, UInt64>(repeating: 0)
    for index in 0..<Int(size / 8) {
      let place = address &+ UInt64(index) &* 8
      guard let word = view.load64(place, bigEndian: bigEndian) else {
        trace.note("DC", at: address, [])
        throw RISCVFault(view.isPoisoned(place) ? RISCV.Cause.ddtCorrupted : RISCV.Cause.ddtLoadFault)
      }
      words[index] = word
    }
    trace.note("DC", at: address, (0..<Int(size / 8)).map { words[$0] })
    // 9, 10. Valid, and well configured.
    guard words[0] & RISCV.TranslationControl.v != 0 else { throw RISCVFault(RISCV.Cause.ddtNotValid) }
    guard let context = deviceContext(words, device: device) else {
      throw RISCVFault(RISCV.Cause.ddtMisconfigured)
    }
    let place = Trace.isLive && configuration.caches.cachesDirectories ? slot : deviceMask + 1
    deviceContexts[place] = context
    return place
  }

  /// Where a process context is cached.
  @inline(__always)
  func slot(_ process: UInt32, of device: UInt32) -> Int { Int(process ^ device &* 31) & processMask }

  /// Section 3.3.2: where in `processContexts` the context of a process of a device is. The last place is not part
  /// of the cache.
  mutating func locateProcess<Trace: RISCVWalkTrace>(
    _ process: UInt32, _ context: DeviceContext, _ intent: Intent, _ trace: inout Trace
  ) throws(RISCVFault) -> Int {
    let slot = slot(process, of: context.device)
    if Trace.asksCaches, processContexts[slot].device == context.device,
      processContexts[slot].process == process
    {
      trace.usedCache()
      return slot
    }
    typealias Entry = RISCV.DirectoryEntry
    if Trace.isLive, monitor.isActive {
      count(RISCV.Event.processDirectoryWalk, device: context.device, process: process, tag: nil)
    }
    let space = context.space
    // 1. Levels, and the table at the root: a GPA with a second stage.
    var level = context.processLevels &- 1
    var table = context.processRoot
    while level > 0 {
      // 2 to 9. Entries that lead on; the index of level i is PDI[i].
      let index = process >> (8 &+ 9 &* UInt32(level &- 1)) & 0x1FF
      let address = try directoryAddress(table &+ UInt64(index) &* 8, space, intent, &trace)
      guard let entry = view.load64(address, bigEndian: space.firstBigEndian) else {
        trace.note("PDT level \(level)", at: address, [])
        throw RISCVFault(view.isPoisoned(address) ? RISCV.Cause.pdtCorrupted : RISCV.Cause.pdtLoadFault)
      }
      trace.note("PDT level \(level)", at: address, [entry])
      guard entry & Entry.v != 0 else { throw RISCVFault(RISCV.Cause.pdtNotValid) }
      guard entry & Entry.reserved == 0 else { throw RISCVFault(RISCV.Cause.pdtMisconfigured) }
      table = (entry >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
      level -= 1
    }
    // 10. The context itself.
    let address = try directoryAddress(
      table &+ UInt64(process & 0xFF) &* Entry.processContextSize, space, intent, &trace)
    guard let ta = view.load64(address, bigEndian: space.firstBigEndian),
      let fsc = view.load64(address &+ 8, bigEndian: space.firstBigEndian)
    else {
      trace.note("PC", at: address, [])
      let corrupted = view.isPoisoned(address) || view.isPoisoned(address &+ 8)
      throw RISCVFault(corrupted ? RISCV.Cause.pdtCorrupted : RISCV.Cause.pdtLoadFault)
    }
    trace.note("PC", at: address, [ta, fsc])
    // 11, 12. Valid, and well configured: section 3.2.4.
    guard ta & RISCV.TranslationAttributes.v != 0 else { throw RISCVFault(RISCV.Cause.pdtNotValid) }
    guard ta & RISCV.TranslationAttributes.processReserved == 0, fsc & RISCV.TablePointer.reserved == 0,
      supportsFirstStage(fsc >> RISCV.TablePointer.modeShift, narrow: space.sxl),
      !configuration.checksContextAddresses || !space.second.isBare
        || fsc & RISCV.ppnMask <= view.lastAddress >> RISCV.pageShift
    else { throw RISCVFault(RISCV.Cause.pdtMisconfigured) }
    var found = ProcessContext(device: context.device, process: process, ta: ta, space: space)
    found.space.first = Stage(fsc, narrow: space.sxl)
    found.space.tag = RISCVAddressSpaceTag(
      gscid: space.tag.hasGSCID ? space.tag.gscid : nil,
      pscid: found.space.first.isBare
        ? nil : ta >> RISCV.TranslationAttributes.pscidShift & RISCV.pscidMask)
    let place = Trace.isLive && configuration.caches.cachesDirectories ? slot : processMask + 1
    processContexts[place] = found
    return place
  }

  /// 3. Where an entry of the process directory is: through the second stage as an implicit read, whose faults
  /// are the transaction's own.
  private mutating func directoryAddress<Trace: RISCVWalkTrace>(
    _ gpa: UInt64, _ space: AddressSpace, _ intent: Intent, _ trace: inout Trace
  ) throws(RISCVFault) -> UInt64 {
    do throws(RISCVStageFailure) {
      return try walker.secondStage(gpa, space, needs: PTEBits.r, stores: false, &tables, &trace).address
    } catch {
      switch error {
      case .page: throw walker.fault(error, intent, implicit: gpa, writes: false)
      case .access: throw RISCVFault(RISCV.Cause.pdtLoadFault)
      case .poison: throw RISCVFault(RISCV.Cause.pdtCorrupted)
      }
    }
  }
}
