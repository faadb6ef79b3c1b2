// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import JSON
import Runner
import Testing

@testable import Replay

/// The lines in which results travel and are kept.
struct ResultTests {
  static func result(_ verdict: RunVerdict = .violated, index: UInt64 = 7) -> ReplayResult {
    let input = ReplayInput(label: "c/a \"b\"\n", name: "a", bytes: Array("prog x\nopen 0\n".utf8))
    var outcome = ReplayOutcome(verdict, call: .open, rule: "rule 12 at 0x1f", "rule 12 at 0x1f: \u{1}é\\")
    outcome.details = "one\ntwo\u{7F}\n"
    outcome.calls = 3
    outcome.unsupported = ["a$b": 2, "c": 1]
    outcome.repairs = 1
    outcome.answers = ["0 open ok"]
    return ReplayResult(index, input, outcome)
  }

  @Test func aLineIsReadBack() throws {
    let result = Self.result()
    let line = result.line(answers: true, times: true)
    #expect(line.count { $0 == 0x0A } == 1)
    let again = try #require(ReplayResult(line: line.dropLast()))
    #expect(again.line(answers: true, times: true) == line)
    #expect(again.label == result.label && again.outcome.message == result.outcome.message)
    #expect(again.outcome.signature == result.outcome.signature && again.program == "x" && again.index == 7)
    #expect(again.outcome.answers == ["0 open ok"] && again.digest == result.digest)
  }

  /// A worker leaves out what its parent knows, and the parent puts it back.
  @Test func aReplyIsReadBack() throws {
    let input = ReplayInput(label: "c/a", name: "a", bytes: Array("prog x\nopen 0\n".utf8))
    let result = ReplayResult(7, input, Self.result().outcome)
    let reply = result.line(answers: true, times: false, isReply: true)
    #expect(!String(decoding: reply, as: UTF8.self).contains(result.hash))
    let again = try #require(ReplayResult(reply: reply.dropLast()) { $0 == 7 ? input : nil })
    #expect(again.line(answers: true, times: true) == result.line(answers: true, times: true))
    #expect(ReplayResult(reply: reply.dropLast()) { _ in nil } == nil)
    #expect(ReplayResult(line: reply.dropLast()) == nil)
  }

  /// What nearly every reply is has a reader of its own, which knows it and nothing else.
  @Test(arguments: [true, false])
  func aPlainReplyIsReadBack(hasAnswers: Bool) throws {
    let input = ReplayInput(label: "c/a", name: "a", bytes: Array("prog x\nopen 0\n".utf8))
    var outcome = ReplayOutcome(.passed)
    outcome.calls = 3
    if hasAnswers { outcome.answers = ["0 open ok"] }
    let result = ReplayResult(7, input, outcome)
    let reply = result.line(answers: false, times: false, isReply: true).dropLast()
    let plain = try #require(PlainReply(reply))
    #expect(plain.index == 7 && plain.calls == 3 && plain.digest == result.digest)
    let again = try #require(ReplayResult(reply: reply) { $0 == 7 ? input : nil })
    #expect(again.line(answers: false, times: false) == result.line(answers: false, times: false))
    for length in 0..<reply.count { #expect(PlainReply(reply.prefix(length)) == nil) }
    #expect(PlainReply(reply + [0x20]) == nil)
    // What a passed input has to say besides, and every other verdict, is no plain reply.
    outcome.note = "why"
    #expect(
      PlainReply(ReplayResult(7, input, outcome).line(answers: false, times: false, isReply: true).dropLast())
        == nil)
    let other = Self.result().line(answers: false, times: false, isReply: true)
    #expect(PlainReply(other.dropLast()) == nil)
  }

