// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B1.4 and C4: accessed and dirty bits, and what forgetting to invalidate does to them.
@Suite struct DirtyTests {
  static let leaf: UInt64 = 0x7000_0000_ABCD_E001

  private func tracking(_ had: UInt64 = 3) -> Rig {
    let rig = Rig()
    rig.hostTables()
    rig.dte(0x6000_0000_0003_0603 | had << 7)
    return rig
  }

  /// A read does not mark dirty; the first write after it does, though the page is cached; later ones need
  /// not.
  @Test func theFirstWriteMarks() {
    let rig = tracking()
    #expect(rig.address(.read) != nil)
    #expect(rig.peek(0x32A28) == Self.leaf | AMDViPTE.accessed)
    #expect(rig.dma(.read).translation?.fromCache == true)
    #expect(rig.dma(.write).translation?.fromCache == false)
    #expect(rig.peek(0x32A28) == Self.leaf | AMDViPTE.accessed | AMDViPTE.dirty)
    #expect(rig.dma(.write).translation?.fromCache == true)
    #expect(rig.dma(.atomic).translation?.fromCache == true)
  }

  /// Cleared without an invalidation the next write goes unnoticed; with one it does not.
  @Test func clearingNeedsAnInvalidation() {
    let rig = tracking()
    #expect(rig.address(.write) != nil)
    rig.poke((0x32A28, Self.leaf))
    #expect(rig.address(.write) != nil)
    #expect(rig.peek(0x32A28) == Self.leaf)
    rig.command(0, 0x3000_0005, 0x1234_5000)
    #expect(rig.address(.write) != nil)
    #expect(rig.peek(0x32A28) & AMDViPTE.dirty != 0)
  }

  /// HAD turned on: the entry must be invalidated, and the pages that were cached before.
  @Test func turningItOnNeedsBoth() {
    let rig = tracking(0)
    #expect(rig.address(.write) != nil)
    rig.dte(0x6000_0000_0003_0783)
    #expect(rig.address(.write) != nil)
    rig.command(source, 0x2000_0000)
    #expect(rig.address(.write) != nil)
    #expect(rig.peek(0x32A28) == Self.leaf)
    rig.command(0, 0x3000_0005, 0xFFFF_F003, 0x7FFF_FFFF)
    #expect(rig.address(.write) != nil)
    #expect(rig.peek(0x32A28) == Self.leaf | AMDViPTE.accessed | AMDViPTE.dirty)
    #expect(rig.peek(0x30000) & AMDViPTE.accessed != 0)
  }

  /// HAD = 01: accessed only.
  @Test func accessedOnly() {
    let rig = tracking(1)
    #expect(rig.address(.write) != nil)
    #expect(rig.peek(0x32A28) == Self.leaf | AMDViPTE.accessed)
    #expect(rig.dma(.write).translation?.fromCache == true)
  }

  /// Of a page's replicas the one that the address selects is marked.
  @Test func anyReplica() {
    let rig = tracking()
    let word: UInt64 = 0x7000_0000_ABCD_DE01
    rig.poke([0x32A20, 0x32A28, 0x32A30, 0x32A38].map { ($0, word) })
    #expect(rig.address(.write, 0x1234_6678) == 0xABCD_E678)
    #expect([0x32A20, 0x32A28, 0x32A30, 0x32A38].map { rig.peek($0) } == [word, word, word | 0x60, word])
  }

  /// An access that is denied marks nothing, at any level; by the switch, accessed above.
  @Test func deniedAccessesMarkNothing() {
    for switched in [false, true] {
      var configuration = AMDVi.Configuration.nesting
      configuration.accessedOnFault = switched
      let rig = Rig(configuration)
      rig.hostTables()
      rig.dte(0x6000_0000_0003_0783)
      rig.poke((0x32A28, 0x3000_0000_ABCD_E001))
      #expect(rig.address(.write) == nil)
      #expect(rig.peek(0x32A28) == 0x3000_0000_ABCD_E001)
      #expect((rig.peek(0x30000) & AMDViPTE.accessed != 0) == switched)
      rig.guestTables()
      rig.poke((0x20000, 0x21007), (0x23A28, 0xABCD_E005))
      rig.command(0, 0x8000_0000)
      #expect(rig.address(.write, pasid: 0x47) == nil)
      #expect(rig.peek(0x23A28) == 0xABCD_E005)
      #expect(rig.peek(0x20000) == (switched ? 0x21027 : 0x21007))
    }
  }

  /// Nested: the guest's bits, and the host's for the guest's tables and page.
  @Test func nested() {
    let rig = Rig()
    rig.nestedTables()
    rig.dte(0x60C0_0000_0003_0783, 0xA_0009)
    // The page in 2M of its own, so that writes of table entries do not mark it.
    rig.poke((0x31008, 0x7000_0000_5000_0001), (0x4002_3A28, 0x20_0027))
    #expect(rig.address(.read, pasid: 0x47) == 0x5000_0678)
    #expect(rig.peek(0x31008) & 0x60 == 0x20)
    #expect(rig.peek(0x31000) & 0x60 == 0x20)
    #expect(rig.peek(0x4002_3A28) == 0x20_0027)
    #expect(rig.address(.write, pasid: 0x47) == 0x5000_0678)
    #expect(rig.peek(0x4002_3A28) == 0x20_0067)
    #expect(rig.peek(0x31008) & 0x60 == 0x60)
    // The guest's table was written too.
    #expect(rig.peek(0x31000) & 0x60 == 0x60)
    #expect(rig.dma(.write, pasid: 0x47).translation?.fromCache == true)
  }

  /// V2HDDis leaves guest tables alone.
  @Test func guestMarkingCanBeOff() {
    let rig = Rig()
    rig[AMDViRegister.control] |= AMDViControl.v2HDDis
    rig.guestTables()
    rig.poke((0x20000, 0x21007), (0x23A28, 0xABCD_E007))
    #expect(rig.address(.write, pasid: 0x47) == 0xABCD_E678)
    #expect(rig.peek(0x20000) == 0x21007)
    #expect(rig.peek(0x23A28) == 0xABCD_E007)
    #expect(rig.dma(.write, pasid: 0x47).translation?.fromCache == true)
  }
}
