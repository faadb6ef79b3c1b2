// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import LineEditing
internal import Runner

/// Asks a person about changes of clauses, one after the other.
///
/// `a` answers for all that follow, except for those in which something that had to fail succeeds: about these a person
/// says yes each time. Scripts that are reviewed run one after the other, so one thread asks at a time.
final class Reviewer: @unchecked Sendable {
  private let output: ByteOutput
  private let editor: any LineEditor
  private var acceptsAll = false
  private var isOver = false

  init(output: ByteOutput, editor: any LineEditor) {
    self.output = output
    self.editor = editor
  }

  func decide(_ path: String, _ change: ScriptUpdate.Change, _ number: Int, _ count: Int) -> ReviewAnswer {
    if isOver { return .quit }
    if acceptsAll && change.kind < .success { return .yes }
    output.write("\(path):\(change.line)  (\(number) of \(count))\n\(change.difference(indent: ""))")
    switch change.kind {
    case .filled, .literal: break
    case .pattern: output.write("  it accepts less than it did\n")
    case .success: output.write("  what had to fail succeeds\n")
    }
    while true {
      output.flush()
      switch editor.readLine(prompt: "change it? yes, no, all, quit [y/n/a/q] ") {
      case .interrupted: return .interrupt
      case .end:
        output.write("\n")
        return quit()
      case .line(let line):
        switch line.filter({ $0 != " " }).lowercased() {
        case "y", "yes": return .yes
        case "n", "no": return .no
        case "a", "all":
          acceptsAll = true
          return .yes
        case "q", "quit": return quit()
        default: continue
        }
      }
    }
  }

  private func quit() -> ReviewAnswer {
    isOver = true
    return .quit
  }
}
