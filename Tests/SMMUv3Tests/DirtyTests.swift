// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Access flags and dirty bits, of both stages. IHI 0070, 3.13.
@Suite struct DirtyTests {
  static let ha: UInt64 = 1 << 43
  static let hd: UInt64 = 1 << 42

  /// (CD bits, descriptor, write?, answer code, descriptor afterwards): the table of the reference's A1.6.
  static let states: [(cd: UInt64, before: UInt64, write: Bool, code: UInt32?, after: UInt64)] = [
    (0, 0x1234_5FC7, true, 0x13, 0x1234_5FC7), (0, 0x0008_0000_1234_5FC7, true, 0x13, 0x0008_0000_1234_5FC7),
    (ha | hd, 0x1234_5FC7, true, 0x13, 0x1234_5FC7),
    (ha | hd, 0x0008_0000_1234_5FC7, true, nil, 0x0008_0000_1234_5F47),
    (ha | hd, 0x0008_0000_1234_5FC7, false, nil, 0x0008_0000_1234_5FC7),
    (hd, 0x0008_0000_1234_5FC7, true, 0x13, 0x0008_0000_1234_5FC7),
    (0, 0x0008_0000_1234_5F47, true, nil, 0x0008_0000_1234_5F47), (0, 0x1234_5F47, true, nil, 0x1234_5F47),
    (0, 0x1234_5B47, false, 0x12, 0x1234_5B47), (ha, 0x1234_5B47, false, nil, 0x1234_5F47),
    (1 << 35, 0x1234_5B47, false, nil, 0x1234_5B47),
    (ha | hd, 0x0008_0000_1234_5BC7, true, nil, 0x0008_0000_1234_5F47),
    (ha | hd, 0x0008_0000_1234_5BC7, false, nil, 0x0008_0000_1234_5FC7),
  ]

  @Test func stage1States() {
    for (index, row) in Self.states.enumerated() {
      for big in [false, true] {
        let rig = Rig()
        let order = { (word: UInt64) in big ? word.byteSwapped : word }
        rig.stage1(Rig.cdWord(t0sz: 34, extra: row.cd | (big ? 1 << 15 : 0)))
        rig.put([0x4000_0000: order(0x4000_3003), 0x4000_3008: order(row.before)])
        let access: Transaction.Access = row.write ? .write : .read
        // The report changes nothing and foresees the answer.
        let report = rig.smmu.walk(Transaction(source: Rig.sid, address: 0x1000, access: access))
        #expect(rig.get(0x4000_3008) == order(row.before))
        let answer = rig.dma(access, 0x1000)
        #expect(answer.code == row.code, "\(index)")
        #expect(report.answer == answer, "\(index)")
        #expect(rig.get(0x4000_3008) == order(row.after), "\(index)")
      }
    }
  }

  /// A clean page is cached read-only until a write marks it; a page that was marked clean in memory alone is
  /// written without a mark (A9's bug 12).
  @Test func cleanAndCached() {
    let rig = Rig()
    rig.stage1(Rig.cdWord(extra: Self.ha | Self.hd))
    rig.tables4K()
    let leaf: UInt64 = 0x4000_3068
    #expect(rig.dma(.read, 0x80_4060_D000).translation?.writable == false)
    #expect(rig.get(leaf) == 0x0008_0000_1234_8FC7)
    #expect(rig.dma(.write, 0x80_4060_D000).translation?.fromCache == false)
    #expect(rig.get(leaf) == 0x0008_0000_1234_8F47)
    #expect(rig.dma(.write, 0x80_4060_D000).translation?.fromCache == true)
    rig.put(leaf, 0x0008_0000_1234_8FC7)
    #expect(rig.dma(.write, 0x80_4060_D000).physical == 0x1234_8000)
    #expect(rig.get(leaf) == 0x0008_0000_1234_8FC7, "not marked: the flush is missing")
    rig.command((0x0001_0000_0000_0012, 0x80_4060_D001))
    #expect(rig.dma(.write, 0x80_4060_D000).physical == 0x1234_8000)
    #expect(rig.get(leaf) == 0x0008_0000_1234_8F47)
  }

