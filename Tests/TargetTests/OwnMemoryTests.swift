// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import UAPI

@testable import KernelTarget

/// The real memory of this process, touched as a script may touch it.
struct OwnMemoryTests {
  private static let page: UInt64 = 4096
  private static let readWrite: MapMode = [.read, .write]

  @Test func bytesGoInAndComeBack() throws {
    let memory = try OwnMemory()
    let start = try memory.allocate(length: 5 * Self.page, at: nil, mode: Self.readWrite, huge: false)
    let bytes = (0..<(4 * Int(Self.page))).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try memory.write(bytes, at: start + 100)
    #expect(try memory.bytes(at: start + 100, count: bytes.count) == bytes)
  }

  @Test func whatCannotBeReachedIsAShortCount() throws {
    let memory = try OwnMemory()
    let start = try memory.allocate(length: 2 * Self.page, at: nil, mode: Self.readWrite, huge: false)
    try memory.unmap(start + Self.page, length: Self.page)
    var buffer = [UInt8](repeating: 0, count: 64)
    #expect(buffer.withUnsafeMutableBytes { memory.copyIn(start + Self.page - 16, into: $0) } == 16)
    #expect(buffer.withUnsafeBytes { memory.copyOut(start + Self.page - 16, from: $0) } == 16)
    for address in [0, 1, Self.page, 1 << 47, 1 << 63, UInt64.max - 7, UInt64.max] {
      #expect(buffer.withUnsafeMutableBytes { memory.copyIn(address, into: $0) } == 0)
      #expect(buffer.withUnsafeBytes { memory.copyOut(address, from: $0) } == 0)
    }
    // And nothing of it is left in between.
    try memory.write([1, 2, 3], at: start)
    #expect(try memory.bytes(at: start, count: 3) == [1, 2, 3])
  }

  @Test func protectionCounts() throws {
    let memory = try OwnMemory()
    let start = try memory.allocate(length: Self.page, at: nil, mode: Self.readWrite, huge: false)
    try memory.write([7], at: start)
    try memory.protect(start, length: Self.page, mode: .read)
    #expect(throws: Errno.EFAULT) { try memory.write([8], at: start) }
    #expect(try memory.bytes(at: start, count: 1) == [7])
    try memory.protect(start, length: Self.page, mode: [])
    #expect(throws: Errno.EFAULT) { try memory.bytes(at: start, count: 1) }
  }

  @Test func theRunnersMemoryIsNotTheScripts() throws {
    let memory = try OwnMemory()
    let mine = UnsafeMutablePointer<UInt64>.allocate(capacity: 1024)
    defer { mine.deallocate() }
    mine.initialize(repeating: 42, count: 1024)
    let address = UInt64(UInt(bitPattern: mine))
    #expect(try memory.load(UInt64.self, at: address) == 42)
    #expect(throws: Errno.EFAULT) { try memory.store(UInt64(1), at: address) }
    let here = address & ~(Self.page - 1)
    #expect(throws: Errno.ENOMEM) {
      try memory.allocate(length: Self.page, at: here, mode: Self.readWrite, huge: false)
    }
    #expect(throws: Errno.ENOMEM) { try memory.protect(here, length: Self.page, mode: []) }
    try memory.unmap(here, length: Self.page)
    #expect(mine.pointee == 42)
  }

  @Test func aFixedAddressReplacesWhatTheScriptHadThere() throws {
    let memory = try OwnMemory()
    let start = try memory.allocate(length: 3 * Self.page, at: nil, mode: Self.readWrite, huge: false)
    try memory.write([1], at: start + Self.page)
    let again = try memory.allocate(
      length: Self.page, at: start + Self.page, mode: Self.readWrite, huge: false)
    #expect(again == start + Self.page)
    #expect(try memory.bytes(at: again, count: 1) == [0])
    #expect(throws: Errno.EINVAL) {
      try memory.allocate(length: Self.page, at: start + 1, mode: Self.readWrite, huge: false)
    }
    #expect(throws: Errno.ENOMEM) {
      try memory.allocate(
        length: 1 << 46, at: UInt64.max - Self.page + 1, mode: Self.readWrite, huge: false)
    }
  }

  @Test func aFileIsSeenThroughAllItsMappings() throws {
    let memory = try OwnMemory()
    var made: [Int32] = []
    memory.made = { made.append($0) }
    let fd = try memory.createMemFD(length: 2 * Self.page, huge: false)
    #expect(made == [fd])
    let mode: MapMode = [.read, .write, .shared]
    let (a, b) = (
      try memory.map(fd, at: nil, length: 2 * Self.page, offset: 0, mode: mode),
      try memory.map(fd, at: nil, length: Self.page, offset: Self.page, mode: mode)
    )
    try memory.write([9, 8], at: a + Self.page)
    #expect(try memory.bytes(at: b, count: 2) == [9, 8])
    // Beyond the end of the file there is a mapping, and nothing behind it.
    try memory.truncate(fd, length: Self.page)
    #expect(throws: Errno.EFAULT) { try memory.bytes(at: b, count: 1) }
    #expect(throws: Errno.EINVAL) { try memory.truncate(fd, length: 1 << 63) }
  }

  /// Against a slow set of single addresses.
  @Test func rangesAreSets() {
    var state: UInt64 = 1
    func next(_ count: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % count
    }
    var ranges = AddressRanges()
    var slow: Set<UInt64> = []
    for _ in 0..<2000 {
      let first = next(60)
      let range = first...(first + next(12))
      if next(2) == 0 {
        ranges.insert(range)
        slow.formUnion(range)
      } else {
        ranges.remove(range)
        slow.subtract(range)
      }
      #expect(ranges.ranges.flatMap { Array($0) } == slow.sorted())
      #expect(zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
      #expect(ranges.contains(range) == slow.isSuperset(of: range))
    }
    // The top address exists.
    ranges.insert((UInt64.max - 1)...UInt64.max)
    #expect(ranges.contains(UInt64.max...UInt64.max))
  }
}
