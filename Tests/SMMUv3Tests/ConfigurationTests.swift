// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Stream tables, STEs and CDs: vectors A35 to A47, and every rule that makes one of them illegal.
@Suite struct ConfigurationTests {
  /// A35, A36: the two-level table by its addresses, and spans that do not reach.
  @Test func twoLevelStreamTable() {
    let rig = Rig()
    rig.ste(0x9, 0x0000_1000_0000_0000)
    let report = rig.smmu.walk(Transaction(source: Rig.sid, address: 0x1234))
    #expect(report.steps.map(\.structure) == ["L1STD", "STE"])
    #expect(report.steps.map(\.address) == [0x1000_0010, 0x1100_0200])
    #expect(report.steps[0].words == [0x1100_0009])
    #expect(rig.reads(0x1234) == 0x1234)

    let bad = [UInt64(0x1100_0000), 0x1100_0001, 0x1100_0008, 0x1100_000A, 0x1100_000C, 0x1100_001F]
    for (index, descriptor) in bad.enumerated() {
      // 8 and 1 are legal spans, too short for the index.
      rig.put(0x1000_0010, descriptor)
      let sid: UInt32 = descriptor & 31 == 8 ? 0x2FF : Rig.sid
      rig.forget()
      #expect(rig.dma(.read, 0, sid: sid).code == 2, "\(index)")
      #expect(rig.event() == [UInt64(sid) << 32 | 2, 0, 0, 0], "\(index)")
    }
    // Out of LOG2SIZE; and in silence without RECINVSID.
    #expect(rig.dma(.read, 0, sid: 0x1_0000).code == 2)
    #expect(rig.event() != nil)
    rig.write(0x20, 4, 0x1E)
    rig.write(0x2C, 4, 0)
    rig.write(0x20, 4, 0x1F)
    let silent = rig.dma(.read, 0, sid: 0x1_0000)
    #expect(silent.code == 2)
    #expect(silent.abort?.recorded == false)
    #expect(rig.event() == nil)
  }

  @Test func linearStreamTable() {
    let rig = Rig(enabled: false)
    rig.write(0x80, 8, 0x1800_0000)
    rig.write(0x88, 4, 6)
    rig.write(0x20, 4, 0x1F)
    rig.put(0x1800_0000 + 63 * 64, 0x9)
    #expect(rig.reads(0x77, sid: 63) == 0x77)
    #expect(rig.dma(.read, 0, sid: 64).code == 2)
    #expect(rig.dma(.read, 0, sid: 62).code == 4)
  }

  /// A37: bypass and abort.
  @Test func bypassAndAbort() {
    let rig = Rig()
    rig.ste(0x9, 0x0000_1000_0000_0000)
    let bypass = rig.dma(.write, 0xABCD)
    #expect(bypass.translation == Translation(address: 0xABCD, sizeLg2: 12))
    #expect(rig.dma(.write, 1 << 48).code == 0x11)
    #expect(rig.events().map { $0[1] >> 32 } == [0x200])
    rig.ste(0x1)
    rig.forget()
    let abort = rig.dma(.read, 0)
    #expect(abort.code == 0)
    #expect(abort.abort?.recorded == false)
    #expect(rig.event() == nil)
  }

