// SPDX-License-Identifier: GPL-3.0-or-later

// `iofd fmt`: one layout for all scripts. The tree is printed again, two spaces a level, comments back in
// their places, at most one blank line in a row, the `->` clauses of neighbouring lines under each other.
// Line breaks inside brackets and after `\` stay where the author put them. A statement with a comment
// inside its brackets is left exactly as written, since only its author knows what the comment is about.
//
// Two promises, both tested on everything that parses: the tree does not change, and a second pass changes
// nothing.

/// Lays out scripts.
public struct Formatter {
  /// The width up to which arrows are lined up and one-line blocks are kept.
  static let width = 100

  /// The canonical layout of a script, or nil and the reasons when it does not parse.
  public static func format(_ source: SourceFile) -> (text: [UInt8]?, diagnostics: [Diagnostic]) {
    let (file, diagnostics) = Parser.parse(source)
    if diagnostics.contains(where: { $0.severity == .error }) { return (nil, diagnostics) }
    let (list, _) = Lexer.tokenize(source)
    var formatter = Formatter(source: source, comments: list.comments)
    if file.version != nil {
      formatter.putVersion(list.tokens, before: file.statements.first?.span.start ?? UInt32.max)
    }
    formatter.put(file.statements, indent: 0)
    formatter.putComments(before: UInt32.max, indent: 0)
    var text = Array(formatter.text.utf8)
    if let start = list.archiveStart { text += source.bytes[Int(start)...] }
    return (text, diagnostics)
  }

  static func text(_ statement: Statement) -> String {
    var formatter = Formatter(source: nil, comments: [])
    formatter.put(statement, indent: 0)
    return String(formatter.text.dropLast())
  }

  /// One line to be, in parts, so that arrows can be lined up.
  private struct Line {
    var text: String
    var expectation: String?
    var comment: String?

    var isOneLine: Bool { !text.utf8.contains(0x0A) }

    /// Cells up to where the arrow may go.
    var width: Int { text.unicodeScalars.reduce(0) { DisplayWidth.advance($0, over: $1.value) } }
  }

  private let source: SourceFile?
  private let comments: [Comment]
  private var nextComment = 0
  private var lines: [Line] = []
  /// Where the last thing that was put ended, for blank lines; nil at the beginning of a block.
  private var lastEnd: UInt32?

  private init(source: SourceFile?, comments: [Comment]) {
    self.source = source
    self.comments = comments
  }

  // MARK: Lines

  private var text: String {
    var result = ""
    var index = 0
    while index < lines.count {
      var end = index + 1
      var column = 0
      if lines[index].expectation != nil {
        end = index
        while end < lines.count, let expectation = lines[end].expectation, lines[end].isOneLine {
          let width = lines[end].width
          let widest = max(column, width)
          if end > index && widest + 3 + expectation.count > Self.width { break }
          column = widest
          end += 1
        }
        end = max(end, index + 1)
      }
      for line in lines[index..<end] {
        result += line.text
        if let expectation = line.expectation {
          let padding = line.isOneLine ? max(0, column - line.width) : 0
          result += String(repeating: " ", count: padding + 2) + expectation
        }
        if let comment = line.comment { result += (line.text.isEmpty ? "" : "  ") + comment }
        result += "\n"
      }
      index = end
    }
    return result
  }

  private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

  private mutating func putBlankLine(before start: UInt32) {
    guard let source, let lastEnd, source.line(of: start) > source.line(of: lastEnd) + 1 else { return }
    lines.append(Line(text: ""))
  }

  /// Comments on lines of their own in front of an offset.
  private mutating func putComments(before offset: UInt32, indent: Int) {
    guard let source else { return }
    while nextComment < comments.count, comments[nextComment].span.start < offset {
      let comment = comments[nextComment].span
      putBlankLine(before: comment.start)
      lines.append(Line(text: spaces(indent) + source.text(comment)))
      lastEnd = comment.end
      nextComment += 1
    }
  }

  /// The comment that trails what ended at `end`, unless something else comes before it.
  private mutating func putTrailingComment(after end: UInt32, before limit: UInt32) {
    guard let source, nextComment < comments.count, !lines.isEmpty else { return }
    let comment = comments[nextComment].span
    guard comment.start >= end, comment.start < limit, source.line(of: comment.start) == source.line(of: end)
    else {
      return
    }
    lines[lines.count - 1].comment = source.text(comment)
    nextComment += 1
  }

  private func hasComment(in span: Span) -> Bool {
    comments[nextComment...].first { $0.span.start >= span.start }.map { $0.span.start < span.end } ?? false
  }

  private mutating func putVersion(_ tokens: [Token], before limit: UInt32) {
    let words = tokens.filter { $0.kind != .newline }.prefix(2)
    guard let first = words.first, let last = words.last, let source else { return }
    putComments(before: first.offset, indent: 0)
    lines.append(Line(text: source.text(first.span) + " " + source.text(last.span)))
    lastEnd = last.end
    putTrailingComment(after: last.end, before: limit)
  }

  // MARK: Statements

