// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct RefreshTests {
  static func error(_ status: UInt8) -> ZPCIIOMMU.Completion { .condition(1, status: status) }

  static func mirroring(_ change: (inout ZPCIIOMMU.Configuration) -> Void = { _ in }) -> Rig {
    var configuration = Rig.permissive
    configuration.group.refreshes = true
    change(&configuration)
    let rig = Rig(configuration)
    rig.tables()
    rig.register(0x10804)
    return rig
  }

  /// Bugs 1 and 8: on bare metal a refresh forgets its range, and no more.
  @Test func ranges() {
    let pages: [UInt64] = [0x1_0030_2000, 0x1_0030_3000, 0x1_0041_2000, 0x1_0047_0000]
    let table: [(first: UInt64, length: UInt64, forgotten: [UInt64])] = [
      (0x1_0030_2000, 0x1000, [0x1_0030_2000]), (0x1_0030_2FFF, 1, [0x1_0030_2000]),
      (0x1_0030_2000, 0x1001, [0x1_0030_2000, 0x1_0030_3000]), (0x1_0030_4000, 0x1000, []),
      (0x1_0040_0000, 1, [0x1_0041_2000, 0x1_0047_0000]), (0, .max, pages), (0x1_0030_2000, 0, []),
    ]
    for row in table {
      let rig = Rig()
      rig.tables()
      rig.register(0x10804)
      for page in pages { _ = rig.go(page) }
      rig.put(0x18010, 0x400, 0x400)
      rig.put(0x14020, 0x20)
      for page in pages { #expect(rig.go(page).translation?.fromCache == true, "stale") }
      #expect(rig.refresh(row.first, row.length) == .ok)
      for page in pages {
        let answer = rig.go(page)
        #expect((answer.address == nil) == row.forgotten.contains(page))
        rig.modify(ZPCI.Operation.resetError)
      }
    }
  }

  /// Another function's translations stay.
  @Test func otherFunctions() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    let second = rig.iommu.setFunction(rig.iommu.plug(id: 9, firstDMA: 0, lastDMA: .max) ?? 0, enabled: true)
      .handle
    let block = ZPCIInformationBlock(limit: .max, anchor: 0x10804)
    #expect(rig.iommu.modifyControls(UInt64(second) << 32 | 4, block) == .ok)
    let access = Transaction(source: second, address: 0x1_0030_2000)
    _ = rig.go(0x1_0030_2000)
    _ = rig.iommu.translate(access)
    rig.put(0x18010, 0x400)
    #expect(rig.refresh(0, .max) == .ok)
    #expect(rig.go(0x1_0030_2000).name == "TPROTE")
    #expect(rig.iommu.translate(access).address == 0x1234_5000)
  }

  /// Bug 2: with refresh, what was mapped and not shown is not there.
  @Test func mirror() {
    let rig = Self.mirroring()
    #expect(rig.go(0x1_0030_2000).name == "TPROTE")
    rig.modify(ZPCI.Operation.resetError)
    #expect(rig.refresh(0x1_0030_2000, 0x2000) == .ok)
    #expect(rig.go(0x1_0030_2ABC, .write).address == 0x1234_5ABC)
    #expect(rig.go(0x1_0030_3000).translation?.writable == false)
    #expect(rig.iommu.facts()["mirrored pages"]?.number == 2)
    // The tables change, the mirror does not.
    rig.put(0x18010, 0x1234_5400, 0x1234_6000)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    #expect(rig.refresh(0x1_0030_3000, 0x1000) == .ok)
    #expect(rig.go(0x1_0030_3000, .write).address == 0x1234_6000)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    // The whole table: also a segment frame, page by page.
    rig.put(0x10010, 0x14007, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20)
    for index: UInt64 in 0..<2048 where !(2...8).contains(index) { rig.put(0x10000 + index * 8, 0x20) }
    for index: UInt64 in 0..<2048 where !(3...6).contains(index) { rig.put(0x14000 + index * 8, 0x20) }
    for index: UInt64 in 0..<256 where !(2...4).contains(index) { rig.put(0x18000 + index * 8, 0x400) }
    rig.put(0x10040, 0x20)
    #expect(rig.refresh(0, 1 << 42) == .ok)
    #expect(rig.iommu.facts()["mirrored pages"]?.number == 1 + 512)
    #expect(rig.go(0x1_0041_2345).address == 0x41_2345)
    #expect(rig.go(0x1_0030_2000).name == "TPROTE")
    rig.modify(ZPCI.Operation.resetError)
    #expect(rig.iommu.facts()["functions"]?["count"]?.number == 1)
    #expect(rig.modify(ZPCI.Operation.deregisterIOAT) == .ok)
    #expect(rig.iommu.facts()["mirrored pages"]?.number == 0)
  }

  /// Errors of a refresh stop the function.
  @Test func errors() {
    let none = Rig()
    #expect(none.refresh(0, 0x1000) == Self.error(8))
    #expect(none.iommu.takeEvent()?.code == ZPCI.Event.invalidAddressSpace)
    #expect(none.controls == 0xE0)
    let outside = Rig()
    outside.register(0x10804, base: 0x1_0000_0000, limit: 0x1_FFFF_FFFF)
    #expect(outside.refresh(0x2_0000_0000, 0x1000) == Self.error(8))
    #expect(outside.iommu.takeEvent()?.code == ZPCI.Event.outOfRange)
    let broken = Self.mirroring()
    #expect(broken.refresh(0x2_8030_2000, 0x1000) == Self.error(8))
    let event = broken.iommu.takeEvent()
    #expect(event?.code == ZPCI.Event.invalidLength && event?.address == 0x2_8030_2000)
  }

  /// Too few resources.
  @Test func resources() {
    let rig = Self.mirroring { $0.mirrorCapacity = 1 }
    #expect(rig.refresh(0x1_0030_2000, 0x2000) == Self.error(16))
    #expect(rig.refresh(0x1_0030_3000, 0x1000) == Self.error(16))
    #expect(rig.refresh(0x1_0030_2000, 0x1000) == .ok)
    let refusing = Self.mirroring { $0.refusesRefresh = true }
    #expect(refusing.refresh(0x1_0030_2000, 0x1000) == Self.error(16))
    // A table of which every entry leads to the same: looking at it all would not end.
    let endless = Self.mirroring { $0.refreshSteps = 5000 }
    endless.iommu.modifyControls(endless.request(6), ZPCIInformationBlock(limit: .max, anchor: 0x4080C))
      .expectOK()
    for index: UInt64 in 0..<2048 {
      endless.put(0x40000 + index * 8, 0x4400F)
      endless.put(0x44000 + index * 8, 0x4800B)
      endless.put(0x48000 + index * 8, 0x4C007)
      endless.put(0x4C000 + index * 8, 0x50000)
    }
    for index: UInt64 in 0..<256 { endless.put(0x50000 + index * 8, 0x400) }
    #expect(endless.refresh(0, .max) == Self.error(16))
  }

  /// Direct mapping.
  @Test func direct() {
    for subtracts in [false, true] {
      var configuration = ZPCIIOMMU.Configuration()
      configuration.group.relaxedTranslation = true
      configuration.directSubtractsBase = subtracts
      let rig = Rig(configuration, firstDMA: 0x1_0000_0000, lastDMA: 0x1_FFFF_FFFF)
      #expect(rig.register(0, base: 0x1_0000_0000, limit: 0x1_FFFF_FFFF) == .ok)
      #expect(rig.go(0x1_0000_1234, .write).address == (subtracts ? 0x1234 : 0x1_0000_1234))
      #expect(rig.go(0x1234).name == "OORANGE")
    }
  }

  /// Memory that is not there, protection on the way, and addresses beyond the table.
  @Test func otherDefects() {
    let rig = Rig()
    rig.tables()
    rig.put(0x10010, 0x14207)
    rig.put(0x14030, 1 << 40)
    rig.register(0x10804)
    #expect(rig.go(0x1_0030_2000, .write).name == "TPROTE")
    rig.modify(ZPCI.Operation.resetError)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    #expect(rig.go(0x1_0060_0000).name == "SERR")
    rig.modify(ZPCI.Operation.resetError)
    #expect(rig.go(1 << 42).name == "OORANGE")
    var configuration = Rig.permissive
    configuration.zeroEntryIsInvalid = false
    let other = Rig(configuration)
    other.tables()
    other.register(0x10804)
    #expect(other.go(0x2_0030_2ABC).name == "INVALTL")
  }
}

extension ZPCIIOMMU.Completion {
  func expectOK() { #expect(self == .ok) }
}
