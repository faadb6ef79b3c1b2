// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// Each mistake on purpose shows as a stale or missing translation, and is gone when it is switched off.
@Suite struct BugTests {
  static let base: UInt64 = 0x1_0000_0000

  @Test func whichThereAre() throws {
    let rig = try Rig()
    let driver = try #require(rig.host.driver as? any PCIDriver)
    #expect(
      driver.possibleBugs == [
        .skipUnmapFlush, .wrongDomainFlush, .shortFlush, .skipContextFlush, .skipMapFlush,
      ])
  }

  /// Unmapping without the right refresh leaves what was cached.
  @Test(arguments: [DriverBug.skipUnmapFlush, .wrongDomainFlush, .shortFlush])
  func unmap(_ bug: DriverBug) throws {
    for isOn in [true, false] {
      let rig = try Rig()
      rig.host.bugs.set(bug, isOn)
      let ioas = try rig.ioas()
      let (endpoint, _) = try rig.attached(ioas)
      try rig.map(ioas, Self.base, 0x2000)
      for page: UInt64 in 0..<2 { #expect(endpoint.perform(.read(Self.base + page << 12, 1)).bytes == [0]) }
      try rig.unmap(ioas, Self.base, 0x2000)
      #expect(rig.machine.staleTranslations().isEmpty != isOn)
      // The second page is the one that a short refresh misses.
      #expect((endpoint.perform(.read(Self.base + 0x1000, 1)).bytes != nil) == isOn)
      let first = endpoint.perform(.read(Self.base, 1)).bytes
      #expect((first != nil) == (isOn && bug != .shortFlush))
    }
  }

  /// The other function's translations go instead.
  @Test func wrongFunction() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (victim, _) = try rig.attached(ioas)
    let (other, _) = try rig.attached(try rig.ioas(), 0x200)
    try rig.map(ioas, Self.base, 0x1000)
    _ = victim.perform(.read(Self.base, 1))
    rig.host.bugs.set(.wrongDomainFlush, true)
    try rig.unmap(ioas, Self.base, 0x1000)
    #expect(rig.refreshes(victim) == 0 && rig.refreshes(other) == 1)
  }

  /// Under a hypervisor a map that is not shown is not there.
  @Test func map() throws {
    for isOn in [true, false] {
      let rig = try Rig(["tlb-refresh": 1])
      rig.host.bugs.set(.skipMapFlush, isOn)
      let ioas = try rig.ioas()
      let (endpoint, _) = try rig.attached(ioas)
      try rig.map(ioas, Self.base, 0x1000)
      #expect((endpoint.perform(.read(Self.base, 1)).fault?.name == "TPROTE") == isOn)
    }
  }

  /// An address space that stays registered: DMA goes on where it is to be blocked, and the next one has no room.
  @Test func blocking() throws {
    for isOn in [true, false] {
      let rig = try Rig()
      let ioas = try rig.ioas()
      let (endpoint, device) = try rig.attached(ioas)
      let memory = try rig.map(ioas, Self.base, 0x1000)
      try rig.write([3], at: memory)
      #expect(endpoint.perform(.read(Self.base, 1)).bytes == [3])
      rig.host.bugs.set(.skipContextFlush, isOn)
      device.detach()
      #expect((endpoint.perform(.read(Self.base, 1)).bytes == [3]) == isOn)
      var id = ioas
      if isOn {
        #expect(throws: Errno.EIO) { try device.attach(to: &id) }
      } else {
        try device.attach(to: &id)
      }
    }
  }
}
