// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Interrupts, sections 6.18, 6.28 and 6.29: four causes, each a bit of `ipsr` that stays until software clears
// it. A bit that goes from 0 to 1 sends its vector: a wire, or a message from `msi_cfg_tbl`.

extension RISCVIOMMU {
  var interruptSupport: UInt64 { core.capabilities >> RISCV.Capability.igsShift & RISCV.Capability.igsMask }
  var signalsMessages: Bool { interruptSupport != RISCV.InterruptSupport.wsi }

  /// `icvec`: WARL, as many bits a field as there are vectors, and none for what does not exist.
  func writeVectors(_ value: UInt64) {
    let field = (UInt64(1) << UInt64(min(max(configuration.vectorsLg2, 0), 4))) - 1
    var mask = field | field << 4
    if core.has(RISCV.Capability.hpm) { mask |= field << 8 }
    if core.has(RISCV.Capability.ats) { mask |= field << 12 }
    core.registers.icvec = value & mask
  }

  /// Sets a bit of `ipsr` and, when it was 0, signals; for a cause whose interrupts are enabled.
  func raise(_ cause: UInt32) {
    guard isEnabled(cause), core.registers.ipsr & (1 << cause) == 0 else { return }
    core.registers.ipsr |= 1 << cause
    let vector = Int(core.registers.icvec >> UInt64(cause * 4) & 0xF)
    if core.registers.wired {
      fabric?.interrupt(wire: UInt32(vector))
    } else {
      core.registers.vectors[vector].pending = true
      sendIfUnmasked(vector)
    }
  }

  private func isEnabled(_ cause: UInt32) -> Bool {
    switch cause {
    case RISCV.Interrupt.commandQueue: core.registers.command.has(RISCV.QueueControl.interruptEnable)
    case RISCV.Interrupt.faultQueue: core.registers.fault.has(RISCV.QueueControl.interruptEnable)
    case RISCV.Interrupt.pageRequestQueue: core.registers.pageRequest.has(RISCV.QueueControl.interruptEnable)
    default: true
    }
  }

  /// Raises the interrupt of a counter that has overflowed.
  @inline(__always)
  func signalOverflow() {
    if core.monitor.wantsInterrupt, core.monitor.takeInterrupt() { raise(RISCV.Interrupt.performance) }
  }

  /// Raises a cause whose condition stands: an error bit of its queue, or `fence_w_ip`.
  func raiseIfPending(_ cause: UInt32) {
    typealias Bit = RISCV.QueueControl
    let stands =
      switch cause {
      case RISCV.Interrupt.commandQueue:
        core.registers.command.has(
          Bit.memoryFault | Bit.commandTimeout | Bit.commandIllegal | Bit.fenceInterruptPending)
      case RISCV.Interrupt.faultQueue: core.registers.fault.has(Bit.memoryFault | Bit.overflow)
      case RISCV.Interrupt.pageRequestQueue: core.registers.pageRequest.has(Bit.memoryFault | Bit.overflow)
      default: false
      }
    if stands { raise(cause) }
  }

  /// A write to `ipsr`: what is still the case is set again.
  func clearPending(_ value: UInt32) {
    let cleared = core.registers.ipsr & value
    core.registers.ipsr &= ~value
    for cause in RISCV.Interrupt.commandQueue...RISCV.Interrupt.pageRequestQueue
    where cleared & (1 << cause) != 0 {
      raiseIfPending(cause)
    }
  }

  /// Sends the message that waits for a vector, unless the vector is masked.
  ///
  /// The message goes to the fabric, and into memory where there is memory at its address. A refused address is
  /// fault 273, which a full or failing fault queue cannot turn into an endless exchange: its own bit of `ipsr` is
  /// already set by then.
  func sendIfUnmasked(_ vector: Int) {
    guard core.registers.vectors[vector].pending,
      core.registers.vectors[vector].control & RISCV.Interrupt.vectorMasked == 0
    else { return }
    core.registers.vectors[vector].pending = false
    let message = InterruptMessage(
      address: core.registers.vectors[vector].address, data: core.registers.vectors[vector].data)
    guard message.address <= core.view.lastAddress, !core.view.isRefused(message.address) else {
      report(RISCVFault(RISCV.Cause.msiWriteAccessFault), RISCVFaultOrigin(value: message.address))
      return
    }
    _ = core.view.memory.store32(
      core.registers.bigEndian ? message.data.byteSwapped : message.data, at: PhysAddr(message.address))
    fabric?.interrupt(message)
  }

  /// Stores to the queues and for commands, in the byte order of `fctl.BE`.
  func store64(_ value: UInt64, _ address: UInt64) -> Bool {
    core.view.store64(value, address, bigEndian: core.registers.bigEndian)
  }
  func store32(_ value: UInt32, _ address: UInt64) -> Bool {
    core.view.store32(value, address, bigEndian: core.registers.bigEndian)
  }
}
