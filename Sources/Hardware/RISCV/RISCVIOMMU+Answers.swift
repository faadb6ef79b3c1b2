// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What a device hears of the process: the last paragraphs of section 3.3, and 3.6 for translation requests.
//
// A translation with an `interrupt` is to a memory-resident interrupt file: its address is the file's, the interrupt
// is the notice to send after storing there, as `writeMessage` does. A read there gives zeros.

extension RISCVIOMMU {
  @inline(__always)
  public func translate(_ transaction: Transaction) -> TranslationAnswer {
    if let hit = core.quickly(transaction) { return .translated(hit) }
    return translateSlowly(transaction)
  }

  @inline(never)
  private func translateSlowly(_ transaction: Transaction) -> TranslationAnswer {
    var nobody = RISCVLiveWalk()
    let answer = answer(transaction, &nobody)
    signalOverflow()
    return answer
  }

  public func walk(_ transaction: Transaction) -> WalkReport {
    var recorder = RISCVStepRecorder()
    let answer = answer(transaction, &recorder)
    return WalkReport(steps: recorder.steps, answer: answer)
  }

  @inline(__always)
  func answer<Trace: RISCVWalkTrace>(
    _ transaction: Transaction, _ trace: inout Trace
  ) -> TranslationAnswer {
    var dtf = false
    do throws(RISCVFault) {
      let found = try core.resolve(transaction, dtf: &dtf, &trace)
      if case .translationRequest = transaction.kind {
        return .translated(grant(found, to: transaction))
      }
      return .translated(
        Translation(
          address: found.address, sizeLg2: found.sizeLg2,
          flags: Core.PTEBits.answer(found.bits).union(found.fromCache ? .fromCache : []),
          interrupt: found.notice))
    } catch {
      return refuse(transaction, error, dtf: dtf, live: Trace.isLive)
    }
  }

  /// A translation completion, section 3.6: the permissions of the page tables, W only where D is set, X only
  /// where it was asked for and R is granted. W is told to a request with No Write as well. Where the page is an
  /// MRIF, `interrupt` stands for the completion's U bit: only untranslated requests may go there.
  private func grant(_ found: Core.Found, to transaction: Transaction) -> Translation {
    let readable = found.bits & Core.PTEBits.r != 0
    return Translation(
      address: found.address, sizeLg2: found.sizeLg2, readable: readable,
      writable: found.bits & Core.PTEBits.w != 0 && found.bits & Core.PTEBits.d != 0,
      executable: transaction.execute && readable && found.bits & Core.PTEBits.x != 0,
      global: transaction.pasid != nil && found.notice == nil && found.bits & Core.PTEBits.g != 0,
      fromCache: found.fromCache, interrupt: found.notice)
  }

  @inline(never)
  private func refuse(
    _ transaction: Transaction, _ fault: RISCVFault, dtf: Bool, live: Bool
  ) -> TranslationAnswer {
    typealias Cause = RISCV.Cause
    var completion = Abort.Completion.unsupportedRequest
    if case .translationRequest = transaction.kind {
      switch fault.cause {
      case 12, 13, 15, 20, 21, 23, Cause.pdtNotValid, Cause.msiPTENotValid:
        // Success, without permissions and without a record.
        return .translated(
          Translation(address: 0, sizeLg2: 12, readable: false, writable: false, executable: false))
      case Cause.allInboundDisallowed...Cause.transactionDisallowed: break
      default: completion = .completerAbort
      }
    }
    let origin = RISCVFaultOrigin(transaction, dtf: dtf)
    if live {
      // Walks for a process directory that led nowhere.
      core.countWalks(transaction, RISCVAddressSpaceTag(gscid: nil, pscid: nil))
      report(fault, origin)
    }
    return .aborted(
      Abort(
        code: fault.cause, name: Self.name(of: fault.cause), recorded: isReported(fault.cause, origin),
        completion: completion))
  }

  /// The specification's words for a cause.
  public static func name(of cause: UInt32) -> String {
    RISCV.Cause.all.first { $0.code == cause }?.name ?? "Reserved"
  }
}
