// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

extension VectorTests {
  // MARK: backends-x86.md A9.1

  @Test func vtdSecondStage() throws {
    let base: [(UInt64, UInt64)] = [
      (0x10000, 0x11003), (0x11000, 0x12003), (0x12488, 0x13003), (0x13a28, 0xabcde003),
    ]
    try check([
      Vector(name: "SS1", words: base, iova: 0x1234_5678, physical: 0xabcd_e678),
      Vector(
        name: "SS2", words: with(base, [(0x12488, 0x4000_0883)]), iova: 0x1234_5678, physical: 0x4014_5678),
      Vector(
        name: "SS3", words: [(0x10000, 0x11003), (0x11008, 0x1_c000_0083)], iova: 0x7fff_ffff,
        physical: 0x1_ffff_ffff),
      Vector(
        name: "SS4", words: with(base, [(0x13a28, 0xabcd_e001)]), iova: 0x1234_5678, physical: 0xabcd_e678,
        isWritable: false),
      Vector(name: "SS5", words: with(base, [(0x12488, 0)]), iova: 0x1234_5678, physical: nil),
      Vector(name: "SS7", words: base, iova: 0x1_0000_0000_0000, physical: nil),
    ]) { memory throws(Errno) in
      try VTdSecondStageTable(memory, viewing: PhysAddr(0x10000), .init(levels: 4))
    }
    try check([
      Vector(
        name: "SS12",
        words: [
          (0x18008, 0x10003), (0x10918, 0x11003), (0x111a0, 0x12003), (0x12b38, 0x13003),
          (0x13450, 0x555_5003),
        ], iova: 0x1_918d_2ce8_a0bc, physical: 0x5555_0bc)
    ]) { memory throws(Errno) in
      try VTdSecondStageTable(memory, viewing: PhysAddr(0x18000), .init(levels: 5))
    }
  }

  // MARK: A9.2

  @Test func x86FirstStage() throws {
    let base: [(UInt64, UInt64)] = [
      (0x20000, 0x21027), (0x21000, 0x22027), (0x22488, 0x23027), (0x23a28, 0xabcd_e067),
    ]
    try check([
      Vector(name: "FS1", words: base, iova: 0x1234_5678, physical: 0xabcd_e678),
      Vector(
        name: "FS2", words: with(base, [(0x22488, 0x4000_00e7)]), iova: 0x1234_5678, physical: 0x4014_5678),
      Vector(
        name: "FS3", words: [(0x20000, 0x21027), (0x21008, 0x1_c000_00e7)], iova: 0x7fff_ffff,
        physical: 0x1_ffff_ffff),
      Vector(name: "FS4", words: base, iova: 0x8000_0000_0000, physical: nil),
      Vector(
        name: "FS5",
        words: [(0x20800, 0x21027), (0x21000, 0x22027), (0x22000, 0x23027), (0x23008, 0x77_7067)],
        iova: 0xffff_8000_0000_1abc, physical: 0x77_7abc),
      Vector(name: "FS6", words: with(base, [(0x23a28, 0)]), iova: 0x1234_5678, physical: nil),
      Vector(
        name: "FS8", words: with(base, [(0x23a28, 0xabcd_e065)]), iova: 0x1234_5678, physical: 0xabcd_e678,
        isWritable: false),
    ]) { memory throws(Errno) in
      try X86FirstStageTable(memory, viewing: PhysAddr(0x20000), .init(levels: 4))
    }
    try check([
      Vector(
        name: "FS12",
        words: [
          (0x28008, 0x20027), (0x20918, 0x21027), (0x211a0, 0x22027), (0x22b38, 0x23027),
          (0x23450, 0x555_5067),
        ], iova: 0x1_918d_2ce8_a0bc, physical: 0x5555_0bc)
    ]) { memory throws(Errno) in
      try X86FirstStageTable(memory, viewing: PhysAddr(0x28000), .init(levels: 5))
    }
    // G9: PASID 0 of AMD has no sign check.
    try check([
      Vector(
        name: "G9",
        words: [(0x20800, 0x21027), (0x21000, 0x22027), (0x22000, 0x23027), (0x23008, 0x77_7067)],
        iova: 0x8000_0000_1abc, physical: 0x77_7abc)
    ]) { memory throws(Errno) in
      try X86FirstStageTable(memory, viewing: PhysAddr(0x20000), .init(levels: 4, signExtends: false))
    }
  }

  // MARK: B9.1

