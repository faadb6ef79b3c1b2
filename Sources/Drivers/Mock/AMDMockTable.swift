// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// The mock's page table since 6.19: AMD's v1 format with items of 2 KiB, and its oddities.
///
/// A leaf may be any power of two; one that is larger than an item repeats the item over all the slots that
/// it covers, with its size as a run of ones in the low address bits. Each slot has a dirty bit of its own;
/// the leaf is dirty if one of them is.
/// Source: `drivers/iommu/generic_pt/iommu_pt.h`, `fmt/amdv1.h`, `iommufd/selftest.c`; reference
/// devices-hwpt-viommu.md sections 7.2 and 7.3.
final class AMDMockTable: MockTree, MockTable, @unchecked Sendable {
  private enum Leafs {
    /// The level of a leaf that covers several items.
    static let several: UInt64 = 7 << Item.levelShift
    static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
    static let read: UInt64 = 1 << 61
    static let write: UInt64 = 1 << 62
  }

  let aperture: Span64
  let pageSizes: UInt64

  init(_ failures: FailurePoints, aperture: Span64, pageSizes: UInt64) {
    self.aperture = aperture
    self.pageSizes = pageSizes
    super.init(failures)
  }

  // MARK: Items

  /// How many slots a leaf covers, as a power of two.
  @inline(__always)
  private static func slotsLg2(_ item: UInt64, _ level: Int) -> UInt64 {
    guard item & Item.levelMask == Leafs.several else { return 0 }
    return UInt64((~(item >> itemLg2(level))).trailingZeroBitCount)
  }

  private static func physical(_ item: UInt64, sizeLg2: UInt64) -> UInt64 {
    let address = (item & Leafs.addressMask) >> 1
    return address & ~((1 << sizeLg2) - 1)
  }

  @inline(__always)
  private static func leaf(_ physical: UInt64, sizeLg2: UInt64, level: Int, attributes: UInt64) -> UInt64 {
    var item = Item.present | attributes | physical << 1
    if sizeLg2 != itemLg2(level) { item |= Leafs.several | ((1 << (sizeLg2 - granuleLg2 - 1)) - 1) << 12 }
    return item
  }

  // MARK: Map

  /// The largest leaf that may begin here, as a power of two; 0 for none. `pt_compute_best_pgsize`.
  @inline(__always)
  private func bestSizeLg2(_ iova: UInt64, _ physical: UInt64, _ length: UInt64) -> UInt64 {
    let fits = UInt64(1) << UInt64(63 - length.leadingZeroBitCount)
    let largest = UInt64((iova | physical | fits).trailingZeroBitCount)
    let sizes = pageSizes & ((2 << largest) &- 1)
    return sizes == 0 ? 0 : UInt64(63 - sizes.leadingZeroBitCount)
  }

  func map(_ iova: UInt64, to physical: UInt64, length: UInt64, protection: Protection) throws(Errno) {
    guard !protection.isDisjoint(with: [.read, .write]) else {
      throw .EINVAL("a mapping needs a permission", UInt64(protection.rawValue))
    }
    guard physical >> 51 == 0 else { throw .ERANGE("the physical address is too wide", physical) }
    guard length > 0 else { throw .EINVAL("length is 0") }
    let (last, wraps) = iova.addingReportingOverflow(length - 1)
    guard !wraps else { throw .EOVERFLOW("iova + length wraps", iova, length) }
    // The kernel never returns from this one; see the reference, Q20.
    guard length & ((1 << Self.granuleLg2) - 1) == 0 else {
      throw .EINVAL("the length is not a multiple of the smallest leaf", length, 1 << Self.granuleLg2)
    }
    guard bestSizeLg2(iova, physical, length) != 0 else {
      throw .ENXIO("no leaf size suits the addresses", iova, physical)
    }
    guard last >> Self.addressBits == 0 else { throw .ERANGE("the IOVA is too wide for the table", last) }

    var attributes: UInt64 = 0
    if protection.contains(.read) { attributes |= Leafs.read }
    if protection.contains(.write) { attributes |= Leafs.write }
    var done: UInt64 = 0
    while done < length {
      do throws(Errno) {
        done += try install(iova &+ done, physical &+ done, length &- done, attributes)
      } catch {
        if done > 0 { _ = unmap(iova, length: done) }
        throw error
      }
    }
  }

