// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// The test ops on mock devices: 2, 10, 12, 14 to 21. Reference uapi.md section 7, devices-hwpt-viommu.md
// sections 2.5, 2.9 and 7.

private let va = World.va

extension RequestTable {
  /// What attaching a new device answers, whatever the flags of the device.
  private static let attaching: [RequestCase] = list {
    ok(
      "shares the automatic HWPT", gives: ["out_stdev_id": 5, "out_hwpt_id": 4, "out_idev_id": 6],
      given: {
        try $0.make("MOCK_DOMAIN", ["object": 1])
      }
    ) { world, _ in #expect(world.fact(4, "users") == 3) }
    ok(
      "on an HWPT", ["object": 5], gives: ["out_stdev_id": 6, "out_hwpt_id": 5, "out_idev_id": 7],
      given: {
        try $0.make("MOCK_DOMAIN", ["object": 1])
        try $0.make("HWPT_ALLOC", ["dev_id": 3, "pt_id": 1])
      })
    ok("maps and pins what is there", given: { try $0.map() }) { world, answer in
      #expect(world.pins() == 1)
      #expect(
        world.bench.translate(world.caller.fd, hwpt: UInt32(answer["out_hwpt_id"]), iova: 0x1000004)
          == world.bench.physicalAddress(at: va + 4))
    }
    fails("ENOENT", "no page table", ["object": 9])
    fails("ENOENT", "its own number", ["object": 2])
    fails("EINVAL", "a fault queue", ["object": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
    fails("EINVAL", "a device", ["object": 3], given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
    fails("EADDRINUSE", "an area outside the aperture", given: { try $0.map(at: 0) })
    fails("EADDRINUSE", "an allowed range outside the aperture", given: { try $0.allow(0, 0xFFF) })
    fails("EADDRINUSE", "a misaligned area", given: { try $0.map(at: 0x1000400) })
    fails("EFAULT", "an area of no memory", given: { try $0.map(from: World.hole) })
    fails(
      "ENOMEM", "more than may be locked",
      given: {
        try $0.limit(0x1000)
        try $0.map()
      })
    fails("EINVAL", "an area without access", on: [.v7_2], given: { try $0.mapWithoutAccess() })
    ok("an area without access", on: [.v6_12], given: { try $0.mapWithoutAccess() })
  }

  static let mockDomain = RequestTable(
    "MOCK_DOMAIN", in: World.ioas, good: ["object": 1], whenReadOnly: .undone,
    attaching
      + list {
        ok("test object, device, HWPT", gives: ["out_stdev_id": 2, "out_hwpt_id": 4, "out_idev_id": 3]) {
          world, _ in
          #expect(world.fact(1, "users") == 2)
          #expect(world.fact(3, "users") == 3)
          #expect(world.fact(4, "users") == 2)
        }
      })

  static let mockDomainFlags = RequestTable(
    "MOCK_DOMAIN_FLAGS", in: World.ioas, good: ["object": 1, "dev_flags": 1], whenReadOnly: .undone,
    attaching
      + list {
        ok("no flags", ["dev_flags": 0], gives: ["out_stdev_id": 2, "out_hwpt_id": 4, "out_idev_id": 3])
        ok("with PASIDs", ["dev_flags": 4], on: [.v7_2])
        ok("with huge pages", ["dev_flags": 2], on: [.v6_12])
        fails("EINVAL", "huge pages", ["dev_flags": 2], on: [.v7_2])
        fails("EINVAL", "PASIDs", ["dev_flags": 4], on: [.v6_12])
        fails("EINVAL", "an unknown flag", ["dev_flags": 8])
        fails("EINVAL", "an unknown flag, before the page table", ["dev_flags": 8, "object": 9])
        fails(
          "EINVAL", "an HWPT that tracks what this device cannot", ["object": 5],
          given: {
            try $0.make("MOCK_DOMAIN", ["object": 1])
            try $0.make("HWPT_ALLOC", ["flags": 2, "dev_id": 3, "pt_id": 1])
          })
      })

  static let mockDomainReplace = RequestTable(
    "MOCK_DOMAIN_REPLACE",
    in: {
      try World.mapped($0)
      try $0.make("IOAS_ALLOC")
    }, good: ["object": 2, "pt_id": 5], whenReadOnly: .kept,
    list {
      ok("to another IOAS, whose HWPT is new", gives: ["pt_id": 6]) { world, _ in
        #expect(!world.exists(4))
        #expect(world.pins() == 0)
        #expect(world.fact(1, "users") == 1)
      }
      ok("to where it is", ["pt_id": 4], gives: ["pt_id": 4])
      ok("to its own IOAS", ["pt_id": 1], gives: ["pt_id": 4])
      ok(
        "to an HWPT", ["pt_id": 6], gives: ["pt_id": 6],
        given: {
          try $0.make("HWPT_ALLOC", ["dev_id": 3, "pt_id": 1])
        }
      ) { world, _ in
        #expect(!world.exists(4))
        #expect(world.pins() == 1)
      }
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "a device's number is not its test object's", ["object": 3])
      fails("ENOENT", "no device, before the page table", ["object": 9, "pt_id": 3])
      fails("ENOENT", "no page table", ["pt_id": 9])
      fails("EINVAL", "a device", ["pt_id": 3])
      fails(
        "EINVAL", "never attached", on: [.v7_2],
        given: {
          try $0.make("PASID_DETACH", ["object": 2, "pasid": 0])
        })
      fails("EADDRINUSE", "an area outside the aperture", given: { try $0.map(5, at: 0) })
      fails("EFAULT", "an area of no memory", given: { try $0.map(5, from: World.hole) })
      fails(
        "ENOMEM", "more than may be locked",
        given: {
          try $0.limit(0x1000)
          try $0.map(5)
        })
      fails(
        "EINVAL", "a tracking HWPT for a device that cannot", ["object": 6, "pt_id": 8],
        given: {
          try $0.make("MOCK_DOMAIN_FLAGS", ["object": 1, "dev_flags": 1])
          try $0.make("HWPT_ALLOC", ["flags": 2, "dev_id": 3, "pt_id": 1])
        })
      fails(
        "ENOENT", "a vIOMMU's HWPT, without a vDEVICE", ["pt_id": 8], on: [.v7_2],
        given: {
          try $0.make("HWPT_ALLOC", ["flags": 1, "dev_id": 3, "pt_id": 1])
          try $0.make("VIOMMU_ALLOC", ["type": 0xDEAD_BEEF, "dev_id": 3, "hwpt_id": 6])
          try $0.nested(on: 7)
        })
      ok(
        "a vIOMMU's HWPT, with a vDEVICE", ["pt_id": 8], gives: ["pt_id": 8], on: [.v7_2],
        given: {
          try $0.make("HWPT_ALLOC", ["flags": 1, "dev_id": 3, "pt_id": 1])
          try $0.make("VIOMMU_ALLOC", ["type": 0xDEAD_BEEF, "dev_id": 3, "hwpt_id": 6])
          try $0.nested(on: 7)
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 7, "dev_id": 3, "virt_id": 1])
        })
    })

