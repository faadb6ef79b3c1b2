// SPDX-License-Identifier: GPL-3.0-or-later
import Runner
import Testing

@testable import Corpora
@testable import Replay

/// Which inputs a run has, and what is known of them beforehand.
struct StreamTests {
  private static let programs = "# head\nprog a\nopen 0\nprog b\nopen 1\nprog a\nopen 0\nprog a\nopen 0\n"

  @Test func aFileOfProgramsIsSeveralInputs() {
    let bytes = Array(Self.programs.utf8)
    let file = ReplayInput.inputs(
      of: CorpusInput(label: "d/f.txt", name: CorpusName("f.txt"), bytes: bytes, hash: SHA1.of(bytes)))
    #expect(file.map(\.label) == ["d/f.txt#a", "d/f.txt#b", "d/f.txt#a", "d/f.txt#a"])
    #expect(file.map(\.container).allSatisfy { $0 == "d/f.txt" })
    #expect(file[0].bytes == Array("# head\nprog a\nopen 0\n".utf8))
    #expect(file[2].hash == file[3].hash && file[0].hash != file[2].hash)
  }

  /// What else the machine prints belongs to none of them.
  @Test func aConsoleLogIsSeveralInputs() {
    let call = "r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)\n"
    let log = "[ 1.0] booted\nexecuting program 1:\n\(call)[ 1.1] noise\nexecuting program 0:\n\(call)\(call)"
    let bytes = Array(log.utf8)
    let inputs = ReplayInput.inputs(
      of: CorpusInput(label: "d/log", name: CorpusName("log"), bytes: bytes, hash: SHA1.of(bytes)))
    #expect(inputs.map(\.label) == ["d/log#line-2", "d/log#line-5"])
    #expect(inputs.map { $0.bytes.count { $0 == UInt8(ascii: "\n") } } == [1, 2])
    #expect(inputs.allSatisfy { $0.format == .syzkallerProgram && $0.container == "d/log" })
  }

  private func items(_ shard: InputStream.Shard) -> [(index: UInt64, label: String)] {
    var stream = InputStream(
      [],
      made: { $0 < 500 ? ReplayInput(label: "\($0)", name: "", bytes: Array("prog p\($0)\n".utf8)) : nil },
      shard: shard)
    var items: [(index: UInt64, label: String)] = []
    while let item = stream.next() {
      if case .input(let input) = item { items.append((stream.index, input.label)) }
    }
    #expect(Int(stream.elsewhere) + items.count == 500)
    return items
  }

  @Test func partsAddUpToTheWhole() throws {
    let whole = items(.whole)
    #expect(whole.map(\.index) == Array(1...500))
    var parts: [(index: UInt64, label: String)] = []
    for index in 1...7 {
      let part = items(try #require(InputStream.Shard(index: index, count: 7)))
      #expect(part.count > 30)
      parts += part
    }
    // Each input is in one part, in the place that it has in the whole.
    #expect(parts.sorted { $0.index < $1.index }.map { "\($0)" } == whole.map { "\($0)" })
  }

  @Test(arguments: ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/4", "a/b"])
  func noPart(_ text: String) { #expect(InputStream.Shard(text) == nil) }

  @Test func part() { #expect(InputStream.Shard("3/16") == InputStream.Shard(index: 3, count: 16)) }

  // MARK: Known failures

  private static let hash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

  @Test func aListIsRead() throws {
    let known = try KnownFailures(
      "# comment\n\n\(Self.hash) until=2027-01-31 no answer yet\n0123456789ab because\n", today: "2027-01-31")
    #expect(known.stale.isEmpty)
    #expect(try KnownFailures("\(Self.hash) until=2027-01-30 x", today: "2027-01-31").stale.count == 1)
    var bad = ResultTests.result()
    bad.hash = Self.hash
    #expect(known.judged(bad).outcome.verdict == .expectedFailure("no answer yet"))
    bad.hash = "x"
    #expect(known.judged(bad).outcome.verdict == .violated)
    let id = try #require(bad.outcome.signature?.id)
    #expect(
      try KnownFailures("\(id) pins", today: "").judged(bad).outcome.verdict == .expectedFailure("pins"))
    var good = ResultTests.result(.passed)
    good.hash = Self.hash
    #expect(known.judged(good).outcome.verdict == .unexpectedPass("no answer yet"))
  }

  @Test(arguments: [
    "xyz because", "0123456789ab", "0123456789ab until=2027-01-31", "0123456789ab until=2027-1-31 x",
    "0123456789ab until=2027-13-01 x", "0123456789AB x",
  ])
  func noList(_ text: String) {
    #expect(throws: KnownFailures.Malformed.self) { try KnownFailures(text, today: "2026-01-01") }
  }

  // MARK: Progress

  @Test func progress() {
    #expect(
      ReplayProgress.line(41_213, 2, seconds: 2, 0.25)
        == "41,213 inputs (25 %)  20,606/s  2 findings  0:06 left")
    #expect(ReplayProgress.line(7, 1, seconds: 0, nil) == "7 inputs  1 finding")
    #expect(ReplayProgress.line(1_000_000, 0, seconds: 7200, 0.5).hasSuffix("0 findings  2:00:00 left"))
  }
}
