// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// One of the IOMMU's queues as the driver keeps it: `struct riscv_iommu_queue`. Head and tail are the driver's own
/// copies and count on without end; a register has them modulo the number of entries.
struct RISCVQueue {
  /// The queue's bit in `ipsr` and its field in `icvec`.
  let interrupt: UInt32
  /// The registers of base and control. Head and tail follow on the base.
  let baseRegister: UInt64
  let controlRegister: UInt64
  let entrySizeLg2: UInt64
  /// log2 of the entries to ask for, less one: LOG2SZ-1.
  let wantedSize: UInt64

  /// Where the ring is in memory.
  var address: UInt64 = 0
  /// Entries less one.
  var mask: UInt32 = 0
  var head: UInt32 = 0
  var tail: UInt32 = 0

  var headRegister: UInt64 { baseRegister &+ 8 }
  var tailRegister: UInt64 { baseRegister &+ 12 }
  func place(_ index: UInt32) -> UInt64 { address &+ UInt64(index & mask) << entrySizeLg2 }

  /// 8192 commands. `RISCV_IOMMU_DEF_CQ_COUNT`.
  static let commands = RISCVQueue(
    interrupt: RISCV.Interrupt.commandQueue, baseRegister: RISCV.Register.cqb,
    controlRegister: RISCV.Register.cqcsr, entrySizeLg2: RISCV.Queue.commandSizeLg2, wantedSize: 12)

  /// 4096 fault records. `RISCV_IOMMU_DEF_FQ_COUNT`.
  static let faults = RISCVQueue(
    interrupt: RISCV.Interrupt.faultQueue, baseRegister: RISCV.Register.fqb,
    controlRegister: RISCV.Register.fqcsr, entrySizeLg2: RISCV.Queue.faultSizeLg2, wantedSize: 11)
}
