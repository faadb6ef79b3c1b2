// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import JSON
internal import Language

// What is open, what is wrong with it, and where.

/// Scripts for includes: those that are open come from the editor.
private struct OpenLoader: ScriptLoader {
  let documents: [String: Document]
  let host: any ServerHost

  func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    let place = host.place(path, from: origin)
    if let document = documents.values.first(where: { $0.name == place }) { return document.source }
    return try host.load(path, from: origin)
  }
}

extension LanguageServer {
  // MARK: Notifications

  func opened(_ parameters: JSONValue) {
    guard let item = parameters["textDocument"], let uri = item["uri"]?.text, let text = item["text"]?.text
    else { return }
    let name = DocumentURI.path(uri).map { host.place($0, from: nil) } ?? uri
    documents[uri] = Document(uri: uri, name: name, version: item["version"]?.number, text: text)
    forgetIncluders(of: name)
  }

  func changed(_ parameters: JSONValue) {
    guard let document = parameters["textDocument"]?["uri"]?.text.flatMap({ documents[$0] }) else { return }
    document.change(
      parameters["contentChanges"]?.items ?? [], version: parameters["textDocument"]?["version"]?.number,
      encoding)
    forgetIncluders(of: document.name)
  }

  /// Files that it includes may have been saved by somebody else.
  func saved(_ parameters: JSONValue) {
    for document in documents.values where document.index?.inclusions.isEmpty == false { document.forget() }
  }

  func closed(_ parameters: JSONValue) {
    guard
      let document = parameters["textDocument"]?["uri"]?.text.flatMap({ documents.removeValue(forKey: $0) })
    else { return }
    notify("textDocument/publishDiagnostics", ["uri": .text(document.uri), "diagnostics": []])
    forgetIncluders(of: document.name)
  }

  /// Scripts that include others are read again. One that could not find a file may find it now.
  private func forgetIncluders(of name: String) {
    for document in documents.values where document.name != name {
      guard let index = document.index else { continue }
      let includes = index.file.statements.contains { if case .include = $0.kind { true } else { false } }
      if includes || !index.inclusions.isEmpty { document.forget() }
    }
  }

  // MARK: Reading

  /// The document that a request is about.
  func document(_ parameters: JSONValue) throws(ResponseError) -> Document {
    guard let uri = parameters["textDocument"]?["uri"]?.text else {
      throw ResponseError(.invalidParams, "the request names no document")
    }
    guard let document = documents[uri] else {
      throw ResponseError(.invalidParams, "'\(uri)' is not open")
    }
    return document
  }

  /// The document and the place in it that a request is about.
  func place(_ parameters: JSONValue) throws(ResponseError) -> (Document, offset: UInt32) {
    let document = try document(parameters)
    guard let position = parameters["position"].flatMap({ TextPosition($0) }) else {
      throw ResponseError(.invalidParams, "the request names no position")
    }
    return (document, UInt32(clamping: document.positions.offset(of: position, encoding)))
  }

  var loader: any ScriptLoader { OpenLoader(documents: documents, host: host) }

  func index(_ document: Document) -> ScriptIndex {
    if let index = document.index { return index }
    let index = ScriptIndex(document.source, loader: loader, environment: environment)
    document.index = index
    document.report = Lint.report(index)
    return index
  }

  // MARK: Places

  func range(_ span: Span, in source: SourceFile) -> TextRange {
    let positions: TextPositions
    if let last = lastTable, last.source === source {
      positions = last.positions
    } else {
      positions =
        documents.values.first { $0.source === source }?.positions ?? TextPositions(source.bytes)
      lastTable = (source, positions)
    }
    return TextRange(
      positions.position(of: Int(span.start), encoding),
      positions.position(of: Int(max(span.start, span.end)), encoding))
  }

  /// A place in any file that a script has read. Files of an archive tail are in the script that has it.
  func location(_ span: Span, in source: SourceFile, _ index: ScriptIndex) -> JSONValue {
    if let inclusion = index.inclusions.first(where: { $0.included === source }),
      let archived = inclusion.archived
    {
      let moved = Span(span.start + archived.start, span.end + archived.start)
      return location(moved, in: inclusion.source, index)
    }
    let open = documents.values.first { $0.source === source || $0.name == source.name }
    let uri = open?.uri ?? (source.name.hasPrefix("/") ? DocumentURI.uri(source.name) : source.name)
    return ["uri": .text(uri), "range": range(span, in: source).json]
  }

  // MARK: Diagnostics

  func publishStale() {
    for document in documents.values.sorted(by: { $0.uri < $1.uri }) where document.isStale {
      let index = index(document)
      document.isStale = false
      var parameters: [(name: String, value: JSONValue)] = [("uri", .text(document.uri))]
      if let version = document.version { parameters.append(("version", .number(version))) }
      parameters.append(("diagnostics", .list(document.report.map { json($0, document, index) })))
      notify("textDocument/publishDiagnostics", .object(parameters))
    }
  }

  /// Where the document shows a diagnostic: of an included file, at the statement that brings it in.
  func shownSpan(_ diagnostic: Diagnostic, _ index: ScriptIndex) -> Span {
    var (source, span) = (diagnostic.source, diagnostic.span)
    while source !== index.file.source {
      guard let inclusion = index.inclusions.first(where: { $0.included === source }) else { return .zero }
      if let archived = inclusion.archived, inclusion.source === index.file.source {
        return Span(span.start + archived.start, span.end + archived.start)
      }
      (source, span) = (inclusion.source, inclusion.span)
    }
    return span
  }

  func json(_ diagnostic: Diagnostic, _ document: Document, _ index: ScriptIndex) -> JSONValue {
    let span = shownSpan(diagnostic, index)
    var message = diagnostic.message
    var related: [JSONValue] = []
    if diagnostic.source !== index.file.source {
      related.append([
        "location": location(diagnostic.span, in: diagnostic.source, index), "message": "it is here",
      ])
      let line = diagnostic.source.line(of: diagnostic.span.start)
      message = "\(diagnostic.source.name):\(line): \(message)"
    }
    for note in diagnostic.notes {
      if client.relatesInformation, let source = note.source, let span = note.span {
        related.append(["location": location(span, in: source, index), "message": .text(note.text)])
      } else {
        message += "\nnote: \(note.text)"
      }
    }
    message += diagnostic.help.map { "\nhelp: \($0)" }.joined()
    let code = diagnostic.code.code
    var members: [(name: String, value: JSONValue)] = [
      ("range", range(span, in: document.source).json), ("severity", .number(Self.severity(diagnostic))),
      ("code", .text(code)), ("source", "iofd"), ("message", .text(message)),
    ]
    if Self.unnecessary.contains(code) { members.append(("tags", [1])) }
    if client.relatesInformation, !related.isEmpty {
      members.append(("relatedInformation", .list(related)))
    }
    return .object(members)
  }

  /// Code that may go, which editors show faded.
  private static let unnecessary: Set<String> = ["R0101", "L0003", "L0004", "L0008"]

  /// `DiagnosticSeverity`; what the lint only notes is a hint.
  private static func severity(_ diagnostic: Diagnostic) -> Int {
    switch diagnostic.severity {
    case .error: 1
    case .warning: 2
    case .note: diagnostic.code.code.hasPrefix("L") ? 4 : 3
    }
  }
}
