// SPDX-License-Identifier: GPL-3.0-or-later
public import Runner

/// The sums of a run: inputs by verdict, findings by signature, calls that nobody knows.
public struct ReplayTotals: Sendable {
  /// What several inputs showed in the same way.
  public struct Finding: Sendable {
    public let signature: ReplaySignature
    /// The first input that showed it, in the order of the corpus.
    public let label: String
    public let hash: String
    public let message: String
    public internal(set) var count = 1
  }

  public private(set) var inputs = 0
  public private(set) var calls = 0
  /// Inputs by the word of their verdict.
  public private(set) var verdicts: [String: Int] = [:]
  /// Findings in the order of first appearance, announced ones left out.
  public private(set) var findings: [Finding] = []
  private var places: [ReplaySignature: Int] = [:]
  /// How often each call was met that nobody here can make.
  public private(set) var unsupported: [String: Int] = [:]
  /// Places in inputs that their readers mended.
  public private(set) var repairs = 0
  /// Inputs whose content had been met before.
  public var duplicates = 0
  public private(set) var status = ExitStatus.passed
  /// Why not everything was played.
  public internal(set) var endedEarly: String?

  public init() {}

  /// Kinds of findings that are told apart; what a corpus of garbage could fill memory with is counted in its verdicts.
  private static let mostFindings = 10_000

  /// Counts a result.
  ///
  /// - Returns: whether it is good, or shows something that an earlier one had shown.
  @discardableResult
  mutating func add(_ result: ReplayResult) -> Bool {
    inputs += 1
    calls += result.outcome.calls
    verdicts[result.outcome.verdict.word, default: 0] += 1
    repairs += result.outcome.repairs
    for (name, count) in result.outcome.unsupported { unsupported[name, default: 0] += count }
    raise(result.outcome.verdict.status)
    guard !result.outcome.verdict.isGood else { return true }
    let signature = result.outcome.signature ?? ReplaySignature(result.outcome.verdict, call: "", rule: "")
    if let place = places[signature] {
      findings[place].count += 1
      return true
    }
    guard findings.count < Self.mostFindings else { return true }
    places[signature] = findings.count
    findings.append(
      Finding(
        signature: signature, label: result.label, hash: result.hash,
        message: result.outcome.message ?? result.outcome.verdict.reason ?? ""))
    return false
  }

  public mutating func raise(_ status: ExitStatus) { self.status = max(self.status, status) }

  public func count(_ words: String...) -> Int { words.reduce(0) { $0 + verdicts[$1, default: 0] } }

  /// Inputs of which something was played, or tried.
  public var played: Int { inputs - count("skipped", "unsupported") }

  /// Inputs that are not good.
  public var bad: Int { inputs - count("passed", "skipped", "unsupported", "xfail") }

  /// `1499 inputs: 1480 passed, 12 violated, 7 invalid; 40674 calls`
  public var summary: String {
    let order = [
      "passed", "failed", "violated", "trapped", "timeout", "out-of-memory", "invalid", "xpass", "xfail",
      "skipped",
      "unsupported",
    ]
    let parts = order.filter { verdicts[$0] != nil }.map { "\(verdicts[$0, default: 0]) \($0)" }
    var text = "\(inputs) input\(inputs == 1 ? "" : "s")"
    if !parts.isEmpty { text += ": " + parts.joined(separator: ", ") }
    text += "; \(calls) calls"
    if duplicates > 0 { text += "; \(duplicates) duplicate\(duplicates == 1 ? "" : "s") left out" }
    if repairs > 0 { text += "; \(repairs) place\(repairs == 1 ? "" : "s") mended" }
    return text
  }
}
