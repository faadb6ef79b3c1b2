// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// HWPT_ALLOC on an IOAS, on a parent and on a vIOMMU; GET_HW_INFO. Reference uapi.md sections 3.1 and 3.2,
// devices-hwpt-viommu.md sections 3.2 to 3.5.

private let data = World.data
private let max64 = UInt64.max

/// The flags 0...15, and what each combination answers.
private func everyFlag(_ kernel: Personality, _ answer: (UInt64) -> String) -> [RequestCase] {
  (UInt64(0)..<16).map { flags in
    let errno = answer(flags)
    return errno == "ok"
      ? ok("flags \(flags)", ["flags": flags], on: [kernel])
      : fails(errno, "flags \(flags)", ["flags": flags], on: [kernel])
  }
}

/// Refused before the base of the HWPT is known.
private let early: [RequestCase] = list {
  fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
  fails("EOPNOTSUPP", "reserved, before the data", ["__reserved": 1, "data_type": 0, "data_len": 4])
  fails("EINVAL", "data without a type", ["data_type": 0, "data_len": 4])
  fails("EINVAL", "a type without data", ["data_type": 0xDEAD, "data_len": 0])
  fails("EINVAL", "a type without data, before the device", ["data_type": 1, "data_len": 0, "dev_id": 9])
  fails("ENOENT", "no device", ["dev_id": 99])
  fails("ENOENT", "an IOAS for a device", ["dev_id": 1])
  fails("ENOENT", "no device, before the base", ["dev_id": 99, "pt_id": 99])
  fails("EINVAL", "no base", ["pt_id": 99])
  fails("EINVAL", "no base, before the flags", ["pt_id": 99, "flags": 0x80])
  fails("EINVAL", "a device for a base", ["pt_id": 3])
  fails("EINVAL", "a test object for a base", ["pt_id": 2])
  ok("the unchecked reserved field", ["__reserved2": 1])
  ok("a fault queue that no flag asks for", ["fault_id": 99])
}

