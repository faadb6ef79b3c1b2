// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// DESTROY, IOAS_ALLOC, IOVA_RANGES, ALLOW_IOVAS, UNMAP. Reference uapi.md sections 2.1 to 2.4, 2.8.

private let max64 = UInt64.max
private let data = World.data

extension RequestTable {
  static let destroy = RequestTable(
    "DESTROY", in: World.ioas, good: ["id": 1], whenReadOnly: .unnoticed,
    list {
      ok("an IOAS, whose number is free at once") { world, _ in
        #expect(!world.exists(1))
        #expect(world.ask("IOAS_ALLOC")["out_ioas_id"] == 1)
      }
      ok("an IOAS with its mappings", given: { try $0.map() })
      ok("an IOAS that VFIO acts on", given: { try $0.make("VFIO_IOAS", ["op": 1, "ioas_id": 1]) }) {
        world, _ in
        #expect(world.ask("VFIO_IOAS").name == "ENODEV")
      }
      ok("a mock device, with its automatic HWPT", ["id": 2], given: { try $0.mockAndMap() }) { world, _ in
        #expect([2, 3, 4].allSatisfy { !world.exists($0) })
        #expect(world.fact(1, "users") == 1)
        #expect(world.pins() == 0)
      }
      ok(
        "an HWPT that nobody uses", ["id": 5],
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.make("HWPT_ALLOC", ["dev_id": 3, "pt_id": 1])
        }
      ) { world, _ in #expect(world.fact(1, "users") == 2) }
      ok(
        "a fault queue whose descriptor is closed", ["id": 2],
        given: {
          let fd = try $0.make("FAULT_QUEUE_ALLOC")["out_fault_fd"]
          try $0.target.close(Int32(fd))
        })
      fails("ENOENT", "0", ["id": 0])
      fails("ENOENT", "a number that was never given", ["id": 2])
      fails("ENOENT", "the largest number", ["id": 0xFFFF_FFFF])
      fails("ENOENT", "again", given: { try $0.make("DESTROY", ["id": 1]) })
      fails("EBUSY", "an IOAS with an HWPT", given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails("EBUSY", "a device, always", ["id": 3], given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails("EBUSY", "an HWPT in use", ["id": 4], given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails("EBUSY", "an access, always", ["id": 2], given: { try $0.make("CREATE_ACCESS", ["object": 1]) })
      fails("EBUSY", "an IOAS that an access uses", given: { try $0.make("CREATE_ACCESS", ["object": 1]) })
      fails("EBUSY", "a fault queue that is open", ["id": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
    })

  static let destroyNesting = RequestTable(
    "DESTROY", "of nesting", in: World.nested, good: ["id": 6], whenReadOnly: .unnoticed,
    list {
      ok("a nested HWPT") { world, _ in #expect(world.fact(5, "users") == 1) }
      fails("EBUSY", "a parent with a nested HWPT", ["id": 5])
      fails(
        "EBUSY", "a nested HWPT in use",
        given: { try $0.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 6]) })
      fails(
        "EBUSY", "a fault queue of an HWPT", ["id": 7],
        given: {
          let fd = try $0.make("FAULT_QUEUE_ALLOC")["out_fault_fd"]
          try $0.nested(on: 5, flags: 4, fault: 7)
          try $0.target.close(Int32(fd))
        })
    })

  static let destroyVIOMMU = RequestTable(
    "DESTROY", "of vIOMMUs", in: World.vdevice, good: ["id": 7], whenReadOnly: .unnoticed,
    list {
      ok("a vDEVICE") { world, _ in
        #expect(world.fact(6, "users") == 1)
        // The device may have another one.
        #expect(
          world.ask("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0x99])["out_vdevice_id"] == 7)
      }
      ok("a vDEVICE while its device is attached", given: { try $0.attachNested() })
      ok(
        "a vIOMMU that nobody uses", ["id": 6], given: { try $0.make("DESTROY", ["id": 7]) }
      ) { world, _ in #expect(world.fact(5, "users") == 1) }
      ok(
        "a device with a vDEVICE, whose number is lost", ["id": 2]
      ) { world, _ in
        #expect(world.ask("DESTROY", ["id": 7]).name == "ENOENT")
        let next = (0..<5).map { _ in world.ask("IOAS_ALLOC")["out_ioas_id"] }
        #expect(next == [2, 3, 4, 8, 9])
      }
      fails("EBUSY", "a parent with a vIOMMU", ["id": 5])
      fails("EBUSY", "a vIOMMU with a vDEVICE", ["id": 6])
      fails("EBUSY", "a vIOMMU with a nested HWPT", ["id": 6], given: { try $0.nested(on: 6) })
      fails(
        "EBUSY", "an event queue that is open", ["id": 8],
        given: {
          try $0.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 2])
        })
      ok(
        "an event queue that is closed", ["id": 8],
        given: {
          let queue = try $0.make(
            "VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 2])
          try $0.target.close(Int32(queue["out_veventq_fd"]))
        })
      ok("a hardware queue, and its access", ["id": 8], given: { try $0.queues(1) }) { world, _ in
        #expect(!world.exists(8) && !world.exists(9))
        #expect(world.fact(6, "users") == 2)
        #expect(world.ask("IOAS_UNMAP", ["ioas_id": 1, "length": max64]).name == "ok")
      }
      fails("EBUSY", "the access of a hardware queue", ["id": 9], given: { try $0.queues(1) })
      fails(
        "EBUSY", "a hardware queue that another one follows", ["id": 8],
        given: { try $0.queues(2) })
      ok("the last hardware queue", ["id": 10], given: { try $0.queues(2) }) { world, _ in
        #expect(world.ask("DESTROY", ["id": 8]).name == "ok")
      }
    }, on: .v7_2)

  static let ioasAlloc = RequestTable(
    "IOAS_ALLOC", good: ["flags": 0], whenReadOnly: .undone,
    list {
      ok("the first has number 1", gives: ["out_ioas_id": 1]) { world, _ in
        #expect(world.fact(1, "users") == 1)
        #expect(world.fact(1, "alignment") == 1)
        #expect(world.fact(1, "hugepages") == 1)
      }
      ok(
        "the lowest free number", gives: ["out_ioas_id": 2],
        given: {
          for _ in 0..<3 { try $0.make("IOAS_ALLOC") }
          try $0.make("DESTROY", ["id": 2])
        })
      fails("EOPNOTSUPP", "any flag", ["flags": 1])
      fails("EOPNOTSUPP", "the highest flag", ["flags": 0x8000_0000]) { world, _ in
        #expect(world.ask("IOAS_ALLOC")["out_ioas_id"] == 1)
      }
    })

  static let iovaRanges = RequestTable(
    "IOAS_IOVA_RANGES", in: World.ioas, good: ["ioas_id": 1, "num_iovas": 4, "allowed_iovas": data],
    whenReadOnly: .undone,
    list {
      ok("everything", gives: ["num_iovas": 1, "out_iova_alignment": 1]) { world, _ in
        try #expect([world.long(0), world.long(8), world.long(16)] == [0, max64, 0])
      }
      ok("around reservations", gives: ["num_iovas": 3], given: { try $0.threeRanges() }) { world, _ in
        let got = try (0..<6).map { try world.long($0 * 8) }
        #expect(got == [0, 0xFFF, 0x2000, 0x3FFF, 0x6000, max64])
      }
      ok(
        "of the mock", gives: ["num_iovas": 1, "out_iova_alignment": 2048],
        given: { try $0.make("MOCK_DOMAIN", ["object": 1]) }
      ) { world, _ in
        try #expect([world.long(0), world.long(8)] == [0x1000000, 0x7FFF_FFFF])
      }
      ok(
        "not by mappings or the allowed list", gives: ["num_iovas": 1],
        given: {
          try $0.map()
          try $0.allow(0x1000, 0xFFFF)
        }
      ) { world, _ in try #expect(world.long(8) == max64) }
      ok(
        "none when all is reserved", gives: ["num_iovas": 0],
        given: {
          try $0.reserve(0, 1 << 63)
          try $0.reserve(1 << 63, 1 << 63)
        })
      ok(
        "the alignment of an access that pins", gives: ["out_iova_alignment": 4096],
        given: { try $0.make("CREATE_ACCESS", ["object": 1, "flags": 1]) })
      ok(
        "the alignment without large pages", gives: ["out_iova_alignment": 4096],
        given: { try $0.make("OPTION", ["option_id": 1, "op": 0, "object_id": 1, "val64": 0]) })
      fails(
        "EMSGSIZE", "no room", ["num_iovas": 0, "allowed_iovas": World.hole],
        gives: ["num_iovas": 1, "out_iova_alignment": 1], leaves: .answer)
      fails(
        "EMSGSIZE", "too little room", ["num_iovas": 2], gives: ["num_iovas": 3], leaves: .answer,
        given: { try $0.threeRanges() }
      ) { world, _ in
        let got = try (0..<6).map { try world.long($0 * 8) }
        #expect(got == [0, 0xFFF, 0x2000, 0x3FFF, 0, 0])
      }
      fails("EFAULT", "an array that cannot be written", ["allowed_iovas": World.readOnly])
      fails(
        "EFAULT", "an array whose end cannot be written", ["allowed_iovas": data + 0xFFF0],
        given: { try $0.threeRanges() }
      ) { world, _ in try #expect(world.long(0xFFF8) == 0xFFF) }
      fails(
        "EFAULT", "before EMSGSIZE", ["num_iovas": 1, "allowed_iovas": 0], given: { try $0.threeRanges() })
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "reserved, before the lookup", ["__reserved": 1, "ioas_id": 9])
      fails("ENOENT", "no object", ["ioas_id": 9])
      fails("ENOENT", "before the array", ["ioas_id": 9, "allowed_iovas": 0])
      fails(
        "ENOENT", "a fault queue", ["ioas_id": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
    })

  static let allowIOVAs = RequestTable(
    "IOAS_ALLOW_IOVAS",
    in: {
      try World.ioas($0)
      try $0.longs(0x10000, 0x1FFFF, 0x40000, 0x4FFFF)
    }, good: ["ioas_id": 1, "num_iovas": 2, "allowed_iovas": data], whenReadOnly: .unnoticed,
    list {
      ok("two ranges") { world, _ in
        let map = world.ask(
          "IOAS_MAP", ["flags": 6, "ioas_id": 1, "user_va": World.va, "length": 0x10000])
        #expect(map["iova"] == 0x10000)
        let fixed = world.ask(
          "IOAS_MAP", ["flags": 7, "ioas_id": 1, "user_va": World.va, "length": 0x1000, "iova": 0x90000])
        #expect(fixed.name == "ok")
        #expect(
          world.ask("ADD_RESERVED", ["object": 1, "start": 0x4FFFF, "length": 1]).name == "EADDRINUSE")
      }
      ok("ranges that touch", given: { try $0.longs(0x1000, 0x1FFF, 0x2000, 0x2FFF) })
      ok("in any order", given: { try $0.longs(0x40000, 0x4FFFF, 0x10000, 0x1FFFF) })
      ok(
        "none, with any pointer", ["num_iovas": 0, "allowed_iovas": World.hole],
        given: { try $0.allow(0x1000, 0x1FFF) }
      ) { world, _ in
        #expect(world.ask("ADD_RESERVED", ["object": 1, "start": 0x1000, "length": 1]).name == "ok")
      }
      ok("over mappings", given: { try $0.map(at: 0x10000) })
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "reserved, before the lookup", ["__reserved": 1, "ioas_id": 9])
      fails("ENOENT", "no object", ["ioas_id": 9])
      fails("ENOENT", "before the array", ["ioas_id": 9, "allowed_iovas": World.hole])
      fails("EFAULT", "an array that cannot be read", ["allowed_iovas": World.hole])
      fails(
        "EFAULT", "an array whose end cannot be read", ["allowed_iovas": data + 0xFFF0],
        given: { try $0.longs(0x1000, 0x1FFF, at: 0xFFF0) })
      fails("EINVAL", "an empty range", given: { try $0.longs(0x2000, 0x1FFF) })
      fails("EINVAL", "a range of one address", given: { try $0.longs(0x1000, 0x1000) })
      fails("EINVAL", "ranges that overlap", given: { try $0.longs(0x1000, 0x1FFF, 0x1FFF, 0x2FFF) })
      fails(
        "EINVAL", "a later entry, before a reserved one",
        given: {
          try $0.reserve(0x10000, 1)
          try $0.longs(0x5000, 0x5000, at: 16)
        })
      fails("EADDRINUSE", "a reserved range", given: { try $0.reserve(0x4FFFF, 1) })
      fails(
        "EADDRINUSE", "keeps the old list",
        given: {
          try $0.allow(0x8000, 0x8FFF)
          try $0.reserve(0x10000, 1)
        }
      ) { world, _ in
        #expect(
          world.ask("ADD_RESERVED", ["object": 1, "start": 0x8000, "length": 1]).name == "EADDRINUSE")
      }
      fails("EADDRINUSE", "outside the mock's aperture", given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
    })

  static let ioasUnmap = RequestTable(
    "IOAS_UNMAP",
    in: {
      try World.ioas($0)
      try $0.map()
      try $0.map(at: 0x1004000)
    }, good: ["ioas_id": 1, "iova": 0x1000000, "length": 0x2000], whenReadOnly: .kept,
    list {
      ok("one area", gives: ["length": 0x2000]) { world, _ in #expect(world.fact(1, "mapped") == 0x2000) }
      ok("areas and gaps", ["iova": 0x800000, "length": 0x1000000], gives: ["length": 0x4000])
      ok("everything", ["iova": 0, "length": max64], gives: ["length": 0x4000])
      ok(
        "everything of nothing", ["iova": 0, "length": max64], gives: ["length": 0],
        given: { try $0.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64]) })
      ok("unpins", given: { try $0.make("MOCK_DOMAIN", ["object": 1]) }) { world, _ in
        // The other area maps the same memory.
        #expect(world.pins() == 1)
        #expect(world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x1000000) == nil)
      }
      ok("no alignment is asked for", ["iova": 0xFFFFFF, "length": 0x2001], gives: ["length": 0x2000])
      ok(
        "an access lets go",
        given: {
          let fd = try $0.make("CREATE_ACCESS", ["object": 1, "flags": 1])["out_access_fd"]
          try $0.make("ACCESS_PAGES", ["object": fd, "iova": 0x1000000, "length": 0x1000])
        }
      ) { world, _ in #expect(world.pins() == 0) }
      fails("ENOENT", "no object", ["ioas_id": 9])
      fails("ENOENT", "no object, before the range", ["ioas_id": 9, "length": 0])
      fails("EOVERFLOW", "length 2^64-1 elsewhere than at 0", ["iova": 1, "length": max64])
      fails("EOVERFLOW", "iova 2^64-1", ["iova": max64, "length": 1])
      fails("EOVERFLOW", "iova 2^64-1, before length 0", ["iova": max64, "length": 0])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EOVERFLOW", "the end wraps", ["iova": max64 - 0xFFF, "length": 0x2000])
      fails("ENOENT", "nothing there", ["iova": 0x2000000])
      fails("ENOENT", "the start of an area", ["length": 0x1000])
      fails("ENOENT", "the end of an area", ["iova": 0x1001000, "length": 0x1000])
      fails(
        "ENOENT", "an ordinary range is not everything", ["iova": 0, "length": max64 - 1],
        given: { try $0.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64]) })
      fails("ENOENT", "what came before a cut area is gone", ["length": 0x5000], leaves: .state) { world, _ in
        #expect(world.fact(1, "mapped") == 0x2000)
      }
    })

  static let ioasUnmapLocked = RequestTable(
    "IOAS_UNMAP", "of queues",
    in: {
      try World.viommu($0)
      try $0.map(at: 0x1010000)
      try $0.map()
      try $0.make(
        "HW_QUEUE_ALLOC",
        ["viommu_id": 6, "type": 0xDEAD_BEEF, "nesting_parent_iova": 0x1010000, "length": 0x1000])
    }, good: ["ioas_id": 1, "iova": 0x1000000, "length": 0x2000], whenReadOnly: .kept,
    list {
      ok("next to a queue", gives: ["length": 0x2000])
      fails("EBUSY", "under a queue", ["iova": 0x1010000])
      fails("EBUSY", "under a queue, before cutting it", ["iova": 0x1010000, "length": 0x1000])
      fails("EBUSY", "everything", ["iova": 0, "length": max64], leaves: .state) { world, _ in
        #expect(world.fact(1, "mapped") == 0x2000)
      }
    }, on: .v7_2)
}

extension World {
  fileprivate func threeRanges() throws {
    try reserve(0x1000, 0x1000)
    try reserve(0x4000, 0x1000)
    try reserve(0x5000, 0x1000)
  }

  fileprivate func mockAndMap() throws {
    try make("MOCK_DOMAIN", ["object": 1])
    try map()
  }

  /// From `vdevice`: nested HWPT 8 on the vIOMMU, with the device on it.
  func attachNested() throws {
    try nested(on: 6)
    try make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 8])
  }

  /// From `vdevice`: hardware queues 8 (access 9) and, if there are two, 10 (access 11).
  func queues(_ count: UInt64) throws {
    try map()
    for index in 0..<count {
      try make(
        "HW_QUEUE_ALLOC",
        [
          "viommu_id": 6, "type": 0xDEAD_BEEF, "index": index, "nesting_parent_iova": 0x1000000,
          "length": 0x1000,
        ])
    }
  }
}
