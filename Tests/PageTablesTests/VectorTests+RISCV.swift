// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

extension VectorTests {
  // MARK: B8.1 and B8.2

  @Test func riscv() throws {
    var base: [(UInt64, UInt64)] = [
      (0x20008, 0x8401), (0x21008, 0x8801), (0x22008, 0x21d9_50d7), (0x21010, 0x2008_00d7),
      (0x20010, 0x3000_00d7),
    ]
    base += (0..<16).map { (0x22080 + 8 * $0, 0x8000_0000_21d9_60d7) }
    try check([
      Vector(name: "R1", words: base, iova: 0x4020_1abc, physical: 0x8765_4abc),
      Vector(name: "R3", words: base, iova: 0x4020_2abc, physical: nil),
      Vector(name: "R4", words: base, iova: 0x40_0000_0000, physical: nil),
      Vector(name: "R5", words: base, iova: 0x4041_2345, physical: 0x8021_2345),
      Vector(name: "R7", words: base, iova: 0x8123_4567, physical: 0xc123_4567),
      Vector(name: "R8", words: base, iova: 0x4021_2abc, physical: 0x8765_2abc),
    ]) { memory throws(Errno) in try RISCVTable(memory, viewing: PhysAddr(0x20000), .init(.sv39)) }
    let tail: [(UInt64, UInt64)] = [(0x21008, 0x8801), (0x22008, 0x21d9_50d7)]
    try check([
      Vector(
        name: "R16", words: [(0x20008, 0x8c01), (0x23008, 0x8401)] + tail, iova: 0x80_4020_1abc,
        physical: 0x8765_4abc)
    ]) { memory throws(Errno) in try RISCVTable(memory, viewing: PhysAddr(0x20000), .init(.sv48)) }
    let five = [(0x20008, 0x9001), (0x24008, 0x8c01), (0x23008, 0x8401)] + tail
    try check([
      Vector(name: "R17", words: five, iova: 0x1_0080_4020_1abc, physical: 0x8765_4abc),
      Vector(name: "R18", words: five, iova: 0xff00_0080_4020_1abc, physical: nil),
    ]) { memory throws(Errno) in try RISCVTable(memory, viewing: PhysAddr(0x20000), .init(.sv57)) }
    let second: [(UInt64, UInt64)] = [
      (0x43008, 0x11001), (0x44008, 0x11401), (0x45008, 0x26af_34d7), (0x45018, 0x26af_3453),
      (0x40008, 0x4000_00d7),
    ]
    try check([
      Vector(name: "R19", words: second, iova: 0x180_4020_1abc, physical: 0x9abc_dabc),
      Vector(name: "R20", words: second, iova: 0x200_0000_0000, physical: nil),
      Vector(name: "R22", words: second, iova: 0x4123_4567, physical: 0x1_0123_4567),
      Vector(name: "R23", words: second, iova: 0x180_4020_3000, physical: 0x9abc_d000, isWritable: false),
    ]) { memory throws(Errno) in
      try RISCVTable(memory, viewing: PhysAddr(0x40000), .init(.sv39, isSecondStage: true))
    }
    try check([
      Vector(
        name: "R26",
        words: [(0x43008, 0x11801), (0x46008, 0x11001), (0x44008, 0x11401), (0x45008, 0x26af_34d7)],
        iova: 0x3_0080_4020_1abc, physical: 0x9abc_dabc)
    ]) { memory throws(Errno) in
      try RISCVTable(memory, viewing: PhysAddr(0x40000), .init(.sv48, isSecondStage: true))
    }
    // B5: a 64 KiB page in 16 slots.
    let memory = PhysicalMemory(size: 1 << 26)
    let table = try RISCVTable(memory, .init(.sv48))
    #expect(table.mapped(0x1_0000, 0x8765_0000, 0x1_0000, [.read, .write, .cache, .noExecute]) == nil)
    var words: [UInt64] = []
    table.forEachEntry { entry, _ in if entry.kind == .leaf { words.append(entry.raw) } }
    #expect(words == Array(repeating: 0x8000_0000_21d9_60d7, count: 16))
    #expect(table.pageSizes == 1 << 12 | 1 << 16 | 1 << 21 | 1 << 30 | 1 << 39)
  }
}
