// SPDX-License-Identifier: GPL-3.0-or-later
internal import Fuzzing
internal import Runner
internal import Synchronization

/// What `iofd fuzz` says while it runs: on a terminal one line that changes, elsewhere a line now and then.
final class FuzzView: Sendable {
  private struct State {
    var hasLine = false
    var next = 0.0
    var failure: FileFailure?
  }

  private let isQuiet: Bool
  private let isTerminal = ByteOutput.standardOutput().isTerminal
  private let state = Mutex(State())
  /// Seconds between lines that stay, at first; later they are fewer.
  private static let interval = 10.0

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  var status: ExitStatus {
    state.withLock { $0.failure == nil ? .passed : $0.failure?.isClosedPipe == true ? .interrupted : .usage }
  }

  func say(_ text: String) { state.withLock { Self.write(text + "\n", &$0) } }

  func found(_ finding: FuzzFinding) {
    state.withLock { state in
      clear(&state)
      Self.write(
        "found \(finding.signature)\n  execution \(finding.execution), \(finding.records) records: \(finding.message)\n",
        &state)
    }
  }

  func progress(_ progress: FuzzRun.Progress) {
    guard !isQuiet else { return }
    state.withLock { state in
      if isTerminal {
        Self.write("\r\u{1B}[K" + Self.line(progress), &state)
        state.hasLine = true
      } else if progress.seconds >= state.next {
        Self.write(Self.line(progress) + "\n", &state)
        state.next = max(Self.interval, progress.seconds * 1.25)
      }
    }
  }

  func end(_ summary: Fuzzer.Summary, findings: String?) {
    state.withLock { state in
      clear(&state)
      guard !isQuiet || !summary.findings.isEmpty else { return }
      var text = Self.line(summary.progress) + "\n"
      if summary.ignored > 0 {
        text += "\(summary.ignored) inputs are no programs in bytes and were left out\n"
      }
      if !summary.findings.isEmpty, let findings { text += "findings are in \(findings)\n" }
      Self.write(text, &state)
    }
  }

  /// `12.5 s (11.9 of a processor), 30,000 executions (2,400/s), 400 answers, 5,000 features, 310 programs, 1 finding (12 inputs)`
  private static func line(_ progress: FuzzRun.Progress) -> String {
    let seconds = max(progress.seconds, 0.001)
    let used = max(progress.processorSeconds, 0.001)
    var text = "\(tenths(seconds)) s (\(tenths(used)) of a processor), \(progress.executions) executions"
    text +=
      " (\(Int(Double(progress.executions) / seconds))/s, \(Int(Double(progress.executions) / used)) of a processor's), \(progress.answers) answers, "
    text += "\(progress.features) features, \(progress.corpus) programs, "
    text += "\(progress.findings) finding\(progress.findings == 1 ? "" : "s")"
    if progress.repeats > 0 { text += " (again in \(progress.repeats) inputs)" }
    return text
  }

  private static func tenths(_ number: Double) -> String {
    let tenths = Int(number * 10)
    return "\(tenths / 10).\(tenths % 10)"
  }

  private func clear(_ state: inout State) {
    if state.hasLine { Self.write("\r\u{1B}[K", &state) }
    state.hasLine = false
  }

  private static func write(_ text: String, _ state: inout State) {
    let output = ByteOutput.standardOutput()
    output.write(text)
    output.flush()
    if state.failure == nil { state.failure = output.failure }
  }
}
