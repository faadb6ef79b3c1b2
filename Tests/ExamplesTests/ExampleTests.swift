// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Runner
import Testing
import UAPI

/// The scripts in `examples/` are documentation; these tests keep them true, in one layout, and complete.
@Suite("Examples")
struct ExampleTests {
  static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")
  static let scripts = ScriptTree([root + "/examples"]).entries.map(\.path)

  static func run(_ source: SourceFile, _ kernel: Personality) -> ScriptResult {
    var options = RunOptions()
    options.check = true
    let rigs = Rigs(kernel: kernel, backend: backend(of: source))
    return Interpreter.run(source, loader: DiskLoader(), options: options) { try rigs.make() }
  }

  /// A script that wants some IOMMU gets Intel's.
  static func backend(of source: SourceFile) -> Backend {
    guard String(decoding: source.bytes, as: UTF8.self).contains("require backend!=mock") else {
      return .mock
    }
    do throws(Backend.Unknown) { return try Backend("vtd") } catch {
      preconditionFailure(error.message)
    }
  }

  static func text(_ path: String) throws -> String {
    String(decoding: try ScriptTree.load(path).bytes, as: UTF8.self)
  }

  @Test func thereAreEnough() {
    #expect(Self.scripts.count >= 32)
  }

  @Test(arguments: scripts, Personality.allCases)
  func passes(_ path: String, _ kernel: Personality) throws {
    let result = Self.run(try ScriptTree.load(path), kernel)
    let problems = DiagnosticRenderer().render(result.allDiagnostics)
    #expect(problems.isEmpty, "\(path) on \(kernel.rawValue):\n\(problems)")
    #expect(result.counts.failed == 0 && result.counts.blocked == 0)
    if case .skipped = result.verdict {
      #expect(kernel != .standard, "\(path) runs on no kernel that is the default")
    } else {
      #expect(result.verdict == .passed)
      #expect(result.counts.passed > 0)
    }
  }

  /// An expectation that nobody checks teaches nothing: with every errno exchanged, all of these lines fail.
  @Test(arguments: scripts)
  func wrongExpectationsAreNoticed(_ path: String) throws {
    var exchanged = 0
    var lines: [String] = []
    for line in try Self.text(path).split(separator: "\n", omittingEmptySubsequences: false) {
      guard let arrow = line.firstRange(of: "-> E"), !line.contains("|"), !line.hasPrefix("[") else {
        lines.append(String(line))
        continue
      }
      exchanged += 1
      let rest = line[arrow.upperBound...].drop { $0.isUppercase || $0.isNumber }
      lines.append("\(line[..<arrow.lowerBound])-> ENOEXEC\(rest)")
    }
    let result = Self.run(
      SourceFile(name: path, bytes: Array(lines.joined(separator: "\n").utf8)), .standard)
    let skipped = result.cases.contains { if case .skipped = $0.verdict { true } else { false } }
    if skipped {
      #expect(result.counts.failed > 0)
    } else {
      #expect(result.counts.failed >= exchanged, "\(path)")
    }
  }

  @Test(arguments: scripts)
  func isLaidOutByTheFormatter(_ path: String) throws {
    let source = try ScriptTree.load(path)
    #expect(Formatter.format(source).text == source.bytes, "\(path): run iofd fmt")
    for line in try Self.text(path).split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
  }

  @Test(arguments: scripts)
  func hasNoWarnings(_ path: String) throws {
    let environment = Environment(kernel: Personality.standard.version, backend: "mock", hasBench: true)
    let found = Interpreter.check(
      try ScriptTree.load(path), loader: DiskLoader(), environment: environment)
    #expect(found.isEmpty, "\(DiagnosticRenderer().render(found))")
  }

  @Test(arguments: scripts)
  func saysWhatItTeaches(_ path: String) throws {
    let lines = try Self.text(path).split(separator: "\n")
    #expect(lines.first == "iofd 1")
    let words = lines.dropFirst().prefix { $0.hasPrefix("# ") }
    #expect(words.count >= 2, "\(path)")
  }

  /// One script for each command of the table, named after its number; every test operation in one of them.
  @Test func coverTheTable() throws {
    for row in CommandTable.all where (0x3B80...0x3B95).contains(row.request) {
      let number = String(row.request & 0xFF, radix: 16)
      let own = Self.scripts.filter { $0.contains("/commands/\(number)-") }
      #expect(own.count == 1, "\(row.name)")
      let text = try own.map { try Self.text($0) }.joined()
      #expect(text.contains(row.name), "\(row.name)")
      for word in ["EINVAL", "E2BIG", "EFAULT"] where row.since <= Personality.standard.version {
        #expect(text.contains(word), "\(row.name): \(word)")
      }
    }
    let selftest = try Self.scripts.filter { $0.contains("/selftest/") }.map { try Self.text($0) }.joined()
    for op in CommandTable.selftestOps { #expect(selftest.contains(op.name), "\(op.name)") }
  }
}
