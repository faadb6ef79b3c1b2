// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// From a requester to its page tables: VT-d sections 3.4.2, 3.4.3 and 3.4.4. The order of the checks is that of
// the manual's fault tables, section 7.1.3.

extension VTdTranslator {
  /// Root, context and PASID structures of a request, and whether it is allowed at all.
  mutating func stream<Observer: VTdObserver>(for request: VTdRequest, _ observer: inout Observer)
    throws(VTdFault) -> VTdStream
  {
    if Observer.looksIntoCaches, let stream = cachedStream(request.sid, request.pasid) {
      observer.hit()
      try admit(request, stream)
      return stream
    }
    let context = try context(for: request, &observer)
    let stream: VTdStream
    if mode == VTd.TranslationTableMode.legacy {
      stream = legacyStream(context)
      try admit(request, stream)
    } else {
      stream = try scalableStream(context, request, &observer)
      try admit(request, stream)
    }
    if !Observer.isReport, caches {
      let place = UInt64(request.sid) << 12
      let tag = Self.streamTag(request.sid, request.pasid)
      streams.insert(stream, for: place, tag, salt: UInt64(request.pasid))
      if !stream.flags.contains(.ridPriv) {
        quickStreams.insert(VTdQuickStream(stream, limits), for: place, tag, salt: UInt64(request.pasid))
      }
    }
    return stream
  }

  /// A translated request is only admitted: its address is final. VT-d section 4.2.4.
  mutating func admitTranslated<Observer: VTdObserver>(_ request: VTdRequest, _ observer: inout Observer)
    throws(VTdFault)
  {
    let context = try context(for: request, &observer)
    let stream: VTdStream
    if mode == VTd.TranslationTableMode.legacy {
      stream = legacyStream(context)
    } else {
      try admitScalable(request, context)
      stream = VTdStream(
        translation: .passThrough, did: 0, flags: [.deviceTLB, context.fpd ? .fpd : []])
    }
    try admit(request, stream)
    if isVTdInterruptRange(request.address) { throw interruptRange(stream) }
  }

  /// Checks of a request against what its structures allow.
  private func admit(_ request: VTdRequest, _ stream: VTdStream) throws(VTdFault) {
    if request.kind == .translationRequest || request.kind == .translated,
      !stream.flags.contains(.deviceTLB)
    {
      let legacy = stream.flags.contains(.legacy)
      throw VTdFault(
        legacy ? VTd.Reason.translationTypeBlocks : VTd.Reason.deviceTLBDisabled, fpd: stream.fpd)
    }
    if request.kind == .pageRequest, !stream.flags.contains(.pageRequests) {
      throw VTdFault(VTd.Reason.pageRequestDisabled, fpd: stream.fpd)
    }
    guard stream.usesFirstStage else { return }
    if request.need.contains(.execute), !stream.flags.contains(.ere) {
      throw VTdFault(VTd.Reason.executeDisabled, fpd: stream.fpd)
    }
    let supervisor =
      request.hasPASID ? request.need.contains(.supervisor) : stream.flags.contains(.ridPriv)
    if supervisor, !stream.flags.contains(.sre) {
      throw VTdFault(VTd.Reason.supervisorDisabled, fpd: stream.fpd)
    }
  }

  // MARK: Root and context

