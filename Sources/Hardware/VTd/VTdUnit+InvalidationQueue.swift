// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory
internal import Seams

// The invalidation queue: VT-d section 6.5.2. Descriptors are fetched in order until the head meets the tail or
// an error stops the queue. A bad descriptor leaves the head where it is. A device that does not complete an
// invalidation leaves the head behind everything that had been submitted by then, with the waits among it
// aborted: their status is never written.

/// Which bits of a descriptor mean something.
private struct VTdDescriptorShape {
  var first: UInt64
  var second: UInt64
  /// Scalable mode only.
  var scalable = false

  static func bits(_ fields: VTd.Field...) -> UInt64 { fields.reduce(0) { $0 | $1.mask } }

  static let table: [UInt64: VTdDescriptorShape] = {
    typealias D = VTd.Descriptor
    typealias Kind = D.Kind
    return [
      Kind.contextCache: .init(
        first: bits(D.ContextCache.g, D.ContextCache.did, D.ContextCache.sid, D.ContextCache.fm), second: 0),
      Kind.iotlb: .init(
        first: bits(D.IOTLB.g, D.IOTLB.dw, D.IOTLB.dr, D.IOTLB.did),
        second: bits(D.IOTLB.am, D.IOTLB.ih, D.IOTLB.address)),
      Kind.deviceTLB: .init(
        first: bits(D.DeviceTLB.pfsidLow, D.DeviceTLB.qdep, D.DeviceTLB.sid, D.DeviceTLB.pfsidHigh),
        second: bits(D.DeviceTLB.s, D.DeviceTLB.address)),
      Kind.interruptEntryCache: .init(
        first: bits(D.InterruptEntryCache.g, D.InterruptEntryCache.im, D.InterruptEntryCache.iidx), second: 0),
      Kind.wait: .init(
        first: bits(D.Wait.if, D.Wait.sw, D.Wait.fn, D.Wait.pd, D.Wait.statusData),
        second: D.Wait.statusAddress.mask),
      Kind.pasidIOTLB: .init(
        first: bits(D.PASIDIOTLB.g, D.PASIDIOTLB.did, D.PASIDIOTLB.pasid),
        second: bits(D.PASIDIOTLB.am, D.PASIDIOTLB.ih, D.PASIDIOTLB.address), scalable: true),
      Kind.pasidCache: .init(
        first: bits(D.PASIDCache.g, D.PASIDCache.did, D.PASIDCache.pasid), second: 0, scalable: true),
      Kind.pasidDeviceTLB: .init(
        first: bits(
          D.PASIDDeviceTLB.qdep, D.PASIDDeviceTLB.pfsidLow, D.PASIDDeviceTLB.sid, D.PASIDDeviceTLB.pasid,
          D.PASIDDeviceTLB.pfsidHigh),
        second: bits(D.PASIDDeviceTLB.g, D.PASIDDeviceTLB.s, D.PASIDDeviceTLB.address), scalable: true),
      Kind.pageGroupResponse: .init(
        first: bits(
          D.PageGroupResponse.pasidPresent, D.PageGroupResponse.code, D.PageGroupResponse.rid,
          D.PageGroupResponse.pasid),
        second: bits(D.PageGroupResponse.lpig, D.PageGroupResponse.prgi), scalable: true),
    ]
  }()
}

extension VTdUnit {
  /// Descriptors that one run consumes at most: software that is called back may go on adding some.
  private static var longestRun: Int { 1 << 20 }

