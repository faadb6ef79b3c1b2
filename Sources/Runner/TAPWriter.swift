// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// TAP version 14: a test point for each case, its diagnostics in a YAML block.
struct TAPWriter: ReportWriter {
  private(set) var text = "TAP version 14\n"
  private var count = 0

  mutating func receive(_ event: RunEvent) {
    switch event {
    case .caseEnded(let result): add(result)
    case .ended(let totals):
      text += "1..\(count)\n"
      if totals.status == .interrupted { text += "Bail out! interrupted\n" }
    default: break
    }
  }

  private mutating func add(_ result: RunCase) {
    count += 1
    var line = result.verdict.isGood ? "ok" : "not ok"
    line += " \(count) - \(ReportText.tap(result.title))"
    switch result.verdict {
    case .skipped(let reason), .unsupported(let reason): line += " # SKIP \(ReportText.tap(reason))"
    case .expectedFailure(let reason):
      // TAP's word for a failure that is known of, which is "not ok" and counts as good.
      line = "not" + " " + line + " # TODO \(ReportText.tap(reason))"
    default: break
    }
    text += line + "\n"
    if !result.verdict.isGood { text += yaml(result) }
  }

  private func yaml(_ result: RunCase) -> String {
    var block = "  ---\n  severity: \(result.verdict.word)\n"
    if let message = result.message { block += "  message: \(ReportText.quoted(message))\n" }
    if let first = result.diagnostics.first(where: { $0.severity == .error }) {
      let place = first.source.position(of: first.span.start)
      block += "  code: \(first.code.code)\n"
      block += "  at:\n    file: \(ReportText.quoted(first.source.name))\n"
      block += "    line: \(place.line)\n    column: \(place.column)\n"
    }
    let details = ReportText.details(result)
    if !details.isEmpty {
      block += "  details: |2\n"
      for line in details.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
        block += line.isEmpty ? "\n" : "    \(line)\n"
      }
    }
    return block + "  ...\n"
  }

}
