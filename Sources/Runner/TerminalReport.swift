// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
public import Language

/// A run as people read it: a line for each case, what is wrong below it, and the sums at the end.
public final class TerminalReport: RunEventSink {
  private let output: ByteOutput
  private let renderer: DiagnosticRenderer
  private let isQuiet: Bool
  private let trace: TraceFormat?

  /// - Parameters:
  ///   - isQuiet: tell only what is not good, and the sums.
  ///   - trace: how the trace is written here; nil where it goes elsewhere.
  public init(_ output: ByteOutput, renderer: DiagnosticRenderer, isQuiet: Bool, trace: TraceFormat?) {
    self.output = output
    self.renderer = renderer
    self.isQuiet = isQuiet
    self.trace = trace
  }

  public func receive(_ event: RunEvent) {
    switch event {
    case .began, .scriptBegan, .swept: break
    case .output(let text): output.write(text)
    case .trace(let event): if let trace { output.write(trace.line(event)) }
    case .warning(let diagnostic): output.write(renderer.render(diagnostic))
    case .caseEnded(let result): write(result)
    case .updated(let outcome): write(outcome)
    case .ended(let totals): output.write(totals.summary + "\n")
    }
    // Each case is seen when it is over, and a pipe that nobody reads is noticed.
    if case .caseEnded = event { output.flush() }
  }

  private func write(_ result: RunCase) {
    output.write(renderer.render(result.diagnostics))
    guard !isQuiet || !result.verdict.isGood else { return }
    for note in result.notes { output.write("  \(note)\n") }
    let word = result.verdict.word
    let padding = String(repeating: " ", count: max(1, 8 - word.count))
    var line = paint(word, result.verdict) + padding + result.title
    if let reason = result.verdict.reason { line += "  (\(reason))" }
    output.write(line + "\n")
  }

  private func write(_ outcome: UpdateOutcome) {
    if let failure = outcome.failure { output.write("not updated  \(outcome.path): \(failure)\n") }
    if let written = outcome.written {
      let count = outcome.made.count
      output.write("wrote   \(written)  (\(count) clause\(count == 1 ? "" : "s"))\n")
    }
    for change in outcome.made { output.write("  line \(change.line)\n\(change.difference(indent: "  "))") }
    for (change, why) in outcome.kept {
      output.write("  line \(change.line) stays: \(why)\n\(change.difference(indent: "  "))")
    }
    for clause in outcome.left { output.write("  line \(clause.line) stays: \(clause.why)\n") }
  }

  private func paint(_ word: String, _ verdict: RunVerdict) -> String {
    guard renderer.usesColour else { return word }
    let colour =
      switch verdict {
      case .passed: "32"
      case .skipped, .unsupported, .expectedFailure: "33"
      default: "1;31"
      }
    return "\u{1B}[\(colour)m\(word)\u{1B}[0m"
  }
}
