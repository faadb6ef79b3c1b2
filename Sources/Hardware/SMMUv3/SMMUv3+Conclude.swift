// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// A transaction that waits for RESUME. IHI 0070, 3.12.2.
  struct StalledTransaction: Sendable {
    var source: UInt32
    /// How RESUME(terminate) ends it, CD.A.
    var aborts: Bool
  }

  /// Ends, or stalls, an ordinary transaction that met a fault, and records it. IHI 0070, 3.12.
  func conclude<O: Observer>(
    _ fault: Fault, _ transaction: Transaction, _ context: UnsafePointer<Context>?, _ observer: inout O
  ) -> TranslationAnswer {
    guard fault.event != 0 else {
      return .aborted(Abort(code: 0, name: "abort", recorded: false, completion: .completerAbort))
    }
    var records = fault.event != SMMU.Event.badStreamID || cr2 & SMMU.CR2.recordInvalidSID != 0
    var stalls = false
    var aborts = true
    if fault.isTranslationFault, let context {
      if fault.stage2 {
        records = context.pointee.records2
        stalls = context.pointee.stalls2
      } else if context.pointee.stage1 {
        records = context.pointee.records1
        stalls = context.pointee.stalls1
        aborts = context.pointee.aborts1
      }
    }
    guard isEnabled(SMMU.CR0.smmuEnable) || fault.event == SMMU.Event.translationForbidden else {
      return abort(fault, recorded: false)
    }
    let want =
      context.map { Want(transaction, $0) }
      ?? Want(
        reads: transaction.reads, writes: transaction.writes,
        execute: transaction.execute && !transaction.writes, privileged: transaction.privileged)
    if O.live {
      var record = record(fault, transaction, want)
      if stalls, case .untranslated = transaction.kind, let tag = takeStallTag() {
        stalled[tag] = StalledTransaction(source: transaction.source, aborts: aborts)
        record.word1[SMMU.Event.stag] = UInt64(tag)
        record.word1[SMMU.Event.stall] = 1
        post(record, stalls: true, merges: false)
        return .stalled(tag: UInt32(tag))
      }
      if records || stalls { post(record, stalls: false, merges: context?.pointee.merges ?? false) }
    }
    // CD.A = 0: reads give zeros, writes are ignored.
    return abort(fault, recorded: records || stalls, aborts ? .completerAbort : .zeros)
  }

  func abort(_ fault: Fault, recorded: Bool, _ completion: Abort.Completion = .completerAbort)
    -> TranslationAnswer
  {
    .aborted(
      Abort(
        code: UInt32(fault.event), name: Fault.name(fault.event), recorded: recorded,
        completion: completion))
  }

  // MARK: Stalls

  /// A free STAG; nil when as many transactions are stalled as IDR5.STALL_MAX says. One more is then ended as
  /// if stalling were off: the system promised that it does not come.
  private func takeStallTag() -> UInt16? {
    guard stalled.count < max(1, capabilities.stallMax) else { return nil }
    while stalled[nextStallTag] != nil { nextStallTag &+= 1 }
    defer { nextStallTag &+= 1 }
    return nextStallTag
  }

  /// CMD_RESUME: a tag that does not fit the stream does nothing. IHI 0070, 4.6.1.
  func resume(_ source: UInt32, _ tag: UInt16, _ response: UInt64) {
    guard let transaction = stalled[tag], transaction.source == source else {
      mistakes.note("CMD_RESUME named no stalled transaction")
      return
    }
    stalled[tag] = nil
    fabric?.resume(tag: UInt32(tag), retry: response == SMMU.Command.retry)
  }

  /// CMD_STALL_TERM: everything of a stream ends. IHI 0070, 4.6.2.
  func terminateStalls(_ source: UInt32) {
    for tag in stalled.filter({ $0.value.source == source }).keys.sorted() {
      guard stalled.removeValue(forKey: tag) != nil else { continue }
      fabric?.resume(tag: UInt32(tag), retry: false)
    }
  }
}
