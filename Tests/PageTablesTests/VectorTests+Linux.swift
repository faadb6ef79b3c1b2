// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

extension VectorTests {
  // MARK: What Linux writes (A1.5, B1.6, arm A5.2, B5, C5)

  @Test func leafAndTableWords() throws {
    struct Row {
      let name: String
      let make: (PhysicalMemory) throws(Errno) -> any PageTable
      let attributes: MappingAttributes
      /// Of a small and of the next larger leaf, without the address.
      let small: UInt64
      let large: UInt64?
      let table: UInt64
      var items: (Int, Int) = (12, 21)
    }
    let second = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in
      try VTdSecondStageTable(memory, .init(levels: 4))
    }
    let first = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in
      try X86FirstStageTable(memory, .init(levels: 4))
    }
    let amd = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in try AMDV1Table(memory) }
    let one = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in
      try ArmStage1Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48))
    }
    let two = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in
      try ArmStage2Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48))
    }
    let sv = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in
      try RISCVTable(memory, .init(.sv48, options: .init(hasMemoryTypes: true)))
    }
    let zpci = { (memory: PhysicalMemory) throws(Errno) -> any PageTable in try ZPCITable(memory) }
    let rwc: MappingAttributes = [.read, .write, .cache]
    let rows: [Row] = [
      Row(name: "SS rw", make: second, attributes: rwc, small: 0x3, large: 0x83, table: 0x3),
      Row(name: "SS r", make: second, attributes: [.read], small: 0x1, large: 0x81, table: 0x3),
      Row(name: "SS w", make: second, attributes: [.write], small: 0x2, large: 0x82, table: 0x3),
      Row(
        name: "SS snoop", make: second, attributes: [.read, .write, .snoop], small: 0x803, large: 0x883,
        table: 0x3),
      Row(
        name: "SS software bit",
        make: { memory throws(Errno) in
          try VTdSecondStageTable(memory, .init(levels: 4, walksCoherently: false))
        },
        attributes: rwc, small: 0x3, large: 0x83, table: 0x403),
      Row(name: "FS rw", make: first, attributes: rwc, small: 0x67, large: 0xe7, table: 0x27),
      Row(name: "FS r", make: first, attributes: [.read], small: 0x25, large: 0xa5, table: 0x27),
      Row(name: "FS w", make: first, attributes: [.write], small: 0x67, large: 0xe7, table: 0x27),
      Row(
        name: "FS software bit",
        make: { memory throws(Errno) in
          try X86FirstStageTable(memory, .init(levels: 4, walksCoherently: false))
        },
        attributes: rwc, small: 0x67, large: 0xe7, table: 0x227),
      Row(
        name: "AMD rw", make: amd, attributes: rwc, small: 0x7000_0000_0000_0001,
        large: 0x7000_0000_0000_0001,
        table: 0x6000_0000_0000_0201),
      Row(
        name: "AMD r", make: amd, attributes: [.read], small: 0x3000_0000_0000_0001,
        large: 0x3000_0000_0000_0001,
        table: 0x6000_0000_0000_0201),
      Row(
        name: "AMD w", make: amd, attributes: [.write], small: 0x5000_0000_0000_0001,
        large: 0x5000_0000_0000_0001,
        table: 0x6000_0000_0000_0201),
      Row(name: "S1 rwc", make: one, attributes: rwc, small: 0xf47, large: 0xf45, table: 0x3),
      Row(name: "S1 rw", make: one, attributes: [.read, .write], small: 0xe43, large: 0xe41, table: 0x3),
      Row(name: "S1 rc", make: one, attributes: [.read, .cache], small: 0xfc7, large: 0xfc5, table: 0x3),
      Row(name: "S1 r", make: one, attributes: [.read], small: 0xec3, large: 0xec1, table: 0x3),
      Row(name: "S1 w", make: one, attributes: [.write], small: 0xe43, large: 0xe41, table: 0x3),
      Row(name: "S1 wc", make: one, attributes: [.write, .cache], small: 0xf47, large: 0xf45, table: 0x3),
      Row(
        name: "S1 mmio", make: one, attributes: [.read, .write, .mmio], small: 0xe4b, large: 0xe49, table: 0x3
      ),
      Row(
        name: "S1 privileged", make: one, attributes: rwc.union(.privileged), small: 0xf07, large: 0xf05,
        table: 0x3),
      Row(
        name: "S1 no execute", make: one, attributes: rwc.union(.noExecute), small: 0x0060_0000_0000_0f47,
        large: 0x0060_0000_0000_0f45, table: 0x3),
      Row(
        name: "S1 dirty",
        make: { memory throws(Errno) in
          try ArmStage1Table4K(
            memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48),
            .init(tracksDirty: true))
        }, attributes: rwc, small: 0x0008_0000_0000_0f47, large: 0x0008_0000_0000_0f45, table: 0x3),
      Row(name: "S2 rwc", make: two, attributes: rwc, small: 0x7ff, large: 0x7fd, table: 0x3),
      Row(name: "S2 rw", make: two, attributes: [.read, .write], small: 0x6d7, large: 0x6d5, table: 0x3),
      Row(name: "S2 rc", make: two, attributes: [.read, .cache], small: 0x77f, large: 0x77d, table: 0x3),
      Row(name: "S2 r", make: two, attributes: [.read], small: 0x657, large: 0x655, table: 0x3),
      Row(name: "S2 w", make: two, attributes: [.write], small: 0x697, large: 0x695, table: 0x3),
      Row(name: "S2 wc", make: two, attributes: [.write, .cache], small: 0x7bf, large: 0x7bd, table: 0x3),
      Row(
        name: "S2 mmio", make: two, attributes: [.read, .write, .mmio], small: 0x6c7, large: 0x6c5, table: 0x3
      ),
      Row(
        name: "S2 no execute", make: two, attributes: rwc.union(.noExecute), small: 0x0060_0000_0000_07ff,
        large: 0x0060_0000_0000_07fd, table: 0x3),
      Row(
        name: "S2 forced write-back",
        make: { memory throws(Errno) in
          try ArmStage2Table4K(
            memory, ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48),
            .init(forcesWriteBack: true))
        }, attributes: rwc, small: 0x7db, large: 0x7d9, table: 0x3),
      Row(name: "Sv rw", make: sv, attributes: rwc, small: 0xdf, large: 0xdf, table: 0x1),
      Row(name: "Sv w", make: sv, attributes: [.write, .cache], small: 0xdf, large: 0xdf, table: 0x1),
      Row(name: "Sv r", make: sv, attributes: [.read, .cache], small: 0x5b, large: 0x5b, table: 0x1),
      Row(
        name: "Sv rw no execute", make: sv, attributes: rwc.union(.noExecute), small: 0xd7, large: 0xd7,
        table: 0x1),
      Row(
        name: "Sv r no execute", make: sv, attributes: [.read, .cache, .noExecute], small: 0x53, large: 0x53,
        table: 0x1),
      Row(
        name: "Sv io", make: sv, attributes: [.read, .write, .mmio], small: 0x4000_0000_0000_00df,
        large: 0x4000_0000_0000_00df, table: 0x1),
      Row(
        name: "Sv not cached", make: sv, attributes: [.read, .write], small: 0x2000_0000_0000_00df,
        large: 0x2000_0000_0000_00df, table: 0x1),
      Row(name: "zPCI rw", make: zpci, attributes: rwc, small: 0, large: nil, table: 0, items: (12, 20)),
      Row(
        name: "zPCI r", make: zpci, attributes: [.read], small: 0x200, large: nil, table: 0, items: (12, 20)),
    ]
    for row in rows {
      let memory = PhysicalMemory(size: 1 << 26)
      let table = try row.make(memory)
      let shift: UInt64 = row.name.hasPrefix("Sv") ? 2 : 0
      #expect(table.mapped(0x1234_5000, 0x4567_8000, 0x1000, row.attributes) == nil, "\(row.name)")
      let words = table.words(0x1234_5000)
      #expect(words.last == row.small | 0x4567_8000 >> shift, "\(row.name)")
      let tables = words.dropLast().last.map { $0 & 0xffff_0000_0000_07ff } ?? 1
      #expect(tables == row.table, "\(row.name)")
      if let large = row.large {
        #expect(table.mapped(0x4000_0000, 0x8020_0000, 0x20_0000, row.attributes) == nil, "\(row.name)")
        #expect(table.words(0x4000_0000).last == large | 0x8020_0000 >> shift, "\(row.name)")
      }
    }
    print("\(rows.count) rows of entries that Linux writes")
  }
}
