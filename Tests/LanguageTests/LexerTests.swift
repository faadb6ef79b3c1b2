// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

@Suite struct LexerTests {
  func kinds(_ text: String) -> [TokenKind] {
    Lexer.tokenize(SourceFile(name: "test", text: text)).0.tokens.map { $0.kind }.dropLast()
  }

  @Test(
    arguments: [
      ("map $vm", [.word, .variable]), ("huge-pages=1", [.word, .equal, .number]),
      ("$a-4K", [.variable, .minus, .number]), ("max-1", [.word, .minus, .number]),
      ("0x1000...0x2fff", [.number, .ellipsis, .number]), ("$a...$b", [.variable, .ellipsis, .variable]),
      ("6.15", [.version]), ("6.12.3", [.version]), ("2027-01-01", [.date]),
      ("2027-1", [.number, .minus, .number]),
      ("\"a\\\"b\" x", [.string, .word]), ("hex\"de ad **\"", [.hex]), ("hex \"a\"", [.word, .string]),
      ("-> !x ? y", [.arrow, .bang, .word, .question, .word]),
      (
        "a=1 a!=1 a<=1 a>=1 a<1 a>1",
        [
          .word, .equal, .number, .word, .notEqual, .number, .word, .lessEqual, .number, .word, .greaterEqual,
          .number, .word, .less, .number, .word, .greater, .number,
        ]
      ),
      (
        "+ ++ - * / % & | ^ ~ << >>",
        [
          .plus, .plusPlus, .minus, .star, .slash, .percent, .ampersand, .pipe, .caret, .tilde, .shiftLeft,
          .shiftRight,
        ]
      ),
      (
        "()[]{}:;,.",
        [
          .leftParen, .rightParen, .leftBracket, .rightBracket, .leftBrace, .rightBrace, .colon, .semicolon,
          .comma,
          .dot,
        ]
      ),
      ("a\n\n# note\n\nb", [.word, .newline, .word]), ("a \\\n b", [.word, .word]),
      ("a \\ \r\n b", [.word, .word]),
      ("a\r\nb\r\n", [.word, .newline, .word, .newline]), ("\u{FEFF}a", [.word]), ("# only", []), ("", []),
    ] as [(String, [TokenKind])]
  ) func kindsOfTokens(text: String, expected: [TokenKind]) {
    #expect(kinds(text) == expected)
  }

  @Test func tokensAreTheBytesBetweenTheSpaces() {
    let source = SourceFile(name: "test", text: "map $vm  len=0x10 -> \"x y\"")
    let list = Lexer.tokenize(source).0
    #expect(
      list.tokens.map { source.text($0.span) } == ["map", "$vm", "len", "=", "0x10", "->", "\"x y\"", ""])
  }

  @Test func commentsAreKeptAside() {
    let source = SourceFile(name: "test", text: "#!/bin/iofd\na # b  \n  # c\r\n")
    let comments = Lexer.tokenize(source).0.comments
    #expect(comments.map { source.text($0.span) } == ["#!/bin/iofd", "# b", "# c"])
    #expect(comments.map { $0.isTrailing } == [false, true, false])
  }

  @Test(arguments: [
    ("ioas create # EEXIST", true), ("ioas create #EIO", true), ("ioas create # ok", true),
    ("ioas create # blocked here", true), ("ioas create # unfinished", true), ("ioas create # E2BIG", true),
    ("ioas create # EPT violation", false), ("ioas create # okay", false), ("ioas create # Every one", false),
    ("# EEXIST", false), ("ioas create # see EEXIST", false), ("ioas create #", false),
  ]) func commentsThatLookLikeExpectations(text: String, isRefused: Bool) {
    #expect(codes(text) == (isRefused ? ["P0401"] : []))
  }

  @Test func positionsCountCells() {
    let source = SourceFile(name: "test", text: "a\tb 漢字 e\u{301}x\nz")
    let offset = { (needle: String) -> UInt32 in
      let bytes = Array(needle.utf8)
      for start in 0..<source.bytes.count where source.bytes[start...].starts(with: bytes) {
        return UInt32(start)
      }
      return UInt32.max
    }
    #expect(source.position(of: offset("b")) == SourceFile.Position(line: 1, column: 9))
    #expect(source.position(of: offset("字")) == SourceFile.Position(line: 1, column: 13))
    #expect(source.position(of: offset("x")) == SourceFile.Position(line: 1, column: 17))
    #expect(source.position(of: offset("z")) == SourceFile.Position(line: 2, column: 1))
    #expect(source.position(of: 10_000) == SourceFile.Position(line: 2, column: 2))
    #expect(source.text(source.lineSpan(2)) == "z")
    #expect(source.lineSpan(3) == .zero)
    #expect(SourceFile(name: "", text: "a\r\n").lineSpan(1) == Span(0, 1))
  }

  @Test func theArchiveIsData() throws {
    let text = "ioas create\n-- a.bin --\n\"unclosed $\n-- b --\n-- not a header\n"
    let file = parsed(text)
    #expect(file.statements.count == 1)
    #expect(file.archive.map { $0.name.text } == ["a.bin", "b"])
    #expect(file.archive.map { file.source.text($0.content) } == ["\"unclosed $\n", "-- not a header\n"])
    #expect(parsed("-- x --").archive.map { $0.content.isEmpty } == [true])
    #expect(parsed("\u{FEFF}-- x --\n1").archive.count == 1)
  }
}
