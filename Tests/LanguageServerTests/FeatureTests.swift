// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Interpreter
import JSON
import Language
import Machine
import Testing
import UAPI

@testable import LanguageServer

/// What an editor asks for while somebody writes.
@Suite struct FeatureTests {
  static let script = """
    iofd 1
    # Maps and unmaps.
    # Twice.
    param size: size = 4K

    # Fills a space.
    def fill(space, n=1) {
      buf = mem alloc $size
      map $space $buf len=$size
      mem alloc $n
    }

    section "first"
    vm = ioas create
    fill $vm n=2
    unmap $vm all -> length=?len
    expect $len > 0

    section "second"
    test "in a test" label=slow {
      vm = ioas create
      section "inner"
      for i in 1...3 {
        map $vm 0x1000 iova=0x1000 -> EFAULT
        mem alloc $i
      }
      destroy $vm
    }
    thread a { destroy $vm }
    run a

    """

  static func opened(_ text: String = script, capabilities: JSONValue = Client.everything) -> Client {
    let client = Client(capabilities)
    client.open(text)
    return client
  }

  @Test func theScriptIsFine() { #expect(Self.opened().codes().isEmpty) }

  // MARK: Completion

  static func labels(_ completion: JSONValue) -> [String] {
    completion["items"]?.items?.compactMap { $0["label"]?.text } ?? []
  }

  @Test func completionReplacesTheWord() throws {
    let client = Self.opened("iofd 1\n# 😀\nvm = ioas create\nx = \"😀\"; map $v iova=1\n")
    let found = client.request("textDocument/completion", client.at(3, 16))
    let item = try #require(found["items"]?.items?.first)
    #expect(Self.labels(found) == ["$vm"])
    #expect(text(item["textEdit"]?["range"]) == "3:14-3:16")
    #expect(item["textEdit"]?["newText"] == "$vm" && item["kind"] == 6 && item["detail"] == "an ioas")
    #expect(found["isIncomplete"] == false)
  }

  @Test func completionKnowsThePlace() throws {
    let client = Self.opened(
      "iofd 1\nvm = ioas create\nfor n in [1, 2] {\n  \n}\ndef f(a) {\n  destroy \n}\n")
    let beginning = client.request("textDocument/completion", client.at(3, 2))
    #expect(Set(Self.labels(beginning)).isSuperset(of: ["map", "expect", "ioas"]))
    // A procedure does not see what requests answered.
    #expect(Self.labels(client.request("textDocument/completion", client.at(6, 10))).contains("$a"))
    client.change([Client.replace((3, 2), (3, 2), "ioas ")])
    #expect(Self.labels(client.request("textDocument/completion", client.at(3, 7))).contains("create"))
    client.change([Client.replace((3, 2), (3, 7), "destroy $vm -> ENO")])
    #expect(Self.labels(client.request("textDocument/completion", client.at(3, 20))).contains("ENOENT"))
    client.change([Client.replace((3, 2), (3, 20), "# ")])
    #expect(Self.labels(client.request("textDocument/completion", client.at(3, 4))).isEmpty)
    // The order is kept.
    let sorted = beginning["items"]?.items?.compactMap { $0["sortText"]?.text } ?? []
    #expect(sorted == sorted.sorted() && Set(sorted).count == sorted.count)
  }

  @Test func completionHasPages() throws {
    let client = Self.opened("iofd 1\nioas c\n")
    let found = client.request("textDocument/completion", client.at(1, 6))
    let item = try #require(found["items"]?.items?.first { $0["label"] == "create" })
    let resolved = client.request("completionItem/resolve", item)
    #expect(resolved["label"] == "create")
    #expect(resolved["documentation"]?["kind"] == "markdown")
    #expect(resolved["documentation"]?["value"]?.text?.contains("IOAS_ALLOC") == true)
    #expect(client.request("completionItem/resolve", ["label": "x"])["documentation"] == nil)
  }

  @Test func completionKnowsAMachineAndFiles() {
    let target = ModelTarget(Machine.Configuration(kernel: .standard))
    let client = Client(host: MemoryHost(texts: ["/user/sub/b.iofd": ""]), bench: ModelBench(target))
    client.open("iofd 1\niommu io kind=\ninclude \"su\n")
    #expect(Self.labels(client.request("textDocument/completion", client.at(1, 14))).contains("vtd"))
    #expect(Self.labels(client.request("textDocument/completion", client.at(2, 11))) == ["sub/b.iofd"])
    withExtendedLifetime(target) {}
  }

  // MARK: Hover

  @Test(arguments: [
    (14, 6, "$vm: an ioas"), (14, 6, "Bound in line 14."), (14, 1, "def fill(space, n=1)"),
    (14, 1, "Fills a space."),
    (15, 1, "IOAS\\_UNMAP|Request: IOAS_UNMAP"), (15, 11, "all"), (23, 35, "EFAULT"), (22, 3, "for NAME in"),
    (28, 2, "thread NAME"), (29, 5, "thread a"), (8, 18, "len="), (7, 19, "$size"),
  ]) func hoverShows(line: Int, character: Int, wanted: String) {
    let client = Self.opened()
    let found = client.request("textDocument/hover", client.at(line, character))
    let value = found["contents"]?["value"]?.text ?? ""
    #expect(wanted.split(separator: "|").contains { value.contains($0) }, "\(line):\(character): \(value)")
    #expect(found["contents"]?["kind"] == "markdown")
    #expect(text(found["range"]).hasPrefix("\(line):"))
  }

  @Test func hoverExplainsDiagnostics() {
    let client = Self.opened("iofd 1\ndestroy $vm\n\n", capabilities: [:])
    let found = client.request("textDocument/hover", client.at(1, 9))
    #expect(found["contents"]?["kind"] == "plaintext")
    #expect(found["contents"]?["value"]?.text?.contains("R0005") == true)
    #expect(client.request("textDocument/hover", client.at(2, 0)) == .null)
  }

  // MARK: Names

  @Test func definitionsAndReferences() {
    let client = Self.opened()
    func definition(_ line: Int, _ character: Int) -> String {
      text(client.request("textDocument/definition", client.at(line, character))["range"])
    }
    #expect(definition(14, 6) == "13:0-13:2")
    #expect(definition(14, 2) == "6:4-6:8")
    #expect(definition(14, 9) == "6:16-6:17")
    #expect(definition(26, 11) == "20:2-20:4")
    #expect(definition(16, 9) == "15:25-15:28")
    #expect(definition(29, 4) == "28:7-28:8")
    #expect(definition(7, 20) == "3:6-3:10")
    #expect(client.request("textDocument/definition", client.at(1, 3)) == .null)
    func references(_ line: Int, _ character: Int, _ withBinding: Bool) -> [String] {
      let found = client.request(
        "textDocument/references",
        client.at(line, character, ["context": ["includeDeclaration": .bool(withBinding)]]))
      return found.items?.map { text($0["range"]) } ?? []
    }
    #expect(references(13, 0, true) == ["13:0-13:2", "14:6-14:8", "15:7-15:9", "28:20-28:22"])
    #expect(references(13, 0, false).count == 3)
    #expect(references(20, 3, true) == ["20:2-20:4", "23:9-23:11", "26:11-26:13"])
    let highlights = client.request("textDocument/documentHighlight", client.at(14, 7)).items ?? []
    #expect(highlights.map { $0["kind"]?.number } == [3, 2, 2, 2])
  }

  @Test func renaming() throws {
    let client = Self.opened()
    func renamed(_ line: Int, _ character: Int, _ name: String) -> String? {
      let result = client.request("textDocument/rename", client.at(line, character, ["newName": .text(name)]))
      guard let edits = result["changes"]?[Client.uri]?.items else { return nil }
      return Client.applying(edits, to: Self.script)
    }
    let space = try #require(renamed(14, 6, "space"))
    #expect(space.contains("space = ioas create\nfill $space n=2\nunmap $space all"))
    #expect(space.contains("thread a { destroy $space }") && space.contains("  vm = ioas create"))
    #expect(try #require(renamed(15, 26, "got")).contains("length=?got\nexpect $got > 0"))
    #expect(try #require(renamed(14, 9, "count")).contains("def fill(space, count=1)"))
    #expect(try #require(renamed(14, 9, "count")).contains("fill $vm count=2"))
    #expect(try #require(renamed(6, 5, "refill")).contains("refill $vm n=2"))
    #expect(try #require(renamed(29, 4, "b")).contains("thread b { destroy $vm }\nrun b"))
    // What would mean something else.
    for (line, character, name) in [
      (8, 7, "n"), (8, 7, "size"), (14, 6, "len"), (6, 5, "map"), (13, 0, "for"),
    ] {
      #expect(
        client.error("textDocument/rename", client.at(line, character, ["newName": .text(name)])) == -32803)
    }
    for name in ["", "1a", "a-b", "$x", "é"] {
      #expect(client.error("textDocument/rename", client.at(14, 6, ["newName": .text(name)])) == -32602)
    }
    #expect(client.error("textDocument/rename", client.at(0, 1, ["newName": "x"])) == -32803)
    let prepared = client.request("textDocument/prepareRename", client.at(14, 6))
    #expect(prepared["placeholder"] == "vm" && text(prepared["range"]) == "14:6-14:8")
    #expect(client.request("textDocument/prepareRename", client.at(0, 1)) == .null)
  }

