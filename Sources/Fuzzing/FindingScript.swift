// SPDX-License-Identifier: GPL-3.0-or-later
internal import Conversion
internal import Corpora
internal import Runner
internal import UAPI

/// A finding as a script: what its program does, with the answers of a machine whose drivers make no mistake on purpose,
/// and at the end a look for what is wrong. It fails where the bug is and passes where it is not.
enum FindingScript {
  /// What a trial is asked for.
  struct Order: Sendable, Equatable {
    var input: [UInt8]
    /// Lines for a comment at the head.
    var title: [String]
    /// As for `ByteHistory`.
    var steps: Int?
    var keepsEnd = false

    init(_ program: ByteProgram, _ finding: TrialOutcome.Finding) {
      input = program.bytes
      title =
        [finding.signature] + finding.message.split(separator: "\n").map(String.init) + [
          "Run it on the machine that it was found on: iofd run --check --backend \(program.scene.backend)"
        ]
      // What is wrong shows when everything is closed.
      keepsEnd = finding.signature.hasPrefix("\(finding.verdict) close")
    }

    init(input: [UInt8], title: [String], steps: Int?, keepsEnd: Bool) {
      self.input = input
      self.title = title
      self.steps = steps
      self.keepsEnd = keepsEnd
    }
  }

  /// Plays the program for it, which may end this process; nil where there is no machine or the program cannot go on.
  static func text(_ order: Order, on rigs: Rigs) -> String? {
    guard let program = try? ByteProgram(order.input) else { return nil }
    do throws(Errno) {
      let rig = try rigs.sound.preferring(program.kernel).preferring(program.scene).make()
      let history = try ByteHistory(program, on: rig, steps: order.steps, keepsEnd: order.keepsEnd)
      return history.script(title: order.title, ending: ["expect invariants", "expect stale() = []"])
    } catch { return nil }
  }

  /// Most steps that are tried as the last one.
  private static let mostLastSteps = 12

  /// Has a trial play the program. A step that takes the process along, or has no end, is the last one in the script: it is
  /// looked for from the end.
  static func text(_ program: ByteProgram, _ finding: TrialOutcome.Finding, in trial: any Trial) -> String {
    var order = Order(program, finding)
    if let text = trial.script(order) { return text }
    let count = ByteHistory.stepCount(of: program)
    for last in (max(0, count - mostLastSteps)..<count).reversed() {
      order.steps = last
      if let text = trial.script(order) { return text }
    }
    return "iofd 1\n" + (order.title + ["It cannot be played again."]).map { "# \($0)\n" }.joined()
  }
}
