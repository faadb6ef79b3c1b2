// SPDX-License-Identifier: GPL-3.0-or-later
import Machine
import Testing
import UAPI

// What each request answers, as tables: a request that succeeds in a small world of fixed IDs and addresses,
// and under it the cases, each by the fields in which it differs. One suite runs them all, and holds each to
// the rules that no table needs to repeat: a refused request leaves the struct, the objects and the pins as
// they were, and no case breaks an invariant.

/// Values of a request's fields by name; of two for one field the later counts.
typealias Fields = KeyValuePairs<String, UInt64>

/// Something done to a world.
typealias Step = @Sendable (World) throws -> Void

/// One request and its answer.
struct RequestCase: Sendable {
  /// What a refused request may leave behind.
  struct Traces: OptionSet, Sendable {
    let rawValue: UInt8
    /// The struct is written back.
    static let answer = Traces(rawValue: 1)
    /// Objects, areas or pins change.
    static let state = Traces(rawValue: 2)
  }

  let title: String
  /// `ok`, or the errno's name.
  let answer: String
  /// In which the request differs from the table's.
  let fields: Fields
  /// Outputs by name; `result` is the call's result.
  let outputs: Fields
  let kernels: [Personality]
  let leaves: Traces
  let given: Step
  let then: @Sendable (World, Caller.Answer) throws -> Void
}

// Cases, as the tables write them. A closure that follows is what must be true afterwards.

/// A request that succeeds.
func ok(
  _ title: String, _ fields: Fields = [:], gives outputs: Fields = [:],
  on kernels: [Personality] = Personality.allCases,
  then: @escaping @Sendable (World, Caller.Answer) throws -> Void = { _, _ in }
) -> RequestCase {
  ok(title, fields, gives: outputs, on: kernels, given: { _ in }, then: then)
}

/// A request that succeeds after something else was done.
func ok(
  _ title: String, _ fields: Fields = [:], gives outputs: Fields = [:],
  on kernels: [Personality] = Personality.allCases, given: @escaping Step,
  then: @escaping @Sendable (World, Caller.Answer) throws -> Void = { _, _ in }
) -> RequestCase {
  RequestCase(
    title: title, answer: "ok", fields: fields, outputs: outputs, kernels: kernels,
    leaves: [.answer, .state], given: given, then: then)
}

/// A request that is refused.
func fails(
  _ errno: String, _ title: String, _ fields: Fields = [:], gives outputs: Fields = [:],
  on kernels: [Personality] = Personality.allCases, leaves: RequestCase.Traces = [],
  then: @escaping @Sendable (World, Caller.Answer) throws -> Void = { _, _ in }
) -> RequestCase {
  fails(
    errno, title, fields, gives: outputs, on: kernels, leaves: leaves, given: { _ in }, then: then)
}

/// A request that is refused after something else was done.
func fails(
  _ errno: String, _ title: String, _ fields: Fields = [:], gives outputs: Fields = [:],
  on kernels: [Personality] = Personality.allCases, leaves: RequestCase.Traces = [], given: @escaping Step,
  then: @escaping @Sendable (World, Caller.Answer) throws -> Void = { _, _ in }
) -> RequestCase {
  RequestCase(
    title: title, answer: errno, fields: fields, outputs: outputs, kernels: kernels, leaves: leaves,
    given: given, then: then)
}

/// A list of cases, one after the other.
func list(@CaseList _ cases: () -> [RequestCase]) -> [RequestCase] { cases() }

/// Collects cases; each is checked by the compiler on its own, which an array literal of hundreds is not.
@resultBuilder
enum CaseList {
  static func buildExpression(_ wanted: RequestCase) -> [RequestCase] { [wanted] }
  static func buildBlock(_ lists: [RequestCase]...) -> [RequestCase] { lists.flatMap { $0 } }
}

/// The cases of one command or test op, in one world.
struct RequestTable: Sendable {
  /// The row of `CommandTable`, or the op, by name.
  let row: String
  /// Tells tables of the same row apart.
  let variant: String
  let world: Step
  /// A request that succeeds there.
  let good: Fields
  /// What a struct that can be read and not written does to `good`.
  let whenReadOnly: WriteBack
  /// No earlier release has what the world is made of.
  let since: Personality
  let cases: [RequestCase]

  enum WriteBack: Sendable {
    /// Nothing is written back, so nothing is noticed.
    case unnoticed
    /// EFAULT, and the objects are as they were.
    case undone
    /// EFAULT, and what was done stays.
    case kept
  }

  init(
    _ row: String, _ variant: String = "", in world: @escaping Step = World.empty, good: Fields,
    whenReadOnly: WriteBack, _ cases: [RequestCase], on since: Personality = .v6_12
  ) {
    self.row = row
    self.variant = variant
    self.world = world
    self.good = good
    self.whenReadOnly = whenReadOnly
    self.cases = cases
    self.since = since
  }

  /// Whether the cases can be tried on a kernel.
  func runs(on kernel: Personality) -> Bool { exists(on: kernel) && kernel.version >= since.version }

  func exists(on kernel: Personality) -> Bool {
    if let op = SelftestOp.named(row) { return op.exists(in: kernel.version) }
    return CommandTable.row(named: row)?.exists(in: kernel.version) ?? false
  }

  /// The size of the struct that `kernel` knows, and the least it takes; nil for a request without one, and
  /// for VFIO's, whose size means something else.
  func sizes(on kernel: Personality) -> (minimum: Int, full: Int)? {
    if SelftestOp.named(row) != nil { return (68, 72) }
    guard let row = CommandTable.row(named: row), row.family == .iommufd else { return nil }
    return (row.minimumSize, row.fullSize(kernel.version))
  }

  var name: String { variant.isEmpty ? row : "\(row) \(variant)" }
}
