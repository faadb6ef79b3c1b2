// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Views

/// A walk as text: a line for each structure that it looked at, and how it ended.
///
///     context entry    at 0x3010  0x0000000000004001 0x0000000000000302  present=1 ...
///     stage 2 level 3  at 0x4000  0x0000000000005003                     ...
///     translated to 0x7000, 4 KiB page, rw
enum WalkText {
  static func text(_ fact: Fact) -> String {
    guard case .list(let steps)? = fact["steps"] else { return "" }
    var rows: [(structure: String, place: String, words: String, fields: String)] = []
    for step in steps {
      guard case .record(let members) = step else { continue }
      var row = (structure: "", place: "", words: "", fields: "")
      var fields: [String] = []
      for member in members {
        switch (member.name, member.value) {
        case ("structure", .text(let name)): row.structure = name
        case ("at", let value): row.place = "at " + FactText.line(value)
        case ("words", .list(let words)):
          row.words = words.map { hex16($0.number ?? 0) }.joined(separator: " ")
          if words.isEmpty { row.words = "(no memory)" }
        default: fields.append("\(member.name)=\(FactText.line(member.value))")
        }
      }
      row.fields = fields.joined(separator: " ")
      rows.append(row)
    }
    let structure = rows.map(\.structure.count).max() ?? 0
    let place = rows.map(\.place.count).max() ?? 0
    var text = ""
    for row in rows {
      text += "  \(padded(row.structure, structure))  \(padded(row.place, place))  \(row.words)"
      text += row.fields.isEmpty ? "\n" : "  \(row.fields)\n"
    }
    return text + "  \(ending(fact))\n"
  }

  private static func ending(_ fact: Fact) -> String {
    switch fact["result"] {
    case .text("translated")?:
      let rights =
        (fact["readable"]?.number == 1 ? "r" : "-") + (fact["writable"]?.number == 1 ? "w" : "-")
      return
        "translated to \(FactText.line(fact["address"] ?? .none)), \(size(fact["size"]?.number ?? 0)), \(rights)"
    case .text("fault")?:
      return "fault \(FactText.line(fact["code"] ?? .none)): \(FactText.line(fact["name"] ?? .none))"
    default: return "held"
    }
  }

  private static func size(_ bytes: UInt64) -> String {
    for (shift, unit) in [(UInt64(30), "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 1 << shift {
      return "\(bytes >> shift) \(unit)"
    }
    return "\(bytes) bytes"
  }

  private static func hex16(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 16 - text.utf8.count)) + text
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
