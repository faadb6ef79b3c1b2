// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

extension Resolver {
  /// `fail nth=3 at=alloc { ... } -> kind=alloc`, `sweep { ... } -> points=12`
  func resolve(_ injection: InjectionStatement, _ here: Place) -> InjectionNode? {
    let word = injection.kind.rawValue
    let header = Span(here.span.start, injection.body.span.start)
    if isInjecting {
      report(
        .badInjection, place(header), "'\(word)' stands inside another injected failure",
        help: ["one failure is made at a time"])
    }
    var nth: Code?
    var kinds: [(word: String, place: Place)] = []
    for option in injection.options {
      guard case .named(let key, let value) = option.kind else { continue }
      switch (key.text, injection.kind) {
      case ("at", _): kinds = words(value)
      case ("nth", .fail):
        let (code, kind) = resolve(value)
        nth = code
        if code.constant == 0 || kind != nil && kind != .number {
          report(
            .badInjection, place(value.span), "nth= takes the number of a failure point, from 1",
            help: ["fail nth=3 { ... }"])
        }
      default:
        let known = injection.kind == .fail ? ["nth", "at"] : ["at"]
        report(
          .unknownOption, place(key.span), "'\(word)' has no option '\(key.text)'",
          help: [Suggest.help(for: key.text, in: known)].compactMap { $0 } + [
            "options: " + known.map { $0 + "=" }.joined(separator: " ")
          ])
      }
    }
    if injection.kind == .fail, nth == nil {
      report(
        .missingOperand, place(header), "'fail' needs 'nth': which failure point is to fail",
        help: ["fail nth=1 { ... }", "sweep { ... } makes each of them fail"])
    }
    let outer = isInjecting
    isInjecting = true
    let body = resolve(injection.body)
    isInjecting = outer
    var demand = Demand(outcome: .succeed, checks: [], text: "")
    if let expectation = injection.expectation {
      if let outcome = expectation.alternatives.first(where: { $0.outcome != .ok }) {
        report(
          .badInjection, place(outcome.span), "'\(word)' has no outcome; its commands say how they end",
          help: ["results: " + InjectionNode.results(injection.kind).map(\.name).joined(separator: " ")])
      }
      demand = self.demand(expectation, results: InjectionNode.results(injection.kind))
    }
    return InjectionNode(
      kind: injection.kind, nth: nth, kinds: kinds, body: body, demand: demand,
      demandSpan: injection.expectation?.span ?? .zero, header: header)
  }

  /// `alloc`, or `[alloc, pin]`.
  private func words(_ value: Expression) -> [(word: String, place: Place)] {
    switch value.kind {
    case .word(let word): return [(word, place(value.span))]
    case .list(let items): return items.flatMap { words($0) }
    default:
      report(
        .badInjection, place(value.span), "at= takes kinds of failure points",
        help: ["at=alloc", "at=[alloc, pin]"])
      return []
    }
  }
}