  /// The context entry of a request, out of the context-cache or memory.
  mutating func context<Observer: VTdObserver>(
    for request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdCachedContext {
    let legacy = try checkMode(request)
    if Observer.looksIntoCaches, let cached = contexts[request.sid] {
      observer.hit()
      if cached.missing != 0 {
        if !limits.quirks.negativeCacheSticky, !Observer.isReport { contexts[request.sid] = nil }
        throw VTdFault(cached.missing, fpd: cached.fpd)
      }
      return cached
    }
    do throws(VTdFault) {
      let context =
        legacy ? try readLegacyContext(request, &observer) : try readScalableContext(request, &observer)
      if !Observer.isReport, caches { contexts[request.sid] = context }
      return context
    } catch {
      switch error.code {
      case VTd.Reason.rootNotPresent, VTd.Reason.contextNotPresent, VTd.Reason.scalableRootNotPresent,
        VTd.Reason.scalableContextNotPresent:
        if !Observer.isReport, cachesMissing {
          contexts[request.sid] = VTdCachedContext(
            first: 0, second: 0, did: 0, missing: error.code, fpd: error.fpd)
        }
      default: break
      }
      throw error
    }
  }

  /// Translation table mode: whether it is legacy mode.
  private func checkMode(_ request: VTdRequest) throws(VTdFault) -> Bool {
    let base = VTd.RootTableAddress.base.mask & root
    switch mode {
    case VTd.TranslationTableMode.legacy:
      if base & limits.pointerReserved != 0 { throw VTdFault(VTd.Reason.rootTableAddress) }
      if request.kind == .pageRequest { throw VTdFault(VTd.Reason.pageRequestInLegacyMode) }
      if request.hasPASID { throw VTdFault(VTd.Reason.pasidInLegacyMode) }
      return true
    case VTd.TranslationTableMode.scalable where limits.has(VTd.ECap.smts):
      if base & limits.pointerReserved != 0 { throw VTdFault(VTd.Reason.rootTableAddress) }
      return false
    case VTd.TranslationTableMode.abortDMA where limits.has(VTd.ECap.adms):
      throw VTdFault.silent
    default:
      throw VTdFault(VTd.Reason.rootTableAddress)
    }
  }

  private func readLegacyContext<Observer: VTdObserver>(
    _ request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdCachedContext {
    typealias Root = VTd.RootEntry
    typealias Entry = VTd.ContextEntry
    // 1 to 3: root entry.
    let rootAt = VTd.RootTableAddress.base.mask & root | UInt64(request.sid >> 8) * Root.size
    observer.saw(.rootEntry, at: rootAt)
    guard let rootLow = load(rootAt), let rootHigh = load(rootAt + 8) else {
      throw VTdFault(VTd.Reason.rootAccess)
    }
    guard Root.p.of(rootLow) != 0 else { throw VTdFault(VTd.Reason.rootNotPresent) }
    guard rootLow & (Root.reserved.mask | limits.pointerReserved) == 0, rootHigh == 0 else {
      throw VTdFault(VTd.Reason.rootReserved)
    }
    // 4 to 7: context entry.
    let at = rootLow & Root.contextTable.mask | UInt64(request.sid & 0xFF) * Entry.size
    observer.saw(.contextEntry, at: at)
    guard let first = load(at), let second = load(at + 8) else { throw VTdFault(VTd.Reason.contextAccess) }
    let fpd = Entry.fpd.of(first) != 0
    guard Entry.p.of(first) != 0 else { throw VTdFault(VTd.Reason.contextNotPresent, fpd: fpd) }
    let type = Entry.tt.of(first)
    let passThrough = type == Entry.TranslationType.passThrough
    var reserved = Entry.reserved0.mask
    if !passThrough { reserved |= limits.pointerReserved }
    guard first & reserved == 0, second & (Entry.reserved1.mask | Entry.reserved1High.mask) == 0 else {
      throw VTdFault(VTd.Reason.contextReserved, fpd: fpd)
    }
    let supported =
      switch type {
      case Entry.TranslationType.untranslatedOnly: true
      case Entry.TranslationType.all: limits.has(VTd.ECap.dt)
      case Entry.TranslationType.passThrough: limits.has(VTd.ECap.pt)
      default: false
      }
    guard supported, limits.supports(addressWidth: Entry.aw.of(second)) else {
      throw VTdFault(VTd.Reason.contextInvalid, fpd: fpd)
    }
    let did = UInt16(truncatingIfNeeded: Entry.did.of(second) & limits.domainMask)
    return VTdCachedContext(first: first, second: second, did: did, fpd: fpd)
  }

  private func legacyStream(_ context: VTdCachedContext) -> VTdStream {
    typealias Entry = VTd.ContextEntry
    let type = Entry.tt.of(context.first)
    let aw = Entry.aw.of(context.second)
    var flags: VTdStream.Flags = [.legacy, .pwsnp]
    if context.fpd { flags.insert(.fpd) }
    if type == Entry.TranslationType.all { flags.insert(.deviceTLB) }
    return VTdStream(
      translation: type == Entry.TranslationType.passThrough ? .passThrough : .secondStage,
      secondStageLevels: UInt8(truncatingIfNeeded: VTd.levels(aw)), did: context.did, flags: flags,
      secondStageRoot: context.first & Entry.ssptptr.mask,
      limit: VTdLimits.last(width: min(limits.guestAddressWidth, VTd.addressWidth(aw))))
  }

  private func readScalableContext<Observer: VTdObserver>(
    _ request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdCachedContext {
    typealias Root = VTd.RootEntry
    typealias Entry = VTd.ScalableContextEntry
    // 1: root entry, the half that device-function bit 7 selects.
    let upper = UInt64(request.sid >> 7 & 1)
    let rootAt = VTd.RootTableAddress.base.mask & root | UInt64(request.sid >> 8) * Root.size | upper << 3
    observer.saw(.rootEntry, at: rootAt)
    guard let rootWord = load(rootAt) else { throw VTdFault(VTd.Reason.scalableRootAccess) }
    guard Root.p.of(rootWord) != 0 else { throw VTdFault(VTd.Reason.scalableRootNotPresent) }
    guard rootWord & (Root.reserved.mask | limits.pointerReserved) == 0 else {
      throw VTdFault(VTd.Reason.scalableRootReserved)
    }
    // 2: context entry.
    let at = rootWord & Root.contextTable.mask | UInt64(request.sid & 0x7F) * Entry.size
    observer.saw(.scalableContextEntry, at: at)
    guard let first = load(at), let second = load(at + 8), let third = load(at + 16),
      let fourth = load(at + 24)
    else { throw VTdFault(VTd.Reason.scalableContextAccess) }
    let fpd = Entry.fpd.of(first) != 0
    guard Entry.p.of(first) != 0 else { throw VTdFault(VTd.Reason.scalableContextNotPresent, fpd: fpd) }
    guard first & (Entry.reserved0.mask | limits.pointerReserved) == 0,
      second & Entry.reserved1.mask == 0, third == 0, fourth == 0
    else { throw VTdFault(VTd.Reason.scalableContextReserved, fpd: fpd) }
    // Bits of features that this unit does not have.
    let needs: [(UInt64, VTd.Field)] = [
      (first & Entry.dte.mask, VTd.ECap.dt), (first & Entry.paside.mask, VTd.ECap.pasid),
      (first & Entry.pre.mask, VTd.ECap.prs), (second & Entry.ridPASID.mask, VTd.ECap.rps),
      (second & Entry.ridPriv.mask, VTd.ECap.rprivs),
    ]
    for (bits, capability) in needs where bits != 0 && !limits.has(capability) {
      throw VTdFault(VTd.Reason.scalableContextInvalid, fpd: fpd)
    }
    return VTdCachedContext(first: first, second: second, did: 0, fpd: fpd)
  }
}
