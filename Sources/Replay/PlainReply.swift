// SPDX-License-Identifier: GPL-3.0-or-later

// Nearly all inputs pass, and a worker's line of those says three things. Reading it as the JSON that it is costs the
// parent a fifth of its time, and two workers are only as fast as their parent lets them be. So that one shape of a line
// is read by itself; any other is JSON.

/// A line that says of an input that it passed, and nothing remarkable:
/// `{"event":"input-end","index":N,"verdict":"passed","calls":N,"digest":"16 digits"}`, the digest or not.
struct PlainReply: Equatable {
  var index: UInt64
  var calls: Int
  var digest: String?

  /// Nil for any other line.
  init?(_ line: ArraySlice<UInt8>) {
    var cursor = Cursor(rest: line)
    guard cursor.skip(#"{"event":"input-end","index":"#), let index = cursor.number(),
      cursor.skip(#","verdict":"passed","calls":"#), let calls = cursor.number()
    else { return nil }
    self.index = UInt64(index)
    self.calls = calls
    if cursor.skip(#","digest":""#) {
      let digits = cursor.rest.prefix(16)
      guard digits.count == 16, digits.allSatisfy({ $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
      else { return nil }
      digest = String(decoding: digits, as: UTF8.self)
      cursor.rest = cursor.rest.dropFirst(16)
      guard cursor.skip("\"") else { return nil }
    }
    guard cursor.skip("}"), cursor.rest.isEmpty else { return nil }
  }

  private struct Cursor {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ text: StaticString) -> Bool {
      let count = text.utf8CodeUnitCount
      guard rest.count >= count else { return false }
      for place in 0..<count where rest[rest.startIndex + place] != text.utf8Start[place] { return false }
      rest = rest.dropFirst(count)
      return true
    }

    /// At most 18 digits, which any number of inputs and calls is.
    mutating func number() -> Int? {
      var number = 0
      var digits = 0
      while let byte = rest.first, byte >= 0x30, byte <= 0x39, digits < 18 {
        number = number * 10 + Int(byte - 0x30)
        digits += 1
        rest = rest.dropFirst()
      }
      return digits > 0 ? number : nil
    }
  }
}
