// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// SET_DIRTY_TRACKING, GET_DIRTY_BITMAP and HWPT_INVALIDATE. Reference uapi.md sections 3.3 to 3.5,
// devices-hwpt-viommu.md sections 3.8, 3.9, 7.3 to 7.6.

private let bitmap = World.data + 0x1000
private let entries = World.data + 0x100
private let max64 = UInt64.max

extension RequestTable {
  static let setDirty = RequestTable(
    "HWPT_SET_DIRTY_TRACKING", in: World.dirtyHWPT, good: ["flags": 1, "hwpt_id": 5],
    whenReadOnly: .unnoticed,
    list {
      ok("on") { world, _ in try #expect(world.mark() == 2) }
      ok("on twice", given: { try $0.track() })
      ok("off", ["flags": 0], given: { try $0.track() }) { world, _ in
        let mark: Fields = [
          "object": 5, "iova": 0x1000000, "length": 0x800, "page_size": 2048, "uptr": World.data,
        ]
        #expect(world.ask("DIRTY", mark).name == "EINVAL")
      }
      ok("off when it is off", ["flags": 0])
      ok("on clears", given: { try $0.trackAndMark() }) { world, _ in try #expect(world.readDirty() == 0) }
      ok("off does not clear", ["flags": 0], on: [.v7_2], given: { try $0.trackAndMark() }) { world, _ in
        try #expect(world.readDirty() == 0b1010)
      }
      ok("the unchecked reserved field", ["__reserved": 1])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 3])
      fails("EOPNOTSUPP", "a flag, before the lookup", ["flags": 2, "hwpt_id": 9])
      fails("ENOENT", "no object", ["hwpt_id": 9])
      fails("ENOENT", "an IOAS", ["hwpt_id": 1])
      fails("ENOENT", "a device", ["hwpt_id": 3])
      fails("EOPNOTSUPP", "an HWPT that cannot", ["hwpt_id": 4])
    })

  static let getDirty = RequestTable(
    "HWPT_GET_DIRTY_BITMAP",
    in: {
      try World.dirtyHWPT($0)
      try $0.trackAndMark()
    },
    good: ["hwpt_id": 5, "iova": 0x1000000, "length": 0x10000, "page_size": 4096, "data": bitmap],
    whenReadOnly: .unnoticed,
    list {
      ok("reads and clears") { world, _ in
        try #expect(world.long(0x1000) == 0b1010)
        try #expect(world.readDirty() == 0)
      }
      ok("reads and keeps", ["flags": 1]) { world, _ in
        try #expect(world.long(0x1000) == 0b1010)
        try #expect(world.readDirty() == 0b1010)
      }
      ok("bits that are set stay", given: { try $0.longs(1 << 63 | 1, at: 0x1000) }) { world, _ in
        try #expect(world.long(0x1000) == 1 << 63 | 0b1011)
      }
      ok("half pages", ["page_size": 2048]) { world, _ in try #expect(world.long(0x1000) == 0b1000100) }
      ok("two pages a bit", ["page_size": 8192]) { world, _ in try #expect(world.long(0x1000) == 0b11) }
      ok("from the range's start", ["iova": 0x1001000, "length": 0xF000]) { world, _ in
        try #expect(world.long(0x1000) == 0b101)
      }
      ok("at an odd address", ["data": bitmap + 1]) { world, _ in
        try #expect(world.long(0x1000) == 0b1010 << 8)
      }
      ok("a page size that is no power of two", ["page_size": 3])
      ok("bits that cannot be stored are lost", ["data": World.hole]) { world, _ in
        try #expect(world.readDirty() == 0)
      }
      ok("up to a hole", ["length": 0x100000]) { world, _ in try #expect(world.long(0x1000) == 0b1010) }
      ok("where nothing is mapped", ["iova": 0x2000000, "data": World.hole])
      ok("outside the aperture", ["iova": 0x1000])
      ok("while tracking is off", on: [.v7_2], given: { try $0.track(false) }) { world, _ in
        try #expect(world.long(0x1000) == 0b1010)
      }
      ok("while tracking is off", on: [.v6_12], given: { try $0.track(false) }) { world, _ in
        try #expect(world.long(0x1000) == 0)
      }
      ok("nothing at 0", ["iova": 0, "length": 0], on: [.v7_2])
      fails("EOVERFLOW", "length 0", ["length": 0], on: [.v7_2])
      fails("EINVAL", "length 0", ["length": 0], on: [.v6_12])
      fails("EINVAL", "length 0 at 0", ["iova": 0, "length": 0], on: [.v6_12])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 2])
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "reserved, before the lookup", ["__reserved": 1, "hwpt_id": 9])
      fails("ENOENT", "no object", ["hwpt_id": 9])
      fails("ENOENT", "an IOAS", ["hwpt_id": 1])
      fails("ENOENT", "no object, before the range", ["hwpt_id": 9, "length": max64])
      fails("EOVERFLOW", "the end wraps", ["length": max64])
      fails("EOVERFLOW", "the end, before the page size", ["length": max64, "page_size": 0])
      fails("EINVAL", "a misaligned iova", ["iova": 0x1000800])
      fails("EINVAL", "a misaligned length", ["length": 0x1800])
      fails("EINVAL", "page size 0", ["page_size": 0])
      fails("EINVAL", "iova against the page size", ["iova": 0x1001000, "length": 0x2000, "page_size": 8192])
      fails("EINVAL", "length against the page size", ["length": 0x3000, "page_size": 8192])
      fails("EINVAL", "page size 0, before the kind of HWPT", ["hwpt_id": 4, "page_size": 0])
      fails("EOPNOTSUPP", "an HWPT that cannot", ["hwpt_id": 4])
    })

