// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

// MAP, MAP_FILE and COPY. Reference uapi.md sections 2.5 to 2.7.

private let max64 = UInt64.max
private let va = World.va

/// Which places an IOAS that has no HWPT refuses; `iova` is the name of the field that says where.
private func placement(_ iova: String = "iova") -> [RequestCase] {
  list {
    fails("EINVAL", "fixed and misaligned", [iova: 0x1000800], given: { try $0.alignToPages() })
    fails(
      "EINVAL", "misaligned, before the wrap", [iova: max64 - 0x7FF], given: { try $0.alignToPages() })
    fails("EOVERFLOW", "fixed and the end wraps", [iova: max64 - 0xFFF])
    fails(
      "EOVERFLOW", "the wrap, before a reserved range", [iova: max64 - 0xFFF],
      given: { try $0.reserve(max64 - 0xFFF, 0x1000, ioas: $0.destination) })
    fails("EINVAL", "a reserved range", [iova: 0x1000000], given: { try $0.reserveLast(0x1001000) })
    fails("EEXIST", "an area", [iova: 0x1001000], given: { try $0.occupy() })
    fails(
      "EINVAL", "a reserved range, before an area", [iova: 0x1001000],
      given: {
        try $0.occupy()
        try $0.reserveLast(0x1002000)
      })
    fails(
      "EINVAL", "the length, before an area", [iova: 0x1001000, "length": 0x1801],
      given: {
        try $0.occupy()
        try $0.alignToPages()
      })
    fails(
      "ENOSPC", "no allowed range is long enough", ["flags": 6],
      given: {
        try $0.longs(0x8000, 0x8FFF, at: 0x8000)
        try $0.make(
          "IOAS_ALLOW_IOVAS",
          ["ioas_id": $0.destination, "num_iovas": 1, "allowed_iovas": World.data + 0x8000])
      })
  }
}

