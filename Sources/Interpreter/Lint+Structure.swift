// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// Rules about what stands where.

extension Lint {
  /// The statements of a file or a test.
  mutating func judgeFrame(_ statements: [Statement]) {
    judgeDuplicates(statements)
    var first: Statement?
    for statement in statements {
      switch statement.kind {
      case .require, .expectedFailure:
        guard let first else { continue }
        report(
          .lateRequirement, statement.span, "this is about the statements above it, too",
          notes: [note("the first of them", first.span)], help: ["move it to the top"])
      case .value, .parameter, .section, .definition, .export: continue
      default: first = first ?? statement
      }
    }
  }

  private mutating func judgeDuplicates(_ statements: [Statement]) {
    var tests: [String: Span] = [:]
    var sections: [String: Span] = [:]
    for statement in statements {
      switch statement.kind {
      case .test(let test): report(repeated: test.name, "test", in: &tests)
      case .section(let name): report(repeated: name, "section", in: &sections)
      default: continue
      }
    }
  }

  private mutating func report(repeated name: TextLiteral, _ what: String, in known: inout [String: Span]) {
    guard let earlier = known[name.text] else {
      known[name.text] = name.span
      return
    }
    report(
      .duplicateName, name.span, "another \(what) has this name",
      notes: [note("the first one is here", earlier)])
  }

  /// One statement, wherever it stands.
  mutating func judge(_ statement: Statement) {
    switch statement.kind {
    case .test(let test): judge(test)
    case .expect(let expect): judge(expect, statement.span)
    case .explore: break
    default:
      for block in statement.blocks where block.statements.isEmpty {
        report(.emptyBlock, block.span, "the block has no statement")
      }
    }
    if let expectation = statement.expectation { judge(expectation) }
  }

  private mutating func judge(_ test: TestStatement) {
    judgeFrame(test.body.statements)
    var canFail = false
    test.body.statements.forEachNested { canFail = canFail || Self.canFail($0) }
    if !canFail {
      report(
        .testWithoutExpectation, test.name.span, "nothing in this test can fail",
        help: test.body.statements.isEmpty
          ? [] : ["say what is expected: -> ok, or expect $vm.areas.count = 1"])
    }
    var labels: Set<String> = []
    for option in test.options {
      let items: [Expression] =
        switch option.value.kind {
        case .list(let items): items
        default: [option.value]
        }
      for case let item in items {
        guard case .word(let label) = item.kind, !labels.insert(label).inserted else { continue }
        report(.duplicateName, item.span, "the test has the label '\(label)' already")
      }
    }
  }

  private static func canFail(_ statement: Statement) -> Bool {
    switch statement.kind {
    case .command(let command): command.mark?.kind != .mayFail
    case .expect, .expectTrace, .include, .injection, .run, .explore: true
    case .value, .test, .section, .loop, .definition, .conditional, .export, .parameter, .deferred, .require,
      .expectedFailure, .thread, .parallel:
      false
    }
  }

  // MARK: Expectations

  private mutating func judge(_ expectation: Expectation) {
    var seen: [(outcome: Outcome, condition: String)] = []
    for alternative in expectation.alternatives {
      let condition = alternative.condition.map { Printer.text($0) } ?? ""
      if seen.contains(where: { $0.outcome == alternative.outcome && $0.condition == condition }) {
        report(
          .repeatedOutcome, alternative.span,
          "'\(alternative.outcome.spelling)' is among the outcomes already")
      }
      seen.append((alternative.outcome, condition))
    }
  }

  private mutating func judge(_ expect: ExpectStatement, _ span: Span) {
    let isFixed = Self.isFixed(expect.subject)
    switch expect.pattern?.kind {
    case .value(let value)?:
      if isFixed && Self.isFixed(value) {
        report(.emptyExpectation, span, "both sides are written in the script")
      } else if Printer.text(value) == Printer.text(expect.subject) {
        report(.emptyExpectation, span, "both sides are the same")
      }
    case nil where isFixed: report(.emptyExpectation, span, "the value is written in the script")
    default: break
    }
  }

  /// A value that is the same in every run.
  private static func isFixed(_ value: Expression) -> Bool {
    switch value.kind {
    case .number, .duration, .version, .date, .string, .hex, .max: true
    case .unary(_, let value): isFixed(value)
    case .binary(_, let left, let right), .range(let left, let right): isFixed(left) && isFixed(right)
    case .list(let items), .union(let items), .concatenation(let items): items.allSatisfy { isFixed($0) }
    case .word, .variable, .member, .index, .call, .reference, .record: false
    }
  }
}
