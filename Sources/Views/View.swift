// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

// A view is a row of data: what it is called, what it shows, and how it is made from a snapshot. The verbs `show NAME`,
// help, completion and the test that asks for a test of every view read the same rows.

/// A request that was made, for the view of requests.
public struct RequestRecord: Sendable {
  /// Number of the statement that made it.
  public let statement: Int
  /// `IOAS_MAP size=40 ... -> ok iova=0x1000`
  public let line: String

  public init(statement: Int, line: String) {
    self.statement = statement
    self.line = line
  }
}

/// What a view is made from.
public struct ViewInput: Sendable {
  public let snapshot: Snapshot
  /// The requests so far, the last ones where there were many.
  public var requests: [RequestRecord] = []

  public init(_ snapshot: Snapshot) { self.snapshot = snapshot }
}

/// Something that can be looked at.
public struct View: Sendable {
  public let name: String
  public let summary: String
  /// It tells something of a target that cannot be looked into.
  public let worksWithoutBench: Bool
  private let make: @Sendable (ViewInput) -> Table

  init(
    _ name: String, _ summary: String, withoutBench: Bool = false,
    _ make: @escaping @Sendable (ViewInput) -> Table
  ) {
    self.name = name
    self.summary = summary
    worksWithoutBench = withoutBench
    self.make = make
  }

  /// How a view is written.
  public enum Format: String, CaseIterable, Sendable {
    case table, tree, json
  }

  /// The view's rows. A target that cannot be looked into gives none, or only what the script knows, and the remark
  /// says so.
  public func table(_ input: ViewInput) -> Table {
    var table = make(input)
    if input.snapshot.everything == nil {
      if !worksWithoutBench { table.rows = [] }
      if name != "requests" { table.remark = Self.unknown }
    }
    return table
  }

  public func text(_ input: ViewInput, as format: Format = .table) -> String {
    let table = table(input)
    return switch format {
    case .table: table.text
    case .tree: table.tree
    case .json: FactJSON.text(document(table))
    }
  }

  /// The JSON document: a version, which changes when members change their meaning or go, the view's name and its rows.
  private func document(_ table: Table) -> Fact {
    .record([
      ("version", .number(1)), ("view", .text(name)), ("rows", table.fact),
      ("remark", table.remark.map(Fact.text) ?? .none),
    ])
  }

  static let unknown = "the target cannot be looked into: a real kernel tells no more"

  /// The view of this name.
  public static func named(_ name: String) -> View? { all.first { $0.name == name } }
}
