// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// A resolved script: the tree again, with slots for names, numbers for words and requests for commands.
// What a condition leaves out is still here, checked and switched off.

/// One statement of a resolved script.
final class Node {
  enum Kind {
    case command(CommandNode)
    case bind(slot: Int, Code)
    case expect(ExpectNode)
    case expectTrace([TraceDemand])
    case section(String)
    case loop(LoopNode)
    case block([Node])
    case include(IncludeNode)
    case deferred([Node])
    case test(TestNode)
    case thread(ThreadNode)
    case run(RunNode)
    case explore(ExploreNode)
    case parallel([ThreadNode])
    case injection(InjectionNode)
  }
  let kind: Kind
  let place: Place
  /// Its condition holds on this kernel and backend.
  let isEnabled: Bool
  /// A failure of this statement is announced.
  let expectedFailure: ExpectedFailure?

  init(_ kind: Kind, _ place: Place, isEnabled: Bool = true, expectedFailure: ExpectedFailure? = nil) {
    self.kind = kind
    self.place = place
    self.isEnabled = isEnabled
    self.expectedFailure = expectedFailure
  }
}

final class CommandNode {
  let verb: Verb?
  let body: Body
  let demand: Demand
  /// Slots to bind, with the index of the result each of them takes.
  let bindings: [(slot: Int, result: Int)]
  let command: Command
  /// The expectation clause, or the command where there is none.
  let demandSpan: Span
  /// Slots of the names that the clause may speak of, the nearest first; only kept for those who write clauses.
  let visible: [Int]

  init(
    verb: Verb?, body: Body, demand: Demand, bindings: [(slot: Int, result: Int)], command: Command,
    demandSpan: Span, visible: [Int] = []
  ) {
    self.visible = visible
    self.verb = verb
    self.body = body
    self.demand = demand
    self.bindings = bindings
    self.command = command
    self.demandSpan = demandSpan
  }
}

/// What a command must answer.
struct Demand {
  enum Outcome {
    case succeed
    case failSomehow
    case anything
    /// `-> ?`: nobody has said yet, so nothing is right.
    case open
    case oneOf([Accepted])
  }
  enum Accepted: Equatable {
    case ok
    case errno(Int32)
    /// Any errno, and the state is as it was.
    case rejected
    case failed
    /// The device's access faulted.
    case fault
    /// The IOMMU holds the device's access.
    case blocked
    /// It worked and left a cache behind that reaches what is no longer mapped.
    case stale
  }
  var outcome: Outcome
  var checks: [CheckCode]
  /// The clause as written, for messages.
  var text: String

  var watchesState: Bool {
    if case .oneOf(let accepted) = outcome { accepted.contains(.rejected) } else { false }
  }
}

/// A demand on one result.
struct CheckCode {
  /// Index of the result; the first one for a bare pattern.
  let result: Int
  /// Steps inside the result.
  let path: [StepCode]
  let comparison: Comparison
  let pattern: PatternCode
  let place: Place
  /// `iova`, `pages[0]`
  let name: String
}

enum StepCode {
  case field(String)
  case index(Code)
}

indirect enum PatternCode {
  case value(Code)
  case binding(slot: Int)
  case none
  case gap
  case ordered([PatternCode])
  case unordered([PatternCode])
  case record([(path: [StepCode], comparison: Comparison, pattern: PatternCode, name: String)])
}

final class ExpectNode {
  /// Nil for `invariants`.
  let subject: Code?
  let comparison: Comparison
  let pattern: PatternCode
  let text: String
  /// Names that occur in the subject, for the message.
  let needsBench: Bool

  init(subject: Code?, comparison: Comparison, pattern: PatternCode, text: String, needsBench: Bool) {
    self.subject = subject
    self.comparison = comparison
    self.pattern = pattern
    self.text = text
    self.needsBench = needsBench
  }
}

