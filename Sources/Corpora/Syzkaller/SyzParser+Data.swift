// SPDX-License-Identifier: GPL-3.0-or-later

// The three notations of bytes:
//
//     data := "'" { char | escape } "'" [ "/" int ]
//           | '"' { hexdigit hexdigit } '"' [ "/" int ]
//           | '"$' base64 '"'
//
// Source: syzkaller `prog/encoding.go`, `deserializeData`; reference corpora.md section 1.5.

extension SyzParser {
  mutating func data() throws(SyzProblem) -> SyzData {
    var data: SyzData
    if current == UInt8(ascii: "'") {
      position += 1
      data = SyzData(try text(), .text)
    } else {
      position += 1
      guard current != UInt8(ascii: "$") else {
        position += 1
        let bytes = try base64()
        skipBlanks()
        return SyzData(bytes, .compressed)
      }
      data = SyzData(try hexadecimal(), .hexadecimal)
    }
    skipBlanks()
    if take("/") { data.size = try integer() }
    return data
  }

  /// What stands up to the next `'`, which is taken.
  private mutating func text() throws(SyzProblem) -> [UInt8] {
    var result: [UInt8] = []
    while let byte = current {
      switch byte {
      case UInt8(ascii: "'"):
        position += 1
        return result
      case 0: throw problem("a zero byte is written \\x00")
      case UInt8(ascii: "\\"):
        result.append(try escape())
      default:
        result.append(byte)
        position += 1
      }
    }
    throw problem("the text has no closing quote")
  }

  /// `\n` and its kind, or `\x` and two lower-case digits.
  private mutating func escape() throws(SyzProblem) -> UInt8 {
    guard position + 1 < lineEnd else { throw problem("an escape is cut off") }
    if let byte = SyzData.byName[bytes[position + 1]] {
      position += 2
      return byte
    }
    guard bytes[position + 1] == UInt8(ascii: "x"), position + 3 < lineEnd,
      let high = Self.lowerDigit(bytes[position + 2]), let low = Self.lowerDigit(bytes[position + 3])
    else { throw problem("no such escape") }
    position += 4
    return high << 4 | low
  }

  private static func lowerDigit(_ byte: UInt8) -> UInt8? {
    guard !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte) else { return nil }
    return byte.hexadecimalDigit.map { UInt8($0) }
  }

  private mutating func hexadecimal() throws(SyzProblem) -> [UInt8] {
    var result: [UInt8] = []
    while current != UInt8(ascii: "\"") {
      guard position + 1 < lineEnd, let high = bytes[position].hexadecimalDigit,
        let low = bytes[position + 1].hexadecimalDigit
      else { throw problem("expected two hexadecimal digits or a closing quote") }
      result.append(UInt8(high << 4 | low))
      position += 2
    }
    position += 1
    return result
  }

  /// The standard alphabet, padded to fours.
  private mutating func base64() throws(SyzProblem) -> [UInt8] {
    var result: [UInt8] = []
    while current != UInt8(ascii: "\"") {
      guard position + 3 < lineEnd else {
        throw problem("expected four characters of base64 or a closing quote")
      }
      var group: UInt32 = 0
      var count = 0
      for byte in bytes[position..<position + 4] {
        if let digit = SyzBase64.digits[byte], count >= 0 {
          group = group << 6 | UInt32(digit)
          count += 1
        } else if byte == UInt8(ascii: "="), count >= 2 || count < 0 {
          group <<= 6
          // Nothing but padding can follow padding: the count turns negative.
          count = count > 0 ? -count : count
        } else {
          throw problem("expected base64")
        }
      }
      let length = abs(count) - 1
      for index in 0..<length { result.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))) }
      position += 4
      guard count == 4 || current == UInt8(ascii: "\"") else { throw problem("padding ends base64") }
    }
    position += 1
    return result
  }
}

/// The standard alphabet of base64. Source: RFC 4648, section 4.
enum SyzBase64 {
  static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  static let digits = Dictionary(uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt8($0)) })
}