extension RequestTable {
  static let hwptOnIOAS = RequestTable(
    "HWPT_ALLOC", "on an IOAS", in: World.mapped, good: ["dev_id": 3, "pt_id": 1], whenReadOnly: .undone,
    early
      + everyFlag(.v7_2) { flags in
        // A queue is asked for and none is given; a parent has none at all.
        flags & 4 == 0 ? "ok" : flags & 1 != 0 ? "EOPNOTSUPP" : "ENOENT"
      }
      + everyFlag(.v6_12) { flags in flags & ~3 == 0 ? "ok" : "EOPNOTSUPP" }
      + list {
        ok("maps what the IOAS maps, pinned once", gives: ["out_hwpt_id": 5]) { world, _ in
          #expect(world.pins() == 1)
          #expect(
            world.bench.translate(world.caller.fd, hwpt: 5, iova: 0x1001004)
              == world.bench.physicalAddress(at: World.va + 0x1004))
          #expect(world.fact(1, "users") == 3)
        }
        ok(
          "with a fault queue", ["flags": 4, "fault_id": 5], gives: ["out_hwpt_id": 6], on: [.v7_2],
          given: { try $0.make("FAULT_QUEUE_ALLOC") }
        ) { world, _ in #expect(world.fact(5, "users") == 3) }
        fails("ENOENT", "an IOAS for a fault queue", ["flags": 4, "fault_id": 1], on: [.v7_2])
        fails("EOPNOTSUPP", "an unknown flag", ["flags": 0x10])
        fails(
          "EOPNOTSUPP", "dirty tracking of a device that has none", ["flags": 2, "dev_id": 6],
          given: { try $0.noDirtyDevice() })
        ok("another device's table without tracking", ["dev_id": 6], given: { try $0.noDirtyDevice() })
        fails("EOPNOTSUPP", "data of another driver", ["data_type": 1, "data_len": 24, "data_uptr": data])
        fails(
          "EOPNOTSUPP", "the selftest's data", ["data_type": 0xDEAD, "data_len": 4, "data_uptr": data],
          on: [.v6_12])
        ok("the selftest's data", ["data_type": 0xDEAD, "data_len": 4, "data_uptr": data], on: [.v7_2])
        ok(
          "the selftest's data and table", ["data_type": 0xDEAD, "data_len": 8, "data_uptr": data],
          on: [.v7_2])
        ok(
          "huge pages", ["pt_id": 5, "data_type": 0xDEAD, "data_len": 8, "data_uptr": data], on: [.v7_2],
          given: {
            try $0.make("IOAS_ALLOC")
            try $0.words(0, 1)
          }
        ) { world, answer in
          let ranges = world.ask(
            "IOAS_IOVA_RANGES", ["ioas_id": 5, "num_iovas": 1, "allowed_iovas": data + 0x100])
          #expect(ranges["out_iova_alignment"] == 4096)
          try #expect([world.long(0x100), world.long(0x108)] == [0, 0x3F_FFFF_FFFF])
        }
        fails(
          "EOPNOTSUPP", "an unknown table",
          ["data_type": 0xDEAD, "data_len": 8, "data_uptr": data], on: [.v7_2], given: { try $0.words(0, 2) })
        fails("EINVAL", "short data", ["data_type": 0xDEAD, "data_len": 3, "data_uptr": data], on: [.v7_2])
        fails("EINVAL", "long data", ["data_type": 0xDEAD, "data_len": 9, "data_uptr": data], on: [.v7_2])
        fails(
          "EFAULT", "data that cannot be read",
          ["data_type": 0xDEAD, "data_len": 4, "data_uptr": World.hole], on: [.v7_2])
        fails(
          "EINVAL", "a nested HWPT for a base", ["pt_id": 6],
          given: {
            try $0.make("HWPT_ALLOC", ["flags": 1, "dev_id": 3, "pt_id": 1])
            try $0.words(0)
            try $0.nested(on: 5)
          })
        fails("EINVAL", "a fault queue for a base", ["pt_id": 5], given: { try $0.make("FAULT_QUEUE_ALLOC") })
        fails("EADDRINUSE", "an area outside the aperture", ["pt_id": 5], given: { try $0.other(at: 0) })
        fails("EADDRINUSE", "an area at an odd IOVA", ["pt_id": 5], given: { try $0.other(at: 0x1000001) })
        fails(
          "EADDRINUSE", "an area of odd length", ["pt_id": 5],
          given: { try $0.other(at: 0x1000000, length: 0x1001) })
        fails(
          "EADDRINUSE", "an allowed range outside the aperture", ["pt_id": 5],
          given: {
            try $0.make("IOAS_ALLOC")
            try $0.allow(0, 0xFFFF, ioas: 5)
          })
        fails(
          "EFAULT", "an area of no memory", ["pt_id": 5],
          given: { try $0.other(at: 0x1000000, from: World.hole) })
        fails(
          "EFAULT", "a writeable area of memory that can be read only", ["pt_id": 5],
          given: { try $0.other(at: 0x1000000, from: World.readOnly) })
        fails(
          "ENOMEM", "more than may be locked", ["pt_id": 5],
          given: {
            try $0.limit(0x1000)
            try $0.other(at: 0x1000000)
          })
        fails(
          "EINVAL", "an area without access", ["pt_id": 5], on: [.v7_2],
          given: { try $0.withoutAccess() })
        ok("an area without access", ["pt_id": 5], on: [.v6_12], given: { try $0.withoutAccess() })
      })

