// SPDX-License-Identifier: GPL-3.0-or-later

/// Reads one scalar of UTF-8 at a time, by the table of well-formed sequences of the Unicode standard
/// (no surrogates, no overlong forms, nothing above U+10FFFF).
enum UTF8Reader {
  /// One step: the scalar and how many bytes it took; `scalar` is nil where the bytes are not UTF-8, and
  /// then `length` is 1.
  struct Step {
    var scalar: UInt32?
    var length: Int
  }

  /// Reads at `index`, which must be less than `end`; reads nothing at or beyond `end`.
  static func step<Bytes: RandomAccessCollection>(_ bytes: Bytes, at index: Int, end: Int) -> Step
  where Bytes.Element == UInt8, Bytes.Index == Int {
    let first = bytes[index]
    if first < 0x80 { return Step(scalar: UInt32(first), length: 1) }
    let length: Int
    var low: UInt8 = 0x80
    var high: UInt8 = 0xBF
    switch first {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if first == 0xE0 { low = 0xA0 }
      if first == 0xED { high = 0x9F }
    case 0xF0...0xF4:
      length = 4
      if first == 0xF0 { low = 0x90 }
      if first == 0xF4 { high = 0x8F }
    default: return Step(scalar: nil, length: 1)
    }
    guard index + length <= end else { return Step(scalar: nil, length: 1) }
    var scalar = UInt32(first) & (0x7F >> UInt32(length))
    for offset in 1..<length {
      let byte = bytes[index + offset]
      guard byte >= low && byte <= high else { return Step(scalar: nil, length: 1) }
      low = 0x80
      high = 0xBF
      scalar = scalar << 6 | UInt32(byte & 0x3F)
    }
    return Step(scalar: scalar, length: length)
  }
}
