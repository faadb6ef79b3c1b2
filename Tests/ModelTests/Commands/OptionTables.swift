// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// OPTION, VFIO_IOAS, IOAS_CHANGE_PROCESS, and the command that no personality has. Reference uapi.md sections
// 2.9 to 2.12.

private let max64 = UInt64.max

extension RequestTable {
  static let rlimitMode = RequestTable(
    "OPTION", "RLIMIT_MODE", good: ["option_id": 0, "op": 1, "object_id": 0, "val64": 7],
    whenReadOnly: .undone,
    list {
      ok("by user at first", gives: ["val64": 0])
      ok("by process", ["op": 0, "val64": 1], gives: ["val64": 1]) { world, _ in
        #expect(world.ask("OPTION", ["op": 1])["val64"] == 1)
      }
      ok(
        "by user again", ["op": 0, "val64": 0], gives: ["val64": 0],
        given: { try $0.make("OPTION", ["op": 0, "val64": 1]) }
      ) { world, _ in #expect(world.ask("OPTION", ["op": 1])["val64"] == 0) }
      ok("read while there are objects", gives: ["val64": 0], given: World.mock)
      ok(
        "set when all objects are gone", ["op": 0, "val64": 1],
        given: {
          try World.mock($0)
          try $0.make("DESTROY", ["id": 2])
          try $0.make("DESTROY", ["id": 1])
        })
      ok("read without a capability", given: { try $0.bench.setCapability("sys-resource", false) })
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "an unknown option", ["option_id": 2])
      fails("EOPNOTSUPP", "an unknown option of no object", ["option_id": 2, "object_id": 9])
      fails("EOPNOTSUPP", "an object", ["object_id": 1])
      fails(
        "EOPNOTSUPP", "an object, before the capability", ["op": 0, "object_id": 1],
        given: { try $0.bench.setCapability("sys-resource", false) })
      fails("EOPNOTSUPP", "an unknown op", ["op": 2])
      fails(
        "EPERM", "without CAP_SYS_RESOURCE", ["op": 0, "val64": 1],
        given: { try $0.bench.setCapability("sys-resource", false) })
      fails(
        "EPERM", "the capability, before objects and value", ["op": 0, "val64": 2],
        given: {
          try World.ioas($0)
          try $0.bench.setCapability("sys-resource", false)
        })
      fails("EBUSY", "while there is an object", ["op": 0, "val64": 1], given: World.ioas)
      fails("EBUSY", "an object, before the value", ["op": 0, "val64": 2], given: World.ioas)
      fails(
        "EBUSY", "a lost number is enough", ["op": 0, "val64": 1], on: [.v7_2],
        given: {
          try World.vdevice($0)
          for id in [2, 6, 5, 1] as [UInt64] { try $0.make("DESTROY", ["id": id]) }
        })
      fails("EINVAL", "another value", ["op": 0, "val64": 2])
    })

