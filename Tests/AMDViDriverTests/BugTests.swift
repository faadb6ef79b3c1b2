// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import HardwareSpecs
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Hardware
@testable internal import Machine

// Each mistake that the driver can be told to make shows as DMA to where it should not go; without the mistake the
// same steps are right.

@Suite("AMD-Vi: bugs on purpose")
struct BugTests {
  /// Runs `steps` without the bug and with it; `true` means that everything was as it should be.
  private func expectExposed(
    _ bug: DriverBug, _ words: [String: String] = [:], _ numbers: [String: UInt64] = [:],
    _ capabilities: PCIFunction.Capabilities = .init(), flags: UInt32 = 0,
    _ steps: (Rig, Endpoint, any PagingDomain) throws -> Bool
  ) throws {
    for isOn in [false, true] {
      let bench = try Rig(words, numbers)
      let endpoint = try bench.owned(capabilities)
      #expect(bench.driver.possibleBugs.contains(bug))
      let domain = try bench.domain(flags, for: endpoint)
      try bench.attach(domain, endpoint)
      bench.software.bugs.set(bug, isOn)
      #expect(try steps(bench, endpoint, domain) != isOn, "\(bug.rawValue) \(isOn)")
    }
  }

  private static func unmapped(_ bench: Rig, _ endpoint: Endpoint, _ domain: any PagingDomain, pages: UInt64)
    throws -> Bool
  {
    let count = Int(pages)
    let first = try bench.memory.allocateContiguous(count, alignment: 16).address
    try domain.map(IOVA(0x10_0000), to: first, length: pages << 12, protection: readWrite)
    for page in 0..<pages { _ = endpoint.byte(0x10_0000 + page << 12) }
    domain.unmap(IOVA(0x10_0000), length: pages << 12)
    return (0..<pages).allSatisfy { endpoint.byte(0x10_0000 + $0 << 12) == nil }
  }

  @Test func skippedUnmapFlush() throws {
    try expectExposed(.skipUnmapFlush) { try Self.unmapped($0, $1, $2, pages: 1) }
  }

  @Test func skippedDeviceFlush() throws {
    try expectExposed(.skipDeviceFlush, [:], [:], .init(ats: true)) {
      try Self.unmapped($0, $1, $2, pages: 1)
    }
  }

  @Test func flushOfAnotherDomain() throws {
    try expectExposed(.wrongDomainFlush) { try Self.unmapped($0, $1, $2, pages: 1) }
  }

  /// Leaves of 4 KiB: of one large leaf any page would do.
  @Test func shortFlush() throws {
    try expectExposed(.shortFlush, ["pgtbl": "v2"]) { try Self.unmapped($0, $1, $2, pages: 4) }
  }

  @Test func skippedSync() throws {
    try expectExposed(.skipSync) { bench, endpoint, domain in
      let right = try Self.unmapped(bench, endpoint, domain, pages: 1)
      // Whoever waits next does it for all.
      bench.software.bugs.set(.skipSync, false)
      try domain.map(IOVA(0x8000), to: try bench.page(), length: 4096, protection: readWrite)
      domain.unmap(IOVA(0x8000), length: 4096)
      #expect(endpoint.byte(0x10_0000) == nil)
      return right
    }
  }

  /// A table of 4 KiB pages is freed, and a walk still goes through it.
  @Test func leafOnlyFlush() throws {
    try expectExposed(.leafOnlyFlush, ["pgtbl": "v2"]) { bench, endpoint, domain in
      for page: UInt64 in 0..<512 {
        try domain.map(
          IOVA(0x20_0000 + page << 12), to: try bench.page(1), length: 4096, protection: readWrite)
      }
      _ = endpoint.byte(0x20_0000)
      domain.unmap(IOVA(0x20_0000), length: 0x20_0000)
      let target = try bench.memory.allocateContiguous(512, alignment: 512).address
      bench.write([2, 2, 2, 2], at: target)
      try domain.map(IOVA(0x20_0000), to: target, length: 0x20_0000, protection: readWrite)
      return endpoint.byte(0x20_0000) == 2
    }
  }

