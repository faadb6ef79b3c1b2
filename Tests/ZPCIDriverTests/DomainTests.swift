// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// Domains as iommufd sees them, and when the hardware hears of what.
@Suite struct DomainTests {
  static let base: UInt64 = 0x1_0000_0000

  /// A function is blocked while it is bound and not attached, and on a DMA domain while nobody has it.
  @Test func defaultDomains() throws {
    let rig = try Rig()
    let endpoint = try rig.function()
    #expect(endpoint.device.group?.domain is ZPCIDomain)
    #expect(endpoint.perform(.read(Self.base, 1)).fault?.name == "TPROTE")
    let device = try rig.bind(endpoint)
    #expect(endpoint.device.group?.isBlocked == true)
    #expect(rig.registered(endpoint)?["registered"]?.number == 0)
    device.unbind()
    #expect(endpoint.device.group?.domain is ZPCIDomain)
    #expect(rig.registered(endpoint)?["registered"]?.number == 1)

    // 1:1 where the group allows it, and the kernel is told to.
    let direct = try Rig(["passthrough": 1])
    let open = try direct.function()
    #expect(direct.registered(open)?["iota"]?.number == 0)
    #expect(direct.answer(open, Self.base + 0x123).address == Self.base + 0x123)
    let held = try direct.bind(open)
    #expect(direct.answer(open, Self.base).address == nil)
    var ioas = try direct.ioas()
    try held.attach(to: &ioas)
    held.detach()
    held.unbind()
    #expect(direct.registered(open)?["iota"]?.number == 0)
    let strict = try Rig(["passthrough": 1, "rtr-avail": 0])
    #expect(try strict.function().device.group?.domain is ZPCIDomain)
    let old = try Rig(["passthrough": 1], kernel: .v6_12)
    #expect(try old.function().device.group?.domain is ZPCIDomain)
  }