  static let checkIOTLB = RequestTable(
    "MD_CHECK_IOTLB", in: World.nested, good: ["object": 6, "id": 0, "iotlb": 0xBADBEEF],
    whenReadOnly: .unnoticed,
    list {
      ok("the first word")
      ok("the last word", ["id": 3])
      fails("ENOENT", "no HWPT", ["object": 9])
      fails("ENOENT", "a parent", ["object": 5])
      fails("ENOENT", "no HWPT, before the word", ["object": 9, "id": 4])
      fails("EINVAL", "a word that does not exist", ["id": 4])
      fails("EINVAL", "another value", ["iotlb": 0])
    })

  static let triggerIOPF = RequestTable(
    "TRIGGER_IOPF", in: World.faulting, good: ["dev_id": 3, "grpid": 2, "perm": 3, "addr": 0xDEAD_BEAF],
    whenReadOnly: .unnoticed,
    list {
      ok("is queued") { world, _ in
        #expect(world.fact(6, "queued") == 1)
        try #expect(world.target.poll(4) == [.input, .output, .readNormal])
      }
      ok("of a PASID that is not attached goes to the guest's table", ["pasid": 1]) { world, _ in
        #expect(world.fact(6, "queued") == 1)
      }
      ok("that nobody takes", given: { try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1]) }) {
        world, _ in
        #expect(world.fact(6, "queued") == 0)
      }
      fails("ENOENT", "no device", ["dev_id": 99])
      fails("ENOENT", "a test object is no device", ["dev_id": 2])
    })

  static let checkCache = RequestTable(
    "DEV_CHECK_CACHE", in: World.mock, good: ["object": 3, "id": 0, "cache": 0xBADDAD],
    whenReadOnly: .unnoticed,
    list {
      ok("the first word")
      ok("the last word", ["id": 3])
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "a test object is no device", ["object": 2])
      fails("ENOENT", "no device, before the word", ["object": 9, "id": 4])
      fails("EINVAL", "a word that does not exist", ["id": 4])
      fails("EINVAL", "another value", ["cache": 0])
    })

  static let triggerVEvent = RequestTable(
    "TRIGGER_VEVENT",
    in: {
      try World.vdevice($0)
      try $0.attachNested()
      try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 2])
    }, good: ["dev_id": 3], whenReadOnly: .unnoticed,
    list {
      ok("is queued") { world, _ in try #expect(world.target.poll(4) == [.input, .readNormal]) }
      ok(
        "when the queue is full",
        given: {
          for _ in 0..<3 { try $0.make("TRIGGER_VEVENT", ["dev_id": 3]) }
        })
      ok("after the vDEVICE is gone", given: { try $0.make("DESTROY", ["id": 7]) })
      fails("ENOENT", "no device", ["dev_id": 99])
      fails("ENOENT", "a vDEVICE is no device", ["dev_id": 7])
      fails(
        "ENOENT", "a device on another table",
        given: {
          try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1])
        })
      fails(
        "ENOENT", "virtual ID 0",
        given: {
          try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1])
          try $0.make("DESTROY", ["id": 7])
          try $0.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0])
          try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 8])
        })
      fails("EOPNOTSUPP", "no queue", given: { try $0.dropEventQueue() })
      fails(
        "EOPNOTSUPP", "a queue of another type only",
        given: {
          try $0.dropEventQueue()
          try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 1, "veventq_depth": 2])
        })
    })

  // MARK: PASIDs

  static let pasidAttach = RequestTable(
    "PASID_ATTACH", in: World.pasids, good: ["object": 2, "pasid": 100, "pt_id": 6], whenReadOnly: .undone,
    list {
      ok("an HWPT for PASIDs", gives: ["pt_id": 6]) { world, _ in
        #expect(world.fact(6, "users") == 2)
        #expect(world.ask("PASID_CHECK_HWPT", ["object": 2, "pasid": 100, "hwpt_id": 6]).name == "ok")
      }
      ok("the RID's HWPT", ["pt_id": 5])
      ok("the last PASID", ["pasid": 0xF_FFFF])
      ok("while the RID is detached", given: { try $0.make("PASID_DETACH", ["object": 2]) })
      ok("the reserved PASID, once", ["pasid": 1024])
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "no page table", ["pt_id": 9])
      fails("EINVAL", "a device", ["pt_id": 3])
      fails("EINVAL", "an HWPT that is not for PASIDs", ["pt_id": 7])
      fails("EINVAL", "an IOAS", ["pt_id": 1])
      fails("EINVAL", "a PASID of more than 20 bits", ["pasid": 1 << 20])
      fails(
        "EINVAL", "while the RID is on another kind of HWPT",
        given: {
          try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 7])
        })
      fails(
        "EINVAL", "a device without PASIDs", ["object": 4],
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 5])
        })
      fails("EBUSY", "again", given: { try $0.attachPASID() })
      fails("EBUSY", "again, to any HWPT", ["pt_id": 5], given: { try $0.attachPASID() })
    })

  static let pasidReplace = RequestTable(
    "PASID_REPLACE",
    in: {
      try World.pasids($0)
      try $0.attachPASID()
    }, good: ["object": 2, "pasid": 100, "pt_id": 5], whenReadOnly: .kept,
    list {
      ok("another HWPT", gives: ["pt_id": 5]) { world, _ in
        #expect(world.fact(6, "users") == 1)
        #expect(world.ask("PASID_CHECK_HWPT", ["object": 2, "pasid": 100, "hwpt_id": 5]).name == "ok")
      }
      ok("the same HWPT", ["pt_id": 6], gives: ["pt_id": 6])
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "no page table", ["pt_id": 9])
      fails("EINVAL", "a device", ["pt_id": 3])
      fails("EINVAL", "an HWPT that is not for PASIDs", ["pt_id": 7])
      fails("EINVAL", "an IOAS", ["pt_id": 1])
      fails("EINVAL", "a PASID that is not attached", ["pasid": 101])
      fails(
        "ENOMEM", "the reserved PASID", ["pasid": 1024],
        given: {
          try $0.make("PASID_ATTACH", ["object": 2, "pasid": 1024, "pt_id": 6])
        }
      ) { world, _ in
        // The failure disarms itself.
        #expect(world.ask("PASID_REPLACE", ["object": 2, "pasid": 1024, "pt_id": 5]).name == "ok")
        #expect(world.ask("PASID_REPLACE", ["object": 2, "pasid": 1024, "pt_id": 6]).name == "ENOMEM")
        #expect(world.ask("PASID_CHECK_HWPT", ["object": 2, "pasid": 1024, "hwpt_id": 5]).name == "ok")
      }
    })

  static let pasidDetach = RequestTable(
    "PASID_DETACH",
    in: {
      try World.pasids($0)
      try $0.attachPASID()
    }, good: ["object": 2, "pasid": 100], whenReadOnly: .unnoticed,
    list {
      ok("what is attached") { world, _ in
        #expect(world.fact(6, "users") == 1)
        #expect(world.ask("PASID_CHECK_HWPT", ["object": 2, "pasid": 100]).name == "ok")
      }
      ok("what is not attached", ["pasid": 101])
      ok("the RID", ["pasid": 0]) { world, _ in
        #expect(world.fact(5, "users") == 1)
        #expect(world.ask("PASID_CHECK_HWPT", ["object": 2, "pasid": 100, "hwpt_id": 6]).name == "ok")
      }
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "a device's number is not its test object's", ["object": 3])
    })

  static let pasidCheck = RequestTable(
    "PASID_CHECK_HWPT",
    in: {
      try World.pasids($0)
      try $0.attachPASID()
    }, good: ["object": 2, "pasid": 100, "hwpt_id": 6], whenReadOnly: .unnoticed,
    list {
      ok("the HWPT")
      ok("the RID's HWPT", ["pasid": 0, "hwpt_id": 5])
      ok("nothing", ["pasid": 101, "hwpt_id": 0])
      fails("ENOENT", "no device", ["object": 9])
      fails("ENOENT", "no device, before the HWPT", ["object": 9, "hwpt_id": 0])
      fails("ENOENT", "no HWPT", ["hwpt_id": 9])
      fails("EINVAL", "an IOAS", ["hwpt_id": 1])
      fails("EINVAL", "another HWPT", ["hwpt_id": 5])
      fails("EINVAL", "nothing, and there is something", ["hwpt_id": 0])
      fails("EINVAL", "something, and there is nothing", ["pasid": 101])
    })
}

