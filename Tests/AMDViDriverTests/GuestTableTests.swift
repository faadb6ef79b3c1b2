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

@Suite("AMD-Vi, both halves: PASIDs, page requests, device caches")
struct GuestTableTests {
  static let everything = PCIFunction.Capabilities(ats: true, pri: true, pasidBits: 16)
  static let onlyPASID = PCIFunction.Capabilities(pasidBits: 16)

  @Test func pasidsHaveTablesOfTheirOwn() throws {
    for capabilities in [Self.onlyPASID, Self.everything] {
      let bench = try Rig()
      let endpoint = try bench.owned(capabilities)
      #expect(endpoint.device.maxPASIDs == 65535)
      let own = try bench.domain(HWPTFlag.pasid, for: endpoint)
      let other = try bench.domain(HWPTFlag.pasid, for: endpoint)
      try own.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      try other.map(IOVA(0x1000), to: try bench.page(2), length: 4096, protection: readWrite)
      // Without a table of the function's own there is nowhere to put one for a PASID.
      #expect(throws: Errno.EINVAL) { try bench.attach(other, endpoint, pasid: 5) }
      try bench.attach(own, endpoint)
      try bench.attach(other, endpoint, pasid: 5)
      try bench.attach(own, endpoint, pasid: 1000)
      #expect(endpoint.byte(0x1000) == 1)
      #expect(endpoint.byte(0x1000, pasid: 5) == 2)
      #expect(endpoint.byte(0x1000, pasid: 1000) == 1)
      #expect(endpoint.byte(0x1000, pasid: 6) == nil)
      // A translation request that finds nothing is no event.
      #expect(bench.software.faults.last?.pasid == (capabilities.ats ? nil : 6))
      other.unmap(IOVA(0x1000), length: 4096)
      #expect(endpoint.byte(0x1000, pasid: 5) == nil)
      #expect(endpoint.byte(0x1000) == 1)
      own.unmap(IOVA(0x1000), length: 4096)
      #expect(endpoint.byte(0x1000) == nil)
      #expect(endpoint.byte(0x1000, pasid: 1000) == nil)
      try other.map(IOVA(0x1000), to: try bench.page(3), length: 4096, protection: readWrite)
      #expect(endpoint.byte(0x1000, pasid: 5) == 3)
      try #require(endpoint.device.group).detach(pasid: 5)
      #expect(endpoint.byte(0x1000, pasid: 5) == nil)
      #expect(bench.software.complaints.isEmpty)
    }
  }

