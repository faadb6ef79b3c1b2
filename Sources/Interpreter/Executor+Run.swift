// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

extension Executor {
  /// `run a until pages.pinned`: gives a thread the turn until it comes there.
  func execute(_ run: RunNode, _ node: Node) {
    guard let bench else { return endCase(node, needing: "run") }
    guard stage.declared.contains(ObjectIdentifier(run.thread)) else {
      return skip(node, withoutThread: run.thread)
    }
    let policy: UntilPoint
    do throws(Stop) {
      policy = UntilPoint(
        try point(run.point, bench),
        times: try run.times.map { code throws(Stop) in try number(code, node.place) } ?? 1)
    } catch {
      stop(error, node)
      return
    }
    guard let thread = begin(run.thread, at: node.place, checking: checks), let scheduler = stage.scheduler
    else {
      return
    }
    switch scheduler.state(of: thread.number) {
    case .notStarted, .runnable: scheduler.run(thread.number, policy)
    case .blocked: policy.stop = .blocked
    case .ended: policy.stop = .over
    }
    collectEnded()
    judge(run, policy, node)
    if checks, isQuiescent { checkInvariants(behind: node) }
  }

  /// The thread's own condition does not hold.
  func skip(_ node: Node, withoutThread thread: ThreadNode) {
    report.skipped += 1
    report.note("\(node.place.source.name):\(node.place.line): skipped, thread '\(thread.name)' is not there")
  }

  private func point(_ point: (name: String, place: Place)?, _ bench: any Bench) throws(Stop)
    -> SchedulePoint?
  {
    guard let point else { return nil }
    let known = bench.schedulePoints
    if let found = known.first(where: { $0.name == point.name }) { return found.point }
    throw .problem(
      Problem(
        code: .unknownPoint, place: point.place, message: "there is no point '\(point.name)'",
        help: [Suggest.help(for: point.name, in: known.map(\.name)) ?? "'show points' lists them"]))
  }

  private func judge(_ run: RunNode, _ policy: UntilPoint, _ node: Node) {
    let mayBe: (ok: Bool, blocked: Bool) =
      switch run.demand.outcome {
      case .oneOf(let accepted): (accepted.contains(.ok), accepted.contains(.blocked))
      case .succeed, .failSomehow: (true, false)
      case .open: (false, false)
      case .anything: (true, true)
      }
    let isArrived = policy.stop == (run.point == nil ? .ended : .arrived)
    if isArrived || policy.stop == .blocked { answers?.note(run, isArrived ? .ok : .blocked) }
    observe(run, policy.stop == .blocked ? "blocked" : isArrived ? "ok" : nil, mayBe, node)
    settle(isArrived && mayBe.ok || policy.stop == .blocked && mayBe.blocked, node) {
      let name = run.thread.name
      let message =
        switch policy.stop {
        case .blocked: "thread \(name) cannot go on"
        case .ended: run.point == nil ? "thread \(name) ended" : "thread \(name) ended and did not come there"
        case .arrived: "thread \(name) came there"
        case .over: "thread \(name) has ended before"
        }
      var details = policy.stop == .blocked ? waitTexts().map { Diagnostic.Detail("waits", $0) } : []
      if policy.stop == .ended, run.point != nil, let bench {
        let passed = bench.schedulePoints.filter { policy.passed.contains($0.point) }.map(\.name)
        details.append(Diagnostic.Detail("passed", passed.joined(separator: " ")))
      }
      return Diagnostic(.wrongRun, in: node.place.source, at: node.place.span, message, details: details)
    }
  }
}

/// One thread runs up to the n-th time that it passes a point, or as far as it gets.
private final class UntilPoint: SchedulePolicy {
  enum Ending {
    case arrived, blocked, ended
    /// Before it began.
    case over
  }
  var stop = Ending.ended
  private(set) var passed: Set<SchedulePoint> = []
  private let point: SchedulePoint?
  private var times: UInt64

  init(_ point: SchedulePoint?, times: UInt64) {
    self.point = point
    self.times = max(1, times)
  }

  func next(_ event: ScheduleEvent, of thread: Int, in _: any ThreadScheduler) -> Int? {
    switch event {
    case .point(let here):
      guard let point else { return thread }
      passed.insert(here)
      guard here == point else { return thread }
      times -= 1
      if times > 0 { return thread }
      stop = .arrived
    case .blocked: stop = .blocked
    case .ended: stop = .ended
    }
    return nil
  }
}
