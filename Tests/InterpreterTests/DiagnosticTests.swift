// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Interpreter
import Language
import Testing
import UAPI

/// A script on the model and what is said about it, in `Golden/NAME.iofd` and `Golden/NAME.expected`.
///
/// With `IOFD_UPDATE_GOLDEN=1` in the environment the expected texts are written anew, for review.
@Suite struct GoldenTests {
  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: Project.golden.path())) ?? [])
    .filter { $0.hasSuffix(".iofd") }.map { String($0.dropLast(5)) }.sorted()

  @Test func thereAreEnough() {
    #expect(Self.names.count >= 20)
  }

  @Test(arguments: names) func golden(name: String) throws {
    let bytes = Array(try Data(contentsOf: Project.golden.appending(path: name + ".iofd")))
    let source = SourceFile(name: name + ".iofd", bytes: bytes)
    let result = Interpreter.run(source, loader: MemoryLoader()) { modelRig() }
    var rendered = DiagnosticRenderer().render(result.allDiagnostics)
    for note in result.cases.flatMap({ $0.notes }) { rendered += note + "\n" }
    let place = Project.golden.appending(path: name + ".expected")
    if ProcessInfo.processInfo.environment["IOFD_UPDATE_GOLDEN"] != nil {
      try Data(rendered.utf8).write(to: place)
    }
    #expect(rendered == String(decoding: try Data(contentsOf: place), as: UTF8.self))
    #expect(!result.verdict.isGood)
  }
}

@Suite struct DiagnosticTests {
  static let codes = DiagnosticCode.resolver + DiagnosticCode.execution + DiagnosticCode.schedules

  @Test func codesAreUniqueAndInOrder() {
    let all = Explain.codes.codes.map { $0.code }
    #expect(Set(all).count == all.count)
    #expect(Self.codes.allSatisfy { !$0.explanation.isEmpty && !$0.title.isEmpty })
  }

  @Test(arguments: codes) func theExampleGetsTheCode(code: DiagnosticCode) {
    guard !code.example.isEmpty else { return }
    let source = SourceFile(name: "example.iofd", text: code.example.replacing("⏎", with: "\n"))
    var found = Interpreter.check(source, loader: MemoryLoader(), environment: mock)
    if code.code.hasPrefix("X") {
      found = Interpreter.run(source, loader: MemoryLoader()) { modelRig() }.allDiagnostics
    }
    #expect(found.map { $0.code.code }.contains(code.code), "\(DiagnosticRenderer().render(found))")
  }

  /// The line to paste is an expectation that passes.
  @Test(arguments: [
    "vm = ioas create", "show iovas $io", "map $io $buf iova=0x4000", "map $io $buf iova=0x1000",
    "unmap $io all",
    "hwinfo $dev", "q2 = faultq create", "faultq read $q", "option $io huge-pages", "poll $q", "vfio info",
    "access read $a 0x1000 len=16", "mem read $buf len=5", "dirty read $hw 0x1000000...0x100ffff",
    "destroy $io",
    "db = dmabuf create 4K", "request OPTION option_id=1 object_id=$io op=GET", "vfio-ioas get",
    "ioctl default IOAS_ALLOC { size=12 flags=1 }",
  ])
  func whatIsPastedPasses(command: String) throws {
    let before = """
      dev = device add
      vm0 = ioas create
      attach $dev to=$vm0 -> hwpt=?auto
      hw = hwpt create dev=$dev parent=$vm0 nest dirty
      n = hwpt create dev=$dev parent=$hw data=selftest iotlb=1
      q = faultq create
      n2 = hwpt create dev=$dev parent=$hw data=selftest iotlb=1 fault=$q
      replace $dev to=$n2
      fault $dev 0x9000 write
      io = ioas create
      vfio-ioas set $io
      mem alloc 8K as buf fill=seq
      map $io $buf iova=0x1000
      a = access create $io

      """
    for wrong in ["-> E2BIG", "-> EXDEV"] {
      let result = run(before + command + " " + wrong)
      let diagnostic = try #require(result.allDiagnostics.first)
      let paste = try #require(diagnostic.details.first { $0.label == "paste" }).text
      let again = run(before + command + " " + paste)
      #expect(
        again.verdict == .passed, "\(command) \(paste)\n\(DiagnosticRenderer().render(again.allDiagnostics))")
    }
  }

  @Test func everyTopicHasAPage() {
    for verb in VerbTable.all { #expect(Explain.page(verb.name) != nil, "\(verb.name)") }
    for row in CommandTable.all { #expect(Explain.page(row.name) != nil, "\(row.name)") }
    for op in CommandTable.selftestOps { #expect(Explain.page(op.name) != nil, "\(op.name)") }
    for code in Explain.codes.codes { #expect(Explain.page(code.code) != nil) }
    #expect(Explain.page("EADDRINUSE")?.contains("98") == true)
    #expect(Explain.page("0x3b85")?.contains("IOAS_MAP") == true)
    #expect(Explain.page("mem")?.contains("mem alloc") == true)
    #expect(Explain.page("sweep")?.contains("points") == true)
    #expect(Explain.page("fail")?.contains("nth=N") == true)
    #expect(Explain.page("nonsense") == nil)
    #expect(Explain.suggestion(for: "EEXST")?.contains("EEXIST") == true)
  }
}