  @Test func amdVersion1() throws {
    let base: [(UInt64, UInt64)] = [
      (0x30000, 0x6000_0000_0003_1401), (0x31488, 0x6000_0000_0003_2201), (0x32a28, 0x7000_0000_abcd_e001),
    ]
    func replicas(_ first: UInt64, _ count: UInt64, _ word: UInt64) -> [(UInt64, UInt64)] {
      (0..<count).map { (first + 8 * $0, word) }
    }
    let iova: UInt64 = 0x1234_5678
    try check([
      Vector(name: "A1", words: base, iova: iova, physical: 0xabcd_e678),
      Vector(
        name: "A2", words: with(base, [(0x31488, 0x7000_0000_4000_0001)]), iova: iova, physical: 0x4014_5678),
      Vector(
        name: "A3", words: with(base, replicas(0x32a20, 4, 0x7000_0000_abcd_de01)), iova: iova,
        physical: 0xabcd_d678),
      Vector(
        name: "A4", words: with(base, replicas(0x32a20, 2, 0x7000_0000_abcd_ee01)), iova: iova,
        physical: 0xabcd_f678),
      Vector(
        name: "A5", words: with(base, replicas(0x31480, 2, 0x7000_0000_401f_fe01)), iova: iova,
        physical: 0x4034_5678),
      Vector(
        name: "A6", words: with(base, replicas(0x32800, 256, 0x7000_0000_5007_fe01)), iova: iova,
        physical: 0x5004_5678),
      Vector(
        name: "A6b", words: replicas(0x30000, 8, 0x7000_0080_ffff_fe01), iova: iova, physical: 0x80_1234_5678),
      Vector(name: "A7", words: with(base, [(0x32a28, 0)]), iova: iova, physical: nil),
      Vector(name: "A10", words: base, iova: 0x80_0000_0000, physical: nil),
    ]) { memory throws(Errno) in try AMDV1Table(memory, viewing: PhysAddr(0x30000), .init(levels: 3)) }
    try check([
      Vector(
        name: "A13",
        words: [
          (0x3f3f8, 0x6000_0000_0003_ea01), (0x3e000, 0x6000_0000_0003_d801),
          (0x3d000, 0x6000_0000_0003_c601),
          (0x3c000, 0x6000_0000_0003_b401), (0x3b000, 0x6000_0000_0003_a201),
          (0x3a008, 0x7000_0000_0999_9001),
        ], iova: 0xfe00_0000_0000_1abc, physical: 0x999_9abc)
    ]) { memory throws(Errno) in try AMDV1Table(memory, viewing: PhysAddr(0x3f000), .init(levels: 6)) }
  }

  /// B1.3: every size that a leaf can have, the word and where it is.
  @Test func amdSizes() throws {
    let rows: [(sizeLg2: Int, physical: UInt64, word: UInt64, slots: Int)] = [
      (12, 0x4000_0000, 0x7000_0000_4000_0001, 1), (13, 0x4000_0000, 0x7000_0000_4000_0e01, 2),
      (14, 0x4000_0000, 0x7000_0000_4000_1e01, 4), (15, 0x4000_0000, 0x7000_0000_4000_3e01, 8),
      (16, 0x4000_0000, 0x7000_0000_4000_7e01, 16), (17, 0x4000_0000, 0x7000_0000_4000_fe01, 32),
      (20, 0x4000_0000, 0x7000_0000_4007_fe01, 256), (21, 0x4000_0000, 0x7000_0000_4000_0001, 1),
      (22, 0x4000_0000, 0x7000_0000_401f_fe01, 2), (23, 0x4000_0000, 0x7000_0000_403f_fe01, 4),
      (28, 0x4000_0000, 0x7000_0000_47ff_fe01, 128), (29, 0x4000_0000, 0x7000_0000_4fff_fe01, 256),
      (31, 0x8000_0000, 0x7000_0000_bfff_fe01, 2), (32, 0x1_0000_0000, 0x7000_0001_7fff_fe01, 4),
      (33, 0x2_0000_0000, 0x7000_0002_ffff_fe01, 8), (38, 0x40_0000_0000, 0x7000_005f_ffff_fe01, 256),
      (40, 0x100_0000_0000, 0x7000_017f_ffff_fe01, 2),
    ]
    for row in rows {
      let memory = PhysicalMemory(size: 1 << 26)
      let table = try AMDV1Table(memory, .init(levels: 5))
      #expect(table.mapped(1 << UInt64(row.sizeLg2), row.physical, 1 << UInt64(row.sizeLg2)) == nil)
      var leaves: [TableEntry] = []
      table.forEachEntry { entry, _ in if entry.kind == .leaf { leaves.append(entry) } }
      #expect(leaves.count == row.slots, "2^\(row.sizeLg2)")
      #expect(leaves.allSatisfy { $0.raw == row.word }, "2^\(row.sizeLg2)")
      #expect(table.leaves.map(\.sizeLg2) == [row.sizeLg2])
    }
    // 512 GiB is no size.
    let table = try AMDV1Table(PhysicalMemory(size: 1 << 26), .init(levels: 5))
    #expect(table.mapped(1 << 39, 1 << 39, 1 << 39) == nil)
    #expect(table.leaves.map(\.sizeLg2) == [38, 38])
    #expect(table.pageSizes == 0x000f_ff7f_ffff_f000)
  }
}
