// SPDX-License-Identifier: GPL-3.0-or-later
import IOMMU
import Memory
import Seams
import Testing
import UAPI

@testable import Drivers

/// What 7.2's and 6.12's mock report as dirty, in 2 KiB units from the start of the range. The numbers were
/// observed on the kernels.
@Suite("Dirty pages of the mock IOMMU")
struct MockDirtyTests {
  private func read(
    _ table: any MockTable, _ iova: UInt64, _ length: UInt64, clearing: Bool = true, tracking: Bool = true
  ) throws -> [UInt64] {
    var units: [UInt64] = []
    try table.readDirty(iova, length: length, clearing: clearing, isTracking: tracking) { start, count in
      var position = start.raw & ~2047
      while position < start.raw + count {
        units.append((position - iova) / 2048)
        position += 2048
      }
    }
    return units
  }

  @Test(arguments: [(4096, 1), (8192, 3), (16384, 7), (65536, 31)] as [(UInt64, Int)])
  func aLeafOfSeveralItemsReportsOneLess(_ size: UInt64, _ bits: Int) throws {
    let table = MockTableTests.Format.amd.make()
    try table.map(0x100_0000, to: 0x100_0000, length: size, protection: .write)
    #expect(table.markDirty(0x100_0000 + size - 2048, pageSize: 2048))
    #expect(try read(table, 0x100_0000, size, clearing: false) == Array(0..<UInt64(bits)))
    #expect(try read(table, 0x100_0000, size) == Array(0..<UInt64(bits)))
    #expect(try read(table, 0x100_0000, size).isEmpty)
  }

  @Test func aLeafOfTwoLargeItemsReportsOne() throws {
    let table = MockTableTests.Format.amd.make()
    try table.map(0x20_0000, to: 0x20_0000, length: 0x20_0000, protection: .write)
    #expect(table.markDirty(0x3F_F000, pageSize: 2048))
    #expect(try read(table, 0x20_0000, 0x20_0000).count == 512)
  }

  @Test func readingPartOfALeafCleansAllOfIt() throws {
    let table = MockTableTests.Format.amd.make()
    try table.map(0, to: 0, length: 0x4000, protection: .write)
    #expect(table.markDirty(0x3000, pageSize: 4096))
    #expect(try read(table, 0, 0x1000) == [0, 1])
    #expect(try read(table, 0, 0x4000).isEmpty)
  }

  @Test func oneItemIsReportedPastTheEnd() throws {
    let table = MockTableTests.Format.amd.make()
    try table.map(0x10_0000, to: 0x10_0000, length: 0x10_0000, protection: .write)
    #expect(table.markDirty(0x10_0000, pageSize: 4096))
    #expect(try read(table, 0x18_0000, 4096).count == 512)
  }

  @Test func theLastItemOfALeafReportsNothing() throws {
    let table = MockTableTests.Format.amd.make()
    try table.map(0, to: 0, length: 4096, protection: .write)
    #expect(table.markDirty(0, pageSize: 2048))
    #expect(try read(table, 2048, 2048).isEmpty)
  }

  @Test func trackingMattersToTheFlatTableOnly() throws {
    let amd = MockTableTests.Format.amd.make()
    let flat = MockTableTests.Format.flat.make()
    for table in [amd, flat] {
      try table.map(0, to: 0, length: 2048, protection: .write)
      #expect(table.markDirty(0, pageSize: 2048))
    }
    #expect(try read(amd, 0, 2048, tracking: false) == [0])
    #expect(throws: Errno.EINVAL) { try read(flat, 0, 2048, tracking: false) }
    try flat.readDirty(0, length: 2048, clearing: true, isTracking: false, report: nil)
    #expect(try read(flat, 0, 2048).isEmpty)
  }

  @Test func theFlatTableReportsEntries() throws {
    let table = MockTableTests.Format.flat.make()
    try table.map(0, to: 0, length: 0x4000, protection: .write)
    #expect(table.markDirty(0x800, pageSize: 2048))
    #expect(table.markDirty(0x3000, pageSize: 2048))
    #expect(!table.markDirty(0x4000, pageSize: 2048))
    #expect(try read(table, 0, 0x800).isEmpty)
    #expect(try read(table, 0, 0x4000) == [1, 6])
    // Counted in units of another size, the entry is another one.
    #expect(table.markDirty(0x3000, pageSize: 4096))
    #expect(try read(table, 0, 0x4000) == [3])
  }

  @Test func aLargeEntryOfTheFlatTableIsReportedWhole() throws {
    let table = MockTableTests.Format.flatHuge.make()
    try table.map(0x10_0000, to: 0x10_0000, length: 0x10_0000, protection: .write)
    #expect(table.markDirty(0x12_3000, pageSize: 2048))
    #expect(try read(table, 0x10_0000, 0x10_0000).count == 512)
    #expect(try read(table, 0x10_0000, 0x10_0000).isEmpty)
  }

  @Test func unmappedPiecesCountOn72Only() throws {
    #expect(MockTableTests.Format.amd.make().markDirty(0, pageSize: 2048))
    #expect(!MockTableTests.Format.flat.make().markDirty(0, pageSize: 2048))
  }
}
