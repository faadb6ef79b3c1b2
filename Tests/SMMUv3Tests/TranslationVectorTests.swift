// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Known answers of the two stages: tables as bytes, one access, the address or the event that must follow.
@Suite struct TranslationVectorTests {
  /// One row.
  struct Vector: Sendable {
    enum Tables: Sendable { case stage1, stage2, nested }
    var name: String
    var tables = Tables.stage1
    var cd = Rig.cdWord()
    var extra: [UInt64: UInt64] = [:]
    /// Without the common tables.
    var bare = false
    var access = Transaction.Access.read
    var privileged = false
    var address: UInt64
    var physical: UInt64?
    var sizeLg2: UInt8 = 12
    var event: UInt8 = 0
    /// The record's words, where the vector gives them.
    var record: [UInt64]?
    /// What a descriptor must be afterwards.
    var after: (address: UInt64, value: UInt64)?
    /// Virtual and physical addresses of 52 bits.
    var wide = false
  }

  static let granule16K: [UInt64: UInt64] = [
    0x4000_0008: 0x4000_4003, 0x4000_4008: 0x4000_8003, 0x4000_8008: 0x4000_C003,
    0x4000_C010: 0x1234_4F47, 0x4000_8010: 0x8400_0F45,
  ]
  static let granule64K: [UInt64: UInt64] = [
    0x4000_0008: 0x4001_0003, 0x4001_0008: 0x4002_0003, 0x4002_0018: 0x1234_0F47,
    0x4001_0010: 0xA000_0F45,
  ]
  static let granule64KWide: [UInt64: UInt64] = [
    0x4000_1E08: 0x4001_0003, 0x4001_0008: 0x4002_0003, 0x4002_0018: 0x1234_FF47,
    0x4000_1F08: 0x0000_4000_0000_8F45,
  ]
  static let contiguous: [UInt64: UInt64] = Dictionary(
    uniqueKeysWithValues: (0..<16).map {
      (0x4000_3080 + UInt64($0) * 8, 0x0010_0000_1234_0F47 + UInt64($0) << 12)
    })
  static let ha: UInt64 = 1 << 43
  static let hd: UInt64 = 1 << 42

