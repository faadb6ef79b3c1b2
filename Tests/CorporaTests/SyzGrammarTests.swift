// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Testing

/// Every production of the grammar, what it reads as, and how it is printed.
@Suite("syzkaller text")
struct SyzGrammarTests {
  /// A value in text, the tree, and the canonical text where that is another.
  struct Example: Sendable, CustomTestStringConvertible {
    let text: String
    let value: SyzValue
    let canonical: String
    var testDescription: String { text }

    init(_ text: String, _ value: SyzValue, _ canonical: String? = nil) {
      self.text = text
      self.value = value
      self.canonical = canonical ?? text
    }
  }

  static let one = SyzArgument(.integer(1))

  static let examples = [
    Example("0x0", .integer(0)),
    Example("0xffffffffffffffff", .integer(.max)),
    Example("0XFFFFFFFFFFFFFFFF", .integer(.max), "0xffffffffffffffff"),
    Example("17", .integer(17), "0x11"),
    Example("0", .integer(0), "0x0"),
    Example("017", .integer(15), "0xf"),
    Example("0o17", .integer(15), "0xf"),
    Example("0O17", .integer(15), "0xf"),
    Example("0b101", .integer(5), "0x5"),
    Example("0B101", .integer(5), "0x5"),
    Example("1_000", .integer(1000), "0x3e8"),
    Example("0x_ff_ff", .integer(0xFFFF), "0xffff"),
    Example("r0", .result(SyzVariable("r0"))),
    Example("ranges", .result(SyzVariable("ranges"))),
    Example("r12/3", .result(SyzVariable("r12", divisor: 3))),
    Example("r12+4", .result(SyzVariable("r12", addend: 4))),
    Example("r12/3+4", .result(SyzVariable("r12", divisor: 3, addend: 4))),
    Example("r1 / 0x10 + 0x2", .result(SyzVariable("r1", divisor: 16, addend: 2)), "r1/16+2"),
    Example("&AUTO", .pointer(.automatic, nil, isAny: false)),
    Example("&AUTO=0x1", .pointer(.automatic, one, isAny: false)),
    Example("&AUTO=AUTO", .pointer(.automatic, SyzArgument(.automatic), isAny: false)),
    Example("&(0x7f0000001000)", .pointer(.address(0x7F00_0000_1000), nil, isAny: false)),
    Example("&(0x7f0000001000)=0x1", .pointer(.address(0x7F00_0000_1000), one, isAny: false)),
    Example(
      "&(0x7f0000ffc000/0x1000)=nil",
      .pointer(.range(0x7F00_00FF_C000, length: 0x1000), SyzArgument(.absent), isAny: false)),
    Example(
      "&(0x7f0000ffc000/0x1000)", .pointer(.range(0x7F00_00FF_C000, length: 0x1000), nil, isAny: false)),
    Example(
      "&(0x7f0000000000)=ANY=[@ANYBLOB=\"00ff\", @ANYRES32=r1]",
      .pointer(
        .address(0x7F00_0000_0000),
        SyzArgument(
          .array([
            SyzArgument(.option("ANYBLOB", SyzArgument(.data(SyzData([0, 0xFF], .hexadecimal))))),
            SyzArgument(.option("ANYRES32", SyzArgument(.result(SyzVariable("r1"))))),
          ])), isAny: true)),
    Example("''", .data(SyzData([], .text))),
    Example("'a b'", .data(SyzData(Array("a b".utf8), .text))),
    Example("'#'", .data(SyzData(Array("#".utf8), .text))),
    Example(
      #"'\a\b\f\n\r\t\v\'\"\\\x00\x7f'"#,
      .data(SyzData([7, 8, 12, 10, 13, 9, 11, 39, 34, 92, 0, 0x7F], .text))),
    Example("'ab'/64", .data(SyzData(Array("ab".utf8), .text, size: 64))),
    Example("'ab'/0x40", .data(SyzData(Array("ab".utf8), .text, size: 64)), "'ab'/64"),
    Example("\"\"", .data(SyzData([], .hexadecimal))),
    Example("\"0aF0\"", .data(SyzData([0x0A, 0xF0], .hexadecimal)), "\"0af0\""),
    Example("\"\"/4096", .data(SyzData([], .hexadecimal, size: 4096))),
    Example("\"$\"", .data(SyzData([], .compressed))),
    Example("\"$Zg==\"", .data(SyzData(Array("f".utf8), .compressed))),
    Example("\"$Zm8=\"", .data(SyzData(Array("fo".utf8), .compressed))),
    Example("\"$Zm9vYmE+/w==\"", .data(SyzData(Array("fooba>".utf8) + [0xFF], .compressed))),
    Example("{}", .structure([])),
    Example("{0x1}", .structure([one])),
    Example("{0x1, 0x1, }", .structure([one, one]), "{0x1, 0x1}"),
    Example("[]", .array([])),
    Example("[0x1, {}]", .array([one, SyzArgument(.structure([]))])),
    Example("[0x1,]", .array([one]), "[0x1]"),
    Example("@void", .option("void", nil)),
    Example("@value=0x1", .option("value", one)),
    Example("nil", .absent),
    Example("AUTO", .automatic),
  ]

