// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Hardware
@testable internal import Machine

@Suite("AMD-Vi driver: what fails")
struct FailureTests {
  /// Each step that can fail does, one after the other. What cannot be done has no effect: frames and domain IDs come
  /// back, and the function is where it was or blocked.
  @Test func everyAllocation() throws {
    let bench = try Rig()
    let endpoint = try bench.owned(.init(ats: true, pri: true, pasidBits: 16))
    let failures = bench.machine.kernel.failures
    func once() throws {
      for flags in [0, HWPTFlag.dirtyTracking, HWPTFlag.nestParent, HWPTFlag.pasid] {
        let domain = try bench.domain(flags, for: endpoint)
        try bench.attach(domain, endpoint)
        defer { endpoint.device.group?.detach() }
        try domain.map(IOVA(1 << 46), to: PhysAddr(0x1000), length: 4096, protection: readWrite)
        if flags == HWPTFlag.pasid {
          try bench.attach(domain, endpoint, pasid: 3)
          endpoint.device.group?.detach(pasid: 3)
        }
      }
    }
    try once()
    let frames = bench.memory.allocatedFrames
    let freeID = lowestFreeDomain(bench)
    var steps = 0
    for n in 1...1000 {
      failures.arm(nth: UInt64(n))
      do { try once() } catch {
        #expect([Errno.ENOMEM, .EINVAL].contains(error as? Errno))
      }
      let happened = failures.disarm()
      #expect(bench.memory.allocatedFrames == frames)
      #expect(lowestFreeDomain(bench) == freeID)
      #expect(endpoint.byte(1 << 46) == nil)
      if !happened { break }
      steps = n
    }
    #expect(steps > 20)
  }

  @Test func bringingUp() throws {
    for n in 1...5 {
      let machine = Machine(.init(memorySize: 1 << 30))
      machine.kernel.failures.arm(nth: UInt64(n))
      #expect(throws: Errno.ENOMEM) { try machine.addIOMMU("iommu0", .amdvi) }
      #expect(machine.memory.allocatedFrames == 0)
      machine.kernel.failures.disarm()
    }
  }

  @Test func choicesThatNoHardwareHas() throws {
    let machine = Machine(.init(memorySize: 1 << 30))
    func refuse(_ words: [String: String], _ numbers: [String: UInt64]) {
      var choices = IOMMUKind.Choices()
      choices.words = words
      choices.numbers = numbers
      #expect(throws: Errno.EINVAL) { try machine.addIOMMU("iommu0", .amdvi, choices) }
    }
    refuse(["profile": "zen9"], [:])
    refuse(["cache": "maybe"], [:])
    refuse([:], ["pa-bits": 64])
    refuse([:], ["last-bus": 256])
    refuse([:], ["cache-size": 21])
    refuse([:], ["unity-first": 0x123])
    refuse([:], ["sysmgt": 4])
  }

  /// With any feature registers at all the two halves get along: nothing traps, and DMA is blocked until it is mapped.
  @Test func anyFeatures() throws {
    var state: UInt64 = 0x1234_5678_9ABC_DEF1
    func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
    for round in 0..<24 {
      let bench = try Rig(
        ["pgtbl": round & 1 == 0 ? "v1" : "v2"],
        [
          "efr": next(), "efr2": next(), "last-bus": 0, "np-cache": next() & 1, "iotlb": next() & 1,
          "la57": next() & 1, "x2apic": next() & 1,
        ], memorySize: 1 << 30)
      let endpoint: Endpoint
      do { endpoint = try bench.owned(.init(ats: true, pri: true, pasidBits: 16)) } catch {
        // Neither version of tables, or too few levels of GCR3 for the function's PASIDs.
        #expect([Errno.EOPNOTSUPP, .EINVAL].contains(error as? Errno))
        continue
      }
      for flags: UInt32 in 0..<16 {
        guard let domain = try? bench.domain(flags, for: endpoint) else { continue }
        guard (try? bench.attach(domain, endpoint)) != nil else { continue }
        #expect(endpoint.byte(0x1000) == nil)
        try domain.map(
          IOVA(0x1000), to: try bench.page(UInt8(flags + 1)), length: 4096, protection: readWrite)
        if bench.software.faults.allSatisfy({ $0.code == 2 }) {
          #expect(endpoint.byte(0x1000) == UInt8(flags + 1), "efr \(bench.driver.commonFeatures)")
        }
        endpoint.device.group?.detach()
        #expect(endpoint.byte(0x1000) == nil)
      }
    }
  }
}

private func lowestFreeDomain(_ bench: Rig) -> UInt16? {
  let id = bench.driver.domainIDs.allocate()
  if let id { bench.driver.domainIDs.free(id) }
  return id
}