  /// Consumes descriptors from the head up to the tail, or `limit` of them: the scheduler's step for tests that
  /// set `holdsInvalidationQueue`.
  public func runInvalidationQueue(limit: Int = .max) {
    guard !isRunningQueue else { return }
    isRunningQueue = true
    defer { isRunningQueue = false }
    typealias Queue = VTd.InvalidationQueue
    var left = min(limit, Self.longestRun)
    // After a time-out: the tail as it was, and the device.
    var timeout: (end: UInt64, sid: UInt64)?
    while isQueueEnabled,
      registers.read32(VTd.Register.fsts) & (VTd.FaultStatus.iqe | VTd.FaultStatus.ite) == 0
    {
      let iqa = registers.read64(VTd.Register.iqa)
      let wide = Queue.dw.of(iqa) != 0
      let width: UInt64 = wide ? 32 : 16
      let size = UInt64(4096) << Queue.qs.of(iqa)
      let head = registers.read64(VTd.Register.iqh) % size & ~(width - 1)
      let tail = registers.read64(VTd.Register.iqt)
      if let ended = timeout, head == ended.end % size & ~(width - 1) { break }
      guard registers.read64(VTd.Register.iqh) != tail, left > (timeout == nil ? 0 : -Self.longestRun) else {
        break
      }
      left -= 1

      if let error = queueError(tail, size, wide) { return stop(error, timeout?.sid) }
      let at = iqa & Queue.base.mask &+ head
      guard let first = load(at), let second = load(at &+ 8),
        let third = wide ? load(at &+ 16) : 0, let fourth = wide ? load(at &+ 24) : 0
      else { return stop(VTd.InvalidationQueueError.fetch, timeout?.sid) }
      if let error = descriptorError(first, second, third | fourth) { return stop(error, timeout?.sid) }
      Tracer.tell(
        MachineEvent(
          .command, .text("VT-d"), .hex(first & 0xF | first >> 5 & 0x70), .list([.hex(first), .hex(second)])))
      // The head moves on before the descriptor tells anybody anything.
      registers.set64(VTd.Register.iqh, (head + width) % size)
      if let sid = run(first, second, aborted: timeout != nil), timeout == nil { timeout = (tail, sid) }
    }
    if let timeout { timedOut(timeout.sid) }
  }

  /// The queue itself. VT-d section 6.5.2.10.
  private func queueError(_ tail: UInt64, _ size: UInt64, _ wide: Bool) -> UInt64? {
    typealias Code = VTd.InvalidationQueueError
    let hasWide = translator.limits.has(VTd.ECap.smts) || translator.limits.has(VTd.ECap.adms)
    switch translator.mode {
    case VTd.TranslationTableMode.legacy:
      if wide, !hasWide { return Code.descriptorWidth }
    case VTd.TranslationTableMode.scalable where translator.limits.has(VTd.ECap.smts):
      if !wide { return Code.descriptorWidth }
    case VTd.TranslationTableMode.abortDMA where translator.limits.has(VTd.ECap.adms): break
    default: return Code.tableMode
    }
    if wide, tail & 16 != 0 { return Code.tailAlignment }
    return tail < size ? nil : Code.tailBeyondQueue
  }

  /// A descriptor, before anything of it is done.
  private func descriptorError(_ first: UInt64, _ second: UInt64, _ rest: UInt64) -> UInt64? {
    typealias Code = VTd.InvalidationQueueError
    typealias D = VTd.Descriptor
    let kind = D.type.of(first) | D.typeHigh.of(first) << 4
    guard let shape = VTdDescriptorShape.table[kind] else { return Code.type }
    let limits = translator.limits
    if shape.scalable, translator.mode == VTd.TranslationTableMode.legacy { return Code.type }
    switch kind {
    case D.Kind.deviceTLB, D.Kind.pasidDeviceTLB: if !limits.has(VTd.ECap.dt) { return Code.type }
    case D.Kind.interruptEntryCache: if !limits.has(VTd.ECap.ir) { return Code.type }
    case D.Kind.pageGroupResponse: if !limits.has(VTd.ECap.prs) { return Code.type }
    default: break
    }
    // Third and fourth word of a response are the private data of its request.
    let hasRest = kind != D.Kind.pageGroupResponse && rest != 0
    if first & ~(shape.first | D.type.mask) != 0 || second & ~shape.second != 0 || hasRest {
      return Code.reservedField
    }
    let mamv = VTd.Cap.mamv.of(limits.cap)
    let valid: Bool =
      switch kind {
      case D.Kind.contextCache: D.ContextCache.g.of(first) != 0
      case D.Kind.iotlb:
        switch D.IOTLB.g.of(first) {
        case 0: false
        case D.Granularity.selective: VTd.Cap.psi.of(limits.cap) != 0 && D.IOTLB.am.of(second) <= mamv
        default: true
        }
      case D.Kind.pasidIOTLB:
        switch D.PASIDIOTLB.g.of(first) {
        case D.PASIDIOTLBGranularity.pasid: true
        case D.PASIDIOTLBGranularity.page:
          !limits.quirks.checksPASIDInvalidationMask || D.PASIDIOTLB.am.of(second) <= mamv
        default: false
        }
      case D.Kind.pasidCache: D.PASIDCache.g.of(first) != 2
      case D.Kind.wait: D.Wait.pd.of(first) == 0 || limits.has(VTd.ECap.pds)
      case D.Kind.pageGroupResponse:
        PageResponse.Code(rawValue: UInt8(truncatingIfNeeded: D.PageGroupResponse.code.of(first))) != nil
      default: true
      }
    return valid ? nil : Code.reservedField
  }

