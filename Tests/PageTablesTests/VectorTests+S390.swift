// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

extension VectorTests {
  // MARK: C8

  @Test func s390() throws {
    let base: [(UInt64, UInt64)] = [
      (0x10010, 0x14007), (0x14018, 0x18000), (0x18010, 0x1234_5000), (0x18018, 0x1234_6200),
      (0x18020, 0x1234_7400),
      (0x14020, 0x40_0400), (0x14028, 0x50_0600), (0x14030, 0x20), (0x10018, 0x20), (0x10020, 0),
      (0x10030, 0x14003),
      (0x10040, 0x1400f),
    ]
    try check(
      [
        Vector(name: "Z1", words: base, iova: 0x1_0030_2abc, physical: 0x1234_5abc),
        Vector(name: "Z2", words: base, iova: 0x1_0030_3000, physical: 0x1234_6000, isWritable: false),
        Vector(name: "Z3 page", words: base, iova: 0x1_0030_4000, physical: nil),
        Vector(name: "Z3 segment", words: base, iova: 0x1_0060_0000, physical: nil),
        Vector(name: "Z4", words: base, iova: 0x1_0041_2345, physical: 0x41_2345),
        Vector(name: "Z5", words: base, iova: 0x1_0051_2345, physical: 0x51_2345, isWritable: false),
        Vector(name: "Z6 invalid", words: base, iova: 0x1_8030_2abc, physical: nil),
        Vector(name: "Z6 zero", words: base, iova: 0x2_0030_2abc, physical: nil),
        Vector(name: "Z8 type 0", words: base, iova: 0x3_0030_2abc, physical: nil),
        Vector(name: "Z8 type C", words: base, iova: 0x4_0030_2abc, physical: nil),
      ], bigEndian: true
    ) { memory throws(Errno) in try ZPCITable(memory, viewing: PhysAddr(0x10000), .init(.regionThird)) }
    try check(
      [
        Vector(
          name: "Z11", words: base + [(0x20018, 0x1000b)], iova: 0xc01_0030_2abc, physical: 0x1234_5abc)
      ], bigEndian: true
    ) { memory throws(Errno) in try ZPCITable(memory, viewing: PhysAddr(0x20000), .init(.regionSecond)) }
    try check(
      [
        Vector(
          name: "Z12", words: base + [(0x20018, 0x1000b), (0x30008, 0x2000f)], iova: 0x20_0c01_0030_2abc,
          physical: 0x1234_5abc)
      ], bigEndian: true
    ) { memory throws(Errno) in try ZPCITable(memory, viewing: PhysAddr(0x30000), .init(.regionFirst)) }
    try check(
      [Vector(name: "Z13", words: base, iova: 0x30_2abc, physical: 0x1234_5abc)], bigEndian: true
    ) { memory throws(Errno) in try ZPCITable(memory, viewing: PhysAddr(0x14000), .init(.segment)) }

    // Z14 and Z15: what the driver writes, and C1: the bytes.
    let memory = PhysicalMemory(size: 1 << 26)
    let table = try ZPCITable(memory)
    #expect(table.mapped(0x1_0030_2000, 0x1234_5000, 0x1000) == nil)
    #expect(table.words(0x1_0030_2000).map { $0 & 0xfff } == [0x007, 0x000, 0x000])
    let page = try #require(table.walk(IOVA(0x1_0030_2000)).last)
    let bytes = try #require(memory.bytes(at: page.address, count: 8))
    #expect(Array(bytes) == [0, 0, 0, 0, 0x12, 0x34, 0x50, 0])
    #expect(table.unmapped(0x1_0030_2000, 0x1000) == 0x1000)
    #expect(table.walk(IOVA(0x1_0030_2000)).last?.raw == 0x1234_5400)
    #expect(table.mapped(0x1_0030_2000, 0x1234_5000, 0x1000, [.read]) == nil)
    #expect(table.walk(IOVA(0x1_0030_2000)).last?.raw == 0x1234_5200)
    #expect(table.walk(IOVA(0x1_8030_2000)).last?.raw == 0x20)
    #expect(table.walk(IOVA(0x1_0030_3000)).last?.raw == 0x400)
  }
}