  @Test(arguments: examples)
  func everyValueIsReadAndPrinted(_ example: Example) throws {
    let program = try SyzParser.parse("call(\(example.text))")
    #expect(program == SyzProgram(calls: [SyzCall("call", [SyzArgument(example.value)])]))
    let text = SyzWriter.write(program)
    #expect(text == "call(\(example.canonical))\n")
    #expect(try SyzParser.parse(text) == program)
  }

  @Test("a call, its binding, its properties and its comment")
  func calls() throws {
    let text = """
        r0 = openat$iommufd ( 0x1 ,\t<r1=>0x1 ,) ( rerun : 3 , fail_nth:2,async )  #  EINVAL \r
      close()
      """
    let program = try SyzParser.parse(text)
    let first = SyzCall(
      "openat$iommufd", [Self.one, SyzArgument(.integer(1), binding: "r1")], binding: "r0",
      properties: SyzCall.Properties(failNth: 2, isAsynchronous: true, rerun: 3), comment: "EINVAL")
    #expect(program == SyzProgram(calls: [first, SyzCall("close")]))
    #expect(program.calls[0].line == 1)
    #expect(program.calls[0].column == 8)
    #expect(program.calls[0].arguments[1].column == 31)
    #expect(
      SyzWriter.write(program)
        == "r0 = openat$iommufd(0x1, <r1=>0x1) (fail_nth: 2, async, rerun: 3) # EINVAL\nclose()\n")
  }

  @Test("a comment belongs to the call below it, to the call before it, or to none")
  func comments() throws {
    let program = try SyzParser.parse(
      """
      # requires: manual -arch=arm64
      # free

      # EBADF
      close(0x1)
      # moved
      close(0x2) # EINVAL
      #
      # last
      """)
    #expect(program.calls.map(\.comment) == ["EBADF", "EINVAL"])
    #expect(
      program.comments == [
        SyzProgram.Comment(before: 0, "requires: manual -arch=arm64"), SyzProgram.Comment(before: 0, "free"),
        SyzProgram.Comment(before: 1, "moved"), SyzProgram.Comment(before: 2, ""),
        SyzProgram.Comment(before: 2, "last"),
      ])
    #expect(program.requirements == ["manual", "-arch=arm64"])
    #expect(try SyzParser.parse(SyzWriter.write(program)) == program)
  }

  @Test("names are given in the order of bindings, and only to what is used")
  func renumbering() throws {
    let program = try SyzParser.parse(
      """
      rfd = open(&AUTO='a', <runused=>0x0)
      ioctl(rfd, &AUTO={<rx=>0x0, <ry=>0x0})
      ioctl(rx, ry, &AUTO=[@ANYRES32=<rx=>0x0, rx])
      rx = dup(rx)
      close(rx/2)
      close(rnowhere)
      runused = dup(rfd)
      """)
    #expect(
      SyzWriter.write(program.renumbered()) == """
        r0 = open(&AUTO='a', 0x0)
        ioctl(r0, &AUTO={<r1=>0x0, <r2=>0x0})
        ioctl(r1, r2, &AUTO=[@ANYRES32=<r3=>0x0, r3])
        r4 = dup(r3)
        close(r4/2)
        close(rnowhere)
        dup(r0)

        """)
  }

  @Test(
    "what is not of the grammar is an error at its place",
    arguments: [
      ("close", 1, 6, "expected '('"),
      ("close(", 1, 7, "expected a value"),
      ("close(0x1", 1, 10, "expected ','"),
      ("close(0x1))", 1, 11, "nothing but a comment can follow a call"),
      ("\n  (0x1)", 2, 3, "expected a call"),
      ("r0 = (0x1)", 1, 6, "expected a call"),
      ("a(-1)", 1, 3, "expected a value"),
      ("a(true)", 1, 3, "expected a value"),
      ("a(0x)", 1, 3, "expected an integer of 64 bits"),
      ("a(0x10000000000000000)", 1, 3, "expected an integer of 64 bits"),
      ("a(18446744073709551616)", 1, 3, "expected an integer of 64 bits"),
      ("a(08)", 1, 3, "expected an integer of 64 bits"),
      ("a(1__0)", 1, 3, "expected an integer of 64 bits"),
      ("a(1_)", 1, 3, "expected an integer of 64 bits"),
      ("a(0b2)", 1, 3, "expected an integer of 64 bits"),
      ("a(12r)", 1, 3, "expected an integer of 64 bits"),
      ("a(nul)", 1, 3, "expected nil"),
      ("a(AUT)", 1, 3, "expected AUTO"),
      ("a(&ANY)", 1, 4, "expected AUTO"),
      ("a(&AUTO=ANYWAY)", 1, 9, "expected AUTO"),
      ("a(&(0x1/))", 1, 9, "expected an integer of 64 bits"),
      ("a(&(0x1/0x2=nil)", 1, 12, "expected ')'"),
      ("a(<r0>0x1)", 1, 6, "expected '='"),
      ("a(<r0=0x1)", 1, 7, "expected '>'"),
      ("a(@=0x1)", 1, 4, "expected an option"),
      ("a('x)", 1, 6, "the text has no closing quote"),
      (#"a('\0')"#, 1, 4, "no such escape"),
      (#"a('\xAB')"#, 1, 4, "no such escape"),
      (#"a('\"#, 1, 4, "an escape is cut off"),
      ("a('\0')", 1, 4, "a zero byte is written \\x00"),
      ("a(\"0\")", 1, 4, "expected two hexadecimal digits or a closing quote"),
      ("a(\"0g\")", 1, 4, "expected two hexadecimal digits or a closing quote"),
      ("a(\"$Zg\"", 1, 5, "expected four characters of base64 or a closing quote"),
      ("a(\"$Zg=a\")", 1, 5, "expected base64"),
      ("a(\"$Z===\")", 1, 5, "expected base64"),
      ("a(\"$Zg==Zg==\")", 1, 9, "padding ends base64"),
      ("a(\"$Zg==\"/4)", 1, 10, "expected ','"),
      ("a() (slow)", 1, 6, "a property is fail_nth, async or rerun"),
      ("a() (rerun)", 1, 11, "expected ':'"),
    ])
  func errors(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
    #expect(throws: SyzProblem(line: line, column: column, message)) { try SyzParser.parse(text) }
  }

  @Test("limits are errors")
  func limits() throws {
    let deep =
      String(repeating: "[", count: SyzLimits.nesting) + String(repeating: "]", count: SyzLimits.nesting)
    #expect(throws: SyzProblem.self) { try SyzParser.parse("a([\(deep)])") }
    #expect(try SyzParser.parse("a(\(deep))").calls.count == 1)
    let many = String(repeating: "a()\n", count: SyzLimits.calls)
    #expect(try SyzParser.parse(many).calls.count == SyzLimits.calls)
    #expect(throws: SyzProblem.self) { try SyzParser.parse(many + "a()") }
    let wide = String(repeating: "0,", count: SyzLimits.arguments - 1)
    #expect(throws: SyzProblem.self) { try SyzParser.parse("a([\(wide)0])") }
    #expect(throws: SyzProblem.self) {
      try SyzParser.parse([UInt8](repeating: 0x20, count: SyzLimits.textBytes + 1))
    }
  }
}
