// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// PCI Express Address Translation Services. IHI 0070, 3.9.1 and 13.7.
//
// A translation request is answered, never stalled: what cannot be translated is a success without
// permissions, a broken configuration a completer abort, a stream that may not ask an unsupported request.
//
// EATS is 0 off, 1 full, 2 split: the device gets intermediate addresses, and what it sends as Translated
// goes through stage 2.

extension SMMUv3 {
  func answerRequest<O: Observer>(
    _ transaction: Transaction, noWrite: Bool, _ observer: inout O
  ) -> TranslationAnswer {
    let refused = Fault(SMMU.Event.badATSRequest)
    // 0. Disabled.
    guard isEnabled(SMMU.CR0.smmuEnable) else {
      return refuse(refused, transaction, nil, &observer)
    }
    var context = Context()
    do throws(Fault) {
      let ste = try stream(transaction.source, &observer)
      // 4. An STE that aborts.
      guard !ste.aborts else {
        return .aborted(Abort(code: 0, name: "abort", recorded: false, completion: .unsupportedRequest))
      }
      context = Context(ste, key: .max, capabilities)
      // 6. The stream may ask.
      guard context.eats != 0 else { return refuse(refused, transaction, &context, &observer) }
      try resolve(transaction, ste, &context, &observer)
      let want = Want(transaction, &context)
      let address = context.canonical(transaction.address)
      // A request that may write marks the page dirty, if only that is missing for it.
      let write = Want(
        reads: false, writes: !noWrite, execute: false, privileged: want.privileged)
      let split = UInt64(context.eats) == SMMU.STE.eatsSplit
      var entry = try requested(address, split, 0, &context, &observer)
      let clean = Allow.stage1Clean | Allow.stage2Clean
      if !noWrite, entry.allow & clean != 0,
        split || entry.allow & (Allow.stage2Write | Allow.stage2Clean) != 0,
        let dirty = try? requested(address, split, write.need, &context, &observer)
      {
        entry = dirty
      }
      if split { entry.allow |= Allow.stage2 }
      var translation = answer(entry, address, privileged: want.privileged, fromCache: false)
      if noWrite { translation.flags.remove(.writable) }
      if !transaction.execute { translation.flags.remove(.executable) }
      return .translated(translation)
    } catch {
      // 16. A page that is not there is an answer, too.
      guard !error.isTranslationFault else {
        return .translated(
          Translation(
            address: transaction.address & ~0xFFF, sizeLg2: 12, readable: false, writable: false,
            executable: false))
      }
      let records =
        cr2 & SMMU.CR2.recordATSConfiguration != 0 && error.event != SMMU.Event.walkExternalAbort
        && (error.event != SMMU.Event.badStreamID || cr2 & SMMU.CR2.recordInvalidSID != 0)
      if records, O.live {
        post(record(error, transaction, Want(transaction, &context)), stalls: false, merges: context.merges)
      }
      return abort(error, recorded: records)
    }
  }

  private func requested<O: Observer>(
    _ address: UInt64, _ split: Bool, _ need: UInt16, _ context: inout Context, _ observer: inout O
  ) throws(Fault) -> Entry {
    // Split: the result of stage 1 is the answer, and not what the TLB holds for untranslated accesses.
    if split, context.stage1 {
      return try walkStage1(address, &context, need & Allow.stage1, &observer)
    }
    if split {
      guard isInRange(address) else { throw Fault(SMMU.Event.addressSize) }
      return Entry(
        output: address & ~0xFFF, sizeLg2: 12, reachLg2: 12, level: 3, granuleLg2: 12,
        allow: Allow.stage1 | Allow.stage2)
    }
    let cached = O.consults ? lookup(address, &context) : nil
    if cached != nil { observer.found() }
    return try translation(address, need, &context, cached, &observer)
  }

  /// F_BAD_ATS_TREQ: recorded, while there is a queue, and an unsupported request for the device.
  private func refuse<O: Observer>(
    _ fault: Fault, _ transaction: Transaction, _ context: UnsafePointer<Context>?, _ observer: inout O
  ) -> TranslationAnswer {
    if O.live {
      let want = Want(
        reads: transaction.reads, writes: transaction.writes, execute: transaction.execute,
        privileged: transaction.privileged)
      post(record(fault, transaction, want), stalls: false, merges: context?.pointee.merges ?? false)
    }
    return abort(fault, recorded: true, .unsupportedRequest)
  }

  /// 5. A Translated transaction. Without ATSCHK it passes without a look at the stream table, the fast mode
  /// of 6.3.9; with it the STE must have let the device ask.
  func passTranslated<O: Observer>(
    _ transaction: Transaction, _ observer: inout O
  ) -> TranslationAnswer {
    let forbidden = Fault(SMMU.Event.translationForbidden)
    guard isEnabled(SMMU.CR0.smmuEnable) else { return conclude(forbidden, transaction, nil, &observer) }
    guard isEnabled(SMMU.CR0.atsCheck) else { return .translated(identity(transaction.address)) }
    var context = Context()
    do throws(Fault) {
      let ste = try stream(transaction.source, &observer)
      if ste.aborts { throw .silent }
      context = Context(ste, key: .max, capabilities)
      switch UInt64(context.eats) {
      case SMMU.STE.eatsFull: return .translated(identity(transaction.address))
      case SMMU.STE.eatsSplit:
        guard isInRange(transaction.address) else { throw Fault(SMMU.Event.addressSize) }
        let want = Want(transaction, &context)
        let entry = try translateIntermediate(
          transaction.address, &context, want.need, SMMU.Event.classInput, &observer)
        return .translated(answer(entry, transaction.address, privileged: want.privileged, fromCache: false))
      default: throw forbidden
      }
    } catch {
      return conclude(error, transaction, &context, &observer)
    }
  }
}
