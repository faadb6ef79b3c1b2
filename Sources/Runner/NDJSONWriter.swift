// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language

/// The event stream itself, a JSON object a line. `schema` in the first line counts changes of meaning.
struct NDJSONWriter: ReportWriter {
  private let timings: Bool
  private(set) var text = ""
  private let renderer = DiagnosticRenderer(format: .json)

  init(timings: Bool) { self.timings = timings }

  mutating func receive(_ event: RunEvent) {
    switch event {
    case .began(let kernel, let backend, let scripts):
      line(
        "run-start",
        [
          ("schema", "1"), ("kernel", ReportText.quoted(kernel)), ("backend", ReportText.quoted(backend)),
          ("scripts", String(scripts)),
        ])
    case .scriptBegan(let path): line("script-start", [("script", ReportText.quoted(path))])
    case .output(let text): line("output", [("text", ReportText.quoted(text))])
    case .trace(let event):
      line(
        event.level.rawValue,
        [("statement", String(event.statement)), ("text", ReportText.quoted(event.line))])
    case .warning(let diagnostic): line("warning", [("diagnostic", json(diagnostic))])
    case .caseEnded(let result): line("case-end", fields(result))
    case .updated(let outcome): line("update", fields(outcome))
    case .swept(let ledger): line("sweep", [("calls", Self.object(Self.counts(ledger)))])
    case .ended(let totals):
      line(
        "run-end",
        [
          ("status", String(totals.status.rawValue)), ("passed", String(totals.passed)),
          ("failed", String(totals.failed)), ("skipped", String(totals.skipped)),
          ("xfail", String(totals.expectedFailures)), ("statements", String(totals.statements)),
        ])
    }
  }

  private func fields(_ result: RunCase) -> [(String, String)] {
    var fields = [
      ("script", ReportText.quoted(result.script)), ("case", ReportText.quoted(result.name)),
      ("line", String(result.line)), ("verdict", ReportText.quoted(result.verdict.word)),
    ]
    if let reason = result.verdict.reason { fields.append(("reason", ReportText.quoted(reason))) }
    fields.append(("statements", Self.counts(result.counts)))
    if !result.sections.isEmpty {
      let sections = result.sections.map {
        Self.object([("name", ReportText.quoted($0.name)), ("statements", Self.counts($0.counts))])
      }
      fields.append(("sections", "[" + sections.joined(separator: ",") + "]"))
    }
    fields.append(("diagnostics", "[" + result.diagnostics.map { json($0) }.joined(separator: ",") + "]"))
    fields.append(("notes", "[" + result.notes.map { ReportText.quoted($0) }.joined(separator: ",") + "]"))
    if timings { fields.append(("seconds", ReportText.seconds(result.seconds))) }
    return fields
  }

  private func fields(_ outcome: UpdateOutcome) -> [(String, String)] {
    func change(_ change: ScriptUpdate.Change, _ why: String?) -> String {
      Self.object(
        [
          ("line", String(change.line)), ("before", ReportText.quoted(change.before)),
          ("after", ReportText.quoted(change.after)),
        ] + (why.map { [("why", ReportText.quoted($0))] } ?? []))
    }
    func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
    var fields = [("script", ReportText.quoted(outcome.path))]
    if let written = outcome.written { fields.append(("written", ReportText.quoted(written))) }
    if let failure = outcome.failure { fields.append(("failure", ReportText.quoted(failure))) }
    fields.append(("made", list(outcome.made.map { change($0, nil) })))
    fields.append(("kept", list(outcome.kept.map { change($0.change, $0.why) })))
    fields.append(
      (
        "left",
        list(
          outcome.left.map {
            Self.object([("line", String($0.line)), ("why", ReportText.quoted($0.why))])
          })
      ))
    return fields
  }

  private static func counts(_ ledger: SweepLedger) -> [(String, String)] {
    ledger.calls.sorted { $0.key < $1.key }.map { name, count in
      (
        name,
        object([
          ("calls", String(count.calls)), ("done", String(count.done)), ("points", String(count.points)),
          ("late", String(count.late)),
        ])
      )
    }
  }

  private static func counts(_ counts: StatementCounts) -> String {
    object([
      ("passed", String(counts.passed)), ("failed", String(counts.failed)),
      ("skipped", String(counts.skipped)), ("blocked", String(counts.blocked)),
      ("xfail", String(counts.expectedFailures)),
    ])
  }

  private func json(_ diagnostic: Diagnostic) -> String { String(renderer.render(diagnostic).dropLast()) }

  private mutating func line(_ event: String, _ fields: [(String, String)]) {
    text += Self.object([("event", ReportText.quoted(event))] + fields) + "\n"
  }

  private static func object(_ fields: [(String, String)]) -> String {
    "{" + fields.map { ReportText.quoted($0.0) + ":" + $0.1 }.joined(separator: ",") + "}"
  }

}
