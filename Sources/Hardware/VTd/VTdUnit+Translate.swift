// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Requests of devices. VT-d chapters 3, 4 and 7.

extension VTdUnit {
  /// Inlined into the protocol's entry point, as in the other halves: one call less is a nanosecond of nine.
  @inline(__always)
  public func translate(_ transaction: Transaction) -> TranslationAnswer {
    if let leaf = translator.quick(transaction) { return .translated(Self.translation(leaf)) }
    return translate(transaction, data: transaction.data)
  }

  /// Translates a write of which the data is known: an interrupt request needs it, where its handle has a
  /// subhandle or it is not remapped.
  @inline(never)
  public func translate(_ transaction: Transaction, data: UInt32) -> TranslationAnswer {
    let request = VTdRequest(transaction)
    // The interrupt range is no memory, whether translation is on or not. VT-d section 3.14.
    if request.kind == .untranslated, !request.hasPASID, transaction.access == .write,
      isVTdInterruptRange(transaction.address)
    {
      return interruptRequest(request, data: data)
    }
    guard isTranslating else { return untranslated(request) }
    let outcome: Result<VTdLeaf, VTdFault>
    do throws(VTdFault) {
      var observer = VTdNoReport()
      outcome = .success(try translator.translate(request, &observer))
    } catch {
      outcome = .failure(error)
    }
    switch outcome {
    case .success(let leaf):
      if isProtected(leaf.address) { return Self.protectedMemory }
      return .translated(Self.translation(leaf))
    case .failure(let fault):
      return answer(fault, request, records: true)
    }
  }

  @inline(__always)
  static func translation(_ leaf: VTdLeaf) -> Translation {
    Translation(address: leaf.address, sizeLg2: leaf.sizeLg2, flags: leaf.flags.answer)
  }

  /// TES = 0: addresses are physical. A device that uses PASIDs or ATS then is not understood.
  func untranslated(_ request: VTdRequest) -> TranslationAnswer {
    let name: String
    if request.kind != .untranslated {
      name = "ATS request while translation is off"
    } else if request.hasPASID {
      name = "request with PASID while translation is off"
    } else if isProtected(request.address) {
      return Self.protectedMemory
    } else {
      return .translated(Translation(address: request.address, sizeLg2: 12))
    }
    return .aborted(Abort(code: 0, name: name, recorded: false))
  }

  /// What the requester is told about a fault, which is recorded if it is to be. VT-d section 7.1.3.
  func answer(_ fault: VTdFault, _ request: VTdRequest, records: Bool) -> TranslationAnswer {
    guard fault != .silent, let reason = VTd.faultReason(fault.code) else {
      return .aborted(Abort(code: 0, name: "DMA requests are aborted", recorded: false))
    }
    let asks = request.kind == .translationRequest
    if asks, reason.atsAnswer == .noPermission {
      if records, configuration.quirks.recordsTranslationRequestFaults { _ = record(fault, request) }
      return .translated(
        Translation(
          address: request.address, sizeLg2: 12, readable: false, writable: false, executable: false))
    }
    let recorded = records ? record(fault, request) : !(fault.fpd && reason.qualified)
    return .aborted(
      Abort(
        code: UInt32(fault.code), name: reason.name, recorded: recorded,
        completion: asks && reason.atsAnswer == .completerAbort ? .completerAbort : .unsupportedRequest))
  }

  // MARK: Protected memory regions

  /// PMEN.EPM: VT-d section 11.4.8. Neither translated nor untranslated requests reach the regions.
  var isProtecting: Bool { registers.read32(VTd.Register.pmen) & VTd.ProtectedMemory.epm != 0 }

  private static var protectedMemory: TranslationAnswer {
    .aborted(Abort(code: 0, name: "protected memory region", recorded: false))
  }

  private func isProtected(_ address: UInt64) -> Bool {
    guard isProtecting else { return false }
    typealias R = VTd.Register
    // The low bits of a limit, which cannot be written, count as ones.
    let holds = { (base: UInt64, limit: UInt64) in
      base <= limit && base <= address && address <= limit | 0x1F_FFFF
    }
    let cap = configuration.cap
    return VTd.Cap.plmr.of(cap) != 0 && holds(registers.read32(R.plmbase), registers.read32(R.plmlimit))
      || VTd.Cap.phmr.of(cap) != 0 && holds(registers.read64(R.phmbase), registers.read64(R.phmlimit))
  }
}
