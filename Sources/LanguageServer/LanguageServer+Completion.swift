// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Interpreter
internal import JSON
internal import Language

// Completion is the prompt's, for a script that nobody runs: names are those that the text before the cursor binds.

extension LanguageServer {
  /// `textDocument/completion`
  func complete(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let (document, offset) = try place(parameters)
    let found = completions(document, upTo: offset)
    let start = UInt32(clamping: found.start)
    let range = range(Span(min(start, offset), offset), in: document.source).json
    let width = String(found.candidates.count).utf8.count
    let items = found.candidates.enumerated().map { index, candidate -> JSONValue in
      let number = String(index)
      var item: [(name: String, value: JSONValue)] = [
        ("label", .text(candidate.text)), ("kind", .number(Self.kind(candidate))),
        // Clients sort by text: the order of the list is kept by number.
        ("sortText", .text(String(repeating: "0", count: width - number.utf8.count) + number)),
        ("filterText", .text(candidate.text)),
        ("textEdit", ["range": range, "newText": .text(candidate.text)]),
      ]
      if !candidate.summary.isEmpty { item.append(("detail", .text(candidate.summary))) }
      if let topic = Self.topic(candidate) { item.append(("data", ["topic": .text(topic)])) }
      return .object(item)
    }
    return ["isIncomplete": false, "items": .list(items)]
  }

  /// `completionItem/resolve`: the page about it.
  func resolve(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    guard case .object(var members) = parameters else {
      throw ResponseError(.invalidParams, "an item is an object")
    }
    if let topic = parameters["data"]?["topic"]?.text, let page = Explain.page(topic) {
      members.removeAll { $0.name == "documentation" }
      members.append(("documentation", markup(Page(page))))
    }
    return .object(members)
  }

  /// What may stand at a place.
  func completions(_ document: Document, upTo offset: UInt32) -> Completions {
    let bytes = document.source.bytes.prefix(Int(offset))
    let text = String(decoding: bytes, as: UTF8.self)
    let start = min(Assistant.statementStart(text), bytes.count)
    let host = host
    let draft = DraftSurroundings(
      String(decoding: bytes[..<start], as: UTF8.self), name: document.name, loader: loader,
      environment: environment, bench: bench,
      files: { path in
        // Paths in a script are seen from its directory.
        guard !path.hasPrefix("/") else { return host.files(path) }
        guard document.name.hasPrefix("/"), let slash = document.name.lastIndex(of: "/") else { return [] }
        let directory = document.name[...slash]
        return host.files(directory + path).map { String($0.dropFirst(directory.count)) }
      })
    return Assistant(draft).completions(text)
  }

  /// `CompletionItemKind`
  private static func kind(_ candidate: Candidate) -> Int {
    switch candidate.kind {
    case .command, .tool: 2  // method
    case .function, .procedure: 3
    case .member: 5  // field
    case .name: 6  // variable
    case .option: 10  // property
    case .address: 12  // value
    case .statement: 14  // keyword
    case .file: candidate.isComplete ? 17 : 19  // file, folder
    case .value: 20  // member of an enumeration
    case .outcome: 21  // constant
    case .topic: 18  // reference
    }
  }

  /// The page that `Explain` has about a word; nil for what has none.
  static func topic(_ candidate: Candidate) -> String? {
    switch candidate.kind {
    case .command:
      let verbs = VerbTable.all.filter { $0.words.contains(candidate.text) }
      // The summary tells the `create` of `ioas create` from that of `hwpt create`.
      return verbs.first { $0.summary == candidate.summary }?.name
        ?? (verbs.contains { $0.words[0] == candidate.text } ? candidate.text : nil)
    case .function: return String(candidate.text.prefix { $0 != "(" })
    case .statement, .outcome: return Explain.page(candidate.text) == nil ? nil : candidate.text
    case .value:
      // Requests have pages; a flag may only by chance have the name of something else.
      return CommandTopics.names.contains(candidate.text) ? candidate.text : nil
    case .tool, .procedure, .option, .name, .member, .address, .topic, .file: return nil
    }
  }
}
