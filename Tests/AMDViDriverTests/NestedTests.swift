// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import HardwareSpecs
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Hardware
@testable internal import Machine

@Suite("AMD-Vi, both halves: guests")
struct NestedTests {
  /// A guest whose physical address 0 is IOVA 0 of an IOAS of 2 MiB, with a function that it has taken.
  private final class Guest {
    let bench: Rig
    let endpoint: Endpoint
    let object: DeviceObject
    let parent: UInt32
    let viommu: UInt32
    let ioas: UInt32
    let memory: UInt64

    init(flags: UInt32 = HWPTFlag.nestParent) throws {
      bench = try Rig()
      endpoint = try bench.function(.init(pasidBits: 8))
      object = try bench.context.bind(endpoint.device)
      ioas = try bench.newIOAS()
      memory = try bench.map(ioas, 0, 0x20_0000)
      parent = try bench.hwpt(object.id, on: ioas, flags: flags)
      viommu = try bench.call("VIOMMU_ALLOC", [24, 0, 1, object.id, parent, 0])[5]
    }

    func store(_ value: UInt64, _ guestAddress: UInt64) throws {
      try bench.target.memory.write(
        (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }, at: memory + guestAddress)
    }

    /// GCR3 at 1000, tables at 2000 to 5000, and the guest's page 0 translates to `page`.
    func buildTables(page: UInt64) throws {
      try store(0x2000 | 1, 0x1000)
      try store(0x3007, 0x2000)
      try store(0x4007, 0x3000)
      try store(0x5007, 0x4000)
      try store(page | 0x67, 0x5000)
    }

    /// A guest's entry with GCR3 at `root`, under a domain ID.
    func entry(gcr3 root: UInt64 = 0x1000, domain: UInt64 = 1, giov: Bool = true) -> [UInt64] {
      var w0 = AMDViDTE.valid | AMDViDTE.translationValid | AMDViDTE.gv
      if giov { w0 |= AMDViDTE.giov }
      w0 |= (root >> 12 & 7) << AMDViDTE.gcr3LowShift
      return [w0, domain, 0, 0]
    }

    func nested(_ entry: [UInt64], type: UInt32 = 3) throws -> UInt32 {
      try bench.hwpt(object.id, on: viommu, data: entry, type: type)
    }
  }

  @Test func theGuestsTablesAreUsed() throws {
    let guest = try Guest()
    try guest.buildTables(page: 0x8000)
    try guest.store(0x11, 0x8000)
    try guest.store(0x22, 0x9000)
    var id = try guest.nested(guest.entry())
    try guest.object.attach(to: &id)
    #expect(guest.endpoint.byte(0) == 0x11)
    #expect(guest.endpoint.byte(0, pasid: 0) == 0x11)
    // The guest changes its table and nobody can be told: user space has no request for it.
    try guest.store(0x9067, 0x5000)
    #expect(guest.endpoint.byte(0) == 0x11, "stale")
    #expect(throws: Errno.EOPNOTSUPP) {
      try guest.bench.call("HWPT_INVALIDATE", [32, id, 0, 0, 0, 8, 0, 0])
    }
    // A flush of the second stage takes nested translations along.
    try guest.bench.call("IOAS_UNMAP", [24, guest.ioas] + Rig.pair(0) + Rig.pair(0x20_0000))
    #expect(guest.endpoint.byte(0) == nil)
    try guest.bench.call(
      "IOAS_MAP",
      [40, 7, guest.ioas, 0] + Rig.pair(guest.memory) + Rig.pair(0x20_0000) + Rig.pair(0))
    #expect(guest.endpoint.byte(0) == 0x22, "fresh")
    guest.object.detach()
    #expect(guest.endpoint.byte(0) == nil)
    #expect(guest.bench.software.complaints.isEmpty)
  }

  /// To the parent and back: the function's own addresses, then the guest's.
  @Test func betweenTheParentAndTheGuest() throws {
    let guest = try Guest()
    try guest.buildTables(page: 0x8000)
    try guest.store(0x11, 0x8000)
    var id = guest.parent
    try guest.object.attach(to: &id)
    #expect(guest.endpoint.byte(0x8000) == 0x11)
    var nested = try guest.nested(guest.entry())
    try guest.object.replace(with: &nested)
    #expect(guest.endpoint.byte(0) == 0x11)
    #expect(guest.endpoint.byte(0x8000) == nil)
    id = guest.parent
    try guest.object.replace(with: &id)
    #expect(guest.endpoint.byte(0x8000) == 0x11)
    #expect(guest.bench.unit.withHardware { $0.staleStructures }.isEmpty)
  }

  @Test func entriesThatNoGuestCanHave() throws {
    let guest = try Guest()
    func refuse(_ errno: Errno, _ change: (inout [UInt64]) -> Void) {
      var entry = guest.entry()
      change(&entry)
      #expect(throws: errno) { try guest.nested(entry) }
    }
    refuse(.EINVAL) { $0[0] |= 3 << AMDViDTE.modeShift }
    refuse(.EINVAL) { $0[0] |= 0x7000 }
    refuse(.EINVAL) { $0[0] &= ~(7 << AMDViDTE.gcr3LowShift) }
    refuse(.EINVAL) { $0[2] |= 2 << AMDViDTE.guestPagingModeShift }
    refuse(.EINVAL) { $0[0] |= 3 << AMDViDTE.glxShift }
    refuse(.EOPNOTSUPP) { $0[2] |= 1 << AMDViDTE.guestPagingModeShift }
    #expect(throws: Errno.EOPNOTSUPP) { try guest.nested(guest.entry(), type: 1) }
    #expect(throws: Errno.EINVAL) { try guest.nested([1, 2, 3]) }
    // On the parent itself there is no such thing.
    #expect(throws: Errno.EOPNOTSUPP) {
      try guest.bench.hwpt(guest.object.id, on: guest.parent, data: guest.entry(), type: 3)
    }
  }

  /// Nested domains with one domain ID of the guest share one of the host's; others do not.
  @Test func domainIDsAreMapped() throws {
    let guest = try Guest()
    try guest.buildTables(page: 0x8000)
    func hostID() -> UInt64 {
      let table = guest.bench.unit.read64(0) & 0x000F_FFFF_FFFF_F000
      return guest.bench.memory.load64(
        at: PhysAddr(table + UInt64(guest.endpoint.function.requesterID) * 32 + 8))! & 0xFFFF
    }
    var ids: [UInt64] = []
    for domain: UInt64 in [7, 7, 8] {
      var id = try guest.nested(guest.entry(domain: domain))
      if ids.isEmpty { try guest.object.attach(to: &id) } else { try guest.object.replace(with: &id) }
      ids.append(hostID())
    }
    #expect(ids[0] == ids[1])
    #expect(ids[0] != ids[2])
  }

  @Test func whoCanHaveGuests() throws {
    let plain = try Rig(["profile": "genoa"])
    let endpoint = try plain.function()
    #expect(throws: Errno.EOPNOTSUPP) { try plain.domain(HWPTFlag.nestParent, for: endpoint) }
    let old = try Rig(kernel: .v6_12)
    let device = try old.function()
    #expect(throws: Errno.EOPNOTSUPP) { try old.domain(HWPTFlag.nestParent, for: device) }
    #expect(!old.driver.supportsVIOMMU(type: 1, on: device.device))
    #expect(throws: Errno.EOPNOTSUPP) { try old.domain(HWPTFlag.pasid, for: device) }
  }
}