  private mutating func put(_ statements: [Statement], indent: Int) {
    for (index, statement) in statements.enumerated() {
      putComments(before: statement.span.start, indent: indent)
      putBlankLine(before: statement.span.start)
      put(statement, indent: indent)
      lastEnd = statement.span.end
      let limit = index + 1 < statements.count ? statements[index + 1].span.start : UInt32.max
      putTrailingComment(after: statement.span.end, before: limit)
    }
  }

  private mutating func put(_ statement: Statement, indent: Int) {
    switch statement.kind {
    case .test, .loop, .definition, .conditional, .thread, .explore, .parallel, .injection,
      .expectTrace:
      return putBlocks(of: statement, indent: indent)
    case .deferred(let block) where !isShort(block): return putBlocks(of: statement, indent: indent)
    default: break
    }
    if putAsWritten(statement.span, indent: indent) { return }
    var printer = printer(indent)
    putCondition(statement, &printer)
    let expectation = Self.putSimple(statement.kind, &printer)
    lines.append(Line(text: printer.text, expectation: expectation))
  }

  /// What has a comment inside stays as it is.
  private mutating func putAsWritten(_ span: Span, indent: Int) -> Bool {
    guard let source, hasComment(in: span) else { return false }
    lines.append(Line(text: spaces(indent) + withoutReturns(source.text(span))))
    while nextComment < comments.count, comments[nextComment].span.start < span.end { nextComment += 1 }
    return true
  }

  /// Line ends are `\n` throughout.
  private func withoutReturns(_ text: String) -> String {
    String(decoding: text.utf8.filter { $0 != 0x0D }, as: UTF8.self)
  }

  private func printer(_ indent: Int) -> Printer {
    var printer = Printer(source: source, indent: indent)
    printer.put(spaces(indent))
    return printer
  }

  private func putCondition(_ statement: Statement, _ printer: inout Printer) {
    guard let condition = statement.condition else { return }
    printer.put("[")
    printer.put(condition)
    printer.put("] ")
  }

  /// A statement without a block. Returns its `->` clause, which is put later.
  private static func putSimple(_ kind: Statement.Kind, _ printer: inout Printer) -> String? {
    switch kind {
    case .command(let statement):
      if let failure = statement.expectedFailure {
        printer.put(failure)
        printer.put(" ")
      }
      if let mark = statement.mark { printer.put(mark.kind == .mustFail ? "! " : "? ") }
      if !statement.bindings.isEmpty {
        printer.putBindings(statement.bindings)
        printer.put(" = ")
      }
      printer.put(statement.command)
      guard let expectation = statement.expectation else { return nil }
      var clause = Printer(source: printer.source, indent: printer.indent)
      clause.put(expectation)
      return clause.text
    case .value(let statement):
      printer.put(statement.name.text + " = ")
      printer.put(statement.value, .spaces)
    case .expect(let statement):
      if let failure = statement.expectedFailure {
        printer.put(failure)
        printer.put(" ")
      }
      printer.put(statement)
    case .section(let title):
      printer.put("section ")
      printer.put(title)
    case .include(let include):
      printer.put("include ")
      printer.put(include.path)
      for (index, argument) in include.arguments.enumerated() {
        printer.put(index == 0 ? " with " : ", ")
        printer.put(argument)
      }
    case .export(let names):
      printer.put("export ")
      printer.putBindings(names)
    case .parameter(let parameter):
      printer.put("param \(parameter.name.text): \(parameter.type.rawValue)")
      if let domain = parameter.domain {
        printer.put(" in ")
        printer.put(domain, .spaces)
      }
      if let value = parameter.defaultValue {
        printer.put(" = ")
        printer.put(value, .spaces)
      }
    case .require(let condition):
      printer.put("require ")
      printer.put(condition)
    case .expectedFailure(let failure): printer.put(failure)
    case .run(let run):
      printer.put(run)
      guard let expectation = run.expectation else { return nil }
      var clause = Printer(source: printer.source, indent: printer.indent)
      clause.put(expectation)
      return clause.text
    case .deferred(let block):
      printer.put("defer ")
      guard let inner = block.statements.first else { return nil }
      if let condition = inner.condition {
        printer.put("[")
        printer.put(condition)
        printer.put("] ")
      }
      return putSimple(inner.kind, &printer)
    case .test, .loop, .definition, .conditional, .thread, .explore, .parallel, .injection, .expectTrace:
      break
    }
    return nil
  }

  // MARK: Blocks

  /// A deferred block of one plain statement is written without braces.
  private func isShort(_ block: Block) -> Bool {
    guard block.statements.count == 1, let statement = block.statements.first, !hasComment(in: block.span)
    else {
      return false
    }
    switch statement.kind {
    case .test, .loop, .definition, .conditional, .injection, .deferred, .thread, .explore, .parallel,
      .expectTrace:
      return false
    default: return true
    }
  }

