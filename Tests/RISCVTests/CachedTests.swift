// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

// What a checker of drivers is told of the caches, and that telling it changes nothing.

@Suite struct CachedTests {
  private static let asked = Transaction(source: 5, address: 0x40201ABC)

  @Test func nothingCached() {
    let rig = Rig()
    rig.firstStage()
    #expect(rig.iommu.cachedAddresses.isEmpty)
    #expect(rig.iommu.cachedAnswer(Self.asked) == nil)
    #expect(rig.iommu.staleStructures.isEmpty)
    // Asking has filled nothing.
    #expect(rig.iommu.cachedAddresses.isEmpty)
    rig[RISCV.Register.ddtp] = 0
    #expect(rig.iommu.cachedAnswer(Self.asked) == nil)
  }

  @Test func translations() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40201ABC)
    // The page, and what else has an entry in the table that a pointer is cached of.
    let addresses = rig.iommu.cachedAddresses.map(\.address)
    #expect(addresses.contains(0x40201000) && addresses.contains(0x40210000))
    #expect(!addresses.contains(0x40202000))
    #expect(Set(addresses).count == addresses.count)
    rig.put(0x22008, 0)
    let answer = rig.iommu.cachedAnswer(Self.asked)
    #expect(answer?.address == 0x87654ABC && answer?.translation?.fromCache == true)
    #expect(rig.iommu.walk(Self.asked).answer.code == 13)
    rig.command(vma(pscid: 7))
    // Only the context is left, and the tables are looked at.
    #expect(rig.iommu.cachedAnswer(Self.asked)?.code == 13)
    rig.command(invalDDT())
    #expect(rig.iommu.cachedAnswer(Self.asked) == nil)
    #expect(rig.faults.isEmpty)
  }

  /// A pointer to a table that is no more leads to what is there now.
  @Test func pointersToTables() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40201ABC)
    rig.put(0x21008, 0)
    rig.command(vma(pscid: 7, page: 0x40201))
    rig.put(0x22010, 0x21D9_54D7)
    let other = Transaction(source: 5, address: 0x40202ABC)
    #expect(rig.iommu.cachedAnswer(other)?.address == 0x87655ABC)
    #expect(rig.iommu.walk(other).answer.code == 13)
    #expect(rig.iommu.cachedAddresses.contains(CachedAddress(0x40202000)))
  }

  @Test func deviceContexts() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40201ABC)
    #expect(rig.iommu.staleStructures.isEmpty)
    rig.place(Context(ta: 0x8000, fsc: 0x8000_0000_0000_0020))
    #expect(
      rig.iommu.staleStructures == ["device 5: the cached device context is not the one in memory"])
    // It goes by the old PSCID all the same.
    #expect(rig.iommu.cachedAnswer(Self.asked)?.translation?.fromCache == true)
    rig.place(Context(tc: 0))
    #expect(
      rig.iommu.staleStructures == ["device 5: a device context is cached, and memory has fault 258"])
    rig.command(invalDDT(5))
    #expect(rig.iommu.staleStructures.isEmpty)
  }

  @Test func processContexts() {
    let rig = Rig()
    rig.processes()
    _ = rig.go(0x40201ABC, pid: 9)
    #expect(rig.iommu.cachedAddresses.contains(CachedAddress(0x40201000, pasid: 9)))
    #expect(rig.iommu.staleStructures.isEmpty)
    rig.put(0x30090, 0xA001)
    #expect(
      rig.iommu.staleStructures == [
        "device 5, process 9: the cached process context is not the one in memory"
      ])
    rig.put(0x30090, 0)
    #expect(
      rig.iommu.staleStructures == [
        "device 5, process 9: a process context is cached, and memory has fault 266"
      ])
    rig.command(invalPDT(5, 9))
    #expect(rig.iommu.staleStructures.isEmpty)
  }

  /// A process directory behind a second stage is a guest's, and nobody else's business.
  @Test func guestsContexts() {
    let rig = Rig()
    rig.twoStages()
    // The directory is at GPA 102000, whose page is 60102000.
    rig.place(
      Context(tc: 0x21, iohgatp: 0x8000_3000_0000_0040, fsc: 0x1000_0000_0000_0102))
    rig.put(0x6010_2090, 0x9001, 0x8000_0000_0000_0100)
    _ = rig.go(0x40201ABC, pid: 9)
    rig.put(0x6010_2090, 0)
    #expect(rig.iommu.staleStructures.isEmpty)
    #expect(rig.iommu.cachedAnswer(Transaction(source: 5, pasid: 9, address: 0x40201ABC)) != nil)
  }

  /// Looking does not write A and D, count events or record faults.
  @Test func noEffects() {
    let rig = Rig()
    rig.firstStage(tc: 0x101)
    _ = rig.go(0x40201ABC)
    let before = rig.iommu.facts()
    _ = rig.iommu.cachedAnswer(Transaction(source: 5, address: 0x40234000))
    _ = rig.iommu.cachedAnswer(Transaction(source: 5, address: 0x40202000, access: .write))
    _ = rig.iommu.cachedAddresses
    _ = rig.iommu.staleStructures
    #expect(rig.word(0x221A0) == 0x048D_1417)
    #expect("\(rig.iommu.facts())" == "\(before)")
    #expect(rig.faults.isEmpty)
  }
}
