// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// `fail` and `sweep`: statements whose calls are made to fail.

extension Executor {
  func execute(_ injection: InjectionNode, _ node: Node) {
    guard let bench else {
      guard injection.kind == .sweep else { return endCase(node, needing: injection.kind.rawValue) }
      // What the block does is the same, and nothing of it was swept.
      run(injection.body)
      return stop(.needsBench, node)
    }
    guard !isFailing, sweep == nil || sweepsAll else {
      return problem(
        .injectionInside, node.place, "'\(injection.kind.rawValue)' inside another injected failure")
    }
    do throws(Stop) {
      let kinds = try kinds(injection, bench)
      switch injection.kind {
      case .fail: try fail(injection, node, kinds, bench)
      case .sweep: sweep(injection, node, kinds)
      }
    } catch { stop(error, node) }
  }

  /// - Throws: for a word that is no kind of failure point.
  private func kinds(_ injection: InjectionNode, _ bench: any Bench) throws(Stop) -> Set<String>? {
    guard !injection.kinds.isEmpty else { return nil }
    let known = bench.failurePoints.map(\.name)
    for (word, place) in injection.kinds where !known.contains(word) {
      throw .problem(
        Problem(
          code: .unknownFailurePoint, place: place, message: "there is no kind of failure point '\(word)'",
          help: [Suggest.help(for: word, in: known)].compactMap { $0 } + [
            "kinds: " + known.joined(separator: " ")
          ]))
    }
    return Set(injection.kinds.map(\.word))
  }

  // MARK: One failure

  private func fail(_ injection: InjectionNode, _ node: Node, _ kinds: Set<String>?, _ bench: any Bench)
    throws(Stop)
  {
    let nth = try injection.nth.map { code throws(Stop) in try number(code, node.place) } ?? 1
    guard nth > 0 else {
      throw .problem(
        Problem(code: .injectionMissed, place: node.place, message: "the first failure point is nth=1"))
    }
    let outer = sweep
    sweep = nil
    isFailing = true
    bench.armFailure(nth: nth, kinds: kinds)
    run(injection.body)
    let happened = bench.disarmFailure()
    isFailing = false
    sweep = outer
    let (passes, failure) = bench.lastArming
    guard happened, let failure else {
      // A block that was left early has told why.
      if halted == nil {
        settle(false, node) { missed(nth, passes, injection, node) }
      }
      return
    }
    judge(
      injection, node,
      [("kind", .text(failure.kind)), ("what", .text(failure.what)), ("errno", .text(failure.errno.name))])
  }

  private func missed(_ nth: UInt64, _ passes: UInt64, _ injection: InjectionNode, _ node: Node) -> Diagnostic
  {
    let kinds = injection.kinds.isEmpty ? "" : " of " + injection.kinds.map(\.word).joined(separator: " or ")
    let count =
      passes == 0 ? "no failure point" : passes == 1 ? "one failure point" : "\(passes) failure points"
    return Diagnostic(
      .injectionMissed, in: node.place.source, at: injection.header,
      "nothing failed: the block passes \(count)\(kinds), and nth=\(nth)",
      help: ["sweep { ... } makes each of them fail"])
  }

  // MARK: All of them

  private func sweep(_ injection: InjectionNode, _ node: Node, _ kinds: Set<String>?) {
    let outer = sweep
    let failed = report.failed
    let own = FailureSweep(kinds: kinds)
    sweep = own
    run(injection.body)
    sweep = outer
    outer?.ledger.add(own.ledger)
    guard report.failed == failed else { return }
    judge(injection, node, [("points", .number(own.points)), ("partial", .number(own.partial))])
  }

  private func judge(_ injection: InjectionNode, _ node: Node, _ results: [(name: String, value: Value)]) {
    injectionResults = results
    observe(
      injection.demand, at: injection.demandSpan, node,
      zip(results, InjectionNode.results(injection.kind)).map { ($0.name, $0.value, $1.shape) })
    var bound: [(slot: Int, value: Value)] = []
    do throws(Stop) {
      for check in injection.demand.checks {
        let value = results[check.result].value
        if try !matches(value, check.path, check.comparison, check.pattern, &bound, check.place) {
          return settle(false, node) { mismatch(check, injection, node, results) }
        }
      }
    } catch { return stop(error, node) }
    for (slot, value) in bound { slots[slot] = value }
    if case .open = injection.demand.outcome {
      return settle(false, node) { openClause(node, injectionText(injection.kind, results)) }
    }
    settle(true, node) { Diagnostic(.wrongResult, in: node.place.source, at: node.place.span, "") }
  }

