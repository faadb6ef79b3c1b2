// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The translation procedure. IHI 0070, 3.3.3 and 15; the numbers are its steps as
//
//     0 SMMUEN · 1-3 STE · 4 abort · 5 Translated · 6 ATS
//     7-12 context · 13-14 stage 1 · 15 stage 2 · 16 answer

extension SMMUv3 {
  @inline(__always)
  public func translate(_ transaction: Transaction) -> TranslationAnswer {
    // What a TLB hit needs; contexts are there only while SMMUEN is set.
    let key = Context.key(transaction.source, transaction.pasid)
    let context = UnsafePointer(contexts.slot(key))
    guard context.pointee.key == key, context.pointee.plain, case .untranslated = transaction.kind,
      !(atomicsFault && transaction.access == .atomic)
    else { return fromTheStart(transaction) }
    // Reads, writes and both are 1, 2 and 3; a fetch is a read that needs 4.
    let bits = UInt64(transaction.access.rawValue) &+ 1
    let need = transaction.execute && bits == 1 ? 4 : bits
    guard let found = lookup(transaction.address, context) else {
      return missed(transaction, context, need)
    }
    if need & ~found.grants(privileged: transaction.privileged) == 0 {
      return .translated(
        answer(found, transaction.address, privileged: transaction.privileged, fromCache: true))
    }
    return continued(transaction, context)
  }

  /// The TLB has nothing.
  @inline(never)
  private func missed(
    _ transaction: Transaction, _ context: UnsafePointer<Context>, _ need: UInt64
  ) -> TranslationAnswer {
    if walksQuickly, context.pointee.quick, let found = walkQuickly(transaction.address, context),
      need & ~found.grants(privileged: transaction.privileged) == 0
    {
      return .translated(
        answer(found, transaction.address, privileged: transaction.privileged, fromCache: false))
    }
    return continued(transaction, context)
  }

  @inline(never)
  private func fromTheStart(_ transaction: Transaction) -> TranslationAnswer {
    var nobody = Unobserved()
    return procedure(transaction, &nobody)
  }

  /// All steps from the eighth, with what the TLB has: what allows too little, or nothing.
  @inline(never)
  private func continued(_ transaction: Transaction, _ context: UnsafePointer<Context>) -> TranslationAnswer {
    var nobody = Unobserved()
    return translate(
      transaction, transaction.address, Want(transaction, context), context,
      lookup(transaction.address, context), &nobody)
  }

  @inline(__always)
  func lookup(_ address: UInt64, _ context: UnsafePointer<Context>) -> Entry? {
    let tag = context.pointee.tag
    if let entry = tlb.pointee.find(address, tag, salt: tag) { return entry }
    guard holdsGlobals, context.pointee.stage1 else { return nil }
    let shared = context.pointee.globalTag
    return tlb.pointee.find(address, shared, salt: shared)
  }

  /// All steps from the first.
  func procedure<O: Observer>(_ transaction: Transaction, _ observer: inout O) -> TranslationAnswer {
    guard !hasFailed else { return conclude(.silent, transaction, nil, &observer) }
    switch transaction.kind {
    case .untranslated: break
    case .translationRequest(let noWrite): return answerRequest(transaction, noWrite: noWrite, &observer)
    case .translated: return passTranslated(transaction, &observer)
    }
    // 0. Disabled: GBPA decides, and nothing is recorded.
    guard isEnabled(SMMU.CR0.smmuEnable) else {
      guard gbpa & SMMU.GBPA.abort == 0, isInRange(transaction.address) else {
        return conclude(.silent, transaction, nil, &observer)
      }
      return .translated(identity(transaction.address))
    }
    var context = Context()
    do throws(Fault) {
      if atomicsFault, transaction.access == .atomic { throw Fault(SMMU.Event.unsupportedTransaction) }
      let key = Context.key(transaction.source, transaction.pasid)
      if O.live, contexts.slot(key).pointee.key == key {
        context = contexts.slot(key).pointee
      } else {
        let ste = try stream(transaction.source, &observer)
        // 4. An STE that aborts.
        if ste.aborts { throw .silent }
        try resolve(transaction, ste, &context, &observer)
        if O.live { contexts.store(context) }
      }
    } catch {
      return conclude(error, transaction, &context, &observer)
    }
    let want = Want(transaction, &context)
    let address = context.canonical(transaction.address)
    if O.consults, context.stage1 || context.stage2 {
      let cached = lookup(address, &context)
      if cached != nil { observer.found() }
      if let cached, want.need & ~cached.allow == 0 {
        return .translated(answer(cached, address, privileged: want.privileged, fromCache: true))
      }
      guard O.live else { return translate(transaction, address, want, &context, cached, &observer) }
      return translate(transaction, address, want, contexts.slot(context.key), cached, &observer)
    }
    return translate(transaction, address, want, &context, nil, &observer)
  }

