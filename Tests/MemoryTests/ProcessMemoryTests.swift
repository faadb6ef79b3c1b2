// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing
internal import UAPI

@testable internal import Memory

@Suite struct ProcessMemoryTests {
  let physical = smallMemory()

  @Test func memoryStartsAsZerosAndIsMadeWhenTouched() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 3 * page, at: nil, mode: readWrite)
    #expect(address == ProcessMemory.addressLimit - 3 * page)
    #expect(physical.allocatedFrames == 0)
    #expect(try space.load(UInt64.self, at: address + page - 4) == 0)
    #expect(physical.allocatedFrames == 2)
    try space.store(UInt64(0x1122_3344_5566_7788), at: address + page - 4)
    #expect(try space.load(UInt32.self, at: address + page) == 0x1122_3344)
    #expect(space.checkInvariants() == [])
    space.exit()
    physical.expectEmpty()
  }

  @Test func copiesStopWhereMemoryDoes() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 2 * page, at: 0x10000, mode: readWrite)
    #expect(address == 0x10000)
    var data = [UInt8](repeating: 7, count: 3 * Int(page))
    #expect(data.withUnsafeBytes { space.copyOut(address + 10, from: $0) } == 2 * Int(page) - 10)
    #expect(data.withUnsafeMutableBytes { space.copyIn(address + 10, into: $0) } == 2 * Int(page) - 10)
    #expect(data.withUnsafeMutableBytes { space.copyIn(address - 1, into: $0) } == 0)
    for bad: UInt64 in [0, 0x7fff_ffff_f000, 1 << 47, 1 << 63, .max, .max - 7] {
      #expect(data.withUnsafeMutableBytes { space.copyIn(bad, into: $0) } == 0)
      #expect(data.withUnsafeBytes { space.copyOut(bad, from: $0) } == 0)
    }
    #expect(space.copyIn(address, into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) == 0)
    // The last page of the address space, and not a byte more.
    _ = try space.allocate(length: page, at: ProcessMemory.addressLimit - page, mode: readWrite)
    #expect(
      data.withUnsafeMutableBytes { space.copyIn(ProcessMemory.addressLimit - 5, into: $0) } == 5)
  }

  @Test func installedFramesAreThePages() throws {
    let space = ProcessMemory(physical)
    let frames: [FrameNumber] = [FrameNumber(70), FrameNumber(12), FrameNumber(71)]
    try physical.claim(frames)
    let old = try space.allocate(length: page, at: 0x11000, mode: readWrite)
    try space.store(UInt8(9), at: old)
    #expect(try space.install(frames, at: 0x10000, mode: readWrite) == 0x10000)
    #expect(physical.allocatedFrames == 3)
    #expect(space.checkInvariants() == [])
    try space.store(UInt8(5), at: 0x11000)
    #expect(frames.map(physical.firstByte) == [0, 5, 0])
    #expect(try space.pinned(0x10000, 3, writing: true) == frames)
    for frame in frames { physical.unpin(frame) }
    try space.unmap(0x11000, length: page)
    #expect(physical.allocatedFrames == 2)
    let chosen = try physical.allocateFrame()
    #expect(try space.install([chosen], mode: .read) == ProcessMemory.addressLimit - page)
    #expect(space.frame(at: ProcessMemory.addressLimit - page, writing: false) == chosen)
    #expect(
      failure { () throws(Errno) in try space.store(UInt8(1), at: ProcessMemory.addressLimit - page) }
        == .EFAULT)
    #expect(space.checkInvariants() == [])
    space.exit()
    physical.expectEmpty()
  }

  /// Whoever else holds an installed frame keeps what it has.
  @Test func anInstalledFrameThatOthersHoldIsCopiedWhenWritten() throws {
    let space = ProcessMemory(physical)
    let frame = try physical.allocateFrame()
    physical.retain(frame)
    let address = try space.install([frame], mode: readWrite)
    #expect(space.frame(at: address, writing: false) == frame)
    #expect(space.checkInvariants() == [])
    try space.store(UInt8(3), at: address)
    #expect(physical.firstByte(frame) == 0)
    #expect(physical.referenceCount(of: frame) == 1)
    space.exit()
    physical.release(frame)
    physical.expectEmpty()
  }

  /// What cannot be installed stays the caller's.
  @Test func aFailedInstallTakesNoReference() throws {
    let space = ProcessMemory(physical)
    let frame = try physical.allocateFrame()
    let huge = try physical.allocateHugePage()
    func installing(_ frames: [FrameNumber], at address: UInt64? = nil, _ mode: MapMode) -> Errno? {
      failure { () throws(Errno) in _ = try space.install(frames, at: address, mode: mode) }
    }
    #expect(installing([], readWrite) == .EINVAL)
    #expect(installing([frame], [.read, .shared]) == .EINVAL)
    #expect(installing([frame, FrameNumber(9)], readWrite) == .EINVAL)
    #expect(installing([frame, FrameNumber(.max)], readWrite) == .EINVAL)
    #expect(installing([huge], readWrite) == .EINVAL)
    #expect(installing([frame], at: 0x10, readWrite) == .EINVAL)
    #expect(installing([frame], at: ProcessMemory.addressLimit, readWrite) == .ENOMEM)
    #expect(physical.referenceCount(of: frame) == 1)
    physical.release(frame)
    for index in 0..<512 { physical.release(FrameNumber(huge.raw + UInt32(index))) }
    #expect(space.checkInvariants() == [])
    space.exit()
    #expect(installing([frame], readWrite) == .EINVAL)
    physical.expectEmpty()
  }

  @Test func protectionIsObserved() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 4 * page, at: nil, mode: readWrite)
    try space.store(UInt32(5), at: address + page)
    try space.protect(address + page, length: page, mode: .read)
    #expect(try space.load(UInt32.self, at: address + page) == 5)
    #expect(failure { () throws(Errno) in try space.store(UInt32(6), at: address + page) } == .EFAULT)
    try space.protect(address + page, length: 1, mode: [])
    #expect(failure { () throws(Errno) in _ = try space.load(UInt32.self, at: address + page) } == .EFAULT)
    try space.protect(address, length: 4 * page, mode: readWrite)
    #expect(try space.load(UInt32.self, at: address + page) == 5)
    try space.store(UInt32(6), at: address + page)
    // Written or executable memory can be read, as on x86.
    try space.protect(address, length: page, mode: .write)
    #expect(try space.load(UInt32.self, at: address) == 0)
    try space.protect(address, length: page, mode: .execute)
    #expect(try space.load(UInt32.self, at: address) == 0)
    #expect(space.checkInvariants() == [])
    #expect(
      failure { () throws(Errno) in try space.protect(address + 1, length: page, mode: .read) } == .EINVAL)
    #expect(
      failure { () throws(Errno) in try space.protect(address, length: 5 * page, mode: .read) } == .ENOMEM)
    #expect(failure { () throws(Errno) in try space.protect(0, length: page, mode: .read) } == .ENOMEM)
    #expect(failure { () throws(Errno) in try space.protect(address, length: .max, mode: .read) } == .ENOMEM)
    try space.protect(0, length: 0, mode: .read)
    // What lay below the hole has changed.
    #expect(failure { () throws(Errno) in try space.store(UInt32(6), at: address + page) } == .EFAULT)
  }

  @Test func unmappingSplits() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 5 * page, at: nil, mode: readWrite)
    for index: UInt64 in 0..<5 { try space.store(index, at: address + index * page) }
    try space.unmap(address + page, length: 1)
    try space.unmap(address + 3 * page, length: page)
    #expect(physical.allocatedFrames == 3)
    for index: UInt64 in [0, 2, 4] {
      #expect(try space.load(UInt64.self, at: address + index * page) == index)
    }
    #expect(failure { () throws(Errno) in _ = try space.load(UInt8.self, at: address + page) } == .EFAULT)
    // A hole is no error, and the gap is found again.
    try space.unmap(address + page, length: page)
    #expect(try space.allocate(length: page, at: nil, mode: .read) == address + 3 * page)
    #expect(space.checkInvariants() == [])
    for (bad, length) in [(address + 1, page), (address, 0), (1 << 47, page), (0, .max)] {
      #expect(failure { () throws(Errno) in try space.unmap(bad, length: length) } == .EINVAL)
    }
    try space.unmap(0, length: ProcessMemory.addressLimit)
    physical.expectEmpty()
  }

  @Test func placesAreChosenFromTheTop() throws {
    let space = ProcessMemory(physical)
    let top = ProcessMemory.addressLimit
    #expect(try space.allocate(length: 1, at: nil, mode: .read) == top - page)
    #expect(try space.allocate(length: page, at: nil, mode: readWrite) == top - 2 * page)
    let big = try space.allocate(length: 1 << 21, at: nil, mode: .read)
    #expect(big == 0x7fff_ffc0_0000)
    // The rest above it is still used for what fits.
    #expect(try space.allocate(length: page, at: nil, mode: readWrite) == top - 3 * page)
    #expect(
      failure { () throws(Errno) in _ = try space.allocate(length: 0, at: nil, mode: .read) } == .EINVAL)
    for length: UInt64 in [.max, 1 << 48, 1 << 47, top] {
      #expect(
        failure { () throws(Errno) in _ = try space.allocate(length: length, at: nil, mode: .read) }
          == .ENOMEM)
    }
    #expect(
      failure { () throws(Errno) in _ = try space.allocate(length: page, at: 5, mode: .read) } == .EINVAL)
    for address: UInt64 in [top, 1 << 47, .max - 4095] {
      #expect(
        failure { () throws(Errno) in _ = try space.allocate(length: page, at: address, mode: .read) }
          == .ENOMEM)
    }
    // A fixed address replaces.
    try space.store(UInt8(9), at: top - 2 * page)
    #expect(try space.allocate(length: page, at: top - 2 * page, mode: readWrite) == top - 2 * page)
    #expect(try space.load(UInt8.self, at: top - 2 * page) == 0)
    #expect(space.checkInvariants() == [])
  }

  @Test func aTerabyteIsCheap() throws {
    let space = ProcessMemory(physical)
    let clock = ContinuousClock()
    let time = try clock.measure {
      let address = try space.allocate(length: 1 << 40, at: nil, mode: readWrite)
      try space.store(UInt8(1), at: address)
      try space.store(UInt8(1), at: address + (1 << 40) - 1)
      let child = try space.fork()
      #expect(try child.load(UInt8.self, at: address) == 1)
      var leaves = 0
      child.table.forEachLeaf(0, .max) { _, _, _ in leaves += 1 }
      #expect(leaves == 2)
      child.exit()
      try space.protect(address, length: 1 << 40, mode: .read)
      try space.unmap(address, length: 1 << 40)
    }
    physical.expectEmpty()
    #expect(time < .milliseconds(500))
  }

  @Test func hugePagesAreCompound() throws {
    let space = ProcessMemory(physical)
    for mode: MapMode in [readWrite, [.read, .write, .shared]] {
      let address = try space.allocate(length: 3 << 20, at: nil, mode: mode, huge: true)
      #expect(address % Page.hugeSize == 0)
      try space.store(UInt8(3), at: address + (1 << 21) + 12345)
      #expect(physical.allocatedFrames == 512)
      let frame = try #require(space.frame(at: address + (1 << 21), writing: false))
      #expect(frame.raw % 512 == 0)
      #expect(physical.isCompound(FrameNumber(frame.raw + 3)))
      #expect(space.frame(at: address + (1 << 21) + 3 * page, writing: true)?.raw == frame.raw + 3)
      #expect(space.checkInvariants() == [])
      #expect(failure { () throws(Errno) in try space.unmap(address, length: page) } == .EINVAL)
      #expect(
        failure { () throws(Errno) in try space.protect(address + page, length: page, mode: []) } == .EINVAL)
      try space.unmap(address, length: 4 << 20)
      physical.expectEmpty()
    }
    #expect(
      failure { () throws(Errno) in
        _ = try space.allocate(length: page, at: 0x1000, mode: readWrite, huge: true)
      } == .EINVAL)
  }

  @Test func runningOutOfMemoryIsAFault() throws {
    let physical = PhysicalMemory(size: 8 * page)
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 16 * page, at: nil, mode: readWrite)
    let data = [UInt8](repeating: 1, count: 16 * Int(page))
    #expect(data.withUnsafeBytes { space.copyOut(address, from: $0) } == 7 * Int(page))
    #expect(try space.pinned(address, 16, writing: true).count == 7)
    #expect(
      failure { () throws(Errno) in _ = try space.pinned(address + 7 * page, 1, writing: true) } == .ENOMEM)
    #expect(failure { () throws(Errno) in _ = try space.fork() } == .ENOMEM)
    space.exit()
    for raw: UInt32 in 1...7 { physical.unpin(FrameNumber(raw)) }
    physical.expectEmpty()
  }

  @Test func windowsAreCountedByTheirDriver() throws {
    final class Count: @unchecked Sendable { var mappings = 1 }
    let count = Count()
    let frame = try physical.allocateFrame()
    let window = MappedWindow(
      frames: [frame], mapped: { count.mappings += 1 }, unmapped: { count.mappings -= 1 })
    let space = ProcessMemory(physical)
    let address = try space.mapWindow(window, length: 2 * page, mode: [.read, .write, .shared])
    try space.store(UInt8(4), at: address)
    #expect(physical.firstByte(frame) == 4)
    #expect(physical.referenceCount(of: frame) == 1)
    #expect(space.checkInvariants() == [])
    #expect(failure { () throws(Errno) in _ = try space.load(UInt8.self, at: address + page) } == .EFAULT)
    #expect(failure { () throws(Errno) in _ = try space.pinned(address, 1, writing: false) } == .EFAULT)
    #expect(space.frame(at: address, writing: false) == nil)
    let child = try space.fork()
    #expect(count.mappings == 2)
    #expect(try child.load(UInt8.self, at: address) == 4)
    child.exit()
    #expect(count.mappings == 1)
    try space.protect(address, length: page, mode: .read)
    #expect(count.mappings == 2)
    try space.unmap(address, length: 2 * page)
    #expect(count.mappings == 0)
    count.mappings = 1
    #expect(
      failure { () throws(Errno) in _ = try space.mapWindow(window, length: 0, mode: .read) } == .EINVAL)
    #expect(count.mappings == 0)
    physical.release(frame)
    physical.expectEmpty()
  }

  @Test func anExitedProcessHasNothing() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: page, at: nil, mode: readWrite)
    try space.store(UInt8(4), at: address)
    #expect(space.isAlive)
    space.exit()
    #expect(!space.isAlive)
    #expect(failure { () throws(Errno) in _ = try space.pinned(address, 1, writing: false) } == .EFAULT)
    #expect(
      failure { () throws(Errno) in _ = try space.allocate(length: page, at: nil, mode: .read) } == .ENOMEM)
    #expect(failure { () throws(Errno) in _ = try space.fork() } == .ENOMEM)
    space.exit()
    physical.expectEmpty()
  }

  @Test func neighboursJoin() throws {
    let space = ProcessMemory(physical)
    for _ in 0..<1000 { _ = try space.allocate(length: page, at: nil, mode: readWrite) }
    #expect(space.areas.count == 1)
    let base = space.areas[0].start
    try space.unmap(base + page, length: page)
    #expect(space.areas.count == 2)
    _ = try space.allocate(length: page, at: base + page, mode: readWrite)
    #expect(space.areas.count == 1)
    _ = try space.allocate(length: page, at: base + page, mode: [.read, .write, .shared])
    #expect(space.areas.count == 3)
    #expect(space.checkInvariants() == [])
  }

  /// Gaps are found wherever they are, against a bitmap of 200 pages below the top.
  @Test func gapsAreFound() throws {
    let space = ProcessMemory(physical)
    let top = ProcessMemory.addressLimit >> Page.shift
    var used = [Bool](repeating: false, count: 200)
    var dice = Dice(3)
    for _ in 0..<3000 {
      let count = 1 + dice.below(4)
      if dice.below(2) == 0 {
        // Pages count downwards from the top.
        let expected = (0...used.count - count).first { !used[$0..<$0 + count].contains(true) }
        guard let expected else { continue }
        let mode: MapMode = dice.below(2) == 0 ? .read : readWrite
        let address = try space.allocate(length: UInt64(count) * page, at: nil, mode: mode)
        #expect(address >> Page.shift == top - UInt64(expected + count))
        for index in expected..<expected + count { used[index] = true }
      } else {
        let first = dice.below(used.count - count)
        try space.unmap((top - UInt64(first + count)) << Page.shift, length: UInt64(count) * page)
        for index in first..<first + count { used[index] = false }
      }
    }
    #expect(space.checkInvariants() == [])
  }

  @Test func thereIsALimitOnAreas() throws {
    let space = ProcessMemory(physical)
    var made = 0
    let error = failure { () throws(Errno) in
      while made <= ProcessMemory.areaLimit {
        _ = try space.allocate(length: page, at: UInt64(1 + 2 * made) * page, mode: .read)
        made += 1
      }
    }
    #expect(error == .ENOMEM)
    #expect(made == ProcessMemory.areaLimit)
  }

  @Test func theCheckerSeesAWrongEntry() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: page, at: nil, mode: .read)
    _ = try space.load(UInt8.self, at: address)
    let number = address >> Page.shift
    let entry = space.table[number]
    space.table.set(number, PageEntry(entry.frame, PageEntry.writable | PageEntry.accessible))
    #expect(space.checkInvariants().count == 1)
    space.table.set(number, entry)
    space.table.set(5, PageEntry(entry.frame, PageEntry.special))
    #expect(space.checkInvariants() == ["page 0x5: is mapped outside of every area"])
  }
}