  /// HTTU = 3: the access flag of table descriptors.
  @Test func tableAccessFlag() {
    var configuration = SMMUv3.Configuration()
    configuration.idr0 |= 3 << 6
    let rig = Rig(configuration)
    rig.tables4K()
    rig.stage1(Rig.cdWord(extra: Self.ha), ttb0: 0x4000_0008 & ~8 | 8)
    #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    #expect(rig.get(0x4000_0008) == 0x4000_1403)
    #expect(rig.get(0x4000_1008) == 0x4000_2403)
    #expect(rig.get(0x4000_2018) == 0x4000_3403)
    let plain = Rig()
    plain.tables4K()
    plain.stage1(Rig.cdWord(extra: Self.ha), ttb0: 0x4000_0008)
    #expect(plain.reads(0x80_4060_4000) == 0x1234_5000)
    #expect(plain.get(0x4000_0008) == 0x4000_1003, "HTTU = 2 has no HAFT")
  }

  @Test func stage2States() {
    let s2ha: UInt64 = 1 << 56
    let s2hd: UInt64 = 1 << 55
    let rows: [(dw2: UInt64, before: UInt64, write: Bool, code: UInt32?, after: UInt64)] = [
      (0, 0x1234_577F, true, 0x13, 0x1234_577F), (s2ha | s2hd, 0x1234_577F, true, 0x13, 0x1234_577F),
      (s2ha | s2hd, 0x0008_0000_1234_577F, true, nil, 0x0008_0000_1234_57FF),
      (s2ha | s2hd, 0x0008_0000_1234_577F, false, nil, 0x0008_0000_1234_577F),
      (s2hd, 0x0008_0000_1234_577F, true, 0x13, 0x0008_0000_1234_577F),
      (0, 0x1234_53FF, false, 0x12, 0x1234_53FF), (s2ha, 0x1234_53FF, false, nil, 0x1234_57FF),
      (1 << 53, 0x1234_53FF, false, nil, 0x1234_53FF),
    ]
    for (index, row) in rows.enumerated() {
      let rig = Rig()
      rig.tablesStage2()
      rig.stage2(Rig.stage2Word | row.dw2)
      rig.put(0x4000_3020, row.before)
      let answer = rig.dma(row.write ? .write : .read, 0x80_4060_4000)
      #expect(answer.code == row.code, "\(index)")
      #expect(rig.get(0x4000_3020) == row.after, "\(index)")
      if let code = row.code {
        #expect(rig.event()?[0] == 0x0000_0208_0000_0000 | UInt64(code))
      }
    }
  }