  private func stop(_ code: UInt64, _ timedOutDevice: UInt64?) {
    typealias Queue = VTd.InvalidationQueue
    let record = registers.read64(VTd.Register.iqercd)
    registers.set64(VTd.Register.iqercd, record & ~Queue.iqei.mask | Queue.iqei.with(code))
    setFaultStatus(VTd.FaultStatus.iqe)
    if let timedOutDevice { timedOut(timedOutDevice) }
  }

  private func timedOut(_ sid: UInt64) {
    let named = configuration.quirks.namesTimedOutDevice ? sid : 0
    setErrorDevice(VTd.InvalidationQueue.itesid, named)
    setFaultStatus(VTd.FaultStatus.ite)
  }

  private func setErrorDevice(_ field: VTd.Field, _ sid: UInt64) {
    let record = registers.read64(VTd.Register.iqercd)
    registers.set64(VTd.Register.iqercd, record & ~field.mask | field.with(sid))
  }

  /// A device completed an invalidation that nobody had asked of it. VT-d section 6.5.2.10.
  public func unexpectedInvalidationCompletion(source: UInt32) {
    setErrorDevice(VTd.InvalidationQueue.icesid, UInt64(source & 0xFFFF))
    setFaultStatus(VTd.FaultStatus.ice)
  }

  // MARK: Descriptors