  /// Installs leaves of one size, as many as can follow each other in one table; returns the bytes. What a
  /// failing call installed before is taken out again.
  @inline(__always)
  private func install(_ iova: UInt64, _ physical: UInt64, _ length: UInt64, _ attributes: UInt64)
    throws(Errno) -> UInt64
  {
    let sizeLg2 = bestSizeLg2(iova, physical, length)
    guard sizeLg2 != 0 else { throw .EINVAL("no leaf size suits the rest", iova, length) }
    let level = sizeLg2 < Self.itemLg2(1) ? 0 : sizeLg2 < Self.itemLg2(2) ? 1 : 2
    let slots = 1 << Int(sizeLg2 - Self.itemLg2(level))
    let table = try make(iova, level: level)

    // Up to where the next larger size could take over.
    var span = length
    let larger = pageSizes & ~((2 << sizeLg2) &- 1)
    if larger != 0 {
      let next = UInt64(1) << UInt64(larger.trailingZeroBitCount)
      if (iova ^ physical) & (next - 1) == 0 { span = min(span, next - iova & (next - 1)) }
    }
    let index = Self.index(iova, level)
    let count = min(Int(span >> sizeLg2), (Self.items - index) / slots)
    var slot = table + index
    let end = slot + count * slots
    var item = Self.leaf(physical, sizeLg2: sizeLg2, level: level, attributes: attributes)
    while slot < end {
      let next = slot + slots
      guard clear(slot, upTo: next) else {
        let done = UInt64(slot - (table + index)) << Self.itemLg2(level)
        if done > 0 { _ = unmap(iova, length: done) }
        throw .EADDRINUSE("the IOVA is mapped", iova &+ done)
      }
      while slot < next {
        slot.pointee.store(item, ordering: .relaxed)
        slot += 1
      }
      // The address field holds half the address, one bit up.
      item &+= 2 << sizeLg2
    }
    return UInt64(count) << sizeLg2
  }

  /// Takes empty tables out of some slots; returns whether they had nothing else.
  @inline(__always)
  private func clear(_ first: Table, upTo end: Table) -> Bool {
    var slot = first
    while slot < end {
      let item = slot.pointee.load(ordering: .relaxed)
      if item != 0 {
        guard let child = Self.child(item), isEmpty(child) else { return false }
        unlink(slot, 0)
      }
      slot += 1
    }
    return true
  }

  // MARK: Unmap

  func unmap(_ iova: UInt64, length: UInt64) -> UInt64 {
    guard let span = Span64(first: iova, length: length), span.last >> Self.addressBits == 0 else { return 0 }
    var unmapped: UInt64 = 0
    _ = unmap(root, Self.topLevel, span, &unmapped)
    return unmapped
  }

  /// - Returns: whether the walk may go on: false after the first hole, or at a leaf that begins before it.
  private func unmap(_ table: Table, _ level: Int, _ span: Span64, _ unmapped: inout UInt64) -> Bool {
    let itemLg2 = Self.itemLg2(level)
    let below = (UInt64(1) << itemLg2) - 1
    let base = span.first & ~(below << 9 | 511)
    var index = Self.index(span.first, level)
    let end = Self.index(span.last, level)
    while index <= end {
      let item = table[index].load(ordering: .acquiring)
      guard item & Item.present != 0 else { return false }
      let start = base | UInt64(index) << itemLg2
      if let child = Self.child(item) {
        let inside = Span64(max(span.first, start), min(span.last, start | below))
        guard unmap(child, level - 1, inside, &unmapped) else { return false }
        if inside.count == below + 1 { unlink(table, index) }
        index += 1
      } else {
        let slots = 1 << Int(Self.slotsLg2(item, level))
        if max(start, span.first) & ((UInt64(slots) << itemLg2) - 1) != 0 { return false }
        var slot = table + index
        index += slots
        let end = table + index
        while slot < end {
          slot.pointee.store(0, ordering: .relaxed)
          slot += 1
        }
        unmapped += UInt64(slots) << itemLg2
      }
    }
    return true
  }

  // MARK: Looking

  /// The leaf around an IOVA.
  @inline(__always)
  private func find(_ iova: UInt64) -> (table: Table, index: Int, level: Int, item: UInt64)? {
    guard iova >> Self.addressBits == 0 else { return nil }
    var table = root
    var level = Self.topLevel
    while true {
      let index = Self.index(iova, level)
      let item = table[index].load(ordering: .acquiring)
      guard item & Item.present != 0 else { return nil }
      guard let child = Self.child(item) else { return (table, index, level, item) }
      guard level > 0 else { return nil }
      table = child
      level -= 1
    }
  }