  @Test func whatCannotBeReadIsNotRenamed() {
    let client = Self.opened("iofd 1\nvm = ioas create\nmpa $vm\ndestroy $vm\n")
    #expect(client.error("textDocument/rename", client.at(1, 0, ["newName": "x"])) == -32803)
    #expect(client.error("textDocument/prepareRename", client.at(1, 0)) == -32803)
  }

  // MARK: Structure

  @Test func theOutline() {
    func names(_ symbols: JSONValue?) -> String {
      (symbols?.items ?? []).map { symbol in
        let inner = names(symbol["children"])
        return (symbol["name"]?.text ?? "?") + (inner.isEmpty ? "" : "(\(inner))")
      }.joined(separator: " ")
    }
    let client = Self.opened()
    let symbols = client.request("textDocument/documentSymbol", ["textDocument": ["uri": .text(Client.uri)]])
    #expect(names(symbols) == "size fill(buf) first(vm) second(in a test(vm inner) a)")
    let flat = Self.opened(capabilities: [:]).request(
      "textDocument/documentSymbol", ["textDocument": ["uri": .text(Client.uri)]])
    #expect(flat.items?.count == 10)
    #expect(flat.items?.last?["containerName"] == "second")
  }

  @Test func folding() {
    let client = Self.opened()
    let folds = client.request("textDocument/foldingRange", ["textDocument": ["uri": .text(Client.uri)]])
    let lines = folds.items?.map { "\($0["startLine"]?.number ?? -1)-\($0["endLine"]?.number ?? -1)" } ?? []
    #expect(Set(lines) == ["6-9", "19-26", "22-24", "12-16", "18-29", "21-26", "1-2"])
  }

