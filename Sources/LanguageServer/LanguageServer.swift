// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Interpreter
internal import JSON
internal import Language

// The language for editors: Language Server Protocol 3.17. Bytes go in, bytes come out; who calls has the streams, so
// a test drives it without any. Everything it knows comes from where the tool has it: mistakes from `check` and `lint`,
// completion from the prompt's `Assistant`, pages from `explain`, the layout from `fmt`.
//
//     bytes ─ MessageReader ─ JSONValue ─ lifecycle ─ request table ─ Document ─ ScriptIndex, Lint, Assistant, Explain
//
// It is single-threaded: a request is answered when it is read. Of what is read at a time, a request that is cancelled
// is not begun, and diagnostics are sent once, after the last change.

/// Files of the host, as the server asks for them.
public protocol ServerHost: ScriptLoader {
  /// The file that a script means by a path; the same for the same file, however it was reached.
  func place(_ path: String, from origin: String?) -> String
  /// Paths that go on from an absolute one; directories end in `/`.
  func files(_ path: String) -> [String]
}

/// A connection to one editor.
public final class LanguageServer {
  let environment: Environment
  let host: any ServerHost
  let bench: (any Bench)?
  private let version: String
  private var reader = MessageReader()
  private var output: [UInt8] = []
  private var phase = Phase.fresh
  /// The exit status, as soon as the connection is over: 0 after `shutdown`, else 1.
  public private(set) var exitStatus: Int32?
  /// The process that wants the server, which does not outlive it.
  public private(set) var parent: Int32?

  var documents: [String: Document] = [:]
  var encoding = PositionEncoding.utf16
  var client = ClientAbilities()
  /// Lines of included files, of the last file that was asked about.
  var lastTable: (source: SourceFile, positions: TextPositions)?

  private enum Phase {
    /// `initialize` is due.
    case fresh
    case running
    /// `shutdown` has been answered.
    case shutDown
  }

  /// - Parameters:
  ///   - environment: the kernel and the backend that scripts are read for.
  ///   - bench: the tables of some machine, for completion; nobody runs anything on it.
  public init(environment: Environment, host: any ServerHost, bench: (any Bench)?, version: String) {
    self.environment = environment
    self.host = host
    self.bench = bench
    self.version = version
  }

  /// What to send after these bytes.
  public func receive(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let messages = reader.receive(bytes).map { Incoming($0) }
    var cancelled = Self.cancelled(in: messages)
    for message in messages where exitStatus == nil {
      switch message {
      case .value(let value): handle(value, &cancelled)
      case .failure(let code, let text): fail(.null, ResponseError(code, text))
      case .lost(let text):
        fail(.null, ResponseError(.parseError, text))
        exitStatus = 1
      }
    }
    if phase == .running { publishStale() }
    defer { output = [] }
    return output
  }

  /// The stream has ended without `exit`.
  public func end() { if exitStatus == nil { exitStatus = phase == .shutDown ? 0 : 1 } }

  // MARK: Messages

  private enum Incoming {
    case value(JSONValue)
    case failure(ResponseError.Code, String)
    case lost(String)

    init(_ item: MessageReader.Item) {
      switch item {
      case .content(let bytes):
        if let value = JSONValue(bytes[...], depth: 64) {
          self = .value(value)
        } else {
          self = .failure(.parseError, "this is not JSON")
        }
      case .unreadable(let text): self = .failure(.parseError, text)
      case .lost(let text): self = .lost(text)
      }
    }
  }

  /// What is cancelled among messages, with the place of the cancellation: only requests in front of it are meant.
  private static func cancelled(in messages: [Incoming]) -> [JSONValue] {
    messages.compactMap {
      guard case .value(let value) = $0, value["method"] == "$/cancelRequest" else { return nil }
      return value["params"]?["id"]
    }
  }

  private func handle(_ message: JSONValue, _ cancelled: inout [JSONValue]) {
    guard message.isObject, message["jsonrpc"] == "2.0" else {
      fail(.null, ResponseError(.invalidRequest, "a message is a JSON-RPC 2.0 object"))
      return
    }
    let id = message["id"]
    guard let method = message["method"]?.text else {
      // An answer: nothing was asked.
      if message["result"] != nil || message["error"] != nil { return }
      fail(id ?? .null, ResponseError(.invalidRequest, "a request has a method"))
      return
    }
    let parameters = message["params"] ?? .object([])
    guard let id else {
      if method == "$/cancelRequest" {
        cancelled.removeAll { $0 == parameters["id"] }
      } else {
        notified(method, parameters)
      }
      return
    }
    guard id.number != nil || id.text != nil else {
      fail(.null, ResponseError(.invalidRequest, "an id is a number or a text"))
      return
    }
    do throws(ResponseError) {
      if cancelled.contains(id) { throw ResponseError(.requestCancelled, "cancelled") }
      send(["jsonrpc": "2.0", "id": id, "result": try answer(method, parameters)])
    } catch {
      fail(id, error)
    }
  }

