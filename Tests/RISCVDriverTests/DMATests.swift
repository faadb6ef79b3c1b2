// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

@testable internal import Machine

// What devices do through the driver's tables, from a transaction to the fault in the log.

@Suite struct DMATests {
  @Test func plain() throws {
    let rig = try DriverRig()
    let (device, domain) = try rig.attached()
    let page = try rig.page(0xAB)
    try domain.map(IOVA(0x1_0000), to: page, length: 4096, protection: readWrite)
    #expect(device.perform(.read(0x1_0000, 1)).bytes == [0xAB])
    #expect(device.perform(.write(0x1_0001, [1, 2, 3])).bytes == [])
    #expect(rig.byte(PhysAddr(page.raw + 2)) == 2)
    #expect(device.perform(.atomic(.fetchAdd, 0x1_0000, [1, 0, 0, 0])).bytes == [0xAB, 1, 2, 3])
    #expect(rig.byte(page) == 0xAC)
    #expect(rig.software.faults.isEmpty)
    #expect(rig.software.complaints.isEmpty)
  }

  /// Before anybody claims a device, an IOVA is a physical address; then DMA fails with 258.
  @Test func identityAndBlocked() throws {
    let rig = try DriverRig()
    let device = try rig.device()
    let page = try rig.page(7)
    #expect(device.perform(.read(page.raw, 1)).bytes == [7])
    try rig.claim(device)
    let fault = device.perform(.read(page.raw, 1)).fault
    #expect(fault?.code == 258 && fault?.recorded == true)
    #expect(
      rig.software.faults == [
        FaultRecord(source: 0x18, address: page.raw, code: 258, name: "DDT entry not valid")
      ])
    device.device.group?.release()
    #expect(device.perform(.read(page.raw, 1)).bytes == [7])
  }

  @Test func faults() throws {
    let rig = try DriverRig()
    let (device, domain) = try rig.attached()
    let page = try rig.page()
    try domain.map(IOVA(0x1000), to: page, length: 4096, protection: [.read, .cache])
    #expect(device.perform(.read(0x1000, 4)).bytes != nil)
    #expect(device.perform(.write(0x1004, [1])).fault?.code == 15)
    #expect(device.perform(.read(0x2000, 4)).fault?.code == 13)
    #expect(device.perform(.write(0x2000, [1])).fault?.code == 15)
    // Not a sign extension of bit 56.
    #expect(device.perform(.read(1 << 60, 4)).fault?.code == 13)
    // A translated request from a device whose ATS the driver has left off.
    var translated = DMARequest.read(page.raw, 4)
    translated.isTranslated = true
    #expect(device.perform(translated).fault?.code == 260)
    #expect(device.perform(.read(0x1000, 4, pasid: 3)).fault?.code == 260)
    let faults = rig.software.faults
    #expect(faults.map(\.code) == [15, 13, 15, 13, 260, 260])
    #expect(faults.map(\.address) == [0x1004, 0x2000, 0x2000, 1 << 60, page.raw, 0x1000])
    #expect(faults.map(\.isWrite) == [true, false, true, false, false, false])
    #expect(faults.map(\.pasid) == [nil, nil, nil, nil, nil, 3])
    #expect(faults.allSatisfy { $0.source == 0x18 })
    #expect(faults[0].name == "Write/AMO page fault")
  }

  /// Leaves of every size are one translation each, and what linux says of the memory type is there.
  @Test(arguments: [(12, 12), (16, 16), (20, 16), (21, 21), (30, 30), (31, 30)])
  func hugePages(length: Int, leaf: Int) throws {
    let rig = try DriverRig()
    let (device, domain) = try rig.attached()
    let size = UInt64(1) << UInt64(length)
    try domain.map(IOVA(size), to: PhysAddr(size), length: size, protection: readWrite)
    let answer = rig.translate(device, size + size / 2 + 5, .write)
    #expect(answer.address == size + size / 2 + 5)
    #expect(answer.translation?.sizeLg2 == UInt8(leaf))
    var leaves: [Leaf] = []
    domain.forEachLeaf(in: domain.aperture) { leaves.append($0) }
    #expect(leaves.count == 1 << (length - leaf))
    #expect(domain.unmap(IOVA(size), length: size) == size)
    #expect(rig.translate(device, size, .read).code == 13)
  }

  /// A range that ends inside of a leaf takes all of it; one that begins inside takes nothing.
  @Test func unmapInsideOfALeaf() throws {
    let rig = try DriverRig()
    let (device, domain) = try rig.attached()
    try domain.map(IOVA(2 << 20), to: PhysAddr(2 << 20), length: 2 << 20, protection: readWrite)
    #expect(domain.unmap(IOVA(3 << 20), length: 1 << 20) == 0)
    #expect(rig.translate(device, 3 << 20).address == 3 << 20)
    #expect(domain.unmap(IOVA(2 << 20), length: 4096) == 2 << 20)
    #expect(rig.translate(device, 3 << 20).code == 13)
  }

  /// The widest scheme that the hardware has, and what follows from it.
  @Test(arguments: [(39, UInt64(8)), (48, 9), (57, 10)])
  func schemes(width: Int, mode: UInt64) throws {
    let rig = try DriverRig(["sv": UInt64(width)])
    let (device, domain) = try rig.attached()
    #expect(domain.aperture == Span64(0, 1 << UInt64(width - 1) - 1))
    var sizes: UInt64 = 1 << 12 | 1 << 16 | 1 << 21 | 1 << 30
    if width >= 48 { sizes |= 1 << 39 }
    if width >= 57 { sizes |= 1 << 48 }
    #expect(domain.pageSizes == sizes)
    let context = try #require(rig.software.contextAddress(of: 0x18))
    #expect(rig.memory.load64(at: PhysAddr(context)) == 1)
    #expect(rig.memory.load64(at: PhysAddr(context + 8)) == 0)
    #expect(rig.memory.load64(at: PhysAddr(context + 16)) == UInt64(domain.pscid) << 12)
    #expect(
      rig.memory.load64(at: PhysAddr(context + 24)) == mode << 60 | domain.tableRoot.address.raw >> 12)
    let last = domain.aperture.last & ~4095
    let page = try rig.page(9)
    try domain.map(IOVA(last), to: page, length: 4096, protection: readWrite)
    #expect(device.perform(.read(last, 1)).bytes == [9])
  }

  @Test func leafBits() throws {
    let plain = try DriverRig(["svpbmt": 0])
    let typed = try DriverRig()
    for (rig, protection, flags) in [
      (plain, [.read, .cache], 0x5B), (plain, readWrite, 0xDF), (plain, [.write], 0xDF),
      (plain, [.read, .mmio], 0x5B), (typed, readWrite, 0xDF), (typed, [.read, .mmio], 1 << 62 | 0x5B),
      (typed, [.read, .write], 1 << 61 | 0xDF),
    ] as [(DriverRig, Protection, UInt64)] {
      let (_, domain) = try rig.attached(UInt16(0x20 + rig.machine.allFunctions.count * 8))
      try domain.map(IOVA(0x1000), to: PhysAddr(0x1234_5000), length: 4096, protection: protection)
      var raw: [UInt64] = []
      domain.forEachEntry { entry, _ in if entry.kind == .leaf { raw.append(entry.raw) } }
      #expect(raw == [0x12345 << 10 | flags])
    }
  }
}
