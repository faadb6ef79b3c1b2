// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension AMDVi {
  /// A transaction, as the steps of a translation ask about it.
  struct Request {
    let address: UInt64
    /// Permissions without which the access fails, as flags of `Page`; none for a translation request, which
    /// takes what there is.
    let need: UInt16
    /// The access is going to write, or wants to be allowed to: the dirty bit of a writable leaf is set.
    let writes: Bool
    /// A translation request, ATS.
    let asks: Bool
    /// A user's, as all are that do not say otherwise.
    let user: Bool
    /// Flags of events that tell what the request was.
    let flags: UInt32

    init(_ t: Transaction, _ configuration: Configuration) {
      address = t.address
      let execute = t.execute && t.access != .write
      // Publication 48882, section 2.1.5: a privilege level comes with a PASID, and counts where USSup says so.
      user = !(t.privileged && t.pasid != nil && configuration.has(AMDViFeature.userSupervisor))
      switch t.kind {
      case .translationRequest(let noWrite):
        asks = true
        writes = !noWrite
        need = 0
      case .untranslated, .translated:
        asks = false
        writes = t.writes
        need =
          (t.reads ? Page.readable : 0) | (t.writes ? Page.writable : 0) | (execute ? Page.executable : 0)
      }
      flags = (writes ? AMDViEvent.write : 0) | (asks ? AMDViEvent.translation : 0)
      self.execute = execute
    }

    private let execute: Bool
    /// Flags of events of the guest stage.
    var guestFlags: UInt32 {
      flags | AMDViEvent.gn | (execute ? AMDViEvent.nx : 0) | (user ? AMDViEvent.us : 0)
    }
  }

  /// How a translation ended.
  enum Outcome {
    case done(Translation)
    case failed(Failure)
  }

  /// A translation that failed, as the event log has it. Publication 48882, section 2.5.
  struct Failure {
    /// 0 for a target abort that is no event.
    var code: UInt32
    var flags: UInt32 = 0
    var address: UInt64
    var device: UInt16
    /// DomainID, or the PASID with GN.
    var domain: UInt64 = 0
    /// DTE.SE and DTE.SA: page faults may go unlogged.
    var suppressRepeated = false
    var suppressAll = false
    /// Interrupts: DTE.IG or IRTE.SupIOPF.
    var silent = false

    /// A page fault of memory, not of an interrupt.
    var isPageFault: Bool { code == AMDViEvent.ioPageFault && flags & AMDViEvent.interrupt == 0 }

    /// The first of two words; the second is the address.
    var word: UInt64 {
      let low = UInt64(device) | (domain >> 16 & 0xF) << 16
      let high =
        domain & 0xFFFF | UInt64(flags & 0xFFF) << UInt64(AMDViEvent.flagsShift)
        | UInt64(code) << UInt64(AMDViEvent.codeShift)
      return low | high << 32
    }
  }
}

extension AMDVi.Unit {
  /// Whether a failure becomes an event: not if the manual or a structure suppresses it.
  func records(_ failure: AMDVi.Failure) -> Bool {
    let suppressed =
      failure.code == 0 || failure.silent
      || failure.isPageFault
        && (failure.suppressAll || failure.suppressRepeated && faulted.contains(failure.device))
    return !suppressed && controls(AMDViControl.eventLogEn)
  }

  /// Writes the event of a failure to the log.
  mutating func report(_ failure: AMDVi.Failure) -> Abort {
    let recorded = records(failure)
    if recorded {
      append((failure.word, failure.address), to: .event)
      if failure.isPageFault { faulted.insert(failure.device) }
    }
    return abort(failure, recorded: recorded)
  }

  func abort(_ failure: AMDVi.Failure, recorded: Bool) -> Abort {
    Abort(
      code: failure.code, name: AMDViEvent.name(failure.code), recorded: recorded,
      completion: failure.code == AMDViEvent.invalidDeviceRequest ? .unsupportedRequest : .completerAbort)
  }
}
