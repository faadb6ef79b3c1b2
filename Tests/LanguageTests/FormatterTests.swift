// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

/// Formats a script, checks the two promises, and returns the layout.
@discardableResult
func formatted(_ source: SourceFile, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
  let text = try #require(Formatter.format(source).text, sourceLocation: sourceLocation)
  let again = SourceFile(name: source.name, bytes: text)
  let (file, diagnostics) = Parser.parse(again)
  let layout = String(decoding: text, as: UTF8.self)
  #expect(
    diagnostics.isEmpty, "\(layout)\n\(DiagnosticRenderer().render(diagnostics))",
    sourceLocation: sourceLocation)
  #expect(
    structure(file) == structure(Parser.parse(source).0), "\(source.text(source.span))\n---\n\(layout)",
    sourceLocation: sourceLocation)
  #expect(Formatter.format(again).text == text, "\(layout)", sourceLocation: sourceLocation)
  return layout
}

@Suite struct FormatterTests {
  @Test func layout() throws {
    let text = """
      #!/usr/bin/env iofd
      iofd   1  # the version



      require backend = mock ,kernel>=6.15
      test  "a"   label = x {   # opens
      # first
       vm=ioas create   # one
       map   $vm $buf iova = 0x1000\t-> EEXIST
         map $vm $buf -> ok,iova=?a  # two

       if mock { ioas create }
       else_verb x=[1,2 ,
           3]
       if !mock {
       ioas create } else if kernel<7.0 {} else {
       # nothing
       }
       # last
       }
      defer {
        destroy $vm
      }
      map $vm \\
          $buf   len=0x10 \\
        ro -> ok
      x = [ 1, # one
            2 ]
      ioctl $fd { u32 1;u32 2
       u64 $x }; ioas create # end
      -- data --
       kept  as is
      """
    let expected = """
      #!/usr/bin/env iofd
      iofd 1  # the version

      require backend=mock, kernel>=6.15
      test "a" label=x {  # opens
        # first
        vm = ioas create  # one
        map $vm $buf iova=0x1000  -> EEXIST
        map $vm $buf              -> ok, iova=?a  # two

        if mock { ioas create }
        else_verb x=[1, 2,
          3]
        if !mock {
          ioas create
        } else if kernel<7.0 {} else {
          # nothing
        }
        # last
      }
      defer destroy $vm
      map $vm \\
          $buf len=0x10 \\
          ro  -> ok
      x = [ 1, # one
            2 ]
      ioctl $fd { u32 1; u32 2;
        u64 $x }
      ioas create  # end
      -- data --
       kept  as is
      """
    #expect(try formatted(SourceFile(name: "test", text: text)) == expected)
  }

  @Test(arguments: [
    "", "# only a comment", "\n\n\n", "iofd 1", "ioas create", "a\r\nb # c\r\n# d\r\n", "if mock {} # x\n# y",
    "if mock { # a\n} else { # b\n}", "for i in [1, # one\n 2] {\n ioas create # x\n}",
    "def f(\n a,\n b=1\n) {}",
    "defer {\n# why\ndestroy $x\n}", "defer {}", "defer { defer_it; b }", "defer { if mock { a } }",
    "[mock] defer a",
    "x = \"naïve ☃\"; y = \"\\xff\"", "a -> [1,\n ...,\n 2]", "a -> {\n a=1\n\n b=2 }", "x = {\n\n}",
    "a {\n b\n}",
    "for i in 0...1 { xfail \"r\" a -> ok }", "test \"a\" {\n\n# c\n\n}\n\n# d", "x = (\n1\n+\n2\n)",
    "a \\\n\\\n b", "a # c \\\nb", "a; b; c # d", "{ a }\n".replacing("{ a }", with: "t { a } { b }"),
    "x = f(1,\n  2)", "expect $a.b[1\n] = 2", "[mock,\n kernel>6.1] a", "require a,b", "require a > as",
    "a 1 (as) b", "a (b) c", "a (max)", "x = {as b}",
  ]) func promises(text: String) throws {
    try formatted(SourceFile(name: "test", text: text))
  }

  @Test func commentsSurvive() throws {
    let text = "a # 1\n# 2\ntest \"x\" { # 3\n# 4\nb [1, # 5\n 2] # 6\n# 7\n} # 8\nif mock { # 9\n}\n# 10"
    let layout = try formatted(SourceFile(name: "test", text: text))
    for number in 1...10 {
      #expect(layout.contains("# \(number)"))
      #expect(layout.matches(of: /#/).count == 10)
    }
  }

  @Test func whatDoesNotParseIsLeftAlone() {
    let result = Formatter.format(SourceFile(name: "test", text: "map $vm,"))
    #expect(result.text == nil)
    #expect(result.diagnostics.count == 1)
  }

  @Test func statementsPrintOnTheirOwn() throws {
    let file = parsed("test \"a\" { x = (1 + 2); map $vm -> ok }")
    #expect(Printer.text(file.statements[0]) == "test \"a\" {\n  x = (1 + 2)\n  map $vm  -> ok\n}")
  }
}
