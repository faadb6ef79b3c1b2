// SPDX-License-Identifier: GPL-3.0-or-later
public import Interpreter
public import Language

// Everything a run has to say is one stream of events. What people read and what machines read are made
// from it, so they cannot disagree. Events come in the order of the scripts on the command line, whatever
// the number of threads, and hold no times: two runs of the same scripts say the same.

/// How a case ended, seen from outside: an interpreter's verdict, or why there is none.
public enum RunVerdict: Sendable, Equatable {
  case passed
  /// An expectation failed.
  case failed
  /// The model broke one of its rules.
  case violated
  /// The model itself ended in a trap: its process is gone.
  case trapped
  case skipped(String)
  /// Nothing of it can be done here, and why.
  case unsupported(String)
  case expectedFailure(String)
  case unexpectedPass(String)
  /// The script cannot be read, or has mistakes.
  case invalid
  case timedOut
  case outOfMemory
  /// Ctrl-C came while it ran.
  case interrupted
  /// Its turn never came, and why.
  case notRun(String)

  /// The one word that reports use.
  public var word: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .violated: "violated"
    case .trapped: "trapped"
    case .skipped: "skipped"
    case .unsupported: "unsupported"
    case .expectedFailure: "xfail"
    case .unexpectedPass: "xpass"
    case .invalid: "invalid"
    case .timedOut: "timeout"
    case .outOfMemory: "out-of-memory"
    case .interrupted: "interrupted"
    case .notRun: "not-run"
    }
  }

  /// Reads a word of `word`; nil for others.
  public init?(word: String, reason: String? = nil) {
    let reason = reason ?? ""
    let all: [RunVerdict] = [
      .passed, .failed, .violated, .trapped, .skipped(reason), .unsupported(reason), .expectedFailure(reason),
      .unexpectedPass(reason), .invalid, .timedOut, .outOfMemory, .interrupted, .notRun(reason),
    ]
    guard let verdict = all.first(where: { $0.word == word }) else { return nil }
    self = verdict
  }

  /// The reason that goes with it.
  public var reason: String? {
    switch self {
    case .skipped(let reason), .unsupported(let reason), .expectedFailure(let reason),
      .unexpectedPass(let reason), .notRun(let reason):
      reason
    case .passed, .failed, .violated, .trapped, .invalid, .timedOut, .outOfMemory, .interrupted: nil
    }
  }

  /// What it means for the whole run.
  public var status: ExitStatus {
    switch self {
    case .passed, .skipped, .unsupported, .expectedFailure: .passed
    case .failed, .violated, .unexpectedPass: .failed
    case .trapped: .trap
    case .invalid: .invalid
    case .timedOut: .timeOut
    case .outOfMemory: .outOfMemory
    case .interrupted: .interrupted
    // What stopped the run has a status of its own.
    case .notRun: .passed
    }
  }

  public var isGood: Bool {
    switch self {
    case .passed, .skipped, .unsupported, .expectedFailure: true
    default: false
    }
  }
}

/// What a run consists of.
public enum RunEvent: Sendable {
  case began(kernel: String, backend: String, scripts: Int)
  case scriptBegan(String)
  /// What a script prints.
  case output(String)
  /// A request, decoded.
  case trace(TraceEvent)
  /// A warning about a script that is otherwise fine.
  case warning(Diagnostic)
  case caseEnded(RunCase)
  /// What became of a script's clauses in update mode, before its cases.
  case updated(UpdateOutcome)
  /// What a script was made to fail in, once its cases have ended.
  case swept(SweepLedger)
  case ended(RunTotals)
}

/// How many cases ended in which way.
public struct RunTotals: Sendable {
  public private(set) var passed = 0
  public private(set) var skipped = 0
  public private(set) var expectedFailures = 0
  /// Every case that is not good, by its word, in the order of first appearance.
  public private(set) var bad: [(word: String, count: Int)] = []
  public private(set) var statements = 0
  public private(set) var status = ExitStatus.passed

  public init() {}

  /// Cases that are not good.
  public var failed: Int { bad.reduce(0) { $0 + $1.count } }
  public var cases: Int { passed + failed + skipped + expectedFailures }

  mutating func add(_ result: RunCase) {
    statements += result.counts.total
    status = max(status, result.verdict.status)
    switch result.verdict {
    case .passed: passed += 1
    case .skipped, .unsupported: skipped += 1
    case .expectedFailure: expectedFailures += 1
    default:
      if let index = bad.firstIndex(where: { $0.word == result.verdict.word }) {
        bad[index].count += 1
      } else {
        bad.append((result.verdict.word, 1))
      }
    }
  }

  mutating func raise(_ status: ExitStatus) { self.status = max(self.status, status) }

  /// `12 passed, 1 failed (1 invalid), 2 skipped`
  public var summary: String {
    var text = "\(passed) passed, \(failed) failed"
    let others = bad.filter { $0.word != "failed" }
    if !others.isEmpty {
      text += " (" + others.map { "\($0.count) \($0.word)" }.joined(separator: ", ") + ")"
    }
    if skipped > 0 { text += ", \(skipped) skipped" }
    if expectedFailures > 0 { text += ", \(expectedFailures) xfail" }
    return text
  }
}

/// Makes something of a run's events.
public protocol RunEventSink: AnyObject {
  func receive(_ event: RunEvent)
}
