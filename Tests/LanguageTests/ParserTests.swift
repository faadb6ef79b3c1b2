// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

@Suite struct LiteralTests {
  @Test(
    arguments: [
      ("0", 0), ("42", 42), ("1_000", 1000), ("0x1F", 31), ("0XfF", 255), ("0b101", 5), ("0o17", 15),
      ("64K", 65536),
      ("2M", 2 << 20), ("1G", 1 << 30), ("3T", 3 << 40), ("1P", 1 << 50), ("15E", 15 << 60), ("4KiB", 4096),
      ("2MiB", 2 << 20), ("0x10K", 16384), ("0x1E", 30), ("18446744073709551615", .max),
      ("0xffff_ffff_ffff_ffff", .max), ("16383P", 16383 << 50),
    ] as [(String, UInt64)]
  ) func numbers(text: String, expected: UInt64) throws {
    guard case .number(let number) = try parsedValue(text).kind else { throw Unexpected(text) }
    #expect(number.value == expected)
  }

  @Test(
    arguments: [
      ("10ns", 10), ("5us", 5000), ("3ms", 3_000_000), ("1s", 1_000_000_000), ("2m", 120_000_000_000),
    ] as [(String, UInt64)]
  ) func times(text: String, expected: UInt64) throws {
    guard case .duration(let duration) = try parsedValue(text).kind else { throw Unexpected(text) }
    #expect(duration.nanoseconds == expected)
  }

  @Test func pagesAreNotScaled() throws {
    guard case .number(let number) = try parsedValue("4pg").kind else { throw Unexpected("4pg") }
    #expect(number == NumberLiteral(4, unit: .pages))
  }

  @Test(arguments: [
    ("010", "P0110"), ("00", "P0110"), ("12ab", "P0111"), ("0x", "P0111"), ("0b2", "P0111"), ("1_", "P0111"),
    ("0xg", "P0111"), ("18446744073709551616", "P0112"), ("16E", "P0112"), ("16384P", "P0112"),
    ("400000000000m", "P0112"), ("4Q", "P0113"), ("4kiB", "P0114"), ("4kB", "P0114"), ("4KB", "P0114"),
    ("4k", "P0114"), ("4mb", "P0114"), ("1.5K", "P0115"), ("1.2.3.4", "P0115"), ("1.02", "P0115"),
    ("99999999999.1", "P0115"), ("2027-13-01", "P0116"), ("2027-02-29", "P0116"), ("2027-00-10", "P0116"),
  ]) func badNumbers(text: String, code: String) {
    #expect(codes("x = \(text)") == [code])
  }

  @Test func leapDays() {
    #expect(codes("x = 2028-02-29") == [])
    #expect(codes("x = 2000-02-29") == [])
    #expect(codes("x = 2100-02-29") == ["P0116"])
  }

  @Test func strings() throws {
    guard case .string(let bytes) = try parsedValue(#""a\n\t\r\0\\\"\x7f\u{263A}é""#).kind else {
      throw Unexpected("")
    }
    #expect(bytes == Array("a\n\t\r\0\\\"\u{7F}\u{263A}é".utf8))
  }