  /// A PASID cannot be moved in one step, and stays where it is when that is tried.
  @Test func replacingAPASIDIsRefused() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(Self.onlyPASID)
    let first = try bench.domain(HWPTFlag.pasid, for: endpoint)
    let second = try bench.domain(HWPTFlag.pasid, for: endpoint)
    try first.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
    try bench.attach(first, endpoint)
    try bench.attach(first, endpoint, pasid: 9)
    let group = try #require(endpoint.device.group)
    #expect(throws: Errno.EOPNOTSUPP) {
      try group.replace(with: second, pasid: 9, of: endpoint.device, handle: AttachHandle())
    }
    #expect(endpoint.byte(0x1000, pasid: 9) == 1)
    let host = try bench.domain(HWPTFlag.nestParent, for: endpoint)
    #expect(throws: Errno.EOPNOTSUPP) { try bench.attach(host, endpoint, pasid: 10) }
    #expect(throws: Errno.EINVAL) { try bench.attach(first, endpoint, pasid: 65535) }
  }

  /// The RID moves to another domain, and what PASIDs are attached to stays.
  @Test func pasidsSurviveANewDomainOfTheRID() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(Self.everything)
    let first = try bench.domain(HWPTFlag.pasid, for: endpoint)
    let second = try bench.domain(HWPTFlag.pasid, for: endpoint)
    try first.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
    try second.map(IOVA(0x1000), to: try bench.page(2), length: 4096, protection: readWrite)
    try bench.attach(first, endpoint)
    try bench.attach(first, endpoint, pasid: 77)
    #expect(endpoint.byte(0x1000, pasid: 77) == 1)
    try bench.replace(second, endpoint)
    #expect(endpoint.byte(0x1000) == 2)
    #expect(endpoint.byte(0x1000, pasid: 77) == 1)
    try #require(endpoint.device.group).detach()
    #expect(endpoint.byte(0x1000, pasid: 77) == nil)
  }

  @Test func hugeFiveLevelTables() throws {
    let bench = try Rig([:], ["la57": 1])
    let endpoint = try bench.owned(Self.onlyPASID)
    let domain = try bench.domain(HWPTFlag.pasid, for: endpoint)
    #expect(domain.aperture.last == 1 << 56 - 1)
    try bench.attach(domain, endpoint)
    try domain.map(IOVA(1 << 55), to: try bench.page(6), length: 4096, protection: readWrite)
    #expect(endpoint.byte(1 << 55) == 6)
  }

  @Test func whatTheFunctionCachesIsInvalidated() throws {
    for version in ["v1", "v2"] {
      let bench = try Rig(["pgtbl": version])
      let endpoint = try bench.owned(.init(ats: true))
      let domain = try bench.domain(for: endpoint)
      try bench.attach(domain, endpoint)
      #expect(endpoint.function.control.ats)
      try domain.map(IOVA(0x1000), to: try bench.page(1), length: 4096, protection: readWrite)
      #expect(endpoint.byte(0x1000) == 1)
      #expect(endpoint.cached.count == 1)
      domain.unmap(IOVA(0x1000), length: 4096)
      #expect(endpoint.cached.isEmpty)
      #expect(endpoint.byte(0x1000) == nil)
      try #require(endpoint.device.group).release()
      #expect(endpoint.function.control.ats, "the default domain lets it have its cache")
    }
  }

  /// Of functions with PASIDs the kernel's own DMA is not translated, unless somebody wants it to be.
  @Test func defaultDomains() throws {
    func byte(_ choices: [String: String], _ capabilities: PCIFunction.Capabilities) throws -> UInt8? {
      // A function does not outlive its machine.
      let rig = try Rig(choices)
      return try withExtendedLifetime(rig) { try rig.function(capabilities).byte(0x10_0000) }
    }
    #expect(try byte([:], Self.onlyPASID) == 0)
    #expect(try byte(["default-domain": "dma"], Self.onlyPASID) == nil)
    #expect(try byte(["default-domain": "identity"], .init()) == 0)
    #expect(try byte(["profile": "snp"], Self.onlyPASID) == nil)
    let snp = try Rig(["profile": "snp"])
    #expect(try snp.function(Self.onlyPASID).device.maxPASIDs == 0, "no guest tables in this profile")
  }

  /// From the function's page request through the log to user space, and the answer back.
  @Test func pageRequestsAreAnswered() throws {
    let bench = try Rig()
    let endpoint = try bench.function(Self.everything)
    let object = try bench.context.bind(endpoint.device)
    let ioas = try bench.newIOAS()
    let queue = try bench.call("FAULT_QUEUE_ALLOC", [16, 0, 0, 0])
    let plain = try bench.hwpt(object.id, on: ioas, flags: HWPTFlag.pasid)
    let faulting = try bench.hwpt(
      object.id, on: ioas, flags: HWPTFlag.pasid | HWPTFlag.faultIDValid, fault: queue[2])
    var id = plain
    try object.attach(to: &id)
    #expect(endpoint.function.control.pri)
    id = faulting
    try object.attach(pasid: 3, to: &id)
    try endpoint.requestPage(
      0x5000, pasid: 3, read: true, write: true, execute: false, privileged: false, last: true, group: 0x21)
    let file = Int32(bitPattern: queue[3])
    #expect(try bench.target.read(file, bench.scratch, 400) == 40)
    let fault = try bench.words(at: bench.scratch, 10)
    #expect(fault[2] == 3)
    #expect(fault[3] == 0x21)
    #expect(fault[4] == 3)
    #expect(fault[6] == 0x5000)
    #expect(endpoint.responses.isEmpty)
    try bench.map(ioas, 0x5000, 4096)
    try bench.target.memory.write(
      [fault[9], 0].flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } },
      at: bench.scratch)
    #expect(try bench.target.write(file, bench.scratch, 8) == 8)
    bench.machine.settle()
    #expect(endpoint.responses.map(\.group) == [0x21])
    #expect(endpoint.responses.map(\.code) == ["success"])
    #expect(endpoint.responses.map(\.pasid) == [3])
    #expect(endpoint.byte(0x5000, pasid: 3) == 0)
  }

  /// Nobody asked for the requests of a PASID, and nobody can ask for those without one.
  @Test func refusedPageRequests() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(Self.everything)
    let domain = try bench.domain(HWPTFlag.pasid, for: endpoint)
    try bench.attach(domain, endpoint)
    try bench.attach(domain, endpoint, pasid: 3)
    func request(_ pasid: UInt32?, last: Bool = true, _ group: UInt16) throws {
      try endpoint.requestPage(
        0x5000, pasid: pasid, read: true, write: false, execute: false, privileged: false, last: last,
        group: group)
    }
    try request(3, 1)
    try request(nil, 2)
    // The last of its group or not.
    try request(nil, last: false, 3)
    #expect(endpoint.responses.map(\.group) == [1, 2, 3])
    #expect(endpoint.responses.map(\.code) == ["invalidRequest", "failure", "failure"])
    #expect(bench.software.complaints.isEmpty)
  }

  /// Hundreds of requests while nobody listens: the log overflows, and works again.
  @Test func anOverflowingRequestLogIsStartedAgain() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(Self.everything)
    let domain = try bench.domain(HWPTFlag.pasid, for: endpoint)
    try bench.attach(domain, endpoint)
    bench.unit.withHardware { hardware in
      for group in 0..<600 {
        hardware.pageRequest(
          .init(source: endpoint.function.source, pasid: 1, address: 0x1000, group: UInt16(group & 0x1FF)))
      }
    }
    bench.machine.settle()
    #expect(bench.software.complaints.contains("PPR log restarting"))
    let before = endpoint.responses.count
    try endpoint.requestPage(
      0x5000, pasid: 2, read: true, write: false, execute: false, privileged: false, last: true, group: 7)
    #expect(endpoint.responses.count == min(1024, before + 1))
    #expect(endpoint.responses.last?.group == 7)
  }

  /// Without room for its page requests a function works, and cannot raise any.
  @Test func noMemoryForTheFaultQueue() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(Self.everything)
    let domain = try bench.domain(HWPTFlag.pasid, for: endpoint)
    var failedOnce = false
    for n in 1...20 {
      bench.machine.kernel.failures.arm(nth: UInt64(n))
      defer { bench.machine.kernel.failures.disarm() }
      do {
        try bench.attach(domain, endpoint)
        if !endpoint.function.control.pri { failedOnce = true }
        try #require(endpoint.device.group).detach()
      } catch {
        #expect(error as? Errno == .ENOMEM)
      }
      #expect(endpoint.byte(0x1000) == nil)
    }
    #expect(failedOnce)
  }
}
