// SPDX-License-Identifier: GPL-3.0-or-later

/// A Huffman code of a DEFLATE stream, made from the lengths of its words.
///
/// Words of up to nine bits are one look into a table; the rare longer ones are found by length, since the words of
/// one length are consecutive numbers. So making a code costs the same whatever a stream says of it.
///
/// Source: RFC 1951, section 3.2.2.
struct PrefixCode {
  static let longest = 15
  static let fastBits = 9

  /// By the next nine bits: the symbol times 16 and its length; 0 where the word is longer or there is none.
  private(set) var fast = [UInt16](repeating: 0, count: 1 << fastBits)
  /// Symbols by length, then by number.
  private var symbols: [UInt16] = []
  /// By length: the first word, how many there are, and where their symbols begin.
  private var first = [Int](repeating: 0, count: longest + 1)
  private var count = [Int](repeating: 0, count: longest + 1)
  private var start = [Int](repeating: 0, count: longest + 1)

  /// Nil where the lengths are not those of a code: more words than there is room for, or room left over. A code of a
  /// single word of one bit has room left over and is allowed, and so is one without words.
  init?(lengths: ArraySlice<UInt8>) {
    for length in lengths where length > 0 { count[Int(length)] += 1 }
    var room = 1
    var word = 0
    var total = 0
    for length in 1...Self.longest {
      room = room * 2 - count[length]
      guard room >= 0 else { return nil }
      word = (word + count[length - 1]) * 2
      first[length] = word
      start[length] = total
      total += count[length]
    }
    guard room == 0 || total == 0 || total == 1 && count[1] == 1 else { return nil }
    symbols = [UInt16](repeating: 0, count: total)
    var next = start
    for (symbol, length) in lengths.enumerated() where length > 0 {
      let length = Int(length)
      let index = next[length]
      next[length] += 1
      symbols[index] = UInt16(symbol)
      guard length <= Self.fastBits else { continue }
      // Words are sent with their highest bit first, all else with its lowest.
      var reversed = 0
      let word = first[length] + index - start[length]
      for bit in 0..<length where word & 1 << bit != 0 { reversed |= 1 << (length - 1 - bit) }
      for place in stride(from: reversed, to: 1 << Self.fastBits, by: 1 << length) {
        fast[place] = UInt16(symbol << 4 | length)
      }
    }
  }

  /// The symbol of the word that the lowest bits of `bits` begin with, and its length; nil where there is none.
  func slow(_ bits: UInt64) -> (symbol: Int, length: Int)? {
    var word = 0
    for length in 1...Self.longest {
      word = word << 1 | Int(bits >> UInt64(length - 1) & 1)
      let index = word - first[length]
      if index >= 0 && index < count[length] { return (Int(symbols[start[length] + index]), length) }
    }
    return nil
  }
}
