// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

// Each mistake that the driver can be told to make is seen by a device, and by a checker of caches. Without it the same
// steps are right.

@Suite struct BugTests {
  /// Runs the same steps with and without a bug.
  private func bothWays(
    _ bug: DriverBug, _ numbers: [String: UInt64] = [:],
    _ steps: (DriverRig, Bool) throws -> Void
  ) throws {
    for hasBug in [false, true] {
      let rig = try DriverRig(numbers)
      #expect(rig.software.riscvDriver.possibleBugs.contains(bug))
      rig.software.bugs.set(bug, hasBug)
      try steps(rig, hasBug)
    }
  }

  /// A page that was unmapped.
  private func expectStaleUnmap(_ rig: DriverRig, _ hasBug: Bool, pages: UInt64 = 1, page stale: UInt64 = 0)
    throws
  {
    let (device, domain) = try rig.attached(5)
    try domain.map(IOVA(0), to: PhysAddr(0x7000), length: pages << 12, protection: readWrite)
    for page in 0..<pages { #expect(rig.translate(device, page << 12).address == 0x7000 + page << 12) }
    domain.unmap(IOVA(0), length: pages << 12)
    let asked = Transaction(source: 5, address: stale << 12)
    let cached = rig.unit.withHardware { $0.cachedAnswer(asked) }
    #expect(cached?.address == (hasBug ? 0x7000 + stale << 12 : nil))
    #expect(rig.translate(device, stale << 12).address == (hasBug ? 0x7000 + stale << 12 : nil))
  }

  @Test func skipUnmapFlush() throws {
    try bothWays(.skipUnmapFlush) { try expectStaleUnmap($0, $1) }
    try bothWays(.wrongDomainFlush) { try expectStaleUnmap($0, $1) }
    try bothWays(.shortFlush) { try expectStaleUnmap($0, $1, pages: 4, page: 3) }
    try bothWays(.shortFlush, ["s": 0]) { try expectStaleUnmap($0, $1, pages: 4, page: 1) }
  }

  /// Stale until another command rings the doorbell.
  @Test func skipSync() throws {
    try bothWays(.skipSync) { rig, hasBug in
      try expectStaleUnmap(rig, hasBug)
      guard hasBug else { return }
      _ = try rig.device(6)
      #expect(rig.unit.withHardware { $0.cachedAnswer(Transaction(source: 5, address: 0)) }?.address == nil)
    }
  }

  /// A queue that nobody rings fills up, and then is rung all the same.
  @Test func skipSyncForLong() throws {
    let rig = try DriverRig(["queue-lg2": 3])
    rig.software.bugs.set(.skipSync, true)
    let (device, domain) = try rig.attached(5)
    for _ in 0..<20 {
      try domain.map(IOVA(0), to: PhysAddr(0x7000), length: 4096, protection: readWrite)
      _ = rig.translate(device, 0)
      domain.unmap(IOVA(0), length: 4096)
    }
    #expect(rig.software.complaints.isEmpty)
  }

  /// The device walks on through a table that is another's by now.
  @Test(arguments: [[:], ["s": 0], ["nl": 0], ["nl": 0, "s": 0]] as [[String: UInt64]])
  func leafOnlyFlush(numbers: [String: UInt64]) throws {
    try bothWays(.leafOnlyFlush, numbers) { rig, hasBug in
      let (device, domain) = try rig.attached(5)
      // A table of 512 leaves, of which the device has used one.
      try domain.map(IOVA(2 << 20), to: PhysAddr(0x7000), length: 2 << 20, protection: readWrite)
      #expect(rig.translate(device, 2 << 20).address == 0x7000)
      domain.unmap(IOVA(2 << 20), length: 2 << 20)
      // Whoever gets the frame next writes what is a leaf to the device.
      let frame = try rig.memory.allocateFrame()
      _ = rig.memory.store64(0x1234_5000 >> 2 | 0xDF, at: PhysAddr(frame.address.raw + 8))
      #expect(rig.translate(device, 2 << 20 + 4096).address == (hasBug ? 0x1234_5000 : nil))
      let pieces = rig.unit.withHardware { $0.cachedAddresses }.map(\.address)
      #expect(pieces.contains(2 << 20 + 4096) == hasBug)
    }
  }

  /// A device that was moved goes on with its old context.
  @Test func skipContextFlush() throws {
    try bothWays(.skipContextFlush) { rig, hasBug in
      let (device, first) = try rig.attached(5)
      try first.map(IOVA(0x1000), to: PhysAddr(0x7000), length: 4096, protection: readWrite)
      #expect(rig.translate(device, 0x1000).address == 0x7000)
      let second = try rig.domain(for: device)
      try rig.put(device, on: second)
      #expect(
        rig.unit.withHardware { $0.staleStructures }
          == (hasBug ? ["device 5: the cached device context is not the one in memory"] : []))
      #expect(rig.translate(device, 0x1000).address == (hasBug ? 0x7000 : nil))
      device.device.group?.detach()
      #expect(
        rig.unit.withHardware { $0.staleStructures }
          == (hasBug ? ["device 5: a device context is cached, and memory has fault 258"] : []))
    }
  }

  /// The next domain has the PSCID of one that is gone, and its translations.
  @Test func reuseTag() throws {
    try bothWays(.reuseTag) { rig, hasBug in
      let device = try rig.device(5)
      func use() throws -> UInt32 {
        let domain = try rig.domain(for: device)
        try domain.map(IOVA(0x1000), to: PhysAddr(0x7000), length: 4096, protection: readWrite)
        try rig.put(device, on: domain)
        #expect(rig.translate(device, 0x1000).address == 0x7000)
        device.device.group?.detach()
        return domain.pscid
      }
      let old = try use()
      let next = try rig.domain(for: device)
      #expect(next.pscid == old)
      try rig.put(device, on: next)
      #expect(rig.translate(device, 0x1000).address == (hasBug ? 0x7000 : nil))
    }
  }

  /// Between two commands the context is valid and names nothing: the device reaches all of memory.
  @Test func tornContext() throws {
    for hasBug in [false, true] {
      let memory = PhysicalMemory(size: 1 << 30)
      let port = BusPort(memory)
      let driver = RISCVDriver(memory: memory)
      let iommu = try RISCVInstance.bringUp("iommu", driver: driver, port: port, site: .init(memory: memory))
      iommu.bugs.set(.tornContext, hasBug)
      let device = try driver.probe(PCIFunction(requesterID: 5), behind: iommu)
      try driver.blockedDomain?.attach(device, from: nil)
      let domain = try driver.allocatePaging(for: device)
      try domain.map(IOVA(0x1000), to: PhysAddr(0x7000), length: 4096, protection: readWrite)
      var seen: Set<UInt64?> = []
      port.onDoorbell = { [unowned port] in
        seen.insert(port.hardware.translate(Transaction(source: 5, address: 0x1000)).address)
      }
      try domain.attach(device, from: nil)
      port.onDoorbell = {}
      #expect(seen == (hasBug ? [0x1000, 0x7000] : [0x7000]))
    }
  }

  /// Bugs that other hardware's drivers have.
  @Test func impossible() throws {
    let rig = try DriverRig()
    let missing = Set(DriverBug.allCases).subtracting(rig.software.riscvDriver.possibleBugs)
    #expect(missing == [.skipDeviceFlush, .skipPASIDFlush, .skipMapFlush, .skipDirtyFlush])
  }
}

extension RISCVInstance {
  var riscvDriver: RISCVDriver {
    guard let driver = driver as? RISCVDriver else { preconditionFailure("not RISC-V's driver") }
    return driver
  }
}