  @Test func skippedContextFlush() throws {
    try expectExposed(.skipContextFlush) { bench, endpoint, domain in
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      _ = endpoint.byte(0x1000)
      let other = try bench.domain(for: endpoint)
      try other.map(IOVA(0x1000), to: try bench.page(2), length: 4096, protection: readWrite)
      try bench.replace(other, endpoint)
      #expect(
        bench.unit.withHardware { $0.staleStructures }.isEmpty != bench.software.bugs.has(.skipContextFlush))
      return endpoint.byte(0x1000) == 2
    }
  }

  @Test func reusedTag() throws {
    try expectExposed(.reuseTag) { bench, endpoint, domain in
      var first: (any PagingDomain)? = try bench.domain(for: endpoint)
      try first?.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      if let first { try bench.replace(first, endpoint) }
      _ = endpoint.byte(0x1000)
      try bench.replace(domain, endpoint)
      first = nil
      // The next domain gets the number that is free again.
      let second = try bench.domain(for: endpoint)
      try second.map(IOVA(0x1000), to: try bench.page(2), length: 4096, protection: readWrite)
      try bench.replace(second, endpoint)
      return endpoint.byte(0x1000) == 2
    }
  }

  @Test func skippedPASIDFlush() throws {
    try expectExposed(.skipPASIDFlush, [:], [:], .init(pasidBits: 8), flags: HWPTFlag.pasid) {
      bench, endpoint, domain in
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      try bench.attach(domain, endpoint, pasid: 4)
      #expect(endpoint.byte(0x1000, pasid: 4) == 1)
      try #require(endpoint.device.group).detach(pasid: 4)
      return endpoint.byte(0x1000, pasid: 4) == nil
    }
  }

  @Test func skippedMapFlush() throws {
    try expectExposed(.skipMapFlush, [:], ["np-cache": 1]) { bench, endpoint, domain in
      _ = endpoint.byte(0x1000)
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      return endpoint.byte(0x1000) == 1
    }
    #expect(!(try Rig().driver.possibleBugs.contains(.skipMapFlush)))
  }

  @Test func skippedDirtyFlush() throws {
    try expectExposed(.skipDirtyFlush, flags: HWPTFlag.dirtyTracking) { bench, endpoint, domain in
      let tracking = try #require(domain as? any DirtyTrackingDomain)
      try tracking.setDirtyTracking(true)
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      func cycle() throws -> Int {
        var count = 0
        _ = endpoint.perform(.write(0x1000, [1, 2, 3, 4]))
        try tracking.readDirty(IOVA(0x1000), length: 4096, clearing: true) { _, _ in count += 1 }
        return count
      }
      #expect(try cycle() == 1)
      return try cycle() == 1
    }
  }

  /// DMA that is on its way while an entry is being written: at every command the function tries. Blocked it may be,
  /// and translated, but no table may be found where none is.
  @Test func tornContext() throws {
    for isOn in [false, true] {
      let memory = PhysicalMemory(size: 1 << 30)
      let hardware = AMDVi(memory: memory, configuration: .nesting)
      let port = BusyPort(hardware)
      hardware.fabric = port
      let driver = AMDViDriver.make(.standard, AMDViPlatform(), memory: memory, failures: FailurePoints())
      // Tables above 32 KiB, so that the root does not fit in the half that comes first.
      for _ in 0..<64 { _ = try memory.allocateFrame() }
      let unit = try driver.add("iommu0", port, AMDViPlatform())
      let device = try driver.probe(
        PCIFunction(requesterID: 0x18, capabilities: .init(pasidBits: 8)), behind: unit)
      let blocked = try #require(driver.blockedDomain)
      try blocked.attach(device, from: nil)
      let domain = try driver.allocatePaging(for: device, flags: HWPTFlag.pasid, data: nil)
      try domain.map(
        IOVA(0x1000), to: try memory.allocateFrame().address, length: 4096, protection: readWrite)
      unit.bugs.set(.tornContext, isOn)
      port.source = 0x18
      try domain.attach(device, from: blocked)
      port.source = nil
      unit.handle(.wire(0))
      #expect(unit.faults.isEmpty != isOn)
      #expect(port.translated > 0)
    }
  }

  /// A register port behind which a function goes on doing DMA.
  private final class BusyPort: RegisterPort, HardwareFabric, @unchecked Sendable {
    let hardware: AMDVi
    var source: UInt32?
    var translated = 0
    init(_ hardware: AMDVi) { self.hardware = hardware }

    func read32(_ offset: UInt64) -> UInt32 {
      UInt32(truncatingIfNeeded: hardware.readRegister(offset, width: 4))
    }
    func read64(_ offset: UInt64) -> UInt64 { hardware.readRegister(offset, width: 8) }
    func write32(_ offset: UInt64, _ value: UInt32) {
      hardware.writeRegister(offset, width: 4, UInt64(value))
      guard offset == AMDViRegister.commandTail, let source else { return }
      if case .translated = hardware.translate(.init(source: source, address: 0x1000)) { translated += 1 }
    }
    func write64(_ offset: UInt64, _ value: UInt64) { hardware.writeRegister(offset, width: 8, value) }

    func interrupt(_ message: InterruptMessage) {}
    func interrupt(wire: UInt32) {}
    func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool { true }
    func respond(_ response: Hardware.PageResponse) {}
    func resume(tag: UInt32, retry: Bool) {}
  }
}