  static let vectors: [Vector] = [
    Vector(name: "A1 read", address: 0x80_4060_4ABC, physical: 0x1234_5ABC),
    Vector(name: "A1 write", access: .write, address: 0x80_4060_4ABC, physical: 0x1234_5ABC),
    Vector(name: "A2", access: .write, address: 0x80_4081_2345, physical: 0x8021_2345, sizeLg2: 21),
    Vector(name: "A3", address: 0x80_C123_4567, physical: 0xC123_4567, sizeLg2: 30),
    Vector(name: "A4 read", address: 0x80_4060_5000, physical: 0x1234_6000),
    Vector(name: "A4 write", access: .write, address: 0x80_4060_5000, event: 0x13),
    Vector(
      name: "A5, A48", address: 0x80_4061_0000, event: 0x10,
      record: [0x0000_0208_0000_0010, 0x0000_0208_0000_0000, 0x80_4061_0000, 0]),
    Vector(
      name: "A6 HA=0, A52", address: 0x80_4060_C000, event: 0x12,
      record: [0x0000_0208_0000_0012, 0x0000_0208_0000_0000, 0x80_4060_C000, 0]),
    Vector(
      name: "A6 HA=1", cd: Rig.cdWord(extra: ha), address: 0x80_4060_C000, physical: 0x1234_7000,
      after: (0x4000_3060, 0x1234_7F47)),
    Vector(name: "A7 HD=0", access: .write, address: 0x80_4060_D000, event: 0x13),
    Vector(
      name: "A7 HD=1", cd: Rig.cdWord(extra: ha | hd), access: .write, address: 0x80_4060_D000,
      physical: 0x1234_8000, after: (0x4000_3068, 0x0008_0000_1234_8F47)),
    Vector(name: "A8 unprivileged", address: 0x80_4060_E000, event: 0x13),
    Vector(name: "A8 privileged", privileged: true, address: 0x80_4060_E000, physical: 0x1234_9000),
    Vector(name: "A9", address: 0x80_4060_F000, event: 0x10),
    Vector(name: "A10", address: 0x100_0000_0000, event: 0x10),
    Vector(name: "A11", address: 0x1_0000_0000_0000, event: 0x10),
    Vector(name: "A12 write", access: .write, address: 0x80_40C0_0000, event: 0x13),
    Vector(name: "A12 read", address: 0x80_40C0_0000, physical: 0x1234_5000),
    Vector(
      name: "A13, A52", cd: Rig.cdWord(ips: 2), extra: [0x4000_0008: 0x0000_0100_4000_1003],
      address: 0x80_4060_4ABC, event: 0x11,
      record: [0x0000_0208_0000_0011, 0x0000_0208_0000_0000, 0x80_4060_4ABC, 0]),
    Vector(
      name: "A14", cd: Rig.cdWord(ips: 2), extra: [0x4000_3020: 0x0000_0100_1234_5F47],
      address: 0x80_4060_4ABC, event: 0x11),
    Vector(
      name: "A15", cd: Rig.cdWord(t0sz: 25),
      extra: [0x4000_0008: 0x4000_1003, 0x4000_1018: 0x4000_2003, 0x4000_2020: 0x1234_5F47], bare: true,
      address: 0x4060_4ABC, physical: 0x1234_5ABC),
    Vector(
      name: "A16, set again", cd: Rig.cdWord(extra: ha | hd),
      extra: [0x4000_3020: 0x0008_0000_1234_5FC7], access: .write, address: 0x80_4060_4000,
      physical: 0x1234_5000, after: (0x4000_3020, 0x0008_0000_1234_5F47)),
    Vector(
      name: "A18", cd: Rig.cdWord(tg0: 2), extra: granule16K, bare: true, address: 0x8010_0200_8ABC,
      physical: 0x1234_4ABC, sizeLg2: 14),
    Vector(
      name: "A19", cd: Rig.cdWord(tg0: 2), extra: granule16K, bare: true, address: 0x8010_0412_3456,
      physical: 0x8412_3456, sizeLg2: 25),
    Vector(
      name: "A20", cd: Rig.cdWord(tg0: 1), extra: granule64K, bare: true, address: 0x400_2003_ABCD,
      physical: 0x1234_ABCD, sizeLg2: 16),
    Vector(
      name: "A21", cd: Rig.cdWord(tg0: 1), extra: granule64K, bare: true, address: 0x400_4123_4567,
      physical: 0xA123_4567, sizeLg2: 29),
    Vector(
      name: "A22", cd: Rig.cdWord(t0sz: 12, tg0: 1, ips: 6), extra: granule64KWide, bare: true,
      address: 0xF_0400_2003_ABCD, physical: 0xF_0000_1234_ABCD, sizeLg2: 16, wide: true),
    Vector(
      name: "A23", cd: Rig.cdWord(t0sz: 12, tg0: 1, ips: 6), extra: granule64KWide, bare: true,
      address: 0xF_8400_1234_5678, physical: 0x8_4000_1234_5678, sizeLg2: 42, wide: true),
    Vector(name: "A24 first", extra: contiguous, address: 0x80_4061_0123, physical: 0x1234_0123),
    Vector(name: "A24 last", extra: contiguous, address: 0x80_4061_F123, physical: 0x1234_F123),
    Vector(name: "A25 read", tables: .stage2, address: 0x80_4060_4ABC, physical: 0x1234_5ABC),
    Vector(
      name: "A25 write", tables: .stage2, access: .write, address: 0x80_4060_4ABC, physical: 0x1234_5ABC),
    Vector(
      name: "A26", tables: .stage2, access: .write, address: 0x80_8123_4567, physical: 0x8123_4567,
      sizeLg2: 30),
    Vector(
      name: "A27 write", tables: .stage2, access: .write, address: 0x80_4060_5000, event: 0x13,
      record: [0x0000_0208_0000_0013, 0x0000_0280_0000_0000, 0x80_4060_5000, 0x80_4060_5000]),
    Vector(name: "A27 read", tables: .stage2, address: 0x80_4060_5000, physical: 0x1234_6000),
    Vector(
      name: "A28", tables: .stage2, address: 0x100_0000_0000, event: 0x10,
      record: [0x0000_0208_0000_0010, 0x0000_0288_0000_0000, 0x100_0000_0000, 0x100_0000_0000]),
    Vector(name: "A32", tables: .nested, address: 0x4060_4ABC, physical: 0x6008_0ABC, sizeLg2: 21),
    Vector(
      name: "A33", tables: .nested, address: 0x4060_5000, event: 0x10,
      record: [0x0000_0208_0000_0010, 0x0000_0288_0000_0000, 0x4060_5000, 0x80_4020_0000]),
    Vector(
      name: "A34", tables: .nested, address: 0x4080_0000, event: 0x10,
      record: [0x0000_0208_0000_0010, 0x0000_0188_0000_0000, 0x4080_0000, 0x80_4100_0000]),
  ]

