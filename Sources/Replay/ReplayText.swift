// SPDX-License-Identifier: GPL-3.0-or-later
public import Runner

/// A run as people read it: each finding when an input shows it first, and the sums at the end.
///
/// A corpus has a hundred thousand inputs that are in order and some that show the same thing: none of them is worth a line
/// by itself, unless that is asked for.
public final class ReplayText: ReplaySink {
  private let output: ByteOutput
  private let progress: ReplayProgress?
  private let isVerbose: Bool
  private let isQuiet: Bool
  private let usesColour: Bool
  private static let callsShown = 10

  /// - Parameters:
  ///   - progress: a line that has to make room for others.
  ///   - isVerbose: a line for every input, too.
  ///   - isQuiet: findings without their details.
  public init(
    _ output: ByteOutput, progress: ReplayProgress?, isVerbose: Bool, isQuiet: Bool, usesColour: Bool
  ) {
    self.output = output
    self.progress = progress
    self.isVerbose = isVerbose
    self.isQuiet = isQuiet
    self.usesColour = usesColour
  }

  public func began(_ head: ReplayHead) {}

  public func ended(_ result: ReplayResult, isNew: Bool) {
    let outcome = result.outcome
    guard isVerbose || isNew || outcome.note != nil else { return }
    progress?.clear()
    var line = paint(outcome.verdict) + String(repeating: " ", count: max(1, 12 - outcome.verdict.word.count))
    line += result.label
    let texts = [outcome.note, outcome.verdict.reason, outcome.message].compactMap { $0 }
    if !texts.isEmpty { line += ": " + texts.joined(separator: "; ") }
    if isNew, let signature = outcome.signature { line += "  [\(signature.id)]" }
    output.write(line + "\n")
    if isNew, !isQuiet {
      for line in outcome.details.split(separator: "\n") { output.write("    \(line)\n") }
      if !result.hash.isEmpty { output.write("    sha1 \(result.hash)\n") }
    }
    // A finding is seen when it is there, and a pipe that nobody reads is noticed.
    output.flush()
  }

  public func finished(_ totals: ReplayTotals) {
    progress?.clear()
    if !totals.findings.isEmpty {
      output.write("\(totals.findings.count) finding\(totals.findings.count == 1 ? "" : "s"):\n")
      for finding in totals.findings.sorted(by: { $0.count > $1.count }) {
        let count = String(finding.count)
        output.write(
          String(repeating: " ", count: max(0, 8 - count.count)) + "\(count)  [\(finding.signature.id)] "
            + "\(finding.signature)  \(finding.label)\n")
      }
    }
    let unknown = totals.unsupported.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    if !unknown.isEmpty {
      let sum = unknown.reduce(0) { $0 + $1.value }
      output.write("\(sum) calls of \(unknown.count) kinds are not known:")
      for (name, count) in unknown.prefix(Self.callsShown) { output.write(" \(name) \(count)") }
      output.write(unknown.count > Self.callsShown ? " ...\n" : "\n")
    }
    if let reason = totals.endedEarly { output.write("ended early: \(reason)\n") }
    output.write(totals.summary + "\n")
    output.flush()
  }

  private func paint(_ verdict: RunVerdict) -> String {
    guard usesColour else { return verdict.word }
    let colour = verdict == .passed ? "32" : verdict.isGood ? "33" : "1;31"
    return "\u{1B}[\(colour)m\(verdict.word)\u{1B}[0m"
  }
}
