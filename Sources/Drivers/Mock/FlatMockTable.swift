// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// The mock's page table before 6.19: an array of 2 KiB entries by IOVA. A domain made for a device with
/// HUGE_IOVA also has a size of 1 MiB, which is 512 such entries that remember to be one.
///
/// Source: `drivers/iommu/iommufd/selftest.c` of 6.12; reference devices-hwpt-viommu.md section 11.2.
final class FlatMockTable: MockTree, MockTable, @unchecked Sendable {
  private enum Entry {
    static let huge: UInt64 = 1 << 7
    static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  }

  static let pageSize = UInt64(1) << granuleLg2
  static let hugeSize = UInt64(512) * pageSize

  let aperture: Span64
  let pageSizes: UInt64
  private let failures: FailurePoints

  init(_ failures: FailurePoints, aperture: Span64, pageSizes: UInt64) {
    self.aperture = aperture
    self.pageSizes = pageSizes
    self.failures = failures
    super.init(failures)
  }

  // MARK: Map and unmap

  /// The leaf size to use next, and how many bytes of it. `iommu_pgsize`; reference io-pagetable.md 3.6.
  private func choose(_ iova: UInt64, _ physical: UInt64, _ length: UInt64) -> (
    size: UInt64, bytes: UInt64
  ) {
    let huge = Self.hugeSize
    guard pageSizes & huge != 0 else { return (Self.pageSize, length) }
    if length >= huge, (iova | physical) & (huge - 1) == 0 { return (huge, length & ~(huge - 1)) }
    guard (iova ^ physical) & (huge - 1) == 0 else { return (Self.pageSize, length) }
    let distance = huge - iova & (huge - 1)
    return (Self.pageSize, distance < length && huge <= length - distance ? distance : length)
  }

  func map(_ iova: UInt64, to physical: UInt64, length: UInt64, protection: Protection) throws(Errno) {
    guard (iova | physical | length) & (Self.pageSize - 1) == 0 else {
      throw .EINVAL("addresses or length are not multiples of the smallest leaf", iova, physical, length)
    }
    guard let span = Span64(first: iova, length: length), span.last >> Self.addressBits == 0 else {
      throw .EINVAL("the range does not fit the table", iova, length)
    }
    var done: UInt64 = 0
    while done < length {
      let (size, bytes) = choose(iova + done, physical &+ done, length - done)
      do throws(Errno) {
        try failures.pass(.domainMap, "a map call", as: .ENOENT("the mock's map was made to fail"))
        try install(iova + done, physical &+ done, bytes, isHuge: size == Self.hugeSize, &done)
      } catch {
        if done > 0 { _ = unmap(iova, length: done) }
        throw error
      }
    }
  }

  private func install(
    _ iova: UInt64, _ physical: UInt64, _ length: UInt64, isHuge: Bool, _ done: inout UInt64
  ) throws(Errno) {
    var entry = Item.present | (isHuge ? Entry.huge : 0) | (physical << 1 & Entry.addressMask)
    var position = iova
    let last = iova + length - 1
    while position <= last {
      let table = try make(position, level: 0)
      let first = Self.index(position, 0)
      let count = min(Self.items - first, Int((last - position) >> Self.granuleLg2) + 1)
      for index in first..<first + count {
        guard table[index].load(ordering: .relaxed) == 0 else {
          throw .EADDRINUSE("the IOVA is mapped", position)
        }
        table[index].store(entry, ordering: .relaxed)
        entry += Self.pageSize << 1
        done += Self.pageSize
      }
      position += UInt64(count) << Self.granuleLg2
    }
  }

  /// Whatever is there goes, and the whole range counts as unmapped.
  func unmap(_ iova: UInt64, length: UInt64) -> UInt64 {
    guard (iova | length) & (Self.pageSize - 1) == 0, let span = Span64(first: iova, length: length),
      span.last >> Self.addressBits == 0
    else { return 0 }
    forEachTable(span) { table, range, _ in
      for index in range { table[index].store(0, ordering: .relaxed) }
    }
    return length
  }

