// SPDX-License-Identifier: GPL-3.0-or-later
import Machine
import Testing
import UAPI

/// Where IOAS_MAP puts a mapping that names no IOVA: the golden vectors of the kernel's allocator.
@Suite("IOVA placement")
struct PlacementTests {
  static let base: UInt64 = 0x7f00_0000_0000

  struct Vector: Sendable, CustomTestStringConvertible {
    var mock = false
    var areas: [(UInt64, UInt64)] = []
    var reserved: [(UInt64, UInt64)] = []
    var allowed: [(UInt64, UInt64)] = []
    var pageAligned = false
    let address: UInt64
    let length: UInt64
    let expected: Result<UInt64, Errno>
    var testDescription: String { "0x\(String(address, radix: 16)) + 0x\(String(length, radix: 16))" }
  }

  static let everythingBut5000: [(UInt64, UInt64)] = [(0, 0x4fff), (0x5001, .max)]
  static let everythingBut5000And5001: [(UInt64, UInt64)] = [(0, 0x4fff), (0x5002, .max)]

  static let vectors: [Vector] = [
    Vector(address: base, length: 0x1000, expected: .success(0x1000)),
    Vector(address: base, length: 0x3000, expected: .success(0x4000)),
    Vector(address: base, length: 0x10000, expected: .success(0x10000)),
    Vector(address: base + 0x1000, length: 0x10000, expected: .success(0x1000)),
    Vector(address: base + 0x800, length: 0x1000, expected: .success(0x1800)),
    Vector(address: base + 0xc00, length: 0x400, expected: .success(0x1c00)),
    Vector(address: base + 5, length: 7, expected: .success(0x1005)),
    Vector(areas: [(0x1005, 7)], address: base + 5, length: 7, expected: .success(0x100d)),
    Vector(address: 0, length: 0x5000, expected: .success(0x8000)),
    Vector(address: 0, length: 0x4000_0000, expected: .success(0x200000)),
    Vector(address: base, length: 0x500000, expected: .success(0x200000)),
    Vector(address: base, length: 0x7fff_ffff_ffff_fffe, expected: .success(0x200000)),
    Vector(address: base, length: 0x7fff_ffff_ffff_ffff, expected: .failure(.EOVERFLOW)),
    Vector(pageAligned: true, address: base + 0x800, length: 0x1000, expected: .failure(.EINVAL)),
    Vector(mock: true, address: base, length: 0x1000, expected: .success(0x1000000)),
    Vector(mock: true, address: base, length: 0x200000, expected: .success(0x1000000)),
    Vector(mock: true, address: base, length: 0x7f000800, expected: .failure(.ENOSPC)),
    Vector(
      mock: true, areas: [(0x1000000, 0x1000)], address: base, length: 0x4000, expected: .success(0x1004000)),
    Vector(
      mock: true, areas: [(0x1000000, 0x1000)], address: base + 0x800, length: 0x800,
      expected: .success(0x1001800)),
    Vector(mock: true, address: base + 0x400, length: 0x800, expected: .failure(.EINVAL)),
    Vector(
      reserved: [(6, 0xffff_ffff_ffff_8006)], address: base, length: 0x5000, expected: .failure(.ENOSPC)),
    Vector(reserved: everythingBut5000, address: 1, length: 1, expected: .failure(.ENOSPC)),
    Vector(reserved: everythingBut5000And5001, address: base, length: 1, expected: .success(0x5000)),
    Vector(reserved: everythingBut5000And5001, address: 1, length: 1, expected: .failure(.ENOSPC)),
    Vector(
      reserved: [(0x4000, 0x67fff)], allowed: [(0xc8000, 0x257fff)], address: base, length: 0x8000,
      expected: .success(0xc8000)),
    Vector(
      allowed: [(0x2000, 0x2fff), (0x3000, 0x5fff)], address: base, length: 0x4000,
      expected: .failure(.ENOSPC)),
    Vector(
      mock: true, allowed: [(0x1001000, 0x1257fff)], address: base, length: 0x3000,
      expected: .success(0x1004000)),
  ]

  @Test(arguments: vectors)
  func goldenVector(_ vector: Vector) throws {
    let caller = try Caller()
    let ioas = caller.ioas()
    if vector.mock {
      _ = try caller.memory(0x400000, at: Self.base)
      #expect(caller.mock(ioas).hwpt != .max)
    }
    if vector.pageAligned {
      #expect(
        caller.request("OPTION", ["option_id": 1, "op": 0, "object_id": ioas, "val64": 0]).name == "ok")
    }
    for (first, last) in vector.reserved { #expect(caller.reserve(ioas, first, last).name == "ok") }
    if !vector.allowed.isEmpty { #expect(try caller.allow(ioas, vector.allowed).name == "ok") }
    for (first, length) in vector.areas {
      #expect(caller.map(ioas, Self.base, length, at: first).name == "ok")
    }
    let answer = caller.map(ioas, vector.address, vector.length)
    switch vector.expected {
    case .success(let iova):
      #expect(answer.name == "ok")
      #expect(answer["iova"] == iova)
    case .failure(let errno): #expect(answer.name == errno.name)
    }
    #expect(caller.bench.violations().isEmpty)
  }

  struct Sequence: Sendable {
    var mock = false
    var reserved: (UInt64, UInt64)?
    var allowed: (UInt64, UInt64)?
    let expected: [UInt64]
  }

  static let sequences: [Sequence] = [
    Sequence(
      expected: [0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x18000, 0x20000, 0x28000, 0x30000, 0x40000]),
    Sequence(
      reserved: (0x4000, 0x67fff),
      expected: [0x1000, 0x2000, 0x68000, 0x6c000, 0x70000, 0x78000, 0x80000, 0x88000, 0x90000, 0xa0000]),
    Sequence(
      mock: true,
      expected: [
        0x1000000, 0x1002000, 0x1004000, 0x1008000, 0x1010000, 0x1018000, 0x1020000, 0x1028000, 0x1030000,
        0x1040000,
      ]),
    Sequence(
      allowed: (0xc8000, 0x257fff),
      expected: [
        0xc8000, 0xca000, 0xcc000, 0xd0000, 0xd8000, 0xe0000, 0xe8000, 0xf0000, 0x100000, 0x110000,
      ]),
  ]

  @Test(arguments: sequences)
  func tenMapsOfOneToTenPages(_ sequence: Sequence) throws {
    let caller = try Caller()
    let ioas = caller.ioas()
    _ = try caller.memory(0x10000, at: Self.base)
    if sequence.mock { _ = caller.mock(ioas) }
    if let range = sequence.reserved { _ = caller.reserve(ioas, range.0, range.1) }
    if let range = sequence.allowed { _ = try caller.allow(ioas, [range]) }
    let got = (1...10).map { caller.map(ioas, Self.base, UInt64($0) * 4096)["iova"] }
    #expect(got == sequence.expected)
  }
}
