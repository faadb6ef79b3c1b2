// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

@Suite("Reading dirty leaves")
struct DirtyTests {
  private struct Report: Equatable {
    let iova: UInt64
    let length: UInt64
    init(_ iova: UInt64, _ length: UInt64) {
      self.iova = iova
      self.length = length
    }
  }

  private func read(_ table: any PageTable, _ iova: UInt64, _ length: UInt64, clearing: Bool = false)
    throws(Errno)
    -> [Report]
  {
    var gather = TableGather()
    defer { gather.release() }
    var reports: [Report] = []
    try table.readDirty(IOVA(iova), length: length, clearing: clearing, gather: &gather) {
      reports.append(Report($0.raw, $1))
    }
    return reports
  }

  private func change(
    _ memory: PhysicalMemory, _ table: any PageTable, _ iova: UInt64, _ body: (UInt64) -> UInt64
  ) throws {
    let entry = try #require(table.walk(IOVA(iova)).last)
    #expect(memory.store64(body(entry.raw), at: entry.address))
  }

  @Test func vtd() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try VTdSecondStageTable(memory, .init(levels: 4))
    #expect(table.mapped(0x1000, 0x10_0000, 0x4000) == nil)
    #expect(table.mapped(0x20_0000, 0x40_0000, 0x20_0000) == nil)
    #expect(try read(table, 0, 0x40_0000) == [])
    try change(memory, table, 0x3000) { $0 | 0x300 }
    try change(memory, table, 0x20_0000) { $0 | 0x200 }
    // Inside a leaf, it is reported from where the range begins, with its whole size; so does the kernel.
    #expect(try read(table, 0x3000, 0x1000) == [Report(0x3000, 0x1000)])
    #expect(try read(table, 0, 0x40_0000) == [Report(0x3000, 0x1000), Report(0x20_0000, 0x20_0000)])
    #expect(try read(table, 0x21_0000, 0x1000) == [Report(0x21_0000, 0x20_0000)])
    #expect(try read(table, 0, 0x4000, clearing: true) == [Report(0x3000, 0x1000)])
    #expect(table.words(0x3000).last == 0x10_2103)
    #expect(try read(table, 0, 0x40_0000) == [Report(0x20_0000, 0x20_0000)])
    #expect(failure { () throws(Errno) in _ = try read(table, 0, 0) } == .EINVAL)
    #expect(failure { () throws(Errno) in _ = try read(table, .max, 2) } == .EOVERFLOW)
    #expect(failure { () throws(Errno) in _ = try read(table, 1 << 48, 1) } == .ERANGE)
  }

  @Test func amdHasADirtyBitInEverySlot() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let table = try AMDV1Table(memory)
    #expect(table.mapped(0x1_0000, 0x1_0000, 0x1_0000) == nil)
    #expect(table.leaves.map(\.sizeLg2) == [16])
    try change(memory, table, 0x1_b000) { $0 | 0x40 }
    #expect(table.leaves.map(\.isDirty) == [true])
    // A leaf of several items is reported up to the end of the range, less one item; so does the kernel.
    #expect(try read(table, 0x1_0000, 0x1_0000) == [Report(0x1_0000, 0xf000)])
    #expect(try read(table, 0x1_2000, 0x3000) == [Report(0x1_2000, 0x3000)])
    #expect(try read(table, 0x1_f000, 0x1000) == [])
    #expect(try read(table, 0x1_0000, 0x1000, clearing: true) == [Report(0x1_0000, 0x1000)])
    #expect(table.leaves.map(\.isDirty) == [false])
    #expect(table.words(0x1_b000).last == 0x7000_0000_0001_7e01)
  }

  @Test func armFollowsTheAddress() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let shape = ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48)
    let table = try ArmStage1Table4K(memory, shape, .init(tracksDirty: true))
    #expect(table.mapped(0x20_0000, 0x40_0000, 0x20_0000) == nil)
    #expect(table.mapped(0x40_0000, 0x1000, 0x4000) == nil)
    #expect(table.mapped(0x40_4000, 0x8000, 0x1000, [.read, .cache]) == nil)
    // A16: what was mapped writable is dirty; clearing sets AP[2]; what is read-only is never reported.
    #expect(
      try read(table, 0x40_0000, 0x5000, clearing: true)
        == (0..<4).map { Report(0x40_0000 + $0 * 0x1000, 0x1000) })
    #expect(table.words(0x40_0000).last == 0x0008_0000_0000_1fc7)
    #expect(try read(table, 0x40_0000, 0x5000) == [])
    // From inside a block, the address goes on by whole blocks and skips what follows.
    try change(memory, table, 0x40_0000) { $0 & ~0x80 }
    #expect(try read(table, 0x30_0000, 0x10_5000) == [Report(0x30_0000, 0x20_0000)])
    #expect(failure { () throws(Errno) in _ = try read(table, 0x40_0000, 0x6000) } == .EINVAL)
    #expect(failure { () throws(Errno) in _ = try read(table, 1 << 48, 1) } == .EINVAL)
    let second = try ArmStage2Table4K(
      memory, ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48))
    #expect(second.mapped(0, 0, 0x1000) == nil)
    #expect(failure { () throws(Errno) in _ = try read(second, 0, 0x1000) } == .EINVAL)
  }

  @Test func othersHaveNoSuchOperation() throws {
    let memory = PhysicalMemory(size: 1 << 27)
    let tables: [any PageTable] = [
      try X86FirstStageTable(memory, .init(levels: 4)), try RISCVTable(memory, .init(.sv39)),
      try ZPCITable(memory),
    ]
    for table in tables {
      #expect(table.mapped(0, 0, 0x1000) == nil)
      #expect(failure { () throws(Errno) in _ = try read(table, 0, 0x1000) } == .EOPNOTSUPP)
    }
  }
}
