// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// The six VFIO type1 requests. Reference uapi.md section 5.

private let max64 = UInt64.max
private let va = World.va

extension RequestTable {
  static let vfioVersion = RequestTable(
    "VFIO_GET_API_VERSION", good: [:], whenReadOnly: .unnoticed,
    list {
      ok("0", gives: ["result": 0])
      ok("whatever the argument is", ["argument": 1], gives: ["result": 0])
    })

  static let vfioExtension = RequestTable(
    "VFIO_CHECK_EXTENSION", in: World.compat, good: ["argument": 1], whenReadOnly: .unnoticed,
    zip(1..., [1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0] as [UInt64]).map { index, there in
      ok("extension \(index)", ["argument": UInt64(index)], gives: ["result": there])
    }
      + list {
        ok("extension 0", ["argument": 0], gives: ["result": 0])
        ok("a number beyond 32 bits", ["argument": 1 << 32 | 1], gives: ["result": 0])
        ok(
          "DMA_CC with an HWPT that enforces nothing", ["argument": 4], gives: ["result": 0],
          given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
        ok("TYPE1 without an IOAS", gives: ["result": 1], given: World.noCompat)
        fails("ENODEV", "DMA_CC without an IOAS", ["argument": 4], given: World.noCompat)
      })

  static let vfioSetIOMMU = RequestTable(
    "VFIO_SET_IOMMU", in: World.compat, good: ["argument": 3], whenReadOnly: .unnoticed,
    list {
      ok("type1v2 changes nothing", gives: ["result": 0]) { world, _ in
        #expect(world.fact(1, "hugepages") == 1)
      }
      ok("type1 turns large pages off", ["argument": 1]) { world, _ in
        #expect(world.fact(1, "hugepages") == 0)
      }
      ok("twice", ["argument": 1], given: { try $0.make("VFIO_SET_IOMMU", ["argument": 1]) })
      fails("EINVAL", "another type", ["argument": 2])
      fails("EINVAL", "no-IOMMU", ["argument": 8])
      fails("EINVAL", "another type, before the IOAS", ["argument": 0], given: World.noCompat)
      fails("ENODEV", "no IOAS", given: World.noCompat)
      fails(
        "EINVAL", "type1 with an HWPT and an area", ["argument": 1],
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.map()
        })
      fails("EADDRINUSE", "type1 with a misaligned area", ["argument": 1], given: { try $0.map(at: 0x800) })
    })