  /// A38 to A42, A46: what the words say.
  @Test func encodings() {
    let capabilities = SMMUv3.Capabilities(SMMUv3.Configuration())
    let s1 = SMMUv3.StreamTableEntry(.init(0x8000_0000_1200_002B, 0x0800_00D6), capabilities)
    #expect(s1?.config == 5)
    #expect(s1?.contextPointer == 0x1200_0000)
    #expect(s1?.cdMax == 16)
    #expect(s1?.raw[SMMU.STE.s1Format] == 2)
    #expect(s1?.raw[SMMU.STE.s1DSS] == 2)
    #expect(s1?.stallDisabled == true)
    let e2h = SMMUv3.StreamTableEntry(.init(0x8000_0000_1200_002B, 0x9000_00D6), capabilities)
    #expect(e2h?.raw[SMMU.STE.strw] == SMMU.STE.worldEL2)
    #expect(e2h?.raw[SMMU.STE.eats] == SMMU.STE.eatsFull)

    guard let s1 else { return }
    let rows: [(word: UInt64, asid: UInt64, ips: UInt64, bits: UInt64, granule: UInt64, dirty: Bool)] = [
      (0x0001_E205_C000_3510, 1, 5, 48, 12, false), (0x0001_EE05_C000_3510, 1, 5, 48, 12, true),
      (0x0002_E205_C000_3590, 2, 5, 48, 14, false),
    ]
    for row in rows {
      let cd = SMMUv3.ContextDescriptor(
        .init(row.word, 0x4000_0000, 0, 0xFFFF_FFFF_F404_FF44), s1, capabilities, e2h: false)
      #expect(cd?.asid == row.asid)
      #expect(cd?.low.geometry.inputBits == row.bits)
      #expect(cd?.low.geometry.granuleLg2 == row.granule)
      #expect(cd?.low.geometry.outputBits == 48)
      #expect(cd?.high.enabled == false)
      #expect(cd?.raw.flag(SMMU.CD.hd) == row.dirty)
      #expect(cd?.raw.flag(SMMU.CD.ha) == row.dirty)
    }
    var wide = SMMUv3.Configuration()
    wide.idr5 = wide.idr5 & ~7 | 6 | 1 << 10
    let cd = SMMUv3.ContextDescriptor(
      .init(0x0003_E206_C000_354C, 0x4000_0000), s1, SMMUv3.Capabilities(wide), e2h: false)
    #expect(cd?.asid == 3)
    #expect(cd?.low.geometry.inputBits == 52)
    #expect(cd?.low.geometry.startLevel == 1)
    #expect(cd?.low.geometry.outputBits == 52)

    let s2 = SMMUv3.StreamTableEntry(.init(0xD, 0, 0x044C_3558_0000_0005, 0x4000_0000), capabilities)
    #expect(s2?.config == 6)
    #expect(s2?.stage2.geometry.inputBits == 40)
    #expect(s2?.stage2.geometry.startLevel == 1)
    #expect(s2?.stage2.geometry.rootMask == 1023)
    #expect(s2?.stage2.protectsWalk == true)
    // A47: the nested STE.
    let nested = SMMUv3.StreamTableEntry(
      .init(0x2000_0080_4010_000F, 0x0000_1000_000800D6, 0x044C_3558_0000_0005, 0x4000_0000), capabilities)
    #expect(nested?.config == 7)
    #expect(nested?.cdMax == 4)
    #expect(nested?.contextPointer == 0x80_4010_0000)
    #expect(nested?.raw.flag(SMMU.STE.mev) == true)
  }

  /// A43, A44: two levels of CDs.
  @Test func twoLevelContexts() {
    let rig = Rig()
    rig.tables4K()
    rig.ste(0x8000_0000_1200_002B, 0x0000_00D6)
    rig.put(0x1200_0008, 0x1300_0001)
    rig.cd(Rig.cdWord(asid: 9), 0x4000_0000, 0, 0, at: 0x1300_0180)
    let report = rig.smmu.walk(Transaction(source: Rig.sid, pasid: 1030, address: 0x80_4060_4ABC))
    #expect(report.steps[2].structure == "L1CD")
    #expect(report.steps[2].address == 0x1200_0008)
    #expect(report.steps[3].structure == "CD")
    #expect(report.steps[3].address == 0x1300_0180)
    #expect(rig.reads(0x80_4060_4ABC, pasid: 1030) == 0x1234_5ABC)
    // V = 0, and a pointer beyond the physical addresses.
    for (index, descriptor) in [UInt64(0x1300_0000), 0x0001_0000_1300_0001].enumerated() {
      rig.put(0x1200_0008, descriptor)
      rig.forget()
      #expect(rig.dma(.read, 0, pasid: 1030).code == 8, "\(index)")
      #expect(rig.event() == [0x0000_0208_0040_6008, 0, 0, 0], "\(index)")
    }
    // 64 CDs in a leaf.
    rig.ste(0x8000_0000_1200_001B, 0x0000_00D6)
    rig.put(0x1200_0000 + 16 * 8, 0x1400_0001)
    rig.cd(Rig.cdWord(asid: 9), 0x4000_0000, 0, 0, at: 0x1400_0000 + 6 * 64)
    rig.forget()
    #expect(rig.reads(0x80_4060_4ABC, pasid: 1030) == 0x1234_5ABC)
  }

