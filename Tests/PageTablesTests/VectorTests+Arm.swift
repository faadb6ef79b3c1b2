// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

extension VectorTests {
  // MARK: backends-arm-riscv-s390.md A8.1 to A8.3

  @Test func armStage1() throws {
    let four: [(UInt64, UInt64)] = [
      (0x4000_0008, 0x4000_1003), (0x4000_1008, 0x4000_2003), (0x4000_1018, 0xc000_0f45),
      (0x4000_2018, 0x4000_3003), (0x4000_2020, 0x8020_0f45), (0x4000_0010, 0xf45),
      (0x4000_3020, 0x1234_5f47),
      (0x4000_3028, 0x1234_6fc7), (0x4000_3068, 0x0008_0000_1234_8fc7), (0x4000_3078, 0x1234_af45),
    ]
    try check([
      Vector(name: "A1", words: four, iova: 0x80_4060_4abc, physical: 0x1234_5abc),
      Vector(name: "A2", words: four, iova: 0x80_4081_2345, physical: 0x8021_2345),
      Vector(name: "A3", words: four, iova: 0x80_c123_4567, physical: 0xc123_4567),
      Vector(name: "A4", words: four, iova: 0x80_4060_5000, physical: 0x1234_6000, isWritable: false),
      Vector(name: "A5", words: four, iova: 0x80_4061_0000, physical: nil),
      Vector(name: "A7", words: four, iova: 0x80_4060_d000, physical: 0x1234_8000),
      Vector(name: "A9", words: four, iova: 0x80_4060_f000, physical: nil),
      Vector(name: "A10", words: four, iova: 0x100_0000_0000, physical: nil),
      Vector(name: "A11", words: four, iova: 0x1_0000_0000_0000, physical: nil),
    ]) { memory throws(Errno) in
      try ArmStage1Table4K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48))
    }
    try check([
      Vector(
        name: "A15",
        words: [(0x4000_0008, 0x4000_1003), (0x4000_1018, 0x4000_2003), (0x4000_2020, 0x1234_5f47)],
        iova: 0x4060_4abc, physical: 0x1234_5abc)
    ]) { memory throws(Errno) in
      try ArmStage1Table4K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 39, outputLg2: 48))
    }
    let sixteen: [(UInt64, UInt64)] = [
      (0x4000_0008, 0x4000_4003), (0x4000_4008, 0x4000_8003), (0x4000_8008, 0x4000_c003),
      (0x4000_c010, 0x1234_4f47),
      (0x4000_8010, 0x8400_0f45),
    ]
    try check([
      Vector(name: "A18", words: sixteen, iova: 0x8010_0200_8abc, physical: 0x1234_4abc),
      Vector(name: "A19", words: sixteen, iova: 0x8010_0412_3456, physical: 0x8412_3456),
    ]) { memory throws(Errno) in
      try ArmStage1Table16K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 14, stage: .one, inputLg2: 48, outputLg2: 48))
    }
    let sixtyFour: [(UInt64, UInt64)] = [
      (0x4000_0008, 0x4001_0003), (0x4001_0008, 0x4002_0003), (0x4002_0018, 0x1234_0f47),
      (0x4001_0010, 0xa000_0f45),
    ]
    try check([
      Vector(name: "A20", words: sixtyFour, iova: 0x400_2003_abcd, physical: 0x1234_abcd),
      Vector(name: "A21", words: sixtyFour, iova: 0x400_4123_4567, physical: 0xa123_4567),
    ]) { memory throws(Errno) in
      try ArmStage1Table64K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 16, stage: .one, inputLg2: 48, outputLg2: 48))
    }
    let wide: [(UInt64, UInt64)] = [
      (0x4000_1e08, 0x4001_0003), (0x4001_0008, 0x4002_0003), (0x4002_0018, 0x1234_ff47),
      (0x4000_1f08, 0x0000_4000_0000_8f45),
    ]
    try check([
      Vector(name: "A22", words: wide, iova: 0xf_0400_2003_abcd, physical: 0xf_0000_1234_abcd),
      Vector(name: "A23", words: wide, iova: 0xf_8400_1234_5678, physical: 0x8_4000_1234_5678),
    ]) { memory throws(Errno) in
      try ArmStage1Table64K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 16, stage: .one, inputLg2: 52, outputLg2: 52))
    }
  }

  /// A run of pages that goes past bit 47 of the address, where its bits move to 15:12 of the entry.
  @Test func armWideAddresses() throws {
    let table = try ArmStage1Table64K(
      PhysicalMemory(size: 1 << 26), ArmGeometry(granuleLg2: 16, stage: .one, inputLg2: 48, outputLg2: 52))
    let physical: UInt64 = 1 << 48 - 0x2_0000
    #expect(table.mapped(0x10_0000, physical, 0x4_0000) == nil)
    for offset in stride(from: UInt64(0), to: 0x4_0000, by: 0x1_0000) {
      #expect(table.translate(IOVA(0x10_0000 + offset))?.raw == physical + offset)
    }
    #expect(table.words(0x11_0000).last == 0x0000_ffff_ffff_0f47)
    #expect(table.words(0x12_0000).last == 0x0000_0000_0000_1f47)
    #expect(table.words(0x13_0000).last == 0x0000_0000_0001_1f47)
    #expect(table.leaves.allSatisfy { $0.attributes == readWrite })
  }

  @Test func armStage2() throws {
    try check([
      Vector(
        name: "A25",
        words: [
          (0x4000_1008, 0x4000_2003), (0x4000_2018, 0x4000_3003), (0x4000_3020, 0x1234_57ff),
        ], iova: 0x80_4060_4abc, physical: 0x1234_5abc),
      Vector(name: "A26", words: [(0x4000_1010, 0x8000_07fd)], iova: 0x80_8123_4567, physical: 0x8123_4567),
      Vector(
        name: "A27",
        words: [
          (0x4000_1008, 0x4000_2003), (0x4000_2018, 0x4000_3003), (0x4000_3028, 0x1234_6657),
        ], iova: 0x80_4060_5000, physical: 0x1234_6000, isWritable: false),
      Vector(name: "A28", words: [(0x4000_1010, 0x8000_07fd)], iova: 0x100_0000_0000, physical: nil),
    ]) { memory throws(Errno) in
      try ArmStage2Table4K(
        memory, viewing: PhysAddr(0x4000_0000),
        ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 40, outputLg2: 40))
    }
    // A29 to A31: level and size of the root by width.
    let rows: [(granule: Int, width: Int, ArmGeometry.Concatenation, level: Int, entries: Int)] = [
      (12, 40, .mandatory, 2, 1024), (12, 42, .mandatory, 2, 4096), (12, 44, .mandatory, 3, 32),
      (12, 44, .greedy, 3, 32), (12, 43, .greedy, 2, 8192), (12, 43, .mandatory, 3, 16),
      (12, 40, .none, 3, 2),
      (14, 40, .mandatory, 1, 32768), (14, 40, .greedy, 2, 16), (14, 48, .mandatory, 2, 4096),
      (14, 48, .none, 3, 2), (16, 48, .mandatory, 2, 64), (16, 40, .mandatory, 1, 2048),
    ]
    for row in rows {
      let memory = PhysicalMemory(size: 1 << 26)
      let shape = ArmGeometry(
        granuleLg2: row.granule, stage: .two, inputLg2: row.width, outputLg2: row.width, concatenation: row.2)
      let table: any PageTable =
        switch row.granule {
        case 12: try ArmStage2Table4K(memory, shape)
        case 14: try ArmStage2Table16K(memory, shape)
        default: try ArmStage2Table64K(memory, shape)
        }
      let place = "\(row)"
      #expect(table.root.level == row.level, "\(place)")
      #expect(table.frameCount == max(1, row.entries / 512), "\(place)")
      #expect(table.root.address.raw % UInt64(max(4096, row.entries * 8)) == 0, "\(place)")
      #expect(table.aperture.last == (1 << UInt64(row.width)) - 1, "\(place)")
    }
  }
}
