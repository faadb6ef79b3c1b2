// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Fault recording and event messages. VT-d sections 7.2 and 7.3, and 11.4.7.

/// The three reasons for which a unit interrupts software, each with its control register; data and address
/// registers follow it.
enum VTdEvent {
  case fault, invalidation, pageRequest

  var control: UInt64 {
    switch self {
    case .fault: VTd.Register.fectl
    case .invalidation: VTd.Register.iectl
    case .pageRequest: VTd.Register.pectl
    }
  }
}

extension VTdUnit {
  // MARK: Events

  /// A condition came up: the event is pending, and sent unless it is masked.
  func raise(_ event: VTdEvent) {
    let control = registers.read32(event.control)
    if control & VTd.EventControl.im != 0 {
      registers.set32(event.control, control | VTd.EventControl.ip)
    } else {
      send(event)
    }
  }

  /// The control register was written: what is pending goes out when nothing masks it any more.
  func unmask(_ event: VTdEvent) {
    let control = registers.read32(event.control)
    if control & (VTd.EventControl.im | VTd.EventControl.ip) == VTd.EventControl.ip { send(event) }
  }

  private func send(_ event: VTdEvent) {
    let at = event.control
    registers.set32(at, registers.read32(at) & ~VTd.EventControl.ip)
    let address = registers.read32(at + 8) | registers.read32(at + 12) << 32
    fabric?.interrupt(
      InterruptMessage(address: address, data: UInt32(truncatingIfNeeded: registers.read32(at + 4))))
  }

  /// Software cleared status bits: with none left, nothing is pending.
  func serviced(_ event: VTdEvent) {
    let remaining =
      switch event {
      case .fault: registers.read32(VTd.Register.fsts) & ~VTd.FaultStatus.fri.mask & ~VTd.FaultStatus.pro
      case .invalidation: registers.read32(VTd.Register.ics)
      case .pageRequest: registers.read32(VTd.Register.prs)
      }
    if remaining == 0 {
      registers.set32(event.control, registers.read32(event.control) & ~VTd.EventControl.ip)
    }
  }

  // MARK: Fault status

  /// Sets bits of the fault status register; a bit that was clear is an event.
  func setFaultStatus(_ bits: UInt64) {
    let status = registers.read32(VTd.Register.fsts)
    registers.set32(VTd.Register.fsts, status | bits)
    if bits & ~status != 0 { raise(.fault) }
  }

  /// Software wrote the fault status register: a queue that an error had stopped goes on.
  func faultStatusWritten() {
    serviced(.fault)
    if !holdsInvalidationQueue { runInvalidationQueue() }
  }

  /// Software cleared a record: PPF is the OR of all, FRI the first of those that are left.
  func faultRecordCleared() {
    let count = registers.faultRecordCount
    var status = registers.read32(VTd.Register.fsts)
    let first = Int(VTd.FaultStatus.fri.of(status))
    let pending = (0..<count).lazy.map { (first + $0) % count }.first { self.isPending($0) }
    status &= ~(VTd.FaultStatus.ppf | VTd.FaultStatus.fri.mask)
    if let pending { status |= VTd.FaultStatus.ppf | VTd.FaultStatus.fri.with(UInt64(pending)) }
    registers.set32(VTd.Register.fsts, status)
    serviced(.fault)
  }

  private func isPending(_ index: Int) -> Bool {
    VTd.FaultRecord.f.of(registers.read64(registers.faultRecord(index) + 8)) != 0
  }

  // MARK: Recording

  /// Records the fault of a request, VT-d section 7.2.1; false where FPD suppresses it.
  func record(_ fault: VTdFault, _ request: VTdRequest) -> Bool {
    typealias Record = VTd.FaultRecord
    var high = Record.sid.with(UInt64(request.sid)) | Record.fr.with(UInt64(fault.code))
    high |= Record.at.with(request.addressType)
    let (t1, t2): (UInt64, UInt64) =
      switch (request.kind, request.reads, request.writes) {
      case (.pageRequest, _, _): (0, 1)
      case (_, true, true): (1, 1)
      case (_, true, false): (1, 0)
      default: (0, 0)
      }
    high |= Record.t1.with(t1) | Record.t2.with(t2)
    if request.hasPASID {
      high |= Record.pp.mask | Record.pv.with(UInt64(request.pasid))
      if request.need.contains(.execute) { high |= Record.exe.mask }
      if request.need.contains(.supervisor) { high |= Record.priv.mask }
    }
    return record(fault, low: request.address & Record.fi.mask, high: high)
  }

  func record(_ fault: VTdFault, low: UInt64, high: UInt64) -> Bool {
    typealias Record = VTd.FaultRecord
    // 1: a qualified fault is not recorded where FPD is set.
    if fault.fpd, VTd.faultReason(fault.code)?.qualified ?? true { return false }
    // 2: overflowed, nothing is recorded until software has seen it.
    if registers.read32(VTd.Register.fsts) & VTd.FaultStatus.pfo != 0 { return true }
    // 4: hardware may leave out a requester that has a fault pending.
    if configuration.quirks.collapsesFaults {
      for index in 0..<registers.faultRecordCount where isPending(index) {
        let pending = registers.read64(registers.faultRecord(index) + 8)
        if Record.sid.of(pending) == Record.sid.of(high) { return true }
      }
    }
    // 3: the next record must be free.
    let index = nextFaultRecord
    if isPending(index) {
      setFaultStatus(VTd.FaultStatus.pfo)
      return true
    }
    // 5: write it, F last.
    nextFaultRecord = (index + 1) % registers.faultRecordCount
    let at = registers.faultRecord(index)
    registers.set64(at, low)
    registers.set64(at + 8, high | Record.f.mask)
    let status = registers.read32(VTd.Register.fsts)
    if status & VTd.FaultStatus.ppf == 0 {
      registers.set32(
        VTd.Register.fsts,
        status & ~VTd.FaultStatus.fri.mask | VTd.FaultStatus.fri.with(UInt64(index)))
    }
    // 6: the first pending fault is an event.
    setFaultStatus(VTd.FaultStatus.ppf)
    return true
  }
}
