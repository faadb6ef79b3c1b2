// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import JSON
internal import Runner

/// An input and what became of it, as one line of NDJSON.
///
/// There is one form for all who pass results on: a worker sends this line, without what its parent knows, a run's log and
/// its report keep it, and merging, resuming and comparing read it back. Nothing in it depends on the machine, on time, or on the order of inputs,
/// unless times were asked for.
public struct ReplayResult: Sendable {
  /// Its place in the whole corpus, from 1: the same whichever part of it is played, and by how many workers.
  public var index: UInt64
  public var label: String
  public var container: String
  /// SHA-1 of the content in 40 digits; empty for what could not be read.
  public var hash: String
  /// `InputFormat`; empty for what could not be read.
  public var format: String
  public var bytes: Int
  /// What the input calls itself: the name of a recorded program.
  public var program: String?
  public var outcome: ReplayOutcome
  /// Of the answers: equal for two runs that answered the same.
  public var digest: String?
  public var seconds = 0.0

  /// The outcome of an input.
  public init(_ index: UInt64, _ input: ReplayInput, _ outcome: ReplayOutcome) {
    self.init(
      index, input, outcome, digest: outcome.answers.isEmpty ? nil : Self.digest(outcome.answers))
  }

  private init(_ index: UInt64, _ input: ReplayInput, _ outcome: ReplayOutcome, digest: String?) {
    self.index = index
    label = input.label
    container = input.container
    hash = "\(input.hash)"
    format = input.format.rawValue
    bytes = input.bytes.count
    program = input.format == .recordedPrograms ? RecordedProgram.firstName(input.bytes) : nil
    self.outcome = outcome
    self.digest = digest
  }

  /// Something that should have been an input and could not be read.
  public init(_ index: UInt64, unreadable path: String, _ reason: String) {
    self.index = index
    label = path
    container = ReplayInput.directory(of: path)
    hash = ""
    format = ""
    bytes = 0
    outcome = ReplayOutcome(.invalid, rule: reason, reason)
  }

  /// What a recorded run knows the input by.
  public var key: String { program ?? (hash.isEmpty ? label : hash) }

  /// FNV-1a over the lines: tells two runs apart, and guards nothing.
  static func digest(_ answers: [String]) -> String {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for line in answers {
      var line = line
      line.withUTF8 { for byte in $0 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 } }
      state = (state ^ 0x0A) &* 0x100_0000_01B3
    }
    return String(unsafeUninitializedCapacity: 16) { digits in
      for place in 0..<16 {
        let value = UInt8(truncatingIfNeeded: state >> UInt64(60 - 4 * place) & 15)
        digits[place] = value < 10 ? value + 0x30 : value + 0x57
      }
      return 16
    }
  }

  /// Counts changes of what the lines mean.
  static let schema = 1

  // MARK: A line

  /// - Parameters:
  ///   - answers: write the answers, and not only their digest.
  ///   - times: write how long it took, which differs from run to run.
  ///   - isReply: leave out what the input says, for a reader who has the input: see `init(reply:to:)`.
  func line(answers: Bool, times: Bool, isReply: Bool = false) -> [UInt8] {
    var line = JSONLine(event: "input-end")
    line.add("index", Int(index))
    if !isReply {
      line.add("sha1", hash)
      line.add("label", label)
      line.add("container", container)
      line.add("format", format)
      line.add("bytes", bytes)
      if let program { line.add("program", program) }
    }
    line.add("verdict", outcome.verdict.word)
    if let reason = outcome.verdict.reason { line.add("reason", reason) }
    if let signature = outcome.signature {
      line.add("finding", signature.id)
      line.add("found", signature.verdict)
      line.add("call", signature.call)
      line.add("rule", signature.rule)
    }
    if let message = outcome.message { line.add("message", message) }
    if !outcome.details.isEmpty { line.add("details", outcome.details) }
    if let note = outcome.note { line.add("note", note) }
    line.add("calls", outcome.calls)
    if !outcome.unsupported.isEmpty { line.add("unsupported", outcome.unsupported) }
    if outcome.repairs > 0 { line.add("repairs", outcome.repairs) }
    if let digest { line.add("digest", digest) }
    if answers { line.add("answers", outcome.answers) }
    if times { line.add("microseconds", Int(seconds * 1e6)) }
    return line.finished()
  }

  /// Nil for a line that is no result.
  init?(line: ArraySlice<UInt8>) {
    guard let value = JSONValue(line), value["event"]?.text == "input-end" else { return nil }
    self.init(value)
  }

  init?(_ value: JSONValue) {
    guard let index = value["index"]?.number.flatMap({ UInt64(exactly: $0) }), let hash = value["sha1"]?.text,
      let label = value["label"]?.text, let outcome = Self.outcome(value)
    else { return nil }
    self.index = index
    self.label = label
    self.hash = hash
    container = value["container"]?.text ?? "."
    format = value["format"]?.text ?? ""
    bytes = value["bytes"]?.number ?? 0
    program = value["program"]?.text
    self.outcome = outcome
    digest = value["digest"]?.text
    seconds = Self.seconds(value)
  }

  /// What a worker says of an input, which it was given with a number.
  ///
  /// Nil for a line that is no result, and where `input` knows no input of that number.
  init?(reply line: ArraySlice<UInt8>, to input: (_ number: UInt64) -> ReplayInput?) {
    if let reply = PlainReply(line) {
      guard let input = input(reply.index) else { return nil }
      var outcome = ReplayOutcome(.passed)
      outcome.calls = reply.calls
      self.init(reply.index, input, outcome, digest: reply.digest)
      return
    }
    guard let value = JSONValue(line), value["event"]?.text == "input-end",
      let index = value["index"]?.number.flatMap({ UInt64(exactly: $0) }), let input = input(index),
      let outcome = Self.outcome(value)
    else { return nil }
    self.init(index, input, outcome, digest: value["digest"]?.text)
    seconds = Self.seconds(value)
  }

  private static func seconds(_ value: JSONValue) -> Double {
    Double(value["microseconds"]?.number ?? 0) / 1e6
  }

  private static func outcome(_ value: JSONValue) -> ReplayOutcome? {
    guard let word = value["verdict"]?.text,
      let verdict = RunVerdict(word: word, reason: value["reason"]?.text)
    else { return nil }
    var outcome = ReplayOutcome(verdict)
    if let rule = value["rule"]?.text {
      outcome.signature = ReplaySignature(
        verdict: value["found"]?.text ?? word, call: value["call"]?.text ?? "", rule: rule)
    }
    outcome.message = value["message"]?.text
    outcome.details = value["details"]?.text ?? ""
    outcome.note = value["note"]?.text
    outcome.calls = value["calls"]?.number ?? 0
    outcome.unsupported = value["unsupported"]?.counts ?? [:]
    outcome.repairs = value["repairs"]?.number ?? 0
    outcome.answers = value["answers"]?.texts ?? []
    return outcome
  }
}