  static let invalidateHWPT = RequestTable(
    "HWPT_INVALIDATE", "of a nested HWPT",
    in: {
      try World.nested($0)
      try $0.words(0, 1, 0, 2, 0, 3, at: 0x100)
    },
    good: [
      "hwpt_id": 6, "data_uptr": entries, "data_type": 0xDEAD_BEEF, "entry_len": 8, "entry_num": 1,
    ], whenReadOnly: .undone,
    invalidation
      + list {
        ok("one entry", gives: ["entry_num": 1]) { world, _ in
          #expect(world.iotlb() == [true, false, true, true])
        }
        ok("three entries", ["entry_num": 3], gives: ["entry_num": 3]) { world, _ in
          #expect(world.iotlb() == [true, false, false, false])
        }
        ok("all at once", given: { try $0.words(1, at: 0x100) }) { world, _ in
          #expect(world.iotlb() == [false, false, false, false])
        }
        fails(
          "EINVAL", "a slot that does not exist", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(0, 4, at: 0x100) })
        fails(
          "EINVAL", "such a slot, with ALL", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(1, 4, at: 0x100) })
        fails(
          "EOPNOTSUPP", "an unknown flag", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(2, 4, at: 0x100) })
        fails(
          "EINVAL", "the second entry", ["entry_num": 3], gives: ["entry_num": 1], leaves: .answer,
          given: { try $0.words(0, 4, at: 0x108) }
        ) { world, _ in #expect(world.iotlb() == [true, false, true, true]) }
        fails(
          "EFAULT", "the second entry",
          ["data_uptr": World.data + 0xFFF8, "entry_num": 2], gives: ["entry_num": 1], leaves: .answer)
        fails("EINVAL", "short entries", ["entry_len": 7], gives: ["entry_num": 0], leaves: .answer)
        fails("EINVAL", "long entries", ["entry_len": 9], gives: ["entry_num": 0], leaves: .answer)
        fails("ENOENT", "a parent", ["hwpt_id": 5], gives: ["entry_num": 0], on: [.v6_12], leaves: .answer)
        fails("EINVAL", "a parent", ["hwpt_id": 5], gives: ["entry_num": 0], on: [.v7_2], leaves: .answer)
      })

  static let invalidateVIOMMU = RequestTable(
    "HWPT_INVALIDATE", "of a vIOMMU",
    in: {
      try World.vdevice($0)
      try $0.words(0, 0x99, 1, 0, 0x99, 2, at: 0x100)
    },
    good: [
      "hwpt_id": 6, "data_uptr": entries, "data_type": 0xDEAD_BEEF, "entry_len": 12, "entry_num": 1,
    ], whenReadOnly: .undone,
    invalidation
      + list {
        ok("one entry", gives: ["entry_num": 1]) { world, _ in
          #expect(world.cache() == [true, false, true, true])
        }
        ok("two entries", ["entry_num": 2], gives: ["entry_num": 2]) { world, _ in
          #expect(world.cache() == [true, false, false, true])
        }
        ok("all at once", given: { try $0.words(1, 0x99, 0, at: 0x100) }) { world, _ in
          #expect(world.cache() == [false, false, false, false])
        }
        ok("short entries end in zeros", ["entry_len": 8], gives: ["entry_num": 1]) { world, _ in
          #expect(world.cache() == [false, true, true, true])
        }
        ok("long entries that end in zeros", ["entry_len": 16], given: { try $0.words(0, at: 0x10C) })
        fails(
          "E2BIG", "long entries", ["entry_len": 16], gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(0x100, at: 0x10C) })
        fails(
          "EINVAL", "a word that does not exist", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(1, 0x99, 4, at: 0x100) })
        fails(
          "EINVAL", "an unknown device", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(0, 0x98, 1, at: 0x100) })
        fails(
          "EOPNOTSUPP", "an unknown flag", gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(2, 0x98, 4, at: 0x100) })
        fails(
          "EINVAL", "the second entry", ["entry_num": 2], gives: ["entry_num": 1], leaves: .answer,
          given: { try $0.words(0, 0x98, at: 0x10C) }
        ) { world, _ in #expect(world.cache() == [true, false, true, true]) }
        fails(
          "EFAULT", "nothing is done when one cannot be read",
          ["data_uptr": World.data + 0xFFF4, "entry_num": 2], gives: ["entry_num": 0], leaves: .answer,
          given: { try $0.words(0, 0x99, 1, at: 0xFFF4) }
        ) { world, _ in #expect(world.cache() == [true, true, true, true]) }
      }, on: .v7_2)

  /// What is the same for both.
  private static let invalidation: [RequestCase] = list {
    ok("is the type known", ["entry_num": 0, "data_uptr": 0, "entry_len": 0], gives: ["entry_num": 0])
    fails("EINVAL", "an unknown type", ["data_type": 0xDADBEEF], gives: ["entry_num": 0], leaves: .answer)
    fails("EINVAL", "is an unknown type known", ["data_type": 1, "entry_num": 0], leaves: .answer)
    fails("EOPNOTSUPP", "reserved", ["__reserved": 1], gives: ["entry_num": 0], leaves: .answer)
    fails("EOPNOTSUPP", "reserved, before the entries", ["__reserved": 1, "data_uptr": 0], leaves: .answer)
    fails("EINVAL", "no address", ["data_uptr": 0], gives: ["entry_num": 0], leaves: .answer)
    fails("EINVAL", "no length", ["entry_len": 0], gives: ["entry_num": 0], leaves: .answer)
    fails(
      "EINVAL", "entries of more than a page", ["entry_len": 4097], gives: ["entry_num": 0], leaves: .answer)
    fails(
      "EINVAL", "more than 2^19 entries", ["entry_num": 0x80001], gives: ["entry_num": 0], leaves: .answer)
    fails("EINVAL", "the entries, before the lookup", ["entry_num": 0x80001, "hwpt_id": 99], leaves: .answer)
    fails("ENOENT", "no object", ["hwpt_id": 99], gives: ["entry_num": 0], leaves: .answer)
    fails("ENOENT", "no object, before the type", ["hwpt_id": 99, "data_type": 1], leaves: .answer)
    fails("ENOENT", "an IOAS", ["hwpt_id": 1], gives: ["entry_num": 0], on: [.v6_12], leaves: .answer)
    fails("EINVAL", "an IOAS", ["hwpt_id": 1], gives: ["entry_num": 0], on: [.v7_2], leaves: .answer)
    fails(
      "EFAULT", "entries that cannot be read", ["data_uptr": World.hole], gives: ["entry_num": 0],
      leaves: .answer)
  }
}

