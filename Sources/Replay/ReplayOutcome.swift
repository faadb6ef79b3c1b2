// SPDX-License-Identifier: GPL-3.0-or-later
public import Runner

/// What playing one input showed.
public struct ReplayOutcome: Sendable {
  public var verdict: RunVerdict
  /// What was found; nil where nothing was.
  public var signature: ReplaySignature?
  /// The first thing that went wrong, in a sentence, with its numbers.
  public var message: String?
  /// The line of the text that it went wrong in, where the front end knows one.
  var line: Int?
  /// The program in readable lines, the one that failed marked, and the evidence; empty where nothing was found.
  public var details = ""
  /// A remark of an input that is in order.
  public var note: String?
  /// Calls made at the waist, and actions of the bench.
  public var calls = 0
  /// How often each call was met that nobody here can make.
  public var unsupported: [String: Int] = [:]
  /// Places of the input that its reader mended.
  public var repairs = 0
  /// What each step answered, a line each, in the words of the recordings.
  public var answers: [String] = []

  public init(_ verdict: RunVerdict) { self.verdict = verdict }

  /// A finding.
  init(_ verdict: RunVerdict, call: CallName = .none, rule: String, _ message: String, details: String = "") {
    self.init(verdict, call: "\(call)", rule: rule, message, details: details)
  }

  /// A finding in a call of another language.
  init(_ verdict: RunVerdict, call: String, rule: String, _ message: String, details: String = "") {
    self.verdict = verdict
    signature = ReplaySignature(verdict, call: call, rule: rule)
    self.message = message
    self.details = details
  }

  /// A process that played the input died, or was ended because it took too much.
  public static func dead(_ verdict: RunVerdict, call: CallName, _ message: String) -> ReplayOutcome {
    ReplayOutcome(verdict, call: call, rule: message, message)
  }
}