  @Test func formatting() throws {
    for messy in [
      "iofd 1\nvm   =  ioas create\nbuf = mem alloc 4K\nmap $vm $buf\n", "iofd 1\n\n\n\nioas create",
      "ioas create;ioas create\n",
      "iofd 1\n# é😀\nfor i in 1...2 {\nioas create\n}\n",
    ] {
      let client = Self.opened(messy)
      let edits =
        client.request("textDocument/formatting", ["textDocument": ["uri": .text(Client.uri)]]).items ?? []
      let wanted = try #require(Formatter.format(SourceFile(name: "", text: messy)).text)
      #expect(Client.applying(edits, to: messy) == String(decoding: wanted, as: UTF8.self), "\(messy)")
    }
    let neat = Self.opened("iofd 1\nioas create\n")
    #expect(neat.request("textDocument/formatting", ["textDocument": ["uri": .text(Client.uri)]]) == [])
    let broken = Self.opened("iofd 1\nfor {\n")
    #expect(broken.request("textDocument/formatting", ["textDocument": ["uri": .text(Client.uri)]]) == .null)
  }

  // MARK: Fixes

  @Test(arguments: [
    ("iofd 1\nvm = ioas create\nmpa $vm 0x1000\n", 2, "iofd 1\nvm = ioas create\nmap $vm 0x1000\n"),
    ("iofd 1\nvm = ioas create\ndestroy vm\n", 2, "iofd 1\nvm = ioas create\ndestroy $vm\n"),
    ("iofd 1\nvm = ioas craete\ndestroy $vm\n", 1, "iofd 1\nvm = ioas create\ndestroy $vm\n"),
    ("iofd 1\ndestroy id:9 -> ENOEMT\n", 1, "iofd 1\ndestroy id:9 -> ENOENT\n"),
    ("iofd 1\nvm = ioas create\n", 1, "iofd 1\n_vm = ioas create\n"),
    ("ioas create\n", 0, "iofd 1\nioas create\n"),
    (
      "iofd 1\nvm = ioas create\nvm = ioas create\ndestroy $vm\n", 1,
      "iofd 1\nioas create\nvm = ioas create\ndestroy $vm\n"
    ),
  ]) func suggestionsAreChanges(script: String, line: Int, wanted: String) throws {
    let client = Self.opened(script)
    let actions =
      client.request(
        "textDocument/codeAction",
        [
          "textDocument": ["uri": .text(Client.uri)], "range": Client.range((line, 0), (line, 99)),
          "context": ["diagnostics": []],
        ]
      ).items ?? []
    let results = actions.map { action in
      Client.applying(action["edit"]?["changes"]?[Client.uri]?.items ?? [], to: script)
    }
    #expect(results.contains(wanted), "\(results)")
    #expect(actions.allSatisfy { $0["kind"] == "quickfix" && $0["diagnostics"]?.items?.count == 1 })
    let other = client.request(
      "textDocument/codeAction",
      [
        "textDocument": ["uri": .text(Client.uri)], "range": Client.range((line, 0), (line, 99)),
        "context": ["diagnostics": [], "only": ["refactor"]],
      ])
    #expect(other == [])
  }
}
