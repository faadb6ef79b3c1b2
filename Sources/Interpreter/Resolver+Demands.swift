// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// What must come back.

extension Resolver {
  func resolveDemand(_ statement: CommandStatement, results: [ResultSpec], isCall: Bool) -> Demand {
    if isCall, let span = statement.expectation?.span ?? statement.mark?.span {
      report(
        .expectationOnCall, place(span), "a procedure answers nothing; its commands say what they expect")
    }
    return resolveDemand(
      statement.mark, statement.expectation, results: results, expectsSuccess: expectsSuccess)
  }

  /// - Parameter expectsSuccess: what holds where nothing is said.
  func resolveDemand(
    _ mark: Mark?, _ expectation: Expectation?, results: [ResultSpec], expectsSuccess: Bool
  ) -> Demand {
    if let mark {
      let outcome: Demand.Outcome = mark.kind == .mustFail ? .failSomehow : .anything
      return Demand(outcome: outcome, checks: [], text: mark.kind == .mustFail ? "any errno" : "anything")
    }
    guard let expectation else {
      return Demand(outcome: expectsSuccess ? .succeed : .anything, checks: [], text: "ok")
    }
    return demand(expectation, results: results)
  }

  func demand(_ expectation: Expectation, results: [ResultSpec]) -> Demand {
    var outcome = expectation.isOpen ? Demand.Outcome.open : .succeed
    if !expectation.alternatives.isEmpty {
      outcome = .oneOf(accepted(expectation.alternatives))
    }
    let checks = expectation.checks.compactMap { resolve($0, results: results) }
    let text = source.text(expectation.span)
    return Demand(
      outcome: outcome, checks: checks,
      text: String(text.drop { $0 == "-" || $0 == ">" || $0 == " " }))
  }

  /// The alternatives that count here: the first with a condition that holds, else all without one.
  private func accepted(_ alternatives: [Expectation.Alternative]) -> [Demand.Accepted] {
    var free: [Demand.Accepted] = []
    var chosen: Demand.Accepted?
    for alternative in alternatives {
      guard let accepted = accepted(alternative) else { continue }
      if alternative.condition == nil {
        free.append(accepted)
      } else if holds(alternative.condition), chosen == nil {
        chosen = accepted
      }
    }
    if let chosen { return [chosen] }
    return free.isEmpty ? [.ok] : free
  }

  private func accepted(_ alternative: Expectation.Alternative) -> Demand.Accepted? {
    switch alternative.outcome {
    case .ok: return .ok
    case .errno(let name):
      if let errno = Errno(name: name) { return .errno(errno.code) }
      report(
        .unknownErrno, place(alternative.span), "there is no errno '\(name)'",
        help: [Suggest.help(for: name, in: Explain.errnoNames)].compactMap { $0 })
      return nil
    case .kind(.rejected): return .rejected
    case .kind(.failed): return .failed
    case .kind(.fault): return .fault
    case .kind(.blocked): return .blocked
    case .kind(.stale): return .stale
    }
  }

  // MARK: Checks

  private func resolve(_ check: Check, results: [ResultSpec]) -> CheckCode? {
    let here = place(check.span)
    var index = 0
    var rest = check.path[...]
    if case .field(let name)? = check.path.first {
      guard let found = results.firstIndex(where: { $0.name == name.text }) else {
        // Names in the pattern are bound all the same.
        for symbol in Self.bindings(in: check.pattern) { _ = bind(symbol, kind: nil, isConstant: false) }
        report(
          .unknownResult, place(name.span), "there is no result '\(name.text)'",
          help: [Suggest.help(for: name.text, in: results.map { $0.name })].compactMap { $0 } + [
            results.isEmpty
              ? "this command answers nothing but its outcome"
              : "results: " + results.map { $0.name }.joined(separator: " ")
          ])
        return nil
      }
      index = found
      rest = rest.dropFirst()
    }
    guard index < results.count else {
      report(.unknownResult, here, "this command answers nothing but its outcome")
      return nil
    }
    var shape = results[index].shape
    var path: [StepCode] = []
    var name = results[index].name
    for step in rest {
      let (code, next, text) = resolve(step, in: shape)
      path.append(code)
      shape = next
      name += text
    }
    let pattern = resolve(check.pattern, shape: shape, comparison: check.comparison)
    return CheckCode(
      result: index, path: path, comparison: check.comparison, pattern: pattern, place: here, name: name)
  }