  /// Does what a valid descriptor says; returns the device that did not answer, if one did not.
  private func run(_ first: UInt64, _ second: UInt64, aborted: Bool) -> UInt64? {
    typealias D = VTd.Descriptor
    let mask = UInt16(truncatingIfNeeded: translator.limits.domainMask)
    let did16 = { (field: VTd.Field) in UInt16(truncatingIfNeeded: field.of(first)) & mask }
    switch D.type.of(first) {
    case D.Kind.contextCache:
      translator.invalidateContexts(
        D.ContextCache.g.of(first), did: did16(D.ContextCache.did),
        sid: UInt16(truncatingIfNeeded: D.ContextCache.sid.of(first)),
        functionMask: D.ContextCache.fm.of(first))
    case D.Kind.iotlb:
      let did = did16(D.IOTLB.did)
      switch D.IOTLB.g.of(first) {
      case D.Granularity.global: translator.invalidateIOTLB(did: nil)
      case D.Granularity.domain: translator.invalidateIOTLB(did: did)
      default:
        translator.invalidateIOTLB(
          did: did, VTdRange(second & D.IOTLB.address.mask, mask: D.IOTLB.am.of(second)),
          keepsTables: D.IOTLB.ih.of(second) != 0)
      }
    case D.Kind.deviceTLB:
      let sid = D.DeviceTLB.sid.of(first)
      return invalidateDeviceTLB(sid, nil, all: false, second, large: D.DeviceTLB.s.of(second) != 0)
    case D.Kind.interruptEntryCache:
      invalidateInterruptEntries(
        D.InterruptEntryCache.g.of(first) == 0 ? nil : D.InterruptEntryCache.iidx.of(first),
        mask: D.InterruptEntryCache.im.of(first))
    case D.Kind.wait:
      if !aborted { completeWait(first, second) }
    case D.Kind.pasidIOTLB:
      let paged = D.PASIDIOTLB.g.of(first) == D.PASIDIOTLBGranularity.page
      translator.invalidatePASIDIOTLB(
        did: did16(D.PASIDIOTLB.did), pasid: UInt32(truncatingIfNeeded: D.PASIDIOTLB.pasid.of(first)),
        paged ? VTdRange(second & D.PASIDIOTLB.address.mask, mask: D.PASIDIOTLB.am.of(second)) : nil,
        keepsTables: D.PASIDIOTLB.ih.of(second) != 0)
    case D.Kind.pasidCache:
      translator.invalidatePASIDCache(
        D.PASIDCache.g.of(first), did: did16(D.PASIDCache.did),
        pasid: UInt32(truncatingIfNeeded: D.PASIDCache.pasid.of(first)))
    case D.Kind.pasidDeviceTLB:
      let all = D.PASIDDeviceTLB.g.of(second) != 0
      return invalidateDeviceTLB(
        D.PASIDDeviceTLB.sid.of(first), UInt32(truncatingIfNeeded: D.PASIDDeviceTLB.pasid.of(first)),
        all: all, second, large: D.PASIDDeviceTLB.s.of(second) != 0)
    default:
      respond(first, second)
    }
    return nil
  }

  /// VT-d section 6.5.2.8.
  private func completeWait(_ first: UInt64, _ second: UInt64) {
    typealias Wait = VTd.Descriptor.Wait
    if Wait.sw.of(first) != 0 {
      let data = UInt32(truncatingIfNeeded: Wait.statusData.of(first))
      if !memory.store32(data, at: PhysAddr(second & Wait.statusAddress.mask)) {
        note("wait status outside of memory")
      }
    }
    guard Wait.if.of(first) != 0 else { return }
    let pending = registers.read32(VTd.Register.ics)
    registers.set32(VTd.Register.ics, VTd.InvalidationQueue.iwc)
    if pending == 0 { raise(.invalidation) }
  }

  /// VT-d sections 6.5.2.5 and 6.5.2.6: consecutive ones from address bit 12 up give the size. Returns the
  /// device if it did not answer.
  private func invalidateDeviceTLB(
    _ sid: UInt64, _ pasid: UInt32?, all: Bool, _ second: UInt64, large: Bool
  ) -> UInt64? {
    if !isTranslating { note("device-TLB invalidation while translation is off") }
    let address = second & VTd.Descriptor.DeviceTLB.address.mask
    let ones = (~(address >> 12)).trailingZeroBitCount
    let sizeLg2 = large ? min(13 + ones, 64) : 12
    let mask = sizeLg2 == 64 ? UInt64.max : 1 << UInt64(sizeLg2) - 1
    let invalidation = DeviceTLBInvalidation(
      source: source(sid), pasid: pasid, address: address & ~mask, sizeLg2: UInt8(sizeLg2), allPASIDs: all)
    return fabric?.invalidate(invalidation) ?? false ? nil : sid
  }

  /// VT-d section 7.7: a page group response.
  private func respond(_ first: UInt64, _ second: UInt64) {
    typealias Response = VTd.Descriptor.PageGroupResponse
    let hasPASID = Response.pasidPresent.of(first) != 0
    let code = PageResponse.Code(rawValue: UInt8(truncatingIfNeeded: Response.code.of(first)))
    fabric?.respond(
      PageResponse(
        source: source(Response.rid.of(first)),
        pasid: hasPASID ? UInt32(truncatingIfNeeded: Response.pasid.of(first)) : nil,
        group: UInt16(truncatingIfNeeded: Response.prgi.of(second)), code: code ?? .invalidRequest))
  }
}
