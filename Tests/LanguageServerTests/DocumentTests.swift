// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import JSON
import Language
import Testing

@testable import LanguageServer

/// Places, text that changes, and what is told about it.
@Suite struct DocumentTests {
  // MARK: Places

  @Test func placesAreCountedAsTheEncodingSays() {
    let text = TextPositions(Array("aé😀b\r\n\rc\nd".utf8))
    #expect(text.lineCount == 4)
    #expect(text.position(of: 7, .utf16) == TextPosition(line: 0, character: 4))
    #expect(text.position(of: 7, .utf8) == TextPosition(line: 0, character: 7))
    #expect(text.position(of: 10, .utf16) == TextPosition(line: 1, character: 0))
    #expect(text.position(of: 11, .utf16) == TextPosition(line: 2, character: 0))
    #expect(text.position(of: 99, .utf16) == TextPosition(line: 3, character: 1))
    func offset(_ line: Int, _ character: Int, _ encoding: PositionEncoding) -> Int {
      text.offset(of: TextPosition(line: line, character: character), encoding)
    }
    #expect(offset(0, 4, .utf16) == 7 && offset(0, 2, .utf16) == 3)
    // Half a pair, or a byte inside of a scalar, is its beginning.
    #expect(offset(0, 3, .utf16) == 3 && offset(0, 5, .utf8) == 3 && offset(0, 7, .utf8) == 7)
    // The end of a line does not belong to it, nor does what is behind.
    #expect(offset(0, 99, .utf16) == 8 && offset(1, 5, .utf16) == 10 && offset(9, 0, .utf8) == 14)
  }

  @Test(arguments: [PositionEncoding.utf8, .utf16]) func placesGoThereAndBack(encoding: PositionEncoding) {
    let string = "é\r\n😀x\n\n# 𝔘 ∀\r\rend"
    let text = TextPositions(Array(string.utf8))
    for index in string.unicodeScalars.indices {
      let offset = string.utf8.distance(from: string.startIndex, to: index)
      let scalar = string.unicodeScalars[index]
      // Between \r and \n there is no place.
      if scalar == "\n", index > string.startIndex,
        string.unicodeScalars[string.unicodeScalars.index(before: index)] == "\r"
      {
        continue
      }
      #expect(text.offset(of: text.position(of: offset, encoding), encoding) == offset)
    }
  }

  @Test func urisAndPaths() {
    #expect(DocumentURI.path("file:///a%20b/%C3%A9.iofd") == "/a b/é.iofd")
    #expect(DocumentURI.path("FILE://localhost/x") == "/x")
    #expect(DocumentURI.path("file:///100%") == "/100%")
    for other in ["untitled:Untitled-1", "file://host/x", "file://", "file:///%00", "file:///%ff", "/x", ""] {
      #expect(DocumentURI.path(other) == nil)
    }
    #expect(DocumentURI.uri("/a b/é+.iofd") == "file:///a%20b/%C3%A9%2B.iofd")
    #expect(DocumentURI.path(DocumentURI.uri("/%41#?/😀")) == "/%41#?/😀")
  }

  @Test func theEncodingIsNegotiated() {
    for (offered, chosen): (JSONValue, JSONValue) in [
      ([:], "utf-16"), (["general": ["positionEncodings": ["utf-16"]]], "utf-16"),
      (["general": ["positionEncodings": ["utf-32", "utf-8"]]], "utf-8"),
    ] {
      let client = Client(nil)
      let result = client.request("initialize", ["capabilities": offered])
      #expect(result["capabilities"]?["positionEncoding"] == chosen)
      client.open("iofd 1\nx = \"é😀\" ++ $y\nmem alloc 4K fill=$x\n")
      let range = text(client.diagnostics().first?["range"])
      #expect(range == (chosen == "utf-8" ? "1:16-1:18" : "1:13-1:15"))
    }
  }

  // MARK: Diagnostics

