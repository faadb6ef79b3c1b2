// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

// Each schedule has a machine of its own, which is led to where this one is by the same statements: a *rehearsal* of
// the file or test up to here. Then the threads run as the search says, the invariants are looked at whenever no
// thread is inside a statement, and the expectations at the end.

extension Executor {
  /// Most schedules of one exploration.
  private static let scheduleLimit = 1 << 20

  func execute(_ explore: ExploreNode, _ node: Node) {
    guard let bench else { return endCase(node, needing: "explore") }
    // A rehearsal of something further on has no use for it.
    guard stage.atStop == nil else { return }
    if let missing = explore.threads.first(where: { !stage.declared.contains(ObjectIdentifier($0)) }) {
      return skip(node, withoutThread: missing)
    }
    let policy: Exploration
    do throws(Stop) {
      let bound = try explore.bound.map { code throws(Stop) in try number(code, node.place) } ?? 2
      policy = Exploration(bound: bound, points: bench.schedulePoints)
    } catch {
      stop(error, node)
      return
    }
    var schedules = 0
    var failure: CaseReport?
    repeat {
      guard mayRehearse(node, schedules) else { return }
      guard let report = rehearse(explore, policy, node) else { return }
      schedules += 1
      if policy.isUnequal {
        return problem(
          .unequalSchedule, node.place, "schedule \(schedules) went another way than it had before")
      }
      if policy.isTooLong {
        return problem(.tooManySchedules, node.place, "a schedule does not come to an end")
      }
      if report.failed > 0 { failure = report }
    } while failure == nil && policy.advance()
    judge(explore, node, schedules, failure, policy)
  }

  private func mayRehearse(_ node: Node, _ schedules: Int) -> Bool {
    if schedules >= Self.scheduleLimit {
      problem(.tooManySchedules, node.place, "there are more than \(Self.scheduleLimit) schedules")
      return false
    }
    if let cancellation, cancellation.isCancelled {
      halted = .cancelled
      return false
    }
    if let deadline = options.deadline, Clock.now() > deadline {
      halted = .timedOut
      problem(.timeOut, node.place, "the script took longer than it may")
      return false
    }
    return true
  }

  /// One schedule on a machine of its own; its report is about what the threads and the expectations did.
  private func rehearse(_ explore: ExploreNode, _ policy: Exploration, _ node: Node) -> CaseReport? {
    var quiet = options
    quiet.check = false
    quiet.sweeps = false
    quiet.observer = nil
    quiet.trace = nil
    quiet.until = nil
    quiet.output = nil
    let child: Executor
    do {
      child = Executor(program: program, rig: try makeRig(), options: quiet, makeRig: makeRig)
    } catch {
      problem(.noMachine, node.place, "cannot make a machine: \(error)")
      return nil
    }
    var found: CaseReport?
    child.stage.scene = stage.scene
    child.stage.stopPosition = stage.position
    child.stage.atStop = { child in
      child.report = CaseReport(name: "")
      child.play(explore, policy, node)
      found = child.report
    }
    child.run(stage.scene)
    child.stage.atStop = nil
    child.finishThreads()
    if let found { return found }
    switch child.halted {
    case .timedOut, .cancelled:
      // `mayRehearse` says so.
      _ = mayRehearse(node, 0)
    default: problem(.unequalSchedule, node.place, "the statements up to here went another way")
    }
    return nil
  }

  /// The threads, and what must hold behind them.
  private func play(_ explore: ExploreNode, _ policy: Exploration, _ node: Node) {
    var threads: [ScriptThread] = []
    for declaration in explore.threads {
      guard let thread = begin(declaration, at: node.place, checking: true) else { return }
      threads.append(thread)
    }
    guard let scheduler = stage.scheduler else { return }
    policy.names = [:]
    for thread in threads { policy.names[thread.number] = thread.node.name }
    if let first = policy.begin(scheduler) { scheduler.run(first, policy) }
    collectEnded()
    if threads.allSatisfy({ scheduler.state(of: $0.number) == .ended }) {
      run(explore.body)
      // Threads that are not explored may stand inside a statement.
      if isQuiescent { checkInvariants(behind: node) }
    } else if !policy.isTooLong, !policy.isUnequal {
      fail(deadlock(at: node.place))
    }
  }

  private func judge(
    _ explore: ExploreNode, _ node: Node, _ schedules: Int, _ failure: CaseReport?, _ policy: Exploration
  ) {
    report.note(
      "\(node.place.source.name):\(node.place.line): \(schedules) schedule\(schedules == 1 ? "" : "s")")
    let mayBe: (ok: Bool, failed: Bool) =
      switch explore.demand.outcome {
      case .oneOf(let accepted): (accepted.contains(.ok), accepted.contains(.failed))
      case .succeed, .failSomehow: (true, false)
      case .open: (true, false)
      case .anything: (true, true)
      }
    if let failure, !mayBe.failed {
      return settle(false, node) { failingSchedule(explore, node, schedules, failure, policy) }
    }
    if failure == nil, !mayBe.ok {
      return settle(false, node) {
        Diagnostic(
          .wrongOutcome, in: node.place.source, at: node.place.span,
          "all \(schedules) schedules keep the promises, and one was expected not to")
      }
    }
    if failure == nil {
      observe(
        explore.demand, at: explore.demandSpan, node, [("schedules", .number(UInt64(schedules)), .number)])
    }
    var bound: [(slot: Int, value: Value)] = []
    do throws(Stop) {
      for check in explore.demand.checks {
        let count = Value.number(UInt64(schedules))
        guard try matches(count, check.comparison, check.pattern, &bound, check.place) else {
          return settle(false, node) {
            Diagnostic(
              .wrongResult, in: node.place.source, at: check.place.span, "there are other schedules",
              details: [
                Diagnostic.Detail("-", "expected \(check.place.source.text(check.place.span))"),
                Diagnostic.Detail("+", "got      schedules=\(schedules)"),
              ])
          }
        }
      }
    } catch {
      return stop(error, node)
    }
    for (slot, value) in bound { slots[slot] = value }
    if case .open = explore.demand.outcome {
      return settle(false, node) { openClause(node, "schedules=\(schedules)") }
    }
    settle(true, node) { unreachable(node) }
  }

  /// For `settle`, which asks for a diagnostic only where something failed.
  private func unreachable(_ node: Node) -> Diagnostic {
    Diagnostic(.wrongOutcome, in: node.place.source, at: node.place.span, "")
  }

  /// What broke, and the lines that break it again.
  private func failingSchedule(
    _ explore: ExploreNode, _ node: Node, _ schedules: Int, _ failure: CaseReport, _ policy: Exploration
  ) -> Diagnostic {
    let lines = policy.lines(points: bench?.schedulePoints ?? []) + explore.text
    var details: [Diagnostic.Detail] = []
    var notes: [Diagnostic.Note] = []
    if let first = failure.diagnostics.first {
      details += first.details.filter { !["again", "paste", "last"].contains($0.label) }
      notes.append(
        Diagnostic.Note("\(first.code.code): \(first.message)", in: first.source, at: first.span))
    }
    details += lines.map { Diagnostic.Detail("paste", $0) }
    return Diagnostic(
      .failingSchedule, in: node.place.source, at: node.place.span,
      "schedule \(schedules) breaks something", notes: notes, details: details)
  }
}