  static let hugePages = RequestTable(
    "OPTION", "HUGE_PAGES", in: World.ioas,
    good: ["option_id": 1, "op": 1, "object_id": 1, "val64": 7], whenReadOnly: .undone,
    list {
      ok("on at first", gives: ["val64": 1])
      ok("off", ["op": 0, "val64": 0], gives: ["val64": 0]) { world, _ in
        #expect(world.ask("OPTION", ["option_id": 1, "op": 1, "object_id": 1])["val64"] == 0)
        #expect(world.fact(1, "alignment") == 4096)
      }
      ok(
        "off twice, whatever is there", ["op": 0, "val64": 0],
        given: {
          try $0.make("OPTION", ["option_id": 1, "object_id": 1, "val64": 0])
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.map()
        })
      ok(
        "on again", ["op": 0, "val64": 1], gives: ["val64": 1],
        given: { try $0.make("OPTION", ["option_id": 1, "object_id": 1, "val64": 0]) }
      ) { world, _ in #expect(world.fact(1, "alignment") == 1) }
      ok("off with an HWPT", ["op": 0, "val64": 0], given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      ok("off with an area", ["op": 0, "val64": 0], given: { try $0.map() })
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("ENOENT", "no object", ["object_id": 9])
      fails("ENOENT", "no object, before the op", ["object_id": 9, "op": 2])
      fails("ENOENT", "a fault queue", ["object_id": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
      fails("EOPNOTSUPP", "an unknown op", ["op": 2])
      fails("EINVAL", "another value", ["op": 0, "val64": 2])
      fails(
        "EINVAL", "off with an HWPT and an area", ["op": 0, "val64": 0],
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.map()
        })
      fails(
        "EADDRINUSE", "off with a misaligned area", ["op": 0, "val64": 0], given: { try $0.map(at: 0x800) })
      fails(
        "EADDRINUSE", "off with an area of odd length", ["op": 0, "val64": 0], given: { try $0.map(1, 0x801) }
      )
    })

  static let vfioIOAS = RequestTable(
    "VFIO_IOAS",
    in: {
      try World.ioas($0)
      try $0.make("VFIO_IOAS", ["op": 1, "ioas_id": 1])
    }, good: ["op": 0], whenReadOnly: .undone,
    list {
      ok("get", gives: ["ioas_id": 1])
      ok(
        "set another", ["op": 1, "ioas_id": 2], given: { try $0.make("IOAS_ALLOC") }
      ) { world, _ in #expect(world.ask("VFIO_IOAS")["ioas_id"] == 2) }
      ok("clear", ["op": 2]) { world, _ in #expect(world.ask("VFIO_IOAS").name == "ENODEV") }
      ok("clear nothing", ["op": 2, "ioas_id": 9], given: { try $0.make("VFIO_IOAS", ["op": 2]) })
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "reserved, before the lookup", ["__reserved": 1, "op": 1, "ioas_id": 9])
      fails("EOPNOTSUPP", "an unknown op", ["op": 3])
      fails("ENODEV", "get when none is set", given: { try $0.make("VFIO_IOAS", ["op": 2]) })
      fails("ENOENT", "set no object", ["op": 1, "ioas_id": 9]) { world, _ in
        #expect(world.ask("VFIO_IOAS")["ioas_id"] == 1)
      }
      fails(
        "ENOENT", "set a fault queue", ["op": 1, "ioas_id": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
    })

  static let changeProcess = RequestTable(
    "IOAS_CHANGE_PROCESS",
    in: {
      try World.mock($0)
      try $0.openFiles()
    }, good: [:], whenReadOnly: .unnoticed,
    list {
      ok("nothing is mapped")
      ok("a file is mapped", given: { try $0.mapFile() })
      ok(
        "moves the charge",
        given: {
          // The user is charged twice for a moment.
          try $0.limit(0x4000)
          try $0.mapFileAndFork()
        }
      ) { world, _ in try #expect(world.vmPin() == [0, 2]) }
      ok("moves no charge that nothing limits", given: { try $0.mapFileAndFork() }) { world, _ in
        try #expect(world.vmPin() == [2, 0])
        try world.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64])
        try #expect(world.vmPin() == [2, max64 - 1])
      }
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "reserved, before the mappings", ["__reserved": 1], given: { try $0.map() })
      fails("EINVAL", "memory is mapped", given: { try $0.map() })
      fails(
        "EINVAL", "memory is mapped in any IOAS",
        given: {
          try $0.mapFile()
          try $0.make("IOAS_ALLOC")
          try $0.map(5)
        })
      fails("EINVAL", "a dma-buf is mapped", given: { try $0.mapFile(fd: 5) })
      fails(
        "ENOMEM", "the new process may not lock as much",
        given: {
          try $0.limit(0x2000)
          try $0.mapFileAndFork()
          try $0.limit(0x1000)
        }
      ) { world, _ in try #expect(world.vmPin() == [2, 0]) }
    })

  static let noIOMMU = RequestTable(
    "IOAS_NOIOMMU_GET_PA", in: World.mapped,
    good: ["ioas_id": 1, "iova": 0x1000000, "length": 0x1000], whenReadOnly: .undone, [])

  static let testCommand = RequestTable(
    "TEST_CMD", good: ["op": 4], whenReadOnly: .unnoticed,
    list {
      ok("MD_CHECK_REFS of nothing")
      fails("EOPNOTSUPP", "op 0", ["op": 0])
      fails("EOPNOTSUPP", "op 24", ["op": 24])
      fails("EOPNOTSUPP", "the largest op", ["op": 0xFFFF_FFFF])
      fails("EOPNOTSUPP", "op 16", ["op": 16], on: [.v6_12])
      fails("EOPNOTSUPP", "op 23", ["op": 23], on: [.v6_12])
    })
}

extension World {
  fileprivate func mapFile(fd: UInt64 = 4) throws {
    try make(
      "IOAS_MAP_FILE",
      ["flags": 7, "ioas_id": 1, "fd": fd, "start": 0, "length": 0x2000, "iova": 0x1000000])
  }

  /// Maps the file, and goes on as a child.
  fileprivate func mapFileAndFork() throws {
    try mapFile()
    try bench.switchProcess(try bench.fork())
  }

  /// VmPin of the two processes, in pages.
  fileprivate func vmPin() throws -> [UInt64] {
    guard case .list(let processes)? = bench.machineState()["processes"] else { return [] }
    return processes.compactMap { $0["vmpin"]?.number }
  }
}
