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

  /// A change of an entry's text.
  private struct Edit {
    let span: Span
    let text: String
  }

  private func written(_ entry: SessionEntry) -> (String, leftOut: Int) {
    let source = entry.source
    guard entry.cancelledStep == nil && entry.obstacle == nil else {
      return (Self.commented(source.text(source.span), "interrupted"), 1)
    }
    var edits: [Edit] = []
    var leftOut = 0
    let bound = Set(entry.nodes.flatMap { names(boundBy: $0) })
    for (index, node) in entry.nodes.enumerated() {
      switch entry.failures[index] {
      case .notRun, .unmendable:
        // What follows on the same line is no part of the comment.
        edits.append(
          Edit(span: node.place.span, text: Self.commented(source.text(node.place.span), "failed") + "\n"))
        leftOut += 1
      case .replaced(let text):
        if case .command(let command) = node.kind {
          edits += replaced(command, by: expectation(entry.answers[index], boundHere: bound))
        } else {
          edits.append(Edit(span: node.place.span, text: text))
        }
      case nil:
        guard case .command(let command) = node.kind else {
          edits += changes(inside: node)
          continue
        }
        // A call answers nothing, and what is written already holds.
        guard command.demandSpan == command.command.span, node.expectedFailure == nil else { continue }
        let text = expectation(entry.answers[index], boundHere: bound)
        if !text.isEmpty { edits.append(Edit(span: Self.end(of: command), text: "  -> \(text)")) }
      }
    }
    for body in entry.definitions { for node in body { edits += changes(inBlock: node) } }
    return (Self.applied(edits, to: source), leftOut)
  }

  // MARK: Blocks

  /// Edits of everything inside a node.
  private func changes(inside node: Node) -> [Edit] {
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
  private func changes(inBlock node: Node) -> [Edit] {
    guard case .command(let command) = node.kind else { return changes(inside: node) }
    guard command.demandSpan == command.command.span, node.isEnabled, node.expectedFailure == nil,
      let answer = executor.answers?.answer(of: command)
    else { return [] }
    let end = Self.end(of: command)
    switch answer {
    case .ok: return []
    case .errno(let code): return [Edit(span: end, text: "  -> \(Errno(code: code).name)")]
    case .fault: return [Edit(span: end, text: "  -> fault")]
    case .blocked: return [Edit(span: end, text: "  -> blocked")]
    case .various:
      let start = node.place.span.start
      return [Edit(span: Span(start, start), text: "? ")]
    }
  }

  private func changes(of run: RunNode, _ node: Node) -> [Edit] {
    guard case .anything = run.demand.outcome, executor.answers?.answer(of: run) == .blocked else {
      return []
    }
    return [Edit(span: Span(node.place.span.end, node.place.span.end), text: "  -> blocked")]
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
  private func replaced(_ command: CommandNode, by text: String) -> [Edit] {
    let clause = text.isEmpty ? "-> ok" : "-> \(text)"
    // A mark stands in front of the command, an expectation behind it.
    guard command.demandSpan.start < command.command.span.start else {
      return [Edit(span: command.demandSpan, text: clause)]
    }
    return [Edit(span: command.demandSpan, text: ""), Edit(span: Self.end(of: command), text: "  \(clause)")]
  }

  // MARK: Text

  private static func applied(_ edits: [Edit], to source: SourceFile) -> String {
    var text: [UInt8] = []
    var position = 0
    for edit in edits.sorted(by: { ($0.span.start, $0.span.end) < ($1.span.start, $1.span.end) }) {
      guard Int(edit.span.start) >= position else { continue }
      text += source.bytes[position..<Int(edit.span.start)]
      text += edit.text.utf8
      position = Int(edit.span.end)
    }
    text += source.bytes[position...]
    return String(decoding: text, as: UTF8.self)
  }

  /// A statement as a comment; a block becomes several lines of it.
  private static func commented(_ text: String, _ why: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return "# \(why): " + lines.joined(separator: "\n#   ")
  }
}