  /// What Linux's driver has not.
  @Test func lacking() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (endpoint, device) = try rig.attached(ioas)
    let information = try rig.hardwareInformation(device)
    #expect(information.0 == 0 && information.1 == 0)
    #expect(information.2 == 8, "no ATS, and nothing else")
    for flags in [HWPTFlag.nestParent, HWPTFlag.dirtyTracking, HWPTFlag.pasid] {
      #expect(throws: Errno.EOPNOTSUPP) { try rig.allocateHWPT(device, ioas, flags: flags) }
    }
    let driver = try #require(endpoint.device.driver)
    #expect(!(driver is any FlaggedAllocation) && !(driver is any NestedAllocation))
    #expect(!(driver is any PageResponding) && !(driver is any VIOMMUProviding))
    let domain = try #require(endpoint.device.group?.domain)
    #expect(!(domain is any PASIDDomain) && !(domain is any DirtyTrackingDomain))
    #expect(!(domain is any CoherencyEnforcingDomain))
    let plain = try rig.allocateHWPT(device, ioas)
    try rig.destroy(plain)
    rig.expectSound()
  }

  /// Reserved is what lies outside of the window; but above it only once the function is on tables.
  @Test func reservedRegions() throws {
    let rig = try Rig(memorySize: 1 << 30)
    let ioas = try rig.ioas()
    let endpoint = try rig.function()
    #expect(
      endpoint.device.reservedRegions == [
        ReservedRegion(0, 0xFFFF_FFFF, .reserved),
        ReservedRegion(0x1_4000_0000, (1 << 42) - 1, .reserved),
      ])
    let device = try rig.bind(endpoint)
    #expect(endpoint.device.reservedRegions == [ReservedRegion(0, 0xFFFF_FFFF, .reserved)])
    var id = ioas
    try device.attach(to: &id)
    #expect(try rig.ranges(ioas) == [0x1_0000_0000...0x3FF_FFFF_FFFF])
    // So what cannot be reached can be mapped, and refreshing it is an error of the function.
    try rig.map(ioas, 0x1_4000_0000, 0x1000)
    #expect(endpoint.perform(.read(0x1_4000_0000, 1)).fault?.name == "OORANGE")
    rig.host.forgetFaults()
    try rig.unmap(ioas, 0x1_4000_0000, 0x1000)
    rig.machine.settle()
    #expect(rig.host.faults.map(\.name) == ["OORANGE"])
    // A replace to another IOAS comes from tables.
    let other = try rig.ioas()
    id = other
    try device.replace(with: &id)
    #expect(try rig.ranges(other) == [0x1_0000_0000...0x1_3FFF_FFFF])
    #expect(throws: Errno.EINVAL) { try rig.map(other, 0x1_4000_0000, 0x1000) }
    rig.expectSound()

    let old = try Rig(kernel: .v6_12, memorySize: 1 << 30)
    let before = try old.ioas()
    _ = try old.attached(before)
    #expect(try old.ranges(before) == [0x1_0000_0000...0x1_3FFF_FFFF])
  }

  /// On bare metal a map is silent and an unmap is one refresh of all that it unmapped, for every function.
  @Test func refreshes() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (first, _) = try rig.attached(ioas)
    let (second, device) = try rig.attached(ioas, 0x200)
    let domain = try #require(first.device.group?.domain as? ZPCIDomain)
    #expect(second.device.group?.domain === domain)
    try rig.map(ioas, Self.base, 0x10000)
    #expect(rig.refreshes(first) == 0)
    for endpoint in [first, second] {
      #expect(endpoint.perform(.read(Self.base + 0x8000, 1)).bytes == [0])
      #expect(rig.unit.withHardware { $0.cachedAddresses } == [CachedAddress(Self.base + 0x8000)])
    }
    try rig.unmap(ioas, Self.base, 0x10000)
    #expect(rig.refreshes(first) == 1 && rig.refreshes(second) == 1)
    #expect(rig.unit.withHardware { $0.cachedAddresses } == [])
    #expect(
      domain.counters
        == ZPCIDomain.Counters(mappedPages: 16, unmappedPages: 16, syncs: 2, mapSyncs: 0))
    device.detach()
    try rig.map(ioas, Self.base, 0x1000)
    try rig.unmap(ioas, Self.base, 0x1000)
    #expect(rig.refreshes(first) == 2 && rig.refreshes(second) == 1)
    rig.expectSound()
  }

  /// Under a hypervisor a map is a refresh too. A function that joins later finds nothing of what is there.
  @Test func mirrors() throws {
    let rig = try Rig([:], ["profile": "kvm"])
    let ioas = try rig.ioas()
    let (first, _) = try rig.attached(ioas)
    let memory = try rig.map(ioas, Self.base, 0x1000)
    try rig.write([5], at: memory)
    #expect(rig.refreshes(first) == 1)
    try rig.map(ioas, Self.base + 0x1000, 0x1000)
    #expect(first.perform(.read(Self.base, 1)).bytes == [5])
    let (second, _) = try rig.attached(ioas, 0x200)
    #expect(second.perform(.read(Self.base, 1)).fault?.name == "TPROTE")
    try rig.map(ioas, Self.base + 0x2000, 0x1000)
    #expect(second.perform(.read(Self.base + 0x2000, 1)).bytes == [0])
    #expect(second.perform(.read(Self.base, 1)).fault?.name == "TPROTE")
    try rig.unmap(ioas, Self.base, 0x1000)
    #expect(first.perform(.read(Self.base, 1)).fault?.name == "TPROTE")
    #expect(first.perform(.read(Self.base + 0x1000, 1)).bytes == [0])
    rig.expectSound()
  }

  /// A hypervisor without room is asked to look at everything again; when that does not help, nothing is mapped.
  @Test func noRoom() throws {
    let rig = try Rig(["tlb-refresh": 1, "mirror-pages": 3])
    let ioas = try rig.ioas()
    let (endpoint, _) = try rig.attached(ioas)
    let domain = try #require(endpoint.device.group?.domain as? ZPCIDomain)
    try rig.map(ioas, Self.base, 0x3000)
    #expect(throws: Errno.ENOMEM) { try rig.map(ioas, Self.base + 0x8000, 0x1000) }
    #expect(domain.translate(IOVA(Self.base + 0x8000)) == nil)
    #expect(domain.translate(IOVA(Self.base)) != nil)
    rig.expectSound()
    // Entries that the hypervisor has not seen go are found when it looks at everything.
    rig.host.bugs.set(.skipUnmapFlush, true)
    try rig.unmap(ioas, Self.base, 0x3000)
    rig.host.bugs.set(.skipUnmapFlush, false)
    #expect(endpoint.perform(.read(Self.base, 1)).bytes != nil, "the bug")
    let before = domain.counters.mapSyncs
    try rig.map(ioas, Self.base + 0x8000, 0x1000)
    #expect(endpoint.perform(.read(Self.base + 0x8000, 1)).bytes == [0])
    #expect(endpoint.perform(.read(Self.base, 1)).fault?.name == "TPROTE")
    #expect(domain.counters.mapSyncs == before + 1, "looking at everything is not counted")
    rig.expectSound()

    let refusing = try Rig(["tlb-refresh": 1, "rpcit-no-memory": 1])
    let space = try refusing.ioas()
    _ = try refusing.attached(space)
    #expect(throws: Errno.ENOMEM) { try refusing.map(space, Self.base, 0x1000) }
    refusing.expectSound()
  }

  /// Of several functions the last one's answer counts; a function in error refuses to refresh.
  @Test func lastAnswer() throws {
    let rig = try Rig(["tlb-refresh": 1, "recovery": 0])
    let ioas = try rig.ioas()
    let (first, _) = try rig.attached(ioas)
    let (second, _) = try rig.attached(ioas, 0x200)
    #expect(first.perform(.read(0x1000, 1)).fault?.name == "OORANGE")
    try rig.map(ioas, Self.base, 0x1000)
    #expect(second.perform(.read(Self.base, 1)).bytes == [0])
    #expect(second.perform(.read(0x1000, 1)).fault?.name == "OORANGE")
    #expect(throws: Errno.EIO) { try rig.map(ioas, Self.base + 0x1000, 0x1000) }
    rig.expectSound()
  }

  /// Busy instructions are executed again.
  @Test func busy() throws {
    let rig = try Rig(["cc-busy-retries": 1000])
    let ioas = try rig.ioas()
    let (endpoint, _) = try rig.attached(ioas)
    try rig.map(ioas, Self.base, 0x1000)
    #expect(endpoint.perform(.read(Self.base, 1)).bytes == [0])
    #expect(rig.host.complaints == [])
  }

  /// Moving between domains, and what is left when the hardware refuses: nothing.
  @Test func moving() throws {
    let rig = try Rig()
    let (one, two) = (try rig.ioas(), try rig.ioas())
    let (endpoint, device) = try rig.attached(one)
    let first = try rig.map(one, Self.base, 0x1000)
    let second = try rig.map(two, Self.base, 0x1000)
    try rig.write([1], at: first)
    try rig.write([2], at: second)
    #expect(endpoint.perform(.read(Self.base, 1)).bytes == [1])
    var id = two
    try device.replace(with: &id)
    #expect(endpoint.perform(.read(Self.base, 1)).bytes == [2])
    #expect(rig.host.complaints == [])
    // A function that is gone is attached as if it were there.
    let handle = try #require((endpoint.device as? ZPCIDevice)?.handle)
    _ = rig.unit.withHardware { ($0 as? ZPCIIOMMU)?.breakDown(handle) }
    id = one
    try device.replace(with: &id)
    rig.expectSound()
  }

  /// Unplugged, and plugged in again: the hardware and the driver forget it, and meet it anew.
  @Test func unplugging() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    for _ in 0..<3 {
      let (endpoint, device) = try rig.attached(ioas)
      try rig.map(ioas, Self.base, 0x1000)
      #expect(endpoint.perform(.read(Self.base, 1)).bytes == [0])
      #expect(throws: Errno.EBUSY) { try rig.machine.removeFunction(endpoint) }
      device.detach()
      device.unbind()
      try rig.machine.removeFunction(endpoint)
      #expect(rig.unit.allEndpoints.isEmpty)
      #expect(rig.unit.withHardware { $0.facts()["functions"]?["count"]?.number } == 0)
      #expect(rig.unit.withHardware { $0.cachedAddresses } == [])
      try rig.unmap(ioas, Self.base, 0x1000)
      rig.machine.settle()
    }
    #expect(rig.host.complaints == [])
    rig.expectSound()
  }

  /// Tables that the function's hardware does not know cannot be registered, and then it is blocked.
  @Test func refusedRegistration() throws {
    // Linux takes it for granted that there are region-third tables.
    let rig = try Rig(["dtsm": 0x80])
    #expect(throws: Errno.EIO) { try rig.function() }
    let lax = try Rig(["dtsm": 0x80, "qemu-strict-registration": 0])
    let ioas = try lax.ioas()
    let (endpoint, _) = try lax.attached(ioas)
    try lax.map(ioas, Self.base, 0x1000)
    #expect(endpoint.perform(.read(Self.base, 1)).fault?.name == "INVALTF")
  }

  /// Choices that no such hardware has.
  @Test func choices() {
    for (name, value) in [("dtsm", 0x100), ("cache-lg2", 21), ("events", 0), ("msia", 8)]
      as [(String, UInt64)]
    {
      #expect(throws: Errno.EINVAL) { try Rig([name: value]) }
    }
  }

  /// Every allocation that can fail, one after the other: nothing is left behind.
  @Test func failureSweep() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let failures = rig.machine.kernel.failures
    var nth: UInt64 = 1
    var failed = 0
    while true {
      failures.arm(nth: nth)
      var outcome: Errno?
      do throws(Errno) {
        let function = PCIFunction(requesterID: 0x300)
        let endpoint = try rig.machine.addFunction("sweep", function, behind: rig.unit)
        failures.disarm()
        #expect(endpoint.device.group?.domain is ZPCIDomain)
        break
      } catch { outcome = error }
      #expect(failures.disarm())
      #expect(outcome == .ENOMEM)
      failed += 1
      nth += 1
    }
    #expect(failed >= 3, "the function, the domain, its root")
    let device = try rig.bind(try #require(rig.machine.endpoint("sweep")))
    let memory = try rig.buffer(0x40_0000)
    nth = 1
    while true {
      failures.arm(nth: nth, only: Set(FailurePoint.allCases).subtracting([.answer]))
      var outcome: Errno?
      do throws(Errno) {
        var id = ioas
        try device.attach(to: &id)
        try rig.map(ioas, Self.base, 0x40_0000, from: memory)
      } catch { outcome = error }
      failures.disarm()
      rig.expectSound("the failure of step \(nth)")
      device.detach()
      if outcome == nil { break }
      nth += 1
    }
    #expect(nth > 10)
  }
}
