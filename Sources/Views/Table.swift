// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

/// Rows and columns: what most views are, before anybody has decided how they look.
public struct Table: Sendable {
  /// What a row of these is called: `area`.
  public let noun: String
  /// Names of the columns, in lower case: they are the members in JSON.
  public let columns: [String]
  /// As many facts in each as there are columns.
  public internal(set) var rows: [[Fact]] = []
  /// What holds for all of it, below the rows.
  public var remark: String?

  init(_ noun: String, _ columns: [String]) {
    self.noun = noun
    self.columns = columns
  }

  mutating func add(_ row: Fact...) {
    precondition(row.count == columns.count, "a row of a view has another number of columns than its table")
    rows.append(row)
  }

  /// As a fact: a list of records.
  public var fact: Fact {
    .list(rows.map { row in .record(zip(columns, row).map { ($0, $1) }) })
  }

  /// Aligned columns under their names; numbers to the right.
  public var text: String {
    let texts = rows.map { $0.map(Self.cell) }
    let heads = columns.map { $0.uppercased() }
    let widths = heads.indices.map { column in
      max(heads[column].count, texts.map { $0[column].count }.max() ?? 0)
    }
    let isNumeric = heads.indices.map { column in
      !rows.isEmpty
        && rows.allSatisfy {
          switch $0[column] {
          case .number, .hex, .id, .none: true
          default: false
          }
        }
    }
    func line(_ cells: [String]) -> String {
      var line = ""
      for (column, cell) in cells.enumerated() {
        let space = String(repeating: " ", count: widths[column] - cell.count)
        line += (column == 0 ? "" : "  ") + (isNumeric[column] ? space + cell : cell + space)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }
    var text = rows.isEmpty ? "no \(noun)\n" : line(heads) + texts.map(line).joined()
    if let remark { text += remark + "\n" }
    return text
  }

  /// A block of `name: value` lines for each row.
  public var tree: String {
    if rows.isEmpty { return text }
    return FactText.text(fact) + (remark.map { $0 + "\n" } ?? "")
  }

  private static func cell(_ fact: Fact) -> String {
    switch fact {
    case .none: "-"
    case .list(let items): items.isEmpty ? "-" : items.map(cell).joined(separator: " ")
    default: FactText.line(fact, limit: 2000)
    }
  }
}
