// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// What the hardware has to say: fault records in registers, page requests in a queue.

/// One reader at a time: the kernel has a thread for each interrupt. Who comes while another reads makes that one look
/// again, and does not wait.
final class VTdReader: Sendable {
  private let lock = Lock(.vtdInterrupt)
  // Guarded by `lock`.
  nonisolated(unsafe) private var isReading = false
  nonisolated(unsafe) private var isWanted = false

  func run(_ body: () -> Void) {
    let isFirst = lock.withLock { () -> Bool in
      isWanted = true
      guard !isReading else { return false }
      isReading = true
      return true
    }
    guard isFirst else { return }
    while true {
      let goesOn = lock.withLock { () -> Bool in
        defer { isWanted = false }
        if !isWanted { isReading = false }
        return isWanted
      }
      guard goesOn else { return }
      body()
    }
  }
}

extension VTdIOMMU {
  // MARK: Faults

  /// Reads fault records from the first pending one, as long as there are any, and frees them. `dmar_fault`; reference
  /// backends-x86.md A3.7.
  func readFaults() {
    typealias Status = VTd.FaultStatus
    let status = UInt64(port.read32(VTd.Register.fsts))
    guard status & Status.ppf != 0 else { return }
    let count = VTd.Cap.nfr.of(features.cap) + 1
    var index = Status.fri.of(status) % count
    // Hardware may fill records as fast as they are freed.
    for _ in 0..<count * 2 {
      let at = 16 * VTd.Cap.fro.of(features.cap) + index * VTd.Register.faultRecordSize
      let high = UInt64(port.read32(at &+ 12)) << 32
      guard VTd.FaultRecord.f.of(high) != 0 else { break }
      let record = high | UInt64(port.read32(at &+ 8))
      let address = port.read64(at)
      port.write32(at &+ 12, UInt32(VTd.FaultRecord.f.mask >> 32))
      note(record, address)
      index = (index + 1) % count
    }
    if status & Status.pfo != 0 { complain("the fault records overflowed") }
    port.write32(VTd.Register.fsts, UInt32(Status.pfo | Status.ppf | Status.pro))
  }

  /// `dmar_fault_do_one`.
  private func note(_ high: UInt64, _ low: UInt64) {
    typealias Record = VTd.FaultRecord
    let code = UInt8(truncatingIfNeeded: Record.fr.of(high))
    let isInterrupt = (0x20...0x26).contains(code)
    record(
      FaultRecord(
        source: UInt32(options.segment) << 16 | UInt32(Record.sid.of(high)),
        pasid: Record.pp.of(high) != 0 ? UInt32(Record.pv.of(high)) : nil,
        address: isInterrupt ? Record.interruptIndex.of(low) : low & Record.fi.mask, code: UInt32(code),
        name: VTd.faultReason(code)?.name ?? "unknown", isWrite: Record.t1.of(high) == 0))
  }

  // MARK: Page requests

  private static var pageRequestRingSize: UInt64 { 4096 << VTdBringUp.pageRequestRingLg2 }
  static var pageRequestSlots: UInt32 { UInt32(pageRequestRingSize / VTd.PageRequestDescriptor.size) }

  /// Takes what is in the page request queue. `prq_event_thread`; reference backends-x86.md A4.2.
  func readPageRequests() {
    typealias Queue = VTd.PageRequestQueue
    guard let pageRequestRing else { return }
    // Cleared before the registers are read, so that what comes later interrupts again.
    port.write32(VTd.Register.prs, UInt32(Queue.ppr))
    let inRing = Self.pageRequestRingSize - VTd.PageRequestDescriptor.size
    let tail = port.read64(VTd.Register.pqt) & inRing
    var head = port.read64(VTd.Register.pqh) & inRing
    while head != tail {
      take(load(pageRequestRing &+ head), load(pageRequestRing &+ head &+ 8))
      head = (head &+ VTd.PageRequestDescriptor.size) & inRing
    }
    port.write64(VTd.Register.pqh, tail)
    guard UInt64(port.read32(VTd.Register.prs)) & Queue.pro != 0 else { return }
    complain("the page request queue overflowed")
    guard port.read64(VTd.Register.pqh) & inRing == port.read64(VTd.Register.pqt) & inRing else { return }
    for device in faultingDevices { device.discardPartialFaults() }
    port.write32(VTd.Register.prs, UInt32(Queue.pro))
  }

  private func take(_ first: UInt64, _ second: UInt64) {
    typealias D = VTd.PageRequestDescriptor
    let (reads, writes) = (D.read.of(second) != 0, D.write.of(second) != 0)
    let (executes, isPrivileged) = (D.execute.of(first) != 0, D.privileged.of(first) != 0)
    let hasPASID = D.pasidPresent.of(first) != 0
    let address = second & D.address.mask
    let source = UInt16(truncatingIfNeeded: D.rid.of(first))
    let isLast = D.lpig.of(second) != 0
    let isBad =
      !isCanonical(address) || isPrivileged && (reads || writes) || executes && reads
      || !isModern && !hasPASID
    // A stop marker wants no answer.
    if !isBad, isLast, !reads, !writes { return }
    guard !isBad, let device = device(source), device.atsSupported else {
      if isLast {
        answer(
          source: source, pasid: hasPASID ? UInt32(D.pasid.of(first)) : nil,
          group: UInt32(D.prgi.of(second)), code: .invalid, last: true)
      }
      return
    }
    var flags: PageRequest.Flags = isLast ? .lastPage : []
    if hasPASID { flags.formUnion([.pasidValid, .needsPASID]) }
    let permissions: UInt32 =
      (reads ? 1 : 0) | (writes ? 2 : 0) | (executes ? 4 : 0) | (isPrivileged ? 8 : 0)
    try? device.report(
      PageRequest(
        flags: flags, pasid: UInt32(D.pasid.of(first)), groupID: UInt32(D.prgi.of(second)),
        permissions: permissions, address: address))
  }

  /// By the processor's address width. `is_canonical_address`.
  private func isCanonical(_ address: UInt64) -> Bool {
    let sign = Int64(bitPattern: address) >> (features.hasFiveLevelFirstStage ? 56 : 47)
    return sign == 0 || sign == -1
  }

  func answer(source: UInt16, pasid: UInt32?, group: UInt32, code: PageResponse, last: Bool) {
    let number: UInt64 =
      switch code {
      case .success: 0
      case .invalid: 1
      case .failure: 0xF
      }
    submit(.response(source: source, pasid: pasid, group: group, code: number, last: last && !isModern))
  }
}
