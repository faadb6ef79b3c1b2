// SPDX-License-Identifier: GPL-3.0-or-later

/// Finds room for `&AUTO` pointers in the data area.
///
/// The area is divided into granules of 64 bytes. The search goes up from the end of the last find, and when the top
/// is reached everything is forgotten and it begins again. The result is what syzkaller computes, address by
/// address: the slack that the rounding leaves behind a struct is what makes a `size` that is too large succeed.
///
/// Source: syzkaller `prog/alloc.go`; reference corpora.md section 1.8.
struct SyzRoom {
  private static let granule: UInt64 = 64
  private static let count = Int(SyzLimits.areaBytes / granule)

  /// One bit a granule, as far up as any is used.
  private var used: [UInt64] = []
  private var next = 0

  /// Marks what a pointer with contents points to.
  mutating func note(_ offset: UInt64, size: UInt64) {
    guard offset < SyzLimits.areaBytes, size > 0 else { return }
    let end = min(offset &+ min(size, SyzLimits.areaBytes), SyzLimits.areaBytes)
    mark(Int(offset / Self.granule)..<Int((end &+ Self.granule &- 1) / Self.granule))
  }

  /// The offset of a free run of granules that holds `size` bytes.
  mutating func find(size: UInt64) -> UInt64 {
    let needed = Int((min(max(size, 1), SyzLimits.areaBytes) &+ Self.granule &- 1) / Self.granule)
    if let found = search(from: next, needed) { return take(found, needed) }
    used = []
    return take(0, needed)
  }

  /// The search never comes back to what lies below `next`, so that what is taken need not be marked.
  private mutating func take(_ start: Int, _ needed: Int) -> UInt64 {
    next = start + needed
    return UInt64(start) &* Self.granule
  }

  private mutating func mark(_ range: Range<Int>) {
    let words = (range.upperBound + 63) / 64
    if words > used.count { used += repeatElement(0, count: words - used.count) }
    var index = range.lowerBound
    while index < range.upperBound {
      let bit = index % 64
      let length = min(64 - bit, range.upperBound - index)
      let ones = length == 64 ? UInt64.max : (1 << UInt64(length)) - 1
      used[index / 64] |= ones << UInt64(bit)
      index += length
    }
  }

  private func search(from start: Int, _ needed: Int) -> Int? {
    var start = start
    var index = start
    while start + needed <= Self.count {
      if index == start + needed { return start }
      let word = index / 64 < used.count ? used[index / 64] >> UInt64(index % 64) : 0
      // As many granules as are free here, or else one that is not.
      if word & 1 == 0 {
        index = min(index + min(word.trailingZeroBitCount, 64 - index % 64), start + needed)
      } else {
        index += 1
        start = index
      }
    }
    return nil
  }
}
