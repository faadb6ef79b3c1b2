// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization
public import UAPI

extension FormattedTable {
  public func readDirty(
    _ iova: IOVA, length: UInt64, clearing: Bool, gather: inout TableGather,
    report: (IOVA, UInt64) -> Void
  ) throws(Errno) {
    guard Format.rules.dirty != .none else { throw .EOPNOTSUPP("the format has no dirty bits in use") }
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: iova.raw, length: length) else {
      throw .EOVERFLOW("iova + length wraps", iova.raw, length)
    }
    guard isTranslatable(span.first, span.last) else {
      let check: StaticString = "the range is too wide for the table"
      throw Format.rules.library == .arm ? .EINVAL(check, iova.raw, length) : .ERANGE(check, iova.raw, length)
    }
    guard Format.rules.dirty != .refused else { throw .EINVAL("only stage 1 tracks dirty pages") }
    var budget = self.budget
    if Format.rules.library == .arm {
      var at = span.first
      guard readDirtyInSequence(rootPlace, &at, span.last, clearing, &budget, &gather, report) else {
        throw .EINVAL("the range has a hole", at)
      }
    } else {
      visit(rootPlace, span.first, span.last, &budget) { found, place, first in
        guard isDirty(found) else { return }
        let bytes = Self.reportedLength(found, place, first, span.last)
        if bytes > 0 { report(IOVA(first), bytes) }
        guard clearing else { return }
        makeClean(found)
        if bytes > 0 { gather.add(first: first, last: first &+ (bytes - 1)) }
      }
    }
  }

  /// How much of a dirty leaf is reported from its first IOVA in the range. As in the kernel, one item is reported
  /// whole, also past the range's ends; a leaf of several items is reported up to the range's end in this table,
  /// less one item. `record_dirty`.
  private static func reportedLength(_ found: FoundLeaf, _ place: Place, _ first: UInt64, _ last: UInt64)
    -> UInt64
  {
    let itemLg2 = Format.itemLg2(found.level)
    let slots = slotCount(found)
    guard slots > 1 else { return 1 << UInt64(itemLg2) }
    let index = place.index(first)
    let isLastTable = (first ^ last) >> UInt64(itemLg2 + place.indexLg2) == 0
    let end = isLastTable ? place.index(last) + 1 : 1 << place.indexLg2
    return UInt64(min(index | (slots - 1), end) - index) << UInt64(itemLg2)
  }

  private func makeClean(_ found: FoundLeaf) {
    let first = firstSlot(found)
    for offset in 0..<Self.slotCount(found) {
      var entry = Self.load(first + offset)
      while Format.isDirty(entry), let now = Self.exchange(first + offset, entry, Format.cleanEntry(entry)) {
        entry = now
      }
    }
  }

  /// Arm's library goes from leaf to leaf, adding sizes to the address without aligning it: a range that begins
  /// inside a large leaf skips small ones after it. A hole ends it. `__arm_lpae_iopte_walk`.
  private func readDirtyInSequence(
    _ place: Place, _ at: inout UInt64, _ last: UInt64, _ clearing: Bool, _ budget: inout Int,
    _ gather: inout TableGather, _ report: (IOVA, UInt64) -> Void
  ) -> Bool {
    guard budget > 0 else { return false }
    budget -= 1
    var index = place.index(at)
    while index < 1 << place.indexLg2, at <= last {
      let slot = place.slots + index
      let entry = Self.load(slot)
      switch Format.kind(entry, place.level) {
      case .empty: return false
      case .table:
        guard place.level > 0, let next = child(entry, place.level) else { return false }
        guard readDirtyInSequence(next, &at, last, clearing, &budget, &gather, report) else { return false }
      case .leaf:
        let below = Self.below(place.level)
        if Format.isDirty(entry) {
          report(IOVA(at), below &+ 1)
          if clearing {
            gather.add(first: at, last: at &+ below)
            makeClean(
              FoundLeaf(
                slot: slot, level: place.level, entry: entry, sizeLg2: Format.itemLg2(place.level), iova: at))
          }
        }
        let (next, wraps) = at.addingReportingOverflow(below &+ 1)
        guard !wraps else { return true }
        at = next
      }
      index += 1
    }
    return true
  }
}
