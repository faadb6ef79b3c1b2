// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What happens when a register is read or written. VT-d section 11.4.

extension VTdUnit {
  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    guard registers.holds(offset, width: width) else { return 0 }
    return width == 8 ? registers.read64(offset) : registers.read32(offset)
  }

  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    guard registers.holds(offset, width: width) else { return }
    for half in 0..<UInt64(width / 4) {
      registers.software32(offset + 4 * half, UInt32(truncatingIfNeeded: value >> (32 * half)))
    }
    for half in 0..<UInt64(width / 4) {
      wrote(offset + 4 * half, UInt32(truncatingIfNeeded: value >> (32 * half)))
    }
  }

  /// The effects of a write to one half of a register; those of a 64-bit register hang on one of its halves.
  private func wrote(_ offset: UInt64, _ value: UInt32) {
    typealias R = VTd.Register
    switch offset {
    case R.gcmd: command(UInt64(value))
    case R.ccmd + 4: contextCommand()
    case R.fsts: faultStatusWritten()
    case R.fectl: unmask(.fault)
    case R.iectl: unmask(.invalidation)
    case R.pectl: unmask(.pageRequest)
    case R.pmen:
      // The status follows at once.
      let enabled = registers.read32(R.pmen) & VTd.ProtectedMemory.epm
      registers.set32(R.pmen, enabled | (enabled != 0 ? VTd.ProtectedMemory.prs : 0))
      updateOpen()
    case R.iqt:
      if !holdsInvalidationQueue { runInvalidationQueue() }
    case R.ics: serviced(.invalidation)
    case R.prs:
      reflectPageRequestOverflow()
      serviced(.pageRequest)
    case registers.iva + R.iotlbAfterIVA + 4: iotlbCommand()
    default:
      let first = registers.faultRecords
      let end = first + UInt64(registers.faultRecordCount) * R.faultRecordSize
      if (first..<end).contains(offset), offset & 15 == 12 { faultRecordCleared() }
    }
  }

  /// Global command register, VT-d section 11.4.4.1: one command bit at a time, with the persistent ones
  /// repeated. More than one is noted, and done in the order of the bits.
  private func command(_ value: UInt64) {
    typealias Command = VTd.GlobalCommand
    let status = registers.read32(VTd.Register.gsts)
    let changes = (value ^ status) & Command.persistent | value & ~Command.persistent
    if changes.nonzeroBitCount > 1 { note("several commands in one write") }
    let has = { [ecap = configuration.ecap] (capability: VTd.Field) in capability.of(ecap) != 0 }

    if value & Command.srtp != 0 { setRootTable() }
    if value & Command.sirtp != 0, has(VTd.ECap.ir) {
      interruptTable = registers.read64(VTd.Register.irta)
      if VTd.Cap.esirtps.of(configuration.cap) != 0 { interruptEntries.removeAll() }
      setStatus(Command.sirtp, true)
    }
    if changes & Command.qie != 0, has(VTd.ECap.qi) { enableQueue(value & Command.qie != 0) }
    if changes & Command.ire != 0, has(VTd.ECap.ir) { setStatus(Command.ire, value & Command.ire != 0) }
    if changes & Command.cfi != 0, has(VTd.ECap.ir) { setStatus(Command.cfi, value & Command.cfi != 0) }
    if changes & Command.te != 0 {
      isTranslating = value & Command.te != 0
      if configuration.quirks.dropsCachesOnEnable { forgetEverything() }
      setStatus(Command.te, isTranslating)
    }
    // WBF is done as soon as it is asked for: writes are seen at once. Advanced fault logs do not exist.
  }

  private func setStatus(_ bit: UInt64, _ on: Bool) {
    let status = registers.read32(VTd.Register.gsts)
    registers.set32(VTd.Register.gsts, on ? status | bit : status & ~bit)
  }

  /// SRTP: VT-d sections 6.6 and 11.4.5. With ESRTPS hardware forgets what it had cached by itself.
  private func setRootTable() {
    let mode = translator.mode
    translator.root = registers.read64(VTd.Register.rtaddr)
    if mode != translator.mode {
      // Entries of another mode have another layout: what is cached of them means nothing any more.
      translator.forgetContexts { _, _ in true }
      translator.forgetPASIDEntries { _, _ in true }
    }
    if VTd.Cap.esrtps.of(configuration.cap) != 0 { forgetEverything() }
    setStatus(VTd.GlobalCommand.srtp, true)
  }

  private func forgetEverything() {
    translator.forgetContexts { _, _ in true }
    translator.forgetPASIDEntries { _, _ in true }
    translator.iotlb.removeAll()
    translator.tables.removeAll()
  }

  private func enableQueue(_ on: Bool) {
    if !on, registers.read64(VTd.Register.iqh) != registers.read64(VTd.Register.iqt) {
      note("queue disabled while it was not empty")
    }
    registers.set64(VTd.Register.iqh, 0)
    setStatus(VTd.GlobalCommand.qie, on)
    if on, !holdsInvalidationQueue { runInvalidationQueue() }
  }

  var isQueueEnabled: Bool { registers.read32(VTd.Register.gsts) & VTd.GlobalCommand.qie != 0 }
}