  static let hwptOnParent = RequestTable(
    "HWPT_ALLOC", "on a parent", in: World.parent,
    good: ["dev_id": 3, "pt_id": 5, "data_type": 0xDEAD, "data_len": 4, "data_uptr": data],
    whenReadOnly: .undone,
    early
      + everyFlag(.v7_2) { flags in flags & 3 != 0 ? "EOPNOTSUPP" : flags & 4 != 0 ? "ENOENT" : "ok" }
      + everyFlag(.v6_12) { flags in flags & ~4 != 0 ? "EOPNOTSUPP" : flags & 4 != 0 ? "ENOENT" : "ok" }
      + nestedCases
      + list {
        ok("holds its parent", gives: ["out_hwpt_id": 6]) { world, _ in
          #expect(world.fact(5, "users") == 2)
          for slot in 0..<4 {
            #expect(
              world.ask("MD_CHECK_IOTLB", ["object": 6, "id": UInt64(slot), "iotlb": 0xBADBEEF]).name == "ok")
          }
        }
        fails("EINVAL", "an automatic HWPT", ["pt_id": 4])
        fails(
          "EINVAL", "an HWPT that is no parent", ["pt_id": 6],
          given: { try $0.make("HWPT_ALLOC", ["dev_id": 3, "pt_id": 1]) })
        fails("EOPNOTSUPP", "a flag, before the kind of parent", ["pt_id": 4, "flags": 1])
        fails(
          "EOPNOTSUPP", "no data, before the kind of parent",
          ["pt_id": 4, "data_type": 0, "data_len": 0])
        fails("EINVAL", "the kind of parent, before the data", ["pt_id": 4, "data_uptr": World.hole])
        fails("EINVAL", "a nested HWPT for a base", ["pt_id": 6], given: { try $0.nested(on: 5) })
      })

  static let hwptOnVIOMMU = RequestTable(
    "HWPT_ALLOC", "on a vIOMMU", in: World.viommu,
    good: ["dev_id": 3, "pt_id": 6, "data_type": 0xDEAD, "data_len": 4, "data_uptr": data],
    whenReadOnly: .undone,
    (early
      + everyFlag(.v7_2) { flags in flags & 3 != 0 ? "EOPNOTSUPP" : flags & 4 != 0 ? "ENOENT" : "ok" }
      + nestedCases
      + list {
        ok("holds its vIOMMU", gives: ["out_hwpt_id": 7]) { world, _ in
          #expect(world.fact(6, "users") == 2)
          #expect(world.fact(5, "users") == 2)
        }
      }).filter { $0.kernels.contains(.v7_2) }, on: .v7_2)

  private static let nestedCases: [RequestCase] = list {
    ok(
      "with a fault queue", ["flags": 4, "fault_id": 8],
      given: {
        while try $0.make("FAULT_QUEUE_ALLOC")["out_fault_id"] < 8 {}
      }
    ) { world, _ in #expect(world.fact(8, "users") == 3) }
    fails("EOPNOTSUPP", "an unknown flag", ["flags": 0x10])
    fails("EOPNOTSUPP", "no data", ["data_type": 0, "data_len": 0])
    fails("EOPNOTSUPP", "data of another driver", ["data_type": 1])
    fails("EOPNOTSUPP", "data of another driver, before its length", ["data_type": 1, "data_len": 3])
    fails("EINVAL", "short data", ["data_len": 3])
    fails("EINVAL", "long data", ["data_len": 9])
    fails("EINVAL", "long data, before reading it", ["data_len": 9, "data_uptr": World.hole])
    ok("data of 7 bytes", ["data_len": 7], on: [.v7_2])
    ok("data of 8 bytes", ["data_len": 8], on: [.v7_2])
    fails("EINVAL", "data of 5 bytes", ["data_len": 5], on: [.v6_12])
    fails("EINVAL", "data of 8 bytes", ["data_len": 8], on: [.v6_12])
    fails("EFAULT", "data that cannot be read", ["data_uptr": World.hole])
    fails("EFAULT", "the data, before the fault queue", ["data_uptr": World.hole, "flags": 4])
    fails("ENOENT", "an IOAS for a fault queue", ["flags": 4, "fault_id": 1])
  }

  static let hwInfo = RequestTable(
    "GET_HW_INFO", in: World.mock, good: ["dev_id": 3, "data_len": 8, "data_uptr": data],
    whenReadOnly: .undone,
    list {
      ok(
        "all of it",
        gives: [
          "data_len": 8, "data_type": 0xFEED_BEEF, "out_capabilities": 9, "out_max_pasid_log2": 0,
        ], on: [.v7_2]
      ) { world, _ in try #expect([world.word(0), world.word(4)] == [0, 0xDEAD_BEEF]) }
      ok(
        "all of it", gives: ["data_len": 8, "data_type": 0xFEED_BEEF, "out_capabilities": 1], on: [.v6_12])
      ok(
        "of a device that cannot track", ["dev_id": 6], gives: ["out_capabilities": 8], on: [.v7_2],
        given: { try $0.noDirtyDevice() })
      ok(
        "of a device that cannot track", ["dev_id": 6], gives: ["out_capabilities": 0], on: [.v6_12],
        given: { try $0.noDirtyDevice() })
      ok(
        "of a device with PASIDs", ["dev_id": 6], gives: ["out_capabilities": 9, "out_max_pasid_log2": 20],
        on: [.v7_2], given: { try $0.make("MOCK_DOMAIN_FLAGS", ["object": 1, "dev_flags": 4]) })
      ok(
        "a short buffer", ["data_len": 6], gives: ["data_len": 8],
        given: { try $0.words(0x1111_1111, 0x2222_2222) }
      ) { world, _ in try #expect([world.word(0), world.word(4)] == [0, 0x2222_BEEF]) }
      ok(
        "a long buffer", ["data_len": 16], gives: ["data_len": 8],
        given: { try $0.longs(max64, max64, max64) }
      ) { world, _ in
        try #expect([world.long(0), world.long(8), world.long(16)] == [0xDEAD_BEEF_0000_0000, 0, max64])
      }
      ok("no buffer", ["data_len": 0, "data_uptr": World.hole], gives: ["data_len": 8])
      ok("the type is ignored", ["data_type": 77], gives: ["data_type": 0xFEED_BEEF])
      ok("any width of PASIDs goes in", ["out_max_pasid_log2": 0xFF], gives: ["out_max_pasid_log2": 0])
      ok(
        "the type that is asked for", ["flags": 1, "data_type": 0xFEED_BEEF],
        gives: ["data_type": 0xFEED_BEEF], on: [.v7_2])
      ok("the default type", ["flags": 1], gives: ["data_type": 0xFEED_BEEF], on: [.v7_2])
      fails("EOPNOTSUPP", "a type that the driver does not know", ["flags": 1, "data_type": 1], on: [.v7_2])
      fails("EOPNOTSUPP", "asking for a type", ["flags": 1, "data_type": 0xFEED_BEEF], on: [.v6_12])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 2])
      fails("EOPNOTSUPP", "an unknown flag, before the device", ["flags": 2, "dev_id": 9])
      fails("EOPNOTSUPP", "the first reserved byte", ["__reserved[0]": 1])
      fails("EOPNOTSUPP", "the last reserved byte", ["__reserved[1]": 0x100])
      fails("EOPNOTSUPP", "reserved, before the device", ["__reserved[0]": 1, "dev_id": 9])
      fails("ENOENT", "no device", ["dev_id": 9])
      fails("ENOENT", "an IOAS", ["dev_id": 1])
      fails("ENOENT", "no device, before the type", ["dev_id": 9, "flags": 1, "data_type": 1], on: [.v7_2])
      fails(
        "EOPNOTSUPP", "the type, before the buffer",
        ["flags": 1, "data_type": 1, "data_uptr": World.hole], on: [.v7_2])
      fails("EFAULT", "a buffer that cannot be written", ["data_uptr": World.readOnly])
      fails("EFAULT", "a tail that cannot be written", ["data_len": 16, "data_uptr": data + 0xFFF8])
    })
}

extension World {
  /// From `mock` or `mapped`: device 6, whose test object is 5, cannot track what it writes.
  fileprivate func noDirtyDevice() throws {
    try make("MOCK_DOMAIN_FLAGS", ["object": 1, "dev_flags": 1])
  }

  /// IOAS 5 with an area.
  fileprivate func other(at iova: UInt64, length: UInt64 = 0x2000, from va: UInt64 = World.va) throws {
    try make("IOAS_ALLOC")
    try map(5, at: iova, length, from: va)
  }

  /// IOAS 5 with an area that can neither be read nor written.
  fileprivate func withoutAccess() throws {
    try make("IOAS_ALLOC")
    try make("VFIO_IOAS", ["op": 1, "ioas_id": 5])
    try make(
      "VFIO_IOMMU_MAP_DMA",
      ["argsz": 32, "flags": 0, "vaddr": World.va, "iova": 0x1000000, "size": 0x1000])
  }
}
