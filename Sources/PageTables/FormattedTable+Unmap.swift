// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization

extension FormattedTable {
  public func unmap(_ iova: IOVA, length: UInt64, gather: inout TableGather) -> UInt64 {
    guard let span = Span64(first: iova.raw, length: length), isTranslatable(span.first, span.last) else {
      return 0
    }
    var unmapped: UInt64 = 0
    switch Format.rules.library {
    case .generic:
      _ = clear(rootPlace, span.first, span.last, &unmapped, &gather)
      if unmapped > 0 { gather.add(first: span.first, last: span.first &+ (unmapped &- 1)) }
    case .arm:
      guard (iova.raw | length) & (smallest - 1) == 0 else { return 0 }
      _ = clearExactly(rootPlace, span.first, span.last, &unmapped, &gather)
    case .s390:
      guard (iova.raw | length) & (smallest - 1) == 0 else { return 0 }
      var budget = self.budget
      invalidate(rootPlace, span.first, span.last, &budget)
      unmapped = length
      gather.add(first: span.first, last: span.last)
    }
    return unmapped
  }

  /// Clears what is mapped in a range of one table, and unlinks the tables that the range covers. A leaf that ends
  /// after the range goes as a whole. `__unmap_range`.
  ///
  /// - Returns: whether the walk may go on: false at a hole, or at a leaf that begins before the range.
  private func clear(
    _ place: Place, _ first: UInt64, _ last: UInt64, _ unmapped: inout UInt64, _ gather: inout TableGather
  ) -> Bool {
    let level = place.level
    let below = Self.below(level)
    var index = place.index(first)
    let end = place.index(last)
    var start = first
    while index <= end {
      let slot = place.slots + index
      let entry = Self.load(slot)
      switch Format.kind(entry, level) {
      case .empty: return false
      case .table:
        guard let next = child(entry, level) else { return false }
        let itemLast = start | below
        guard clear(next, start, min(last, itemLast), &unmapped, &gather) else { return false }
        if start & below == 0, itemLast <= last { unlink(slot, entry, level, start, &gather) }
        index += 1
        start = itemLast &+ 1
      case .leaf:
        let sizeLg2 = Self.leafSizeLg2(entry, place)
        guard start & ((1 << UInt64(sizeLg2)) &- 1) == 0 else { return false }
        let slots =
          sizeLg2 == Format.itemLg2(level)
          ? clearItems(place, index, end)
          : clearSlots(slot, entry, 1 << (sizeLg2 - Format.itemLg2(level)), level)
        let bytes = UInt64(slots) << UInt64(Format.itemLg2(level))
        gather.leafLevels |= 1 << UInt8(level)
        unmapped &+= bytes
        index += slots
        start &+= bytes
      }
    }
    return true
  }

  /// Clears a leaf of several slots; returns how many.
  private func clearSlots(_ first: Slot, _ entry: UInt64, _ count: Int, _ level: Int) -> Int {
    for offset in 0..<count { Self.store(Format.clearedEntry(entry, level), first + offset) }
    return count
  }

  /// Clears the leaf at `index`, which is one item, and those like it that follow up to `end`; returns how many.
  @inline(__always)
  private func clearItems(_ place: Place, _ index: Int, _ end: Int) -> Int {
    let level = place.level
    let first = place.slots + index
    let limit = end - index + 1
    var entry = Self.load(first)
    var count = 0
    repeat {
      Self.store(Format.clearedEntry(entry, level), first + count)
      count += 1
      guard count < limit else { break }
      entry = Self.load(first + count)
    } while Format.kind(entry, level) == .leaf && Format.leafSizeLg2(entry, level) == Format.itemLg2(level)
    return count
  }

  /// The same as the IOMMU core and Arm's library do it together: by aligned blocks of the page sizes. A table
  /// that stands where a whole block is unmapped goes with everything below it, looked at or not; a leaf that is
  /// larger than what is left of the range stays, and ends the walk. `__arm_lpae_unmap`.
  private func clearExactly(
    _ place: Place, _ first: UInt64, _ last: UInt64, _ unmapped: inout UInt64, _ gather: inout TableGather
  ) -> Bool {
    let level = place.level
    let itemLg2 = Format.itemLg2(level)
    let below = Self.below(level)
    let isBlock = geometry.pageSizes & (1 << UInt64(itemLg2)) != 0
    var index = place.index(first)
    let end = place.index(last)
    // The range may end inside its last item.
    let whole = last & below == below ? end : end - 1
    var start = first
    while index <= end {
      let slot = place.slots + index
      let entry = Self.load(slot)
      let itemLast = start | below
      let isWhole = start & below == 0 && itemLast <= last
      switch Format.kind(entry, level) {
      case .empty: return false
      case .table:
        if isWhole, isBlock {
          unlink(slot, entry, level, start, &gather)
          gather.note(start, itemLast, sizeLg2: itemLg2, isTable: false)
          unmapped &+= below &+ 1
        } else {
          guard let next = child(entry, level) else { return false }
          guard clearExactly(next, start, min(last, itemLast), &unmapped, &gather) else { return false }
        }
        index += 1
        start = itemLast &+ 1
      case .leaf:
        let sizeLg2 = Self.leafSizeLg2(entry, place)
        let leafBelow = (UInt64(1) << UInt64(sizeLg2)) - 1
        guard start & leafBelow == 0, start | leafBelow <= last else { return false }
        let slots =
          sizeLg2 == itemLg2
          ? clearItems(place, index, whole) : clearSlots(slot, entry, 1 << (sizeLg2 - itemLg2), level)
        let bytes = UInt64(slots) << UInt64(itemLg2)
        gather.leafLevels |= 1 << UInt8(level)
        gather.add(first: start, last: start &+ (bytes &- 1))
        gather.note(start, start &+ (bytes &- 1), sizeLg2: sizeLg2, isTable: false)
        unmapped &+= bytes
        index += slots
        start &+= bytes
      }
    }
    return true
  }

  /// Marks every page of a range invalid. Linux would make the tables that are missing on the way, only to mark
  /// their pages invalid as they are; here a hole is passed over.
  private func invalidate(_ place: Place, _ first: UInt64, _ last: UInt64, _ budget: inout Int) {
    guard budget > 0 else { return }
    budget -= 1
    let below = Self.below(place.level)
    var start = first
    for index in place.index(first)...place.index(last) {
      let slot = place.slots + index
      let entry = Self.load(slot)
      let itemLast = min(last, start | below)
      switch Format.kind(entry, place.level) {
      case .empty: break
      case .table:
        if let next = child(entry, place.level) { invalidate(next, start, itemLast, &budget) }
      case .leaf: Self.store(Format.clearedEntry(entry, place.level), slot)
      }
      start = itemLast &+ 1
    }
  }
}
