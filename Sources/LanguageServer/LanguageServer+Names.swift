// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import JSON
internal import Language

// Where a name is bound, where it is used, and giving it another one.

extension LanguageServer {
  /// `textDocument/definition`
  func define(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    let inclusion = index.inclusions.first {
      $0.source === document.source && $0.span.start <= offset && offset <= $0.span.end
    }
    if let inclusion { return location(.zero, in: inclusion.included, index) }
    guard let name = index.name(at: offset), let definition = index.definition(of: name) else { return .null }
    return location(definition.word, in: definition.source, index)
  }

  /// `textDocument/references`
  func refer(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    guard let name = index.name(at: offset) else { return .null }
    let withBindings = parameters["context"]?["includeDeclaration"]?.bool ?? true
    return .list(
      index.places(of: name).filter { $0.spellsItself && (withBindings || $0.role == .use) }.map {
        location($0.word, in: $0.source, index)
      })
  }

  /// `textDocument/documentHighlight`
  func highlight(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    guard let name = index.name(at: offset) else { return .null }
    return .list(
      index.places(of: name).filter { $0.spellsItself && $0.source === document.source }.map {
        // Read or written.
        ["range": range($0.word, in: document.source).json, "kind": $0.role == .use ? 2 : 3]
      })
  }

  /// `textDocument/prepareRename`
  func prepareRename(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    guard let name = index.name(at: offset), name.spellsItself else { return .null }
    _ = try renamed(name, document, index)
    return ["range": range(name.word, in: document.source).json, "placeholder": .text(name.text)]
  }

  /// `textDocument/rename`
  func rename(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let index = index(document)
    guard let newName = parameters["newName"]?.text, Self.isName(newName) else {
      throw ResponseError(.invalidParams, "a name is made of letters, digits and _, and begins with no digit")
    }
    guard let name = index.name(at: offset), name.spellsItself else {
      throw ResponseError(.requestFailed, "there is no name here")
    }
    let places = try renamed(name, document, index)
    var bytes = document.source.bytes
    for place in places.reversed() {
      bytes.replaceSubrange(Int(place.start)..<Int(place.end), with: newName.utf8)
    }
    let after = ScriptIndex(
      SourceFile(name: document.name, bytes: bytes), loader: loader, environment: environment)
    guard Self.means(after, theSameAs: index) else {
      throw ResponseError(.requestFailed, "with '\(newName)' the script would mean something else")
    }
    let edits = places.map { edit($0, newName, document) }
    return ["changes": .object([(document.uri, .list(edits))])]
  }

  func edit(_ span: Span, _ text: String, _ document: Document) -> JSONValue {
    ["range": range(span, in: document.source).json, "newText": .text(text)]
  }

  /// What to replace where a name is renamed, in the order of the text.
  ///
  /// - Throws: where not every place can be known, or some are in another file.
  private func renamed(_ name: ScriptIndex.Name, _ document: Document, _ index: ScriptIndex)
    throws(ResponseError) -> [Span]
  {
    let places = index.places(of: name)
    if let other = places.first(where: { $0.source !== document.source }) {
      throw ResponseError(.requestFailed, "'\(other.source.name)' has the name, too")
    }
    guard places.allSatisfy(\.spellsItself) else {
      throw ResponseError(.requestFailed, "the name comes from another file")
    }
    let known = Set(index.names.filter { $0.source === document.source }.map(\.word))
    let unread = Lexer.tokenize(document.source).0.tokens.first { token in
      let isName =
        switch name.subject {
        case .variable: token.kind == .variable
        case .procedure, .thread: token.kind == .word && index.hasErrors
        }
      guard isName else { return false }
      let word = token.kind == .variable ? Span(token.offset + 1, token.end) : token.span
      return document.source.text(word) == name.text && !known.contains(word)
    }
    if let unread {
      let line = document.source.line(of: unread.offset)
      throw ResponseError(
        .requestFailed, "what '\(name.text)' means in line \(line) cannot be told; mend it first")
    }
    return places.map(\.word).sorted { $0.start < $1.start }
  }

  /// Every name stands for what it stood for, and the same is reported.
  private static func means(_ after: ScriptIndex, theSameAs before: ScriptIndex) -> Bool {
    after.names.count == before.names.count
      && zip(after.names, before.names).allSatisfy { $0.subject == $1.subject && $0.role == $1.role }
      && after.diagnostics.map(\.code) == before.diagnostics.map(\.code)
  }

  private static func isName(_ text: String) -> Bool {
    text.utf8.count <= 256
      && text.utf8.enumerated().allSatisfy { offset, byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
          true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): offset > 0
        default: false
        }
      } && !text.isEmpty
  }
}
