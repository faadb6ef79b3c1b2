// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

// The tokens of a line. Each takes the blanks behind it.
//
// Source: syzkaller `prog/encoding.go`, `parser`; reference corpora.md section 1.2.

extension SyzParser {
  /// The next byte of the line, or nil at its end.
  var current: UInt8? { position < lineEnd ? bytes[position] : nil }

  var column: Int { position - lineStart + 1 }

  func problem(_ message: String) -> SyzProblem { SyzProblem(line: line, column: column, message) }

  @inline(__always)
  mutating func skipBlanks() {
    while position < lineEnd, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") {
      position += 1
    }
  }

  @inline(__always)
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    skipBlanks()
    return true
  }

  @inline(__always)
  mutating func expect(_ character: Unicode.Scalar) throws(SyzProblem) {
    guard take(character) else { throw problem("expected '\(character)'") }
  }

  /// The word `expected`, whole.
  mutating func word(_ expected: StaticString) throws(SyzProblem) {
    let text = try span(expected)
    guard text.isEqual(to: expected) else {
      position -= text.count
      throw problem("expected \(expected)")
    }
    skipBlanks()
  }

  mutating func identifier(_ expected: StaticString) throws(SyzProblem) -> String {
    let text = try span(expected)
    skipBlanks()
    return String(decoding: text, as: UTF8.self)
  }

  /// The name of a call: of those that are known, no new string.
  mutating func callName() throws(SyzProblem) -> (name: String, number: Int32?) {
    let text = try span("a call")
    skipBlanks()
    // Variables are shorter.
    guard text.count > 3, let number = vocabulary.number(of: text) else {
      return (String(decoding: text, as: UTF8.self), nil)
    }
    return (vocabulary.rows[number].name, Int32(number))
  }

  /// The bytes of an identifier, without the blanks behind it.
  private mutating func span(_ expected: StaticString) throws(SyzProblem) -> UnsafeBufferPointer<UInt8> {
    let start = position
    while position < lineEnd, Self.isIdentifier(bytes[position]) { position += 1 }
    guard position > start else { throw problem("expected \(expected)") }
    return UnsafeBufferPointer(rebasing: bytes[start..<position])
  }

  /// A letter, a digit, `_` or `$`: a bit for each of the first 64 characters, and for each of the next.
  @inline(__always)
  private static func isIdentifier(_ byte: UInt8) -> Bool {
    let bit = UInt64(1) << UInt64(byte & 63)
    return byte < 64 ? 0x03FF_0010_0000_0000 & bit != 0 : byte < 128 && 0x07FF_FFFE_87FF_FFFE & bit != 0
  }

  /// An unsigned number with the prefix of its base; underscores may stand between digits.
  mutating func integer() throws(SyzProblem) -> UInt64 {
    let start = position
    while position < lineEnd, Self.isIdentifier(bytes[position]) { position += 1 }
    guard let value = Self.number(UnsafeBufferPointer(rebasing: bytes[start..<position])) else {
      position = start
      throw problem("expected an integer of 64 bits")
    }
    skipBlanks()
    return value
  }

  private static func number(_ text: UnsafeBufferPointer<UInt8>) -> UInt64? {
    var index = 0
    var radix: UInt64 = 10
    // An underscore may stand behind a prefix as well.
    var hasDigit = false
    if text.count > 1, text[0] == UInt8(ascii: "0") {
      index = 2
      switch text[1] {
      case UInt8(ascii: "x"), UInt8(ascii: "X"): radix = 16
      case UInt8(ascii: "b"), UInt8(ascii: "B"): radix = 2
      case UInt8(ascii: "o"), UInt8(ascii: "O"): radix = 8
      default:
        radix = 8
        index = 1
      }
      hasDigit = true
    }
    var value: UInt64 = 0
    var endsWithDigit = false
    while index < text.count {
      let byte = text[index]
      index += 1
      if byte == UInt8(ascii: "_") {
        guard hasDigit else { return nil }
        hasDigit = false
        endsWithDigit = false
        continue
      }
      guard let digit = byte.hexadecimalDigit, digit < radix else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      guard !overflow, !carry else { return nil }
      value = sum
      hasDigit = true
      endsWithDigit = true
    }
    return endsWithDigit ? value : nil
  }
}

extension UnsafeBufferPointer<UInt8> {
  @inline(__always)
  func isEqual(to text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount, let base = baseAddress else { return false }
    return memcmp(base, text.utf8Start, count) == 0
  }
}

extension UInt8 {
  /// The value of a hexadecimal digit of either case.
  var hexadecimalDigit: UInt64? {
    switch self {
    case 0x30...0x39: UInt64(self) - 0x30
    case 0x61...0x66: UInt64(self) - 0x57
    case 0x41...0x46: UInt64(self) - 0x37
    default: nil
    }
  }
}
