// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Seams

// What interrupts bring: errors of the command queue, and fault records, section 4.2. Linux reports both and does
// nothing about them: `riscv_iommu_cmdq_process`, `riscv_iommu_fltq_process`, `riscv_iommu_fault`. A command that
// hardware refuses stays at the head of the queue, and is run again each time its error is cleared.

extension RISCVInstance {
  func take(_ interrupt: HardwareInterrupt) {
    let vector: UInt64
    switch interrupt {
    case .message(let address, let data):
      guard address == interruptFile, data > 0 else { return }
      vector = UInt64(data) - 1
    case .wire(let number): vector = UInt64(number)
    }
    interruptLock.withLock {
      if isPending(RISCV.Interrupt.commandQueue, at: vector) { takeCommandErrors() }
      if isPending(RISCV.Interrupt.faultQueue, at: vector) { takeFaults() }
    }
  }

  /// A vector may be shared. `riscv_iommu_queue_ipsr`.
  private func isPending(_ cause: UInt32, at vector: UInt64) -> Bool {
    vectors >> UInt64(cause * 4) & 0xF == vector && port.read32(RISCV.Register.ipsr) & (1 << cause) != 0
  }

  private func takeCommandErrors() {
    typealias Bit = RISCV.QueueControl
    let control = port.read32(RISCV.Register.cqcsr)
    if control & (Bit.memoryFault | Bit.commandTimeout | Bit.commandIllegal | Bit.fenceInterruptPending) != 0
    {
      port.write32(RISCV.Register.cqcsr, control)
      func has(_ bit: UInt32) -> Int { control & bit != 0 ? 1 : 0 }
      complain(
        "Queue #0 error; fault:\(has(Bit.memoryFault)) timeout:\(has(Bit.commandTimeout)) "
          + "illegal:\(has(Bit.commandIllegal)) fence_w_ip:\(has(Bit.fenceInterruptPending))")
    }
    port.write32(RISCV.Register.ipsr, 1 << RISCV.Interrupt.commandQueue)
  }

  private func takeFaults() {
    typealias Bit = RISCV.QueueControl
    port.write32(RISCV.Register.ipsr, 1 << RISCV.Interrupt.faultQueue)
    // No more than two turns of the queue: what is newer has its own interrupt.
    var left = UInt64(faultQueue.mask) * 2 + 2
    while left > 0 {
      // Indices that do not exist are hardware's error; there is nothing to be read then.
      let tail = port.read32(faultQueue.tailRegister)
      let count = tail & ~faultQueue.mask == 0 ? (tail &- faultQueue.head) & faultQueue.mask : 0
      for _ in 0..<count {
        report(at: faultQueue.place(faultQueue.head))
        faultQueue.head &+= 1
      }
      port.write32(faultQueue.headRegister, faultQueue.head & faultQueue.mask)
      guard count > 0 else { break }
      left -= min(left, UInt64(count))
    }
    let control = port.read32(RISCV.Register.fqcsr)
    guard control & (Bit.memoryFault | Bit.overflow) != 0 else { return }
    port.write32(RISCV.Register.fqcsr, control)
    complain(
      "Queue #1 error; memory fault:\(control & Bit.memoryFault != 0 ? 1 : 0) "
        + "overflow:\(control & Bit.overflow != 0 ? 1 : 0)")
  }

  private func report(at place: UInt64) {
    typealias Field = RISCV.Record
    let header = load(place)
    let cause = UInt32(truncatingIfNeeded: header & 0xFFF)
    guard cause != 0 else { return }
    let type = header >> Field.ttypShift & 0x3F
    record(
      FaultRecord(
        source: UInt32(truncatingIfNeeded: header >> Field.didShift),
        pasid: header & Field.pv != 0 ? UInt32(truncatingIfNeeded: header >> Field.pidShift & 0xF_FFFF) : nil,
        address: load(place &+ 16), code: cause,
        name: RISCV.Cause.all.first { $0.code == cause }?.name ?? "Reserved",
        isWrite: type == RISCV.TransactionType.untranslatedWrite
          || type == RISCV.TransactionType.translatedWrite))
  }
}
