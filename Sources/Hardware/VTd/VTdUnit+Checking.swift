// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What a checker of drivers asks: which addresses the caches answer for, what they answer, and which copies of
// structures are no longer what memory holds. Nothing here has an effect.

/// The observer of a translation that looks into caches and leaves them as they are.
private struct VTdPeek: VTdObserver {
  static var isReport: Bool { true }
  static var looksIntoCaches: Bool { true }
  var hits = 0
  mutating func saw(_ structure: VTdStructure, at address: UInt64) {}
  mutating func hit() { hits += 1 }
}

extension VTdUnit {
  /// A first-stage entry is tagged with the PASID that its request had, or with RID_PASID for a request without.
  public var cachedAddresses: [CachedAddress] {
    let requesterPASIDs = Set(
      translator.contexts.values.map {
        UInt64(VTd.ScalableContextEntry.ridPASID.of($0.second))
      })
    return translator.iotlb.entries.flatMap { address, tag, _ -> [CachedAddress] in
      let pasid = tag & 0xFFFF_FFFF
      guard pasid != 0xFFFF_FFFF else { return [CachedAddress(address)] }
      let tagged = CachedAddress(address, pasid: UInt32(truncatingIfNeeded: pasid))
      return requesterPASIDs.contains(pasid) ? [CachedAddress(address), tagged] : [tagged]
    }
  }

  public func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? {
    let request = VTdRequest(transaction)
    if request.kind == .untranslated, !request.hasPASID, transaction.access == .write,
      isVTdInterruptRange(transaction.address)
    {
      return cachedInterrupt(request, transaction.data)
    }
    guard isTranslating else { return nil }
    var scratch = translator
    var peek = VTdPeek()
    let answer: TranslationAnswer
    do throws(VTdFault) {
      answer = .translated(Self.translation(try scratch.translate(request, &peek)))
    } catch {
      answer = self.answer(error, request, records: false)
    }
    return peek.hits > 0 ? answer : nil
  }

  private func cachedInterrupt(_ request: VTdRequest, _ data: UInt32) -> TranslationAnswer? {
    guard registers.read32(VTd.Register.gsts) & VTd.GlobalCommand.ire != 0,
      VTd.InterruptRequest.format.of(request.address) != 0,
      let index = try? interruptIndex(request.address, data),
      let entry = interruptEntries[UInt16(truncatingIfNeeded: index)]
    else { return nil }
    do throws(VTdFault) {
      try verify(request.sid, entry)
    } catch {
      return answer(error, request, records: false)
    }
    let extended = VTd.InterruptTableAddress.eime.of(interruptTable) != 0
    return Self.message(entry, extended: extended, at: request.address)
  }

  public var staleStructures: [String] {
    staleContexts + stalePASIDEntries + staleInterruptEntries
  }

  private static func name(_ sid: UInt16) -> String {
    let text = String(sid, radix: 16)
    return "requester " + String(repeating: "0", count: 4 - text.utf8.count) + text
  }

  private func plainRequest(_ sid: UInt16) -> VTdRequest {
    VTdRequest(Transaction(source: UInt32(sid), address: 0))
  }

  private var staleContexts: [String] {
    var scratch = translator
    return translator.contexts.sorted { $0.key < $1.key }.compactMap { sid, cached in
      var report = VTdReport()
      var (first, second, missing) = (UInt64(0), UInt64(0), UInt8(0))
      do throws(VTdFault) {
        let fresh = try scratch.context(for: plainRequest(sid), &report)
        (first, second) = (fresh.first, fresh.second)
      } catch { missing = error.code }
      guard (first, second, missing) != (cached.first, cached.second, cached.missing) else { return nil }
      return "the context-cache has a context entry of \(Self.name(sid)) that memory no longer holds"
    }
  }

  private var stalePASIDEntries: [String] {
    var scratch = translator
    return translator.pasidEntries.sorted { $0.key < $1.key }.compactMap { key, cached in
      let sid = UInt16(truncatingIfNeeded: key >> 20)
      let pasid = UInt32(truncatingIfNeeded: key & 0xF_FFFF)
      var report = VTdReport()
      var words: [UInt64] = [0, 0, 0]
      var missing: UInt8 = 0
      do throws(VTdFault) {
        let context = try scratch.context(for: plainRequest(sid), &report)
        let fresh = try scratch.readPASIDEntry(context, pasid, &report)
        words = [fresh.first, fresh.second, fresh.third]
      } catch { missing = error.code }
      // With CM=1 absence is cached too, under domain 0, and a driver that takes the table away leaves it: a device
      // finds nothing either way. It is stale once there is something to find.
      if cached.missing != 0, missing != 0 { return nil }
      guard words != [cached.first, cached.second, cached.third] || missing != cached.missing else {
        return nil
      }
      return
        "the PASID-cache has an entry of \(Self.name(sid)) for PASID \(pasid) that memory no longer holds"
    }
  }

  private var staleInterruptEntries: [String] {
    let base = interruptTable & VTd.InterruptTableAddress.base.mask
    return interruptEntries.sorted { $0.key < $1.key }.compactMap { index, cached in
      let at = base &+ UInt64(index) * VTd.InterruptEntry.size
      guard load(at) != cached.first || load(at &+ 8) != cached.second else { return nil }
      return "the interrupt entry cache has entry \(index), which memory no longer holds"
    }
  }
}
