// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The fault queue, section 4.2.

/// Where a fault comes from: what a record says beside its cause.
struct RISCVFaultOrigin {
  var type = RISCV.TransactionType.none
  var device: UInt32 = 0
  var process: UInt32?
  var privileged = false
  /// `iotval`.
  var value: UInt64
  /// Translation faults are not to be reported.
  var dtf = false

  /// A fault of the IOMMU itself.
  init(value: UInt64) { self.value = value }

  init(_ transaction: Transaction, dtf: Bool) {
    typealias Kind = RISCV.TransactionType
    let execute = transaction.execute && !transaction.writes
    switch transaction.kind {
    case .untranslated:
      type =
        transaction.writes
        ? Kind.untranslatedWrite : execute ? Kind.untranslatedExecute : Kind.untranslatedRead
    case .translated:
      type =
        transaction.writes ? Kind.translatedWrite : execute ? Kind.translatedExecute : Kind.translatedRead
    case .translationRequest: type = Kind.translationRequest
    }
    device = transaction.source
    process = transaction.pasid
    privileged = transaction.privileged
    value = transaction.address
    self.dtf = dtf
  }

  init(_ request: PageRequest, dtf: Bool) {
    type = RISCV.TransactionType.message
    device = request.source
    process = request.pasid
    privileged = request.privileged
    value = RISCV.Record.pageRequestMessage
    self.dtf = dtf
  }
}

extension RISCVIOMMU {
  /// Whether a fault goes to the queue, room permitting.
  func isReported(_ cause: UInt32, _ origin: RISCVFaultOrigin) -> Bool {
    guard core.registers.fault.isOn else { return false }
    return !origin.dtf || RISCV.Cause.all.contains { $0.code == cause && $0.despiteDTF }
  }

  /// Writes a fault record. A full queue and a memory fault set their bits; while one stands, records are lost.
  func report(_ fault: RISCVFault, _ origin: RISCVFaultOrigin) {
    typealias Bit = RISCV.QueueControl
    typealias Field = RISCV.Record
    guard isReported(fault.cause, origin), !core.registers.fault.has(Bit.overflow | Bit.memoryFault) else {
      return
    }
    guard !core.registers.fault.isFull else {
      core.registers.fault.control |= Bit.overflow
      raise(RISCV.Interrupt.faultQueue)
      return
    }
    var word = UInt64(fault.cause) | origin.type << Field.ttypShift | UInt64(origin.device) << Field.didShift
    if let process = origin.process {
      word |= UInt64(process & 0xF_FFFF) << Field.pidShift | Field.pv
      if origin.privileged { word |= Field.priv }
    }
    let place = core.registers.fault.address(of: core.registers.fault.tail)
    guard store64(word, place), store64(0, place &+ 8), store64(origin.value, place &+ 16),
      store64(fault.iotval2, place &+ 24)
    else {
      core.registers.fault.control |= Bit.memoryFault
      raise(RISCV.Interrupt.faultQueue)
      return
    }
    core.registers.fault.advanceTail()
    raise(RISCV.Interrupt.faultQueue)
  }
}
