// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The driver's own reading of how the manual numbers bits.

extension UInt64 {
  subscript(_ field: SMMU.Field) -> UInt64 {
    get { self >> UInt64(field.low) & ((1 << UInt64(field.width)) &- 1) }
    set {
      let mask: UInt64 = ((1 << UInt64(field.width)) &- 1) << UInt64(field.low)
      self = self & ~mask | newValue << UInt64(field.low) & mask
    }
  }
}

extension UInt32 {
  subscript(_ field: SMMU.Field) -> UInt32 { UInt32(truncatingIfNeeded: UInt64(self)[field]) }
}

/// A stream table entry or a context descriptor: eight 64-bit words.
struct SMMUv3Entry: Hashable, Sendable {
  static let size = 8
  var words = [UInt64](repeating: 0, count: size)

  init() {}

  subscript(_ field: SMMU.Field) -> UInt64 {
    get { words[field.word][field] }
    set { words[field.word][field] = newValue }
  }

  /// All bits of the fields, as a mask.
  static func mask(_ fields: SMMU.Field...) -> SMMUv3Entry {
    var mask = SMMUv3Entry()
    for field in fields { mask[field] = .max }
    return mask
  }

  mutating func formUnion(_ other: SMMUv3Entry) {
    for index in 0..<Self.size { words[index] |= other.words[index] }
  }
}
