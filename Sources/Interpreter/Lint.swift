// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// Style and likely mistakes, beyond what makes a script invalid. A rule is here only if its findings are worth the line
// that mends or silences them: whatever can be told for certain (a thread that nobody runs, a condition that cannot
// hold), and little else. Each has a code with a page, and a comment silences it:
//
//     request OPTION option_id=1 ...  # lint: allow L0007, the number is the point
//
// A script with errors gets these alone: half of what the rules ask of it would not be known.

/// The rules of `iofd lint`, on one script.
public struct Lint {
  let index: ScriptIndex
  private var allowances: Allowances
  private var findings: [Diagnostic] = []

  /// Everything that there is to tell about a script: errors and warnings as `check` has them, and what the rules find,
  /// without what comments of the script silence. In the order of the places, included files last.
  public static func report(_ index: ScriptIndex) -> [Diagnostic] {
    var lint = Lint(index)
    let kept = index.diagnostics.filter { !lint.allowances.silence($0) }
    if !index.hasErrors {
      lint.judge()
      lint.findings += lint.allowances.complaints
    }
    let all = kept + lint.findings
    let own = all.enumerated().filter { $0.element.source === index.file.source }.sorted {
      ($0.element.span.start, $0.offset) < ($1.element.span.start, $1.offset)
    }
    return own.map(\.element) + all.filter { $0.source !== index.file.source }
  }

  private init(_ index: ScriptIndex) {
    self.index = index
    allowances = Allowances(index.file)
  }

  var file: ScriptFile { index.file }

  /// Keeps a finding that is not silenced as long as there is room; one more says that there was none.
  mutating func report(
    _ code: DiagnosticCode, _ span: Span, _ message: String, notes: [Diagnostic.Note] = [],
    help: [String] = [], fixes: [Diagnostic.Fix] = []
  ) {
    let finding = Diagnostic(
      code, in: file.source, at: span, message, notes: notes, help: help, fixes: fixes)
    guard findings.count <= Self.most, !allowances.silence(finding) else { return }
    guard findings.count < Self.most else {
      findings.append(
        Diagnostic(
          .tooManyProblems, in: file.source, at: span,
          "more than \(Self.most) findings; the rest is not reported", severity: .note))
      return
    }
    findings.append(finding)
  }

  private static let most = 200

  func note(_ text: String, _ span: Span) -> Diagnostic.Note {
    Diagnostic.Note(text, in: file.source, at: span)
  }

  private mutating func judge() {
    if file.version == nil, let first = file.statements.first {
      // The line for the system that says what runs the script stays the first.
      let hasInterpreter = file.source.bytes.starts(with: "#!".utf8) && file.source.lineCount > 1
      let top = hasInterpreter ? file.source.lineStarts[1] : 0
      report(
        .missingVersion, Span(first.span.start, first.span.start), "the script does not begin with 'iofd 1'",
        fixes: [Diagnostic.Fix("begin with iofd 1", at: Span(top, top), "iofd 1\n")])
    }
    judgeConditions()
    judgeFrame(file.statements)
    var all: [Statement] = []
    file.statements.forEachNested { all.append($0) }
    for statement in all { judge(statement) }
    judgeNames()
    judgeNumbers()
  }
}
