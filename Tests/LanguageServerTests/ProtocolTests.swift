// SPDX-License-Identifier: GPL-3.0-or-later

import JSON
import Testing

@testable import LanguageServer

/// Framing, JSON-RPC and the life of a connection.
@Suite struct ProtocolTests {
  static func framed(_ text: String) -> [UInt8] { MessageReader.framed(Array(text.utf8)) }

  // MARK: Framing

  @Test func messagesComeInAnyPieces() {
    let bytes = Self.framed("{\"a\":1}") + Self.framed("[]") + Self.framed("\"é😀\"")
    for size in 1...bytes.count {
      var reader = MessageReader()
      var items: [MessageReader.Item] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        items += reader.receive(bytes[start..<min(bytes.count, start + size)])
      }
      #expect(
        items == ["{\"a\":1}", "[]", "\"é😀\""].map { .content(Array($0.utf8)) }, "pieces of \(size)")
      #expect(!reader.isInside)
    }
  }

  @Test(arguments: [
    "Content-Length: x\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: +1\r\n\r\n", "X: 1\r\n\r\n",
    "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "nonsense\r\n\r\n", "\r\n\r\n",
    "Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: \r\n\r\n",
    "Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=latin-1\r\n\r\n",
  ]) func badHeadersAreReportedAndPassedOver(header: String) {
    var reader = MessageReader()
    let items = reader.receive(Array(header.utf8) + Self.framed("7"))
    #expect(items.count == 2)
    if case .unreadable? = items.first {} else { Issue.record("\(items)") }
    #expect(items.last == .content(Array("7".utf8)))
  }

  @Test func goodHeaders() {
    var reader = MessageReader()
    for header in [
      "content-length:1\r\n\r\n",
      "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 1\r\n\r\n",
      "Content-Length: \t1\r\nX-Other: 5\r\n\r\n",
    ] {
      #expect(reader.receive(Array((header + "7").utf8)) == [.content([0x37])])
    }
  }

  @Test func whatIsTooLargeIsPassedOver() {
    var reader = MessageReader()
    let size = MessageReader.contentLimit + 1
    var items = reader.receive(Array("Content-Length: \(size)\r\n\r\n".utf8))
    #expect(items.count == 1)
    let chunk = [UInt8](repeating: 0x20, count: 1 << 20)
    for _ in 0..<(size / chunk.count) { items += reader.receive(chunk) }
    items += reader.receive([0x20] + Self.framed("7"))
    #expect(items.count == 2 && items.last == .content([0x37]))
  }

  @Test func aHeaderWithoutEndIsTheEnd() {
    var reader = MessageReader()
    var items: [MessageReader.Item] = []
    for _ in 0..<100 { items += reader.receive([UInt8](repeating: 0x41, count: 1000)) }
    #expect(items.count == 1)
    if case .lost? = items.first {} else { Issue.record("\(items)") }
    #expect(reader.receive(Self.framed("7")).isEmpty)

    let client = Client(nil)
    client.receive([UInt8](repeating: 0x41, count: MessageReader.headerLimit + 1))
    #expect(client.inbox.last?["error"]?["code"]?.number == -32700)
    #expect(client.server.exitStatus == 1)
  }

  // MARK: JSON

  @Test func whatIsWrittenIsRead() {
    let value: JSONValue = [
      "a": ["x\n\"\\\u{1}é😀", 1, -5, true, .null, [:], []], "b": ["c": .other("1.5e3")],
    ]
    #expect(JSONValue(value.bytes[...]) == value)
    let deep = Array((String(repeating: "[", count: 20) + String(repeating: "]", count: 20)).utf8)
    #expect(JSONValue(deep[...]) == nil && JSONValue(deep[...], depth: 20) != nil)
  }

  // MARK: JSON-RPC

  @Test(arguments: [
    ("{", -32700), ("\u{FEFF}{}", -32700), ("[1,2", -32700), ("[]", -32600), ("7", -32600), ("{}", -32600),
    ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", -32600), ("{\"jsonrpc\":\"2.0\",\"id\":1}", -32600),
    ("{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"x\"}", -32600),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nonsense\"}", -32601),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/nonsense\"}", -32601),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}", -32600),
    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"textDocument/hover\"}", -32602),
    (
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"textDocument/hover\",\"params\":{\"textDocument\":{\"uri\":\"file:///x\"}}}",
      -32602
    ),
  ]) func errorsHaveTheirCodes(text: String, code: Int) {
    let client = Client()
    client.receive(Self.framed(text))
    #expect(client.inbox.last?["error"]?["code"]?.number == code)
    // And life goes on.
    client.open("iofd 1\nioas create\n")
    #expect(client.request("textDocument/hover", client.at(1, 1)).isObject)
  }

  @Test func everyRequestNeedsADocument() {
    let client = Client()
    for method in [
      "completion", "hover", "definition", "references", "documentHighlight", "prepareRename", "rename",
      "documentSymbol", "foldingRange", "formatting", "codeAction",
    ] {
      for parameters: JSONValue in [.null, [], [:], ["textDocument": ["uri": 7]], client.at(0, 0)] {
        #expect(client.error("textDocument/" + method, parameters) == -32602, "\(method)")
      }
    }
    client.open("iofd 1\n")
    for position: JSONValue in [
      .null, ["line": -1, "character": 0], ["line": 0], ["line": "0", "character": 0],
    ] {
      let parameters: JSONValue = ["textDocument": ["uri": .text(Client.uri)], "position": position]
      #expect(client.error("textDocument/hover", parameters) == -32602)
    }
    #expect(client.error("completionItem/resolve", []) == -32602)
  }

  @Test func answersAndStrangeNotificationsAreTolerated() {
    let client = Client()
    let before = client.inbox.count
    client.send(
      ["jsonrpc": "2.0", "id": 77, "result": .null],
      ["jsonrpc": "2.0", "id": 78, "error": ["code": -1, "message": "x"]],
      ["jsonrpc": "2.0", "method": "$/setTrace", "params": ["value": "off"]],
      ["jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": ["settings": .null]],
      ["jsonrpc": "2.0", "method": "$/cancelRequest", "params": ["id": 5]],
      ["jsonrpc": "2.0", "method": "textDocument/didChange", "params": []],
      ["jsonrpc": "2.0", "method": "textDocument/didOpen"],
      [
        "jsonrpc": "2.0", "method": "textDocument/didClose",
        "params": ["textDocument": ["uri": "file:///none"]],
      ])
    #expect(client.inbox.count == before)
  }

  @Test func cancelledRequestsAreNotBegun() {
    let client = Client()
    func shutdown(_ id: JSONValue) -> JSONValue { ["jsonrpc": "2.0", "id": id, "method": "shutdown"] }
    let cancel: JSONValue = ["jsonrpc": "2.0", "method": "$/cancelRequest", "params": ["id": "a"]]
    client.send(shutdown("a"), cancel)
    #expect(client.inbox.last?["error"]?["code"]?.number == -32800)
    // A cancellation is about what is in front of it.
    client.send(cancel, shutdown("a"))
    #expect(client.inbox.last?["result"] == .null)
  }

  // MARK: Life

  @Test func nothingBeforeInitialize() {
    let client = Client(nil)
    #expect(client.error("textDocument/hover", [:]) == -32002)
    #expect(client.error("shutdown", [:]) == -32002)
    client.open("nonsense\n")
    #expect(client.diagnostics().isEmpty)
    #expect(
      client.request("initialize", ["processId": 4711, "capabilities": [:]])["serverInfo"]?["name"] == "iofd")
    #expect(client.server.parent == 4711)
    #expect(client.error("initialize", [:]) == -32600)
  }

  @Test func theStatusSaysWhetherItWasShutDown() {
    let polite = Client()
    #expect(polite.answer("shutdown", .null)["result"] == .null)
    #expect(polite.error("textDocument/hover", [:]) == -32600)
    #expect(polite.server.exitStatus == nil)
    polite.notify("exit", .null)
    #expect(polite.server.exitStatus == 0)

    let hasty = Client()
    hasty.notify("exit", .null)
    #expect(hasty.server.exitStatus == 1)
    let early = Client(nil)
    early.notify("exit", .null)
    #expect(early.server.exitStatus == 1)

    let lost = Client()
    lost.server.end()
    #expect(lost.server.exitStatus == 1)
    let done = Client()
    _ = done.answer("shutdown", .null)
    done.server.end()
    #expect(done.server.exitStatus == 0)
  }

  // MARK: Robustness

  @Test func noBytesTrapTheServer() {
    var state: UInt64 = 99
    func dice(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    let methods = ["hover", "completion", "rename", "references", "codeAction", "foldingRange", "definition"]
    for _ in 0..<150 {
      let client = Client()
      client.open("iofd 1\nvm = ioas create\ndef f(a) {\n  destroy $a\n}\nf $vm # é😀\n")
      var message = client.at(dice(8), dice(20), ["newName": "x", "range": Client.range((0, 0), (9, 9))])
      if dice(3) == 0 {
        message = ["textDocument": ["uri": .text(Client.uri)], "position": [dice(2) == 0 ? 1 : "x"]]
      }
      var bytes = MessageReader.framed(
        JSONValue.object([
          ("jsonrpc", "2.0"), ("id", 5), ("method", .text("textDocument/" + methods[dice(methods.count)])),
          ("params", message),
        ]).bytes)
      for _ in 0..<dice(4) { bytes[dice(bytes.count)] = UInt8(truncatingIfNeeded: dice(256)) }
      client.receive(bytes)
      client.receive(Array(bytes.prefix(dice(bytes.count))))
    }
  }

  /// Words of the language in any order, asked about at any place.
  @Test func noScriptTrapsTheServer() {
    let words = [
      "vm", "=", "$vm", "ioas", "create", "map", "{", "}", "[", "]", "for", "i", "in", "1...3", "def", "f",
      "(a)", "f $vm",
      "test", "\"t\"", "section", "-> ok", "->", "EEXIST", "|", "[mock]", "if", "else", "thread", "run", "a",
      "\n", "\n",
      "\r\n", "# é😀", "# lint: allow L0001", "include", "\"b.iofd\"", "-- b.iofd --", "export", "?x",
      "expect", "$vm.areas",
      "defer", "sweep", "fail nth=1", "explore threads=[a]", "require", "kernel>=6.15", "param n: int = 4",
      "\\", "\"😀",
    ]
    var state: UInt64 = 7
    func dice(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    let client = Client()
    for round in 0..<120 {
      var script = dice(2) == 0 ? "iofd 1\n" : ""
      for _ in 0..<dice(30) { script += words[dice(words.count)] + (dice(4) == 0 ? "\n" : " ") }
      if round == 0 { client.open(script) } else { client.change([["text": .text(script)]]) }
      for method in [
        "hover", "completion", "definition", "references", "documentHighlight", "prepareRename", "rename",
        "documentSymbol", "foldingRange", "formatting", "codeAction",
      ] {
        let parameters = client.at(
          dice(5), dice(40), ["newName": "x", "range": Client.range((0, 0), (9, 9))])
        let answer = client.answer("textDocument/" + method, parameters)
        #expect(answer["result"] != nil || answer["error"]?["code"]?.number == -32803, "\(method): \(script)")
      }
    }
  }
}
