// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Hardware
@testable internal import Machine

@Suite("AMD-Vi driver: device table entries")
struct AttachTests {
  private func entry(_ bench: Rig, _ endpoint: Endpoint) -> [UInt64] {
    let table = bench.unit.read64(AMDViRegister.deviceTableBase) & AMDViRegister.baseMask
    let place = table + UInt64(endpoint.function.requesterID) * 32
    return (0..<4).map { bench.memory.load64(at: PhysAddr(place + $0 * 8)) ?? 0 }
  }

  /// Words of each state; reference backends-x86.md B2.3 and B10.2.
  @Test func entriesOfEachState() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(.init(ats: true, pri: true, pasidBits: 16))
    #expect(entry(bench, endpoint) == [1, 0, 1, 0])
    let host = try bench.domain(HWPTFlag.dirtyTracking, for: endpoint)
    try bench.attach(host, endpoint)
    let root = try #require(host as? AMDViHostDomain).tableRoot.address.raw
    let id = UInt64(try #require(host as? AMDViHostDomain).id)
    // Three levels, V, TV, IR, IW; I.
    #expect(entry(bench, endpoint) == [0x6000_0000_0000_0603 | root, 1 << 32 | id, 1, 0])
    try (host as? any DirtyTrackingDomain)?.setDirtyTracking(true)
    #expect(entry(bench, endpoint)[0] == 0x6000_0000_0000_0783 | root)
    let guest = try bench.domain(HWPTFlag.pasid, for: endpoint)
    try bench.replace(guest, endpoint)
    let gcr3 = try #require((endpoint.device as? AMDViDevice)?.gcr3)
    let at = gcr3.root.raw
    // PPR, GIoV, GV, GLX 1 for 16 bits of PASID.
    #expect(entry(bench, endpoint)[0] == 0x61D0_0000_0000_0003 | (at >> 12 & 7) << 58)
    #expect(
      entry(bench, endpoint)[1]
        == UInt64(gcr3.domainID) | 1 << 32 | (at >> 15 & 0xFFFF) << 16 | (at >> 31) << 43)
    endpoint.device.group?.detach()
    #expect(entry(bench, endpoint) == [1, 0, 1, 0])
  }

  /// What firmware wants is in every entry; with erratum 63 writes are allowed in all.
  @Test func persistentBits() throws {
    let bench = try Rig([:], ["sysmgt": 1])
    let endpoint = try bench.owned()
    #expect(entry(bench, endpoint) == [1 | AMDViDTE.iw, 1 << 40, 1, 0])
    #expect(endpoint.byte(0x1000) == nil)
  }

  @Test func interruptsSurviveAnAttachment() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(.init(pasidBits: 8))
    let (address, data) = try bench.software.remapInterrupt(of: endpoint.device, vector: 0x50, destination: 0)
    let before = entry(bench, endpoint)[2]
    // 512 entries, remapped.
    #expect(before & 0x3000_0000_0000_001F == 0x2000_0000_0000_0013)
    try bench.attach(try bench.domain(HWPTFlag.pasid, for: endpoint), endpoint)
    #expect(entry(bench, endpoint)[2] == before)
    guard case .interrupt = endpoint.perform(.write(address, [UInt8(data), 0, 0, 0])) else {
      Issue.record("no interrupt")
      return
    }
  }

  @Test func anAttachmentThatFailsBlocks() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    let first = try bench.domain(for: endpoint)
    let second = try bench.domain(for: endpoint)
    for domain in [first, second] {
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
    }
    let group = try #require(endpoint.device.group)
    let handle = AttachHandle()
    try group.attach(first, handle: handle)
    bench.machine.kernel.failures.arm(nth: 1)
    #expect(throws: Errno.ENOMEM) { try group.replace(with: second, handle: AttachHandle()) }
    #expect(bench.machine.kernel.failures.disarm())
    // As on Linux: the group believes that nothing happened.
    #expect(group.domain === first)
    #expect(endpoint.byte(0x1000) == nil)
    try group.replace(with: second, handle: AttachHandle())
    #expect(endpoint.byte(0x1000) == 1)
  }

  @Test func theHostThatRunsConfidentialGuests() throws {
    let bench = try Rig(["profile": "snp"])
    let endpoint = try bench.owned()
    #expect(endpoint.byte(0x1000) == nil)
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    try domain.map(IOVA(0x1000), to: try bench.page(6), length: 4096, protection: readWrite)
    #expect(endpoint.byte(0x1000) == 6)
    #expect(throws: Errno.EOPNOTSUPP) { try bench.domain(HWPTFlag.pasid, for: endpoint) }
    #expect(bench.software.complaints.isEmpty)
  }

  /// Threads map and unmap ranges of their own, in a table that grows, while the function uses them all.
  @Test func manyThreads() async throws {
    let bench = try Rig()
    let endpoint = try bench.owned(.init(ats: true))
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    let pages = try (1...4).map { try bench.page(UInt8($0)) }
    let errors = await withTaskGroup(of: Int.self) { group in
      for thread in 0..<4 {
        let page = pages[thread]
        group.addTask {
          var errors = 0
          for round in 0..<200 {
            let iova = UInt64(thread) << UInt64(34 + round % 20) | UInt64(thread) << 13 | 0x10_0000
            do {
              try domain.map(IOVA(iova), to: page, length: 4096, protection: readWrite)
            } catch { errors += 1 }
            if endpoint.byte(iova) != UInt8(thread + 1) { errors += 1 }
            domain.unmap(IOVA(iova), length: 4096)
            if endpoint.byte(iova) != nil { errors += 1 }
          }
          return errors
        }
      }
      return await group.reduce(0, +)
    }
    #expect(errors == 0)
    #expect(bench.software.complaints.isEmpty)
  }
}
