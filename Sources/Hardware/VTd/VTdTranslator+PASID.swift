// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// PASID directory and PASID table: VT-d sections 3.4.4, 9.5 and 9.6.

extension VTdTranslator {
  /// 3 to 5: what the context entry alone decides.
  func admitScalable(_ request: VTdRequest, _ context: VTdCachedContext) throws(VTdFault) {
    typealias Entry = VTd.ScalableContextEntry
    if request.hasPASID, Entry.paside.of(context.first) == 0 {
      throw VTdFault(VTd.Reason.pasidDisabled, fpd: context.fpd)
    }
    if request.kind == .translationRequest || request.kind == .translated, Entry.dte.of(context.first) == 0 {
      throw VTdFault(VTd.Reason.deviceTLBDisabled, fpd: context.fpd)
    }
    if request.kind == .pageRequest, Entry.pre.of(context.first) == 0 {
      throw VTdFault(VTd.Reason.pageRequestDisabled, fpd: context.fpd)
    }
  }

  mutating func scalableStream<Observer: VTdObserver>(
    _ context: VTdCachedContext, _ request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdStream {
    typealias Entry = VTd.ScalableContextEntry
    try admitScalable(request, context)
    // 6 and 7: the PASID, which the directory must reach.
    let reach = UInt64(1) << (VTd.ScalableContextEntry.pdts.of(context.first) + 13)
    var pasid = request.pasid
    if request.hasPASID {
      guard UInt64(pasid) < reach else { throw VTdFault(VTd.Reason.pasidBeyondDirectory, fpd: context.fpd) }
    } else {
      pasid = UInt32(truncatingIfNeeded: Entry.ridPASID.of(context.second))
      guard UInt64(pasid) < reach else {
        throw VTdFault(VTd.Reason.ridPASIDBeyondDirectory, fpd: context.fpd)
      }
    }
    let entry = try pasidEntry(context, request.sid, pasid, &observer)
    var stream = scalableStream(entry, pasid)
    if context.fpd { stream.flags.insert(.fpd) }
    if Entry.dte.of(context.first) != 0 { stream.flags.insert(.deviceTLB) }
    if Entry.pre.of(context.first) != 0 { stream.flags.insert(.pageRequests) }
    if Entry.ridPriv.of(context.second) != 0 { stream.flags.insert(.ridPriv) }
    return stream
  }

  /// 8 to 10, out of the PASID-cache or memory.
  private mutating func pasidEntry<Observer: VTdObserver>(
    _ context: VTdCachedContext, _ sid: UInt16, _ pasid: UInt32, _ observer: inout Observer
  ) throws(VTdFault) -> VTdCachedPASIDEntry {
    let key = Self.pasidKey(sid, pasid)
    if Observer.looksIntoCaches, let cached = pasidEntries[key] {
      observer.hit()
      if cached.missing != 0 {
        if !limits.quirks.negativeCacheSticky, !Observer.isReport { pasidEntries[key] = nil }
        throw VTdFault(cached.missing, fpd: cached.fpd || context.fpd)
      }
      return cached
    }
    do throws(VTdFault) {
      let entry = try readPASIDEntry(context, pasid, &observer)
      if !Observer.isReport, caches { pasidEntries[key] = entry }
      return entry
    } catch {
      if !Observer.isReport, cachesMissing,
        error.code == VTd.Reason.pasidDirectoryNotPresent || error.code == VTd.Reason.pasidEntryNotPresent
      {
        pasidEntries[key] = VTdCachedPASIDEntry(
          first: 0, second: 0, third: 0, did: 0, missing: error.code, fpd: error.fpd)
      }
      throw error
    }
  }

  func readPASIDEntry<Observer: VTdObserver>(
    _ context: VTdCachedContext, _ pasid: UInt32, _ observer: inout Observer
  ) throws(VTdFault) -> VTdCachedPASIDEntry {
    typealias Directory = VTd.PASIDDirectoryEntry
    typealias Entry = VTd.PASIDEntry
    // 8: directory entry.
    let index = UInt64(pasid) >> Directory.tableIndexBits
    let directoryAt = context.first & VTd.ScalableContextEntry.pasiddirptr.mask &+ index * Directory.size
    observer.saw(.pasidDirectoryEntry, at: directoryAt)
    guard let directory = load(directoryAt) else {
      throw VTdFault(VTd.Reason.pasidDirectoryAccess, fpd: context.fpd)
    }
    var fpd = context.fpd || Directory.fpd.of(directory) != 0
    guard Directory.p.of(directory) != 0 else {
      throw VTdFault(VTd.Reason.pasidDirectoryNotPresent, fpd: fpd)
    }
    guard directory & (Directory.reserved.mask | limits.pointerReserved) == 0 else {
      throw VTdFault(VTd.Reason.pasidDirectoryReserved, fpd: fpd)
    }
    // 9: PASID entry.
    let slot = UInt64(pasid) & (1 << Directory.tableIndexBits - 1)
    let at = directory & Directory.table.mask | slot * Entry.size
    observer.saw(.pasidEntry, at: at)
    guard let first = load(at), let second = load(at + 8), let third = load(at + 16) else {
      throw VTdFault(VTd.Reason.pasidEntryAccess, fpd: fpd)
    }
    fpd = fpd || Entry.fpd.of(first) != 0
    guard Entry.p.of(first) != 0 else { throw VTdFault(VTd.Reason.pasidEntryNotPresent, fpd: fpd) }
    var rest: UInt64 = 0
    for word in 3..<8 as Range<UInt64> { rest |= load(at + 8 * word) ?? 0 }
    guard rest == 0, !hasReservedBits(first, second, third) else {
      throw VTdFault(VTd.Reason.pasidEntryReserved, fpd: fpd)
    }
    // 10: what it asks for must exist.
    guard isSupported(first, third) else { throw VTdFault(VTd.Reason.pasidEntryInvalid, fpd: fpd) }
    let did = UInt16(truncatingIfNeeded: Entry.did.of(second) & limits.domainMask)
    return VTdCachedPASIDEntry(first: first, second: second, third: third, did: did, fpd: fpd)
  }

  /// Bits of a PASID entry that have no meaning, or none in a unit without the feature. VT-d section 9.6.
  private func hasReservedBits(_ first: UInt64, _ second: UInt64, _ third: UInt64) -> Bool {
    typealias Entry = VTd.PASIDEntry
    if first & (Entry.reserved0.mask | Entry.reserved0High.mask) != 0 { return true }
    if second & Entry.reserved1.mask != 0 || third & Entry.reserved2.mask != 0 { return true }
    if second & Entry.pwsnp.mask != 0, !limits.has(VTd.ECap.smpwcs) { return true }
    if second & Entry.pgsnp.mask != 0, !limits.has(VTd.ECap.sc) { return true }
    if second & (Entry.cd.mask | Entry.emte.mask) != 0, !limits.has(VTd.ECap.mts) { return true }
    let type = Entry.pgtt.of(first)
    guard type == Entry.TranslationType.firstStage || type == Entry.TranslationType.nested else {
      return false
    }
    if third & Entry.sre.mask != 0, !limits.has(VTd.ECap.srs) { return true }
    if third & Entry.ere.mask != 0, !limits.has(VTd.ECap.ers) { return true }
    if third & Entry.wpe.mask != 0, !limits.has(VTd.ECap.nwfs) { return true }
    return third & Entry.eafe.mask != 0 && !limits.has(VTd.ECap.eafs)
  }

  private func isSupported(_ first: UInt64, _ third: UInt64) -> Bool {
    typealias Entry = VTd.PASIDEntry
    let aw = Entry.aw.of(first)
    let fspm = Entry.fspm.of(third)
    let firstStage = fspm == 0 || fspm == 1 && VTd.Cap.fs5lp.of(limits.cap) != 0
    let secondStage =
      limits.supports(addressWidth: aw) && (Entry.ssade.of(first) == 0 || limits.has(VTd.ECap.ssads))
    switch Entry.pgtt.of(first) {
    case Entry.TranslationType.firstStage: return limits.has(VTd.ECap.fsts) && firstStage
    case Entry.TranslationType.secondStage: return limits.has(VTd.ECap.ssts) && secondStage
    case Entry.TranslationType.nested: return limits.has(VTd.ECap.nest) && firstStage && secondStage
    case Entry.TranslationType.passThrough:
      return limits.has(VTd.ECap.pt) && limits.supports(addressWidth: aw)
    default: return false
    }
  }

  private func scalableStream(_ entry: VTdCachedPASIDEntry, _ pasid: UInt32) -> VTdStream {
    typealias Entry = VTd.PASIDEntry
    var flags: VTdStream.Flags = []
    let bits: [(UInt64, VTdStream.Flags)] = [
      (entry.first & Entry.ssade.mask, .ssade), (entry.second & Entry.pwsnp.mask, .pwsnp),
      (entry.second & Entry.pgsnp.mask, .pgsnp), (entry.third & Entry.sre.mask, .sre),
      (entry.third & Entry.ere.mask, .ere), (entry.third & Entry.wpe.mask, .wpe),
      (entry.third & Entry.nxe.mask, .nxe), (entry.third & Entry.smep.mask, .smep),
      (entry.third & Entry.eafe.mask, .eafe),
    ]
    for (bit, flag) in bits where bit != 0 { flags.insert(flag) }
    if entry.fpd { flags.insert(.fpd) }
    let aw = Entry.aw.of(entry.first)
    let translation: VTdStream.Translation =
      switch Entry.pgtt.of(entry.first) {
      case Entry.TranslationType.firstStage: .firstStage
      case Entry.TranslationType.secondStage: .secondStage
      case Entry.TranslationType.nested: .nested
      default: .passThrough
      }
    if translation == .firstStage || translation == .passThrough { flags.remove(.ssade) }
    var width = min(limits.guestAddressWidth, VTd.addressWidth(aw))
    if translation == .passThrough { width = min(width, limits.hostAddressWidth) }
    return VTdStream(
      translation: translation, secondStageLevels: UInt8(truncatingIfNeeded: VTd.levels(aw)),
      firstStageLevels: Entry.fspm.of(entry.third) == 1 ? 5 : 4, did: entry.did, pasid: pasid, flags: flags,
      secondStageRoot: entry.first & Entry.ssptptr.mask, firstStageRoot: entry.third & Entry.fsptptr.mask,
      limit: VTdLimits.last(width: width))
  }
}
