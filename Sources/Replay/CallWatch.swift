// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// Follows one input at the waist: counts its calls, remembers the last, and after each asks whether it may go on.
///
/// It may not when the machine broke a rule, when two targets disagreed, or when the input has made all calls that it may
/// make. Front ends ask before each of their steps; what they call all the same, but for `close`, is answered with EINTR and
/// reaches nothing.
final class CallWatch {
  /// Why an input ended early.
  enum Stop {
    case violation([Violation])
    case divergence(Divergence)
    case limit(Int)
  }

  /// When to look for broken rules.
  enum Checks: Sendable {
    case never
    /// While everything still stands, before a file is closed, and at the end: once or twice an input.
    case beforeItGoes
    case afterEveryCall
  }

  /// There was a machine to play on.
  var hasMachine = false
  /// The target, if it is several that must answer alike.
  var comparing: (any ComparingTarget)?
  private(set) var calls = 0
  private(set) var last = CallName.none
  private(set) var stop: Stop? { didSet { if stop != nil { onStop() } } }
  var onStop: () -> Void = {}
  /// Hears every call, too.
  var observer: (any PlayObserver)?

  private let limit: Int
  private let checks: Checks
  /// The last look for broken rules is older than the last call.
  private var isUnchecked = false
  /// Where the last call is written down for whoever finds this process dead.
  private let mark: UnsafeMutablePointer<UInt64>?

  init(limit: Int, checks: Checks, mark: UnsafeMutablePointer<UInt64>?) {
    self.limit = limit
    self.checks = checks
    self.mark = mark
  }

  /// - Throws: EINTR when nothing more may be called.
  func begin(_ call: CallName) throws(Errno) {
    guard stop == nil else { throw .EINTR("the input is over") }
    guard calls < limit else {
      stop = .limit(limit)
      throw .EINTR("the input has made all the calls that it may make", UInt64(limit))
    }
    note(call)
  }

  private func note(_ call: CallName) {
    calls += 1
    last = call
    isUnchecked = true
    mark?.pointee = call.raw
  }

  /// A file is about to be closed, which is never refused. Of several closes in a row only the first is looked before:
  /// the others take away what it has seen, and the look at the end of the input sees what they leave.
  func beginClose(_ rig: Rig) {
    if checks == .beforeItGoes, last != .close { check(rig) }
    if stop == nil { note(.close) }
  }

  func end(_ rig: Rig) {
    guard stop == nil else { return }
    if let divergence = comparing?.divergence { stop = .divergence(divergence) }
    if checks == .afterEveryCall { check(rig) }
  }

  /// Looks whether or not anything was called.
  func checkAgain(_ rig: Rig) {
    isUnchecked = true
    check(rig)
  }

  /// A rule that others look after is broken.
  func find(_ violation: Violation) { if stop == nil { stop = .violation([violation]) } }

  /// Looks for broken rules now, if there can be new ones.
  func check(_ rig: Rig) {
    guard checks != .never, isUnchecked, stop == nil, let bench = rig.bench else { return }
    isUnchecked = false
    var violations = bench.violations()
    if violations.isEmpty { violations = bench.staleTranslations() }
    if !violations.isEmpty { stop = .violation(violations) }
  }
}
