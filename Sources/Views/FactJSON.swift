// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

/// Facts as JSON. Members keep their order, so equal facts give equal text. Numbers that a 64-bit float does not hold
/// exactly, and every address, are strings in hexadecimal; a range is `{"first": ..., "last": ...}`.
public enum FactJSON {
  /// Indented, with a line end.
  public static func text(_ fact: Fact) -> String {
    var text = ""
    put(fact, indent: 0, into: &text)
    return text + "\n"
  }

  /// On one line.
  public static func line(_ fact: Fact) -> String {
    switch fact {
    case .list(let items): "[" + items.map(line).joined(separator: ",") + "]"
    case .record(let members):
      "{" + members.map { "\(quoted($0.name)):\(line($0.value))" }.joined(separator: ",") + "}"
    case .range(let first, let last): "{\"first\":\"\(hex(first))\",\"last\":\"\(hex(last))\"}"
    default: plain(fact)
    }
  }

  private static func put(_ fact: Fact, indent: Int, into text: inout String) {
    let compact = line(fact)
    guard compact.utf8.count > 100 - indent else {
      text += compact
      return
    }
    let margin = String(repeating: " ", count: indent + 2)
    let end = "\n" + String(repeating: " ", count: indent)
    switch fact {
    case .list(let items):
      text += "["
      for (index, item) in items.enumerated() {
        text += index == 0 ? "\n\(margin)" : ",\n\(margin)"
        put(item, indent: indent + 2, into: &text)
      }
      text += "\(end)]"
    case .record(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        text += index == 0 ? "\n\(margin)" : ",\n\(margin)"
        text += "\(quoted(member.name)): "
        put(member.value, indent: indent + 2, into: &text)
      }
      text += "\(end)}"
    default: text += compact
    }
  }

  private static func plain(_ fact: Fact) -> String {
    switch fact {
    case .number(let value): value < 1 << 53 ? String(value) : "\"\(value)\""
    case .hex(let value): "\"\(hex(value))\""
    case .id(let value): String(value)
    case .text(let value): quoted(value)
    case .flag(let value): value ? "true" : "false"
    case .none, .list, .record, .range: "null"
    }
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
