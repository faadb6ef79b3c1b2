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

@Suite("AMD-Vi, both halves: requests without PASID")
struct PlainTests {
  @Test func dmaGoesWhereTheDomainSays() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    #expect(endpoint.byte(0x1000) == nil, "an owned group is blocked")
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    let page = try bench.page(7)
    try domain.map(IOVA(0x5000), to: page, length: 4096, protection: readWrite)
    #expect(endpoint.byte(0x5000) == 7)
    _ = endpoint.perform(.write(0x5010, [1, 2, 3, 4]))
    #expect(bench.byte(at: PhysAddr(page.raw + 0x10)) == 1)
    #expect(domain.unmap(IOVA(0x5000), length: 4096) == 4096)
    #expect(endpoint.byte(0x5000) == nil)
    bench.driver.release(endpoint.device)
  }

  /// Version 2 instead of version 1 for those who do not say: nothing changes for the function.
  @Test func bothVersionsServe() throws {
    for version in ["v1", "v2"] {
      let bench = try Rig(["pgtbl": version])
      let endpoint = try bench.owned()
      let domain = try bench.domain(for: endpoint)
      #expect(domain is AMDViGuestDomain == (version == "v2"))
      try bench.attach(domain, endpoint)
      let page = try bench.page(3)
      try domain.map(IOVA(0x7000), to: page, length: 4096, protection: .read)
      #expect(endpoint.byte(0x7000) == 3)
      let fault = try #require(endpoint.fault(.write(0x7000, [0, 0, 0, 0])))
      #expect(fault.code == AMDViEvent.ioPageFault)
      #expect(bench.software.faults.last?.isWrite == true)
      #expect(bench.software.faults.last?.address == 0x7000)
      domain.unmap(IOVA(0x7000), length: 4096)
      #expect(endpoint.byte(0x7000) == nil)
    }
  }

  @Test func faultsAreRecorded() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    let fault = try #require(endpoint.fault(.read(0xABC000, 4)))
    #expect(fault.code == AMDViEvent.ioPageFault)
    #expect(fault.recorded)
    let record = try #require(bench.software.faults.first)
    #expect(record.source == endpoint.function.source)
    #expect(record.address == 0xABC000)
    #expect(record.name == "IO_PAGE_FAULT")
    #expect(!record.isWrite)
    #expect(bench.software.complaints.isEmpty)
  }

  /// More events than the log holds: it overflows, and runs again afterwards.
  @Test func anOverflowingLogIsStartedAgain() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    try bench.attach(try bench.domain(for: endpoint), endpoint)
    bench.unit.withHardware { hardware in
      for page in 0..<600 {
        _ = hardware.translate(.init(source: endpoint.function.source, address: UInt64(page) << 12))
      }
    }
    bench.machine.settle()
    #expect(bench.software.complaints == ["Event log restarting"])
    let before = bench.software.faults.count
    #expect(before == 511)
    #expect(endpoint.byte(0x9000) == nil)
    #expect(bench.software.faults.count == before + 1)
  }

  /// Errata 732 and ERBT1312: the tail comes before the bytes; an interrupt bit is lost while it is cleared.
  @Test(arguments: ["log-delay", "erbt1312"]) func entriesThatComeLateAreWaitedFor(_ quirk: String) throws {
    let bench = try Rig([:], [quirk: 20])
    let endpoint = try bench.owned()
    try bench.attach(try bench.domain(for: endpoint), endpoint)
    _ = endpoint.byte(0x3000)
    #expect(bench.software.faults.map(\.address) == [0x3000])
    _ = endpoint.byte(0x4000)
    #expect(bench.software.faults.map(\.address) == [0x3000, 0x4000])
  }

  @Test func hugePagesAreOneTranslation() throws {
    for (version, sizeLg2) in [("v1", 21), ("v1", 16), ("v1", 24), ("v2", 21)] {
      let bench = try Rig(["pgtbl": version])
      let endpoint = try bench.owned()
      let domain = try bench.domain(for: endpoint)
      try bench.attach(domain, endpoint)
      let frames = 1 << (sizeLg2 - 12)
      let first = try bench.memory.allocateContiguous(frames, alignment: frames).address
      bench.write([9, 9, 9, 9], at: PhysAddr(first.raw + 1 << UInt64(sizeLg2) - 4096))
      let size = UInt64(1) << UInt64(sizeLg2)
      try domain.map(IOVA(size * 3), to: first, length: size, protection: readWrite)
      var sizes: [Int] = []
      domain.forEachLeaf(in: .everything) { sizes.append($0.sizeLg2) }
      #expect(sizes == [sizeLg2])
      #expect(endpoint.byte(size * 4 - 4096) == 9)
      domain.unmap(IOVA(size * 3), length: size)
      #expect(endpoint.byte(size * 4 - 4096) == nil)
    }
  }

  /// The root of a host table grows while the function uses it.
  @Test func theTableGrows() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    let low = try bench.page(1)
    let high = try bench.page(2)
    try domain.map(IOVA(0x1000), to: low, length: 4096, protection: readWrite)
    #expect(endpoint.byte(0x1000) == 1)
    try domain.map(IOVA(1 << 60), to: high, length: 4096, protection: readWrite)
    #expect(endpoint.byte(1 << 60) == 2)
    #expect(endpoint.byte(0x1000) == 1)
    #expect(bench.unit.withHardware { $0.staleStructures }.isEmpty)
  }

  @Test func commandsOfAnAttachment() throws {
    let bench = try Rig()
    let endpoint = try bench.owned()
    let domain = try bench.domain(for: endpoint)
    _ = bench.commands.new()
    try bench.attach(domain, endpoint)
    #expect(bench.commands.new().map(\.opcode) == [2, 2])
    try domain.map(IOVA(0x1000), to: try bench.page(), length: 4096, protection: readWrite)
    #expect(bench.commands.new().isEmpty, "entries that are not present are not cached here")
    domain.unmap(IOVA(0x1000), length: 4096)
    let unmap = bench.commands.new()
    #expect(unmap.map(\.opcode) == [3])
    #expect(unmap.map(\.high) == [0x1000], "a page, and nothing of tables")
  }

  /// Where entries that are not present are cached, a map flushes, in aligned pieces.
  @Test func absentEntriesAreFlushed() throws {
    let bench = try Rig([:], ["np-cache": 1])
    let endpoint = try bench.owned()
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    #expect(endpoint.byte(0x2000) == nil)
    let frames = try bench.memory.allocateContiguous(3).address
    bench.write([5, 5, 5, 5], at: PhysAddr(frames.raw + 4096))
    _ = bench.commands.new()
    try domain.map(IOVA(0x1000), to: frames, length: 0x3000, protection: readWrite)
    #expect(bench.commands.new().map(\.high) == [0x1002, 0x2003])
    #expect(endpoint.byte(0x2000) == 5)
  }

  @Test func reservedRegionsAreTheHardwares() throws {
    let bench = try Rig([:], ["unity-first": 0x10_0000, "unity-last": 0x1F_FFFF])
    let endpoint = try bench.function()
    let regions = endpoint.device.reservedRegions
    #expect(regions.map(\.kind) == [.direct, .msi, .reserved])
    #expect(regions.map(\.first) == [0x10_0000, 0xFEE0_0000, 0xFD_0000_0000])
    // Firmware's range works before anybody takes the function.
    bench.write([4, 4, 4, 4], at: PhysAddr(0x10_1000))
    #expect(endpoint.byte(0x10_1000) == 4)
    #expect(throws: Errno.EINVAL) { try bench.context.bind(endpoint.device) }
    let ignoring = try Rig([:], ["efr2": 1 << 11]).function()
    #expect(ignoring.device.reservedRegions.map(\.kind) == [.msi])
    let old = try Rig([:], ["efr2": 1 << 11], kernel: .v6_12).function()
    #expect(old.device.reservedRegions.map(\.kind) == [.msi, .reserved])
  }

  @Test func hardwareInformation() throws {
    let bench = try Rig(["profile": "zen2"])
    let endpoint = try bench.function()
    let driver = try #require(bench.driver as? AMDViDescribingDriver)
    let (type, bytes) = try driver.hardwareInformation(of: endpoint.device, type: 0)
    #expect(type == 4)
    #expect(bytes == [0x5A, 0x4A, 0x29, 0x22, 0xEF, 0x77, 0x8F, 0x05, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(throws: Errno.EOPNOTSUPP) { try driver.hardwareInformation(of: endpoint.device, type: 1) }
    #expect(!(try Rig(kernel: .v6_12).driver is AMDViDescribingDriver))
  }

  /// With several IOMMUs: what they have in common, one tag for both, and each is told.
  @Test func twoUnits() throws {
    let bench = try Rig()
    var choices = IOMMUKind.Choices()
    choices.words["profile"] = "zen2"
    let other = try bench.machine.addIOMMU("iommu1", .amdvi, choices)
    let first = try bench.owned()
    let second = try bench.machine.addFunction("far", PCIFunction(requesterID: 0x4000), behind: other)
    try #require(second.device.group).claim(for: bench)
    let domain = try bench.domain(for: first)
    try bench.attach(domain, first)
    try bench.attach(domain, second)
    try domain.map(IOVA(0x1000), to: try bench.page(8), length: 4096, protection: readWrite)
    #expect(first.byte(0x1000) == 8)
    #expect(second.byte(0x1000) == 8)
    domain.unmap(IOVA(0x1000), length: 4096)
    #expect(first.byte(0x1000) == nil)
    #expect(second.byte(0x1000) == nil)
    // One of them cannot track what is written.
    #expect(throws: Errno.EOPNOTSUPP) { try bench.domain(HWPTFlag.dirtyTracking, for: second) }
    let tracking = try bench.domain(HWPTFlag.dirtyTracking, for: first)
    #expect(throws: Errno.EINVAL) { try bench.replace(tracking, second) }
  }

  @Test func throughIOMMUFD() throws {
    let bench = try Rig()
    let endpoint = try bench.function()
    let object = try bench.context.bind(endpoint.device)
    #expect(endpoint.byte(0x1000) == nil)
    var pageTable = try bench.newIOAS()
    try object.attach(to: &pageTable)
    #expect(endpoint.device.group?.domain is AMDViHostDomain)
    object.detach()
    #expect(endpoint.device.group?.isBlocked == true)
  }

  /// The function's interrupts are refused before it has a table, and remapped afterwards.
  @Test func interruptsAreRemapped() throws {
    for profile in ["nesting", "qemu"] {
      let bench = try Rig(["profile": profile])
      let endpoint = try bench.owned()
      let message = DMARequest.write(0xFEE0_0000, [5, 0, 0, 0])
      #expect(endpoint.fault(message)?.code == AMDViEvent.invalidDeviceRequest)
      try bench.software.remapInterrupt(5, of: endpoint.device, vector: 0x41, destination: 3)
      guard case .interrupt(let address, let data) = endpoint.perform(message) else {
        Issue.record("no interrupt")
        continue
      }
      #expect(address == 0xFEE0_3000)
      #expect(data == 0x41)
      try bench.software.remapInterrupt(5, of: endpoint.device, vector: 0x42, destination: 3)
      guard case .interrupt(_, let changed) = endpoint.perform(message) else {
        Issue.record("no interrupt")
        continue
      }
      #expect(changed == 0x42)
      #expect(throws: Errno.EINVAL) {
        try bench.software.remapInterrupt(4096, of: endpoint.device, vector: 0, destination: 0)
      }
    }
    // Each new one has the next entry, until there is none.
    let full = try Rig()
    let given = try full.owned()
    for index in 0..<512 {
      let (address, data) = try full.software.remapInterrupt(
        of: given.device, vector: UInt8(16 + index % 200), destination: 1)
      #expect(data == UInt32(index))
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: data >> ($0 * 8)) }
      guard case .interrupt(let target, let vector) = given.perform(.write(address, bytes)) else {
        Issue.record("no interrupt \(index)")
        return
      }
      #expect(target == 0xFEE0_1000)
      #expect(vector == UInt32(16 + index % 200))
    }
    #expect(throws: Errno.ENOSPC) {
      try full.software.remapInterrupt(of: given.device, vector: 16, destination: 1)
    }
    let bench = try Rig([:], ["intremap": 0])
    let endpoint = try bench.function()
    #expect(throws: Errno.EOPNOTSUPP) {
      try bench.software.remapInterrupt(0, of: endpoint.device, vector: 0, destination: 0)
    }
    #expect(throws: Errno.EPERM) { try bench.context.bind(endpoint.device) }
  }

  @Test func functionsThatFirmwareDoesNotName() throws {
    let bench = try Rig([:], ["last-bus": 0, "segment": 2])
    #expect(throws: Errno.ENODEV) {
      try bench.machine.addFunction("a", PCIFunction(requesterID: 0x18), behind: bench.unit)
    }
    #expect(throws: Errno.ENODEV) {
      try bench.machine.addFunction("b", PCIFunction(segment: 2, requesterID: 0x118), behind: bench.unit)
    }
    let ats = PCIFunction.Capabilities(ats: true)
    let endpoint = try bench.machine.addFunction(
      "c", PCIFunction(segment: 2, requesterID: 0x18, capabilities: ats), behind: bench.unit)
    try #require(endpoint.device.group).claim(for: bench)
    let domain = try bench.domain(for: endpoint)
    try bench.attach(domain, endpoint)
    try domain.map(IOVA(0x1000), to: try bench.page(8), length: 4096, protection: readWrite)
    #expect(endpoint.byte(0x1000) == 8)
    domain.unmap(IOVA(0x1000), length: 4096)
    #expect(endpoint.byte(0x1000) == nil)
    #expect(bench.software.complaints.isEmpty)
  }
}
