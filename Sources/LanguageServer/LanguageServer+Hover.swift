// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Interpreter
internal import JSON
internal import Language

// What a word is: a name with what it holds and where it is bound, else the page about it, else a line. Behind it, the
// pages of the diagnostics at the place.

extension LanguageServer {
  /// `textDocument/hover`
  func hover(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    var pages: [Page] = []
    var span: Span?
    if let name = index.name(at: offset), name.spellsItself {
      pages.append(page(name, index))
      span = name.span
    } else if let token = Self.token(at: offset, document.source) {
      if let page = page(token, document, index) {
        pages.append(page)
        span = token.span
      }
    }
    var codes: Set<String> = []
    for diagnostic in document.report {
      let place = shownSpan(diagnostic, index)
      guard place.start <= offset, offset <= place.end, codes.insert(diagnostic.code.code).inserted,
        let page = Explain.page(diagnostic.code.code)
      else { continue }
      pages.append(Page(page))
      span = span ?? place
    }
    guard let span else { return .null }
    let text =
      client.readsMarkdown
      ? pages.map(\.markdown).joined(separator: "\n---\n\n") : pages.map(\.text).joined(separator: "\n")
    return [
      "contents": ["kind": client.readsMarkdown ? "markdown" : "plaintext", "value": .text(text)],
      "range": range(span, in: document.source).json,
    ]
  }

  /// The token at a place; of two that touch there, the one that is a word.
  static func token(at offset: UInt32, _ source: SourceFile) -> Token? {
    let touching = Lexer.tokenize(source).0.tokens.filter {
      $0.offset <= offset && offset <= $0.end && $0.length > 0 && $0.kind != .newline
    }
    return touching.first { $0.kind == .word } ?? touching.last
  }

  // MARK: Names

  private func page(_ name: ScriptIndex.Name, _ index: ScriptIndex) -> Page {
    let definition = index.definition(of: name)
    let heading =
      switch name.subject {
      case .variable: "$\(name.text)" + ((name.kind ?? definition?.kind).map { ": \($0.described)" } ?? "")
      case .procedure, .thread: definition.map { Self.lineText($0) } ?? name.text
      }
    guard let definition else { return Page(heading) }
    let place =
      definition.source === index.file.source
      ? "line \(definition.source.line(of: definition.span.start))"
      : "\(definition.source.name), line \(definition.source.line(of: definition.span.start))"
    let comment = Self.comment(above: definition)
    switch name.subject {
    case .variable:
      return Page("\(heading)\n\nBound in \(place).\n\n\(Self.lineText(definition))\n")
    case .procedure: return Page("\(heading)\n\nA procedure, defined in \(place).\n\(comment)")
    case .thread: return Page("\(heading)\n\nA thread, in \(place).\n\(comment)")
    }
  }

  private static func lineText(_ name: ScriptIndex.Name) -> String {
    let source = name.source
    return source.text(source.lineSpan(source.line(of: name.span.start))).trimmed
  }

  /// The comment lines directly above a definition, behind an empty line; empty where there are none.
  private static func comment(above name: ScriptIndex.Name) -> String {
    var line = name.source.line(of: name.span.start) - 1
    var lines: [String] = []
    while line > 0 {
      let text = name.source.text(name.source.lineSpan(line)).trimmed
      guard text.hasPrefix("#") else { break }
      lines.insert(text, at: 0)
      line -= 1
    }
    return lines.isEmpty ? "" : "\n" + lines.map { $0 + "\n" }.joined()
  }

  // MARK: Words

  private func page(_ token: Token, _ document: Document, _ index: ScriptIndex) -> Page? {
    guard token.kind == .word else { return nil }
    let word = document.source.text(token.span)
    var verb: Verb?
    if case .command(let command)? = index.file.statements.around(token.offset).last?.kind,
      let (found, count) = VerbTable.find(command.command.words.map(\.text))
    {
      if command.command.words.prefix(count).contains(where: { $0.span == token.span }) {
        return Explain.page(found.name).map { Page($0) }
      }
      verb = found
    }
    // The word itself, as completion would have offered it there.
    let candidate = completions(document, upTo: token.end).candidates.first {
      $0.text == word || $0.text == word + "=" || $0.text == word + "(" || $0.text == word + "()"
    }
    if let candidate {
      if let page = Self.topic(candidate).flatMap({ Explain.page($0) }) { return Page(page) }
      let owner = candidate.kind == .option ? verb.map { "Of '\($0.name)'." } : nil
      let lines = [candidate.summary, owner ?? ""].filter { !$0.isEmpty }
      if !lines.isEmpty { return Page("\(candidate.text)\n\n\(lines.joined(separator: "\n"))\n") }
    }
    // Where it stands, completion offers something else; an errno is one all the same, and a request's name.
    if CommandTopics.names.contains(word) || Keywords.Statement(rawValue: word) != nil
      || CommandTopics.isErrno(word)
    {
      return Explain.page(word).map { Page($0) }
    }
    return nil
  }
}

extension String {
  /// Without blanks at either end.
  fileprivate var trimmed: String {
    var text = self[...]
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
    return String(text)
  }
}
