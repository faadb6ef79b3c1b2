// SPDX-License-Identifier: GPL-3.0-or-later
import IOMMU
import Memory
import Seams
import Testing
import UAPI

@testable import IOMMUFD

/// Devices that the selftest's mock cannot be: members of larger groups, with reserved regions, interrupt
/// windows and other drivers. Reference devices-hwpt-viommu.md sections 1, 2 and 12.
@Suite("Devices")
struct DeviceObjectTests {
  /// A context on a machine of its own, with what a test makes in it.
  final class Bench {
    let memory = PhysicalMemory(size: 1 << 28)
    let kernel: Kernel
    let file: ContextFile
    var context: Context { file.context }

    init(_ personality: Personality = .v7_2, unsafe: Bool = false) {
      kernel = Kernel(personality, memory: memory, allowUnsafeInterrupts: unsafe)
      file = kernel.open()
    }

    func ioas() throws -> IOAS {
      let ioas = IOAS(in: context)
      try context.objects.reserve(ioas)
      context.objects.publish(ioas)
      return ioas
    }

    func hwpt(_ ioas: IOAS, _ device: DeviceObject, flags: UInt32 = 0) throws -> PagingHWPT {
      try ioas.hwptLock.withLock { () throws(Errno) -> PagingHWPT in
        let hwpt = try PagingHWPT.make(on: ioas, for: device, flags: flags, data: nil, attaching: nil)
        context.objects.publish(hwpt)
        return hwpt
      }
    }

    func expectSound(_ place: Comment? = nil) {
      let broken = context.violations()
      #expect(broken.isEmpty, place)
    }
  }

  @Test func twoDevicesOfOneGroup() throws {
    let bench = Bench()
    let group = try Group()
    let a = try bench.context.bind(group.devices[0])
    let other = bench.kernel.open()
    #expect(throws: Errno.EPERM) { try other.context.bind(group.devices[1]) }
    let b = try bench.context.bind(group.devices[1])
    #expect(group.core.ownerCount == 2)
    let ioas = try bench.ioas()
    var id = ioas.id
    group.driver.log = []
    try a.attach(to: &id)
    let auto = try #require(a.hwpt(at: 0))
    #expect(id == auto.id && b.hwpt(at: 0) == nil)
    #expect(group.driver.log == ["A -> paging1", "B -> paging1"])
    bench.expectSound()
    id = ioas.id
    #expect(throws: Errno.EINVAL) { try b.replace(with: &id) }
    try b.attach(to: &id)
    #expect(auto.users == 3 && id == auto.id)
    #expect(throws: Errno.EBUSY) { try b.attach(to: &id) }
    let manual = try bench.hwpt(ioas, a)
    var manualID = manual.id
    #expect(throws: Errno.EBUSY) { try b.attach(to: &manualID) }
    b.detach()
    #expect(throws: Errno.EINVAL) { try b.attach(to: &manualID) }
    id = auto.id
    try b.attach(to: &id)
    // One member moves both, and the automatic one is gone.
    try a.replace(with: &manualID)
    #expect(b.hwpt(at: 0) === manual && manual.users == 3)
    #expect(bench.context.objects.all.allSatisfy { $0 !== auto })
    bench.expectSound()
    a.detach()
    #expect(group.core.domain === manual.domain && !group.core.isBlocked)
    b.detach()
    #expect(group.core.isBlocked)
    a.unbind()
    #expect(group.core.ownerCount == 1 && group.core.isBlocked)
    b.unbind()
    #expect(group.core.isOnDefaultDomain)
    bench.expectSound()
  }

  @Test func bindChecksInOrder() throws {
    let bench = Bench()
    let incoherent = try Group(capabilities: [])
    #expect(throws: Errno.EINVAL) { try bench.context.bind(incoherent.devices[0]) }
    let lone = Device(name: "lone", instance: nil, capabilities: .cacheCoherency)
    #expect(throws: Errno.ENODEV) { try bench.context.bind(lone) }
    // Insecure interrupts come before an owned group.
    let insecure = try Group(capabilities: .cacheCoherency)
    try insecure.core.claimForKernel()
    #expect(throws: Errno.EPERM) { try bench.context.bind(insecure.devices[0]) }
    insecure.core.releaseFromKernel()
    let relaxed = Bench(unsafe: true)
    #expect(throws: Never.self) { try relaxed.context.bind(insecure.devices[0]) }
    #expect(bench.context.objects.isEmpty)
  }

