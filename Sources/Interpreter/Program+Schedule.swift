// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// Statements that run on a thread of their own.
final class ThreadNode {
  /// Empty for a statement of `parallel`.
  let name: String
  let place: Place
  let body: [Node]
  /// Slots that the statements bind.
  let bound: [Int]

  init(name: String, place: Place, body: [Node], bound: [Int]) {
    self.name = name
    self.place = place
    self.body = body
    self.bound = bound
  }
}

/// `run a until pages.pinned`
final class RunNode {
  let thread: ThreadNode
  /// Name and place of the point; nil for the end of the thread.
  let point: (name: String, place: Place)?
  /// How many times the point is passed; nil for once.
  let times: Code?
  let demand: Demand
  /// The expectation clause; empty where there is none.
  let demandSpan: Span

  init(
    thread: ThreadNode, point: (name: String, place: Place)?, times: Code?, demand: Demand, demandSpan: Span
  ) {
    self.demandSpan = demandSpan
    self.thread = thread
    self.point = point
    self.times = times
    self.demand = demand
  }
}

/// `explore threads=[a, b] bound=2 { ... }`
final class ExploreNode {
  let threads: [ThreadNode]
  /// Most times that a thread which could go on is made to wait.
  let bound: Code?
  let body: [Node]
  let demand: Demand
  /// The expectation clause; empty where there is none.
  let demandSpan: Span
  /// The statements of the body as they are written.
  let text: [String]

  init(
    threads: [ThreadNode], bound: Code?, body: [Node], demand: Demand, demandSpan: Span, text: [String]
  ) {
    self.demandSpan = demandSpan
    self.threads = threads
    self.bound = bound
    self.body = body
    self.demand = demand
    self.text = text
  }
}