  static let vfioMap = RequestTable(
    "VFIO_IOMMU_MAP_DMA", in: World.compat,
    good: ["argsz": 32, "flags": 3, "vaddr": va, "iova": 0x1000000, "size": 0x2000],
    whenReadOnly: .unnoticed,
    list {
      ok("maps", gives: ["result": 0, "iova": 0x1000000]) { world, answer in
        #expect(answer.bytes == answer.sent)
        #expect(world.fact(1, "mapped") == 0x2000)
      }
      ok("a long argsz", ["argsz": 100])
      ok("no access without an HWPT", ["flags": 0])
      ok("the last byte of the space", ["iova": max64, "size": 1])
      ok("pins", given: { try $0.make("MOCK_DOMAIN", ["object": 1]) }) { world, _ in
        #expect(world.pins() == 1)
      }
      ok(
        "no access with an HWPT", ["flags": 0], on: [.v6_12],
        given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails(
        "EINVAL", "no access with an HWPT", ["flags": 0], on: [.v7_2],
        given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails("EINVAL", "a short argsz", ["argsz": 31])
      fails("EINVAL", "VADDR", ["flags": 7])
      fails("EINVAL", "an unknown flag", ["flags": 0x8000_0003])
      fails("EINVAL", "argsz, before the IOAS", ["argsz": 31], given: World.noCompat)
      fails("ENODEV", "no IOAS", given: World.noCompat)
      fails("ENODEV", "no IOAS, before size 0", ["size": 0], given: World.noCompat)
      fails("EINVAL", "size 0", ["size": 0])
      fails("EOVERFLOW", "the memory wraps", ["vaddr": max64 - 0xFFF])
      fails("EOVERFLOW", "the IOVA wraps", ["iova": max64 - 0xFFF])
      fails("EOVERFLOW", "two bytes at the last", ["iova": max64, "size": 2])
      fails("EOVERFLOW", "size 2^64-1", ["size": max64], on: [.v7_2])
      fails("EINVAL", "size 2^64-1", ["size": max64], on: [.v6_12])
      fails("EEXIST", "an area", given: { try $0.map() })
      fails("EINVAL", "a reserved range", given: { try $0.reserve(0x1001FFF, 1) })
      fails(
        "EFAULT", "no memory", ["vaddr": World.hole], given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      fails(
        "ENOMEM", "more than may be locked",
        given: {
          try $0.make("MOCK_DOMAIN", ["object": 1])
          try $0.limit(0x1000)
        })
    })

  static let vfioUnmap = RequestTable(
    "VFIO_IOMMU_UNMAP_DMA",
    in: {
      try World.compat($0)
      try $0.map()
      try $0.map(at: 0x1004000)
    }, good: ["argsz": 24, "flags": 0, "iova": 0x1000000, "size": 0x2000], whenReadOnly: .kept,
    list {
      ok("one area", gives: ["size": 0x2000]) { world, _ in #expect(world.fact(1, "mapped") == 0x2000) }
      ok("areas and gaps", ["size": 0x10000], gives: ["size": 0x4000])
      ok("nothing", ["iova": 0x2000000], gives: ["size": 0])
      ok("everything", ["flags": 2, "iova": 0, "size": 0], gives: ["size": 0x4000])
      ok(
        "everything of nothing", ["flags": 2, "iova": 0, "size": 0], gives: ["size": 0],
        given: { try $0.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64]) })
      ok(
        "type1 cuts areas", ["iova": 0x1001000, "size": 0x1000], gives: ["size": 0x1000], given: World.type1
      ) { world, _ in #expect(world.fact(1, "mapped") == 0x3000) }
      fails("EINVAL", "a short argsz", ["argsz": 23])
      fails("EINVAL", "GET_DIRTY_BITMAP", ["flags": 1])
      fails("EINVAL", "VADDR", ["flags": 4])
      fails("EINVAL", "a flag, before the IOAS", ["flags": 4], given: World.noCompat)
      fails("ENODEV", "no IOAS", given: World.noCompat)
      fails("EINVAL", "everything, and an iova", ["flags": 2, "size": 0])
      fails("EINVAL", "everything, and a size", ["flags": 2, "iova": 0])
      fails("EINVAL", "size 0", ["size": 0], gives: ["size": 0], leaves: .answer)
      fails("EOVERFLOW", "the end wraps", ["iova": max64 - 0xFFF], gives: ["size": 0], leaves: .answer)
      fails("ENOENT", "part of an area", ["size": 0x1000], gives: ["size": 0], leaves: .answer)
      fails(
        "ENOENT", "part of the second area", ["size": 0x5000], gives: ["size": 0x2000],
        leaves: [.answer, .state])
      fails(
        "EOPNOTSUPP", "type1 cuts no dma-buf", ["iova": 0x5000000, "size": 0x1000], on: [.v7_2],
        given: {
          try World.type1($0)
          try $0.openFiles()
          try $0.make(
            "IOAS_MAP_FILE", ["flags": 7, "ioas_id": 1, "fd": 5, "length": 0x2000, "iova": 0x5000000])
        })
      fails("EINVAL", "type1 cuts at no odd place", ["size": 0x801], given: World.type1)
      fails(
        "EINVAL", "type1 cuts nothing that an access pins", ["size": 0x1000],
        given: {
          try World.type1($0)
          let fd = try $0.make("CREATE_ACCESS", ["object": 1, "flags": 1])["out_access_fd"]
          try $0.make("ACCESS_PAGES", ["object": fd, "iova": 0x1000000, "length": 0x1000])
        })
    })

  static let vfioInfo = RequestTable(
    "VFIO_IOMMU_GET_INFO", in: World.compat, good: ["argsz": 24], whenReadOnly: .undone,
    list {
      ok(
        "of an IOAS without an HWPT",
        gives: ["argsz": 72, "flags": 3, "iova_pgsizes": 0xFFFF_FFFF_FFFF_F000, "cap_offset": 0])
      ok(
        "of the mock", gives: ["iova_pgsizes": 0x1F_FFFF_F000], on: [.v7_2],
        given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      ok(
        "of the mock", gives: ["iova_pgsizes": 0x1000], on: [.v6_12],
        given: { try $0.make("MOCK_DOMAIN", ["object": 1]) })
      ok(
        "of a mock with huge pages", gives: ["iova_pgsizes": 0x101000], on: [.v6_12],
        given: { try $0.make("MOCK_DOMAIN_FLAGS", ["object": 1, "dev_flags": 2]) })
      ok(
        "argsz grows with the ranges", gives: ["argsz": 88], given: { try $0.reserve(0x1000, 0x1000) })
      ok(
        "a short argsz takes 16 bytes", ["argsz": 16, "cap_offset": 0x55],
        gives: ["argsz": 72, "cap_offset": 0x55])
      fails("EINVAL", "argsz below 16", ["argsz": 15])
      fails("EINVAL", "argsz, before the IOAS", ["argsz": 15], given: World.noCompat)
      fails("ENODEV", "no IOAS", given: World.noCompat)
    })
}

extension World {
  /// IOAS 1, which VFIO acts on.
  static let compat: Step = {
    try ioas($0)
    try $0.make("VFIO_IOAS", ["op": 1, "ioas_id": 1])
  }

  fileprivate static let noCompat: Step = { try $0.make("VFIO_IOAS", ["op": 2]) }

  fileprivate static let type1: Step = {
    try $0.make("OPTION", ["option_id": 1, "op": 0, "object_id": 1, "val64": 0])
  }
}

/// What no table of fields can say: the capability chain, and unreadable structs.
@Suite("VFIO type1")
struct VFIOTests {
  @Test(arguments: Personality.allCases)
  func theCapabilityChain(_ kernel: Personality) throws {
    let world = try World(kernel)
    try World.compat(world)
    try world.words(72)
    try #expect(world.target.ioctl(world.caller.fd, 0x3B70, World.data) == 0)
    let words = try (0..<18).map { try world.word($0 * 4) }
    #expect(
      words == [
        72, 3, 0xFFFF_F000, 0xFFFF_FFFF, 24, 0,
        3 | 1 << 16, 40, 0xFFFF_FFFF, 0,
        1 | 1 << 16, 0, 1, 0, 0, 0, 0xFFFF_FFFF, 0xFFFF_FFFF,
      ])
  }

  @Test(arguments: Personality.allCases)
  func aShortBufferTakesWhatFits(_ kernel: Personality) throws {
    let world = try World(kernel)
    try World.compat(world)
    for (size, chain) in [(36, [0x10003, 0, 0xFFFF_FFFF, 0, 0]), (40, [0x10003, 40, 0xFFFF_FFFF, 0, 0])]
      as [(UInt32, [UInt32])]
    {
      for offset in 0..<10 { try world.longs(0, at: UInt64(offset) * 8) }
      try world.words(size)
      try #expect(world.target.ioctl(world.caller.fd, 0x3B70, World.data) == 0)
      try #expect(world.word(0) == 72)
      try #expect(world.word(16) == 0)
      try #expect((6..<11).map { try world.word($0 * 4) } == chain)
    }
  }

  @Test(arguments: Personality.allCases)
  func theStructMustBeReadable(_ kernel: Personality) throws {
    let world = try World(kernel)
    try World.compat(world)
    let end = World.data + 0x10000
    for (request, least) in [(UInt32(0x3B70), UInt64(16)), (0x3B71, 32), (0x3B72, 24)] {
      #expect(throws: Errno.EFAULT) { try world.target.ioctl(world.caller.fd, request, 0) }
      #expect(throws: Errno.EFAULT) { try world.target.ioctl(world.caller.fd, request, end - least + 1) }
    }
    #expect(throws: Errno.ENOTTY) { try world.target.ioctl(world.caller.fd, 0x3B75, 0) }
    #expect(throws: Errno.ENOTTY) { try world.target.ioctl(world.caller.fd, 0x3B73, 0) }
  }
}
