// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Seams

// The command queue, section 4.1. Commands run when software moves the tail or clears an error, all of them in
// order, until the queue is empty or an error stops it. A command that stops it stays at the head.

extension RISCVIOMMU {
  /// Why the queue stops: bits of `cqcsr`.
  private struct Stop: Error { var bit: UInt32 }

  func runCommands() {
    typealias Bit = RISCV.QueueControl
    guard !commandsRunning else { return }
    commandsRunning = true
    defer { commandsRunning = false }
    // A turn of the queue at most: what a device writes into it meanwhile waits for the next tail.
    var left = UInt64(core.registers.command.indexMask) + 1
    while left > 0, core.registers.command.isOn,
      !core.registers.command.has(Bit.memoryFault | Bit.commandTimeout | Bit.commandIllegal),
      core.registers.command.head != core.registers.command.tail
    {
      left -= 1
      do throws(Stop) {
        let place = core.registers.command.address(of: core.registers.command.head)
        guard let word0 = core.view.load64(place, bigEndian: core.registers.bigEndian),
          let word1 = core.view.load64(place &+ 8, bigEndian: core.registers.bigEndian)
        else { throw Stop(bit: Bit.memoryFault) }
        core.monitor.tick()
        signalOverflow()
        try run(word0, word1)
        core.registers.command.advanceHead()
      } catch {
        core.registers.command.control |= error.bit
        raise(RISCV.Interrupt.commandQueue)
      }
    }
  }

  private func run(_ word0: UInt64, _ word1: UInt64) throws(Stop) {
    typealias Command = RISCV.Command
    let function = word0 >> Command.functionShift & Command.functionMask
    Tracer.tell(
      MachineEvent(
        .command, .text("RISC-V"), .hex(word0 & Command.opcodeMask), .list([.hex(word0), .hex(word1)])))
    switch (word0 & Command.opcodeMask, function) {
    case (Command.iotinval, Command.vma), (Command.iotinval, Command.gvma):
      let selection = try selection(word0, word1)
      if function == Command.vma {
        core.forgetFirstStage(selection)
      } else {
        guard selection.pscid == nil else { throw illegal }
        core.forgetSecondStage(selection)
      }
    case (Command.iofence, Command.fenceC): try fence(word0, word1)
    case (Command.iodir, Command.invalDDT):
      guard word0 & (Command.iodirReserved | Command.pidMask << Command.pidShift) == 0, word1 == 0 else {
        throw illegal
      }
      guard word0 & Command.dv != 0 else { return core.forgetDirectories { _, _ in true } }
      let device = try device(word0)
      core.forgetDirectories { other, _ in other == device }
    case (Command.iodir, Command.invalPDT):
      guard word0 & Command.iodirReserved == 0, word1 == 0, word0 & Command.dv != 0 else { throw illegal }
      let device = try device(word0)
      let process = UInt32(truncatingIfNeeded: word0 >> Command.pidShift & Command.pidMask)
      let bits: UInt32 = core.has(RISCV.Capability.pd20) ? 20 : core.has(RISCV.Capability.pd17) ? 17 : 8
      guard process >> bits == 0 else { throw illegal }
      core.forgetDirectories { other, ofProcess in other == device && ofProcess == process }
    case (Command.ats, Command.inval), (Command.ats, Command.prgr):
      guard core.has(RISCV.Capability.ats), word0 & Command.atsReserved == 0 else { throw illegal }
      if function == Command.inval { invalidateDevice(word0, word1) } else { respond(word0, word1) }
    default: throw illegal
    }
  }

  private var illegal: Stop { Stop(bit: RISCV.QueueControl.commandIllegal) }

  /// The DID of an IODIR command, no wider than `ddtp.iommu_mode` takes.
  private func device(_ word0: UInt64) throws(Stop) -> UInt32 {
    let device = UInt32(truncatingIfNeeded: word0 >> RISCV.Command.didShift)
    guard device >> core.registers.deviceBits == 0 else { throw illegal }
    return device
  }