extension RequestTable {
  static let ioasMap = RequestTable(
    "IOAS_MAP", in: World.ioas,
    good: ["flags": 7, "ioas_id": 1, "user_va": va, "length": 0x2000, "iova": 0x1000000], whenReadOnly: .kept,
    list {
      ok("at a fixed IOVA", gives: ["iova": 0x1000000]) { world, _ in
        #expect(world.fact(1, "mapped") == 0x2000)
        #expect(world.pins() == 0)
      }
      ok("where there is room", ["flags": 6], gives: ["iova": 0x2000])
      ok("one byte", ["length": 1, "user_va": va + 5, "flags": 4, "iova": 0], gives: ["iova": 0x1005])
      ok("at 0", ["iova": 0], gives: ["iova": 0])
      ok("the last page of the space", ["iova": max64 - 0xFFF, "length": 0x1000])
      ok("readable only", ["flags": 5])
      ok("writeable only", ["flags": 3])
      ok("bad memory without an HWPT", ["user_va": World.hole])
      ok("fixed outside the allowed list", given: { try $0.allow(0x8000, 0x8FFF) })
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 0xF])
      fails("EOPNOTSUPP", "the selftest's flag", ["flags": 0x10007])
      fails("EOPNOTSUPP", "reserved", ["__reserved": 1])
      fails("EOPNOTSUPP", "a flag, before the overflow", ["flags": 0xF, "iova": max64])
      fails("EOPNOTSUPP", "reserved, before the overflow", ["__reserved": 1, "length": max64])
      fails("EOVERFLOW", "iova 2^64-1", ["iova": max64])
      fails("EOVERFLOW", "iova 2^64-1 that is not asked for", ["flags": 6, "iova": max64])
      fails("EOVERFLOW", "length 2^64-1", ["length": max64])
      fails("EOVERFLOW", "before the missing access", ["flags": 1, "iova": max64])
      fails("EINVAL", "neither readable nor writeable", ["flags": 1])
      fails("EINVAL", "no access, before the lookup", ["flags": 1, "ioas_id": 9])
      fails("ENOENT", "no object", ["ioas_id": 9])
      fails("ENOENT", "no object, before length 0", ["ioas_id": 9, "length": 0])
      fails("ENOENT", "a fault queue", ["ioas_id": 2], given: { try $0.make("FAULT_QUEUE_ALLOC") })
      fails("EINVAL", "length 0", ["length": 0])
      fails("EOVERFLOW", "the memory wraps", ["user_va": max64 - 0xFFF])
      fails("EINVAL", "a length near 2^64", ["user_va": 0, "length": max64 - 1])
      fails("EOVERFLOW", "a length of half the space, anywhere", ["flags": 6, "length": 1 << 63])
      fails("EOVERFLOW", "a length near 2^64 that wraps", ["length": max64 - 1], on: [.v7_2])
      fails("EINVAL", "a length near 2^64 that wraps", ["length": max64 - 1], on: [.v6_12])
      fails("EOVERFLOW", "the memory, before the place", ["user_va": max64 - 0xFFF, "iova": max64 - 1])
      fails("EINVAL", "the memory's offset", ["user_va": va + 0x800], given: { try $0.alignToPages() })
      fails(
        "EEXIST", "an area, before the memory's offset", ["user_va": va + 0x800],
        given: {
          try $0.occupy()
          try $0.alignToPages()
        })
      fails(
        "EINVAL", "no place keeps the alignment", ["flags": 6, "user_va": va + 0x800],
        given: { try $0.alignToPages() })
    } + placement())

  static let ioasMapPinned = RequestTable(
    "IOAS_MAP", "with an HWPT", in: World.mock,
    good: ["flags": 7, "ioas_id": 1, "user_va": va, "length": 0x2000, "iova": 0x1000000], whenReadOnly: .kept,
    list {
      ok("pins and maps", gives: ["iova": 0x1000000]) { world, _ in
        #expect(world.pins() == 1)
        #expect(world.pins(va + 0x1000) == 1)
        #expect(
          world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x1001800)
            == world.bench.physicalAddress(at: va + 0x1800))
      }
      ok("where there is room", ["flags": 6], gives: ["iova": 0x1000000])
      ok("memory that can be read only", ["flags": 5, "user_va": World.readOnly])
      ok("the mock's half pages", ["user_va": va + 0x800, "length": 0x800, "iova": 0x1000800])
      fails("EINVAL", "a length the mock cannot map", ["length": 0x1001])
      fails("EINVAL", "an IOVA the mock cannot map", ["iova": 0x1000400])
      fails("EINVAL", "outside the aperture", ["iova": 0x8000_0000])
      fails("EINVAL", "across the aperture's end", ["iova": 0x7FFF_F000])
      fails("ENOSPC", "too long for the aperture", ["flags": 6, "length": 0x8000_0000])
      fails("EFAULT", "no memory", ["user_va": World.hole])
      fails("EFAULT", "memory with a hole at the end", ["user_va": va + World.vaLength - 0x1000])
      fails("EFAULT", "writeable of memory that can be read only", ["user_va": World.readOnly])
      fails("EINVAL", "the offset, before the memory", ["user_va": World.hole + 1])
      fails("EEXIST", "an area, before the memory", ["user_va": World.hole], given: { try $0.map() })
      fails("ENOMEM", "more than may be locked", given: { try $0.limit(0x1000) })
      ok("as much as may be locked", given: { try $0.limit(0x2000) })
    })

  static let mapFile = RequestTable(
    "IOAS_MAP_FILE", in: World.files,
    good: ["flags": 7, "ioas_id": 1, "fd": 4, "start": 0, "length": 0x2000, "iova": 0x1000000],
    whenReadOnly: .kept,
    list {
      ok("a memfd at a fixed IOVA", gives: ["iova": 0x1000000])
      ok("where there is room", ["flags": 6], gives: ["iova": 0x2000])
      ok("placed by the offset in the file", ["flags": 6, "start": 0x1000], gives: ["iova": 0x1000])
      ok("any file without an HWPT", ["fd": 3])
      ok("past the end without an HWPT", ["start": 0x10000])
      ok("a dma-buf", ["fd": 5]) { world, _ in
        #expect(world.ask("IOAS_UNMAP", ["ioas_id": 1, "length": max64])["length"] == 0x2000)
      }
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 0xF])
      fails("EOPNOTSUPP", "a flag, before the overflow", ["flags": 0xF, "iova": max64])
      fails("EOVERFLOW", "iova 2^64-1", ["iova": max64])
      fails("EOVERFLOW", "length 2^64-1", ["length": max64])
      fails("EOVERFLOW", "before the missing access", ["flags": 1, "iova": max64])
      fails("EINVAL", "neither readable nor writeable", ["flags": 1])
      fails("EINVAL", "no access, before the lookup", ["flags": 1, "ioas_id": 9])
      fails("ENOENT", "no object", ["ioas_id": 9])
      fails("ENOENT", "no object, before length 0", ["ioas_id": 9, "length": 0])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "length 0, before the descriptor", ["length": 0, "fd": 99])
      fails("EOVERFLOW", "the range wraps", ["start": max64 - 0xFFF])
      fails("EOVERFLOW", "the wrap, before the descriptor", ["start": max64 - 0xFFF, "fd": 99])
      fails("EBADF", "no descriptor", ["fd": 99])
      fails("EBADF", "descriptor -1", ["fd": 0xFFFF_FFFF])
      fails("EBADF", "no descriptor, before the place", ["fd": 99], given: { try $0.occupy() })
      fails("EBADF", "no descriptor, before a length near 2^64", ["fd": 99, "length": max64 - 1])
      fails("EINVAL", "a length near 2^64", ["length": max64 - 1])
      fails("EOVERFLOW", "a length of half the space, anywhere", ["flags": 6, "length": 1 << 63])
      fails("EINVAL", "past the end of a dma-buf", ["fd": 5, "start": 0x3000])
      fails("ENODEV", "a revoked dma-buf", ["fd": 5], given: { try $0.revoke() })
      fails(
        "ENODEV", "a revoked dma-buf, before the place", ["fd": 5],
        given: {
          try $0.occupy()
          try $0.revoke()
        })
      fails("EINVAL", "the offset in the file", ["start": 0x800], given: { try $0.alignToPages() })
    } + placement())

  static let mapFilePinned = RequestTable(
    "IOAS_MAP_FILE", "with an HWPT",
    in: {
      try World.mock($0)
      try $0.openFiles()
    },
    good: ["flags": 7, "ioas_id": 1, "fd": 4, "start": 0, "length": 0x2000, "iova": 0x1000000],
    whenReadOnly: .kept,
    list {
      ok("pins what a mapping of the file has") { world, _ in
        let mapping = try world.target.mmap(4, length: 0x4000, offset: 0, flags: [.read, .write, .shared])
        #expect(world.pins(mapping) == 1)
        #expect(world.pins(mapping + 0x2000) == 0)
        #expect(
          world.ask("MD_CHECK_MAP", ["object": 4, "iova": 0x1000000, "length": 0x2000, "uptr": mapping]).name
            == "ok")
      }
      ok("a dma-buf, which is not pinned", ["fd": 5]) { world, _ in
        #expect(world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x1001000) != nil)
        try world.revoke()
        #expect(world.bench.translate(world.caller.fd, hwpt: 4, iova: 0x1001000) == nil)
        #expect(world.fact(1, "mapped") == 0x2000)
      }
      fails("EINVAL", "a file that is no memfd", ["fd": 3])
      fails("EINVAL", "past the end", ["start": 0x4000])
      fails("EINVAL", "across the end", ["start": 0x3000])
      fails("ENOMEM", "more than may be locked", given: { try $0.limit(0x1000) })
      ok("a dma-buf, which is not charged", ["fd": 5], given: { try $0.limit(0) })
      fails(
        "ENOSPC", "no room in the aperture", ["flags": 6], given: { try $0.reserve(0x1000000, 0x7F00_0000) })
      fails("EEXIST", "an area", given: { try $0.map() })
    })

  static let copy = RequestTable(
    "IOAS_COPY", in: World.twoIOASes,
    good: [
      "flags": 7, "dst_ioas_id": 2, "src_ioas_id": 1, "length": 0x2000, "dst_iova": 0x1000000,
      "src_iova": 0x5000000,
    ], whenReadOnly: .kept,
    list {
      ok("at a fixed IOVA", gives: ["dst_iova": 0x1000000]) { world, _ in
        #expect(world.fact(2, "mapped") == 0x2000)
      }
      ok("where there is room", ["flags": 6, "length": 0x1000], gives: ["dst_iova": 0x1000])
      ok("part of an area", ["src_iova": 0x5000800, "length": 0x400], gives: ["dst_iova": 0x1000000])
      ok("two areas make two", ["length": 0x4000]) { world, _ in
        #expect(world.bench.state(of: world.caller.fd, object: 2)?["areas"]?["count"]?.number == 2)
      }
      ok("into the same IOAS", ["dst_ioas_id": 1])
      ok("the copy outlives the original") { world, _ in
        try world.make("IOAS_UNMAP", ["ioas_id": 1, "length": max64])
        try world.make("MOCK_DOMAIN", ["object": 2])
        #expect(world.pins() == 1)
      }
      ok("read-only of an area that is not", ["flags": 5])
      ok("{area, offset} of the selftest", ["flags": 0x10007, "src_iova": 0x1000 << 32, "length": 0x1000])
      fails("EOPNOTSUPP", "an unknown flag", ["flags": 0xF])
      fails("ENOENT", "the selftest's flag goes even without an IOAS", ["flags": 0x10007, "src_ioas_id": 9])
      fails("EOPNOTSUPP", "a flag, before the overflow", ["flags": 0xF, "src_iova": max64])
      fails("EOVERFLOW", "length 2^64-1", ["length": max64])
      fails("EOVERFLOW", "src_iova 2^64-1", ["src_iova": max64])
      fails("EOVERFLOW", "dst_iova 2^64-1", ["dst_iova": max64])
      fails("EOVERFLOW", "before the missing access", ["flags": 1, "length": max64])
      fails("EINVAL", "neither readable nor writeable", ["flags": 1])
      fails("EINVAL", "no access, before the lookups", ["flags": 1, "src_ioas_id": 9, "dst_ioas_id": 9])
      fails("ENOENT", "no source", ["src_ioas_id": 9])
      fails("ENOENT", "no source, before length 0", ["src_ioas_id": 9, "length": 0])
      fails("EINVAL", "length 0", ["length": 0])
      fails("EINVAL", "length 0, before the destination", ["length": 0, "dst_ioas_id": 9])
      fails("EOVERFLOW", "the source wraps", ["src_iova": max64 - 0xFFF])
      fails("EOVERFLOW", "the wrap, before the destination", ["src_iova": max64 - 0xFFF, "dst_ioas_id": 9])
      fails("ENOENT", "nothing at the source", ["src_iova": 0x6000000])
      fails("ENOENT", "a gap in the source", ["length": 0x4001])
      fails("ENOENT", "no destination", ["dst_ioas_id": 9])
      fails(
        "EPERM", "writeable of memory mapped read-only",
        ["src_iova": 0x5010000], given: { try $0.map(at: 0x5010000, flags: 5) })
      fails(
        "EEXIST", "an area, before EPERM", ["src_iova": 0x5010000],
        given: {
          try $0.map(at: 0x5010000, flags: 5)
          try $0.occupy()
        })
      fails(
        "EINVAL", "the source's offset", ["src_iova": 0x5000800, "length": 0x1000],
        given: { try $0.alignToPages() })
    } + placement("dst_iova"))

  static let copyPinned = RequestTable(
    "IOAS_COPY", "with an HWPT",
    in: {
      try World.mapped($0)
      try $0.make("IOAS_ALLOC")
      try $0.make("MOCK_DOMAIN", ["object": 5])
    },
    good: [
      "flags": 7, "dst_ioas_id": 5, "src_ioas_id": 1, "length": 0x2000, "dst_iova": 0x2000000,
      "src_iova": 0x1000000,
    ], whenReadOnly: .kept,
    list {
      ok("shares the pin") { world, _ in
        #expect(world.pins() == 1)
        #expect(
          world.bench.translate(world.caller.fd, hwpt: 8, iova: 0x2000800)
            == world.bench.physicalAddress(at: va + 0x800))
      }
      ok("costs nothing more", given: { try $0.limit(0) })
      fails("EINVAL", "a length the mock cannot map", ["length": 0x1001])
      fails("EINVAL", "outside the aperture", ["dst_iova": 0])
      fails(
        "EINVAL", "slices that the mock cannot map one by one",
        ["src_ioas_id": 9, "src_iova": 0x1002000, "length": 0x1000],
        given: {
          try $0.make("IOAS_ALLOC")
          try $0.map(9, at: 0x1002000, 0x401)
          try $0.map(9, at: 0x1002401, 0xBFF, from: va + 0x401)
        })
      fails(
        "EFAULT", "memory that nobody has pinned yet", ["src_ioas_id": 9],
        given: {
          try $0.make("IOAS_ALLOC")
          try $0.map(9, from: World.hole)
        })
      fails(
        "ENOMEM", "more than may be locked", ["src_ioas_id": 9],
        given: {
          try $0.make("IOAS_ALLOC")
          try $0.limit(0x1000)
          try $0.map(9)
        })
    })
}

