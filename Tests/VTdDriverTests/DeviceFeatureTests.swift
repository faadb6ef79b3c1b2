// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// PASIDs, translation caches of functions, page requests, dirty bits, coherency, interrupts.

@Suite("VT-d driver: what functions and units can do")
struct DeviceFeatureTests {
  @Test func everyPASIDHasItsDomain() throws {
    for flags in [0, HWPTFlag.dirtyTracking] {
      let rig = try Rig()
      let device = try rig.function(Rig.everything)
      let domains = try (0..<3).map { _ in try rig.domain(for: device, flags: flags) }
      let pasids: [UInt32] = [1, 0x12345, 0xFFFFF]
      for (index, domain) in domains.enumerated() {
        let frame = try rig.frame()
        rig[frame] = UInt64(index) + 100
        try domain.map(IOVA(0x7000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
        try device.attach(domain, pasid: pasids[index])
      }
      for (index, pasid) in pasids.enumerated() {
        #expect(device.read(0x7000, pasid: pasid).value == UInt64(index) + 100)
      }
      #expect(device.read(0x7000, pasid: 77).value == nil)
      try device.group.replace(with: domains[1], pasid: 1, of: device.device, handle: AttachHandle())
      #expect(device.read(0x7000, pasid: 1).value == 101)
      #expect(domains[0].links.id(on: rig.software) == nil)
      device.group.detach(pasid: 1)
      #expect(device.read(0x7000, pasid: 1).value == nil)
      domains[1].unmap(IOVA(0x7000), length: 4096)
      #expect(device.read(0x7000, pasid: 0x12345).value == nil)
      #expect(rig.software.complaints.isEmpty)
    }
  }

  @Test func withoutPASIDsAttachingOneIsRefused() throws {
    let rig = try Rig(["pasid": 0])
    let device = try rig.function(Rig.everything)
    let domain = try rig.domain(for: device, flags: HWPTFlag.pasid)
    #expect(throws: Errno.EOPNOTSUPP) { try domain.setPASID(3, of: device.device, from: nil) }
    #expect(device.device.maxPASIDs == 0)
  }

  @Test func functionsWithATSAreToldToForget() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    #expect(device.function.control.ats)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    let (x, y) = (try rig.frame(), try rig.frame())
    try domain.map(IOVA(0x9000), to: PhysAddr(x), length: 4096, protection: [.read, .write])
    #expect(device.read(0x9000).isDone)
    let id = UInt64(try #require(domain.links.id(on: rig.software)))
    let commands = rig.commands { domain.unmap(IOVA(0x9000), length: 4096) }
    #expect(
      commands == [
        [0x36 | id << 16, 0x9040],
        [UInt64(device.function.requesterID) << 32 | dit(device) | 3, 0x9000],
      ])
    try domain.map(IOVA(0x9000), to: PhysAddr(y), length: 4096, protection: [.read, .write])
    #expect(device.write(0x9000, 3).isDone)
    #expect(rig[x] == 0 && rig[y] == 3)
  }

  /// PFSID, since the unit throttles by it.
  private func dit(_ device: Endpoint) -> UInt64 {
    let source = UInt64(device.function.requesterID)
    return (source & 0xF) << 12 | (source >> 4) << 52
  }

  @Test func tearDownInTheManualsOrder() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    let id = UInt64(try #require(domain.links.id(on: rig.software)))
    let commands = rig.commands { device.group.detach() }
    #expect(commands.map { $0[0] & 0xF } == [7, 6, 3])
    #expect(commands[0][0] == 0x17 | id << 16)
    #expect(commands[1][0] == 0x26 | id << 16)
    #expect(commands[2][1] == 0x7FFF_FFFF_FFFF_F001)
    // Scalable mode leaves ATS on although nothing can be reached any more.
    #expect(device.function.control.ats)
  }

  @Test func legacyModeTurnsATSOnWithTheContext() throws {
    let rig = try Rig([:], ["mode": "legacy"])
    let device = try rig.function(Rig.everything)
    #expect(!device.function.control.ats)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    #expect(device.function.control.ats)
    let frame = try rig.frame()
    rig[frame] = 6
    try domain.map(IOVA(0x9000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    #expect(device.read(0x9000).value == 6)
    let commands = rig.commands { device.group.detach() }
    #expect(commands.map { $0[0] & 0xF } == [1, 2, 3])
    #expect(!device.function.control.ats)
  }

  // MARK: Page requests

  @Test func pageRequestsAreAnswered() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    #expect(device.function.control.pri)
    let domain = try rig.domain(for: device)
    let handler = Handler()
    domain.faultHandler = handler
    try device.attach(domain, pasid: 9)
    #expect(device.device.isInFaultQueue)
    try device.requestPage(
      0xA000, pasid: 9, read: true, write: false, execute: false, privileged: false, last: false, group: 4)
    #expect(handler.groups.isEmpty)
    try device.requestPage(
      0xB000, pasid: 9, read: true, write: true, execute: false, privileged: false, last: true, group: 4)
    let group = try #require(handler.groups.first)
    #expect(group.requests.map(\.address) == [0xA000, 0xB000])
    #expect(group.requests.map(\.permissions) == [1, 3])
    #expect(device.responses.isEmpty)
    let frame = try rig.frame()
    try domain.map(IOVA(0xB000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    group.respond(.success)
    #expect(device.responses.map(\.group) == [4])
    #expect(device.responses.map(\.pasid) == [9])
    #expect(device.responses.map(\.code) == ["success"])
    #expect(device.write(0xB000, 1, pasid: 9).isDone)
    // Detaching drains, and nobody takes requests any more.
    let commands = rig.commands { device.group.detach(pasid: 9) }
    #expect(commands.map { $0[0] & 0xF } == [7, 6, 8, 5, 6, 8, 5])
    #expect(commands.last.map { $0[0] } == 0x2_0000_00A5)
    #expect(!device.device.isInFaultQueue)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func nobodyToAskMeansInvalid() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    try device.requestPage(
      0xA000, pasid: nil, read: true, write: false, execute: false, privileged: false, last: true, group: 1)
    #expect(device.responses.map(\.code) == ["invalidRequest"])
    // Both execute and read is nonsense.
    domain.faultHandler = Handler()
    device.group.detach()
    try device.attach(domain)
    try device.attach(domain, pasid: 2)
    try device.requestPage(
      0xA000, pasid: 2, read: true, write: false, execute: true, privileged: false, last: true, group: 2)
    #expect(device.responses.map(\.group) == [1, 2])
    #expect(device.responses.last?.code == "invalidRequest")
  }

  @Test func aHandlerNeedsPageRequests() throws {
    let rig = try Rig(["prs": 0])
    let device = try rig.function(Rig.everything)
    let domain = try rig.domain(for: device)
    domain.faultHandler = Handler()
    #expect(throws: Errno.ENODEV) { try device.attach(domain) }
  }

  // MARK: Dirty bits and coherency

  @Test(arguments: [false, true]) func writesAreRemembered(_ hasATS: Bool) throws {
    let rig = try Rig()
    let device = try rig.function(hasATS ? Rig.everything : .init())
    let domain = try #require(
      try rig.domain(for: device, flags: HWPTFlag.dirtyTracking) as? VTdDirtyDomain)
    try device.attach(domain)
    let frames = try rig.memory.allocateContiguous(4).address
    try domain.map(IOVA(0x10000), to: frames, length: 0x4000, protection: [.read, .write])
    #expect(device.write(0x11000, 1).isDone)
    #expect(try dirty(domain).isEmpty)
    let commands = try rig.commands { try domain.setDirtyTracking(true) }
    #expect(commands.map { $0[0] & 0xF } == (hasATS ? [7, 2, 3] : [7, 2]))
    #expect(device.write(0x11000, 1).isDone)
    #expect(device.read(0x12000).isDone)
    #expect(try dirty(domain) == [0x11000])
    #expect(try dirty(domain).isEmpty)
    #expect(device.write(0x11000, 1).isDone)
    #expect(device.write(0x13000, 1).isDone)
    #expect(try dirty(domain) == [0x11000, 0x13000])
    try domain.setDirtyTracking(false)
    #expect(device.write(0x10000, 1).isDone)
    #expect(try dirty(domain).isEmpty)
  }

  private func dirty(_ domain: VTdDirtyDomain) throws -> [UInt64] {
    var found: [UInt64] = []
    try domain.readDirty(IOVA(0x10000), length: 0x4000, clearing: true) { iova, _ in found.append(iova.raw) }
    return found
  }

  @Test func coherencyIsEnforcedWhereTheUnitCan() throws {
    let rig = try Rig()
    let device = try rig.function()
    let first = try rig.domain(for: device)
    try device.attach(first)
    let id = UInt64(try #require(first.links.id(on: rig.software)))
    let commands = rig.commands { #expect(first.enforceCacheCoherency()) }
    #expect(commands.map { $0[0] } == [0x17 | id << 16, 0x26 | id << 16])
    let second = try rig.domain(for: device, flags: HWPTFlag.nestParent)
    #expect(second.enforceCacheCoherency())
    let frame = try rig.frame()
    try second.map(IOVA(0x1000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    var raw: UInt64 = 0
    second.table.forEachEntry { entry, _ in if entry.kind == .leaf { raw = entry.raw } }
    #expect(raw == frame | 0x803)
    let late = try rig.domain(for: device, flags: HWPTFlag.nestParent)
    try late.map(IOVA(0x1000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    #expect(!late.enforceCacheCoherency())

    let without = try Rig(["snoop-control": 0])
    let other = try without.function()
    let domain = try without.domain(for: other)
    try other.attach(domain)
    #expect(!domain.enforceCacheCoherency())
  }

  // MARK: Interrupts

  @Test func interruptsAreRemapped() throws {
    let rig = try Rig()
    let device = try rig.function()
    let other = try rig.function()
    let source = device.function.requesterID
    let interrupt = try rig.software.remapInterrupt(from: source, vector: 0x41, destination: 3)
    func raise(_ endpoint: Endpoint) -> DMAOutcome {
      endpoint.perform(
        .write(interrupt.address, (0..<4).map { UInt8(truncatingIfNeeded: interrupt.data >> ($0 * 8)) }))
    }
    func target(_ outcome: DMAOutcome) -> [UInt64]? {
      guard case .interrupt(let address, let data) = outcome else { return nil }
      return [address >> 12 & 0xFF, UInt64(data & 0xFF)]
    }
    #expect(target(raise(device)) == [3, 0x41])
    // Nobody raises another's interrupts.
    #expect(raise(other).code == UInt32(VTd.Reason.sourceIDCheck))
    #expect(rig.software.faults.last?.code == UInt32(VTd.Reason.sourceIDCheck))
    #expect(rig.software.faults.last?.address == UInt64(interrupt.index))
    // What is not remapped is blocked.
    #expect(device.write(0xFEE0_0000, 0x41).code == UInt32(VTd.Reason.compatibilityFormatBlocked))
    try rig.software.retarget(interrupt, from: source, vector: 0x42, destination: 1)
    #expect(target(raise(device)) == [1, 0x42])
    rig.software.freeInterrupt(interrupt)
    #expect(raise(device).code == UInt32(VTd.Reason.interruptEntryNotPresent))
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func withoutRemappingInterruptsAreNotIsolated() throws {
    let rig = try Rig(["intremap": 0])
    let device = try rig.function()
    #expect(!device.device.capabilities.contains(.isolatedMSI))
    #expect(throws: Errno.EOPNOTSUPP) {
      try rig.software.remapInterrupt(from: 0x20, vector: 1, destination: 0)
    }
  }

  // MARK: What user space is told

  @Test func informationIsTheRegisters() throws {
    let rig = try Rig()
    let device = try rig.function()
    let (type, bytes) = try rig.driver.hardwareInformation(of: device.device, type: 0)
    #expect(type == 1)
    #expect(bytes.count == 24)
    #expect(bytes.word(0) == 1 && bytes.word(4) == 0)
    #expect(bytes.quad(8) == VTd.Profile.full.cap)
    #expect(bytes.quad(16) == VTd.Profile.full.ecap)
    #expect(throws: Errno.EOPNOTSUPP) { try rig.driver.hardwareInformation(of: device.device, type: 2) }
  }

  @Test func reservedRegionsAreFirmwaresAndTheInterruptWindow() throws {
    let rig = try Rig(["rmrr-base": 0x7000_0123, "rmrr-size": 0x1000, "rmrr-source": 0x20])
    let device = try rig.function(claimed: false)
    #expect(
      device.device.reservedRegions == [
        ReservedRegion(0x7000_0000, 0x7000_1FFF, .direct), ReservedRegion(0xFEE0_0000, 0xFEEF_FFFF, .msi),
      ])
    // Firmware needs it: nobody may take it away.
    #expect(throws: Errno.EINVAL) { try device.group.claim(for: rig) }
    #expect(try rig.function().device.reservedRegions.count == 1)
  }

  @Test(arguments: [Personality.v6_12, .v7_2]) func flagsByUnit(_ kernel: Personality) throws {
    let (nested, dirty, pasid) = (HWPTFlag.nestParent, HWPTFlag.dirtyTracking, HWPTFlag.pasid)
    let full = try Rig(kernel: kernel)
    let device = try full.function()
    for flags in [0, nested, dirty, nested | dirty] { _ = try full.domain(for: device, flags: flags) }
    if kernel == .v7_2 {
      #expect(try full.domain(for: device).tableName == "x86-64 first stage")
      #expect(try full.domain(for: device, flags: pasid).tableName == "x86-64 first stage")
      #expect(try full.domain(for: device, flags: nested | pasid).tableName == "VT-d second stage")
    } else {
      #expect(try full.domain(for: device).tableName == "VT-d second stage")
      #expect(throws: Errno.EOPNOTSUPP) { try full.domain(for: device, flags: pasid) }
    }
    #expect(throws: Errno.EOPNOTSUPP) { try full.domain(for: device, flags: 16) }
    let legacy = try Rig([:], ["mode": "legacy"], kernel: kernel)
    let old = try legacy.function()
    for flags in [nested, dirty, nested | dirty] {
      #expect(throws: Errno.EOPNOTSUPP) { try legacy.domain(for: old, flags: flags) }
    }
  }

  @Test func anOldKernelsWriteOnlyPagesCanBeRead() throws {
    for (kernel, code) in [(Personality.v6_12, nil), (.v7_2, UInt32(VTd.Reason.noRead))] {
      let rig = try Rig([:], ["mode": "legacy"], kernel: kernel)
      let device = try rig.function()
      let domain = try rig.domain(for: device)
      try device.attach(domain)
      try domain.map(IOVA(0x1000), to: PhysAddr(try rig.frame()), length: 4096, protection: .write)
      #expect(device.read(0x1000).code == code)
    }
  }
}
