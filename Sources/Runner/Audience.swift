// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// Everyone who hears of a run, and the sums. Events reach it one at a time, in their final order.
final class Audience: @unchecked Sendable {
  private let sinks: [any RunEventSink]
  private let failFast: Bool
  private let mayGoOn: () -> Bool
  private var totals = RunTotals()
  /// Why scripts further on are not run.
  private var stopReason: String?
  /// The script that events come from is one of them.
  private var isMuted = false
  private let stopped = Atomic<Bool>(false)

  init(_ sinks: [any RunEventSink], failFast: Bool, mayGoOn: @escaping () -> Bool) {
    self.sinks = sinks
    self.failFast = failFast
    self.mayGoOn = mayGoOn
  }

  /// There is no use in running a script that has not begun. Asked from any thread.
  var isStopped: Bool { stopped.load(ordering: .relaxed) }

  func hear(_ event: RunEvent) {
    if case .scriptBegan(let path) = event {
      isMuted = stopReason != nil
      tell(event)
      if let stopReason { count(RunCase(script: path, .notRun(stopReason))) }
      return
    }
    guard !isMuted else { return }
    if case .updated(let outcome) = event {
      // Nobody passes by having been written anew.
      if outcome.written != nil { totals.raise(.failed) }
      if outcome.failure != nil { totals.raise(.usage) }
    }
    guard case .caseEnded(let result) = event else {
      tell(event)
      return
    }
    count(result)
    if failFast && !result.verdict.isGood { stop("an earlier one failed") }
    if !mayGoOn() { stop("the output cannot be written") }
  }

  func tell(_ event: RunEvent) {
    for sink in sinks { sink.receive(event) }
  }

  private func count(_ result: RunCase) {
    totals.add(result)
    tell(.caseEnded(result))
  }

  private func stop(_ reason: String) {
    if stopReason == nil { stopReason = reason }
    stopped.store(true, ordering: .relaxed)
  }

  /// The run is over.
  func finish() -> RunTotals {
    if totals.cases == 0 { totals.raise(.nothingRan) }
    if Interrupts.isRaised { totals.raise(.interrupted) }
    tell(.ended(totals))
    return totals
  }
}
