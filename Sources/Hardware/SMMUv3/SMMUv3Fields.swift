// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension UInt64 {
  @inline(__always)
  subscript(_ field: SMMU.Field) -> UInt64 {
    get { (self >> UInt64(field.low)) & ((1 << UInt64(field.width)) &- 1) }
    set {
      let mask: UInt64 = ((1 << UInt64(field.width)) &- 1) << UInt64(field.low)
      self = (self & ~mask) | (newValue << UInt64(field.low) & mask)
    }
  }
}

extension UInt32 {
  @inline(__always)
  subscript(_ field: SMMU.Field) -> UInt32 {
    get { UInt32(truncatingIfNeeded: UInt64(self)[field]) }
    set {
      var wide = UInt64(self)
      wide[field] = UInt64(newValue)
      self = UInt32(truncatingIfNeeded: wide)
    }
  }
}

extension SMMUv3 {
  /// A structure of up to eight 64-bit words, as memory holds it.
  struct Words: BitwiseCopyable, Sendable {
    var words = InlineArray<8, UInt64>(repeating: 0)
    init() {}

    init(_ values: UInt64...) {
      for (index, value) in values.prefix(8).enumerated() { words[index] = value }
    }

    subscript(_ field: SMMU.Field) -> UInt64 {
      get { words[field.word][field] }
      set { words[field.word][field] = newValue }
    }

    func flag(_ field: SMMU.Field) -> Bool { self[field] != 0 }

    /// The first `count` words.
    func list(_ count: Int) -> [UInt64] { (0..<min(count, 8)).map { words[$0] } }
  }
}
