// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

/// What a checker of drivers asks.
@Suite struct CachedTests {
  static func ask(_ rig: Rig, _ address: UInt64, _ access: Transaction.Access = .read) -> TranslationAnswer? {
    rig.iommu.cachedAnswer(Transaction(source: rig.handle, address: address, access: access))
  }

  /// Bare metal: what was walked, as it was then; and asking fills nothing.
  @Test func cache() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    #expect(rig.iommu.cachedAddresses == [])
    #expect(Self.ask(rig, 0x1_0030_2000) == nil)
    #expect(rig.iommu.cachedAddresses == [])
    _ = rig.go(0x1_0030_2ABC)
    _ = rig.go(0x1_0030_3ABC)
    #expect(rig.iommu.cachedAddresses == [CachedAddress(0x1_0030_2000), CachedAddress(0x1_0030_3000)])
    rig.put(0x18010, 0x400)
    #expect(Self.ask(rig, 0x1_0030_2123)?.address == 0x1234_5123)
    #expect(Self.ask(rig, 0x1_0030_3000, .write)?.name == "TPROTE")
    #expect(rig.controls == 0x90, "asking stops no function")
    #expect(rig.iommu.events.isEmpty)
    #expect(rig.iommu.staleStructures == [])
    // Not for another function, nor with a PASID, nor once the address space is gone.
    let other = Transaction(source: rig.handle + 1, address: 0x1_0030_2000)
    #expect(rig.iommu.cachedAnswer(other) == nil)
    let process = Transaction(source: rig.handle, pasid: 1, address: 0x1_0030_2000)
    #expect(rig.iommu.cachedAnswer(process) == nil)
    rig.modify(ZPCI.Operation.deregisterIOAT)
    #expect(Self.ask(rig, 0x1_0030_2000) == nil)
    #expect(rig.iommu.cachedAddresses == [])
  }

  /// With refresh the mirror decides, also about what it lacks.
  @Test func mirror() {
    let rig = RefreshTests.mirroring()
    #expect(Self.ask(rig, 0x1_0030_2000)?.name == "TPROTE")
    #expect(rig.refresh(0x1_0030_2000, 0x1000) == .ok)
    #expect(rig.iommu.cachedAddresses == [CachedAddress(0x1_0030_2000)])
    rig.put(0x18010, 0x400)
    #expect(Self.ask(rig, 0x1_0030_2FFF)?.address == 0x1234_5FFF)
    #expect(Self.ask(rig, ZPCI.messageAddress) == nil, "an interrupt is not translated")
  }

  /// What the window excludes is decided by the registration.
  @Test func window() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804, base: 0x1_0030_2000, limit: 0x1_0030_2FFF)
    _ = rig.go(0x1_0030_2000)
    #expect(Self.ask(rig, 0x1_0030_2000)?.address == 0x1234_5000)
    #expect(Self.ask(rig, 0x1_0030_3000) == nil)
  }
}
