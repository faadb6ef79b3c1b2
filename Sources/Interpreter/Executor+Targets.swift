// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// What depends on the kind of target: a bench that is not there, two targets that disagree.
//
// Without a bench a look behind the waist is skipped, and what it would have told is not checked. A statement that
// *does* something through the bench cannot be left out like that: what follows would be about another state. It
// ends the case, which then counts as skipped, as if it had said `require bench`; what failed before stays failed.

extension Executor {
  /// Ends the case at a statement that acts through the bench.
  func endCase(_ node: Node, needing verb: String) {
    report.skipped += 1
    let reason = "'\(verb)' in line \(node.place.line) needs a bench, and the target has none"
    report.note("\(node.place.source.name):\(node.place.line): \(reason)")
    if report.skipReason == nil { report.skipReason = reason }
    report.isOver = true
  }

  /// Ends the case where the target found its two sides in disagreement.
  func endIfDiverged(_ node: Node) {
    guard !report.isOver, let divergence = comparing?.divergence else { return }
    var details = divergence.answers.map {
      Diagnostic.Detail($0.target, "\(divergence.call) -> \($0.answer)")
    }
    details += divergence.differences.map { Diagnostic.Detail("differs", $0) }
    if let plan = lastPlan {
      fetch()
      let text = PlanText(executor: self)
      details.append(Diagnostic.Detail("request", text.request(plan)))
    }
    fail(
      Diagnostic(
        .divergence, in: node.place.source, at: node.place.span,
        "the targets give different answers to \(divergence.call)", details: details))
    report.isOver = true
  }
}