  private func answer(_ method: String, _ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    switch (phase, method) {
    case (.fresh, "initialize"):
      phase = .running
      return initialize(parameters)
    case (.fresh, _): throw ResponseError(.serverNotInitialized, "the first request is initialize")
    case (.running, "initialize"): throw ResponseError(.invalidRequest, "initialize comes once")
    case (.running, "shutdown"):
      phase = .shutDown
      return .null
    case (.shutDown, _): throw ResponseError(.invalidRequest, "shutdown has been asked for")
    case (.running, _):
      guard let request = Self.requests[method] else {
        throw ResponseError(.methodNotFound, "there is no method '\(method)'")
      }
      return try request(self)(parameters)
    }
  }

  private func notified(_ method: String, _ parameters: JSONValue) {
    if method == "exit" {
      exitStatus = phase == .shutDown ? 0 : 1
      return
    }
    // Whatever else comes is dropped before `initialize` and after `shutdown`; what nobody knows, always.
    if phase == .running, let notification = Self.notifications[method] { notification(self)(parameters) }
  }

  func send(_ message: JSONValue) { output += MessageReader.framed(message.bytes) }

  func notify(_ method: String, _ parameters: JSONValue) {
    send(["jsonrpc": "2.0", "method": .text(method), "params": parameters])
  }

  private func fail(_ id: JSONValue, _ error: ResponseError) {
    send([
      "jsonrpc": "2.0", "id": id,
      "error": ["code": .number(error.code.rawValue), "message": .text(error.message)],
    ])
  }

  // MARK: The beginning

  private func initialize(_ parameters: JSONValue) -> JSONValue {
    client = ClientAbilities(parameters["capabilities"] ?? .null)
    encoding = client.knowsUTF8 ? .utf8 : .utf16
    parent = parameters["processId"]?.number.flatMap { $0 > 0 ? Int32(exactly: $0) : nil }
    return [
      "capabilities": [
        "positionEncoding": .text(encoding.rawValue),
        "textDocumentSync": ["openClose": true, "change": 2, "save": true],
        "completionProvider": [
          "triggerCharacters": ["$", "=", ".", "|", "[", "\"", "/"], "resolveProvider": true,
        ],
        "hoverProvider": true, "definitionProvider": true, "referencesProvider": true,
        "documentHighlightProvider": true, "documentSymbolProvider": true,
        "renameProvider": client.asksBeforeRename ? ["prepareProvider": true] : true,
        "documentFormattingProvider": true, "foldingRangeProvider": true,
        "codeActionProvider": ["codeActionKinds": ["quickfix"]],
      ],
      "serverInfo": ["name": "iofd", "version": .text(version)],
    ]
  }

  // MARK: Tables

  typealias Request = @Sendable (LanguageServer) -> (JSONValue) throws(ResponseError) -> JSONValue

  private static let requests: [String: Request] = [
    "textDocument/completion": LanguageServer.complete, "completionItem/resolve": LanguageServer.resolve,
    "textDocument/hover": LanguageServer.hover, "textDocument/definition": LanguageServer.define,
    "textDocument/references": LanguageServer.refer,
    "textDocument/documentHighlight": LanguageServer.highlight,
    "textDocument/prepareRename": LanguageServer.prepareRename, "textDocument/rename": LanguageServer.rename,
    "textDocument/documentSymbol": LanguageServer.symbols, "textDocument/foldingRange": LanguageServer.fold,
    "textDocument/formatting": LanguageServer.format, "textDocument/codeAction": LanguageServer.act,
  ]

  private static let notifications: [String: @Sendable (LanguageServer) -> (JSONValue) -> Void] = [
    "textDocument/didOpen": LanguageServer.opened, "textDocument/didChange": LanguageServer.changed,
    "textDocument/didSave": LanguageServer.saved, "textDocument/didClose": LanguageServer.closed,
  ]
}

/// Why a request has no result.
struct ResponseError: Error {
  enum Code: Int {
    case parseError = -32700
    case invalidRequest = -32600
    case methodNotFound = -32601
    case invalidParams = -32602
    case serverNotInitialized = -32002
    case requestFailed = -32803
    case requestCancelled = -32800
  }
  let code: Code
  let message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// What the editor says it can do, as far as it makes a difference.
struct ClientAbilities {
  var knowsUTF8 = false
  var readsMarkdown = false
  var nestsSymbols = false
  var relatesInformation = false
  var asksBeforeRename = false

  init() {}

  init(_ capabilities: JSONValue) {
    let text = capabilities["textDocument"]
    knowsUTF8 = capabilities["general"]?["positionEncodings"]?.texts.contains("utf-8") ?? false
    readsMarkdown = text?["hover"]?["contentFormat"]?.texts.contains("markdown") ?? false
    nestsSymbols = text?["documentSymbol"]?["hierarchicalDocumentSymbolSupport"]?.bool ?? false
    relatesInformation = text?["publishDiagnostics"]?["relatedInformation"]?.bool ?? false
    asksBeforeRename = text?["rename"]?["prepareSupport"]?.bool ?? false
  }
}
