// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// The test ops on an IOAS, its page tables, accesses and dma-bufs: 1, 3 to 9, 11, 13, 22, 23. Reference
// uapi.md section 7, devices-hwpt-viommu.md sections 6 and 7.7.

private let va = World.va
private let max64 = UInt64.max

extension RequestTable {
  static let addReserved = RequestTable(
    "ADD_RESERVED", in: World.ioas, good: ["object": 1, "start": 0x1000, "length": 0x1000],
    whenReadOnly: .unnoticed,
    list {
      ok("a range") { world, _ in
        let ranges = world.ask(
          "IOAS_IOVA_RANGES", ["ioas_id": 1, "num_iovas": 2, "allowed_iovas": World.data])
        #expect(ranges["num_iovas"] == 2)
        try #expect((0..<4).map { try world.long($0 * 8) } == [0, 0xFFF, 0x2000, max64])
      }
      ok("twice", given: { try $0.reserve(0x1800, 0x1000) })
      ok("the last byte", ["start": max64, "length": 1])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "length 0, before the lookup", ["length": 0, "object": 9])
      fails("EOVERFLOW", "the end wraps", ["start": max64, "length": 2])
      fails("EOVERFLOW", "the end, before the lookup", ["start": max64, "length": 2, "object": 9])
      fails("ENOENT", "no IOAS", ["object": 9])
      fails("EADDRINUSE", "an area", given: { try $0.map(at: 0x1FFF) })
      fails("EADDRINUSE", "an allowed range", given: { try $0.allow(0x1FFF, 0x2FFF) })
    })

  static let checkMap = RequestTable(
    "MD_CHECK_MAP", in: World.mapped,
    good: ["object": 4, "iova": 0x1000000, "length": 0x2000, "uptr": va], whenReadOnly: .unnoticed,
    list {
      ok("two pages")
      ok("half a page", ["iova": 0x1000800, "length": 0x800, "uptr": va + 0x800])
      ok("nothing", ["length": 0])
      fails("ENOENT", "no HWPT", ["object": 9])
      fails("ENOENT", "an IOAS", ["object": 1])
      fails("EINVAL", "a misaligned iova", ["iova": 0x1000400])
      fails("EINVAL", "a misaligned length", ["length": 0x400])
      fails("EINVAL", "a misaligned address", ["uptr": va + 0x400])
      fails("ENOENT", "no HWPT, before the alignment", ["object": 9, "iova": 1], on: [.v7_2])
      fails("EINVAL", "the alignment, before the HWPT", ["object": 9, "iova": 1], on: [.v6_12])
      fails("EINVAL", "the address wraps", ["uptr": max64 - 0xFFF])
      fails("EFAULT", "no memory", ["uptr": World.hole])
      fails("EINVAL", "other memory", ["uptr": va + 0x1000])
      fails("EINVAL", "nothing is mapped", ["iova": 0x1002000])
    })

  static let checkRefs = RequestTable(
    "MD_CHECK_REFS", in: World.mapped, good: ["length": 0x2000, "uptr": va, "refs": 1],
    whenReadOnly: .unnoticed,
    list {
      ok("pinned once")
      ok("not pinned", ["uptr": va + 0x2000, "refs": 0])
      ok("nothing", ["length": 0, "uptr": World.hole])
      ok("pinned twice", ["refs": 2], given: { try $0.map(at: 0x1010000) })
      fails("EINVAL", "a misaligned address", ["uptr": va + 0x800])
      fails("EINVAL", "a misaligned length", ["length": 0x800])
      fails("EINVAL", "the address wraps", ["uptr": max64 - 0xFFF])
      fails("EFAULT", "no memory", ["uptr": World.hole])
      fails("EIO", "another count", ["refs": 2])
      fails("EIO", "another count of the second page", ["uptr": va + 0x1000])
    })

  // MARK: Accesses

  static let createAccess = RequestTable(
    "CREATE_ACCESS", in: World.ioas, good: ["object": 1, "flags": 0], whenReadOnly: .undone,
    list {
      ok("an object and a descriptor", gives: ["out_access_fd": 4]) { world, _ in
        #expect(world.fact(1, "users") == 2)
        #expect(world.fact(1, "alignment") == 1)
        try world.target.close(4)
        #expect(!world.exists(2))
      }
      ok("that pins", ["flags": 1]) { world, _ in #expect(world.fact(1, "alignment") == 4096) }
      ok("that does not pin, over a misaligned area", given: { try $0.map(at: 1) })
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 2])
      fails("EOPNOTSUPP", "a flag, before the lookup", ["flags": 2, "object": 9])
      fails("ENOENT", "no IOAS", ["object": 9])
      fails("EADDRINUSE", "that pins, over a misaligned area", ["flags": 1], given: { try $0.map(at: 1) })
      fails("ENOMEM", "no descriptor is free", given: { $0.exhaustDescriptors() })
    })

  static let destroyAccessPages = RequestTable(
    "DESTROY_ACCESS_PAGES",
    in: {
      try World.access($0)
      try $0.pin()
    }, good: ["object": 4, "access_pages_id": 0], whenReadOnly: .unnoticed,
    list {
      ok("unpins") { world, _ in #expect(world.pins() == 0) }
      fails("EBADFD", "no descriptor", ["object": 99])
      fails("EBADFD", "another file", ["object": 3])
      fails("EBADFD", "no descriptor, before the item", ["object": 99, "access_pages_id": 7])
      fails("ENOENT", "no item", ["access_pages_id": 1])
      fails(
        "ENOENT", "again",
        given: {
          try $0.make("DESTROY_ACCESS_PAGES", ["object": 4, "access_pages_id": 0])
        })
      fails(
        "ENOENT", "an item that an unmap took",
        given: {
          try $0.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64])
        })
    })

  static let accessPages = RequestTable(
    "ACCESS_PAGES", in: World.access,
    good: ["object": 4, "flags": 1, "iova": 0x1000000, "length": 0x2000, "uptr": va], whenReadOnly: .undone,
    list {
      ok("pins", gives: ["out_access_pages_id": 0]) { world, _ in
        #expect(world.pins() == 1)
        #expect(world.pins(va + 0x1000) == 1)
      }
      ok("numbers count up", gives: ["out_access_pages_id": 1], given: { try $0.pin() })
      ok("to read", ["flags": 0])
      ok("compares nothing", ["uptr": 0])
      ok("a byte pins its page", ["length": 1]) { world, _ in
        #expect(world.pins() == 1)
      }
      ok("{area, offset}", ["flags": 0x10001, "iova": 0x1000 << 32, "length": 0x1000, "uptr": 0]) {
        world, _ in
        #expect([world.pins(), world.pins(va + 0x1000)] == [0, 1])
      }
      ok(
        "to read what is mapped so", ["flags": 0, "iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, flags: 5)
        })
      fails("ENOMEM", "more than 16 MiB", ["length": 1 << 24 | 1])
      fails("ENOMEM", "the length, before the flags", ["length": 1 << 24 | 1, "flags": 2])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 2])
      fails("EOPNOTSUPP", "a flag, before the descriptor", ["flags": 2, "object": 99])
      fails("EBADFD", "no descriptor", ["object": 99])
      fails("EBADFD", "another file", ["object": 3])
      fails(
        "EOPNOTSUPP", "an access that cannot pin", ["object": 5, "length": 0],
        given: {
          try $0.make("CREATE_ACCESS", ["object": 1])
        })
      fails("EINVAL", "length 0", ["length": 0])
      fails("EOVERFLOW", "the end wraps", ["iova": max64, "length": 2])
      fails("ENOENT", "nothing is mapped", ["iova": 0x2000000])
      fails("ENOENT", "a hole", ["length": 0x3000])
      fails(
        "EPERM", "to write what is mapped read-only", ["iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, flags: 5)
        })
      fails(
        "EPERM", "to read what is mapped write-only", ["flags": 0, "iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, flags: 3)
        })
      fails(
        "EFAULT", "no memory", ["iova": 0x2000000], given: { try $0.map(at: 0x2000000, from: World.hole) })
      fails(
        "ENOMEM", "more than may be locked", ["iova": 0x2000000],
        given: {
          try $0.limit(0x1000)
          try $0.map(at: 0x2000000)
        })
      fails("EINVAL", "within a page", ["iova": 0x1000801, "length": 1, "uptr": va + 0x801])
      fails("EBADE", "other pages", ["uptr": va + 0x2000])
      fails("EFAULT", "no memory to compare with", ["uptr": World.hole])
    })

  static let accessRW = RequestTable(
    "ACCESS_RW",
    in: {
      try World.access($0)
      try $0.longs(0x1122_3344_5566_7788)
    }, good: ["object": 4, "flags": 1, "iova": 0x1000FFC, "length": 8, "uptr": World.data],
    whenReadOnly: .unnoticed,
    list {
      ok("writes across a page") { world, _ in
        try #expect(world.target.memory.load(UInt64.self, at: va + 0xFFC) == 0x1122_3344_5566_7788)
        #expect(world.pins() == 0)
      }
      ok("reads", ["flags": 0], given: { try $0.target.memory.store(UInt64(42), at: va + 0xFFC) }) {
        world, _ in
        try #expect(world.long(0) == 42)
      }
      ok("slowly", ["flags": 5])
      ok("{area, offset}", ["flags": 0x10001, "iova": 0x10 << 32]) { world, _ in
        try #expect(world.target.memory.load(UInt64.self, at: va + 0x10) == 0x1122_3344_5566_7788)
      }
      ok("an access that cannot pin", ["object": 5], given: { try $0.make("CREATE_ACCESS", ["object": 1]) })
      fails("ENOMEM", "more than 16 MiB", ["length": 1 << 24 | 1])
      fails("ENOMEM", "the length, before the flags", ["length": 1 << 24 | 1, "flags": 2])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 2])
      fails("EOPNOTSUPP", "a flag, before the descriptor", ["flags": 2, "object": 99])
      fails("EBADFD", "no descriptor", ["object": 99])
      fails("EBADFD", "another file", ["object": 3])
      fails("EFAULT", "a buffer that cannot be read, before the IOVA", ["uptr": World.hole, "iova": 0])
      fails(
        "ENOENT", "the IOVA, before a buffer that cannot be written",
        ["flags": 0, "uptr": World.hole, "iova": 0])
      fails("EFAULT", "a buffer that cannot be written", ["flags": 0, "uptr": World.readOnly])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EOVERFLOW", "the end wraps", ["iova": max64])
      fails("ENOENT", "nothing is mapped", ["iova": 0x2000000])
      fails("ENOENT", "a hole, after what came before it", ["iova": 0x1001FFC]) { world, _ in
        try #expect(world.target.memory.load(UInt32.self, at: va + 0x1FFC) == 0x5566_7788)
      }
      fails(
        "EPERM", "to write what is mapped read-only", ["iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, flags: 5)
        })
      fails(
        "EPERM", "to read what is mapped write-only", ["flags": 0, "iova": 0x2000000],
        given: {
          try $0.map(at: 0x2000000, flags: 3)
        })
      fails(
        "EINVAL", "a dma-buf", ["iova": 0x2000000], on: [.v7_2],
        given: {
          let fd = try $0.make("DMABUF_GET", ["length": 0x1000]).result
          try $0.make(
            "IOAS_MAP_FILE",
            ["flags": 7, "ioas_id": 1, "fd": UInt64(fd), "length": 0x1000, "iova": 0x2000000])
        })
    })

  static let memoryLimit = RequestTable(
    "SET_TEMP_MEMORY_LIMIT", in: World.mock, good: ["limit": 65536], whenReadOnly: .unnoticed,
    list {
      ok("what it was")
      ok("the least", ["limit": 12]) { world, _ in
        try world.map(1, 0x20000)
        #expect(
          world.ask("MD_CHECK_MAP", ["object": 4, "iova": 0x1000000, "length": 0x20000, "uptr": va]).name
            == "ok")
      }
      ok("the most", ["limit": 0xFFFF_FFFF])
      fails("EINVAL", "too little", ["limit": 11])
      fails("EINVAL", "nothing", ["limit": 0])
    })

  static let accessReplaceIOAS = RequestTable(
    "ACCESS_REPLACE_IOAS",
    in: {
      try World.access($0)
      try $0.pin()
      try $0.make("IOAS_ALLOC")
    }, good: ["object": 4, "ioas_id": 3], whenReadOnly: .unnoticed,
    list {
      ok("another IOAS unpins") { world, _ in
        #expect(world.pins() == 0)
        #expect(world.fact(1, "users") == 1)
        #expect(world.fact(3, "users") == 2)
        #expect(world.fact(3, "alignment") == 4096)
      }
      ok("the same IOAS keeps the pins", ["ioas_id": 1]) { world, _ in #expect(world.pins() == 1) }
      fails("EBADFD", "no descriptor", ["object": 99])
      fails("EBADFD", "another file", ["object": 3])
      fails("EBADFD", "no descriptor, before the IOAS", ["object": 99, "ioas_id": 9])
      fails("ENOENT", "no IOAS", ["ioas_id": 9])
      fails("ENOENT", "an access", ["ioas_id": 2])
      fails("EADDRINUSE", "a misaligned area keeps the pins", given: { try $0.map(3, at: 1) }) { world, _ in
        #expect(world.pins() == 1)
      }
    })

  // MARK: Dirty pages

  static let dirty = RequestTable(
    "DIRTY",
    in: {
      try World.dirtyHWPT($0)
      try $0.track()
      try $0.longs(0b100_0100)
    },
    good: ["object": 5, "iova": 0x1000000, "length": 0x10000, "page_size": 2048, "uptr": World.data],
    whenReadOnly: .kept,
    list {
      ok("marks", gives: ["out_nr_dirty": 2]) { world, _ in try #expect(world.readDirty() == 0b1010) }
      ok("bits past the range do not count", ["length": 0x1000], gives: ["out_nr_dirty": 0])
      ok("where nothing is mapped", ["iova": 0x2000000], gives: ["out_nr_dirty": 2], on: [.v7_2])
      ok("where nothing is mapped", ["iova": 0x2000000], gives: ["out_nr_dirty": 0], on: [.v6_12])
      fails("EINVAL", "page size 0", ["page_size": 0])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "no address", ["uptr": 0])
      fails("EINVAL", "a misaligned iova", ["iova": 0x1000400])
      fails("EINVAL", "a misaligned length", ["length": 0x400])
      fails("EINVAL", "page size 0, before the HWPT", ["page_size": 0, "object": 9])
      fails("EOVERFLOW", "too many bits", ["length": 1 << 39])
      fails("EOVERFLOW", "too many bits, before the HWPT", ["length": 1 << 39, "object": 9])
      fails("ENOENT", "no HWPT", ["object": 9])
      fails("ENOENT", "an IOAS", ["object": 1])
      fails("EINVAL", "an HWPT that cannot", ["object": 4])
      fails("EINVAL", "while tracking is off", given: { try $0.track(false) })
      fails(
        "EINVAL", "while it is off, before the bitmap", ["uptr": World.hole], given: { try $0.track(false) })
      fails("EFAULT", "a bitmap that cannot be read", ["uptr": World.hole])
    })

  // MARK: dma-bufs

  static let dmabufGet = RequestTable(
    "DMABUF_GET", good: ["length": 0x1000], whenReadOnly: .unnoticed,
    list {
      ok("returns a descriptor", gives: ["result": 4])
      ok("rounded up to pages", ["length": 1]) { world, _ in
        try world.make("IOAS_ALLOC")
        #expect(
          world.ask("IOAS_MAP_FILE", ["flags": 6, "ioas_id": 1, "fd": 4, "length": 0x1000]).name == "ok")
      }
      ok("the largest", ["length": 0x20_0000])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "too long", ["length": 0x20_0001])
      fails("EINVAL", "much too long", ["length": 0xFFFF_FFFF])
    })

  static let dmabufRevoke = RequestTable(
    "DMABUF_REVOKE",
    in: {
      try World.mock($0)
      try $0.openFiles()
      try $0.make("IOAS_MAP_FILE", ["flags": 7, "ioas_id": 1, "fd": 5, "length": 0x4000, "iova": 0x1000000])
    }, good: ["dmabuf_fd": 5, "revoked": 1], whenReadOnly: .unnoticed,
    list {
      ok("unmaps, and keeps the area") { world, _ in
        #expect(world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x1000000) == nil)
        #expect(world.ask("IOAS_UNMAP", ["ioas_id": 1, "length": max64])["length"] == 0x4000)
      }
      ok("twice", given: { try $0.revoke() })
      ok("gives back, for new mappings", ["revoked": 0], given: { try $0.revoke() }) { world, _ in
        let again = world.ask(
          "IOAS_MAP_FILE", ["flags": 7, "ioas_id": 1, "fd": 5, "length": 0x4000, "iova": 0x2000000])
        #expect(again.name == "ok")
        #expect(world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x2000000) != nil)
      }
      ok("what nobody maps", given: { try $0.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64]) })
      fails("EBADF", "no descriptor", ["dmabuf_fd": 99])
      fails("EINVAL", "a memfd", ["dmabuf_fd": 4])
      fails("EINVAL", "the iommufd", ["dmabuf_fd": 3])
    })
}

extension World {
  /// From `access`: both pages as item 0.
  fileprivate func pin() throws {
    try make("ACCESS_PAGES", ["object": 4, "iova": 0x1000000, "length": 0x2000])
  }
}
