// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Rules about names, and about numbers that should be some.

extension Lint {
  mutating func judgeNames() {
    judgeUnused()
    judgeLostBindings()
  }

  private mutating func judgeUnused() {
    let used = Set(index.names.filter { $0.role == .use }.map(\.subject))
    for name in index.names where name.role == .binding && name.source === file.source {
      guard !used.contains(name.subject), !name.text.hasPrefix("_") else { continue }
      switch name.subject {
      case .procedure: report(.unusedProcedure, name.span, "nothing calls '\(name.text)'")
      case .thread:
        report(
          .unusedThread, name.span, "nothing gives thread '\(name.text)' the turn",
          help: ["run \(name.text)", "explore threads=[\(name.text), ...] { }"])
      case .variable: continue
      }
    }
  }

  // MARK: Lost bindings

  /// A statement that binds names, among those of its block.
  private struct BindingPlace {
    let block: Int
    let isConditional: Bool
    /// What to remove so that the statement binds nothing; nil where that is not plain to see.
    let removal: Span?
  }

  private mutating func judgeLostBindings() {
    var places: [UInt32: BindingPlace] = [:]
    var blocks = 0
    collect(file.statements, &places, &blocks)
    let delayed = delayedSpans
    var last: [ScriptIndex.Subject: ScriptIndex.Name] = [:]
    // A block that runs at another time than it is written in may read anything.
    let delayedSubjects = Set(
      index.names.filter { name in
        name.source === file.source && Self.isInside(delayed, name.span.start)
      }.map(\.subject))
    for name in index.names {
      defer { last[name.subject] = name }
      guard name.role == .binding, name.source === file.source, let earlier = last[name.subject],
        earlier.role == .binding, earlier.source === file.source, !delayedSubjects.contains(name.subject),
        let here = places[name.span.start], let there = places[earlier.span.start],
        here.block == there.block, !here.isConditional
      else { continue }
      let line = file.source.line(of: name.span.start)
      report(
        .lostBinding, earlier.span,
        "'\(name.text)' is bound again in line \(line), and nothing reads it before",
        notes: [note("bound again here", name.span)],
        help: ["leave this binding out"],
        fixes: there.removal.map { [Diagnostic.Fix("remove the binding", at: $0, "")] } ?? [])
    }
  }

  private func collect(_ statements: [Statement], _ places: inout [UInt32: BindingPlace], _ blocks: inout Int)
  {
    let block = blocks
    blocks += 1
    for statement in statements {
      let isConditional = statement.condition != nil
      switch statement.kind {
      case .command(let command):
        for symbol in command.bindings {
          let removal =
            command.bindings.count == 1 ? Span(symbol.span.start, command.command.span.start) : nil
          places[symbol.span.start] = BindingPlace(
            block: block, isConditional: isConditional, removal: removal)
        }
      case .value(let value):
        places[value.name.span.start] = BindingPlace(
          block: block, isConditional: isConditional, removal: nil)
      default: for inner in statement.blocks { collect(inner.statements, &places, &blocks) }
      }
    }
  }

  /// Where statements stand that run later, or more than once; in order, none inside another.
  private var delayedSpans: [Span] {
    var spans: [Span] = []
    file.statements.forEachNested { statement in
      switch statement.kind {
      case .definition, .deferred, .thread, .parallel, .explore:
        if statement.span.start >= spans.last?.end ?? 0 { spans.append(statement.span) }
      default: break
      }
    }
    return spans
  }

  private static func isInside(_ spans: [Span], _ offset: UInt32) -> Bool {
    var low = 0
    var high = spans.count
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].end <= offset { low = middle + 1 } else { high = middle }
    }
    return low < spans.count && spans[low].contains(offset)
  }

  // MARK: Numbers

  mutating func judgeNumbers() {
    for number in index.notes.numbers where number.place.source === file.source && number.value != 0 {
      guard let name = number.names.name(of: number.value) else { continue }
      let text = file.source.text(number.place.span)
      report(
        .namedNumber, number.place.span, "\(text) is \(name) of \(number.names.type)",
        help: ["write \(name)"],
        fixes: [Diagnostic.Fix("write \(name)", at: number.place.span, name)])
    }
  }
}