extension World {
  /// As `parent`; fault queue 6 (descriptor 4); nested HWPT 7 with it, and the device on that.
  static let faulting: Step = {
    try parent($0)
    try $0.make("FAULT_QUEUE_ALLOC")
    try $0.nested(on: 5, flags: 4, fault: 6)
    try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 7])
  }

  /// IOAS 1; device 3 with PASIDs, test object 2; HWPTs 5 and 6 for PASIDs, 7 that is not; the RID is on 5.
  static let pasids: Step = {
    try ioas($0)
    try $0.make("MOCK_DOMAIN_FLAGS", ["object": 1, "dev_flags": 4])
    for flags in [8, 8, 0] as [UInt64] {
      try $0.make("HWPT_ALLOC", ["flags": flags, "dev_id": 3, "pt_id": 1])
    }
    try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 5])
  }

  /// PASID 100 on HWPT 6.
  func attachPASID() throws { try make("PASID_ATTACH", ["object": 2, "pasid": 100, "pt_id": 6]) }

  fileprivate func mapWithoutAccess() throws {
    try make("VFIO_IOAS", ["op": 1, "ioas_id": 1])
    try make("VFIO_IOMMU_MAP_DMA", ["argsz": 32, "vaddr": World.va, "iova": 0x1000000, "size": 0x1000])
  }

  /// Away with the queue of the vIOMMU world: object 4 (the automatic HWPT's old number), descriptor 4.
  fileprivate func dropEventQueue() throws {
    try target.close(4)
    try make("DESTROY", ["id": 4])
  }
}
