// SPDX-License-Identifier: GPL-3.0-or-later

/// Constants of the Arm System MMU, version 3: Arm IHI 0070, issues F.b to H.a. Structures are named as the
/// manual names them; a field is given by its 64-bit word and its bits.
public enum SMMU {
  /// Bits `high` to `low` of the 64-bit word `word` of a structure.
  public struct Field: Hashable, Sendable {
    public let word: Int
    public let low: Int
    public let width: Int

    public init(_ word: Int, _ high: Int, _ low: Int) {
      self.word = word
      self.low = low
      self.width = high - low + 1
    }

    /// A single bit.
    public init(_ word: Int, _ bit: Int) { self.init(word, bit, bit) }
  }

  /// Bits of an address that a structure can hold, 51:0.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_FFFF
  /// Widths that the codes 0 to 6 of IDR5.OAS, CD.IPS and STE.S2PS stand for; 7 is reserved and means as 6.
  /// IHI 0070, 6.3.6.
  public static let addressSizes: [UInt8] = [32, 36, 40, 42, 44, 48, 52, 52]
}