extension World {
  /// As `mock`, in pages of 4 KiB; HWPT 5, which tracks what is written; 16 pages at the aperture's start.
  static let dirtyHWPT: Step = {
    try ioas($0)
    try $0.make("OPTION", ["option_id": 1, "object_id": 1, "val64": 0])
    try $0.make("MOCK_DOMAIN", ["object": 1])
    try $0.make("HWPT_ALLOC", ["flags": 2, "dev_id": 3, "pt_id": 1])
    try $0.map(1, 0x10000)
  }

  func track(_ on: Bool = true) throws {
    try make("HWPT_SET_DIRTY_TRACKING", ["flags": on ? 1 : 0, "hwpt_id": 5])
  }

  /// The device writes the first halves of the pages 1 and 3; how many that were.
  @discardableResult
  func mark() throws -> UInt64 {
    try longs(0b100_0100, at: 0x2000)
    return try make(
      "DIRTY",
      [
        "object": 5, "iova": 0x1000000, "length": 0x10000, "page_size": 2048, "uptr": World.data + 0x2000,
      ])["out_nr_dirty"]
  }

  func trackAndMark() throws {
    try track()
    try mark()
  }

  /// The bits of the 16 pages, which are cleared.
  func readDirty() throws -> UInt64 {
    try longs(0, at: 0x3000)
    try make(
      "HWPT_GET_DIRTY_BITMAP",
      [
        "hwpt_id": 5, "iova": 0x1000000, "length": 0x10000, "page_size": 4096, "data": World.data + 0x3000,
      ])
    return try long(0x3000)
  }

  /// Which of the IOTLB words of HWPT 6 hold what they were made with; the others are 0.
  fileprivate func iotlb() -> [Bool] {
    (0..<4).map { slot in
      ask("MD_CHECK_IOTLB", ["object": 6, "id": UInt64(slot), "iotlb": 0xBADBEEF]).name == "ok"
        && ask("MD_CHECK_IOTLB", ["object": 6, "id": UInt64(slot), "iotlb": 0]).name == "EINVAL"
    }
  }

  /// Which of the cache words of device 3 hold what they were made with; the others are 0.
  fileprivate func cache() -> [Bool] {
    (0..<4).map { slot in
      ask("DEV_CHECK_CACHE", ["object": 3, "id": UInt64(slot), "cache": 0xBADDAD]).name == "ok"
        && ask("DEV_CHECK_CACHE", ["object": 3, "id": UInt64(slot), "cache": 0]).name == "EINVAL"
    }
  }
}
