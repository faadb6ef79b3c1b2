// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// What a checker of drivers asks: the answers that caches would give, without effects.
@Suite struct CachedAnswerTests {
  private func answer(
    _ rig: Rig, _ address: UInt64 = iova, pasid: UInt32? = nil, _ access: Transaction.Access = .read
  )
    -> TranslationAnswer?
  {
    rig.hardware.cachedAnswer(Transaction(source: source, pasid: pasid, address: address, access: access))
  }

  @Test func nothingIsCachedAtFirst() {
    let rig = Rig()
    rig.hostTables()
    #expect(rig.hardware.cachedAddresses.isEmpty)
    #expect(answer(rig) == nil)
    #expect(rig.hardware.cachedAddresses.isEmpty, "asking leaves no trace")
    #expect(rig.hardware.staleStructures.isEmpty)
  }

  @Test func aStaleTranslation() {
    let rig = Rig()
    rig.hostTables()
    #expect(rig.address(.read) == 0xABCD_E678)
    #expect(rig.hardware.cachedAddresses == [CachedAddress(iova & ~0xFFF)])
    rig.poke((0x32A28, 0))
    #expect(answer(rig)?.translation?.address == 0xABCD_E678)
    rig.command(0, 0x3000_0005, 0x1234_5000)
    #expect(rig.hardware.cachedAddresses.isEmpty)
    // Now only pointers to tables are left, and the last entry comes from memory.
    #expect(answer(rig)?.abort?.code == AMDViEvent.ioPageFault)
    #expect(rig.events().isEmpty, "no event")
  }

  @Test func aStalePointerToATable() {
    let rig = Rig()
    rig.hostTables()
    _ = rig.address(.read)
    rig.command(0, 0x3000_0005, 0x1234_5000)
    // Another table of the lowest level, of which the IOMMU is not told.
    rig.poke((0x31488, 0x6000_0000_0003_3201), (0x33A28, 0x7000_0000_1111_1001))
    #expect(answer(rig)?.translation?.address == 0xABCD_E678)
    rig.command(0, 0x3000_0005, 0xFFFF_F003, 0x7FFF_FFFF)
    #expect(answer(rig)?.translation?.address == 0x1111_1678, "the entry of the device is still cached")
    rig.command(0, 0x8000_0000)
    #expect(answer(rig) == nil)
  }

  @Test func aStaleDeviceTableEntry() {
    let rig = Rig()
    rig.hostTables()
    _ = rig.address(.read)
    rig.dte(1)
    #expect(rig.hardware.staleStructures == ["the device table entry of 3a:05.1 is cached as it was"])
    #expect(answer(rig)?.translation != nil)
    rig.command(source, 0x2000_0000)
    #expect(rig.hardware.staleStructures.isEmpty)
    #expect(answer(rig) == nil)
  }

  @Test func guestTranslationsHaveTheirPASID() {
    let rig = Rig()
    rig.guestTables()
    #expect(rig.address(.read, pasid: 0x47) == 0xABCD_E678)
    #expect(rig.hardware.cachedAddresses == [CachedAddress(iova & ~0xFFF, pasid: 0x47)])
    #expect(answer(rig, pasid: 0x47)?.translation?.address == 0xABCD_E678)
    #expect(rig.hardware.staleStructures.isEmpty)
    // A write would have to set a bit first, and its walk goes by pointers that are cached.
    rig.poke((0x23A28, 0xABCD_E027))
    #expect(answer(rig, pasid: 0x47, .write)?.translation != nil)
    #expect(rig.peek(0x23A28) == 0xABCD_E027, "nothing is marked")
    rig.poke((0x40238, 0x5_0001))
    #expect(
      rig.hardware.staleStructures == ["the GCR3 table entry of PASID 71 of 3a:05.1 is cached as it was"])
    rig.command(0x47, 0x3000_0006, 0xFFFF_F007, 0x7FFF_FFFF)
    #expect(rig.hardware.staleStructures.isEmpty)
    #expect(rig.hardware.cachedAddresses.isEmpty)
  }

  /// With GIoV requests without PASID are of PASID 0, which no tag tells apart.
  @Test func plainRequestsOfGuestTables() {
    let rig = Rig()
    rig.dte(0x60C0_0000_0000_0003, 0x1_0008_0006)
    rig.poke(
      (0x20000, 0x21067), (0x21000, 0x22067), (0x22488, 0x23067), (0x23A28, 0xABCD_E067), (0x40000, 0x20001))
    #expect(rig.address(.read) == 0xABCD_E678)
    #expect(
      rig.hardware.cachedAddresses == [
        CachedAddress(iova & ~0xFFF), CachedAddress(iova & ~0xFFF, pasid: 0),
      ]
        || rig.hardware.cachedAddresses == [
          CachedAddress(iova & ~0xFFF, pasid: 0), CachedAddress(iova & ~0xFFF),
        ])
    #expect(answer(rig)?.translation?.address == 0xABCD_E678)
  }

  @Test func absentEntriesAreAnswersToo() {
    var configuration = AMDVi.Configuration.nesting
    configuration.npCache = true
    let rig = Rig(configuration)
    rig.hostTables()
    rig.poke((0x32A28, 0))
    #expect(rig.address(.read) == nil)
    rig.hostTables()
    #expect(answer(rig)?.abort?.code == AMDViEvent.ioPageFault)
  }

  @Test func aStaleInterrupt() {
    let rig = Rig()
    rig.dte(3, 5, 0x2000_0000_0006_0013)
    rig.poke((0x60008, 0x0041_0301))
    let write = Transaction(source: source, address: 0xFEE0_0000, access: .write, data: 2)
    #expect(rig.hardware.translate(write).translation?.interrupt != nil)
    rig.poke((0x60008, 0))
    #expect(rig.hardware.staleStructures == ["entry 2 of the interrupt table of 3a:05.1 is cached as it was"])
    #expect(rig.hardware.cachedAnswer(write)?.translation?.interrupt?.data == 0x41)
    rig.command(source, 0x5000_0000)
    #expect(rig.hardware.staleStructures.isEmpty)
  }

  /// Without a PASID where the function's requests without one count as PASID 0, and with it elsewhere.
  @Test func whatAFunctionIsToldToForget() {
    let rig = Rig()
    rig.dte(0x60C0_0000_0000_0003, 0x1_0008_0006 | AMDViDTE.iotlb)
    rig.command(source, 0x4000_0000 | source, 0x5004)
    rig.command(source, 0x4047_0000 | source, 0x5004)
    #expect(rig.fabric.invalidations.map(\.pasid) == [nil, 0x47])
    rig.dte(0x6080_0000_0000_0003, 0x1_0008_0006 | AMDViDTE.iotlb)
    rig.command(source, 0x2000_0000)
    rig.command(source, 0x4000_0000 | source, 0x5004)
    #expect(rig.fabric.invalidations.last?.pasid == 0)
  }

  @Test func theSegmentIsPartOfTheFunctionsName() {
    var configuration = AMDVi.Configuration.nesting
    configuration.segment = 2
    let rig = Rig(configuration)
    rig.command(source, 0x4000_0000 | source, 0x5000)
    rig.command(source, 0x7000_0000, 0, 0x21)
    #expect(rig.fabric.invalidations.map(\.source) == [0x2_0000 | source])
    #expect(rig.fabric.responses.map(\.source) == [0x2_0000 | source])
  }
}
