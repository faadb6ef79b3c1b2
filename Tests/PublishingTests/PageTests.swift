// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Runner
import Testing
import UAPI

@testable import Publishing

@Suite struct PageTests {
  private static let files = GeneratedFiles.all(smallTool, examples: Scripts.examples)

  private func text(_ path: String) throws -> String {
    try #require(Self.files.first { $0.path == path }, "\(path)").text
  }

  @Test func theyAreTextWithAnEnd() {
    #expect(Set(Self.files.map(\.path)).count == Self.files.count)
    for file in Self.files {
      #expect(file.text.hasSuffix("\n") && !file.text.hasSuffix("\n\n\n"), "\(file.path)")
      #expect(file.text.split(separator: "\n").allSatisfy { !$0.hasSuffix(" ") }, "\(file.path)")
    }
  }

  /// Everything has a heading, and every link inside the page leads to one.
  @Test func theReferenceIsComplete() throws {
    let page = try text("reference.md")
    let all = page.split(separator: "\n")
    let lines = Set(all)
    let headings = all.filter { $0.hasPrefix("##") }.map {
      String($0.drop { $0 == "#" }.dropFirst())
    }
    let anchors = Set(headings.map { Markdown.anchor($0) })
    #expect(anchors.count == headings.count)
    for verb in VerbTable.all {
      #expect(headings.contains(verb.name), "\(verb.name)")
      #expect(lines.contains(verb.synopsis[...]), "\(verb.name)")
    }
    for row in CommandTable.all { #expect(headings.contains(ReferencePage.heading(row)), "\(row.name)") }
    for code in Explain.codes.codes { #expect(page.contains("`\(code.code)`"), "\(code.code)") }
    for function in Function.allCases { #expect(page.contains("`\(function.signature)`")) }
    for part in page.split(separator: "](#").dropFirst() {
      let target = String(part.prefix { $0 != ")" })
      #expect(anchors.contains(target), "#\(target)")
    }
  }

  /// The examples that tests run have every verb, so what the reference says of one happened. Those that print what there
  /// is to choose from are left out: their lists are long.
  @Test func everyVerbIsInAnExample() {
    let index = ExampleIndex(Scripts.examples)
    let lists: Set<String> = ["iommu kinds", "bug kinds", "show points"]
    for verb in VerbTable.all where !lists.contains(verb.name) {
      #expect(!index.scripts(verb, limit: 1).isEmpty, "\(verb.name)")
    }
  }

  @Test func errnosOfAVerbComeFromExamples() throws {
    let map = try #require(VerbTable.find(["map"])?.verb)
    let index = ExampleIndex([
      SourceFile(
        name: "examples/b.iofd", text: "map $vm $buf -> EEXIST|EINVAL\nmap $vm $buf\nunmap $vm all -> ENOENT"),
      SourceFile(name: "examples/a.iofd", text: "test \"x\" { map $vm $buf -> EEXIST }"),
      SourceFile(name: "examples/broken.iofd", text: "map ("),
    ])
    #expect(index[map].errnos == ["EEXIST": "examples/a.iofd", "EINVAL": "examples/b.iofd"])
    #expect(index.scripts(map, limit: 5) == ["examples/b.iofd", "examples/a.iofd"])
  }

  @Test func thePageOfWhatIsModelledHasEveryRow() throws {
    let page = try text("modelled.md")
    for row in CommandTable.all { #expect(page.contains("[\(row.name)](reference.md#"), "\(row.name)") }
    for op in CommandTable.selftestOps { #expect(page.contains("| \(op.name) |"), "\(op.name)") }
    for names in Vocabulary.enumerations where names.type != "POLL" && names.type != "IOMMU_TEST_OP" {
      for entry in names.entries { #expect(page.contains("| `\(names.type)` | \(entry.name) |")) }
    }
    #expect(
      page.contains(
        "| [IOAS_MAP_FILE](reference.md#iommu_ioas_map_file) | 0x3b8f | 6.13 | ENOTTY | 40 bytes |"))
    #expect(page.contains("| `x2apic` |") && page.contains("| `forget` |"))
  }

  /// What the page says of requests without a row is what the model does.
  @Test func theOtherRequestsOfVFIO() throws {
    var script = """
      ctx = open
      iommu io kind=vtd
      device add nic behind $io
      open "/dev/vfio/0" -> ENOENT
      f = open "/dev/vfio/devices/vfio0"
      on $ctx

      """
    func calls(_ file: ModelledPage.OtherFile, _ name: String, _ errno: String) -> String {
      ModelledPage.otherRequests.filter { $0.file == file }.map {
        "ioctl \(name) \($0.number) arg=0 -> \(errno)\n"
      }
      .joined()
    }
    script += calls(.container, "$ctx", "ENOTTY") + calls(.device, "$f", "EINVAL")
    script +=
      "request VFIO_DEVICE_BIND_IOMMUFD argsz=16 iommufd=$ctx on=$f\n" + calls(.device, "$f", "ENOTTY")
    let rigs = Rigs(kernel: .standard)
    let result = Interpreter.run(SourceFile(name: "vfio.iofd", text: script), loader: MemoryLoader()) {
      try rigs.make()
    }
    #expect(result.verdict == .passed, "\(DiagnosticRenderer().render(result.allDiagnostics))")
    #expect(result.counts.passed > ModelledPage.otherRequests.count)
    let numbers = Set(CommandTable.vfioDevice.map(\.request))
    #expect(ModelledPage.otherRequests.allSatisfy { $0.file != .device || !numbers.contains($0.number) })
  }

  @Test func nothingInTheManualPageIsARequest() throws {
    #expect(ManPage.escaped(".so x") == #"\&.so x"#)
    #expect(ManPage.escaped(#"a\nb --x 'y'"#) == #"a\enb \-\-x \(aqy\(aq"#)
    let known: Set<Substring> = [
      ".\\\"", ".TH", ".SH", ".SS", ".SY", ".YS", ".TP", ".PP", ".B", ".I", ".BR", ".in", ".EX", ".EE",
    ]
    for line in try text("man/iofd.1").split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'")
    {
      #expect(known.contains(line.prefix { $0 != " " }), "\(line)")
    }
  }

  @Test func whatAWordOfTheHelpStandsFor() {
    func place(_ word: String) -> ShellCompletion.Place { .init(word) }
    #expect(place("6.12|7.2") == .words(["6.12", "7.2"]))
    #expect(
      place("model|/dev/iommu|model,/dev/iommu") == .words(["model", "/dev/iommu", "model,/dev/iommu"]))
    #expect(place("tap|junit|ndjson=FILE") == .report(["tap", "junit", "ndjson"]))
    for word in [
      "FILE", "FILE.iofd", "PATH...", "SCRIPT", "LOG", "[CORPUS...]", "FILE | --merge=TARGET CORPUS...",
    ] {
      #expect(place(word) == .files, "\(word)")
    }
    #expect(place("DIR") == .directories)
    #expect(place("[--] PROGRAM [ARG...]") == .program)
    #expect(place("KIND[:OPTION,...]") == .backend)
    for word in ["N", "NAME=VALUE", "SECONDS", "I/N", "THEMES:SEED:COUNT", ""] {
      #expect(place(word) == .free, "\(word)")
    }
  }

  @Test func verbsOfSeveralWordsComeFirst() throws {
    let words = Vocabulary()
    let (long, short) = (words.verbs.firstIndex(of: "show iovas"), words.verbs.firstIndex(of: "show"))
    #expect(try #require(long) < #require(short))
    #expect(Set(words.statements).isDisjoint(with: words.verbs))
    #expect(words.errnos.contains("EEXIST") && words.constants.contains("NEST_PARENT"))
  }
}
