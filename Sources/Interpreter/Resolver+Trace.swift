// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

// `expect trace { ... }`: its lines are written as commands and mean events.

extension Resolver {
  func resolve(_ expectation: TraceExpectation) -> [TraceDemand]? {
    program.expectsTrace = true
    let before = diagnostics.count
    let demands = expectation.body.statements.compactMap { statement -> TraceDemand? in
      guard statement.condition.map({ holds($0) }) ?? true else { return nil }
      guard case .command(let line) = statement.kind, line.bindings.isEmpty, line.mark == nil,
        line.expectation == nil, line.expectedFailure == nil
      else {
        report(
          .wrongEvent, place(statement.span),
          "a line of 'expect trace' is an event with fields, and nothing else",
          help: ["area-add iova=0x1000", "next pages-charge", "not object-destroy"])
        return nil
      }
      return demand(line.command)
    }
    return diagnostics.count == before ? demands : nil
  }

  private func demand(_ command: Command) -> TraceDemand? {
    var words = command.words[...]
    var mode = TraceDemand.Mode.later
    if let first = words.first, let said = TraceDemand.Mode(rawValue: first.text), said != .later {
      mode = said
      words.removeFirst()
    }
    guard let name = words.first, words.count == 1 else {
      report(
        .wrongEvent, place(command.span), "a line of 'expect trace' names one event",
        help: ["events: " + Self.eventNames.joined(separator: " ")])
      return nil
    }
    let known: [String]
    if name.text == "request" {
      known = ["name", "result"]
    } else if let kind = MachineEvent.Kind(rawValue: name.text) {
      known = kind.row.fields
    } else {
      let suggestion = Suggest.help(for: name.text, in: Self.eventNames)
      report(
        .wrongEvent, place(name.span), "there is no event '\(name.text)'",
        help: [suggestion ?? "events: " + Self.eventNames.joined(separator: " ")])
      return nil
    }
    var fields: [(name: String, value: Code)] = []
    for operand in command.operands {
      guard case .named(let key, let value) = operand.kind, known.contains(key.text) else {
        let word = if case .named(let key, _) = operand.kind { key.text } else { Printer.text(operand.value) }
        report(
          .wrongEvent, place(operand.span), "'\(name.text)' has no field '\(word)'",
          help: ["fields: " + known.joined(separator: " ")])
        continue
      }
      fields.append((key.text, resolveExpected(value, names: nil, shape: .any).code))
    }
    return TraceDemand(mode: mode, event: name.text, fields: fields, place: place(command.span))
  }

  private static let eventNames = ["request"] + MachineEvent.Kind.allCases.map(\.rawValue)
}