/// A line of `expect trace`.
struct TraceDemand {
  enum Mode: String, CaseIterable {
    /// Somewhere behind the event before.
    case later
    /// Directly behind the event before.
    case next
    /// Nowhere between the events around it.
    case not
    /// Behind the event before, in any order with its neighbours that are `any` as well.
    case any
  }
  let mode: Mode
  /// `area-add`, `request`
  let event: String
  let fields: [(name: String, value: Code)]
  let place: Place
}

final class LoopNode {
  let name: String
  let slot: Int
  let values: Code
  let body: [Node]

  init(name: String, slot: Int, values: Code, body: [Node]) {
    self.name = name
    self.slot = slot
    self.values = values
    self.body = body
  }
}

final class IncludeNode {
  let path: String
  /// Parameters of the included file and what they get.
  let arguments: [(slot: Int, value: Code)]
  let body: [Node]
  /// Slots of the included file that the including one sees under its own slots.
  let exports: [(from: Int, to: Int)]
  /// Why the whole file is skipped, if its `require` does not hold.
  let skipReason: String?

  init(
    path: String, arguments: [(slot: Int, value: Code)], body: [Node], exports: [(from: Int, to: Int)],
    skipReason: String?
  ) {
    self.path = path
    self.arguments = arguments
    self.body = body
    self.exports = exports
    self.skipReason = skipReason
  }
}

final class TestNode {
  let name: String
  let labels: [String]
  let body: [Node]
  let skipReason: String?
  let expectedFailure: ExpectedFailure?

  init(
    name: String, labels: [String], body: [Node], skipReason: String?, expectedFailure: ExpectedFailure?
  ) {
    self.name = name
    self.labels = labels
    self.body = body
    self.skipReason = skipReason
    self.expectedFailure = expectedFailure
  }
}

/// `fail` or `sweep`.
final class InjectionNode {
  let kind: InjectionStatement.Kind
  /// Of `fail`.
  let nth: Code?
  /// The words of `at=`; empty for every kind of failure point.
  let kinds: [(word: String, place: Place)]
  let body: [Node]
  let demand: Demand
  /// The expectation clause; empty where there is none.
  let demandSpan: Span
  /// From the word to the options.
  let header: Span

  init(
    kind: InjectionStatement.Kind, nth: Code?, kinds: [(word: String, place: Place)], body: [Node],
    demand: Demand, demandSpan: Span, header: Span
  ) {
    self.demandSpan = demandSpan
    self.kind = kind
    self.nth = nth
    self.kinds = kinds
    self.body = body
    self.demand = demand
    self.header = header
  }

  /// What an expectation behind the block may speak of.
  static func results(_ kind: InjectionStatement.Kind) -> [ResultSpec] {
    switch kind {
    case .fail:
      [
        ResultSpec("kind", .any, .named), ResultSpec("what", .text, .named),
        ResultSpec("errno", .any, .named),
      ]
    case .sweep: [ResultSpec("points", .number, .named), ResultSpec("partial", .number, .named)]
    }
  }
}

/// A `def`. Its parameters and names have slots of their own, once: a procedure never runs inside itself.
final class Procedure {
  let name: String
  let place: Place
  var parameters: [(name: String, slot: Int, defaultValue: Code?)] = []
  var body: [Node] = []

  init(name: String, place: Place) {
    self.name = name
    self.place = place
  }
}

/// A variable of the program.
struct SlotInfo {
  let name: String
  /// Where it is bound first.
  let place: Place
  /// Number of the frame (file, test, procedure) it belongs to.
  let frame: Int
}

/// A resolved script.
final class Program {
  let source: SourceFile
  var body: [Node] = []
  var slots: [SlotInfo] = []
  var skipReason: String?
  var expectedFailure: ExpectedFailure?
  /// It compares what happens with what it expects.
  var expectsTrace = false
  /// It looks at the requests that it has made.
  var keepsRequests = false
  /// The values that parameters have before the script begins.
  var presets: [(slot: Int, value: Value)] = []

  init(source: SourceFile) { self.source = source }
}
