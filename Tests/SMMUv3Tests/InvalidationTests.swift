// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Caches: stale until told, and what each command forgets.
@Suite struct InvalidationTests {
  // MARK: The TLB

  /// Every kind of translation, cached; then the tables go, and what still hits was not invalidated.
  private func loaded(_ configuration: SMMUv3.Configuration = .init(), e2h: Bool = false) -> Rig {
    let rig = Rig(configuration, enabled: false)
    rig.write(0x2C, 4, e2h ? 3 : 2)
    rig.write(0x20, 4, 0x1F)
    for stream in Self.streams {
      let sid = stream.sid
      let place = 0x1300_0000 + UInt64(sid & 0xFF) << 12
      if stream.world == 3 {
        rig.stage2(Rig.stage2Word & ~0xFFFF | stream.vmid, s2ttb: 0x5000_0000, sid: sid)
      } else {
        let nested: UInt64 = stream.nested ? 0xF : 0xB
        rig.ste(
          place | nested, stream.world == 2 ? 2 << 30 : 0, Rig.stage2Word & ~0xFFFF | stream.vmid,
          0x5000_0000,
          sid: sid)
        rig.cd(Rig.cdWord(t0sz: 25, asid: stream.asid), 0x4000_0000, at: place)
      }
    }
    fillTables(rig)
    for stream in Self.streams {
      for address in Self.addresses { #expect(rig.reads(address, sid: stream.sid) == address) }
    }
    for address: UInt64 in [0x4000_0000, 0x4000_1000, 0x4000_2000, 0x5000_1000, 0x5000_2000, 0x5000_3000] {
      for word in 0..<512 { rig.put(address + UInt64(word) * 8, 0) }
    }
    return rig
  }

  /// Identity: stage 1 of `addresses` by pages, one of them global, and a block; stage 2 of everything that
  /// is needed for them.
  private func fillTables(_ rig: Rig) {
    rig.put([
      0x4000_0008: 0x4000_1003, 0x4000_1018: 0x4000_2003, 0x4000_1020: 0x4080_0F45,
      0x4000_2020: 0x4060_4F47, 0x4000_2028: 0x4060_5F47, 0x4000_2030: 0x4060_6747, 0x4000_2038: 0x4060_7F47,
    ])
    // Stage 2: 1 GiB at 1 GiB by 2 MiB blocks, and one table of pages.
    rig.put(0x5000_0008, 0x5000_2003)
    for block in 0..<UInt64(512) { rig.put(0x5000_2000 + block * 8, 0x4000_07FD + block << 21) }
    rig.put(0x5000_2018, 0x5000_3003)
    for page in 0..<UInt64(512) { rig.put(0x5000_3000 + page * 8, 0x4060_07FF + page << 12) }
    // CDs of nested streams are below 0x14000000: identity as well.
    rig.put(0x5000_0000, 0x0000_07FD)
  }

  static let addresses: [UInt64] = [0x4060_4000, 0x4060_5000, 0x4060_6000, 0x4060_7000, 0x4080_0000]
  /// (stream, world, VMID, ASID): two contexts of VMID 5, one of VMID 6 and 9, EL2, nested, stage 2 alone.
  static let streams: [(sid: UInt32, world: UInt64, vmid: UInt64, asid: UInt64, nested: Bool)] = [
    (0x201, 0, 5, 1, false), (0x202, 0, 5, 2, false), (0x203, 0, 6, 1, false), (0x204, 2, 0, 1, false),
    (0x205, 0, 8, 1, true), (0x206, 3, 8, 0, false), (0x207, 3, 9, 0, false), (0x208, 0, 12, 3, false),
  ]

  /// What is still cached: `stream:pages` as a letter for each address that hits.
  private func survivors(_ rig: Rig) -> [String] {
    Self.streams.map { stream in
      Self.addresses.map { address in
        let answer = rig.smmu.translate(Transaction(source: stream.sid, address: address))
        return answer.translation?.fromCache == true ? "1" : "0"
      }.joined()
    }
  }

  typealias Row = (name: String, word0: UInt64, word1: UInt64, left: [String])
  static let all = Array(repeating: "11111", count: 8)
  /// `all`, with some streams changed.
  static func but(_ changes: [Int: String]) -> [String] {
    all.enumerated().map { changes[$0.offset] ?? $0.element }
  }
  static let none = "00000"

  /// In the page order of `addresses`: two plain pages, a global one, a plain one, a block.
  static let commands: [Row] = [
    ("nothing", 0x46, 0, all),
    ("NH_ALL VMID 5", 0x5_0000_0010, 0, but([0: none, 1: none])),
    ("NH_ALL VMID 8 leaves stage 2", 0x8_0000_0010, 0, but([4: none])),
    ("NH_ASID", 0x0001_0005_0000_0011, 0, but([0: "00100"])),
    ("NH_VA", 0x0001_0005_0000_0012, 0x4060_5001, but([0: "10111"])),
    ("NH_VA of a global page", 0x0002_0005_0000_0012, 0x4060_6001, but([0: "11011", 1: "11011"])),
    ("NH_VAA", 0x5_0000_0013, 0x4060_5000, but([0: "10111", 1: "10111"])),
    ("NH_VA in a block", 0x0001_0005_0000_0012, 0x4085_5001, but([0: "11110"])),
    ("NH_VA elsewhere", 0x0001_0005_0000_0012, 0x4060_8001, all),
    ("NH_VA range, TTL 3", 0x0001_0005_0000_1012, 0x4060_4701, but([0: "00111"])),
    ("NH_VA range, unaligned scale", 0x0001_0005_0010_0012, 0x4060_5701, but([0: "10011", 1: "11011"])),
    ("NH_VA with the wrong TTL", 0x0001_0005_0000_1012, 0x4060_4601, all),
    ("NH_VA range of blocks, TTL 2", 0x0001_0005_0090_0012, 0x4080_0601, but([0: "11110"])),
    ("NH_VA range over everything", 0x0001_0005_0140_0012, 0x4000_0401, but([0: none, 1: "11011"])),
    ("NH_VA, other ASID", 0x0007_0005_0000_0012, 0x4060_5001, all),
    ("EL2_ALL", 0x20, 0, but([3: none])),
    ("EL2_VA", 0x22, 0x4060_5001, but([3: "10111"])),
    ("EL2_VAA", 0x23, 0x4060_5001, but([3: "10111"])),
    ("S12_VMALL", 0x8_0000_0028, 0, but([4: none, 5: none])),
    ("S2_IPA", 0x8_0000_002A, 0x4060_5001, but([5: "10111"])),
    ("S2_IPA range, TTL 2", 0x8_0090_002A, 0x4080_0601, but([5: "11110"])),
    ("S2_IPA, other VMID", 0xA_0000_002A, 0x4060_5001, all),
    ("NSNH_ALL", 0x30, 0, but([0: none, 1: none, 2: none, 4: none, 5: none, 6: none, 7: none])),
    ("CFGI_ALL", 0x04, 0x1F, all),
  ]

  @Test func everyCommand() {
    for row in Self.commands {
      let rig = loaded()
      #expect(rig.command((row.word0, row.word1)), "\(row.name)")
      #expect(survivors(rig) == row.left, "\(row.name)")
    }
    print("SMMUv3: \(Self.commands.count) invalidations")
  }

  @Test func el2Host() {
    // With E2H the EL2 world has ASIDs.
    for (word0, left) in [
      (UInt64(0x0001_0000_0000_0021), "00100"), (0x0002_0000_0000_0021, "11111"), (0x20, "00000"),
    ] {
      let rig = loaded(e2h: true)
      #expect(rig.command((word0, 0)))
      #expect(survivors(rig) == Self.but([3: left]))
    }
  }

  /// CR0.VMW: VMIDs that differ in their low bits are one.
  @Test func wildcards() {
    for (wildcard, left) in [
      (UInt64(0), Self.but([4: Self.none, 5: Self.none])),
      (1, Self.but([4: Self.none, 5: Self.none, 6: Self.none])),
      (2, Self.but([4: Self.none, 5: Self.none, 6: Self.none])),
      (3, Self.but([4: Self.none, 5: Self.none, 6: Self.none, 7: Self.none])),
      (
        4,
        Self.but([
          0: Self.none, 1: Self.none, 2: Self.none, 4: Self.none, 5: Self.none, 6: Self.none, 7: Self.none,
        ])
      ),
    ] {
      let rig = loaded()
      rig.write(0x20, 4, 0x1F | wildcard << 6)
      #expect(rig.command((0x8_0000_0028, 0)))
      #expect(survivors(rig) == left, "\(wildcard)")
    }
  }

  @Test func broadcast() {
    for (ptm, left) in [(UInt64(0), Self.but([0: Self.none, 1: Self.none])), (4, Self.all)] {
      let rig = loaded()
      rig.write(0x20, 4, 0x1E)
      rig.write(0x2C, 4, 2 | ptm)
      rig.write(0x20, 4, 0x1F)
      rig.smmu.broadcast(0x5_0000_0010, 0)
      rig.smmu.broadcast(0x46, 0)
      #expect(survivors(rig) == left)
    }
  }

  @Test func switches() {
    var configuration = SMMUv3.Configuration()
    configuration.overInvalidates = true
    var rig = loaded(configuration)
    rig.command((0x0007_0005_0000_0012, 0x4060_5001))
    #expect(survivors(rig) == Array(repeating: Self.none, count: 8))

    configuration = .init()
    configuration.needsRepeatedInvalidations = true
    rig = loaded(configuration)
    rig.command((0x5_0000_0010, 0))
    #expect(survivors(rig) == Self.all, "once is not enough")
    rig.command((0x5_0000_0010, 0))
    #expect(survivors(rig) == Self.but([0: Self.none, 1: Self.none]))

    configuration = .init()
    configuration.honorsTTL = false
    rig = loaded(configuration)
    rig.command((0x0001_0005_0000_1012, 0x4060_4601))
    #expect(survivors(rig) == Self.but([0: "00111"]))

    // Without RIL the range fields mean nothing.
    configuration = .init()
    configuration.idr3 &= ~(1 << 10)
    rig = loaded(configuration)
    rig.command((0x0001_0005_0000_1012, 0x4060_4701))
    #expect(survivors(rig) == Self.but([0: "01111"]))
  }

  /// Invalidations that were consumed and have not acted: A9's bugs 2 and 20.
  @Test func unsynchronised() {
    var configuration = SMMUv3.Configuration()
    configuration.completesInvalidationsAtSync = true
    let rig = loaded(configuration)
    #expect(rig.command((0x8_0000_002A, 0x4060_5001), (0x8_0000_0010, 0)))
    #expect(survivors(rig) == Self.all)
    rig.smmu.completeInvalidations(1)
    // NH_ALL overtook S2_IPA; only the combined entries are gone.
    #expect(survivors(rig) == Self.but([4: Self.none]))
    rig.sync()
    #expect(survivors(rig) == Self.but([4: Self.none, 5: "10111"]))
  }

  /// A stage 2 entry that outlives the combined one refills it: what NH_ALL before S2_IPA leads to.
  @Test func refilledFromOldStage2() {
    let rig = Rig()
    rig.nested()
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC)
    rig.put(0x5000_2000, 0x7000_07FD)
    rig.command((0x5_0000_0010, 0))
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC, "stage 2 is still the old one")
    rig.command((0x5_0000_002A, 0x80_4000_0001), (0x46, 0))
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC, "and now the combined entry")
    // The new block has no stage 1 tables.
    rig.command((0x5_0000_0010, 0))
    #expect(rig.dma(.read, 0x4060_4ABC).code == 0x10)
  }

  /// A leaf TLBI keeps the pointer to a table that was freed; one without Leaf drops it.
  @Test func walkCache() {
    for (leaf, code) in [(UInt64(1), UInt32?.none), (0, 0x10)] {
      let rig = Rig()
      rig.tables4K()
      rig.stage1()
      #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
      // The level 3 table is unlinked and used for something else.
      rig.put(0x4000_2018, 0)
      rig.put(0x4000_3020, 0x6666_6F47)
      rig.command((0x0001_0000_0000_0012, 0x80_4060_4000 | leaf), (0x46, 0))
      let answer = rig.dma(.read, 0x80_4060_4000)
      #expect(answer.code == code)
      #expect(answer.physical == (leaf == 1 ? 0x6666_6000 : nil))
    }
  }

  /// Invalid descriptors are never cached.
  @Test func noNegativeCaching() {
    let rig = Rig()
    rig.stage1()
    rig.put([0x4000_0000: 0x4000_1003, 0x4000_1000: 0x4000_2003, 0x4000_2000: 0x4000_3003])
    for _ in 0..<3 { #expect(rig.dma(.read, 0x1000).code == 0x10) }
    rig.put(0x4000_3008, 0x1234_5B47)
    #expect(rig.dma(.read, 0x1000).code == 0x12)
    rig.put(0x4000_3008, 0x1234_5F47)
    #expect(rig.reads(0x1000) == 0x1234_5000)
    // A permission is: the page was valid.
    rig.put(0x4000_3008, 0x1234_5FC7)
    #expect(rig.dma(.write, 0x1000).physical == 0x1234_5000)
    rig.command((0x0001_0000_0000_0011, 0))
    #expect(rig.dma(.write, 0x1000).code == 0x13)
    rig.put(0x4000_3008, 0x1234_5F47)
    #expect(rig.dma(.write, 0x1000).code == 0x13)
    rig.command((0x0001_0000_0000_0011, 0))
    #expect(rig.dma(.write, 0x1000).physical == 0x1234_5000)
  }

  // MARK: Configuration

  /// (command, does an STE change, an L1STD, a CD, an L1CD, of this stream become visible).
  static let configurations:
    [(name: String, word0: UInt64, word1: UInt64, ste: Bool, l1std: Bool, cd: Bool, l1cd: Bool)] =
      [
        ("nothing", 0x46, 0, false, false, false, false),
        ("CFGI_STE leaf", 0x0000_0208_0000_0003, 1, true, false, true, true),
        ("CFGI_STE", 0x0000_0208_0000_0003, 0, true, true, true, true),
        ("CFGI_STE, other", 0x0000_0209_0000_0003, 1, false, false, false, false),
        ("CFGI_STE_RANGE", 0x0000_0200_0000_0004, 3, true, true, true, true),
        ("CFGI_STE_RANGE of all", 0x0000_0200_0000_0004, 15, true, true, true, true),
        ("CFGI_STE_RANGE, other", 0x0000_0210_0000_0004, 3, false, false, false, false),
        ("CFGI_ALL", 0x04, 0x1F, true, true, true, true),
        ("CFGI_CD leaf", 0x0000_0208_0000_3005, 1, false, false, true, false),
        ("CFGI_CD", 0x0000_0208_0000_3005, 0, false, false, true, true),
        ("CFGI_CD, other", 0x0000_0208_0000_4005, 1, false, false, false, false),
        ("CFGI_CD_ALL", 0x0000_0208_0000_0006, 0, false, false, true, true),
        ("NSNH_ALL", 0x30, 0, false, false, false, false),
      ]

  private func withSubstream() -> Rig {
    let rig = Rig()
    rig.tables4K()
    rig.ste(0x8000_0000_1200_002B, 0x0000_00D6)
    rig.put(0x1200_0000, 0x1300_0001)
    rig.cd(Rig.cdWord(), 0x4000_0000, at: 0x1300_00C0)
    #expect(rig.reads(0x80_4060_4000, pasid: 3) == 0x1234_5000)
    return rig
  }

  @Test func everyConfigurationCommand() {
    for row in Self.configurations {
      let changes: [(String, Bool, (Rig) -> Void)] = [
        ("STE", row.ste, { $0.ste(0x1) }),
        // Behind an STE that is looked for again.
        ("CD", row.cd, { $0.cd(0, at: 0x1300_00C0) }),
        ("L1STD", row.l1std, { $0.put(0x1000_0010, 0) }),
        ("L1CD", row.l1cd && row.cd, { $0.put(0x1200_0000, 0) }),
      ]
      for (name, visible, change) in changes {
        let rig = withSubstream()
        change(rig)
        #expect(rig.reads(0x80_4060_4000, pasid: 3) == 0x1234_5000, "stale")
        #expect(rig.command((row.word0, row.word1)))
        rig.command((0x0000_0000_0000_0030, 0))
        let seen = rig.reads(0x80_4060_4000, pasid: 3) == nil
        #expect(seen == visible, "\(row.name) \(name)")
      }
    }
    print("SMMUv3: \(Self.configurations.count) configuration invalidations")
  }

  /// A CD that two streams share is cached twice.
  @Test func sharedContexts() {
    let rig = Rig()
    rig.tables4K()
    rig.stage1()
    rig.stage1(sid: 0x209)
    #expect(rig.reads(0x80_4060_4000) != nil)
    #expect(rig.reads(0x80_4060_4000, sid: 0x209) != nil)
    rig.cd(0)
    rig.command((0x0000_0208_0000_0005, 1))
    #expect(rig.dma(.read, 0x80_4060_4000).code == 0xA)
    #expect(rig.reads(0x80_4060_4000, sid: 0x209) != nil)
  }

  /// Entries that are not valid: looked for every time, or with the switch cached like others.
  @Test func invalidConfiguration() {
    for sloppy in [false, true] {
      var configuration = SMMUv3.Configuration()
      configuration.cachesInvalidConfiguration = sloppy
      let rig = Rig(configuration)
      rig.tables4K()
      #expect(rig.dma(.read, 0x80_4060_4000).code == 4)
      rig.stage1(Rig.cdWord() & ~(1 << 31))
      #expect(rig.dma(.read, 0x80_4060_4000).code == (sloppy ? 4 : 0xA))
      rig.command((0x0000_0208_0000_0003, 1))
      #expect(rig.dma(.read, 0x80_4060_4000).code == 0xA)
      rig.stage1()
      #expect(rig.dma(.read, 0x80_4060_4000).code == (sloppy ? 0xA : nil))
      rig.command((0x0000_0208_0000_0005, 1))
      #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    }
  }

  /// An ASID that is used again without invalidation hits what its last owner left.
  @Test func reusedASID() {
    let rig = Rig()
    rig.tables4K()
    rig.stage1()
    #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    rig.stage1(ttb0: 0x5000_0000)
    rig.command((0x0000_0208_0000_0005, 1))
    #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    rig.command((0x0001_0000_0000_0011, 0))
    #expect(rig.dma(.read, 0x80_4060_4000).code == 0x10)
  }

  /// A stage 1 block over smaller stage 2 pages goes as a whole.
  @Test func splitBlocks() {
    let rig = loaded()
    // The block of stream 0x205 was cached by one 4 KiB piece; another address of it names it all the same.
    rig.command((0x0001_0008_0000_0012, 0x4099_9001))
    #expect(survivors(rig) == Self.but([4: "11110"]))
  }
}
