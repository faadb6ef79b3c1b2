// SPDX-License-Identifier: GPL-3.0-or-later

/// What a line of a report says, read: reports come back from other machines, and from runs that died while they wrote.
///
/// Source: RFC 8259. Numbers are whole or read as text; of two members of one name the first counts.
enum JSONValue: Equatable {
  case text(String)
  case number(Int)
  case list([JSONValue])
  case object([(name: String, value: JSONValue)])
  /// `true`, `false`, `null`, or a number that is not whole, as written.
  case other(String)

  static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.text(let a), .text(let b)), (.other(let a), .other(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.list(let a), .list(let b)): a == b
    case (.object(let a), .object(let b)): a.elementsEqual(b) { $0 == $1 }
    default: false
    }
  }

  /// Nil for bytes that are not one value, whole.
  init?(_ bytes: ArraySlice<UInt8>) {
    let value = bytes.withUnsafeBufferPointer { buffer -> JSONValue? in
      var reader = Reader(buffer)
      guard let value = reader.value(depth: 0) else { return nil }
      reader.skipBlanks()
      return reader.isAtEnd ? value : nil
    }
    guard let value else { return nil }
    self = value
  }

  subscript(_ name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var number: Int? { if case .number(let number) = self { number } else { nil } }
  var texts: [String] { if case .list(let items) = self { items.compactMap(\.text) } else { [] } }

  /// The members of an object that are numbers.
  var counts: [String: Int] {
    guard case .object(let members) = self else { return [:] }
    return Dictionary(members.compactMap { member in member.value.number.map { (member.name, $0) } }) {
      a, _ in a
    }
  }

  private struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0
    /// Deeper than any report goes.
    static let deepest = 16

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

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
      case UInt8(ascii: "{") where depth < Self.deepest:
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
      case UInt8(ascii: "[") where depth < Self.deepest:
        position += 1
        var items: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return .list([]) }
        repeat {
          guard let value = value(depth: depth + 1) else { return nil }
          items.append(value)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? .list(items) : nil
      default: return word()
      }
    }

    private mutating func word() -> JSONValue? {
      let start = position
      while position < bytes.count, Self.isOfWord(bytes[position]) { position += 1 }
      guard position > start else { return nil }
      let word = String(decoding: bytes[start..<position], as: UTF8.self)
      return Int(word).map { .number($0) } ?? .other(word)
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
      UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
    }

    private mutating func text() -> String? {
      guard current == UInt8(ascii: "\"") else { return nil }
      position += 1
      let start = position
      while position < bytes.count, bytes[position] != UInt8(ascii: "\""),
        bytes[position] != UInt8(ascii: "\\")
      {
        position += 1
      }
      guard position < bytes.count else { return nil }
      let plain = bytes[start..<position]
      if bytes[position] == UInt8(ascii: "\"") {
        position += 1
        return String(decoding: plain, as: UTF8.self)
      }
      var scalars = Array(plain)
      while position < bytes.count {
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: scalars, as: UTF8.self) }
        guard byte == UInt8(ascii: "\\") else {
          scalars.append(byte)
          continue
        }
        guard let escaped = escape() else { return nil }
        scalars += Array(String(escaped).utf8)
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
        guard current == UInt8(ascii: "\\"), position + 1 < bytes.count,
          bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        position += 2
        guard let low = self.unit() else { return nil }
        guard low & 0xFC00 == 0xDC00 else { return "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF) ?? "\u{FFFD}"
      default: return nil
      }
    }

    private mutating func unit() -> UInt32? {
      guard position + 4 <= bytes.count else { return nil }
      let digits = String(decoding: bytes[position..<position + 4], as: UTF8.self)
      guard
        digits.utf8.allSatisfy({ Self.isOfWord($0) && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") })
      else { return nil }
      position += 4
      return UInt32(digits, radix: 16)
    }
  }
}
