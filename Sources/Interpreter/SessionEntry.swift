// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// What a session keeps of one thing that was typed: a statement, or several, that did something.
///
/// A session is the list of these. The model is deterministic, so carrying them out again on a fresh machine leads to
/// the same state; that is how `undo` works.
struct SessionEntry {
  /// The text as typed, with unique prefixes written out.
  let source: SourceFile
  /// As last resolved: a session that is built again resolves anew.
  var nodes: [Node]
  /// The bodies of procedures that it defines.
  var definitions: [[Node]]
  /// For each node, what it answered when it was typed, as it may be written behind `->`; empty for what answers nothing.
  let answers: [[String]]
  /// Nodes that could not be carried out, or that wrote down something that did not hold.
  let failures: [Failure?]
  /// Files that it read, with their bytes as they were then.
  let loads: [RememberingLoader.Load]
  /// Ctrl-C stopped it before this step.
  let cancelledStep: Int?
  /// Why it cannot be carried out again as it was; nil when it can.
  let obstacle: String?
  /// It only looks, so there is nothing to take back.
  let isLook: Bool

  /// What became of a statement that failed, for the script that is saved.
  enum Failure {
    /// It was not carried out.
    case notRun
    /// What it demands did not hold; this is what to demand instead.
    case replaced(String)
    /// It was an announced failure, or something else that no other demand would mend.
    case unmendable
  }
}
