// SPDX-License-Identifier: GPL-3.0-or-later

// JSON as other programs send it: lines of reports that come back from other machines, and the messages of editors. So
// reading is strict and bounded, and never traps: what is not one whole value of RFC 8259 is nil.

/// A value of JSON.
///
/// Source: RFC 8259. Whole numbers of 64 bits are numbers, others are kept as written. Names of an object keep their
/// order; of two members of one name the first counts.
public enum JSONValue: Equatable, Sendable {
  case text(String)
  case number(Int)
  case list([JSONValue])
  case object([(name: String, value: JSONValue)])
  /// `true`, `false`, `null`, or a number that is not whole or too large, as written.
  case other(String)

  public static let null = JSONValue.other("null")

  public static func bool(_ value: Bool) -> JSONValue { .other(value ? "true" : "false") }

  public static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.text(let a), .text(let b)), (.other(let a), .other(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.list(let a), .list(let b)): a == b
    case (.object(let a), .object(let b)): a.elementsEqual(b) { $0 == $1 }
    default: false
    }
  }

  /// Nil for bytes that are not one value, whole, and for values nested more than `depth` deep.
  public init?(_ bytes: ArraySlice<UInt8>, depth: Int = 16) {
    let value = bytes.withUnsafeBufferPointer { buffer -> JSONValue? in
      var reader = Reader(buffer, deepest: depth)
      guard let value = reader.value(depth: 0) else { return nil }
      reader.skipBlanks()
      return reader.isAtEnd ? value : nil
    }
    guard let value else { return nil }
    self = value
  }

  /// A member of an object; nil where there is none.
  public subscript(_ name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  public var text: String? { if case .text(let text) = self { text } else { nil } }
  public var number: Int? { if case .number(let number) = self { number } else { nil } }
  public var items: [JSONValue]? { if case .list(let items) = self { items } else { nil } }
  public var texts: [String] { if case .list(let items) = self { items.compactMap(\.text) } else { [] } }
  public var isObject: Bool { if case .object = self { true } else { false } }

  public var bool: Bool? {
    switch self {
    case .other("true"): true
    case .other("false"): false
    default: nil
    }
  }

  /// The members of an object that are numbers.
  public var counts: [String: Int] {
    guard case .object(let members) = self else { return [:] }
    return Dictionary(members.compactMap { member in member.value.number.map { (member.name, $0) } }) {
      a, _ in a
    }
  }

  private struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    let deepest: Int
    var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, deepest: Int) {
      self.bytes = bytes
      self.deepest = deepest
    }

    var isAtEnd: Bool { position == bytes.count }
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    mutating func skipBlanks() {
      while current == 0x20 || current == 0x09 || current == 0x0A || current == 0x0D { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipBlanks()
      guard current == byte else { return false }
      position += 1
      return true
    }

    mutating func value(depth: Int) -> JSONValue? {
      skipBlanks()
      switch current {
      case UInt8(ascii: "\""): return text().map { .text($0) }
      case UInt8(ascii: "{") where depth < deepest:
        position += 1
        var members: [(name: String, value: JSONValue)] = []
        members.reserveCapacity(8)
        if take(UInt8(ascii: "}")) { return .object([]) }
        repeat {
          skipBlanks()
          guard let name = text(), take(UInt8(ascii: ":")), let value = value(depth: depth + 1) else {
            return nil
          }
          members.append((name, value))
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}")) ? .object(members) : nil
      case UInt8(ascii: "[") where depth < deepest:
        position += 1
        var items: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .list([]) }
        repeat {
          guard let value = value(depth: depth + 1) else { return nil }
          items.append(value)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? .list(items) : nil
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
      default: return word()
      }
    }

    private mutating func word() -> JSONValue? {
      let start = position
      while UInt8(ascii: "a")...UInt8(ascii: "z") ~= current { position += 1 }
      let word = String(decoding: bytes[start..<position], as: UTF8.self)
      return ["true", "false", "null"].contains(word) ? .other(word) : nil
    }

    private mutating func digits() -> Int {
      let start = position
      while UInt8(ascii: "0")...UInt8(ascii: "9") ~= current { position += 1 }
      return position - start
    }

    private mutating func number() -> JSONValue? {
      let start = position
      if current == UInt8(ascii: "-") { position += 1 }
      let hasZero = current == UInt8(ascii: "0")
      let count = digits()
      guard count > 0, !hasZero || count == 1 else { return nil }
      var isWhole = true
      if current == UInt8(ascii: ".") {
        position += 1
        isWhole = false
        guard digits() > 0 else { return nil }
      }
      if current | 0x20 == UInt8(ascii: "e") {
        position += 1
        isWhole = false
        if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
        guard digits() > 0 else { return nil }
      }
      let text = String(decoding: bytes[start..<position], as: UTF8.self)
      return isWhole ? Int(text).map { .number($0) } ?? .other(text) : .other(text)
    }

    /// A text; its bytes must be UTF-8 without control characters. Half a surrogate pair becomes U+FFFD.
    private mutating func text() -> String? {
      guard current == UInt8(ascii: "\"") else { return nil }
      position += 1
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\""),
        bytes[position] != UInt8(ascii: "\\"), bytes[position] >= 0x20
      {
        position += 1
      }
      guard position < bytes.count, bytes[position] >= 0x20 else { return nil }
      let plain = bytes[start..<position]
      if bytes[position] == UInt8(ascii: "\"") {
        position += 1
        return String(validating: plain, as: UTF8.self)
      }
      var unescaped = Array(plain)
      while position < bytes.count {
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\"") { return String(validating: unescaped, as: UTF8.self) }
        guard byte == UInt8(ascii: "\\") else {
          guard byte >= 0x20 else { return nil }
          unescaped.append(byte)
          continue
        }
        guard let escaped = escape() else { return nil }
        unescaped.append(contentsOf: UTF8.encode(escaped) ?? UTF8.encodedReplacementCharacter)
      }
      return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
      let byte = current
      position += 1
      switch byte {
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{C}"
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
      case UInt8(ascii: "u"):
        guard let unit = unit() else { return nil }
        guard unit & 0xFC00 == 0xD800 else { return Unicode.Scalar(unit) ?? "\u{FFFD}" }
        let behind = position
        guard current == UInt8(ascii: "\\"), position + 1 < bytes.count,
          bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        position += 2
        guard let low = self.unit() else { return nil }
        guard low & 0xFC00 == 0xDC00 else {
          // The second escape stands for itself.
          position = behind
          return "\u{FFFD}"
        }
        return Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF) ?? "\u{FFFD}"
      default: return nil
      }
    }

    private mutating func unit() -> UInt32? {
      guard position + 4 <= bytes.count else { return nil }
      let digits = bytes[position..<position + 4]
      guard
        digits.allSatisfy({
          UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
        })
      else { return nil }
      position += 4
      return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
  }
}