  @Test func reservedRegionsFollowTheRID() throws {
    let bench = Bench()
    let group = try Group(
      members: 1,
      regions: [
        ReservedRegion(0x1000_0000, 0x1000_FFFF, .reserved),
        ReservedRegion(0x2000_0000, 0x2000_0FFF, .directRelaxable),
      ])
    let device = try bench.context.bind(group.devices[0])
    let ioas = try bench.ioas()
    let second = try bench.ioas()
    func isReserved(_ ioas: IOAS, _ iova: UInt64) -> Bool {
      !ioas.pagetable.unreserved().contains { $0.contains(iova) }
    }
    var id = ioas.id
    try device.attach(to: &id)
    #expect(isReserved(ioas, 0x1000_0000) && !isReserved(ioas, 0x2000_0000))
    bench.expectSound()
    id = second.id
    try device.replace(with: &id)
    #expect(!isReserved(ioas, 0x1000_0000) && isReserved(second, 0x1000_0000))
    bench.expectSound()
    // What is in the allowed list cannot be reserved.
    try ioas.pagetable.allow([Span64(0x1000_8000, 0x1000_8FFF)])
    id = ioas.id
    #expect(throws: Errno.EADDRINUSE) { try device.replace(with: &id) }
    #expect(device.hwpt(at: 0)?.paging?.ioas === second && isReserved(second, 0x1000_0000))
    // A failed replace inside one IOAS takes away what the old HWPT still needs (Q4).
    let manual = try bench.hwpt(second, device)
    group.driver.refuses["A"] = ((manual.domain as? FakeDomain)?.label ?? "", .EIO)
    id = manual.id
    #expect(throws: Errno.EIO) { try device.replace(with: &id) }
    #expect(!isReserved(second, 0x1000_0000))
    bench.expectSound()
    device.detach()
    bench.expectSound()
  }

  @Test func automaticPageTablesAreTriedInOrder() throws {
    let bench = Bench()
    let first = try Group(members: 1)
    let foreign = try Group(members: 1, id: 1)
    let a = try bench.context.bind(first.devices[0])
    let b = try bench.context.bind(foreign.devices[0])
    let ioas = try bench.ioas()
    var id = ioas.id
    try a.attach(to: &id)
    id = ioas.id
    // Another driver's domain is EINVAL, so a second one is made.
    try b.attach(to: &id)
    #expect(ioas.hwpts.count == 2 && ioas.hwpts.allSatisfy(\.isAutomatic))
    b.detach()
    #expect(ioas.hwpts.count == 1)
    // A hard failure ends the search.
    first.driver.refuses["A"] = ((ioas.hwpts[0].domain as? FakeDomain)?.label ?? "", .EIO)
    a.detach()
    #expect(ioas.hwpts.isEmpty)
    bench.expectSound()
  }

  @Test func coherencyIsPromisedOrTheAllocationFails() throws {
    let bench = Bench()
    let group = try Group(
      members: 1, capabilities: [.cacheCoherency, .isolatedMSI, .enforceCacheCoherency])
    let device = try bench.context.bind(group.devices[0])
    let ioas = try bench.ioas()
    #expect(try bench.hwpt(ioas, device).enforcesCacheCoherency)
    #expect(throws: Errno.EOPNOTSUPP) { try bench.hwpt(ioas, device, flags: HWPTFlag.nestParent) }
    bench.expectSound()
  }

  // MARK: Interrupts