  private func resolve(_ step: PathStep, in shape: Shape) -> (StepCode, Shape, String) {
    switch step {
    case .field(let name):
      if case .record(let members) = shape, shape.member(name.text) == nil {
        let known = members.map { $0.name }
        report(
          .unknownResult, place(name.span), "there is no field '\(name.text)'",
          help: [Suggest.help(for: name.text, in: known)].compactMap { $0 } + [
            "fields: " + known.joined(separator: " ")
          ])
      }
      return (.field(name.text), shape.member(name.text) ?? .any, ".\(name.text)")
    case .index(let value):
      return (.index(resolve(value).code), shape.element ?? .any, "[\(Printer.text(value))]")
    }
  }

  func resolve(_ pattern: Pattern, shape: Shape, comparison: Comparison) -> PatternCode {
    switch pattern.kind {
    case .value(let value):
      // `in` and `has` look at elements, so a word among them means what it means in an element.
      let names = shape.names ?? shape.element?.names
      return .value(resolveExpected(value, names: names, shape: shape).code)
    case .binding(let symbol): return .binding(slot: bind(symbol, kind: shape.kind, isConstant: false))
    case .none: return .none
    case .gap: return .gap
    case .ordered(let parts):
      return .ordered(parts.map { resolve($0, shape: shape.element ?? .any, comparison: .equal) })
    case .unordered(let parts):
      return .unordered(parts.map { resolve($0, shape: shape.element ?? .any, comparison: .equal) })
    case .record(let checks):
      let members = checks.map { check in
        var inner = shape
        var path: [StepCode] = []
        var name = ""
        for step in check.path {
          let (code, next, text) = resolve(step, in: inner)
          path.append(code)
          inner = next
          name += text
        }
        let pattern = resolve(check.pattern, shape: inner, comparison: check.comparison)
        return (
          path: path, comparison: check.comparison, pattern: pattern, name: String(name.drop { $0 == "." })
        )
      }
      return .record(members)
    }
  }

  /// A value that something is compared with. Seen from a state, a word is a text.
  func resolveExpected(_ value: Expression, names: NamedValues?, shape: Shape) -> (
    code: Code, kind: Kind?
  ) {
    if names == nil, case .any = shape, case .word(let word) = value.kind {
      if case .found = lookUp(word) {} else { return (.constant(.text(word)), .text) }
    }
    return resolve(value, names: names)
  }

  // MARK: Expect

  func resolve(_ expect: ExpectStatement) -> ExpectNode? {
    let text = Printer.text(expect.subject)
    if case .word(let word) = expect.subject.kind {
      guard word == "invariants" else {
        reportUnknownWord(
          word, place(expect.subject.span), "invariants, a $name or a function", candidates: ["invariants"])
        return nil
      }
      if expect.comparison != nil {
        report(.tooManyOperands, place(expect.subject.span), "'expect invariants' stands by itself")
      }
      return ExpectNode(subject: nil, comparison: .equal, pattern: .none, text: text, needsBench: true)
    }
    let (code, kind) = resolve(expect.subject)
    guard let comparison = expect.comparison, let pattern = expect.pattern else {
      // A bare subject is a question with the answer yes; of an object, whether it is there.
      guard case .variable = expect.subject.kind else {
        return ExpectNode(
          subject: code, comparison: .notEqual, pattern: .value(.number(0)), text: text,
          needsBench: needsBench(code))
      }
      return ExpectNode(
        subject: .function(.exists, [code], place(expect.subject.span)), comparison: .equal,
        pattern: .value(.number(1)), text: "exists(\(text))", needsBench: true)
    }
    let shape: Shape = kind == .range ? .range : .any
    return ExpectNode(
      subject: code, comparison: comparison, pattern: resolve(pattern, shape: shape, comparison: comparison),
      text: text, needsBench: needsBench(code))
  }

  private func needsBench(_ code: Code) -> Bool {
    switch code {
    case .function(let function, let arguments, _):
      function.needsBench || arguments.contains { needsBench($0) }
    case .member(let base, _, _): needsBench(base)
    case .index(let base, let index, _): needsBench(base) || needsBench(index)
    default: false
    }
  }
}
