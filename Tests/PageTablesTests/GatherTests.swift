// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Synchronization
internal import Testing
internal import UAPI

// What calls leave for the driver to flush and free, and growth of the root.

@Suite("Gathers and roots")
struct GatherTests {
  @Test func aSpannedTableWaitsForTheFlush() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try VTdSecondStageTable(memory, .init(levels: 3))
    #expect(table.mapped(0x20_0000, 0x1000, 0x20_0000) == nil)
    #expect(table.frameCount == 3)
    var gather = TableGather()
    // Emptied, and not spanned.
    #expect(table.unmap(IOVA(0x20_0000), length: 0x1f_f000, gather: &gather) == 0x1f_f000)
    #expect(!gather.hasTables && gather.leafLevels == 1 && gather.tableLevels == 0)
    #expect(gather.range == Span64(0x20_0000, 0x3f_efff))
    #expect(table.unmap(IOVA(0x3f_f000), length: 0x1000, gather: &gather) == 0x1000)
    #expect(!gather.hasTables && table.frameCount == 3)
    gather.release()
    #expect(gather.range == nil && gather.leafLevels == 0)
    // Spanned.
    #expect(table.mapped(0x20_0000, 0x1000, 0x20_0000) == nil)
    #expect(table.unmap(IOVA(0x20_0000), length: 0x20_0000, gather: &gather) == 0x20_0000)
    #expect(gather.tableCount == 1 && gather.frameCount == 1 && gather.tableLevels == 2)
    #expect(table.frameCount == 2 && memory.allocatedFrames == 3)
    gather.release()
    #expect(memory.allocatedFrames == 2 && gather.tableCount == 0)
  }

  @Test func aLargeLeafTakesThePlaceOfAnEmptyTable() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try VTdSecondStageTable(memory, .init(levels: 3))
    #expect(table.mapped(0x20_0000, 0x1000, 0x1000) == nil)
    #expect(table.mapped(0x20_0000, 0x20_0000, 0x20_0000) == .EADDRINUSE)
    #expect(table.unmapped(0x20_0000, 0x1000) == 0x1000)
    var gather = TableGather()
    try table.map(IOVA(0x20_0000), to: PhysAddr(0x20_0000), length: 0x20_0000, readWrite, gather: &gather)
    #expect(gather.tableCount == 1 && gather.range == Span64(0x20_0000, 0x3f_ffff))
    #expect(table.leaves.map(\.sizeLg2) == [21])
    gather.release()
    #expect(memory.allocatedFrames == table.frameCount)
    #expect(table.mapped(0x21_0000, 0x1000, 0x1000) == .EADDRINUSE)
  }

  @Test func armReportsPiecesInOrder() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try ArmStage1Table4K(
      memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48))
    #expect(table.mapped(0x1f_e000, 0x3e_e000, 0x2000) == nil)
    #expect(table.mapped(0x20_0000, 0x40_0000, 0x20_0000) == nil)
    #expect(table.mapped(0x40_0000, 0x1000, 0x20_0000) == nil)
    #expect(table.mapped(0x60_0000, 0x1000, 0x1000) == nil)
    var gather = TableGather()
    #expect(table.unmap(IOVA(0x1f_e000), length: 0x40_3000, gather: &gather) == 0x40_3000)
    let pieces = gather.pieces.map {
      "\(String($0.first, radix: 16)) \($0.sizeLg2)\($0.isTable ? " table" : "")"
    }
    #expect(pieces == ["1fe000 12", "200000 21", "400000 21 table", "400000 21", "600000 12"])
    #expect(gather.pieces.map(\.last) == [0x1f_ffff, 0x3f_ffff, 0x5f_ffff, 0x5f_ffff, 0x60_0fff])
    #expect(gather.tableCount == 1)
    gather.release()
    // A block over a table drops what the table held.
    #expect(table.mapped(0x40_0000, 0x1000, 0x1000) == nil)
    #expect(table.mapped(0x40_0000, 0x40_0000, 0x20_0000) == nil)
    #expect(table.leaves.map(\.sizeLg2) == [21])
    // And a page over a block does not.
    #expect(table.mapped(0x40_1000, 0x1000, 0x1000) == .EEXIST)
    // A range that ends inside a block leaves it, also when it begins with another.
    #expect(table.mapped(0x60_0000, 0x60_0000, 0x20_0000) == nil)
    #expect(table.unmapped(0x40_0000, 0x20_1000) == 0x20_0000)
    #expect(table.leaves.map(\.iova.raw) == [0x60_0000])
    #expect(table.unmapped(0x60_0000, 0x20_0000) == 0x20_0000)
    #expect(table.mapped(0x40_0000, 0x40_0000, 0x20_0000) == nil)
    // Less than a block of it is not unmapped.
    #expect(table.unmapped(0x40_0000, 0x1000) == 0)
    #expect(table.unmapped(0x40_1000, 0x1000) == 0)
  }

  @Test func theGenericLibraryUnmapsAWholeLeafFromItsStart() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try VTdSecondStageTable(memory, .init(levels: 4))
    #expect(table.mapped(0x20_0000, 0x40_0000, 0x20_0000) == nil)
    #expect(table.unmapped(0x20_1000, 0x1000) == 0)
    #expect(table.unmapped(0x20_0000, 0x1000) == 0x20_0000)
    #expect(table.mapped(0, 0, 0x1000) == nil)
    #expect(table.mapped(0x2000, 0, 0x1000) == nil)
    #expect(table.unmapped(0, 0x3000) == 0x1000)
  }

  @Test func aRootThatGrowsIsAnnouncedOnce() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let roots = Mutex<[TableRoot]>([])
    let table = try AMDV1Table(memory, onNewRoot: { root in roots.withLock { $0.append(root) } })
    let old = table.root
    #expect(old.level == 2)
    #expect(table.mapped(0x1000, 0x1000, 0x1000) == nil)
    #expect(table.unmapped(1 << 40, 0x1000) == 0 && table.translate(IOVA(1 << 40)) == nil)
    #expect(table.mapped(1 << 46, 0x2000, 0x1000) == nil)
    #expect(table.root.level == 3)
    // B10.6: entry 0 of the new root leads to the old one, with NL 3.
    #expect(table.words(0x1000).first == 0x6000_0000_0000_0601 | old.address.raw)
    #expect(table.translate(IOVA(0x1000))?.raw == 0x1000)
    // Two levels at once are one announcement.
    #expect(table.mapped(.max & ~0xfff, 0x3000, 0x1000) == nil)
    #expect(table.root.level == 5)
    #expect(roots.withLock { $0.map(\.level) } == [3, 5])
    #expect(roots.withLock { $0.last } == table.root)
    #expect(table.leaves.map(\.iova.raw) == [0x1000, 1 << 46, .max & ~0xfff])
    // A leaf of a level above the root makes it grow, too.
    let other = try AMDV1Table(memory, .init(levels: 1))
    #expect(other.mapped(0, 0, 1 << 21) == nil)
    #expect(other.root.level == 1)
    let narrow = try AMDV1Table(memory, .init(inputLg2: 40))
    #expect(narrow.mapped(1 << 39, 0x1000, 0x1000) == nil)
    #expect(narrow.mapped(1 << 40, 0x1000, 0x1000) == .ERANGE)
  }

  @Test func aRootThatCannotGrowStays() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let failures = FailurePoints()
    let table = try AMDV1Table(memory, .init(levels: 2), failures: failures)
    let root = table.root
    for nth in 1...3 as ClosedRange<UInt64> {
      failures.arm(nth: nth)
      #expect(table.mapped(1 << 50, 0x1000, 0x1000) == .ENOMEM)
      #expect(failures.disarm() && table.root == root && table.frameCount == 1)
    }
    #expect(table.mapped(1 << 50, 0x1000, 0x1000) == nil)
    #expect(table.root.level == 4)
  }

  @Test func aGatherThatIsForgottenTraps() async {
    await #expect(processExitsWith: .failure) {
      let table = try VTdSecondStageTable(PhysicalMemory(size: 1 << 27), .init(levels: 3))
      _ = table.mapped(0x20_0000, 0x1000, 0x20_0000)
      var gather = TableGather()
      _ = table.unmap(IOVA(0x20_0000), length: 0x20_0000, gather: &gather)
    }
  }
}