  @Test func diagnosticsHaveEverything() {
    let client = Client()
    client.open("iofd 1\nbuf = mem alloc 4K\ndestroy $buf\nvm = ioas create\nioas create flags=1\nmpa $vm\n")
    let found = client.diagnostics()
    #expect(client.codes() == ["R0006", "R0001"])
    #expect(
      text(found[0]["range"]) == "2:8-2:12" && found[0]["severity"] == 1 && found[0]["source"] == "iofd")
    let related = found[0]["relatedInformation"]?.items?.first
    #expect(text(related?["location"]?["range"]) == "1:0-1:3")
    #expect(related?["location"]?["uri"] == .text(Client.uri))
    #expect(found[1]["message"]?.text?.contains("did you mean 'map'?") == true)
    let published = client.inbox.last { $0["method"] == "textDocument/publishDiagnostics" }
    #expect(published?["params"]?["version"] == 1)
  }

  @Test func warningsAndHints() {
    let client = Client()
    client.open("vm = ioas create\nthread a { ioas create }\n")
    let found = client.diagnostics()
    #expect(client.codes() == ["R0101", "L0013", "L0004"])
    #expect(found.map { $0["severity"]?.number } == [2, 4, 2])
    #expect(found[0]["tags"] == [1] && found[1]["tags"] == nil)
  }

  @Test func clientsThatKnowLessGetNotesAsText() {
    let client = Client([:])
    client.open("iofd 1\nbuf = mem alloc 4K\ndestroy $buf\n")
    #expect(client.diagnostics().first?["relatedInformation"] == nil)
    #expect(client.diagnostics().first?["message"]?.text?.contains("note: '$buf' is bound here") == true)
  }

  @Test func changesAreAppliedInTheirOrder() {
    let client = Client()
    client.open("iofd 1\n# 😀 é\nvm = ioas craete\n")
    #expect(client.codes() == ["R0001"])
    client.change([
      Client.replace((1, 2), (1, 4), "x"), Client.replace((1, 4), (1, 5), "e"),
      Client.replace((2, 10), (2, 16), "create"), Client.replace((3, 0), (3, 0), "destroy $vm\n"),
    ])
    #expect(client.codes().isEmpty)
    #expect(
      client.server.documents[Client.uri]?.source.text(Span(0, 99))
        == "iofd 1\n# x e\nvm = ioas create\ndestroy $vm\n")
    // Beyond the end, backwards, and all of it.
    client.change([Client.replace((90, 0), (99, 9), "destroy $vn\n")])
    #expect(client.codes() == ["R0005"])
    client.change([Client.replace((4, 11), (4, 5), "")])
    #expect(client.codes() == ["R0005"])
    client.change([["text": "iofd 1\nioas create\n"], ["range": .null, "nonsense": 1]])
    #expect(client.codes().isEmpty)
    client.notify("textDocument/didClose", ["textDocument": ["uri": .text(Client.uri)]])
    #expect(client.error("textDocument/hover", client.at(0, 0)) == -32602)
  }

  @Test func oneMessageForAllThatComesAtATime() {
    let client = Client()
    client.open("iofd 1\n")
    let before = client.inbox.count
    func change(_ text: String, _ version: Int) -> JSONValue {
      [
        "jsonrpc": "2.0", "method": "textDocument/didChange",
        "params": [
          "textDocument": ["uri": .text(Client.uri), "version": .number(version)],
          "contentChanges": [["text": .text(text)]],
        ],
      ]
    }
    client.send(change("a", 2), change("b", 3), change("iofd 1\nioas create\n", 4))
    #expect(client.inbox.count == before + 1)
    #expect(client.inbox.last?["params"]?["version"] == 4)
  }

  // MARK: Includes

  @Test func includesAreSeenFromTheDocument() {
    let host = MemoryHost(texts: ["/user/sub/b.iofd": "iofd 1\nvm = ioas create\nexport vm\nmpa $vm\n"])
    let client = Client(host: host)
    client.open("iofd 1\ninclude \"sub/b.iofd\"\ndestroy $vm\n")
    let found = client.diagnostics()
    #expect(client.codes() == ["R0001"])
    #expect(text(found[0]["range"]) == "1:8-1:20")
    let related = found[0]["relatedInformation"]?.items?.first
    #expect(related?["location"]?["uri"] == "file:///user/sub/b.iofd")
    #expect(text(related?["location"]?["range"]) == "3:0-3:3")
    // An open file counts as the editor has it.
    client.open("iofd 1\nvm = ioas create\nexport vm\n", "file:///user/sub/b.iofd")
    #expect(client.codes().isEmpty)
    #expect(client.request("textDocument/definition", client.at(2, 10))["uri"] == "file:///user/sub/b.iofd")
    #expect(text(client.request("textDocument/definition", client.at(2, 10))["range"]) == "1:0-1:2")
    #expect(client.request("textDocument/definition", client.at(1, 12))["uri"] == "file:///user/sub/b.iofd")
    #expect(client.error("textDocument/rename", client.at(2, 10, ["newName": "x"])) == -32803)
    client.change([["text": "iofd 1\nother = ioas create\nexport other\n"]], "file:///user/sub/b.iofd")
    #expect(client.codes() == ["R0005"])
    client.notify("textDocument/didClose", ["textDocument": ["uri": "file:///user/sub/b.iofd"]])
    #expect(client.codes() == ["R0001"])
  }

  @Test func filesOfTheArchiveAreInTheDocument() {
    let client = Client()
    client.open(
      "iofd 1\ninclude \"b.iofd\"\ndestroy $vm\n-- b.iofd --\nvm = ioas create\nexport vm\nmpa $vm\n")
    #expect(text(client.diagnostics().first?["range"]) == "6:0-6:3")
    let definition = client.request("textDocument/definition", client.at(2, 10))
    #expect(definition["uri"] == .text(Client.uri) && text(definition["range"]) == "4:0-4:2")
  }
}