  /// Visits the tables that exist, with the slots that are in the range and the IOVA of the first slot.
  private func forEachTable(_ span: Span64, _ body: (Table, Range<Int>, UInt64) -> Void) {
    var position = span.first
    while position <= span.last {
      // Most of a table of 38 bits is not there: past it in large steps.
      guard find(position, level: 1) != nil else {
        position = (position | ((1 << Self.itemLg2(Self.topLevel)) - 1)) + 1
        continue
      }
      let end = position | (Self.hugeSize - 1)
      if let table = find(position, level: 0) {
        body(
          table, Self.index(position, 0)..<Self.index(min(end, span.last), 0) + 1,
          position & ~(Self.pageSize - 1))
      }
      position = end + 1
    }
  }

  // MARK: Looking

  private func entry(_ iova: UInt64) -> (table: Table, index: Int, value: UInt64)? {
    guard iova >> Self.addressBits == 0, let table = find(iova, level: 0) else { return nil }
    let index = Self.index(iova, 0)
    let value = table[index].load(ordering: .relaxed)
    return value == 0 ? nil : (table, index, value)
  }

  private static func physical(_ entry: UInt64) -> UInt64 { (entry & Entry.addressMask) >> 1 }

  func translate(_ iova: UInt64) -> UInt64? {
    entry(iova).map { Self.physical($0.value) | iova & (Self.pageSize - 1) }
  }

  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {
    let limit = (UInt64(1) << Self.addressBits) - 1
    guard range.first <= limit else { return }
    forEachTable(Span64(range.first, min(range.last, limit))) { table, slots, first in
      var slot = slots.lowerBound
      while slot < slots.upperBound {
        let value = table[slot].load(ordering: .relaxed)
        let iova = first + UInt64(slot - slots.lowerBound) << Self.granuleLg2
        let isHuge = value & Entry.huge != 0
        if value != 0 {
          let all = isHuge ? 0..<Self.items : slot..<slot + 1
          body(
            Leaf(
              iova: IOVA(isHuge ? iova & ~(Self.hugeSize - 1) : iova),
              physical: PhysAddr(Self.physical(table[all.lowerBound].load(ordering: .relaxed))),
              sizeLg2: isHuge ? 20 : 11, protection: [.read, .write],
              dirty: all.contains { table[$0].load(ordering: .relaxed) & Item.dirty != 0 }))
        }
        slot = isHuge ? Self.items : slot + 1
      }
    }
  }

  // MARK: Dirty

  func readDirty(
    _ iova: UInt64, length: UInt64, clearing: Bool, isTracking: Bool, report: ((IOVA, UInt64) -> Void)?
  ) throws(Errno) {
    guard isTracking || report == nil else { throw .EINVAL("dirty tracking is off") }
    let (end, wraps) = iova.addingReportingOverflow(length)
    guard !wraps, end >> Self.addressBits == 0 else { return }
    var position = iova
    while position < end {
      guard find(position, level: 0) != nil else {
        position = (position | (Self.hugeSize - 1)) + 1
        continue
      }
      guard let (table, index, value) = entry(position) else {
        position += Self.pageSize
        continue
      }
      let isHuge = value & Entry.huge != 0
      var isDirty = false
      for slot in isHuge ? 0..<Self.items : index..<index + 1
      where table[slot].load(ordering: .relaxed) & Item.dirty != 0 {
        isDirty = true
        if clearing { table[slot].bitwiseAnd(~Item.dirty, ordering: .relaxed) }
      }
      let size = isHuge ? Self.hugeSize : Self.pageSize
      if isDirty { report?(IOVA(position), size) }
      position += size
    }
  }

  /// Entries are counted in units of the caller's page size, which is right for 2 KiB alone.
  func markDirty(_ iova: UInt64, pageSize: UInt64) -> Bool {
    let (place, overflow) = (iova / pageSize).multipliedReportingOverflow(by: Self.pageSize)
    guard !overflow, let (table, index, value) = entry(place) else { return false }
    return table[index].compareExchange(expected: value, desired: value | Item.dirty, ordering: .relaxed)
      .original != 0
  }
}