  @Test(arguments: [
    (#""\q""#, "P0102"), (#""\x1""#, "P0102"), (#""\u{}""#, "P0102"), (#""\u{D800}""#, "P0102"),
    (#""\u{1234567}""#, "P0102"), (#""\u12""#, "P0102"), (#""abc"#, "P0101"), (#""abc\"#, "P0101"),
    (#"hex"a""#, "P0103"), (#"hex"a b""#, "P0103"), (#"hex"xx""#, "P0103"), (#"hex"**""#, "P0104"),
  ]) func badTexts(text: String, code: String) {
    #expect(codes("x = \(text)") == [code])
  }

  @Test func hexWithWildcards() throws {
    let expectation = try #require(try command("dma read $d -> hex\"de *f **\"").expectation)
    guard case .value(let value) = expectation.checks[0].pattern.kind, case .hex(let hex) = value.kind else {
      throw Unexpected("hex")
    }
    #expect(hex == HexLiteral(bytes: [0xDE, 0x0F, 0], mask: [0xFF, 0x0F, 0]))
  }
}

@Suite struct ParserTests {
  @Test func commandsSplitIntoWordsAndOperands() throws {
    let statement = try command("hw = hwpt create dev=$d parent=$vm nest")
    #expect(statement.bindings.map { $0.text } == ["hw"])
    #expect(statement.command.words.map { $0.text } == ["hwpt", "create"])
    #expect(statement.command.operands.map { Printer.text($0.value) } == ["$d", "$vm", "nest"])

    let option = try command("option rlimit-mode max").command
    #expect(option.words.map { $0.text } == ["option", "rlimit-mode", "max"])
    #expect(option.operands(after: 1).map { Printer.text($0.value) } == ["rlimit-mode", "max"])
    guard case .max = option.operands(after: 1)[1].value.kind else { throw Unexpected("max") }
    #expect(option.operands(after: 9).isEmpty)
  }

  @Test func asBindsToo() throws {
    let statement = try command("mem alloc 64K as buf fill=seq")
    #expect(statement.bindings.map { $0.text } == ["buf"])
    #expect(statement.command.operands.count == 2)
  }

  @Test func symbolsAreCounted() throws {
    let file = parsed("vm = ioas create\nmap $vm $buf -> iova=?a\nfor i in 0...1 { map $vm $i }")
    #expect(file.symbolCount == 7)
    guard case .command(let map) = file.statements[1].kind else { throw Unexpected("map") }
    guard case .variable(let vm) = map.command.operands[0].value.kind else { throw Unexpected("vm") }
    #expect(vm.ordinal == 1)
    #expect(file.source.text(vm.span) == "$vm")
  }

  @Test(arguments: [
    ("$buf+4K", "$buf+4K"), ("($buf + 4K)", "$buf+4K"), ("(4 + 2 * 3)", "(4 + 2 * 3)"),
    ("((4 + 2) * 3)", "((4 + 2) * 3)"), ("(1 - (2 - 3))", "(1 - (2 - 3))"), ("(1 - 2 - 3)", "(1 - 2 - 3)"),
    ("((1 << 2) + 3)", "((1 << 2) + 3)"), ("(A|B)", "A|B"), ("A|B|0x80", "A|B|0x80"), ("((5))", "5"),
    ("(-1)", "-1"), ("(-(-1))", "-(-1)"), ("(~~1)", "~~1"), ("f(a, k=(1 = 2))", "f(a, k=1 = 2)"),
    ("f((1 = 2))", "f((1 = 2))"), ("$a[0...(1 + 2)].b", "$a[0...1 + 2].b"), ("[1 + 2, 3]", "[1 + 2, 3]"),
    ("\"a\" ++ (\"b\" ++ \"c\")", "\"a\" ++ (\"b\" ++ \"c\")"), ("id:3", "id:3"), ("any:$n", "any:$n"),
    ("(1...2)", "1...2"), ("max", "max"), ("{ a 1; b }", "{ a 1; b }"), ("{a=1,b=2}", "{a=1, b=2}"),
    ("{ a=1 b=2 }", "{ a=1 b=2 }"), ("{}", "{}"), ("[]", "[]"), ("f()", "f()"),
    ("{ 1 = x y }", "{ 1 = x y }"),
    ("0x1000", "0x1000"), ("4KiB", "4K"), ("1_0", "10"), ("$a-1-2", "$a-1-2"),
    ("$a-(1 + 2)", "($a - (1 + 2))"),
    ("($a & 1 & 2)", "($a & 1 & 2)"), ("($a & (1 ^ 2))", "($a & (1 ^ 2))"), ("f(1 + 2 < 3)", "f(1 + 2 < 3)"),
    ("(1...2 ++ 3)", "1...(2 ++ 3)"), ("-$a+1", "-$a+1"), ("(4 - 1)", "(4 - 1)"),
    ("[{a=1}, {b=2}]", "[{a=1}, {b=2}]"), ("(($a | 1) & 2)", "(($a|1) & 2)"),
  ]) func valuesPrintAsTheyParse(text: String, printed: String) throws {
    let first = try parsedValue(text)
    #expect(Printer.text(first) == printed)
    #expect(structure(try parsedValue(printed)) == structure(first))
  }

  @Test(arguments: [
    ("-> EEXIST", "-> EEXIST"), ("-> EEXIST|EADDRINUSE", "-> EEXIST | EADDRINUSE"),
    ("-> EOPNOTSUPP [kernel<6.13,!mock] | ok", "-> EOPNOTSUPP [kernel<6.13, !mock] | ok"),
    ("-> ok,iova=0x1000", "-> ok, iova=0x1000"), ("-> iova = ?a , length >= 64K", "-> iova=?a, length>=64K"),
    ("-> caps has DIRTY|PASID", "-> caps has DIRTY|PASID"), ("-> iova in 1...2", "-> iova in 1...2"),
    ("-> a in [1, 2]", "-> a in [1, 2]"), ("-> none", "-> none"), ("-> ?c", "-> ?c"),
    ("-> \"hello\"", "-> \"hello\""),
    ("-> [a, ..., c]", "-> [a, ..., c]"), ("-> {a,b}", "-> { a, b }"), ("-> {}", "-> {}"), ("-> []", "-> []"),
    ("-> [{dev=$d, cookie=?c}]", "-> [{dev=$d, cookie=?c}]"), ("-> READ|WRITE", "-> READ|WRITE"),
    ("-> events[0].seq!=1", "-> events[0].seq!=1"), ("-> a=none, b=max", "-> a=none, b=max"),
    ("-> data~\"x\"", "-> data~\"x\""), ("-> [1 + 2, $a+1]", "-> [1 + 2, $a + 1]"), ("-> fault", "-> fault"),
    ("-> seq(16, at=0xff0)", "-> seq(16, at=0xff0)"), ("-> {\n a=1\n b=2\n}", "-> {a=1, b=2}"),
    ("-> id:3", "-> id:3"), ("-> -1", "-> -1"),
  ]) func expectationsPrintAsTheyParse(text: String, printed: String) throws {
    let first = try #require(try command("map " + text).expectation)
    #expect(Printer.text(first) == printed)
    let second = try #require(try command("map " + printed).expectation)
    #expect(structure(second) == structure(first))
  }

  @Test func outcomes() throws {
    let expectation = try #require(try command("map -> EEXIST [mock] | ok | rejected").expectation)
    #expect(expectation.alternatives.map { $0.outcome } == [.errno("EEXIST"), .ok, .kind(.rejected)])
    #expect(expectation.alternatives[0].condition?.terms.map { $0.name.text } == ["mock"])
    #expect(expectation.checks.isEmpty)
  }

  @Test func statementsOfEveryKind() throws {
    let text = """
      iofd 1
      param depth: int in 1...64 = 4
      require kernel>=6.15, !mock
      xfail "why" until=2027-01-01
      section "one"
      test "t" label=slow { ioas create }
      for p in [4K, 2M] { ioas create }
      def f(a, b=4K) { ioas create }
      if mock { ioas create } else if kernel>7.0 { } else { }
      include "x.iofd" with vm=$vm, depth=4
      export vm
      defer destroy $vm
      defer { destroy $vm }
      expect invariants
      [mock] xfail "r" expect refs($vm) != 1
      [!mock] xfail "r" ! vm, b = ioas create
      size = 64K
      """
    let file = parsed(text)
    #expect(file.version == 1)
    let names = file.statements.map { "\($0.kind)".prefix { $0 != "(" } }
    #expect(
      names == [
        "parameter", "require", "expectedFailure", "section", "test", "loop", "definition", "conditional",
        "include",
        "export", "deferred", "deferred", "expect", "expect", "command", "value",
      ])
    guard case .command(let last) = file.statements[14].kind else { throw Unexpected("command") }
    #expect(last.mark?.kind == .mustFail)
    #expect(last.expectedFailure?.reason.text == "r")
    #expect(last.bindings.map { $0.text } == ["vm", "b"])
    #expect(file.statements[14].condition?.terms.first?.isNegated == true)
  }

  @Test func spansCoverWhatWasWritten() throws {
    let file = parsed("  [mock] vm = map $a k=(1 + 2)   -> EEXIST, a=1 # note")
    let first = file.statements[0]
    #expect(file.source.text(first.span) == "[mock] vm = map $a k=(1 + 2)   -> EEXIST, a=1")
    guard case .command(let map) = first.kind else { throw Unexpected("map") }
    #expect(file.source.text(map.command.span) == "map $a k=(1 + 2)")
    #expect(file.source.text(map.command.operands[1].span) == "k=(1 + 2)")
    #expect(map.expectation.map { file.source.text($0.span) } == "-> EEXIST, a=1")
  }

  @Test func aSlipDoesNotHideTheRest() {
    let text = """
      map $vm, $buf
      test "a" {
        map $vm len=
        x = (1 2
        ioas create
        y = [1, 2
      }
      z = 010
      """
    #expect(codes(text) == ["P0206", "P0301", "P0304", "P0304", "P0110"])
  }

  @Test func recoveryInsideBracketsThatClose() {
    #expect(codes("x = [1,\n 2 3,\n 4]\ny = 010") == ["P0304", "P0110"])
    #expect(codes("f {\n a -> b\n}\ny = 010") == ["P0305", "P0110"])
  }

  @Test(arguments: [
    ("ioas create", 0), ("test \"a\" {", 1), ("test \"a\" {\nx = [1,", 2), ("a {\n}\n", 0), ("map \\", 1),
    ("map \\\n", 1), ("map # \\", 0), ("}}", 0), ("f(", 1), ("x = \"{\"", 0), ("", 0), ("# {", 0),
  ]) func openDepth(text: String, depth: Int) {
    let source = SourceFile(name: "repl", text: text)
    #expect(Parser.openDepth(source) == depth)
    #expect(Parser.isComplete(source) == (depth == 0))
  }

  @Test func recordFields() throws {
    guard case .record(let record) = try parsedValue("{ size=40 flags=6; x=1 }").kind else {
      throw Unexpected("record")
    }
    #expect(record.fields?.map { $0.name.text } == ["size", "flags", "x"])
    guard case .record(let other) = try parsedValue("{ u32 40 }").kind else { throw Unexpected("record") }
    #expect(other.fields == nil)
  }

  @Test func suggestions() {
    #expect(Suggest.closest(to: "parrent", in: ["parent", "dev", "type"]) == ["parent"])
    #expect(Suggest.closest(to: "crate", in: ["create", "grate"]) == ["create", "grate"])
    #expect(Suggest.closest(to: "x", in: ["y", "z"]) == [])
    #expect(Suggest.closest(to: "map", in: ["map"]) == [])
    #expect(Suggest.closest(to: "aa", in: ["ab", "ac", "ad", "ae"]) == [])
    #expect(Suggest.closest(to: "amp", in: ["map"]) == ["map"])
    #expect(Suggest.help(for: "crate", in: ["create", "grate"]) == "did you mean 'create' or 'grate'?")
    #expect(Suggest.help(for: "zzz", in: ["create"]) == nil)
  }
}
