// SPDX-License-Identifier: GPL-3.0-or-later

/// The bytes of a buffer, in one of three notations.
///
/// Source: syzkaller `prog/encoding.go`, `serializeData`; reference corpora.md section 1.5.
public struct SyzData: Sendable, Equatable {
  public var bytes: [UInt8]
  public var notation: Notation
  /// The size of the buffer where that is not the number of bytes: zeroes follow, or bytes are cut.
  public var size: UInt64?

  public enum Notation: Sendable, Equatable {
    /// `'text\x00'`.
    case text
    /// `"00ff"`.
    case hexadecimal
    /// `"$eJw..."`: a zlib stream, which stays as it is until a call inflates it. Never has a size.
    case compressed
  }

  public init(_ bytes: [UInt8], _ notation: Notation, size: UInt64? = nil) {
    self.bytes = bytes
    self.notation = notation
    self.size = notation == .compressed ? nil : size
  }

  /// The notation that syzkaller gives to these bytes: text where all of them are readable, hexadecimal otherwise.
  public init(_ bytes: [UInt8], size: UInt64? = nil) {
    let isReadable =
      !bytes.isEmpty && bytes.allSatisfy { (0x20...0x7E).contains($0) || Self.named[$0] != nil || $0 == 0 }
    self.init(bytes, isReadable ? .text : .hexadecimal, size: size)
  }

  /// Bytes that have a name of one letter behind a backslash.
  static let named: [UInt8: UInt8] = [
    0x07: UInt8(ascii: "a"), 0x08: UInt8(ascii: "b"), 0x0C: UInt8(ascii: "f"), 0x0A: UInt8(ascii: "n"),
    0x0D: UInt8(ascii: "r"), 0x09: UInt8(ascii: "t"), 0x0B: UInt8(ascii: "v"), 0x27: UInt8(ascii: "'"),
    0x22: UInt8(ascii: "\""), 0x5C: UInt8(ascii: "\\"),
  ]
  /// The byte behind each of those names.
  static let byName = Dictionary(uniqueKeysWithValues: named.map { ($0.value, $0.key) })
}
