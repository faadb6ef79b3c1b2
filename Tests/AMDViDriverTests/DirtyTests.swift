// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Hardware
@testable internal import Machine

@Suite("AMD-Vi, both halves: dirty tracking")
struct DirtyTests {
  private func dirty(_ domain: any DirtyTrackingDomain, _ length: UInt64, clearing: Bool = true) throws
    -> [UInt64: UInt64]
  {
    var found: [UInt64: UInt64] = [:]
    try domain.readDirty(IOVA(0x10_0000), length: length, clearing: clearing) { found[$0.raw] = $1 }
    return found
  }

  @Test(arguments: [false, true]) func writesAreSeen(_ cachesInFunction: Bool) throws {
    let bench = try Rig()
    let endpoint = try bench.owned(.init(ats: cachesInFunction))
    let domain = try #require(
      try bench.domain(HWPTFlag.dirtyTracking, for: endpoint) as? any DirtyTrackingDomain)
    try bench.attach(domain, endpoint)
    // As in the kernel, a leaf of several entries is reported without its last 4 KiB. A page of 64 KiB, whose entry is there sixteen times, and two of 4 KiB.
    let large = try bench.memory.allocateContiguous(16, alignment: 16).address
    try domain.map(IOVA(0x10_0000), to: large, length: 0x10000, protection: readWrite)
    try domain.map(IOVA(0x11_0000), to: try bench.page(), length: 0x1000, protection: readWrite)
    try domain.map(IOVA(0x11_1000), to: try bench.page(), length: 0x1000, protection: readWrite)
    _ = endpoint.perform(.write(0x10_3000, [1, 2, 3, 4]))
    #expect(try dirty(domain, 0x12000).isEmpty, "tracking is off")
    try domain.setDirtyTracking(true)
    #expect(endpoint.byte(0x10_3000) != nil)
    #expect(try dirty(domain, 0x12000).isEmpty, "reads change nothing")
    _ = endpoint.perform(.write(0x10_3000, [1, 2, 3, 4]))
    _ = endpoint.perform(.write(0x11_1000, [1, 2, 3, 4]))
    #expect(try dirty(domain, 0x12000, clearing: false) == [0x10_0000: 0xF000, 0x11_1000: 0x1000])
    #expect(try dirty(domain, 0x12000) == [0x10_0000: 0xF000, 0x11_1000: 0x1000])
    #expect(try dirty(domain, 0x12000).isEmpty)
    // Through another of the sixteen.
    _ = endpoint.perform(.write(0x10_F000, [1, 2, 3, 4]))
    #expect(try dirty(domain, 0x12000) == [0x10_0000: 0xF000])
    try domain.setDirtyTracking(false)
    _ = endpoint.perform(.write(0x10_F000, [1, 2, 3, 4]))
    #expect(try dirty(domain, 0x12000).isEmpty)
    #expect(bench.software.complaints.isEmpty)
  }

  @Test func attachingWhileTrackingIsOn() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    let domain = try #require(
      try bench.domain(HWPTFlag.dirtyTracking, for: endpoint) as? any DirtyTrackingDomain)
    try domain.setDirtyTracking(true)
    try domain.map(IOVA(0x10_0000), to: try bench.page(), length: 0x1000, protection: readWrite)
    try bench.attach(domain, endpoint)
    _ = endpoint.perform(.write(0x10_0000, [1, 2, 3, 4]))
    #expect(try dirty(domain, 0x1000) == [0x10_0000: 0x1000])
  }

  @Test func hardwareThatCannot() throws {
    for profile in ["zen2", "ryzen7040", "qemu"] {
      let bench = try Rig(["profile": profile])
      let endpoint = try bench.owned()
      #expect(!endpoint.device.capabilities.contains(.dirtyTracking))
      #expect(throws: Errno.EOPNOTSUPP) { try bench.domain(HWPTFlag.dirtyTracking, for: endpoint) }
    }
  }
}
