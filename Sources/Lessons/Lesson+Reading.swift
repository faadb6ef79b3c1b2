// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
public import Language

extension Lesson {
  /// Why a script is no lesson.
  public struct Mistake: Error, Sendable {
    public let line: Int
    public let why: String
  }

  /// What the comments in front of a statement say.
  private struct Remarks {
    var prose: [String] = []
    var task: String?
    var hints: [String] = []
    var exercise: String?
    var isEmpty: Bool { prose.isEmpty && task == nil && hints.isEmpty && exercise == nil }

    private enum Part {
      case prose, task, hint, exercise
    }
    private var part: Part?

    /// A line of a comment, without its sign; nil for a gap.
    mutating func add(_ line: String?) {
      guard let line else {
        part = nil
        return
      }
      func rest(_ sign: String) -> String? {
        line.hasPrefix(sign) ? String(line.dropFirst(sign.count).drop { $0 == " " }) : nil
      }
      if let text = rest("Try:") {
        task = text
        part = .task
      } else if let text = rest("Hint:") {
        hints.append(text)
        part = .hint
      } else if let text = rest("On your own:") {
        exercise = text
        part = .exercise
      } else {
        switch part {
        case nil:
          prose.append(line)
          part = .prose
        case .prose: prose[prose.count - 1] += " " + line
        case .task: task? += " " + line
        case .hint: hints[hints.count - 1] += " " + line
        case .exercise: exercise? += " " + line
        }
      }
    }
  }

  /// Reads a lesson.
  public init(_ source: SourceFile) throws(Mistake) {
    let (file, problems) = Parser.parse(source)
    if let problem = problems.first(where: { $0.severity == .error }) {
      throw Mistake(line: source.line(of: problem.span.start), why: problem.message)
    }
    var comments = Lexer.tokenize(source).0.comments.map(\.span)[...]
    func remarks(before offset: UInt32) -> Remarks {
      var remarks = Remarks()
      var lastLine: Int?
      while let comment = comments.first, comment.start < offset {
        comments.removeFirst()
        let line = source.line(of: comment.start)
        // Behind a statement it is about the statement.
        guard source.lineSpan(line).start == comment.start else { continue }
        if let lastLine, line > lastLine + 1 { remarks.add(nil) }
        let text = source.text(comment).drop { $0 == "#" }.drop { $0 == " " }
        remarks.add(text.isEmpty ? nil : String(text))
        lastLine = line
      }
      return remarks
    }
    var steps: [Step] = []
    var head: [String] = []
    var pending: Remarks?
    for statement in file.statements {
      var found = remarks(before: statement.span.start)
      if head.isEmpty, let first = found.prose.first {
        head = [first]
        found.prose.removeFirst()
      }
      // What it takes to run says nothing to do.
      if case .require = statement.kind {
        pending = found
        continue
      }
      if let earlier = pending, !earlier.isEmpty { found.prose = earlier.prose + found.prose }
      pending = nil
      if found.task == nil, !found.hints.isEmpty {
        throw Mistake(line: source.line(of: statement.span.start), why: "a hint, and nothing to try")
      }
      if found.task != nil, found.hints.isEmpty {
        throw Mistake(line: source.line(of: statement.span.start), why: "something to try, and no hint")
      }
      steps.append(Self.step(statement, found, source))
    }
    let end = remarks(before: UInt32.max)
    guard let (number, title, summary) = Self.head(head.first ?? "") else {
      throw Mistake(line: 2, why: "it begins with '# Lesson N: TITLE.' and '# Teaches: ...'")
    }
    guard let exercise = end.exercise else {
      throw Mistake(line: source.lineCount, why: "it ends with '# On your own: ...'")
    }
    self.number = number
    self.title = title
    self.summary = summary
    self.steps = steps
    self.closing = end.prose
    self.exercise = exercise
    self.source = source
  }

  private static func step(_ statement: Statement, _ remarks: Remarks, _ source: SourceFile) -> Step {
    var typed = source.text(statement.span)
    var names: [String] = []
    switch statement.kind {
    case .command(let command):
      names = command.bindings.map(\.text)
      let patterns = (command.expectation?.checks ?? []).flatMap { Self.names(in: $0.pattern) }
      names += patterns
      if let clause = command.expectation, patterns.isEmpty {
        typed = source.text(Span(statement.span.start, clause.span.start))
        while typed.last == " " { typed.removeLast() }
      }
      if let word = command.command.namedWord { names.append(word.text) }
    case .value(let value): names = [value.name.text]
    default: break
    }
    return Step(
      prose: remarks.prose, task: remarks.task, hints: remarks.hints,
      statement: source.text(statement.span), typed: typed, names: names.filter { $0 != "_" })
  }

  /// The names that a pattern binds.
  private static func names(in pattern: Pattern) -> [String] {
    switch pattern.kind {
    case .binding(let symbol): [symbol.text]
    case .ordered(let parts), .unordered(let parts): parts.flatMap { names(in: $0) }
    case .record(let checks): checks.flatMap { names(in: $0.pattern) }
    case .value, .none, .gap: []
    }
  }

  /// `Lesson 1: what an IOAS is. Teaches: ...`
  private static func head(_ text: String) -> (number: Int, title: String, summary: String)? {
    guard text.hasPrefix("Lesson "), let colon = text.firstIndex(of: ":"),
      let number = Int(text[..<colon].dropFirst("Lesson ".count)),
      let sign = text.firstRange(of: " Teaches: ")
    else { return nil }
    func trimmed(_ text: Substring) -> String {
      String((text.last == "." ? text.dropLast() : text).drop { $0 == " " })
    }
    return (
      number, trimmed(text[text.index(after: colon)..<sign.lowerBound]), trimmed(text[sign.upperBound...])
    )
  }
}