  /// The operands of IOTINVAL.
  private func selection(_ word0: UInt64, _ word1: UInt64) throws(Stop) -> Core.Selection {
    typealias Command = RISCV.Command
    guard word0 & Command.iotinvalReserved == 0, word1 & Command.iotinvalReserved1 == 0,
      core.has(RISCV.Capability.nl) || word0 & Command.nl == 0,
      core.has(RISCV.Capability.s) || word1 & Command.s == 0
    else { throw illegal }
    var range: Core.Selection.Range?
    if word0 & Command.av != 0 {
      let page = word1 >> Command.addressShift & Command.addressMask
      range = Core.Selection.Range(page: page, napot: word1 & Command.s != 0)
    }
    return Core.Selection(
      gscid: word0 & Command.gv != 0 ? word0 >> Command.gscidShift & RISCV.gscidMask : nil,
      pscid: word0 & Command.pscv != 0 ? word0 >> Command.pscidShift & RISCV.pscidMask : nil,
      range: range, nonLeaf: word0 & Command.nl != 0)
  }

  /// IOFENCE.C. Everything earlier is complete here: a device has answered, or has not in time, when its command
  /// is over. So only the time-out is left to tell.
  private func fence(_ word0: UInt64, _ word1: UInt64) throws(Stop) {
    typealias Command = RISCV.Command
    guard word0 & Command.iofenceReserved == 0, word1 & Command.iofenceReserved1 == 0,
      word0 & Command.wsi == 0 || core.registers.wired
    else { throw illegal }
    if invalidationTimedOut {
      invalidationTimedOut = false
      throw Stop(bit: RISCV.QueueControl.commandTimeout)
    }
    if word0 & Command.pr != 0 { orderedReads &+= 1 }
    if word0 & Command.pw != 0 { orderedWrites &+= 1 }
    if word0 & Command.av != 0 {
      let data = UInt32(truncatingIfNeeded: word0 >> Command.dataShift)
      guard store32(data, word1 << 2) else { throw Stop(bit: RISCV.QueueControl.memoryFault) }
    }
    if word0 & Command.wsi != 0 {
      core.registers.command.control |= RISCV.QueueControl.fenceInterruptPending
      raise(RISCV.Interrupt.commandQueue)
    }
  }

  /// ATS.INVAL. A global invalidation goes without a PASID: it means all of them.
  private func invalidateDevice(_ word0: UInt64, _ payload: UInt64) {
    typealias Command = RISCV.Command
    let page = payload >> RISCV.pageShift
    var sizeLg2 = RISCV.pageShift
    if payload & Command.payloadSize != 0 {
      // The first 0 from the page's lowest bit on says how much; without any it is everything.
      let ones = UInt64((~page).trailingZeroBitCount)
      sizeLg2 = ones >= 51 ? 64 : RISCV.pageShift + ones + 1
    }
    let address = sizeLg2 >= 64 ? 0 : payload & ~((1 << sizeLg2) &- 1)
    let hasPASID = word0 & Command.pv != 0 && payload & Command.payloadGlobal == 0
    let invalidation = DeviceTLBInvalidation(
      source: requester(word0),
      pasid: hasPASID ? UInt32(truncatingIfNeeded: word0 >> Command.pidShift & Command.pidMask) : nil,
      address: address, sizeLg2: UInt8(sizeLg2))
    if fabric?.invalidate(invalidation) != true { invalidationTimedOut = true }
  }

  /// ATS.PRGR. A response code that PCI Express does not use ends the interface, like a failure.
  private func respond(_ word0: UInt64, _ payload: UInt64) {
    typealias Command = RISCV.Command
    let code = UInt8(payload >> Command.payloadCodeShift & Command.payloadCodeMask)
    fabric?.respond(
      PageResponse(
        source: requester(word0),
        pasid: word0 & Command.pv != 0
          ? UInt32(truncatingIfNeeded: word0 >> Command.pidShift & Command.pidMask) : nil,
        group: UInt16(payload >> Command.payloadGroupShift & Command.payloadGroupMask),
        code: PageResponse.Code(rawValue: code) ?? .failure))
  }

  /// RID, and DSEG above it where it is valid.
  private func requester(_ word0: UInt64) -> UInt32 {
    typealias Command = RISCV.Command
    let segment = word0 & Command.dsv != 0 ? word0 >> Command.dsegShift & 0xFF : 0
    return UInt32(segment << 16 | word0 >> Command.ridShift & 0xFFFF)
  }
}
