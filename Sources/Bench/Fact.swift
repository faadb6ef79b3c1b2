// SPDX-License-Identifier: GPL-3.0-or-later

/// Something known about the state behind the waist, as plain data: a tree that `show` prints and `expect`
/// walks, without either knowing the model.
public indirect enum Fact: Sendable {
  case number(UInt64)
  /// A number that people read in hexadecimal: an address, a mask.
  case hex(UInt64)
  case text(String)
  /// An object ID.
  case id(UInt32)
  case flag(Bool)
  /// A closed range of addresses.
  case range(first: UInt64, last: UInt64)
  case list([Fact])
  case record([(name: String, value: Fact)])
  /// Nothing there.
  case none

  /// The member `name` of a record, or for a list `count`.
  public subscript(_ name: String) -> Fact? {
    switch self {
    case .record(let members): members.first { $0.name == name }?.value
    case .list(let items) where name == "count": .number(UInt64(items.count))
    default: nil
    }
  }

  /// The value as a number, where it is one.
  public var number: UInt64? {
    switch self {
    case .number(let value), .hex(let value): value
    case .id(let value): UInt64(value)
    case .flag(let value): value ? 1 : 0
    default: nil
    }
  }

  /// The items of a list; none of anything else.
  public var items: [Fact] { if case .list(let items) = self { items } else { [] } }

  /// The members of a record; none of anything else.
  public var members: [(name: String, value: Fact)] {
    if case .record(let members) = self { members } else { [] }
  }

  /// The text, where it is one.
  public var text: String? { if case .text(let text) = self { text } else { nil } }

  /// Whether it is a flag that is set.
  public var isSet: Bool { if case .flag(true) = self { true } else { false } }

  /// A record with more members at its end.
  public func adding(_ more: [(name: String, value: Fact)]) -> Fact { .record(members + more) }
}

/// A rule that the model must always obey, found broken.
public struct Violation: Sendable, CustomStringConvertible {
  /// The rule, in a sentence.
  public let invariant: String
  /// The objects and values that break it.
  public let evidence: String

  public init(_ invariant: String, _ evidence: String) {
    self.invariant = invariant
    self.evidence = evidence
  }

  public var description: String { "\(invariant): \(evidence)" }
}
