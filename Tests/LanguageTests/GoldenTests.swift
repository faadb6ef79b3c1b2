// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Language
import Testing

/// One script and what is said about it, in `Golden/NAME.iofd` and `Golden/NAME.expected`.
///
/// With `IOFD_UPDATE_GOLDEN=1` in the environment the expected texts are written anew, for review.
@Suite struct GoldenTests {
  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: Project.golden.path())) ?? [])
    .filter { $0.hasSuffix(".iofd") }.map { String($0.dropLast(5)) }.sorted()

  @Test func thereAreEnough() {
    #expect(Self.names.count >= 25)
  }

  @Test(arguments: names) func golden(name: String) throws {
    let bytes = Array(try Data(contentsOf: Project.golden.appending(path: name + ".iofd")))
    let source = SourceFile(name: name + ".iofd", bytes: bytes)
    let rendered = DiagnosticRenderer().render(Parser.parse(source).1)
    let place = Project.golden.appending(path: name + ".expected")
    if ProcessInfo.processInfo.environment["IOFD_UPDATE_GOLDEN"] != nil {
      try rendered.write(to: place, atomically: true, encoding: .utf8)
    }
    #expect(!rendered.isEmpty)
    #expect(rendered == (try String(contentsOf: place, encoding: .utf8)))
  }
}

@Suite struct DiagnosticTests {
  @Test func codesAreDistinctAndExplained() {
    let all = DiagnosticCode.language
    #expect(Set(all.map { $0.code }).count == all.count)
    for code in all {
      #expect(code.code.wholeMatch(of: /P\d{4}/) != nil)
      #expect(!code.title.isEmpty && code.explanation.count > 40, "\(code.code)")
    }
    let registry = DiagnosticRegistry(all)
    #expect(registry.find("p0110")?.title == "A number that begins with zero")
    #expect(registry.find("P9999") == nil)
  }

  /// Only codes about sizes that no page could print have no example.
  @Test(arguments: DiagnosticCode.language) func examplesGetTheirCode(code: DiagnosticCode) {
    if ["P0001", "P0002", "P0003", "P0010"].contains(code.code) {
      #expect(code.example.isEmpty)
      return
    }
    if code.code == "P0005" {
      let bytes = Array("map \"".utf8) + [0xFF] + Array("\"".utf8)
      #expect(codes(SourceFile(name: "test", bytes: bytes)) == ["P0005"])
      return
    }
    #expect(codes(script(code.example)).contains(code.code), "\(code.code): \(code.example)")
  }

  /// Every code has a golden file, so that its looks were reviewed.
  @Test func everyCodeIsInAGoldenFile() throws {
    var seen: Set<String> = []
    for name in GoldenTests.names {
      let text = try String(contentsOf: Project.golden.appending(path: name + ".expected"), encoding: .utf8)
      for match in text.matches(of: /\[(P\d{4})\]/) { seen.insert(String(match.1)) }
    }
    let needsLargeInput: Set<String> = ["P0001", "P0002", "P0003", "P0010"]
    #expect(Set(DiagnosticCode.language.map { $0.code }).subtracting(seen) == needsLargeInput)
  }

  private var sample: Diagnostic {
    let source = SourceFile(name: "a,b.iofd", text: "x = 1\n\tmap $vm \"y\" -> E\n")
    let code = DiagnosticCode("P0403", "A title", explanation: "A page", example: "")
    return Diagnostic(
      code, in: source, at: Span(7, 10), "100% \"wrong\"", highlights: [Span(19, 23)],
      notes: [Diagnostic.Note("bound here", in: source, at: Span(0, 1)), Diagnostic.Note("no place")],
      details: [
        .init("-", "expected a"), .init("+", "got b"), .init("request", "MAP"), .init("ok", "x\u{1B}"),
      ],
      help: ["do\nthis"])
  }

  @Test func textFormat() {
    let expected = """
      a,b.iofd:2:9: error[P0403]: 100% "wrong"
       2 |         map $vm "y" -> E
         |         ^~~         ~~~~
        - expected a
        + got b
        request  MAP
        ok       x?
        note: a,b.iofd:1:1: bound here
        note: no place
        help: do?this

      """
    #expect(DiagnosticRenderer().render(sample) == expected)
  }

  @Test func otherFormats() {
    #expect(
      DiagnosticRenderer(format: .short).render([sample, sample])
        == String(repeating: "a,b.iofd:2:9: error[P0403]: 100% \"wrong\"\n", count: 2))
    #expect(
      DiagnosticRenderer(format: .github).render(sample)
        == "::error file=a%2Cb.iofd,line=2,col=9,endLine=2,endColumn=12,title=P0403::100%25 \"wrong\"%0Ado%0Athis\n"
    )
    #expect(DiagnosticRenderer(usesColour: true).render(sample).contains("\u{1B}[1;31merror[P0403]\u{1B}[0m"))
  }

  @Test func jsonFormat() throws {
    let line = DiagnosticRenderer(format: .json).render(sample)
    #expect(line.hasSuffix("}\n"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["code"] as? String == "P0403")
    #expect(object["line"] as? Int == 2)
    #expect(object["endColumn"] as? Int == 12)
    #expect(object["message"] as? String == "100% \"wrong\"")
    #expect((object["notes"] as? [[String: Any]])?.first?["line"] as? Int == 1)
    #expect((object["help"] as? [String]) == ["do\nthis"])
    #expect((object["details"] as? [[String: Any]])?.count == 4)
  }
}
