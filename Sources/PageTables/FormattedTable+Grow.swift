// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization

// Growing merges leaves, from the bottom up: what is below an entry first; then the entry itself, if all below it
// amounts to one leaf; then neighbours in the table, where leaves of several slots are. Leaves belong together when
// memory and attributes are contiguous; accessed and dirty state is not compared: if one is dirty, the whole
// becomes so, which reports too much and never too little.

extension FormattedTable {
  public func grow(_ iova: IOVA, length: UInt64, gather: inout TableGather) -> Int {
    guard let span = Span64(first: iova.raw, length: length), isTranslatable(span.first, span.last) else {
      return 0
    }
    var budget = self.budget
    return grow(rootPlace, span.first, span.last, &budget, &gather)
  }

  private func grow(
    _ place: Place, _ first: UInt64, _ last: UInt64, _ budget: inout Int, _ gather: inout TableGather
  ) -> Int {
    guard budget > 0 else { return 0 }
    budget -= 1
    let level = place.level
    let itemLg2 = Format.itemLg2(level)
    let below = Self.below(level)
    var merged = 0
    let (from, to) = (place.index(first), place.index(last))
    let origin = first & ~below
    if level > 0 {
      for index in from...to {
        let entry = Self.load(place.slots + index)
        guard Format.kind(entry, level) == .table, let next = child(entry, level) else { continue }
        let start = origin &+ UInt64(index - from) << UInt64(itemLg2)
        merged += grow(next, max(start, first), min(start | below, last), &budget, &gather)
      }
    }
    // The level's sizes, smaller ones first; the smallest is an item that is a table as yet.
    var sizes = geometry.pageSizes & Format.leafSizes(level)
    while sizes != 0 {
      let sizeLg2 = sizes.trailingZeroBitCount
      sizes &= sizes - 1
      let count = 1 << (sizeLg2 - itemLg2)
      guard count <= 1 << place.indexLg2 else { break }
      var index = (from + count - 1) & ~(count - 1)
      while index + count - 1 <= to {
        let start = origin &+ UInt64(index - from) << UInt64(itemLg2)
        let end = start | ((1 << UInt64(sizeLg2)) &- 1)
        if start >= first, end <= last, let whole = merge(place, index, sizeLg2) {
          replace(place, index, sizeLg2, by: whole, start, &gather)
          merged += 1
        }
        index += count
      }
    }
    return merged
  }

  /// The one leaf of 2^sizeLg2 bytes that the slots from `first` amount to; nil if they do not, or are it already.
  private func merge(_ place: Place, _ first: Int, _ sizeLg2: Int) -> Merged? {
    let itemLg2 = Format.itemLg2(place.level)
    var whole: Merged?
    for offset in 0..<1 << (sizeLg2 - itemLg2) {
      let entry = Self.load(place.slots + first + offset)
      if Format.kind(entry, place.level) == .leaf, Self.leafSizeLg2(entry, place) >= sizeLg2 { return nil }
      guard let item = item(place, first + offset, entry) else { return nil }
      if let before = whole {
        guard item.physical == before.physical &+ UInt64(offset) << UInt64(itemLg2),
          Format.used(item.bits) == Format.used(before.bits)
        else { return nil }
        whole?.bits = Format.combined(before.bits, item.bits)
      } else {
        guard item.physical & ((1 << UInt64(sizeLg2)) &- 1) == 0 else { return nil }
        whole = item
      }
    }
    return whole
  }

  /// What one slot maps, if it maps all of its item contiguously.
  private func item(_ place: Place, _ index: Int, _ entry: UInt64) -> Merged? {
    let level = place.level
    let itemLg2 = Format.itemLg2(level)
    switch Format.kind(entry, level) {
    case .empty: return nil
    case .leaf:
      let slots = 1 << (Self.leafSizeLg2(entry, place) - itemLg2)
      let inLeaf = UInt64(index & (slots - 1)) << UInt64(itemLg2)
      return Merged(
        physical: Format.leafAddress(entry, level) &+ inLeaf, bits: entry & Format.attributeMask)
    case .table:
      guard let next = child(entry, level), let first = self.item(next, 0, Self.load(next.slots)) else {
        return nil
      }
      var whole = first
      for offset in 1..<1 << next.indexLg2 {
        guard let item = self.item(next, offset, Self.load(next.slots + offset)),
          item.physical == first.physical &+ UInt64(offset) << UInt64(Format.itemLg2(next.level)),
          Format.used(item.bits) == Format.used(first.bits)
        else { return nil }
        whole.bits = Format.combined(whole.bits, item.bits)
      }
      return whole
    }
  }

  /// Puts a leaf where smaller ones were. A mark that hardware makes in them meanwhile is carried over.
  private func replace(
    _ place: Place, _ index: Int, _ sizeLg2: Int, by whole: Merged, _ start: UInt64,
    _ gather: inout TableGather
  ) {
    let level = place.level
    let end = start | ((1 << UInt64(sizeLg2)) &- 1)
    var entry = Format.leafEntry(whole.physical, sizeLg2: sizeLg2, level: level, bits: whole.bits)
    var hadTables = false
    for offset in 0..<1 << (sizeLg2 - Format.itemLg2(level)) {
      let slot = place.slots + index + offset
      let before = Self.load(slot)
      if Format.kind(before, level) == .table {
        Self.store(entry, slot)
        if let old = child(before, level) {
          let bits = state(old, whole.bits)
          if bits != whole.bits { replace(slot, by: entry & ~Format.attributeMask | bits, level: level) }
        }
        retire(before, level, &gather)
        hadTables = true
      } else {
        replace(slot, by: entry, level: level)
      }
      entry &+= Format.slotStep(level)
    }
    gather.leafLevels |= 1 << UInt8(level)
    gather.add(first: start, last: end)
    if Format.rules.library == .arm { gather.note(start, end, sizeLg2: sizeLg2, isTable: hadTables) }
  }

  /// Attribute bits with the state of every leaf below.
  private func state(_ place: Place, _ bits: UInt64) -> UInt64 {
    var bits = bits
    for index in 0..<1 << place.indexLg2 {
      let entry = Self.load(place.slots + index)
      switch Format.kind(entry, place.level) {
      case .empty: continue
      case .leaf: bits = Format.combined(bits, entry & Format.attributeMask)
      case .table: if let next = child(entry, place.level) { bits = state(next, bits) }
      }
    }
    return bits
  }
}
