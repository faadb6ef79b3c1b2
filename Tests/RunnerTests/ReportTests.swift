// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Runner

struct ReportTests {
  /// A run of one script of each kind, into a report.
  private func report(_ format: Report.Format) throws -> String {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", "vm = ioas create\ndestroy $vm\n")
    try directory.write("b.iofd", "vm = ioas create -> EEXIST\n")
    try directory.write("c <&\"#.iofd", "vm = ioas craete\n")
    try directory.write("d.iofd", "require kernel>=99.1\nvm = ioas create\n")
    try directory.write("e.iofd", "xfail \"known # yes\"\nvm = ioas create -> EEXIST\n")
    var configuration = Runner.Configuration()
    configuration.jobs = 1
    let report = Report(format, path: directory.path + "/report")
    _ = Runner(configuration).run(ScriptTree([directory.path]).entries, sinks: [report])
    try report.save(standardOutput: ByteOutput(descriptor: -1, name: "none"))
    #expect(try directory.read("report") == report.text)
    return report.text.split(separator: directory.path + "/").joined()
  }

  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
  }

  @Test func tap() throws {
    let all = lines(try report(.tap))
    #expect(all.first == "TAP version 14")
    let points = all.filter { $0.hasPrefix("ok") || $0.hasPrefix("not ok") }
    #expect(points.count == 5)
    #expect(points[0] == "ok 1 - a.iofd")
    #expect(points[1] == "not ok 2 - b.iofd")
    #expect(points[2] == "not ok 3 - c <&\"\\#.iofd")
    #expect(points[3].hasPrefix("ok 4 - d.iofd # SKIP "))
    #expect(points[4] == "not ok 5 - e.iofd # TODO known \\# yes")
    #expect(all.contains("1..5"))
    // Each block of YAML is closed, and its lines are indented.
    #expect(all.count { $0 == "  ---" } == 2 && all.count { $0 == "  ..." } == 2)
    for line in all where !line.isEmpty && !line.hasPrefix("  ") {
      #expect(["ok", "not", "1..", "TAP"].contains { line.hasPrefix($0) })
    }
  }

  @Test func junit() throws {
    let text = try report(.junit)
    #expect(text.hasPrefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
    #expect(text.contains("<testsuites name=\"iofd\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"2\">"))
    #expect(text.contains("classname=\"c &lt;&amp;&quot;#.iofd\""))
    #expect(text.contains("<error type=\"invalid\""))
    #expect(!text.contains(" time="))
    #expect(try Self.isBalanced(text))
  }

  /// Every element is closed in the right order; a reader of XML in miniature.
  private static func isBalanced(_ text: String) throws -> Bool {
    var open: [Substring] = []
    var rest = text[...]
    while let start = rest.firstIndex(of: "<") {
      let end = try #require(rest[start...].firstIndex(of: ">"))
      let tag = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      if tag.hasPrefix("?") || tag.hasSuffix("/") { continue }
      if tag.hasPrefix("/") {
        if open.popLast() != tag.dropFirst() { return false }
      } else {
        open.append(tag.prefix { $0 != " " })
      }
    }
    return open.isEmpty
  }

  @Test func ndjson() throws {
    let all = lines(try report(.ndjson)).filter { !$0.isEmpty }
    #expect(
      all.first
        == "{\"event\":\"run-start\",\"schema\":\"1\",\"kernel\":\"7.2\",\"backend\":\"mock\",\"scripts\":\"5\"}"
        || all.first
          == "{\"event\":\"run-start\",\"schema\":1,\"kernel\":\"7.2\",\"backend\":\"mock\",\"scripts\":5}"
    )
    #expect(all.allSatisfy { Self.isObject($0) })
    #expect(all.count { $0.hasPrefix("{\"event\":\"case-end\"") } == 5)
    #expect(
      all.last
        == "{\"event\":\"run-end\",\"status\":3,\"passed\":1,\"failed\":2,\"skipped\":1,\"xfail\":1,\"statements\":4}"
        || all.last?.hasPrefix(
          "{\"event\":\"run-end\",\"status\":3,\"passed\":1,\"failed\":2,\"skipped\":1,\"xfail\":1,") == true
    )
  }

  /// Quotes pair up, braces and brackets outside of them too.
  private static func isObject(_ line: String) -> Bool {
    var stack: [Character] = []
    var isQuoted = false
    var isEscaped = false
    for character in line {
      if isEscaped {
        isEscaped = false
      } else if isQuoted {
        if character == "\\" { isEscaped = true }
        if character == "\"" { isQuoted = false }
      } else {
        switch character {
        case "\"": isQuoted = true
        case "{", "[": stack.append(character)
        case "}": if stack.popLast() != "{" { return false }
        case "]": if stack.popLast() != "[" { return false }
        default: break
        }
      }
    }
    return stack.isEmpty && !isQuoted && line.hasPrefix("{") && line.hasSuffix("}")
  }

  @Test(arguments: ["", "tap", "tap=", "xml=x", "=x"])
  func refusesOtherArguments(_ argument: String) {
    #expect(Report(argument: argument, timings: false) == nil)
  }

  @Test func statusesAreThoseOfTheTable() {
    #expect(ExitStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 70, 71, 77, 130])
    #expect(ExitStatus.allCases.sorted() == ExitStatus.allCases)
  }
}