  private mutating func putBlocks(of statement: Statement, indent: Int) {
    var printer = printer(indent)
    putCondition(statement, &printer)
    let start = statement.span.start
    switch statement.kind {
    case .test(let test):
      printer.put("test ")
      printer.put(test.name)
      for option in test.options {
        printer.put(" ")
        printer.put(option)
      }
      put(test.body, header: printer.text, from: start, indent: indent)
    case .loop(let loop):
      printer.put("for \(loop.variable.text) in ")
      printer.put(loop.values, .spaces)
      put(loop.body, header: printer.text, from: start, indent: indent)
    case .definition(let definition):
      printer.put("def \(definition.name.text)(")
      for (index, parameter) in definition.parameters.enumerated() {
        printer.put((index > 0 ? ", " : "") + parameter.name.text)
        if let value = parameter.defaultValue {
          printer.put("=")
          printer.put(value, .commas)
        }
      }
      printer.put(")")
      put(definition.body, header: printer.text, from: start, indent: indent)
    case .conditional(let conditional):
      put(conditional, header: printer.text, from: start, indent: indent)
    case .thread(let thread):
      printer.put("thread \(thread.name.text)")
      put(thread.body, header: printer.text, from: start, indent: indent)
    case .explore(let explore):
      printer.put("explore")
      for option in explore.options {
        printer.put(" ")
        printer.put(option)
      }
      put(explore.body, header: printer.text, from: start, indent: indent)
      if let expectation = explore.expectation {
        var clause = Printer(source: source, indent: indent)
        clause.put(expectation)
        lines[lines.count - 1].expectation = clause.text
      }
    case .expectTrace(let expectation):
      if let failure = expectation.expectedFailure {
        printer.put(failure)
        printer.put(" ")
      }
      printer.put("expect trace")
      put(expectation.body, header: printer.text, from: start, indent: indent)
    case .parallel(let block):
      printer.put("parallel")
      put(block, header: printer.text, from: start, indent: indent)
    case .injection(let injection):
      printer.put(injection.kind.rawValue)
      for option in injection.options {
        printer.put(" ")
        printer.put(option)
      }
      put(injection.body, header: printer.text, from: start, indent: indent)
      guard let expectation = injection.expectation else { return }
      // Not lined up with others: it belongs to the brace.
      var clause = Printer(source: source, indent: indent)
      clause.put(expectation)
      lines[lines.count - 1].text += "  " + clause.text
    case .deferred(let block):
      printer.put("defer")
      put(block, header: printer.text, from: start, indent: indent)
    default: break
    }
  }

  private mutating func put(
    _ conditional: ConditionalStatement, header: String, from start: UInt32, indent: Int
  ) {
    var begin = start
    for (index, arm) in conditional.arms.enumerated() {
      var printer = Printer(source: source, indent: indent)
      printer.put(index == 0 ? header + "if " : " else if ")
      printer.put(arm.condition)
      put(arm.body, header: printer.text, from: begin, indent: indent, continues: index > 0)
      begin = arm.body.span.end
    }
    guard let otherwise = conditional.otherwise else { return }
    put(otherwise, header: " else", from: begin, indent: indent, continues: true)
  }

  /// A header, `{`, statements and `}`; `continues` puts the header behind the last line.
  private mutating func put(
    _ block: Block, header: String, from start: UInt32, indent: Int, continues: Bool = false
  ) {
    var header = header
    if hasComment(in: Span(start, block.span.start)), let source {
      let written = withoutReturns(source.text(Span(start, block.span.start)))
      header = (continues ? "" : spaces(indent)) + written
      while header.hasSuffix(" ") { header.removeLast() }
      while nextComment < comments.count, comments[nextComment].span.start < block.span.start {
        nextComment += 1
      }
    }
    if let line = oneLine(block, header) { return append(line, continues) }
    append(header + " {", continues)
    lastEnd = nil
    let first = block.statements.first?.span.start ?? block.span.end
    putTrailingComment(after: block.span.start, before: first)
    put(block.statements, indent: indent + 2)
    putComments(before: block.span.end, indent: indent + 2)
    lines.append(Line(text: spaces(indent) + "}"))
  }

  private mutating func append(_ text: String, _ continues: Bool) {
    if continues && !lines.isEmpty {
      lines[lines.count - 1].text += text
    } else {
      lines.append(Line(text: text))
    }
  }

  /// A block that its author wrote on one line, if it is simple and still fits.
  private func oneLine(_ block: Block, _ header: String) -> String? {
    guard let source, source.line(of: block.span.start) == source.line(of: block.span.end),
      !hasComment(in: block.span)
    else { return nil }
    if block.statements.isEmpty { return header + " {}" }
    guard block.statements.count == 1, let statement = block.statements.first else { return nil }
    switch statement.kind {
    case .test, .loop, .definition, .conditional, .thread, .explore, .parallel, .injection, .expectTrace:
      return nil
    case .deferred(let inner) where !isShort(inner): return nil
    default: break
    }
    var printer = Printer(source: source)
    putCondition(statement, &printer)
    let expectation = Self.putSimple(statement.kind, &printer)
    let line = header + " { " + printer.text + (expectation.map { "  " + $0 } ?? "") + " }"
    return line.count <= Self.width ? line : nil
  }
}
