// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// DMA through what the driver wrote, in both modes and both stages.

/// Which table a domain without flags gets.
enum Setup: String, CaseIterable, Sendable {
  case legacy, firstStage, secondStage, cachingMode, narrow, old

  var choices: ([String: UInt64], [String: String]) {
    switch self {
    case .legacy: ([:], ["mode": "legacy"])
    case .firstStage, .old: ([:], [:])
    case .secondStage: (["first-stage": 0], [:])
    case .cachingMode: (["first-stage": 0, "caching-mode": 1], [:])
    case .narrow: ([:], ["profile": "emulated-legacy", "mode": "legacy"])
    }
  }

  var isLegacy: Bool { self == .legacy || self == .narrow }

  func rig() throws -> Rig { try Rig(choices.0, choices.1, kernel: self == .old ? .v6_12 : .standard) }
}

@Suite("VT-d driver: translation")
struct TranslationTests {
  @Test(arguments: Setup.allCases) func dmaGoesWhereTheDomainSays(_ setup: Setup) throws {
    let rig = try setup.rig()
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    let frame = try rig.frame()
    try device.attach(domain)
    try domain.map(IOVA(0x10000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    #expect(device.write(0x10008, 0x1122_3344_5566_7788).isDone)
    #expect(rig[frame + 8] == 0x1122_3344_5566_7788)
    #expect(device.read(0x10008).value == 0x1122_3344_5566_7788)
    #expect(domain.unmap(IOVA(0x10000), length: 4096) == 4096)
    #expect(device.read(0x10008).value == nil)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test(arguments: Setup.allCases) func faultsHaveTheManualsCodes(_ setup: Setup) throws {
    let rig = try setup.rig()
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    try domain.map(IOVA(0x20000), to: PhysAddr(try rig.frame()), length: 4096, protection: .read)
    typealias Reason = VTd.Reason
    let (missing, readOnly): (UInt8, UInt8) =
      switch setup {
      case .legacy, .narrow: (Reason.noRead, Reason.noWrite)
      case .firstStage: (Reason.firstStageNotPresent, Reason.scalableNoWrite)
      case .secondStage, .cachingMode, .old: (Reason.secondStageNotPresent, Reason.scalableNoWrite)
      }
    #expect(device.read(0x30000).code == UInt32(missing))
    #expect(device.write(0x20000, 1).code == UInt32(readOnly))
    let faults = rig.software.faults
    #expect(faults.map(\.code) == [UInt32(missing), UInt32(readOnly)])
    #expect(faults.map(\.address) == [0x30000, 0x20000])
    #expect(faults.map(\.isWrite) == [false, true])
    #expect(faults.allSatisfy { $0.source == device.function.source && $0.pasid == nil })
    #expect(faults.first?.name == VTd.faultReason(missing)?.name)
  }

  @Test(arguments: Setup.allCases) func blockedFunctionsReachNothing(_ setup: Setup) throws {
    let rig = try setup.rig()
    let device = try rig.function()
    let code = setup.isLegacy ? VTd.Reason.contextNotPresent : VTd.Reason.pasidEntryNotPresent
    #expect(device.read(0x1000).code == UInt32(code))
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    try domain.map(IOVA(0x1000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    #expect(device.read(0x1000).isDone)
    device.group.detach()
    #expect(device.read(0x1000).code == UInt32(code))
    #expect(domain.links.tags.isEmpty)
  }

  @Test(arguments: Setup.allCases) func largePagesAreOneLeaf(_ setup: Setup) throws {
    let rig = try setup.rig()
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    let frame = try rig.memory.allocateHugePage().address.raw
    try domain.map(IOVA(0x4000_0000), to: PhysAddr(frame), length: 2 << 20, protection: [.read, .write])
    #expect(device.write(0x4012_3458, 7).isDone)
    #expect(rig[frame + 0x12_3458] == 7)
    guard case .translated(let translation) = rig.fresh(device, 0x4012_3458, write: true) else {
      Issue.record("not translated")
      return
    }
    #expect(translation.sizeLg2 == 21)
  }

  @Test func replacingSwitchesAtOnce() throws {
    for setup in Setup.allCases {
      let rig = try setup.rig()
      let device = try rig.function()
      let (a, b) = (try rig.domain(for: device), try rig.domain(for: device))
      let (x, y) = (try rig.frame(), try rig.frame())
      (rig[x], rig[y]) = (1, 2)
      try a.map(IOVA(0x5000), to: PhysAddr(x), length: 4096, protection: .read)
      try b.map(IOVA(0x5000), to: PhysAddr(y), length: 4096, protection: .read)
      try device.attach(a)
      #expect(device.read(0x5000).value == 1)
      try device.group.replace(with: b, handle: AttachHandle())
      #expect(device.read(0x5000).value == 2)
      #expect(a.links.id(on: rig.software) == nil)
    }
  }

  @Test func theKernelsOwnDomainCarriesReservedMemory() throws {
    let rig = try Rig(["rmrr-base": 0x7000_0000, "rmrr-size": 0x2000, "rmrr-relaxable": 1])
    let device = try rig.function(claimed: false)
    #expect(device.write(0x7000_1000, 5).isDone)
    #expect(rig[0x7000_1000] == 5)
    #expect(!device.read(0x7000_2000).isDone)
  }

  /// Tags of one unit stand together, and each unit gets its descriptors in one submission.
  @Test func aDomainOnTwoUnitsIsFlushedOnBoth() throws {
    let rig = try Rig(["first-stage": 0])
    let other = try rig.machine.addIOMMU("iommu1", .vtd, IOMMUKind.Choices())
    let second = try rig.machine.addFunction(
      "second", PCIFunction(requesterID: 0x500, capabilities: Rig.everything), behind: other)
    try second.group.claim(for: rig)
    let first = try rig.function()
    let domain = try rig.domain(for: first)
    // Another domain takes an ID of the second unit only.
    let extra = try rig.machine.addFunction("extra", PCIFunction(requesterID: 0x508), behind: other)
    try extra.group.claim(for: rig)
    try extra.attach(try rig.domain(for: extra))
    try first.attach(domain)
    try second.attach(domain)
    #expect(domain.links.id(on: rig.software) == 2)
    let id = domain.links.id(on: try #require(other.software as? VTdIOMMU))
    #expect(id == 3)
    let frame = try rig.frame()
    try domain.map(IOVA(0x6000), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
    #expect(first.read(0x6000).isDone && second.read(0x6000).isDone)
    #expect(rig.commands { domain.unmap(IOVA(0x6000), length: 4096) } == [[0x2_00F2, 0x6040]])
    #expect(!first.read(0x6000).isDone && !second.read(0x6000).isDone)
    #expect(rig.machine.staleTranslations().isEmpty)
  }

  @Test func anOldKernelTurnsATSOnWithTheDomain() throws {
    let rig = try Rig(kernel: .v6_12)
    let device = try rig.function(Rig.everything)
    #expect(!device.function.control.ats)
    let domain = try rig.domain(for: device)
    try device.attach(domain)
    #expect(device.function.control.ats)
    let commands = rig.commands { device.group.detach() }
    // ATS is off before the entry is torn down.
    #expect(commands.map { $0[0] & 0xF } == [7, 2])
    #expect(!device.function.control.ats)
  }

  @Test func aWriteBufferIsFlushed() throws {
    let rig = try Rig(["rwbf": 1])
    let device = try rig.function()
    let domain = try rig.domain(for: device)
    #expect(domain.flushesAfterMap)
    try device.attach(domain)
    try domain.map(IOVA(0x6000), to: PhysAddr(try rig.frame()), length: 4096, protection: [.read, .write])
    #expect(device.read(0x6000).isDone)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func aUnitThatIsTooNarrowRefuses() throws {
    let rig = try Rig(["first-stage": 0])
    let wide = try rig.domain(for: try rig.function())
    var choices = IOMMUKind.Choices()
    choices.words["profile"] = "emulated-second-stage"
    let other = try rig.machine.addIOMMU("iommu1", .vtd, choices)
    let device = try rig.machine.addFunction("narrow", PCIFunction(requesterID: 0x500), behind: other)
    try device.group.claim(for: rig)
    #expect(throws: Errno.EINVAL) { try device.attach(wide) }
    #expect(device.group.isBlocked)
  }

  @Test func aFailedReplaceLeavesTheOldDomain() throws {
    let rig = try Rig(["first-stage": 0])
    let device = try rig.function()
    let old = try rig.domain(for: device)
    let frame = try rig.frame()
    rig[frame] = 42
    try old.map(IOVA(0x1000), to: PhysAddr(frame), length: 4096, protection: .read)
    try device.attach(old)
    let parent = try rig.domain(for: device, flags: HWPTFlag.nestParent)
    let odd = try rig.nested(device, on: parent, root: 0x8000, width: 47)
    #expect(throws: Errno.EINVAL) { try device.group.replace(with: odd, handle: AttachHandle()) }
    #expect(device.read(0x1000).value == 42)
    #expect(old.links.id(on: rig.software) != nil)
    #expect(parent.links.tags.isEmpty)
  }
}