  @Test func everyVector() {
    for vector in Self.vectors {
      var configuration = SMMUv3.Configuration()
      if vector.wide { configuration.idr5 = configuration.idr5 & ~7 | 6 | 1 << 10 }
      let rig = Rig(configuration)
      switch vector.tables {
      case .stage1:
        if !vector.bare { rig.tables4K() }
        rig.stage1(vector.cd)
      case .stage2:
        rig.tablesStage2()
        rig.stage2()
      case .nested: rig.nested()
      }
      rig.put(vector.extra)
      check(vector, rig)
    }
    print("SMMUv3: \(Self.vectors.count) translation vectors")
  }

  private func check(_ vector: Vector, _ rig: Rig) {
    let transaction = Transaction(
      source: Rig.sid, address: vector.address, access: vector.access, privileged: vector.privileged)
    // The report says the same and changes nothing.
    let report = rig.smmu.walk(transaction)
    let answer = rig.smmu.translate(transaction)
    #expect(answer.physical == vector.physical, "\(vector.name)")
    if let translation = answer.translation {
      // Of a nested translation both sizes count.
      let size = vector.tables == .nested ? 12 : vector.sizeLg2
      #expect(translation.sizeLg2 == size, "\(vector.name)")
      #expect(!translation.fromCache)
    }
    #expect(answer.code == (vector.event == 0 ? nil : UInt32(vector.event)), "\(vector.name)")
    #expect(report.answer == answer, "\(vector.name)")
    #expect(report.steps.count >= 2, "\(vector.name)")
    let events = rig.events()
    if let record = vector.record {
      #expect(events == [record], "\(vector.name)")
    } else {
      #expect(events.count == (vector.event == 0 ? 0 : 1), "\(vector.name)")
    }
    if let after = vector.after { #expect(rig.get(after.address) == after.value, "\(vector.name)") }
    // Once more, from the TLB.
    if vector.physical != nil {
      let again = rig.smmu.translate(transaction)
      #expect(again.physical == vector.physical, "\(vector.name)")
      #expect(again.translation?.fromCache == true, "\(vector.name)")
    }
  }

  /// A17: after the split of a block, 511 leaves and a hole.
  @Test func splitBlock() {
    let rig = Rig()
    rig.tables4K()
    rig.put(0x4000_2020, 0x4000_4003)
    for index in 0..<512 where index != 1 {
      rig.put(0x4000_4000 + UInt64(index) * 8, 0x8020_0F47 + UInt64(index) << 12)
    }
    rig.stage1()
    for index in 0..<512 {
      let answer = rig.dma(.write, 0x80_4080_0000 + UInt64(index) << 12)
      if index == 1 {
        #expect(answer.code == 0x10)
      } else {
        #expect(answer.physical == 0x8020_0000 + UInt64(index) << 12)
      }
    }
  }

  /// A29 and A30: how wide the root is, by its last entry.
  @Test(arguments: [
    (bits: UInt64(42), sl0: UInt64(1), index: UInt64(0xFFF), shift: UInt64(30)),
    (44, 2, 0x1F, 39), (43, 1, 0x1FFF, 30), (40, 1, 0x3FF, 30), (43, 2, 0xF, 39),
  ])
  func concatenation(_ row: (bits: UInt64, sl0: UInt64, index: UInt64, shift: UInt64)) {
    let rig = Rig()
    let dw2 = Rig.stage2Word & ~(0xFF << 32) | (64 - row.bits) << 32 | row.sl0 << 38
    rig.stage2(dw2, s2ttb: 0x5000_0000)
    let entry = 0x5000_0000 + row.index * 8
    let address = row.index << row.shift
    if row.shift == 39 {
      rig.put(entry, 0x4800_0003)
      rig.put(0x4800_0000, 0x8000_07FD)
    } else {
      rig.put(entry, 0x8000_07FD)
    }
    #expect(rig.reads(address + 0x1234) == 0x8000_1234)
    #expect(rig.dma(.read, 1 << row.bits).code == 0x10)
  }

  /// A31: with 40 bits of physical address 16K tables must start at level 2.
  @Test func strictStartLevel() {
    var configuration = SMMUv3.Configuration()
    configuration.idr5 = configuration.idr5 & ~7 | 2
    for (sl0, strict, code) in [(UInt64(2), true, UInt32?(4)), (2, false, 0x10), (1, true, 0x10)] {
      configuration.strictStartLevel = strict
      let rig = Rig(configuration)
      let dw2 = Rig.stage2Word & ~(3 << 38 | 3 << 46 | 7 << 48) | sl0 << 38 | 2 << 46 | 2 << 48
      rig.stage2(dw2, s2ttb: 0x5000_0000)
      #expect(rig.dma(.read, 0x1000).code == code)
    }
  }
}