  /// From step 8, with a context.
  private func translate<O: Observer>(
    _ transaction: Transaction, _ address: UInt64, _ want: Want, _ context: UnsafePointer<Context>,
    _ cached: Entry?, _ observer: inout O
  ) -> TranslationAnswer {
    do throws(Fault) {
      let entry = try translation(address, want.need, context, cached, &observer)
      return .translated(answer(entry, address, privileged: want.privileged, fromCache: false))
    } catch {
      return conclude(error, transaction, context, &observer)
    }
  }

  /// The translation of a canonical address, with everything that `need` asks for: what the TLB had, or the
  /// walk that fills it.
  func translation<O: Observer>(
    _ address: UInt64, _ need: UInt16, _ context: UnsafePointer<Context>, _ cached: Entry?,
    _ observer: inout O
  ) throws(Fault) -> Entry {
    guard context.pointee.stage1 else {
      // 8. Stage 1 off: the input is an intermediate or a physical address.
      guard isInRange(address) else { throw Fault(SMMU.Event.addressSize) }
      guard context.pointee.stage2 else {
        return Entry(
          output: address & ~0xFFF, sizeLg2: 12, reachLg2: 12, level: 3, granuleLg2: 12,
          allow: Allow.stage1 | Allow.stage2)
      }
      // 15. Stage 2 only.
      return try translateIntermediate(address, context, need, SMMU.Event.classInput, cached, &observer)
    }
    let high = address & (1 << 55) != 0
    if high ? context.pointee.high.privilegedOnly : context.pointee.low.privilegedOnly,
      need & (7 << Allow.unprivilegedShift) != 0
    {
      throw Fault(SMMU.Event.translation)
    }
    if let cached {
      let missing = need & ~cached.allow
      if missing == 0 { return cached }
      // A write to a clean page must mark it in the table; anything else is decided by the TLB.
      if missing & Allow.stage1 != 0 {
        guard cached.allow & Allow.stage1Clean != 0, missing & Allow.stage1 & ~Allow.stage1Writes == 0 else {
          throw Fault(SMMU.Event.permission)
        }
      } else if missing != Allow.stage2Write || cached.allow & Allow.stage2Clean == 0 {
        let intermediate = cached.intermediate | (address & ((1 &<< cached.sizeLg2) &- 1))
        throw Fault(SMMU.Event.permission, stage2: true, intermediate)
      }
    }
    // 13. and 14. Stage 1.
    var entry = try walkStage1(address, context, need, &observer)
    let denied = need & Allow.stage1 & ~entry.allow != 0
    if context.pointee.stage2 {
      if denied { throw Fault(SMMU.Event.permission) }
      // 15. Stage 2 of the result, and 16. both together.
      let intermediate = entry.address(address)
      let second = try translateIntermediate(
        intermediate, context, need, SMMU.Event.classInput, &observer)
      entry = join(entry, second, intermediate)
    }
    if O.live {
      let isGlobal = entry.allow & Allow.global != 0
      try fill(entry, address, isGlobal ? context.pointee.globalTag : context.pointee.tag)
    }
    // A page without permission was valid, so the TLB may have it.
    if denied { throw Fault(SMMU.Event.permission) }
    return entry
  }

  /// Both stages as one: the smaller page, and what both allow.
  private func join(_ first: Entry, _ second: Entry, _ intermediate: UInt64) -> Entry {
    let size = min(first.sizeLg2, second.sizeLg2)
    let offset: UInt64 = (1 &<< size) &- 1
    return Entry(
      output: second.address(intermediate) & ~offset, intermediate: intermediate & ~offset, sizeLg2: size,
      reachLg2: first.reachLg2, level: first.level, granuleLg2: first.granuleLg2,
      allow: first.allow & (Allow.stage1 | Allow.global | Allow.stage1Clean)
        | second.allow & (Allow.stage2 | Allow.stage2Clean | Allow.device))
  }

  // MARK: Answers

  func isInRange(_ address: UInt64) -> Bool { address >> UInt64(capabilities.addressBits) == 0 }

  func identity(_ address: UInt64) -> Translation { Translation(address: address, sizeLg2: 12) }

  /// What the device gets to know of a translation: permissions for the privilege it asked with.
  @inline(__always)
  func answer(_ entry: Entry, _ address: UInt64, privileged: Bool, fromCache: Bool) -> Translation {
    Translation(
      address: entry.address(address), sizeLg2: UInt8(truncatingIfNeeded: entry.sizeLg2),
      flags: entry.answer(privileged: privileged, fromCache: fromCache))
  }
}