  @Test(arguments: [
    RunVerdict.passed, .failed, .violated, .trapped, .skipped("why"), .unsupported("why"),
    .expectedFailure("why"),
    .unexpectedPass("why"), .invalid, .timedOut, .outOfMemory, .interrupted, .notRun("why"),
  ])
  func verdictsAreReadBack(_ verdict: RunVerdict) {
    #expect(RunVerdict(word: verdict.word, reason: verdict.reason) == verdict)
    #expect(
      ReplayResult(line: Self.result(verdict).line(answers: false, times: false)[...])?.outcome.verdict
        == verdict)
  }

  @Test func signaturesHaveNoNumbers() {
    let words = ReplaySignature.words(of: "frame 12 of v2 at 0xffff_1 (3 pins), x86 é9 08")
    #expect(words == "frame N of v2 at N (N pins), x86 é9 N")
    let one = ReplaySignature(.violated, call: "IOAS_MAP", rule: "frame 12 is pinned 3 times")
    let other = ReplaySignature(.violated, call: "IOAS_MAP", rule: "frame 0x9 is pinned 44 times")
    #expect(one == other && one.id == other.id && one.id.utf8.count == 12)
    #expect(one != ReplaySignature(.violated, call: "IOAS_UNMAP", rule: "frame 12 is pinned 3 times"))
  }

  @Test func callsHaveNames() {
    #expect("\(CallName.request(0x3B85))" == "IOAS_MAP")
    #expect("\(CallName.request(0x3BA0, operation: 2))" == "TEST.MOCK_DOMAIN")
    #expect("\(CallName.request(0x3BA0, operation: .max))" == "TEST.?")
    #expect("\(CallName.request(0x12))" == "ioctl 0x12")
    #expect("\(CallName.dma)" == "dma" && "\(CallName.none)" == "" && "\(CallName(raw: 99))" == "?")
  }

  // MARK: JSON

  @Test(arguments: [
    ("\"a\\u0041\\ud83d\\ude00\\n\\/\"", JSONValue.text("aA😀\n/")), ("-12", .number(-12)),
    ("1.5", .other("1.5")),
    ("[ 1 , \"x\" ]", .list([.number(1), .text("x")])), ("{}", .object([])), ("null", .other("null")),
    ("{\"a\":[{}],\"b\":2}", .object([("a", .list([.object([])])), ("b", .number(2))])),
    ("\"\\ud83d\"", .text("\u{FFFD}")), ("99999999999999999999", .other("99999999999999999999")),
  ])
  func values(_ text: String, _ value: JSONValue) { #expect(JSONValue(Array(text.utf8)[...]) == value) }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\"}", "\"", "\"\\u12\"", "\"\\x\"", "1 2", "{\"a\":1,}", "\"\\ud83d\\u\"", "\\",
    "01", "+1", "1.", "1e", ".5", "nul", "True", "[1] 2", "\"\t\"", "\"\u{1}\"",
    String(repeating: "[", count: 100_000),
  ])
  func noValues(_ text: String) { #expect(JSONValue(Array(text.utf8)[...]) == nil) }

  /// A log's last line may be anything.
  @Test func noBytesTrapTheReader() {
    let line = Self.result().line(answers: true, times: true)
    for end in line.indices { _ = ReplayResult(line: line[..<end]) }
    var dice = Dice(5)
    for _ in 0..<5000 {
      var bytes = line
      for _ in 0...dice.below(4) {
        bytes[dice.below(bytes.count)] = UInt8(truncatingIfNeeded: dice.next() >> 20)
      }
      _ = ReplayResult(line: bytes[...])
    }
  }

  // MARK: To a worker

  @Test func framesArePutTogether() throws {
    var bytes: [UInt8] = []
    var dice = Dice(9)
    let inputs = (0..<20).map {
      ReplayInput(label: "a/\($0) é", name: "n\($0)", bytes: dice.bytes(dice.below(300)))
    }
    for (index, input) in inputs.enumerated() { WorkerFrame.append(input, number: UInt64(index), to: &bytes) }
    var met = 0
    var arrived: [UInt8] = []
    var position = 0
    for byte in bytes {
      arrived.append(byte)
      guard let (number, input) = WorkerFrame.next(in: arrived, at: &position) else { continue }
      #expect(number == UInt64(met) && input.label == inputs[met].label && input.name == inputs[met].name)
      #expect(input.container == "a")
      #expect(
        input.bytes == inputs[met].bytes && input.hash == inputs[met].hash
          && input.format == inputs[met].format)
      met += 1
    }
    #expect(met == 20 && position == bytes.count)
  }
}
