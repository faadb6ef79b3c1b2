// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Language

// Update mode: clauses that do not hold are written anew from what came. Edits are byte ranges inside clauses; what
// becomes of a script is read again, and where anything outside of its clauses is not byte for byte what it was,
// nothing becomes of it. (Source: the language's design, section "update mode".)

/// What would have to change in the clauses of a script, so that it expects what it was answered.
public struct ScriptUpdate: Sendable {
  /// What a change does, the more careful a person has to be the greater.
  public enum Kind: Int, Comparable, Sendable {
    /// `-> ?` gets an answer.
    case filled
    /// One answer becomes another.
    case literal
    /// What accepted several answers, by a range or a wildcard, becomes one.
    case pattern
    /// What had to fail succeeds.
    case success

    public static func < (a: Kind, b: Kind) -> Bool { a.rawValue < b.rawValue }
  }

  /// One clause, changed.
  public struct Change: Sendable {
    /// Line of the clause.
    public let line: Int
    public let kind: Kind
    /// The lines that the clause stands on, without their last line end.
    public let before: String
    public let after: String
    let edits: [TextEdit]
  }

  /// A clause that does not hold and stays as it is.
  public struct Left: Sendable {
    public let line: Int
    public let why: String
  }

  /// The changed script would not be the same outside of its clauses.
  public struct Damage: Error, Sendable {
    public let why: String
  }

  public let source: SourceFile
  /// In the order of the source.
  public let changes: [Change]
  public let left: [Left]
  public let verdict: Verdict

  init(_ log: ClauseLog, _ verdict: Verdict) {
    source = log.source
    self.verdict = verdict
    var changes: [Change] = []
    var left: [Left] = []
    for (start, entry) in log.sorted {
      let line = log.source.line(of: start)
      if let other = entry.other {
        left.append(
          Left(
            line: line, why: "it is reached several times and answers '\(entry.first.said)' and '\(other)'"))
        continue
      }
      let parts = entry.first.parts.filter { $0.obstacle != nil || $0.text != log.source.text($0.span) }
      guard !parts.isEmpty else { continue }
      if let why = parts.lazy.compactMap(\.obstacle).first {
        left.append(Left(line: line, why: why))
        continue
      }
      let edits = parts.map { TextEdit($0.span, $0.text) }
      let (before, after) = Self.lines(of: edits, log.source)
      changes.append(
        Change(
          line: line, kind: parts.map(\.kind).max() ?? .literal, before: before, after: after, edits: edits))
    }
    self.changes = changes
    self.left = left
  }

  /// The lines around edits, as they are and as they would be.
  private static func lines(of edits: [TextEdit], _ source: SourceFile) -> (before: String, after: String) {
    let first = edits.map { source.line(of: $0.span.start) }.min() ?? 1
    let last = edits.map { source.line(of: max($0.span.start, $0.span.end &- 1)) }.max() ?? first
    let span = source.lineSpan(first).joined(source.lineSpan(last))
    let piece = SourceFile(name: "", bytes: Array(source.bytes[Int(span.start)..<Int(span.end)]))
    let moved = edits.map {
      TextEdit(Span($0.span.start - span.start, $0.span.end - span.start), $0.text)
    }
    return (
      source.text(span), String(decoding: TextEdit.applied(moved, to: piece), as: UTF8.self)
    )
  }

  /// The script with some of the changes made, which has been read again.
  public func applied(_ chosen: [Change]) throws(Damage) -> SourceFile {
    let bytes = TextEdit.applied(chosen.flatMap(\.edits), to: source)
    let changed = SourceFile(name: source.name, bytes: bytes)
    let (old, _) = Parser.parse(source)
    let (new, problems) = Parser.parse(changed)
    if let problem = problems.first(where: { $0.severity == .error }) {
      throw Damage(
        why: "line \(changed.line(of: problem.span.start)) could not be read any more: \(problem.message)")
    }
    guard Self.withoutClauses(old) == Self.withoutClauses(new) else {
      throw Damage(why: "something outside of the '->' clauses would have changed")
    }
    return changed
  }

  /// A script's bytes with one byte for each clause, and without marks.
  private static func withoutClauses(_ file: ScriptFile) -> [UInt8] {
    var edits: [TextEdit] = []
    let bytes = file.source.bytes
    file.statements.forEachNested { statement in
      if let clause = statement.expectation { edits.append(TextEdit(clause.span, "\0")) }
      if case .command(let command) = statement.kind, let mark = command.mark {
        var end = Int(mark.span.end)
        while end < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
        edits.append(TextEdit(Span(mark.span.start, UInt32(end)), ""))
      }
    }
    return TextEdit.applied(edits, to: file.source)
  }
}

extension Interpreter {
  /// Runs a script and says what its clauses would have to be. What it prints and traces goes nowhere.
  public static func update(
    _ source: SourceFile, loader: any ScriptLoader, options: RunOptions = RunOptions(),
    makeRig: @escaping () throws -> Rig
  ) -> ScriptUpdate {
    let log = ClauseLog(Parser.parse(source).0)
    var options = options
    options.clauses = log
    options.output = nil
    options.trace = nil
    options.observer = nil
    let result = run(source, loader: loader, options: options, makeRig: makeRig)
    return ScriptUpdate(log, result.verdict)
  }
}
