// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// What caches would answer, and which of their copies are out of date, without effects.
@Suite struct StalenessTests {
  private static let address: UInt64 = 0x80_4060_4000

  private func cached(_ rig: Rig, _ address: UInt64 = Self.address, _ access: Transaction.Access = .read)
    -> TranslationAnswer?
  {
    rig.smmu.cachedAnswer(Transaction(source: Rig.sid, address: address, access: access))
  }

  private func loaded(_ configuration: SMMUv3.Configuration = .init()) -> Rig {
    let rig = Rig(configuration)
    rig.tables4K()
    rig.stage1()
    return rig
  }

  @Test func nothingCached() {
    let rig = loaded()
    #expect(cached(rig) == nil)
    #expect(rig.smmu.cachedAddresses.isEmpty)
    #expect(rig.smmu.staleStructures.isEmpty)
  }

  @Test func translation() {
    let rig = loaded()
    #expect(rig.reads(Self.address) == 0x1234_5000)
    #expect(cached(rig)?.physical == 0x1234_5000)
    #expect(rig.smmu.cachedAddresses.contains(CachedAddress(Self.address)))
    rig.put(0x4000_3020, 0)
    #expect(cached(rig)?.physical == 0x1234_5000, "the TLB")
    #expect(cached(rig, 0x80_4060_5000)?.physical == 0x1234_6000, "an entry that the cached table has")
    // TLBI_NH_VA with Leaf leaves the pointer to the table.
    rig.command((0x0001_0000_0000_0012, Self.address | 1), (0x46, 0))
    #expect(cached(rig)?.code == 0x10)
    rig.put(0x4000_2018, 0)
    #expect(cached(rig, 0x80_4060_5000)?.physical == 0x1234_6000, "through a table that is gone")
    rig.command((0x0001_0000_0000_0011, 0), (0x46, 0))
    #expect(cached(rig, 0x80_4060_5000)?.code == 0x10, "memory's answer: only the context is cached")
    #expect(rig.events().isEmpty)
  }

  @Test func noEffects() {
    let rig = loaded()
    rig.cd(Rig.cdWord(extra: 1 << 42 | 1 << 43), 0x4000_0000, 0, 0xFF)
    #expect(rig.reads(0x80_4060_D000) == 0x1234_8000)
    let before = rig.smmu.cachedAddresses
    // A write would make the page dirty.
    #expect(cached(rig, 0x80_4060_D000, .write)?.physical == 0x1234_8000)
    #expect(rig.get(0x4000_3068) == 0x0008_0000_1234_8FC7)
    #expect(cached(rig, 0x80_4061_0000)?.code == 0x10)
    #expect(rig.smmu.cachedAddresses == before)
    #expect(rig.events().isEmpty)
  }

  @Test func structures() {
    let rig = loaded()
    _ = rig.reads(Self.address)
    #expect(rig.smmu.staleStructures.isEmpty)
    rig.cd(Rig.cdWord(asid: 2), 0x4000_0000, 0, 0xFF)
    #expect(rig.smmu.staleStructures == ["the CD of stream 0x208, PASID 0, is cached as it no longer is"])
    rig.command((0x0000_0208_0000_0005, 1), (0x46, 0))
    #expect(rig.smmu.staleStructures.isEmpty)
    rig.ste(1)
    #expect(rig.smmu.staleStructures == ["the STE of stream 0x208 is cached as it no longer is"])
    rig.stage1(Rig.cdWord(asid: 2))
    rig.put(Rig.streamTable + 0x10, 0x1100_0008)
    #expect(
      rig.smmu.staleStructures == ["the L1STD of streams from 0x200 is cached as it no longer is"])
  }

  @Test func contextTables() {
    let rig = loaded()
    // Two levels of context descriptors, 4 KiB leaves, 16 PASID bits.
    rig.ste(UInt64(16) << 59 | 0x1600_0000 | 1 << 4 | 0xB, 2)
    rig.put(0x1600_0000, 0x1500_0001)
    rig.cd(Rig.cdWord(), 0x4000_0000, 0, 0xFF, at: 0x1500_0000 + 3 << 6)
    #expect(rig.reads(Self.address, pasid: 3) == 0x1234_5000)
    #expect(rig.smmu.staleStructures.isEmpty)
    rig.put(0x1600_0000, 0x1500_1001)
    #expect(
      rig.smmu.staleStructures == [
        "the L1CD of stream 0x208 from PASID 0 is cached as it no longer is",
        "the CD of stream 0x208, PASID 3, is cached as it no longer is",
      ])
  }

  /// What a guest owns it may change when it likes.
  @Test func guests() {
    let rig = Rig()
    rig.nested()
    #expect(rig.reads(0x4060_4000) == 0x6008_0000)
    rig.cd(Rig.cdWord(t0sz: 25, asid: 9), 0x80_4000_0000, 0, 0xFF, at: 0x6010_0000)
    #expect(rig.smmu.staleStructures.isEmpty)
    #expect(cached(rig, 0x4060_4000)?.physical == 0x6008_0000)
  }
}