  /// Marking a stage 1 descriptor is a write to stage 2 memory: F_PERMISSION, CLASS = TT, TTRnW = 0.
  @Test func nestedUpdate() {
    for dirty in [false, true] {
      let rig = Rig()
      rig.nested()
      // Stage 2 of everything: readable, and writable-clean or read-only.
      let block: UInt64 = dirty ? 0x0008_0000_6000_077D : 0x6000_077D
      rig.put(0x5000_2000, block)
      rig.ste(0x80_4010_0000 | 0xF, 0, Rig.stage2Word | (dirty ? 3 << 55 : 0), 0x5000_0000)
      rig.cd(Rig.cdWord(t0sz: 25, extra: Self.ha), 0x80_4000_0000, at: 0x6010_0000)
      rig.put(0x6000_2020, 0x80_4008_0B47)
      let answer = rig.dma(.read, 0x4060_4ABC)
      if dirty {
        #expect(answer.physical == 0x6008_0ABC)
        #expect(rig.get(0x6000_2020) == 0x80_4008_0F47)
        #expect(rig.get(0x5000_2000) == 0x0008_0000_6000_07FD)
      } else {
        #expect(answer.code == 0x13)
        #expect(
          rig.event() == [0x0000_0208_0000_0013, 0x0000_0188_0000_0000, 0x4060_4ABC, 0x80_4000_2000])
        // TTRnW is 1 for a read: S2PTW and tables in Device memory.
        rig.put(0x6000_2020, 0x80_4008_0F47)
        rig.put(0x5000_2000, 0x6000_07C5)
        rig.forget()
        #expect(rig.dma(.read, 0x4060_4ABC).code == 0x13)
        #expect(rig.event().map { $0[1] } == 0x0000_1188_0000_0000)
        rig.ste(0x80_4010_0000 | 0xF, 0, Rig.stage2Word & ~(1 << 54), 0x5000_0000)
        rig.forget()
        #expect(rig.dma(.read, 0x4060_4ABC).physical == 0x6008_0ABC, "without S2PTW")
      }
    }
  }

  /// Stage 2 faults of a nested stream, by what was being fetched.
  @Test func nestedClasses() {
    let rows: [(name: String, change: @Sendable (Rig) -> Void, record: [UInt64])] = [
      (
        "CD", { $0.ste(0x80_4020_000F, 0, Rig.stage2Word, 0x5000_0000) },
        [0x0000_0208_0000_0010, 0x0000_0088_0000_0000, 0x4060_4ABC, 0x80_4020_0000]
      ),
      (
        "CD, EABT", { $0.put(0x5000_2000, 0x0FF0_0000_07FD) },
        [0x0000_0208_0000_0009, 0, 0, 0x0FF0_0010_0000]
      ),
      (
        "stage 2 table missing, EABT", { $0.put(0x5000_1008, 0x0FF0_0000_0003) },
        [0x0000_0208_0000_000B, 0x0000_0088_0000_0000, 0x4060_4ABC, 0x0FF0_0000_0000]
      ),
      (
        "stage 2 output size",
        {
          $0.put(0x5000_1008, 0x0000_5000_2000 | 3 | 1 << 47);
          $0.ste(0x80_4010_000F, 0, Rig.stage2Word & ~(7 << 48) | 2 << 48, 0x5000_0000)
        },
        [0x0000_0208_0000_0011, 0x0000_0088_0000_0000, 0x4060_4ABC, 0x80_4010_0000]
      ),
      (
        "stage 1 output beyond stage 2", { $0.put(0x6000_2020, 0x8100_4008_0F47) },
        [0x0000_0208_0000_0010, 0x0000_0288_0000_0000, 0x4060_4ABC, 0x8100_4008_0000]
      ),
      (
        "stage 1 permission first", { $0.put(0x6000_2020, 0x80_4020_0F07) },
        [0x0000_0208_0000_0013, 0x0000_0208_0000_0000, 0x4060_4ABC, 0]
      ),
    ]
    for row in rows {
      let rig = Rig()
      rig.nested()
      row.change(rig)
      #expect(rig.dma(.read, 0x4060_4ABC).code == UInt32(row.record[0] & 0xFF), "\(row.name)")
      #expect(rig.event() == row.record, "\(row.name)")
    }
  }

  /// A nested permission fault out of the TLB is that of the right stage.
  @Test func nestedPermissionFromCache() {
    let rig = Rig()
    rig.nested()
    rig.put(0x5000_2000, 0x6000_077D)
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC)
    #expect(rig.dma(.write, 0x4060_4ABC).code == 0x13)
    #expect(rig.event() == [0x0000_0208_0000_0013, 0x0000_0280_0000_0000, 0x4060_4ABC, 0x80_4008_0000])
    rig.put(0x6000_2020, 0x80_4008_0FC7)
    rig.forget()
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC)
    #expect(rig.dma(.write, 0x4060_4ABC).code == 0x13)
    #expect(rig.event() == [0x0000_0208_0000_0013, 0x0000_0200_0000_0000, 0x4060_4ABC, 0])
  }
}
