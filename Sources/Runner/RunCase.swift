// SPDX-License-Identifier: GPL-3.0-or-later
public import Interpreter
public import Language

/// The outcome of a test, or of what a script does outside of its tests.
public struct RunCase: Sendable {
  /// The script's path.
  public let script: String
  /// The test's name; empty for the script itself.
  public let name: String
  /// Line of the script where it begins.
  public let line: Int
  public let verdict: RunVerdict
  public let counts: StatementCounts
  public let sections: [SectionResult]
  public let diagnostics: [Diagnostic]
  /// Remarks that are no failures, and why a script cannot be read.
  public let notes: [String]
  public let seconds: Double

  /// `examples/map.iofd`, `examples/map.iofd: "short sizes"`
  public var title: String { name.isEmpty ? script : "\(script): \"\(name)\"" }

  /// The first thing that went wrong, in a sentence.
  public var message: String? {
    diagnostics.first { $0.severity == .error }?.message ?? verdict.reason ?? notes.first
  }

  /// A script of which there is nothing but a verdict to tell.
  init(
    script: String, _ verdict: RunVerdict, diagnostics: [Diagnostic] = [], notes: [String] = [],
    seconds: Double = 0
  ) {
    self.script = script
    self.verdict = verdict
    self.diagnostics = diagnostics
    self.notes = notes
    self.seconds = seconds
    name = ""
    line = 1
    counts = StatementCounts()
    sections = []
  }

  private init(_ script: String, _ result: CaseResult, _ verdict: RunVerdict) {
    self.script = script
    self.verdict = verdict
    name = result.name
    line = result.line
    counts = result.counts
    sections = result.sections
    diagnostics = result.diagnostics
    notes = result.notes
    seconds = result.seconds
  }

  /// The cases of a script that was run.
  ///
  /// - Parameters:
  ///   - reason: why it was ended from outside, if it was.
  ///   - onlyTests: a filter chose tests; the script around them counts only where it goes wrong.
  static func cases(
    of result: ScriptResult, script: String, endedFor reason: Watch.Reason?, onlyTests: Bool
  ) -> [RunCase] {
    let announced: String? = if case .expectedFailure(let reason) = result.verdict { reason } else { nil }
    var cases = result.cases.map { part in
      var verdict = RunVerdict(part.verdict, reason)
      if let announced, verdict == .failed { verdict = .expectedFailure(announced) }
      return RunCase(script, part, verdict)
    }
    if onlyTests { cases.removeAll { $0.name.isEmpty && $0.verdict.isGood } }
    let whole = RunVerdict(result.verdict, reason)
    // What is true of the script and of none of its cases: it is invalid, skipped, or passed unexpectedly.
    if result.cases.isEmpty
      ? !(onlyTests && whole.isGood) : cases.allSatisfy(\.verdict.isGood) && !whole.isGood
    {
      let diagnostics = result.diagnostics.filter { _ in result.cases.isEmpty }
      cases.append(RunCase(script: script, whole, diagnostics: diagnostics, seconds: result.seconds))
    }
    return cases
  }
}

extension RunVerdict {
  /// The interpreter's verdict on a script that nobody cancelled.
  public init(_ verdict: Verdict) { self.init(verdict, nil) }

  /// The interpreter's verdict, where a script that was cancelled knows only that.
  init(_ verdict: Verdict, _ reason: Watch.Reason?) {
    self =
      switch (verdict, reason) {
      case (.interrupted, .time): .timedOut
      case (.interrupted, .memory): .outOfMemory
      case (.passed, _): .passed
      case (.failed, _): .failed
      case (.skipped(let why), _): .skipped(why)
      case (.expectedFailure(let why), _): .expectedFailure(why)
      case (.unexpectedPass(let why), _): .unexpectedPass(why)
      case (.invalid, _): .invalid
      case (.timedOut, _): .timedOut
      case (.interrupted, _): .interrupted
      }
  }
}
