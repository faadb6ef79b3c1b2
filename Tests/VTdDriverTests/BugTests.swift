// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// Every mistake that the driver can be told to make shows as a translation that is stale or wrong, and without the
// mistake the same steps show none.

@Suite("VT-d driver: bugs on purpose")
struct BugTests {
  @Test(arguments: DriverBug.allCases) func theMistakeShows(_ bug: DriverBug) throws {
    #expect(try isWrong(bug, on: false) == false)
    #expect(try isWrong(bug, on: true))
  }

  private func isWrong(_ bug: DriverBug, on: Bool) throws -> Bool {
    switch bug {
    case .skipUnmapFlush, .wrongDomainFlush, .skipSync: try reachesUnmapped(bug, on, .init(), pages: 1)
    case .skipDeviceFlush: try reachesUnmapped(bug, on, Rig.everything, pages: 1)
    case .shortFlush: try reachesUnmapped(bug, on, .init(), pages: 4)
    case .leafOnlyFlush: try walksThroughFreedTable(bug, on)
    case .skipContextFlush: try reachesAfterDetach(bug, on, pasid: nil)
    case .skipPASIDFlush: try reachesAfterDetach(bug, on, pasid: 3)
    case .reuseTag: try nextDomainInherits(bug, on)
    case .skipMapFlush: try staysMissing(bug, on)
    case .skipDirtyFlush: try losesWrites(bug, on)
    case .tornContext: try cachesHalfAnEntry(bug, on)
    }
  }

  private func reachesUnmapped(
    _ bug: DriverBug, _ on: Bool, _ capabilities: PCIFunction.Capabilities, pages: UInt64
  ) throws -> Bool {
    let rig = try Rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function(capabilities)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    let frames = try rig.memory.allocateContiguous(Int(pages)).address
    try domain.map(IOVA(0x4000), to: frames, length: pages * 4096, protection: [.read, .write])
    let last = 0x4000 + (pages - 1) * 4096
    #expect(device.read(last).isDone)
    domain.unmap(IOVA(0x4000), length: pages * 4096)
    let isStale = device.read(last).isDone
    #expect(rig.machine.staleTranslations().isEmpty != isStale)
    return isStale
  }

  private func walksThroughFreedTable(_ bug: DriverBug, _ on: Bool) throws -> Bool {
    let rig = try Rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    let frames = try rig.memory.allocateContiguous(512).address
    for page in 0..<512 as Range<UInt64> {
      try domain.map(
        IOVA(0x4000_0000 + page << 12), to: PhysAddr(frames.raw + (511 - page) << 12), length: 4096,
        protection: [.read, .write])
    }
    #expect(device.read(0x4000_0000).isDone)
    domain.unmap(IOVA(0x4000_0000), length: 512 << 12)
    // Somebody else takes the table's page.
    let frame = try rig.frame()
    try domain.map(IOVA(0x4000_0000), to: frames, length: 4096, protection: [.read, .write])
    rig[frame] = 0
    rig[frames.raw] = 77
    return device.read(0x4000_0000).value != 77
  }

  private func reachesAfterDetach(_ bug: DriverBug, _ on: Bool, pasid: UInt32?) throws -> Bool {
    let rig = try Rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function(PCIFunction.Capabilities(pasidBits: 8))
    let domain = try rig.domain(for: device)
    try domain.map(IOVA(0x4000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    if let pasid { try device.attach(domain, pasid: pasid) } else { try device.attach(domain) }
    #expect(device.read(0x4000, pasid: pasid).isDone)
    if let pasid { device.group.detach(pasid: pasid) } else { device.group.detach() }
    #expect(rig.unit.withHardware { $0.staleStructures.isEmpty } != on)
    return device.read(0x4000, pasid: pasid).isDone
  }

  private func nextDomainInherits(_ bug: DriverBug, _ on: Bool) throws -> Bool {
    let rig = try Rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function()
    let (a, b) = (try rig.domain(for: device), try rig.domain(for: device))
    try a.map(IOVA(0x4000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    try device.attach(a)
    let id = a.links.id(on: rig.software)
    #expect(device.read(0x4000).isDone)
    device.group.detach()
    try device.attach(b)
    #expect(b.links.id(on: rig.software) == id)
    return device.read(0x4000).isDone
  }

  private func staysMissing(_ bug: DriverBug, _ on: Bool) throws -> Bool {
    let rig = try Setup.cachingMode.rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    #expect(!device.read(0x4000).isDone)
    try domain.map(IOVA(0x4000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    return !device.read(0x4000).isDone
  }

  private func losesWrites(_ bug: DriverBug, _ on: Bool) throws -> Bool {
    let rig = try Rig()
    rig.software.bugs.set(bug, on)
    let device = try rig.function()
    let domain = try #require(
      try rig.domain(for: device, flags: HWPTFlag.dirtyTracking) as? VTdDirtyDomain)
    try device.attach(domain)
    try domain.map(IOVA(0x4000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    try domain.setDirtyTracking(true)
    var found = 0
    for _ in 0..<2 {
      #expect(device.write(0x4000, 1).isDone)
      found = 0
      try domain.readDirty(IOVA(0x4000), length: 4096, clearing: true) { _, _ in found += 1 }
    }
    return found == 0
  }

  /// A device that is as quick as the driver: between two words of an entry it asks for a translation.
  private func cachesHalfAnEntry(_ bug: DriverBug, _ on: Bool) throws -> Bool {
    let memory = PhysicalMemory(size: 1 << 30)
    let port = QuickPort(
      VTdUnit(memory: memory, fabric: nil, configuration: VTdConfiguration(cachePolicy: .infinite)))
    let driver = VTdDriver(.standard, memory: memory, failures: FailurePoints())
    let unit = try driver.bringUp("iommu0", port, VTdIOMMU.Options())
    unit.bugs.set(bug, on)
    let device = try driver.probe(PCIFunction(requesterID: 0x20), behind: unit)
    let parent = try driver.allocatePaging(for: device, flags: HWPTFlag.nestParent, data: nil)
    try parent.map(
      IOVA(0x4000), to: try memory.allocateFrame().address, length: 4096, protection: [.read, .write])
    let dma = Transaction(source: 0x20, address: 0x4000)
    port.whenStatusIsRead = { _ = port.unit.translate(dma) }
    try parent.attach(device, from: nil)
    port.whenStatusIsRead = {}
    parent.unmap(IOVA(0x4000), length: 4096)
    if case .translated = port.unit.translate(dma) { return true }
    return false
  }
}

/// Registers of a unit, with a device that acts whenever the driver reads the status.
private final class QuickPort: RegisterPort, @unchecked Sendable {
  let unit: VTdUnit
  var whenStatusIsRead: () -> Void = {}

  init(_ unit: VTdUnit) { self.unit = unit }

  func read32(_ offset: UInt64) -> UInt32 {
    if offset == VTd.Register.gsts { whenStatusIsRead() }
    return UInt32(truncatingIfNeeded: unit.readRegister(offset, width: 4))
  }
  func read64(_ offset: UInt64) -> UInt64 { unit.readRegister(offset, width: 8) }
  func write32(_ offset: UInt64, _ value: UInt32) {
    unit.writeRegister(offset, width: 4, UInt64(value))
  }
  func write64(_ offset: UInt64, _ value: UInt64) { unit.writeRegister(offset, width: 8, value) }
}