  func translate(_ iova: UInt64) -> UInt64? {
    guard let (_, _, level, item) = find(iova) else { return nil }
    let sizeLg2 = Self.itemLg2(level) + Self.slotsLg2(item, level)
    return Self.physical(item, sizeLg2: sizeLg2) | iova & ((1 << sizeLg2) - 1)
  }

  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {
    let limit = (UInt64(1) << Self.addressBits) - 1
    guard range.first <= limit else { return }
    walk(root, Self.topLevel, Span64(range.first, min(range.last, limit))) {
      table, index, level, item, iova in
      let slotsLg2 = Self.slotsLg2(item, level)
      let sizeLg2 = Self.itemLg2(level) + slotsLg2
      var protection: Protection = []
      if item & Leafs.read != 0 { protection.insert(.read) }
      if item & Leafs.write != 0 { protection.insert(.write) }
      body(
        Leaf(
          iova: IOVA(iova & ~((1 << sizeLg2) - 1)), physical: PhysAddr(Self.physical(item, sizeLg2: sizeLg2)),
          sizeLg2: Int(sizeLg2), protection: protection,
          dirty: Self.isDirty(table, index, slotsLg2: slotsLg2)))
    }
  }

  /// Visits the leaves that meet `span`, each once: where its items are, and the first IOVA of it in `span`.
  private func walk(
    _ table: Table, _ level: Int, _ span: Span64, _ body: (Table, Int, Int, UInt64, UInt64) -> Void
  ) {
    let itemLg2 = Self.itemLg2(level)
    let below = (UInt64(1) << itemLg2) - 1
    let base = span.first & ~(below << 9 | 511)
    var index = Self.index(span.first, level)
    let end = Self.index(span.last, level)
    while index <= end {
      let item = table[index].load(ordering: .acquiring)
      let start = max(span.first, base | UInt64(index) << itemLg2)
      var slots = 1
      if let child = Self.child(item) {
        if level > 0 { walk(child, level - 1, Span64(start, min(span.last, start | below)), body) }
      } else if item & Item.present != 0 {
        body(table, index, level, item, start)
        slots = 1 << Int(min(9, Self.slotsLg2(item, level)))
      }
      index = (index + slots) & ~(slots - 1)
    }
  }

  // MARK: Dirty

  private static func isDirty(_ table: Table, _ index: Int, slotsLg2: UInt64) -> Bool {
    let slots = 1 << Int(min(9, slotsLg2))
    let first = index & ~(slots - 1)
    for slot in first..<first + slots where table[slot].load(ordering: .relaxed) & Item.dirty != 0 {
      return true
    }
    return false
  }

  /// A leaf of several items reports one item less than it should, and one item alone is reported from where
  /// the range begins, past the range's end; so does the kernel (reference Q11, Q21). A range that enters a
  /// leaf at its last item reports nothing of it, where the kernel hangs.
  func readDirty(
    _ iova: UInt64, length: UInt64, clearing: Bool, isTracking: Bool, report: ((IOVA, UInt64) -> Void)?
  ) throws(Errno) {
    guard let span = Span64(first: iova, length: length), span.last >> Self.addressBits == 0 else {
      throw .ERANGE("the range is too wide for the table", iova, length)
    }
    walk(root, Self.topLevel, span) { table, index, level, item, first in
      let slotsLg2 = Self.slotsLg2(item, level)
      guard Self.isDirty(table, index, slotsLg2: slotsLg2) else { return }
      let itemLg2 = Self.itemLg2(level)
      var length = UInt64(1) << itemLg2
      let slots = 1 << Int(min(9, slotsLg2))
      if slots > 1 {
        // The slot after the last that the range has in this table.
        let inTable = (first ^ span.last) >> (itemLg2 + 9) == 0
        let end = inTable ? Self.index(span.last, level) + 1 : Self.items
        length = UInt64(min(index | (slots - 1), end) - index) << itemLg2
      }
      if length > 0 { report?(IOVA(first), length) }
      guard clearing else { return }
      let begin = index & ~(slots - 1)
      for slot in begin..<begin + slots { table[slot].bitwiseAnd(~Item.dirty, ordering: .relaxed) }
    }
  }

  func markDirty(_ iova: UInt64, pageSize: UInt64) -> Bool {
    guard let (table, index, _, item) = find(iova) else { return true }
    // Lost to a concurrent change is as good as written before it.
    _ = table[index].compareExchange(expected: item, desired: item | Item.dirty, ordering: .relaxed)
    return true
  }
}
