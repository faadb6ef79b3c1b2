// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// Makes the first, second, third ... fallible step of a session on the device half fail, and looks at what is
/// left: after the kernel's `iommufd_fail_nth`, test `device`.
@Suite("Failure sweep over devices")
struct DeviceSweepTests {
  @Test(arguments: Personality.allCases)
  func everyFailureIsClean(_ kernel: Personality) throws {
    var n: UInt64 = 0
    var failed = true
    while failed {
      n += 1
      #expect(n < 1000)
      let caller = try Caller(kernel)
      var session = try Session(caller, kernel)
      caller.bench.armFailure(nth: n)
      let stopped = session.run()
      failed = caller.bench.disarmFailure()
      #expect(failed == (stopped != nil), "failure \(n) was not noticed, stopped at \(stopped ?? "the end")")
      let broken = caller.bench.violations()
      #expect(broken.isEmpty, "after failure \(n) in \(stopped ?? "?"): \(broken.first?.description ?? "")")
      session.close()
      let left = caller.bench.violations()
      #expect(left.isEmpty, "after failure \(n) and close: \(left.first?.description ?? "")")
      #expect(caller.bench.machineState()["pins"]?.number == 0, "failure \(n) leaves pins")
    }
    #expect(n > 20)
  }

  /// What is done with devices, in the order of the kernel's test.
  struct Session {
    let caller: Caller
    let kernel: Personality
    private let memory: UInt64
    private let ioas: UInt64
    private var descriptors: [Int32] = []

    init(_ caller: Caller, _ kernel: Personality) throws {
      self.caller = caller
      self.kernel = kernel
      memory = try caller.memory(1 << 16)
      ioas = caller.ioas()
    }

    /// - Returns: the step that failed, nil when none did.
    mutating func run() -> String? {
      let flags: UInt64 = kernel == .v7_2 ? 4 : 0
      let mock = caller.selftest("MOCK_DOMAIN_FLAGS", id: ioas, ["dev_flags": flags])
      guard mock.errno == nil else { return "mock" }
      let (stdev, idev) = (mock["out_stdev_id"], mock["out_idev_id"])
      let map = caller.map(ioas, memory, 0x4000, at: 0x200_0000)
      guard map.errno == nil else { return "map" }
      guard caller.request("GET_HW_INFO", ["dev_id": idev]).errno == nil else { return "hw_info" }
      let plain = caller.request("HWPT_ALLOC", ["dev_id": idev, "pt_id": ioas])
      guard plain.errno == nil else { return "hwpt" }
      for target in [ioas, plain["out_hwpt_id"], ioas] {
        guard caller.selftest("MOCK_DOMAIN_REPLACE", id: stdev, ["pt_id": target]).errno == nil else {
          return "replace"
        }
      }
      let parentFlags: UInt64 = kernel == .v7_2 ? 9 : 1
      let parent = caller.request("HWPT_ALLOC", ["dev_id": idev, "pt_id": ioas, "flags": parentFlags])
      guard parent.errno == nil else { return "parent" }
      let queue = caller.request("FAULT_QUEUE_ALLOC")
      guard queue.errno == nil else { return "fault" }
      descriptors.append(Int32(truncatingIfNeeded: queue["out_fault_fd"]))
      let nested = caller.request(
        "HWPT_ALLOC",
        [
          "dev_id": idev, "pt_id": parent["out_hwpt_id"], "flags": 4, "fault_id": queue["out_fault_id"],
          "data_type": 0xDEAD, "data_len": 4, "data_uptr": memory,
        ])
      guard nested.errno == nil else { return "nested" }
      guard
        caller.selftest("MOCK_DOMAIN_REPLACE", id: stdev, ["pt_id": nested["out_hwpt_id"]]).errno == nil
      else { return "replace with nested" }
      return kernel == .v7_2 ? virtualise(stdev, idev, parent["out_hwpt_id"]) : nil
    }

    private mutating func virtualise(_ stdev: UInt64, _ idev: UInt64, _ parent: UInt64) -> String? {
      let selftest: UInt64 = 0xDEAD_BEEF
      let viommu = caller.request(
        "VIOMMU_ALLOC",
        [
          "type": selftest, "dev_id": idev, "hwpt_id": parent, "data_len": 24, "data_uptr": memory + 0x8000,
        ])
      guard viommu.errno == nil else { return "viommu" }
      let id = viommu["out_viommu_id"]
      guard caller.request("VDEVICE_ALLOC", ["viommu_id": id, "dev_id": idev]).errno == nil else {
        return "vdevice"
      }
      let queue = caller.request(
        "HW_QUEUE_ALLOC",
        ["viommu_id": id, "type": selftest, "nesting_parent_iova": 0x200_0000, "length": 0x1000])
      guard queue.errno == nil else { return "hw queue" }
      let events = caller.request(
        "VEVENTQ_ALLOC", ["viommu_id": id, "type": 0xBEEF_BEEF, "veventq_depth": 2])
      guard events.errno == nil else { return "veventq" }
      descriptors.append(Int32(truncatingIfNeeded: events["out_veventq_fd"]))
      // The RID's HWPT must be one for PASIDs.
      guard caller.selftest("MOCK_DOMAIN_REPLACE", id: stdev, ["pt_id": parent]).errno == nil else {
        return "replace with parent"
      }
      let other = caller.request("HWPT_ALLOC", ["dev_id": idev, "pt_id": ioas, "flags": 8])
      guard other.errno == nil else { return "pasid hwpt" }
      for (op, target) in [("PASID_ATTACH", parent), ("PASID_REPLACE", other["out_hwpt_id"])] {
        guard caller.selftest(op, id: stdev, ["pasid": 100, "pt_id": target]).errno == nil else { return op }
      }
      guard caller.selftest("PASID_DETACH", id: stdev, ["pasid": 100]).errno == nil else { return "detach" }
      return nil
    }

    mutating func close() {
      for descriptor in [caller.fd] + descriptors {
        #expect(throws: Never.self) { try caller.target.close(descriptor) }
      }
    }
  }
}
