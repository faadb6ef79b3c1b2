// SPDX-License-Identifier: GPL-3.0-or-later

/// A line of ASCII text that is made from words and numbers, and used again for the next one.
///
/// Answers are a third of what replaying a small program costs when they are made with strings.
struct AnswerLine {
  private var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(256) }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  mutating func add(_ word: StaticString) {
    word.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ word: String) { bytes.append(contentsOf: word.utf8) }

  mutating func addDecimal(_ number: Int) {
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    add(number.magnitude, base: 10)
  }

  mutating func addHexadecimal(_ number: UInt64) { add(UInt(number), base: 16) }

  /// Both digits of a byte.
  mutating func addHexadecimal(byte: UInt8) {
    bytes.append(Self.digit(UInt(byte >> 4)))
    bytes.append(Self.digit(UInt(byte & 15)))
  }

  private mutating func add(_ number: UInt, base: UInt) {
    var unit: UInt = 1
    while number / unit >= base { unit *= base }
    while unit > 0 {
      bytes.append(Self.digit(number / unit % base))
      unit /= base
    }
  }

  private static func digit(_ value: UInt) -> UInt8 {
    UInt8(value < 10 ? value + 0x30 : value + 0x57)
  }
}
