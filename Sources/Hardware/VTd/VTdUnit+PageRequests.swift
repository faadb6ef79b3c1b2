// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Page requests: VT-d sections 7.4 to 7.7.

extension VTdUnit {
  public func pageRequest(_ request: PageRequest) {
    // A stop marker is never answered. PCI Express section 10.4.1.2.
    let isStopMarker = request.last && !request.read && !request.write
    let answer = { [self] (code: PageResponse.Code) in
      guard request.last, !isStopMarker else { return }
      fabric?.respond(
        PageResponse(source: request.source, pasid: request.pasid, group: request.group & 0x1FF, code: code))
    }
    guard isTranslating else { return answer(.invalidRequest) }
    let inner = VTdRequest(request)
    do throws(VTdFault) {
      var observer = VTdNoReport()
      _ = try translator.stream(for: inner, &observer)
    } catch {
      if error != .silent { _ = record(error, inner) }
      return answer(.invalidRequest)
    }
    let pqa = registers.read64(VTd.Register.pqa)
    // A queue that was never set up takes nothing.
    guard pqa != 0 else { return answer(.invalidRequest) }
    if let code = enqueue(inner, request, pqa) { answer(code) }
  }

  /// Appends a page request descriptor, VT-d section 7.4.1; returns what the hardware answers by itself.
  private func enqueue(_ inner: VTdRequest, _ request: PageRequest, _ pqa: UInt64) -> PageResponse.Code? {
    typealias Queue = VTd.PageRequestQueue
    typealias D = VTd.PageRequestDescriptor
    let size = UInt64(4096) << Queue.size.of(pqa)
    let head = registers.read64(VTd.Register.pqh) % size
    let tail = registers.read64(VTd.Register.pqt) % size
    let next = (tail + D.size) % size
    // Full, or full before and software has not said yet that it knows.
    guard registers.read32(VTd.Register.prs) & Queue.pro == 0, next != head else {
      setPageRequestStatus(Queue.pro)
      return configuration.quirks.answersOverflowingRequests ? .success : nil
    }
    var first = D.type.with(D.typeValue) | D.rid.with(UInt64(inner.sid))
    if inner.hasPASID {
      first |= D.pasidPresent.mask | D.pasid.with(UInt64(inner.pasid))
      first |= D.execute.with(request.execute ? 1 : 0) | D.privileged.with(request.privileged ? 1 : 0)
    }
    let second =
      request.address & D.address.mask | D.read.with(request.read ? 1 : 0)
      | D.write.with(request.write ? 1 : 0) | D.lpig.with(request.last ? 1 : 0)
      | D.prgi.with(UInt64(request.group))
    let at = pqa & Queue.base.mask &+ tail
    var written = true
    for (index, word) in [first, second, 0, 0].enumerated() {
      written = memory.store64(word, at: PhysAddr(at &+ 8 * UInt64(index))) && written
    }
    guard written else { return .failure }
    registers.set64(VTd.Register.pqt, next)
    setPageRequestStatus(Queue.ppr)
    return nil
  }

  /// Sets bits of the page request status register; a bit that was clear is an event.
  private func setPageRequestStatus(_ bits: UInt64) {
    let status = registers.read32(VTd.Register.prs)
    registers.set32(VTd.Register.prs, status | bits)
    reflectPageRequestOverflow()
    if bits & ~status != 0 { raise(.pageRequest) }
  }

  /// FSTS.PRO, where older software looks, shows PRS.PRO.
  func reflectPageRequestOverflow() {
    let status = registers.read32(VTd.Register.fsts) & ~VTd.FaultStatus.pro
    let overflowed = registers.read32(VTd.Register.prs) & VTd.PageRequestQueue.pro != 0
    registers.set32(VTd.Register.fsts, status | (overflowed ? VTd.FaultStatus.pro : 0))
  }
}
