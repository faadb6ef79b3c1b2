// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import JSON
internal import Language

// The outline, what can be folded, and the layout.

/// A node of the outline.
private struct Symbol {
  let name: String
  let detail: String
  /// `SymbolKind`
  let kind: Int
  var span: Span
  let word: Span
  var children: [Symbol] = []
}

extension LanguageServer {
  /// `textDocument/documentSymbol`
  func symbols(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let document = try document(parameters)
    let found = Self.symbols(index(document).file.statements)
    return .list(
      client.nestsSymbols
        ? found.map { nested($0, document) } : found.flatMap { flat($0, container: nil, document) })
  }

  private static func symbols(_ statements: [Statement]) -> [Symbol] {
    var all: [Symbol] = []
    // What follows a section belongs to it.
    var section: Symbol?
    func add(_ symbol: Symbol) {
      if section != nil { section?.children.append(symbol) } else { all.append(symbol) }
    }
    for statement in statements {
      if case .section(let name) = statement.kind {
        if let section { all.append(section) }
        section = Symbol(name: name.text, detail: "section", kind: 3, span: statement.span, word: name.span)
        continue
      }
      if let last = section?.span { section?.span = last.joined(statement.span) }
      for symbol in symbols(statement) { add(symbol) }
    }
    if let section { all.append(section) }
    return all
  }

  private static func symbols(_ statement: Statement) -> [Symbol] {
    func symbol(_ name: String, _ detail: String, _ kind: Int, _ word: Span, _ body: Block? = nil) -> Symbol {
      Symbol(
        name: name.isEmpty ? "\"\"" : name, detail: detail, kind: kind, span: statement.span, word: word,
        children: body.map { symbols($0.statements) } ?? [])
    }
    switch statement.kind {
    case .test(let test): return [symbol(test.name.text, "test", 6, test.name.span, test.body)]
    case .definition(let definition):
      let parameters = definition.parameters.map(\.name.text).joined(separator: ", ")
      return [
        symbol(definition.name.text, "(\(parameters))", 12, definition.name.span, definition.body)
      ]
    case .thread(let thread): return [symbol(thread.name.text, "thread", 24, thread.name.span, thread.body)]
    case .parameter(let parameter):
      return [symbol(parameter.name.text, parameter.type.rawValue, 14, parameter.name.span)]
    case .value(let value):
      return [symbol(value.name.text, Printer.text(value.value), 13, value.name.span)]
    case .command(let command):
      let words = command.command.words.map(\.text)
      let verb = VerbTable.find(words)?.verb.name ?? words[0]
      return command.bindings.map { symbol($0.text, verb, 13, $0.span) }
    default: return statement.blocks.flatMap { symbols($0.statements) }
    }
  }

  private func nested(_ symbol: Symbol, _ document: Document) -> JSONValue {
    [
      "name": .text(symbol.name), "detail": .text(symbol.detail), "kind": .number(symbol.kind),
      "range": range(symbol.span, in: document.source).json,
      "selectionRange": range(symbol.word, in: document.source).json,
      "children": .list(symbol.children.map { nested($0, document) }),
    ]
  }

  /// `SymbolInformation`, for clients that know no other.
  private func flat(_ symbol: Symbol, container: String?, _ document: Document) -> [JSONValue] {
    var members: [(name: String, value: JSONValue)] = [
      ("name", .text(symbol.name)), ("kind", .number(symbol.kind)),
      ("location", ["uri": .text(document.uri), "range": range(symbol.span, in: document.source).json]),
    ]
    if let container { members.append(("containerName", .text(container))) }
    return [.object(members)] + symbol.children.flatMap { flat($0, container: symbol.name, document) }
  }

  // MARK: Folding

  /// `textDocument/foldingRange`: blocks, sections, comments of several lines, files of the archive tail.
  func fold(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let document = try document(parameters)
    let file = index(document).file
    let source = document.source
    var folds: [JSONValue] = []
    func add(_ first: Int, _ last: Int, _ kind: String? = nil) {
      guard last > first else { return }
      var members: [(name: String, value: JSONValue)] = [
        ("startLine", .number(first - 1)), ("endLine", .number(last - 1)),
      ]
      if let kind { members.append(("kind", .text(kind))) }
      folds.append(.object(members))
    }
    file.statements.forEachNested { statement in
      for block in statement.blocks {
        // The line of the closing brace stays in sight.
        add(source.line(of: block.span.start), source.line(of: max(block.span.start, block.span.end - 1)) - 1)
      }
      if case .expectTrace(let trace) = statement.kind {
        let span = trace.body.span
        add(source.line(of: span.start), source.line(of: max(span.start, span.end - 1)) - 1)
      }
    }
    for fold in Self.sections(file, source) { add(fold.first, fold.last, "region") }
    for run in Self.comments(source) { add(run.first, run.last, "comment") }
    for member in file.archive {
      let last = source.line(of: member.content.end)
      add(
        source.line(of: member.name.span.start),
        source.lineSpan(last).start == member.content.end && last > 1 ? last - 1 : last)
    }
    return .list(folds)
  }

  private static func sections(_ file: ScriptFile, _ source: SourceFile) -> [(first: Int, last: Int)] {
    var sections: [(first: Int, last: Int)] = []
    func collect(_ statements: [Statement]) {
      var first: Int?
      var last = 0
      func end() { if let first { sections.append((first, last)) } }
      for statement in statements {
        if case .section = statement.kind {
          end()
          first = source.line(of: statement.span.start)
        }
        last = source.line(of: max(statement.span.start, statement.span.end - 1))
        if case .test(let test) = statement.kind { collect(test.body.statements) }
      }
      end()
    }
    collect(file.statements)
    return sections
  }

  /// Runs of lines that are comments and nothing else.
  private static func comments(_ source: SourceFile) -> [(first: Int, last: Int)] {
    var runs: [(first: Int, last: Int)] = []
    for comment in Lexer.tokenize(source).0.comments where !comment.isTrailing {
      let line = source.line(of: comment.span.start)
      if let last = runs.last, last.last == line - 1 {
        runs[runs.count - 1].last = line
      } else {
        runs.append((line, line))
      }
    }
    return runs
  }

  // MARK: Layout

  /// `textDocument/formatting`: there is one layout, whatever the options; null for what cannot be read.
  func format(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let document = try document(parameters)
    guard let text = Formatter.format(document.source).text else { return .null }
    let old = document.source.bytes
    guard text != old else { return [] }
    // The lines in the middle that differ.
    var start = 0
    while start < min(old.count, text.count), old[start] == text[start] { start += 1 }
    while start > 0, old[start - 1] != 0x0A { start -= 1 }
    var end = 0
    while end < min(old.count, text.count) - start, old[old.count - 1 - end] == text[text.count - 1 - end] {
      end += 1
    }
    while end > 0,
      old[old.count - 1 - end] != 0x0A || text.count - end > start && text[text.count - 1 - end] != 0x0A
    {
      end -= 1
    }
    let span = Span(UInt32(clamping: start), UInt32(clamping: old.count - end))
    return [edit(span, String(decoding: text[start..<(text.count - end)], as: UTF8.self), document)]
  }
}
