// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// A session as a script: the statements as typed, each with what it answered as its expectation. What was written
// already stays; what did not hold is replaced by what did. A command inside a block expects what it answered in
// every round, and nothing (`?`) where rounds differ.

extension Session {
  /// Lines of the script, and what could not be written down.
  public struct Script: Sendable {
    public var text: String
    /// Statements that are comments in it, since they were not carried out or cannot be expected.
    public var leftOut: Int
  }

  public func script() -> Script {
    var script = Script(text: "", leftOut: 0)
    // What only prints says nothing in a script.
    for entry in entries
    where !entry.nodes.allSatisfy({ Self.isShow($0) }) || !entry.definitions.isEmpty || entry.nodes.isEmpty {
      let (text, leftOut) = written(entry)
      script.text += text + (text.hasSuffix("\n") ? "" : "\n")
      script.leftOut += leftOut
    }
    return script
  }

  private func written(_ entry: SessionEntry) -> (String, leftOut: Int) {
    let source = entry.source
    guard entry.cancelledStep == nil && entry.obstacle == nil else {
      return (Self.commented(source.text(source.span), "interrupted"), 1)
    }
    var edits: [TextEdit] = []
    var leftOut = 0
    let bound = Set(entry.nodes.flatMap { names(boundBy: $0) })
    for (index, node) in entry.nodes.enumerated() {
      switch entry.failures[index] {
      case .notRun, .unmendable:
        // What follows on the same line is no part of the comment.
        edits.append(
          TextEdit(node.place.span, Self.commented(source.text(node.place.span), "failed") + "\n"))
        leftOut += 1
      case .replaced(let text):
        if case .command(let command) = node.kind {
          edits += replaced(command, by: expectation(entry.answers[index], boundHere: bound))
        } else {
          edits.append(TextEdit(node.place.span, text))
        }
      case nil:
        guard case .command(let command) = node.kind else {
          edits += changes(inside: node)
          continue
        }
        // A call answers nothing, and what is written already holds.
        guard command.demandSpan == command.command.span, node.expectedFailure == nil else { continue }
        let text = expectation(entry.answers[index], boundHere: bound)
        if !text.isEmpty { edits.append(TextEdit(Self.end(of: command), "  -> \(text)")) }
      }
    }
    for body in entry.definitions { for node in body { edits += changes(inBlock: node) } }
    return (String(decoding: TextEdit.applied(edits, to: source), as: UTF8.self), leftOut)
  }

  // MARK: Blocks

  /// Edits of everything inside a node.
  private func changes(inside node: Node) -> [TextEdit] {
    switch node.kind {
    case .loop(let loop): loop.body.flatMap { changes(inBlock: $0) }
    case .block(let body), .deferred(let body): body.flatMap { changes(inBlock: $0) }
    case .injection(let injection): injection.body.flatMap { changes(inBlock: $0) }
    case .thread(let thread): thread.body.flatMap { changes(inBlock: $0) }
    case .parallel(let threads): threads.flatMap { $0.body.flatMap { changes(inBlock: $0) } }
    case .run(let run): changes(of: run, node)
    default: []
    }
  }

  /// Edits of a statement of a block, which may have been carried out many times.
  private func changes(inBlock node: Node) -> [TextEdit] {
    guard case .command(let command) = node.kind else { return changes(inside: node) }
    guard command.demandSpan == command.command.span, node.isEnabled, node.expectedFailure == nil,
      let answer = executor.answers?.answer(of: command)
    else { return [] }
    let end = Self.end(of: command)
    switch answer {
    case .ok: return []
    case .errno(let code): return [TextEdit(end, "  -> \(Errno(code: code).name)")]
    case .fault: return [TextEdit(end, "  -> fault")]
    case .blocked: return [TextEdit(end, "  -> blocked")]
    case .various:
      let start = node.place.span.start
      return [TextEdit(Span(start, start), "? ")]
    }
  }

  private func changes(of run: RunNode, _ node: Node) -> [TextEdit] {
    guard case .anything = run.demand.outcome, executor.answers?.answer(of: run) == .blocked else {
      return []
    }
    return [TextEdit(Span(node.place.span.end, node.place.span.end), "  -> blocked")]
  }

  // MARK: Expectations

  /// What to write behind `->`; empty where success alone says it.
  ///
  /// A result that the statement itself binds, or that speaks of a name which the script does not have, is left out:
  /// what is expected is read before names are bound.
  private func expectation(_ answer: [String], boundHere: Set<String>) -> String {
    let parts = answer.enumerated().filter { index, part in
      index == 0
        || Self.variables(in: part).allSatisfy { name in
          guard !boundHere.contains(name), case .found = resolver.lookUp(name) else { return false }
          return true
        }
    }.map(\.element)
    return parts.first == "ok" ? parts.dropFirst().joined(separator: ", ") : parts.joined(separator: ", ")
  }

  private func names(boundBy node: Node) -> [String] {
    guard case .command(let command) = node.kind else { return [] }
    return command.bindings.map { program.slots[$0.slot].name }
  }

  /// The names behind `$` in an answer; what stands in a text counts too, which leaves out more than it must.
  private static func variables(in text: String) -> [String] {
    var names: [String] = []
    var rest = text[...]
    while let sign = rest.firstIndex(of: "$") {
      let name = rest[rest.index(after: sign)...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      names.append(String(name))
      rest = rest[name.endIndex...]
    }
    return names
  }

  /// The place behind a command, where its expectation goes.
  private static func end(of command: CommandNode) -> Span {
    Span(command.command.span.end, command.command.span.end)
  }

  /// A command's mark or expectation, replaced.
  private func replaced(_ command: CommandNode, by text: String) -> [TextEdit] {
    let clause = text.isEmpty ? "-> ok" : "-> \(text)"
    // A mark stands in front of the command, an expectation behind it.
    guard command.demandSpan.start < command.command.span.start else {
      return [TextEdit(command.demandSpan, clause)]
    }
    return [TextEdit(command.demandSpan, ""), TextEdit(Self.end(of: command), "  \(clause)")]
  }

  // MARK: Text

  /// A statement as a comment; a block becomes several lines of it.
  private static func commented(_ text: String, _ why: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return "# \(why): " + lines.joined(separator: "\n#   ")
  }
}
