// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

@Suite struct LimitTests {
  func codes(_ bytes: [UInt8]) -> [String] {
    let source = SourceFile(name: "test", bytes: bytes)
    let (_, diagnostics) = Parser.parse(source)
    for format in DiagnosticRenderer.Format.allCases {
      #expect(!DiagnosticRenderer(format: format).render(diagnostics).isEmpty || diagnostics.isEmpty)
    }
    _ = Formatter.format(source)
    _ = Parser.isComplete(source)
    return diagnostics.map { $0.code.code }
  }

  @Test func longLines() {
    let line =
      Array("x = \"".utf8) + Array(repeating: UInt8(ascii: "a"), count: (1 << 20) - 6) + Array("\"".utf8)
    #expect(line.count == Limits.lineBytes)
    #expect(codes(line + Array("\n".utf8)) == [])
    #expect(codes(Array("ioas create\n".utf8) + line + Array("aaa\nx = 010\n".utf8)) == ["P0002"])
    #expect(codes(Array(repeating: UInt8(ascii: "("), count: 2 << 20)) == ["P0002"])
    let broken = Array(repeating: UInt8(ascii: "@"), count: 1 << 20)
    #expect(codes(broken).count == Limits.diagnostics + 1)
  }

  @Test func largeFiles() {
    func lexed(_ bytes: [UInt8]) -> [String] {
      Lexer.tokenize(SourceFile(name: "test", bytes: bytes)).1.map { $0.code.code }
    }
    #expect(lexed(Array(repeating: UInt8(ascii: "\n"), count: Limits.fileBytes)) == [])
    #expect(codes(Array(repeating: UInt8(ascii: "a"), count: Limits.fileBytes + 1)) == ["P0001"])
    let many = Array(repeating: UInt8(ascii: ";"), count: 1 << 20)
    #expect(lexed(many + [0x0A] + many) == ["P0003"])
  }

  @Test func deepNesting() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")"), ("$a[", "]")] {
      for depth in [Limits.nesting - 1, Limits.nesting + 1, 100_000] {
        let text =
          "x = " + String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        let found = codes(Array(text.utf8))
        #expect(found == (depth < Limits.nesting ? [] : ["P0009"]), "\(open) \(depth)")
      }
    }
    let blocks = String(repeating: "for i in 0...1 {\n", count: 5000) + String(repeating: "}\n", count: 5000)
    #expect(codes(Array(blocks.utf8)).contains("P0009"))
    #expect(codes(Array(("x = (1" + String(repeating: "+1", count: 100_000) + ")").utf8)) == ["P0009"])
    #expect(codes(Array(("x = (1" + String(repeating: "*1", count: 100_000) + ")").utf8)) == ["P0009"])
    #expect(codes(Array(("x = " + String(repeating: "~", count: 100_000) + "1").utf8)) == ["P0009"])
    #expect(codes(Array(("x = $a" + String(repeating: ".b", count: 100_000)).utf8)) == ["P0009"])
    #expect(codes(Array(("x = $a" + String(repeating: "+1", count: 100_000)).utf8)) == ["P0009"])
    #expect(codes(Array(("x = $a" + String(repeating: "[0]", count: 100_000)).utf8)) == ["P0009"])
    #expect(codes(Array((String(repeating: "defer ", count: 100_000) + "a").utf8)) == ["P0213"])
    let arms = String(repeating: "if mock {} else ", count: 50_000) + "{}"
    #expect(codes(Array(arms.utf8)) == [])
    let busyArms = String(repeating: "if mock { a b } else ", count: 20_000) + "{}"
    #expect(codes(Array(busyArms.utf8)) == [])
    #expect(codes(Array(String(repeating: "a b;", count: 100_000).utf8)) == [])
  }

  /// Without formatting, which doubles the time.
  private func parseCodes(_ text: String) -> [String] {
    Parser.parse(SourceFile(name: "test", text: text)).1.map { $0.code.code }
  }

  @Test func manyElements() {
    #expect(parseCodes("a" + String(repeating: " 1", count: Limits.elements)) == [])
    for (head, part, tail) in [
      ("a", " 1", ""), ("x = [", "1,", "]"), ("x = {", "1,", "}"), ("x = f(", "1,", ")"), ("x = A", "|A", ""),
      ("x = $a", " ++ $a", ""), ("a -> ok", "|ok", ""), ("a -> ok", ", b=1", ""), ("require a", ", a", ""),
      ("a -> b", "[1]", "=1"), ("a -> [", "1,", "]"), ("a -> {", "1,", "}"),
    ] {
      let text = head + String(repeating: part, count: Limits.elements + 1) + tail
      #expect(parseCodes(text) == ["P0010"], "\(head)")
    }
    let keys = (0..<60_000).map { " k\($0)=1" }.joined()
    #expect(parseCodes("a" + keys) == [])
    #expect(parseCodes("a" + keys + " k5=1") == ["P0205"])
  }

  @Test func manyBindings() {
    let text = (0..<100_000).map { "v\($0) = ioas create\n" }.joined()
    let file = parsed(text)
    #expect(file.statements.count == 100_000)
    #expect(file.symbolCount == 100_000)
  }

  @Test func manyProblems() {
    let found = codes(Array(String(repeating: "4K\n", count: 1000).utf8))
    #expect(found.count == Limits.diagnostics + 1)
    #expect(found.last == "P0008")
  }

  @Test func bytesThatAreNoText() {
    #expect(codes(Array("a".utf8) + [0] + Array("\n".utf8)) == ["P0004"])
    #expect(codes(Array("x = \"".utf8) + [0] + Array("\"".utf8)) == ["P0004"])
    #expect(codes(Array("# ".utf8) + [0xFF, 0xFE] + Array("\nx = 010".utf8)) == ["P0005", "P0110"])
    #expect(codes([0xC0, 0x80]) == ["P0005"])
    #expect(codes([0xED, 0xA0, 0x80]) == ["P0005"])
    #expect(codes([0xE2, 0x82]) == ["P0005"])
    #expect(codes(Array("é".utf8)) == ["P0006"])
    #expect(codes([0x0D]) == [])
    #expect(codes([0x0D, 0x41]) == ["P0004"])
  }

  @Test func lineEnds() {
    #expect(
      structure(parsed("a\r\ntest \"x\" {\r\n b\r\n}\r\n")) == structure(parsed("a\ntest \"x\" {\n b\n}")))
    #expect(parsed("ioas create").statements.count == 1)
    #expect(codes(Array("ioas create\\".utf8)) == ["P0007"])
  }
}
