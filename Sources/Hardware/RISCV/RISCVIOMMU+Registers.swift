// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The register file, section 6. Registers of 8 bytes can be read and written by halves; an access of 8 bytes to
// two registers of 4 is one to each, the lower first. Bits that are reserved or not implemented stay 0.

extension RISCVIOMMU {
  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    guard offset < RISCV.Register.end, offset & 3 == 0 else { return 0 }
    let aligned = offset & ~7
    let low: UInt64
    let high: UInt64
    if var word = readWide(aligned) {
      if aligned == RISCV.Register.ddtp, core.registers.directoryBusy > 0 {
        core.registers.directoryBusy -= 1
        word |= RISCV.DirectoryPointer.busy
      }
      low = word & 0xFFFF_FFFF
      high = word >> 32
    } else {
      low = offset == aligned ? UInt64(readNarrow(aligned)) : 0
      high = offset != aligned || width == 8 ? UInt64(readNarrow(aligned &+ 4)) : 0
    }
    return width == 8 && offset == aligned ? high << 32 | low : offset == aligned ? low : high
  }

  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    guard offset < RISCV.Register.end, offset & 3 == 0 else { return }
    let aligned = offset & ~7
    if let word = readWide(aligned) {
      if width == 8 && offset == aligned {
        writeWide(aligned, value, half: nil)
      } else if offset == aligned {
        writeWide(aligned, word & ~0xFFFF_FFFF | value & 0xFFFF_FFFF, half: 0)
      } else {
        writeWide(aligned, word & 0xFFFF_FFFF | value << 32, half: 1)
      }
    } else {
      writeNarrow(offset, UInt32(truncatingIfNeeded: value))
      if width == 8 && offset == aligned {
        writeNarrow(aligned &+ 4, UInt32(truncatingIfNeeded: value >> 32))
      }
    }
  }

  /// The registers of 8 bytes; nil where two of 4 are.
  private func readWide(_ offset: UInt64) -> UInt64? {
    switch offset {
    case RISCV.Register.capabilities: return core.capabilities
    case RISCV.Register.ddtp: return core.registers.ddtp
    case RISCV.Register.cqb: return core.registers.command.base
    case RISCV.Register.fqb: return core.registers.fault.base
    case RISCV.Register.pqb: return core.registers.pageRequest.base
    case RISCV.Register.iohpmcycles: return core.monitor.cycles
    case RISCV.Register.iohpmctr..<RISCV.Register.iohpmevt:
      return core.monitor.counter(Int((offset &- RISCV.Register.iohpmctr) / 8))
    case RISCV.Register.iohpmevt..<RISCV.Register.trReqIOVA:
      return core.monitor.selector(Int((offset &- RISCV.Register.iohpmevt) / 8))
    case RISCV.Register.trReqIOVA: return core.registers.debugIOVA
    case RISCV.Register.trReqCtl: return core.registers.debugControl
    case RISCV.Register.trResponse: return core.registers.debugResponse
    case RISCV.Register.icvec: return core.registers.icvec
    case RISCV.Register.msiCfgTbl... where offset & 8 == 0:
      return core.registers.vectors[vector(at: offset)].address
    default: return nil
    }
  }

  private func readNarrow(_ offset: UInt64) -> UInt32 {
    switch offset {
    case RISCV.Register.fctl: return UInt32(truncatingIfNeeded: core.registers.fctl)
    case RISCV.Register.cqh: return core.registers.command.head
    case RISCV.Register.cqt: return core.registers.command.tail
    case RISCV.Register.fqh: return core.registers.fault.head
    case RISCV.Register.fqt: return core.registers.fault.tail
    case RISCV.Register.pqh: return core.registers.pageRequest.head
    case RISCV.Register.pqt: return core.registers.pageRequest.tail
    case RISCV.Register.cqcsr: return core.registers.command.control
    case RISCV.Register.fqcsr: return core.registers.fault.control
    case RISCV.Register.pqcsr: return core.registers.pageRequest.control
    case RISCV.Register.ipsr: return core.registers.ipsr
    case RISCV.Register.iocountovf: return core.monitor.overflows
    case RISCV.Register.iocountinh: return core.monitor.inhibited
    case RISCV.Register.iommuQOSID: return core.registers.qosid
    case RISCV.Register.msiCfgTbl...:
      let entry = core.registers.vectors[vector(at: offset)]
      return offset & 4 == 0 ? entry.data : entry.control
    default: return 0
    }
  }

  private func vector(at offset: UInt64) -> Int {
    Int((offset &- RISCV.Register.msiCfgTbl) / RISCV.Register.msiCfgTblEntrySize)
  }

  /// - Parameter half: the half that is written, where it is not both.
  private func writeWide(_ offset: UInt64, _ value: UInt64, half: Int?) {
    switch offset {
    case RISCV.Register.ddtp: writeDirectoryPointer(value)
    case RISCV.Register.cqb: writeBase(\.command, value) { $0.tail = 0 }
    case RISCV.Register.fqb: writeBase(\.fault, value) { $0.head = 0 }
    case RISCV.Register.pqb:
      guard core.has(RISCV.Capability.ats) else { return }
      writeBase(\.pageRequest, value) { $0.head = 0 }
    case RISCV.Register.iohpmcycles: core.monitor.writeCycles(value)
    case RISCV.Register.iohpmctr..<RISCV.Register.iohpmevt:
      core.monitor.writeCounter(Int((offset &- RISCV.Register.iohpmctr) / 8), value)
    case RISCV.Register.iohpmevt..<RISCV.Register.trReqIOVA:
      core.monitor.writeSelector(Int((offset &- RISCV.Register.iohpmevt) / 8), value)
    case RISCV.Register.trReqIOVA:
      guard core.has(RISCV.Capability.dbg) else { return }
      core.registers.debugIOVA = value & ~0xFFF
    case RISCV.Register.trReqCtl:
      guard core.has(RISCV.Capability.dbg) else { return }
      core.registers.debugControl = value & RISCV.Debug.controlMask
      // Go is in the lower half; writing the other half starts nothing.
      if half != 1, value & RISCV.Debug.go != 0 { translateForDebug() }
    case RISCV.Register.icvec: writeVectors(value)
    case RISCV.Register.msiCfgTbl... where offset & 8 == 0:
      guard signalsMessages else { return }
      core.registers.vectors[vector(at: offset)].address = value & RISCV.Interrupt.addressMask
    default: return
    }
  }

  private func writeNarrow(_ offset: UInt64, _ value: UInt32) {
    switch offset {
    case RISCV.Register.fctl: writeFeatureControl(UInt64(value))
    case RISCV.Register.cqt:
      core.registers.command.tail = value & core.registers.command.indexMask
      runCommands()
    case RISCV.Register.fqh: core.registers.fault.head = value & core.registers.fault.indexMask
    case RISCV.Register.pqh:
      guard core.has(RISCV.Capability.ats) else { return }
      core.registers.pageRequest.head = value & core.registers.pageRequest.indexMask
    case RISCV.Register.cqcsr: writeCommandControl(value)
    case RISCV.Register.fqcsr:
      Self.writeProducerControl(&core.registers.fault, value)
      raiseIfPending(RISCV.Interrupt.faultQueue)
    case RISCV.Register.pqcsr:
      guard core.has(RISCV.Capability.ats) else { return }
      Self.writeProducerControl(&core.registers.pageRequest, value)
      raiseIfPending(RISCV.Interrupt.pageRequestQueue)
    case RISCV.Register.ipsr: clearPending(value)
    case RISCV.Register.iocountinh: core.monitor.writeInhibited(value)
    case RISCV.Register.iommuQOSID:
      guard core.has(RISCV.Capability.qosid) else { return }
      let field = UInt32((1 << min(max(configuration.qosBits, 0), 12)) - 1)
      core.registers.qosid = value & (field | field << 16)
    case RISCV.Register.msiCfgTbl... where offset & 8 != 0:
      guard signalsMessages else { return }
      let vector = vector(at: offset)
      if offset & 4 == 0 {
        core.registers.vectors[vector].data = value
      } else {
        core.registers.vectors[vector].control = value & RISCV.Interrupt.vectorMasked
        sendIfUnmasked(vector)
      }
    default: return
    }
  }

  /// Section 6.4. Changing a feature with the IOMMU or a queue on is unspecified: here it is ignored.
  private func writeFeatureControl(_ value: UInt64) {
    guard core.registers.mode == RISCV.DirectoryPointer.off, !core.registers.command.isOn,
      !core.registers.fault.isOn,
      !core.registers.pageRequest.isOn
    else { return }
    var writable: UInt64 = 0
    if core.has(RISCV.Capability.end) { writable |= RISCV.FeatureControl.be }
    if interruptSupport == RISCV.InterruptSupport.both { writable |= RISCV.FeatureControl.wsi }
    if configuration.gxlWritable { writable |= RISCV.FeatureControl.gxl }
    core.registers.fctl = core.registers.fctl & ~writable | value & writable
  }

  /// Section 6.5. A mode that does not exist, and a step from one directory mode to another, are ignored.
  private func writeDirectoryPointer(_ value: UInt64) {
    let mode = value & RISCV.DirectoryPointer.modeMask
    let last = RISCV.DirectoryPointer.bare &+ UInt64(min(max(configuration.maxDirectoryLevels, 1), 3))
    guard core.registers.directoryBusy == 0, mode <= last,
      core.registers.mode <= RISCV.DirectoryPointer.bare || mode <= RISCV.DirectoryPointer.bare
    else { return }
    let ppn = value >> RISCV.ppnShift & (core.view.lastAddress >> RISCV.pageShift) & RISCV.ppnMask
    core.registers.ddtp = ppn << RISCV.ppnShift | mode
    core.registers.deviceBits =
      switch mode {
      case RISCV.DirectoryPointer.oneLevel: core.extendedFormat ? 6 : 7
      case RISCV.DirectoryPointer.twoLevels: core.extendedFormat ? 15 : 16
      default: UInt32(RISCV.deviceIDBits)
      }
    core.registers.directoryBusy = max(configuration.directoryBusyReads, 0)
  }

  /// A base cannot be written while its queue is on. `reset` sets software's index to 0, a valid value.
  private func writeBase(
    _ which: WritableKeyPath<Registers, QueueRegisters>, _ value: UInt64,
    _ reset: (inout QueueRegisters) -> Void
  ) {
    var queue = core.registers[keyPath: which]
    guard !queue.isOn else { return }
    let ppn = value >> RISCV.ppnShift & (core.view.lastAddress >> RISCV.pageShift) & RISCV.ppnMask
    let largest = UInt64(min(max(configuration.queueSizeLg2, 1), 31) - 1)
    queue.base = ppn << RISCV.ppnShift | min(value & RISCV.Queue.sizeMask, largest)
    reset(&queue)
    queue.head &= queue.indexMask
    queue.tail &= queue.indexMask
    core.registers[keyPath: which] = queue
  }

  /// `fqcsr` and `pqcsr`, sections 6.16 and 6.17.
  private static func writeProducerControl(_ queue: inout QueueRegisters, _ value: UInt32) {
    typealias Bit = RISCV.QueueControl
    let errors = Bit.memoryFault | Bit.overflow
    if value & Bit.enable != 0, !queue.isOn {
      queue.tail = 0
      queue.control = 0
    }
    var control = queue.control & errors & ~value | value & (Bit.enable | Bit.interruptEnable)
    if control & Bit.enable != 0 { control |= Bit.on }
    queue.control = control
  }

  /// `cqcsr`, section 6.15.
  private func writeCommandControl(_ value: UInt32) {
    typealias Bit = RISCV.QueueControl
    let errors = Bit.memoryFault | Bit.commandTimeout | Bit.commandIllegal | Bit.fenceInterruptPending
    if value & Bit.enable != 0, !core.registers.command.isOn {
      core.registers.command.head = 0
      core.registers.command.control = 0
    }
    var control =
      core.registers.command.control & errors & ~value | value & (Bit.enable | Bit.interruptEnable)
    if control & Bit.enable != 0 { control |= Bit.on }
    core.registers.command.control = control
    raiseIfPending(RISCV.Interrupt.commandQueue)
    runCommands()
  }
}
