// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

/// What a bench knows, as text.
public enum FactText {
  /// Indented lines, for `show`. Records and lists of records take a line for each member, plain values one.
  public static func text(_ fact: Fact) -> String {
    var result = ""
    put(fact, indent: 0, into: &result)
    return result
  }

  /// One line, for messages; cut where it gets long.
  public static func line(_ fact: Fact, limit: Int = 200) -> String {
    let text = compact(fact)
    guard text.utf8.count > limit else { return text }
    return String(text.prefix(limit)) + "..."
  }

  private static func isPlain(_ fact: Fact) -> Bool {
    switch fact {
    case .record: false
    case .list(let items): items.allSatisfy { if case .record = $0 { false } else { isPlain($0) } }
    default: true
    }
  }

  private static func put(_ fact: Fact, indent: Int, into result: inout String) {
    let margin = String(repeating: " ", count: indent)
    switch fact {
    case .record(let members):
      for member in members {
        if isPlain(member.value) {
          result += "\(margin)\(member.name): \(compact(member.value))\n"
        } else {
          result += "\(margin)\(member.name):\n"
          put(member.value, indent: indent + 2, into: &result)
        }
      }
    case .list(let items):
      for item in items {
        if case .record(let members) = item, members.allSatisfy({ isPlain($0.value) }) {
          result += "\(margin)- \(compact(item))\n"
        } else {
          result += "\(margin)-\n"
          put(item, indent: indent + 2, into: &result)
        }
      }
    default: result += "\(margin)\(compact(fact))\n"
    }
  }

  private static func compact(_ fact: Fact) -> String {
    switch fact {
    case .number(let value): String(value)
    case .hex(let value): "0x" + String(value, radix: 16)
    case .text(let value): value
    case .id(let value): String(value)
    case .flag(let value): value ? "yes" : "no"
    case .range(let first, let last): "0x\(String(first, radix: 16))...0x\(String(last, radix: 16))"
    case .list(let items):
      items.isEmpty ? "none" : "[" + items.map { compact($0) }.joined(separator: ", ") + "]"
    case .record(let members):
      "{" + members.map { "\($0.name)=\(compact($0.value))" }.joined(separator: ", ") + "}"
    case .none: "none"
    }
  }

  /// Whether two lists of facts say the same.
  public static func same(_ a: [Fact], _ b: [Fact]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
  }

  /// Whether two facts say the same.
  public static func same(_ a: Fact, _ b: Fact) -> Bool {
    switch (a, b) {
    case (.number(let a), .number(let b)), (.hex(let a), .hex(let b)): a == b
    case (.text(let a), .text(let b)): a == b
    case (.id(let a), .id(let b)): a == b
    case (.flag(let a), .flag(let b)): a == b
    case (.range(let a, let b), .range(let c, let d)): a == c && b == d
    case (.list(let a), .list(let b)): same(a, b)
    case (.record(let a), .record(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.name == $1.name && same($0.value, $1.value) }
    case (.none, .none): true
    default: false
    }
  }

  /// Where two facts differ, as paths with both values: `objects[0].areas: 2 became 1`.
  public static func difference(_ a: Fact, _ b: Fact, at path: String = "") -> [String] {
    if same(a, b) { return [] }
    switch (a, b) {
    case (.record(let before), .record(let after)) where before.map({ $0.name }) == after.map({ $0.name }):
      return zip(before, after).flatMap { old, new in
        difference(old.value, new.value, at: path.isEmpty ? old.name : "\(path).\(old.name)")
      }
    case (.list(let before), .list(let after)) where before.count == after.count:
      return zip(before, after).enumerated().flatMap { index, pair in
        difference(pair.0, pair.1, at: "\(path)[\(index)]")
      }
    case (.list(let before), .list(let after)):
      return ["\(path).count: \(before.count) became \(after.count)"]
    default: return ["\(path): \(line(a, limit: 60)) became \(line(b, limit: 60))"]
    }
  }
}
