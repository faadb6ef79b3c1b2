// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Interpreter
import Language
import Testing
import UAPI

/// Each rule on lines that it is about, and on lines that only look like them. `⏎` is a line end.
@Suite struct LintTests {
  static func report(_ text: String, loader: MemoryLoader = MemoryLoader()) -> [Diagnostic] {
    let source = SourceFile(name: "lint.iofd", text: text.replacing("⏎", with: "\n"))
    return Lint.report(ScriptIndex(source, loader: loader, environment: mock))
  }

  static func codes(_ text: String) -> [String] { report("iofd 1⏎" + text).map(\.code.code) }

  @Test(arguments: DiagnosticCode.lint) func theExampleGetsTheCodeAlone(code: DiagnosticCode) {
    let found = Self.report((code.code == "L0013" ? "" : "iofd 1⏎") + code.example)
    #expect(found.contains { $0.code.code == code.code }, "\(DiagnosticRenderer().render(found))")
    #expect(
      found.allSatisfy { [code.code, "R0101"].contains($0.code.code) },
      "\(DiagnosticRenderer().render(found))")
    #expect(found.allSatisfy { $0.severity != .error })
  }

  @Test(arguments: [
    // A test may end with what a procedure, a sweep or a thread does.
    "test \"a\" {⏎  ioas create⏎}", "test \"a\" {⏎  ? ioas create⏎  expect invariants⏎}",
    "test \"a\" {⏎  for i in 1...2 { ioas create }⏎}", "def f() { ioas create }⏎test \"a\" {⏎  f⏎}",
    "test \"a\" {⏎  ! destroy id:1⏎}", "test \"a\" {⏎  sweep { ioas create }⏎}",
    // The same name in another test.
    "test \"a\" {⏎  section \"x\"⏎  ioas create⏎}⏎test \"b\" {⏎  section \"x\"⏎  ioas create⏎}",
    "test \"a\" label=[slow, net] {⏎  ioas create⏎}",
    "def _later() { ioas create }⏎ioas create", "thread _later { ioas create }⏎ioas create",
    "thread a { ioas create }⏎run a", "thread a { ioas create }⏎explore threads=[a] { }",
    "parallel {⏎  thread a { ioas create }⏎  ioas create⏎}",
    // Conditions that choose.
    "[kernel>=6.15] ioas create⏎[kernel<6.15] ioas create", "require kernel>=6.15⏎[kernel>=7.0] ioas create",
    "if kernel>=6.15 {⏎  ioas create⏎} else if kernel<6.15 {⏎  ioas create⏎}",
    "require mock⏎test \"a\" {⏎  require kernel>=6.13⏎  ioas create⏎}",
    "destroy id:1 -> ENOENT [kernel<6.13] | EINVAL",
    "destroy id:1 -> ENOENT [kernel<6.13] | EINVAL [kernel>=6.13]",
    "[!bench] ioas create⏎[bench] ioas create", "[backend=vtd] ioas create⏎[!vtd] ioas create",
    // Numbers without a name, or where no word belongs.
    "vm = ioas create⏎request OPTION option_id=77 object_id=$vm op=SET val64=1 -> EOPNOTSUPP",
    "vm = ioas create flags=1 -> EOPNOTSUPP⏎destroy $vm -> ENOENT",
    // Bindings that are read, or may be.
    "vm = ioas create⏎destroy $vm⏎vm = ioas create⏎destroy $vm",
    "vm = ioas create⏎[mock] vm = ioas create⏎destroy $vm",
    "vm = ioas create⏎for i in 1...2 {⏎  vm = ioas create⏎}⏎destroy $vm",
    "n = 1⏎def f() { mem alloc $n }⏎n = 2⏎f⏎n = 3⏎f", "vm = ioas create⏎defer destroy $vm⏎vm = ioas create",
    "vm = ioas create⏎vm = ioas create -> id>$vm.id⏎destroy $vm",
    "destroy id:9 -> ENOENT|EINVAL", "destroy id:9 -> ENOENT [mock] | ENOENT",
    "vm = ioas create⏎expect $vm.id = 1", "param n: int = 4⏎expect $n = 4",
    "vm = ioas create⏎other = ioas create⏎expect $vm.id != $other.id", "vm = ioas create⏎expect $vm",
    "thread a { ioas create }⏎explore threads=[a] { } -> schedules=1",
    "param n: int = 1⏎size = 4K⏎require mock⏎mem alloc $size⏎mem alloc $n",
    "# lint: a comment that only mentions it, as prose would⏎ioas create",
  ]) func goodLinesAreLeftAlone(text: String) {
    let found = Self.codes(text).filter { $0 != "R0101" }
    let isProse = text.hasPrefix("# lint:")
    #expect(found == (isProse ? ["L0014"] : []), "\(text)")
  }

  @Test(arguments: [
    ("require mock, vtd⏎ioas create", "L0005"),
    ("[kernel>=6.15, kernel<6.14] ioas create⏎ioas create", "L0005"),
    ("if mock {⏎  ioas create⏎} else if mock {⏎  ioas create⏎}", "L0005"),
    ("if mock {⏎  ioas create⏎} else if !mock {⏎  ioas create⏎} else {⏎  ioas create⏎}", "L0005"),
    ("destroy id:1 -> ENOENT [mock] | EINVAL [mock]", "L0005"),
    ("destroy id:1 -> ENOENT [mock] | EINVAL [!mock] | EBUSY", "L0005"),
    ("require mock⏎test \"a\" {⏎  require vtd⏎  ioas create⏎}", "L0005"),
    ("require mock⏎[mock] ioas create", "L0006"),
    ("require kernel>=6.15⏎require kernel>=6.14⏎ioas create", "L0006"),
    ("test \"a\" {⏎  ioas create⏎}⏎test \"a\" {⏎  ioas create⏎}", "L0002"),
    ("test \"a\" label=[slow, slow] {⏎  ioas create⏎}", "L0002"),
    ("test \"a\" {⏎}", "L0001"), ("test \"a\" {⏎  n = 3⏎  ? mem alloc $n⏎}", "L0001"),
    ("a = ioas create⏎if mock {⏎  a = ioas create⏎  a = ioas create⏎}⏎destroy $a", "L0008"),
    ("expect 1 = 2", "L0010"), ("expect 1", "L0010"), ("if mock {⏎}⏎ioas create", "L0011"),
    ("ioas create⏎xfail \"why\"", "L0012"),
    ("vm = ioas create⏎option $vm huge-pages⏎# lint: allow⏎destroy $vm", "L0014"),
  ]) func badLinesAreFound(text: String, code: String) {
    #expect(Self.codes(text).filter { $0 != "R0101" } == [code], "\(text)")
  }

  @Test func aCommentSilencesALineOrAStatement() {
    let test = "test \"a\" {⏎  ? ioas create⏎}"
    #expect(Self.codes(test) == ["L0001"])
    #expect(Self.codes("# lint: allow L0001 as an example⏎" + test) == [])
    #expect(Self.codes("test \"a\" {  # lint: allow L0001⏎  ? ioas create⏎}") == [])
    #expect(Self.codes("vm = ioas create  # lint: allow R0101") == [])
    // Of two codes, the one that nothing is reported as.
    #expect(Self.codes("vm = ioas create  # lint: allow L0007, R0101") == ["L0014"])
    // Everything inside of the statement that follows, and nothing behind it.
    let inner = "# lint: allow L0011⏎for i in 1...2 {⏎  if mock {⏎  }⏎  ioas create⏎}⏎"
    #expect(Self.codes(inner) == [])
    #expect(Self.codes(inner + "if mock {⏎}") == ["L0011"])
    // An error is no matter of taste.
    #expect(Self.codes("destroy $vm  # lint: allow R0005") == ["R0005"])
  }

  @Test func findingsAreCounted() {
    let found = Self.codes(String(repeating: "if mock {⏎}⏎", count: 300))
    #expect(found.count == 201 && found.last == "R0030" && found.dropLast().allSatisfy { $0 == "L0011" })
    // What is silenced takes no room.
    let silent = "# lint: allow L0011⏎for i in 1...2 {⏎ioas create⏎"
    #expect(Self.codes(silent + String(repeating: "if mock {⏎}⏎", count: 300) + "}").isEmpty)
  }

  @Test func aScriptWithErrorsGetsThemAlone() {
    #expect(Self.codes("thread a { ioas create }⏎destroy $vm") == ["R0005"])
  }

  @Test func fixesMend() throws {
    for text in [
      "vm = ioas create⏎request OPTION option_id=1 object_id=$vm op=SET val64=0",
      "vm = ioas create⏎vm = ioas create⏎destroy $vm", "vm = ioas create", "ioas create -> id=?n",
    ] {
      let source = SourceFile(name: "lint.iofd", text: ("iofd 1⏎" + text).replacing("⏎", with: "\n"))
      let found = Lint.report(ScriptIndex(source, loader: MemoryLoader(), environment: mock))
      let diagnostic = try #require(found.first)
      let fix = try #require(diagnostic.suggestedFixes.first, "\(text)")
      var bytes = source.bytes
      bytes.replaceSubrange(Int(fix.span.start)..<Int(fix.span.end), with: fix.text.utf8)
      #expect(Self.report(String(decoding: bytes, as: UTF8.self)).isEmpty, "\(text)")
    }
    let version = try #require(Self.report("ioas create").first?.fixes.first)
    #expect(version.text == "iofd 1\n" && version.span == .zero)
    #expect(Self.report("#!/bin/iofd run⏎ioas create").first?.fixes.first?.span == Span(16, 16))
  }

  @Test func suggestionsAreRead() {
    let help = Suggest.help(for: "mpa", in: ["map", "mpb"])
    #expect(help.map { Suggest.replacements(in: $0) } == ["map", "mpb"])
    #expect(Suggest.replacements(in: "options: 'a' 'b'").isEmpty)
  }

  // MARK: The index

  @Test func namesAreToldApartByWhatTheyStandFor() throws {
    let text = """
      vm = ioas create
      test "t" {
        vm = ioas create
        destroy $vm
      }
      def f(vm, n=1) {
        destroy $vm
        mem alloc $n
      }
      f $vm n=4
      thread a { destroy $vm -> ENOENT }
      run a
      """
    let source = SourceFile(name: "names.iofd", text: text)
    let index = ScriptIndex(source, loader: MemoryLoader(), environment: mock)
    #expect(!index.hasErrors)
    func lines(_ needle: String) throws -> [Int] {
      let range = try #require(text.range(of: needle))
      let name = try #require(index.name(at: UInt32(text[..<range.lowerBound].utf8.count)))
      return index.places(of: name).map { source.line(of: $0.span.start) }
    }
    #expect(try lines("vm = ioas") == [1, 10, 11])
    #expect(try lines("vm = ioas create\n  destroy") == [3, 4])
    #expect(try lines("vm, n") == [6, 7])
    #expect(try lines("n=1") == [6, 8, 10])
    #expect(try lines("f $vm") == [6, 10])
    // A thread's statements are read before its name is known.
    #expect(try lines("a { destroy") == [11, 12])
  }

  @Test func exportsLeadToTheirFile() throws {
    let loader = MemoryLoader(texts: ["inner.iofd": "vm = ioas create\nexport vm\n"])
    let source = SourceFile(name: "outer.iofd", text: "include \"inner.iofd\"\ndestroy $vm\n")
    let index = ScriptIndex(source, loader: loader, environment: mock)
    let name = try #require(index.name(at: 30))
    let definition = try #require(index.definition(of: name))
    #expect(definition.source.name == "inner.iofd" && definition.word == Span(0, 2))
    #expect(index.inclusions.count == 1)
  }
}