extension World {
  /// IOAS 1; memfd of four pages, descriptor 4; dma-buf of four pages, descriptor 5.
  static let files: Step = {
    try ioas($0)
    try $0.openFiles()
  }

  func openFiles() throws {
    let fd = try target.userSpace.createMemFD(length: 0x4000, huge: false)
    let buffer = try make("DMABUF_GET", ["length": 0x4000])
    try #require(fd == 4 && buffer.result == 5)
  }

  func revoke() throws { try make("DMABUF_REVOKE", ["dmabuf_fd": 5, "revoked": 1]) }

  /// IOAS 1 with two areas that touch, [0x5000000, +0x2000) and [0x5002000, +0x2000); IOAS 2.
  static let twoIOASes: Step = {
    try ioas($0)
    try ioas($0)
    try $0.map(at: 0x5000000)
    try $0.map(at: 0x5002000, from: World.va + 0x10000)
  }

  /// The IOAS that the map tables map into: the highest of 1 and 2.
  fileprivate var destination: UInt64 { fact(2, "alignment") == nil ? 1 : 2 }

  fileprivate func alignToPages() throws {
    try make("OPTION", ["option_id": 1, "op": 0, "object_id": destination, "val64": 0])
  }

  /// An area at [0x1000000, +0x2000).
  fileprivate func occupy() throws { try map(destination) }

  fileprivate func reserveLast(_ first: UInt64) throws { try reserve(first, 1, ioas: destination) }
}
