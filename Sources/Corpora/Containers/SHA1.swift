// SPDX-License-Identifier: GPL-3.0-or-later

/// The hash that corpora name their inputs by. It tells inputs apart and guards nothing.
///
/// Source: FIPS 180-4, sections 5.1.1, 5.3.1 and 6.1.2.
public enum SHA1 {
  public struct Digest: Hashable, Sendable, CustomStringConvertible {
    var words: (UInt32, UInt32, UInt32, UInt32, UInt32)

    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(words.0)
      hasher.combine(words.1)
      hasher.combine(words.2)
    }

    /// 40 hexadecimal digits in lower case, as file names and keys have them.
    public var description: String {
      var text = ""
      for word in [words.0, words.1, words.2, words.3, words.4] {
        let digits = String(word, radix: 16)
        text += String(repeating: "0", count: 8 - digits.count) + digits
      }
      return text
    }
  }

  /// The digest of `bytes`.
  public static func of(_ bytes: [UInt8]) -> Digest {
    var state: (UInt32, UInt32, UInt32, UInt32, UInt32) = (
      0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0
    )
    var schedule = [UInt32](repeating: 0, count: 80)
    let whole = bytes.count & ~63
    bytes.withUnsafeBytes { raw in
      for start in stride(from: 0, to: whole, by: 64) {
        block(UnsafeRawBufferPointer(rebasing: raw[start..<start + 64]), &schedule, &state)
      }
    }
    // What is left, a one bit, zeros, and the number of bits.
    var tail = Array(bytes[whole...])
    tail.append(0x80)
    while tail.count % 64 != 56 { tail.append(0) }
    let bits = UInt64(bytes.count) << 3
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      tail.append(UInt8(truncatingIfNeeded: bits >> shift))
    }
    tail.withUnsafeBytes { raw in
      for start in stride(from: 0, to: raw.count, by: 64) {
        block(UnsafeRawBufferPointer(rebasing: raw[start..<start + 64]), &schedule, &state)
      }
    }
    return Digest(words: state)
  }

  private static func block(
    _ raw: UnsafeRawBufferPointer, _ schedule: inout [UInt32],
    _ state: inout (UInt32, UInt32, UInt32, UInt32, UInt32)
  ) {
    for index in 0..<16 {
      schedule[index] = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
    }
    for index in 16..<80 {
      let word = schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14] ^ schedule[index - 16]
      schedule[index] = rotate(word, 1)
    }
    var (a, b, c, d, e) = state
    for index in 0..<80 {
      let (mixed, constant): (UInt32, UInt32)
      switch index {
      case 0..<20: (mixed, constant) = ((b & c) ^ (~b & d), 0x5A82_7999)
      case 20..<40: (mixed, constant) = (b ^ c ^ d, 0x6ED9_EBA1)
      case 40..<60: (mixed, constant) = ((b & c) ^ (b & d) ^ (c & d), 0x8F1B_BCDC)
      default: (mixed, constant) = (b ^ c ^ d, 0xCA62_C1D6)
      }
      let next = rotate(a, 5) &+ mixed &+ e &+ constant &+ schedule[index]
      (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
    }
    state.0 &+= a
    state.1 &+= b
    state.2 &+= c
    state.3 &+= d
    state.4 &+= e
  }

  private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
