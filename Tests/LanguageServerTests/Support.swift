// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Interpreter
import JSON
import Language
import Machine
import UAPI

@testable import LanguageServer

/// Files that exist nowhere.
struct MemoryHost: ServerHost {
  var texts: [String: String] = [:]

  func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
    let place = place(path, from: origin)
    guard let text = texts[place] else { throw LoadError("no such file") }
    return SourceFile(name: place, text: text)
  }

  func place(_ path: String, from origin: String?) -> String {
    guard !path.hasPrefix("/"), let slash = origin?.lastIndex(of: "/") else { return path }
    return String(origin?[...slash] ?? "") + path
  }

  func files(_ path: String) -> [String] { texts.keys.filter { $0.hasPrefix(path) }.sorted() }
}

/// An editor: it speaks to a server in its own process.
final class Client {
  let server: LanguageServer
  private var reader = MessageReader()
  private(set) var inbox: [JSONValue] = []
  private var lastID = 0
  private var versions: [String: Int] = [:]

  static let uri = "file:///user/a.iofd"
  static let everything: JSONValue = [
    "general": ["positionEncodings": ["utf-16"]],
    "textDocument": [
      "hover": ["contentFormat": ["markdown", "plaintext"]],
      "documentSymbol": ["hierarchicalDocumentSymbolSupport": true],
      "publishDiagnostics": ["relatedInformation": true], "rename": ["prepareSupport": true],
    ],
  ]

  /// - Parameter capabilities: nil to leave the server uninitialized.
  init(
    _ capabilities: JSONValue? = Client.everything, host: MemoryHost = MemoryHost(), bench: (any Bench)? = nil
  ) {
    server = LanguageServer(
      environment: Environment(kernel: KernelVersion(7, 2), backend: "mock", hasBench: true), host: host,
      bench: bench, version: "test")
    guard let capabilities else { return }
    _ = request("initialize", ["processId": .null, "capabilities": capabilities])
    notify("initialized", [:])
  }

  func receive(_ bytes: [UInt8]) {
    for item in reader.receive(server.receive(bytes)) {
      guard case .content(let content) = item, let value = JSONValue(content[...], depth: 64) else {
        preconditionFailure("the server sent what cannot be read")
      }
      inbox.append(value)
    }
  }

  /// Sends several messages at once.
  func send(_ messages: JSONValue...) {
    receive(messages.flatMap { MessageReader.framed($0.bytes) })
  }

  func notify(_ method: String, _ parameters: JSONValue) {
    send(["jsonrpc": "2.0", "method": .text(method), "params": parameters])
  }

  /// The whole answer, with its `result` or `error`.
  func answer(_ method: String, _ parameters: JSONValue) -> JSONValue {
    lastID += 1
    send(["jsonrpc": "2.0", "id": .number(lastID), "method": .text(method), "params": parameters])
    return inbox.last { $0["id"] == .number(lastID) } ?? .null
  }

  func request(_ method: String, _ parameters: JSONValue) -> JSONValue {
    answer(method, parameters)["result"] ?? .null
  }

  func error(_ method: String, _ parameters: JSONValue) -> Int? {
    answer(method, parameters)["error"]?["code"]?.number
  }

  // MARK: Documents

  func open(_ text: String, _ uri: String = Client.uri) {
    versions[uri] = 1
    notify(
      "textDocument/didOpen",
      ["textDocument": ["uri": .text(uri), "languageId": "iofd", "version": 1, "text": .text(text)]])
  }

  func change(_ changes: [JSONValue], _ uri: String = Client.uri) {
    versions[uri, default: 1] += 1
    notify(
      "textDocument/didChange",
      [
        "textDocument": ["uri": .text(uri), "version": .number(versions[uri] ?? 0)],
        "contentChanges": .list(changes),
      ])
  }

  static func replace(_ from: (Int, Int), _ to: (Int, Int), _ text: String) -> JSONValue {
    ["range": range(from, to), "text": .text(text)]
  }

  static func range(_ from: (Int, Int), _ to: (Int, Int)) -> JSONValue {
    [
      "start": ["line": .number(from.0), "character": .number(from.1)],
      "end": ["line": .number(to.0), "character": .number(to.1)],
    ]
  }

  /// The diagnostics that the server sent last about a document.
  func diagnostics(_ uri: String = Client.uri) -> [JSONValue] {
    inbox.last {
      $0["method"] == "textDocument/publishDiagnostics" && $0["params"]?["uri"] == .text(uri)
    }?["params"]?["diagnostics"]?.items ?? []
  }

  func codes(_ uri: String = Client.uri) -> [String] { diagnostics(uri).compactMap { $0["code"]?.text } }

  func at(_ line: Int, _ character: Int, _ more: JSONValue = [:], uri: String = Client.uri) -> JSONValue {
    guard case .object(let members) = more else { return .null }
    return .object(
      [
        ("textDocument", ["uri": .text(uri)]),
        ("position", ["line": .number(line), "character": .number(character)]),
      ] + members)
  }

  /// The text of a document after edits, as an editor does them.
  static func applying(_ edits: [JSONValue], to text: String) -> String {
    var positions = TextPositions(Array(text.utf8))
    let sorted = edits.compactMap { edit -> (TextRange, String)? in
      guard let range = edit["range"].flatMap({ TextRange($0) }), let new = edit["newText"]?.text else {
        return nil
      }
      return (range, new)
    }.sorted { ($0.0.start.line, $0.0.start.character) > ($1.0.start.line, $1.0.start.character) }
    for (range, new) in sorted {
      var bytes = positions.bytes
      bytes.replaceSubrange(
        positions.offset(of: range.start, .utf16)..<positions.offset(of: range.end, .utf16), with: new.utf8)
      positions = TextPositions(bytes)
    }
    return String(decoding: positions.bytes, as: UTF8.self)
  }
}

/// `line:character-line:character`
func text(_ range: JSONValue?) -> String {
  guard let range = range.flatMap({ TextRange($0) }) else { return "-" }
  return "\(range.start.line):\(range.start.character)-\(range.end.line):\(range.end.character)"
}
