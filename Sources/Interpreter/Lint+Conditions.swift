// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// Conditions ask about the machine alone, so what holds at a place is known: which environments lead to it.

extension Lint {
  mutating func judgeConditions() {
    guard let worlds = Worlds(telling: Self.conditions(in: file.statements)) else { return }
    judge(file.statements, frame: worlds)
  }

  private static func conditions(in statements: [Statement]) -> [Condition] {
    var conditions: [Condition] = []
    statements.forEachNested { statement in
      if let condition = statement.condition { conditions.append(condition) }
      conditions += statement.expectation?.alternatives.compactMap(\.condition) ?? []
      switch statement.kind {
      case .require(let condition): conditions.append(condition)
      case .conditional(let conditional): conditions += conditional.arms.map(\.condition)
      default: break
      }
    }
    return conditions
  }

  /// A file or a test: its requirements hold from its first statement on.
  private mutating func judge(_ statements: [Statement], frame: Worlds) {
    var worlds = frame
    for statement in statements where statement.condition == nil {
      guard case .require(let condition) = statement.kind else { continue }
      worlds = judge(condition, in: worlds)
    }
    judge(statements, in: worlds)
  }

  private mutating func judge(_ statements: [Statement], in worlds: Worlds) {
    for statement in statements { judge(statement, in: worlds) }
  }

  private mutating func judge(_ statement: Statement, in outer: Worlds) {
    // What is never reached has been reported with what leads to it.
    guard !outer.isEmpty else { return }
    let worlds = statement.condition.map { judge($0, in: outer) } ?? outer
    guard !worlds.isEmpty else { return }
    switch statement.kind {
    case .test(let test): judge(test.body.statements, frame: worlds)
    case .conditional(let conditional): judge(conditional, in: worlds)
    default: for block in statement.blocks { judge(block.statements, in: worlds) }
    }
    if let expectation = statement.expectation { judge(expectation, in: worlds) }
  }

  /// The worlds in which it holds.
  private mutating func judge(_ condition: Condition, in worlds: Worlds) -> Worlds {
    let left = worlds.restricted(to: condition)
    if left.isEmpty {
      reportDead(condition)
    } else if left.count == worlds.count {
      report(.conditionAlwaysHolds, condition.span, "'\(Printer.text(condition))' always holds here")
    }
    return left
  }

  private mutating func reportDead(_ condition: Condition) {
    report(.conditionNeverHolds, condition.span, "'\(Printer.text(condition))' never holds here")
  }

  private mutating func judge(_ conditional: ConditionalStatement, in worlds: Worlds) {
    var rest = worlds
    for (index, arm) in conditional.arms.enumerated() {
      let here: Worlds
      if index == 0 {
        here = judge(arm.condition, in: rest)
      } else {
        // That a last arm has all that is left may well be written down.
        here = rest.restricted(to: arm.condition)
        if here.isEmpty { reportDead(arm.condition) }
      }
      judge(arm.body.statements, in: here)
      rest = rest.without(arm.condition)
    }
    if let otherwise = conditional.otherwise {
      if rest.isEmpty, conditional.arms.count > 1 {
        report(
          .conditionNeverHolds, Span(otherwise.span.start, otherwise.span.start + 1),
          "the arms above it leave nothing for this one")
      }
      judge(otherwise.statements, in: rest)
    }
  }

  /// The first alternative whose condition holds counts; those without one, where none does.
  private mutating func judge(_ expectation: Expectation, in worlds: Worlds) {
    var rest = worlds
    for alternative in expectation.alternatives {
      guard let condition = alternative.condition else { continue }
      if rest.restricted(to: condition).isEmpty { reportDead(condition) }
      rest = rest.without(condition)
    }
    guard rest.isEmpty, let free = expectation.alternatives.first(where: { $0.condition == nil }) else {
      return
    }
    report(
      .conditionNeverHolds, free.span, "the conditions of the other outcomes leave nothing for this one")
  }
}