  private func mismatch(
    _ check: CheckCode, _ injection: InjectionNode, _ node: Node, _ results: [(name: String, value: Value)]
  ) -> Diagnostic {
    let printer = ValueText(executor: self)
    let value = printer.text(
      results[check.result].value, InjectionNode.results(injection.kind)[check.result].shape)
    return Diagnostic(
      .wrongResult, in: node.place.source, at: injection.header,
      "\(injection.kind.rawValue) gave a different result", highlights: [check.place.span],
      details: [
        Diagnostic.Detail("-", "expected \(check.place.source.text(check.place.span))"),
        Diagnostic.Detail("+", "got      \(check.name)=\(value)"),
        Diagnostic.Detail("paste", "-> \(injectionText(injection.kind, results))"),
      ])
  }

  /// The results, as they may be written behind `->`.
  func injectionText(_ kind: InjectionStatement.Kind, _ results: [(name: String, value: Value)]) -> String {
    let printer = ValueText(executor: self)
    return zip(results, InjectionNode.results(kind))
      .map { "\($0.name)=\(printer.text($0.value, $1.shape))" }.joined(separator: ", ")
  }

  // MARK: Calls

  /// Makes a call of the statement that is carried out: once, or under a sweep as often as it can fail.
  ///
  /// - Parameter values: the named values in a request.
  func asked<Result>(
    _ name: @autoclosure () -> String, values: @autoclosure () -> [String] = [],
    _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    guard sweep != nil || late != nil, let bench, !isCleaningUp, let node = sweptNode else {
      return try body()
    }
    // What a thread has half done would be taken for what the failure left.
    guard stage.scheduler?.isQuiescent ?? true else { return try body() }
    let call = SweptCall(name: name(), values: values())
    if let late {
      if isFailing { return try body() }
      // Nothing is left to go on with, nor to clean up.
      defer { if late.isOver { halted = .limit } }
      return try late.make(call, at: node.place, on: bench, body)
    }
    guard let sweep else { return try body() }
    if call.isExempt { return try sweep.pass(call, body) }
    return try sweep.rounds(
      call, on: bench, isOver: { isOutOfTime },
      report: { self.fail(Self.unclean($0, node.place)) }, body)
  }

  static func unclean(_ finding: FailureSweep.Finding, _ place: Place) -> Diagnostic {
    let failure = finding.failure
    let call = finding.call.name
    var details = [
      Diagnostic.Detail("failure", "number \(finding.nth): \(failure.kind), \(failure.what)"),
      Diagnostic.Detail("errno", failure.errno.name),
    ]
    let message: String
    switch finding.kind {
    case .swallowed: message = "\(call) says that it succeeded, and a step of it failed"
    case .otherErrno(let errno):
      message = "\(call) fails with another errno than the step that failed"
      details.append(
        Diagnostic.Detail("answer", errno.name + (errno.reason.map { ", refused because \($0)" } ?? "")))
    case .changed(let changes):
      message = "\(call) failed and left something behind"
      details += changes.prefix(6).map { Diagnostic.Detail("changed", $0) }
    case .broken(let violations):
      message = "a failure in \(call) breaks a rule of the model"
      for violation in violations.prefix(5) {
        details.append(Diagnostic.Detail("rule", violation.invariant))
        details.append(Diagnostic.Detail("state", violation.evidence))
      }
    case .leaks: message = "\(call) leaks memory each time that it fails"
    case .endless: message = "\(call) has no end of failure points"
    case .gone: message = "\(call) does not come to the same failure point again"
    case .stuck(let errno):
      message = "\(call) failed, and made again it ends differently"
      details.append(Diagnostic.Detail("answer", errno?.name ?? "ok"))
    }
    return Diagnostic(
      .uncleanFailure, in: place.source, at: place.span, message, details: details,
      help: ["fail nth=\(finding.nth) { ... } makes this one step fail, if nothing is in front of the call"])
  }
}