  @Test func doorbellsKeepTheirPlace() throws {
    let bench = Bench()
    let window: UInt64 = 0x800_0000
    let group = try Group(members: 1, regions: [ReservedRegion(window, window + 0xF_FFFF, .softwareMSI)])
    let device = try bench.context.bind(group.devices[0])
    let first = try bench.ioas()
    let second = try bench.ioas()
    #expect(try device.composeMSI(doorbell: PhysAddr(0xFEE0_0000)) == nil)
    var id = first.id
    try device.attach(to: &id)
    #expect(try device.composeMSI(doorbell: PhysAddr(0xFEE0_0040)) == IOVA(window))
    #expect(try device.composeMSI(doorbell: PhysAddr(0xFEE0_1000)) == IOVA(window + 0x1000))
    #expect(try device.composeMSI(doorbell: PhysAddr(0xFEE0_0000)) == IOVA(window))
    id = second.id
    try device.replace(with: &id)
    let domain = try #require(device.hwpt(at: 0)?.paging?.pagingDomain)
    #expect(domain.translate(IOVA(window + 0x1000)) == PhysAddr(0xFEE0_1000))
    for page in UInt64(2)..<64 {
      #expect(
        try device.composeMSI(doorbell: PhysAddr(0xFEE0_0000 + page << 12)) == IOVA(window + page << 12))
    }
    #expect(throws: Errno.EOVERFLOW) { try device.composeMSI(doorbell: PhysAddr(0x1000)) }
    device.detach()
    device.unbind()
  }

  @Test func twoWindowsAreADriversBug() throws {
    let bench = Bench()
    let group = try Group(
      members: 1,
      regions: [ReservedRegion(0x1000, 0x1FFF, .softwareMSI), ReservedRegion(0x4000, 0x4FFF, .msi)])
    let device = try bench.context.bind(group.devices[0])
    let ioas = try bench.ioas()
    var id = ioas.id
    #expect(throws: Errno.EINVAL) { try device.attach(to: &id) }
    #expect(ioas.hwpts.isEmpty)
    bench.expectSound()
  }

  // MARK: Faults

  @Test(arguments: Personality.allCases)
  func virtualFunctionsAndFaults(_ personality: Personality) throws {
    let bench = Bench(personality)
    let queue = FaultQueue(in: bench.context)
    try bench.context.objects.reserve(queue)
    bench.context.objects.publish(queue)
    let ioas = try bench.ioas()
    for (hasPRI, works) in [(true, false), (false, personality == .v7_2)] {
      var capabilities: DeviceCapabilities = [.cacheCoherency, .isolatedMSI, .virtualFunction]
      if hasPRI { capabilities.insert(.pageRequests) }
      let group = try Group(members: 1, capabilities: capabilities)
      let device = try bench.context.bind(group.devices[0])
      let hwpt = try bench.hwpt(ioas, device)
      hwpt.connect(queue)
      var id = hwpt.id
      if works {
        try device.attach(to: &id)
        device.detach()
      } else {
        #expect(throws: Errno.EINVAL) { try device.attach(to: &id) }
      }
      bench.expectSound()
    }
  }

  /// Until 6.15 attaching to a fault-capable HWPT turned page requests on, for each device once.
  @Test func onThe612KernelIommufdTurnsPageRequestsOn() throws {
    let bench = Bench(.v6_12)
    let group = try Group(members: 1)
    let device = try bench.context.bind(group.devices[0])
    let ioas = try bench.ioas()
    let queue = FaultQueue(in: bench.context)
    try bench.context.objects.reserve(queue)
    bench.context.objects.publish(queue)
    let first = try bench.hwpt(ioas, device)
    let second = try bench.hwpt(ioas, device)
    first.connect(queue)
    var id = first.id
    try device.attach(to: &id)
    #expect(group.devices[0].isInFaultQueue)
    try group.devices[0].report(
      PageRequest(flags: .lastPage, groupID: 1, permissions: 1, address: 0x1000))
    #expect(queue.queued.count == 1)
    id = second.id
    try device.replace(with: &id)
    #expect(queue.queued.isEmpty && !group.devices[0].isInFaultQueue)
    #expect((group.driver as? FullDriver)?.answers.map(\.code) == [.invalid])
    device.detach()
    bench.expectSound()
  }
}