  /// A45, and the other ways a SubstreamID can be wrong: (STE words, SSID, event).
  @Test func substreams() {
    let max4: UInt64 = 4 << 59
    let rows: [(dw0: UInt64, dw1: UInt64, ssid: UInt32?, event: UInt32?)] = [
      (max4 | 0x1200_000B, 2, 0, 6), (max4 | 0x1200_000B, 0, nil, 6), (max4 | 0x1200_000B, 0, 0, nil),
      (max4 | 0x1200_000B, 2, nil, nil), (max4 | 0x1200_000B, 2, 16, 8), (max4 | 0x1200_000B, 2, 1 << 20, 8),
      (max4 | 0x1200_000B, 2, .max, 8), (0x1200_000B, 0, 1, 8), (0x9, 0, 1, 8), (0xD, 0, 1, 8),
      (max4 | 0x1200_000B, 1, nil, nil),
    ]
    for (index, row) in rows.enumerated() {
      let rig = Rig()
      rig.tables4K()
      rig.ste(row.dw0, row.dw1, Rig.stage2Word, 0x4000_0000)
      rig.cd(Rig.cdWord(), 0x4000_0000)
      let answer = rig.dma(.read, 0x80_4060_4000, pasid: row.ssid)
      #expect(answer.code == row.event, "\(index)")
      if row.event == 6 { #expect(rig.event() == [0x0000_0208_0000_0006, 0, 0, 0]) }
      if row.dw1 == 1 { #expect(answer.physical == 0x80_4060_4000) }
    }
    // A49: SSV and SSID in a record.
    let rig = Rig()
    rig.tables4K()
    rig.ste(max4 | 0x1200_000B, 2)
    rig.cd(Rig.cdWord(), 0x4000_0000, at: 0x1200_0000 + 7 * 64)
    #expect(rig.dma(.write, 0x80_4060_5000, pasid: 7).code == 0x13)
    #expect(rig.event() == [0x0000_0208_0000_7813, 0x0000_0200_0000_0000, 0x80_4060_5000, 0])
  }

  typealias Change = (
    name: String, words: [UInt64], configure: @Sendable (inout SMMUv3.Configuration) -> Void
  )
  static let unchanged: @Sendable (inout SMMUv3.Configuration) -> Void = { _ in }

  /// Each row breaks one rule of IHI 0070, 5.2.2.
  static let illegalSTEs: [Change] = [
    ("V", [0xA], unchanged),
    ("S1P", [0x1200_000B], { $0.idr0 &= ~2 }),
    ("S2P", [0xD, 0, Rig.stage2Word, 0x4000_0000], { $0.idr0 &= ~1 }),
    ("EATS=2 without nesting", [0xD, 2 << 28, Rig.stage2Word, 0x4000_0000], unchanged),
    ("EATS=2 with NS1ATS", [0xF, 2 << 28, Rig.stage2Word, 0x4000_0000], { $0.idr0 |= 1 << 11 }),
    ("EATS=2 with S2S", [0xF, 2 << 28, Rig.stage2Word | 1 << 57, 0x4000_0000], unchanged),
    ("EATS=1 with S2S", [0xD, 1 << 28, Rig.stage2Word | 1 << 57, 0x4000_0000], unchanged),
    ("STRW 1", [0x1200_000B, 1 << 30], unchanged), ("STRW 3", [0x1200_000B, 3 << 30], unchanged),
    ("STRW 2 without HYP", [0x1200_000B, 2 << 30], { $0.idr0 &= ~(1 << 9) }),
    ("STRW 2 nested", [0xF, 2 << 30, Rig.stage2Word, 0x4000_0000], unchanged),
    ("S1STALLD, no stalls", [0x1200_000B, 1 << 27], { $0.idr0 |= 1 << 24 }),
    ("S1STALLD, forced", [0x1200_000B, 1 << 27], { $0.idr0 |= 2 << 24 }),
    ("S1CDMax", [21 << 59 | 0x1200_000B, 2], unchanged),
    ("S1Fmt without CD2L", [4 << 59 | 0x1200_002B, 2], { $0.idr0 &= ~(1 << 19) }),
    ("S1Fmt 3", [4 << 59 | 0x1200_003B, 2], unchanged),
    ("S1ContextPtr", [0x0001_0000_0000_000B], unchanged),
    ("S1ContextPtr, nested", [0x0001_0000_0000_000F, 0, Rig.stage2Word, 0x4000_0000], unchanged),
    ("S2S, no stalls", [0xD, 0, Rig.stage2Word | 1 << 57, 0x4000_0000], { $0.idr0 |= 1 << 24 }),
    ("no S2S, forced", [0xD, 0, Rig.stage2Word, 0x4000_0000], { $0.idr0 |= 2 << 24 }),
    ("S2AA64", [0xD, 0, Rig.stage2Word & ~(1 << 51), 0x4000_0000], unchanged),
    ("S2TG 3", [0xD, 0, Rig.stage2Word | 3 << 46, 0x4000_0000], unchanged),
    ("S2TG, no 4K", [0xD, 0, Rig.stage2Word, 0x4000_0000], { $0.idr5 &= ~(1 << 4) }),
    ("S2ENDI, little", [0xD, 0, Rig.stage2Word | 1 << 52, 0x4000_0000], { $0.idr0 |= 2 << 21 }),
    ("S2ENDI, big", [0xD, 0, Rig.stage2Word, 0x4000_0000], { $0.idr0 |= 3 << 21 }),
    ("S2HA", [0xD, 0, Rig.stage2Word | 1 << 56, 0x4000_0000], { $0.idr0 &= ~(3 << 6) }),
    ("S2HD", [0xD, 0, Rig.stage2Word | 1 << 55, 0x4000_0000], { $0.idr0 &= ~(3 << 6) }),
    (
      "S2HD, HTTU=1", [0xD, 0, Rig.stage2Word | 3 << 55, 0x4000_0000],
      {
        $0.idr0 &= ~(2 << 6); $0.idr0 |= 1 << 6
      }
    ),
    (
      "S2T0SZ 40", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 40 << 32, 0x4000_0000], { $0.idr3 &= ~(1 << 9) }
    ),
    ("S2T0SZ 49", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 49 << 32 | 3 << 38, 0x4000_0000], unchanged),
    ("S2T0SZ 15", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 15 << 32 | 2 << 38, 0x4000_0000], unchanged),
    (
      "S2T0SZ < 64-IAS", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 19 << 32 | 2 << 38, 0x4000_0000],
      { $0.idr5 = $0.idr5 & ~7 | 4 }
    ),
    ("17 tables", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 20 << 32 | 1 << 38, 0x4000_0000], unchanged),
    ("no index", [0xD, 0, Rig.stage2Word & ~(0xFF << 32) | 34 << 32 | 1 << 38, 0x4000_0000], unchanged),
    ("S2SL0 3 with 16K", [0xD, 0, Rig.stage2Word | 2 << 46 | 3 << 38, 0x4000_0000], unchanged),
    ("S2SL0 3 without STT", [0xD, 0, Rig.stage2Word | 3 << 38, 0x4000_0000], { $0.idr3 &= ~(1 << 9) }),
    ("S2TTB", [0xD, 0, Rig.stage2Word & ~(7 << 48) | 2 << 48, 0x100_0000_0000], unchanged),
    ("VMID", [0xD, 0, Rig.stage2Word | 0x100, 0x4000_0000], { $0.idr0 &= ~(1 << 18) }),
    (
      "level 0 with 42 bits",
      [0xD, 0, Rig.stage2Word & ~(0xFF << 32 | 7 << 48) | 22 << 32 | 2 << 38 | 3 << 48, 0x4000_0000],
      { $0.idr5 = $0.idr5 & ~7 | 3 }
    ),
  ]

  @Test func everyIllegalSTE() {
    for row in Self.illegalSTEs {
      var configuration = SMMUv3.Configuration()
      row.configure(&configuration)
      let rig = Rig(configuration)
      let words = row.words + Array(repeating: 0, count: 4 - row.words.count)
      rig.ste(words[0], words[1], words[2], words[3])
      #expect(rig.dma(.read, 0x1000).code == 4, "\(row.name)")
      #expect(rig.event() == [0x0000_0208_0000_0004, 0, 0, 0], "\(row.name)")
    }
    print("SMMUv3: \(Self.illegalSTEs.count) illegal STEs, \(Self.illegalCDs.count) illegal CDs")
  }

  /// Each row breaks one rule of IHI 0070, 5.4.1: a CD's words.
  static let illegalCDs: [Change] = [
    ("V", [Rig.cdWord() & ~(1 << 31)], unchanged),
    ("S, no stalls", [Rig.cdWord(extra: 1 << 44)], { $0.idr0 |= 1 << 24 }),
    ("no S, forced", [Rig.cdWord()], { $0.idr0 |= 2 << 24 }),
    ("A", [Rig.cdWord() & ~(1 << 46)], { $0.idr0 |= 1 << 26 }),
    ("ENDI, little", [Rig.cdWord(extra: 1 << 15)], { $0.idr0 |= 2 << 21 }),
    ("ENDI, big", [Rig.cdWord()], { $0.idr0 |= 3 << 21 }),
    ("AA64", [Rig.cdWord() & ~(1 << 41)], unchanged),
    ("HA", [Rig.cdWord(extra: 1 << 43)], { $0.idr0 &= ~(3 << 6) }),
    ("HD", [Rig.cdWord(extra: 1 << 42)], { $0.idr0 &= ~(3 << 6) }),
    ("HD, HTTU=1", [Rig.cdWord(extra: 3 << 42)], { $0.idr0 = $0.idr0 & ~(3 << 6) | 1 << 6 }),
    ("HAFT without HA", [Rig.cdWord(), 0x4000_0008], { $0.idr0 |= 3 << 6 }),
    ("ASID", [Rig.cdWord(asid: 0x100)], { $0.idr0 &= ~(1 << 12) }),
    ("T0SZ 15", [Rig.cdWord(t0sz: 15)], unchanged),
    ("T0SZ 12 without VAX", [Rig.cdWord(t0sz: 12, tg0: 1)], unchanged),
    ("T0SZ 40 without STT", [Rig.cdWord(t0sz: 40)], { $0.idr3 &= ~(1 << 9) }),
    ("T0SZ 49", [Rig.cdWord(t0sz: 49)], unchanged),
    ("T0SZ 48 with 64K", [Rig.cdWord(t0sz: 48, tg0: 1)], unchanged),
    ("TG0 3", [Rig.cdWord(tg0: 3)], unchanged),
    ("TG0, no 64K", [Rig.cdWord(tg0: 1)], { $0.idr5 &= ~(1 << 6) }),
    ("TG1 0", [Rig.cdWord(extra: 16 << 16) & ~(1 << 30)], unchanged),
    ("T1SZ 0", [Rig.cdWord(extra: 2 << 22) & ~(1 << 30)], unchanged),
    ("TTB0", [Rig.cdWord(ips: 1), 0x10_4000_0000], unchanged),
    ("TTB1", [Rig.cdWord(ips: 1, extra: 16 << 16 | 2 << 22) & ~(1 << 30), 0, 0x10_4000_0000], unchanged),
  ]

  @Test func everyIllegalCD() {
    for row in Self.illegalCDs {
      var configuration = SMMUv3.Configuration()
      row.configure(&configuration)
      let rig = Rig(configuration)
      rig.stage1(row.words[0], ttb0: row.words.count > 1 ? row.words[1] : 0x4000_0000)
      if row.words.count > 2 { rig.put(Rig.contextTable + 16, row.words[2]) }
      #expect(rig.dma(.read, 0x1000).code == 0xA, "\(row.name)")
      #expect(rig.event() == [0x0000_0208_0000_000A, 0, 0, 0], "\(row.name)")
    }
    // S1STALLD and S.
    let rig = Rig()
    rig.stage1(Rig.cdWord(extra: 1 << 44), dw1: 1 << 27)
    #expect(rig.dma(.read, 0).code == 0xA)
  }

  /// EPD = 1 makes the whole half ignored, and an access to it a translation fault.
  @Test func disabledHalf() {
    let rig = Rig()
    rig.stage1(Rig.cdWord(t0sz: 5, tg0: 3, extra: 1 << 14), ttb0: 0x000F_FFFF_FFFF_0000)
    #expect(rig.dma(.read, 0x1000).code == 0x10)
    #expect(rig.dma(.read, 0xFFFF_FFFF_FFFF_0000).code == 0x10)
  }
}
