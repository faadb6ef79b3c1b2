// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

/// How a script, a test or a section ended.
public enum Verdict: Sendable, Equatable {
  case passed
  case failed
  /// Its `require` does not hold; the reason says which.
  case skipped(String)
  /// It failed, as announced.
  case expectedFailure(String)
  /// It passed, though it was announced to fail. Counts as a failure.
  case unexpectedPass(String)
  /// The script could not be read or resolved.
  case invalid
  case timedOut
  case interrupted

  /// Whether a run with this verdict may call itself good.
  public var isGood: Bool {
    switch self {
    case .passed, .skipped, .expectedFailure: true
    default: false
    }
  }
}

/// Statements by how they ended.
public struct StatementCounts: Sendable, Equatable {
  public var passed = 0
  public var failed = 0
  public var skipped = 0
  /// Not tried, since a name they need was not bound.
  public var blocked = 0
  public var expectedFailures = 0

  public init(
    passed: Int = 0, failed: Int = 0, skipped: Int = 0, blocked: Int = 0, expectedFailures: Int = 0
  ) {
    self.passed = passed
    self.failed = failed
    self.skipped = skipped
    self.blocked = blocked
    self.expectedFailures = expectedFailures
  }

  public var total: Int { passed + failed + skipped + blocked + expectedFailures }

  static func + (a: StatementCounts, b: StatementCounts) -> StatementCounts {
    StatementCounts(
      passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped,
      blocked: a.blocked + b.blocked, expectedFailures: a.expectedFailures + b.expectedFailures)
  }
}

/// A heading and what is below it.
public struct SectionResult: Sendable {
  public let name: String
  public var counts = StatementCounts()
}

/// A test, or what a file does outside of its tests.
public struct CaseResult: Sendable {
  /// The test's name; empty for the file itself.
  public let name: String
  public let labels: [String]
  /// Line of the script where it begins.
  public let line: Int
  public let verdict: Verdict
  public let counts: StatementCounts
  public let sections: [SectionResult]
  public let diagnostics: [Diagnostic]
  /// Remarks that are no failures: what was blocked or skipped, and why.
  public let notes: [String]
  public let seconds: Double
}

/// The outcome of one script.
public struct ScriptResult: Sendable {
  /// The name of the script's source.
  public let name: String
  public let verdict: Verdict
  /// In the order of their ends; the file itself comes last, if it did anything.
  public let cases: [CaseResult]
  /// Problems of the script as such: from the parser, the resolver, and warnings.
  public let diagnostics: [Diagnostic]
  public let seconds: Double
  /// With `RunOptions.sweeps`: which calls were made, and how many failures each was made to have.
  public let swept: SweepLedger

  public var counts: StatementCounts { cases.reduce(StatementCounts()) { $0 + $1.counts } }

  /// All diagnostics, those of the script first.
  public var allDiagnostics: [Diagnostic] { diagnostics + cases.flatMap { $0.diagnostics } }
}

/// Collects what happens in a case.
struct CaseReport {
  let name: String
  var labels: [String] = []
  var line = 1
  var passed = 0
  var failed = 0
  var skipped = 0
  var blocked = 0
  var expectedFailures = 0
  var skipReason: String?
  /// Nothing more is carried out in this case.
  var isOver = false
  private var sections: [SectionResult] = []
  private var sectionStart = StatementCounts()
  private(set) var diagnostics: [Diagnostic] = []
  private var notes: [String] = []

  /// Most diagnostics of one case that are kept; a loop can fail a million times in the same way.
  static let diagnosticLimit = 100

  init(name: String) { self.name = name }

  var counts: StatementCounts {
    StatementCounts(
      passed: passed, failed: failed, skipped: skipped, blocked: blocked, expectedFailures: expectedFailures)
  }

  mutating func beginSection(_ name: String) {
    closeSection()
    sections.append(SectionResult(name: name))
    sectionStart = counts
  }

  private mutating func closeSection() {
    guard !sections.isEmpty else { return }
    let now = counts
    sections[sections.count - 1].counts = StatementCounts(
      passed: now.passed - sectionStart.passed, failed: now.failed - sectionStart.failed,
      skipped: now.skipped - sectionStart.skipped, blocked: now.blocked - sectionStart.blocked,
      expectedFailures: now.expectedFailures - sectionStart.expectedFailures)
  }

  /// Whether a further diagnostic would be kept.
  var hasRoom: Bool { diagnostics.count < Self.diagnosticLimit }

  mutating func add(_ diagnostic: Diagnostic) {
    if hasRoom { diagnostics.append(diagnostic) }
  }

  mutating func note(_ text: String) {
    if notes.count < Self.diagnosticLimit { notes.append(text) }
  }

  /// Takes over what was collected elsewhere for the same case.
  mutating func add(_ other: CaseReport) {
    passed += other.passed
    failed += other.failed
    skipped += other.skipped
    blocked += other.blocked
    expectedFailures += other.expectedFailures
    for diagnostic in other.diagnostics { add(diagnostic) }
    for text in other.notes { note(text) }
    skipReason = skipReason ?? other.skipReason
    isOver = isOver || other.isOver
  }

  /// The verdict on what was collected.
  mutating func result(
    expectedFailure: ExpectedFailure?, seconds: Double,
    unexpectedPass: (ExpectedFailure) -> Diagnostic, halted: Executor.Halt?
  ) -> CaseResult {
    closeSection()
    var verdict = Verdict.passed
    if let skipReason, failed == 0 || !isOver {
      verdict = .skipped(skipReason)
    } else if halted == .timedOut || halted == .limit {
      verdict = .timedOut
    } else if halted == .cancelled {
      verdict = .interrupted
    } else if let expectedFailure {
      if failed > 0 {
        verdict = .expectedFailure(expectedFailure.reason.text)
      } else if halted == nil {
        verdict = .unexpectedPass(expectedFailure.reason.text)
        add(unexpectedPass(expectedFailure))
      }
    } else if failed > 0 {
      verdict = .failed
    }
    return CaseResult(
      name: name, labels: labels, line: line, verdict: verdict, counts: counts, sections: sections,
      diagnostics: diagnostics, notes: notes, seconds: seconds)
  }
}
