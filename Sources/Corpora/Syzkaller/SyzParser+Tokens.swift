// SPDX-License-Identifier: GPL-3.0-or-later

// The tokens of a line. Each takes the blanks behind it.
//
// Source: syzkaller `prog/encoding.go`, `parser`; reference corpora.md section 1.2.

extension SyzParser {
  /// The next byte of the line, or nil at its end.
  var current: UInt8? { position < lineEnd ? bytes[position] : nil }

  var column: Int { position - lineStart + 1 }

  func problem(_ message: String) -> SyzProblem { SyzProblem(line: line, column: column, message) }

  mutating func skipBlanks() {
    while position < lineEnd, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") {
      position += 1
    }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    skipBlanks()
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(SyzProblem) {
    guard take(character) else { throw problem("expected '\(character)'") }
  }

  mutating func word(_ expected: String) throws(SyzProblem) {
    let before = position
    guard try identifier(expected) == expected else {
      position = before
      throw problem("expected \(expected)")
    }
  }

  mutating func identifier(_ expected: String) throws(SyzProblem) -> String {
    let start = position
    while position < lineEnd, Self.isIdentifier(bytes[position]) { position += 1 }
    guard position > start else { throw problem("expected \(expected)") }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    skipBlanks()
    return text
  }

  private static func isIdentifier(_ byte: UInt8) -> Bool {
    switch Unicode.Scalar(byte) {
    case "A"..."Z", "a"..."z", "0"..."9", "_", "$": true
    default: false
    }
  }

  /// An unsigned number with the prefix of its base; underscores may stand between digits.
  mutating func integer() throws(SyzProblem) -> UInt64 {
    let start = position
    while position < lineEnd, Self.isIdentifier(bytes[position]) { position += 1 }
    guard let value = Self.number(bytes[start..<position]) else {
      position = start
      throw problem("expected an integer of 64 bits")
    }
    skipBlanks()
    return value
  }

  private static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
    var digits = text
    var radix: UInt64 = 10
    // An underscore may stand behind a prefix as well.
    var hasDigit = false
    if digits.first == UInt8(ascii: "0"), digits.count > 1 {
      digits = digits.dropFirst()
      switch digits.first.map(Unicode.Scalar.init) {
      case "x", "X": radix = 16
      case "b", "B": radix = 2
      case "o", "O": radix = 8
      default: radix = 8
      }
      if radix != 8 || digits.first == UInt8(ascii: "o") || digits.first == UInt8(ascii: "O") {
        digits = digits.dropFirst()
      }
      hasDigit = true
    }
    var value: UInt64 = 0
    var endsWithDigit = false
    for byte in digits {
      if byte == UInt8(ascii: "_") {
        guard hasDigit else { return nil }
        hasDigit = false
        endsWithDigit = false
        continue
      }
      guard let digit = Unicode.Scalar(byte).hexadecimalDigit, digit < radix else { return nil }
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

extension Unicode.Scalar {
  /// The value of a hexadecimal digit of either case.
  var hexadecimalDigit: UInt64? {
    switch self {
    case "0"..."9": UInt64(value) - 0x30
    case "a"..."f": UInt64(value) - 0x57
    case "A"..."F": UInt64(value) - 0x37
    default: nil
    }
  }
}
