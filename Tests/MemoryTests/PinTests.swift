// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing
internal import UAPI

@testable internal import Memory

@Suite struct PinTests {
  let physical = smallMemory()

  @Test func pinsCountExactly() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 4 * page, at: nil, mode: readWrite)
    let once = try space.pinned(address, 4, writing: true)
    let twice = try space.pinned(address + page, 2, writing: false)
    #expect(once.map(\.raw) == [1, 2, 3, 4])
    #expect(twice == Array(once[1...2]))
    #expect(once.map { physical.pinCount(of: $0) } == [1, 2, 2, 1])
    #expect(once.map { physical.referenceCount(of: $0) } == [1, 1, 1, 1])
    #expect(physical.pinTotals == (4, 6))
    space.exit()
    #expect(physical.allocatedFrames == 4)
    physical.unpinRun(once[0], count: 4, markingDirty: true)
    #expect(physical.allocatedFrames == 2)
    #expect(physical.isDirty(once[1]))
    physical.unpinRun(twice[0], count: 2, markingDirty: false)
    physical.expectEmpty()
  }

  @Test func pinsStopAtTheFirstBadPage() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 6 * page, at: nil, mode: readWrite)
    try space.unmap(address + 3 * page, length: page)
    try space.protect(address + 5 * page, length: page, mode: .read)
    let low = try space.pinned(address, 6, writing: true)
    #expect(low.count == 3)
    #expect(
      failure { () throws(Errno) in _ = try space.pinned(address + 3 * page, 2, writing: true) } == .EFAULT)
    let high = try space.pinned(address + 4 * page, 2, writing: true)
    #expect(high.count == 1)
    let last = try space.pinned(address + 4 * page, 9, writing: false)
    #expect(last.count == 2)
    try space.protect(address, length: page, mode: [])
    #expect(failure { () throws(Errno) in _ = try space.pinned(address, 1, writing: false) } == .EFAULT)
    #expect(failure { () throws(Errno) in _ = try space.pinned(address + 1, 1, writing: false) } == .EINVAL)
    #expect(
      failure { () throws(Errno) in _ = try space.pinned(.max & ~Page.mask, 2, writing: false) } == .EFAULT)
    #expect(try space.pinned(address, 0, writing: false) == [])
    for frame in low + high + last { physical.unpin(frame) }
    #expect(physical.pinTotals.pins == 0)
  }

  @Test func privateReadOnlyMemoryPinsToRead() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: page, at: nil, mode: .read)
    #expect(failure { () throws(Errno) in _ = try space.pinned(address, 1, writing: true) } == .EFAULT)
    let frames = try space.pinned(address, 1, writing: false)
    #expect(frames.count == 1)
    // Made writable later, it is still the same page.
    try space.protect(address, length: page, mode: readWrite)
    try space.store(UInt8(5), at: address)
    #expect(physical.firstByte(frames[0]) == 5)
    physical.unpin(frames[0])
  }

  /// A private mapping of a file gives the process its own page before it is pinned, even to read.
  @Test(arguments: [true, false]) func readingUnshares(ordinary: Bool) throws {
    let file: CachedFile =
      ordinary ? try OrdinaryFile(physical, size: 2 * page) : try MemoryFile(physical, size: 2 * page)
    let space = ProcessMemory(physical)
    let shared = try space.mapFile(file, length: 2 * page, mode: [.read, .write, .shared])
    let own = try space.mapFile(file, offset: page, length: page, mode: readWrite)
    try space.store(UInt8(1), at: shared + page)
    #expect(try space.load(UInt8.self, at: own) == 1)
    #expect(space.frame(at: own, writing: false) == space.frame(at: shared + page, writing: false))
    let frame = try space.pinned(own, 1, writing: false)[0]
    #expect(space.frame(at: own, writing: false) == frame)
    #expect(space.frame(at: shared + page, writing: false) != frame)
    #expect(physical.firstByte(frame) == 1)
    try space.store(UInt8(2), at: own)
    #expect(physical.firstByte(frame) == 2)
    #expect(space.frame(at: own, writing: true) == frame)
    #expect(try space.load(UInt8.self, at: shared + page) == 1)
    #expect(space.checkInvariants() == [])
    physical.unpin(frame)
    space.exit()
    file.releaseFile()
    physical.expectEmpty()
  }

  @Test func sharedMappingsPinTheFilesPage() throws {
    let memory = try MemoryFile(physical, size: 2 * page)
    let ordinary = try OrdinaryFile(physical, size: 2 * page)
    let space = ProcessMemory(physical)
    let a = try space.mapFile(memory, length: 2 * page, mode: [.read, .write, .shared])
    let b = try space.mapFile(memory, length: 2 * page, mode: [.read, .shared])
    let frames = try space.pinned(a, 2, writing: true)
    #expect(try space.pinned(b, 2, writing: false) == frames)
    #expect(failure { () throws(Errno) in _ = try space.pinned(b, 2, writing: true) } == .EFAULT)
    #expect(try memory.pinned(0, 2) == frames)
    #expect(physical.pinCount(of: frames[0]) == 3)

    let c = try space.mapFile(ordinary, length: 2 * page, mode: [.read, .write, .shared])
    try space.store(UInt8(1), at: c)
    #expect(failure { () throws(Errno) in _ = try space.pinned(c, 1, writing: true) } == .EFAULT)
    let readOnly = try space.pinned(c, 1, writing: false)
    #expect(readOnly == [space.frame(at: c, writing: true)])
    let d = try space.mapFile(ordinary, length: 2 * page, mode: readWrite)
    let copied = try space.pinned(d, 1, writing: true)
    #expect(copied != readOnly)
    #expect(physical.firstByte(copied[0]) == 1)

    for frame in frames + frames + frames + readOnly + copied { physical.unpin(frame) }
    space.exit()
    memory.releaseFile()
    ordinary.releaseFile()
    physical.expectEmpty()
  }

  @Test func pinsSpanAreas() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 3 * page, at: 0x20000, mode: readWrite)
    _ = try space.allocate(length: page, at: 0x21000, mode: [.read, .write, .shared])
    #expect(space.areas.count == 3)
    let frames = try space.pinned(address, 3, writing: true)
    #expect(frames.count == 3)
    for frame in frames { physical.unpin(frame) }
  }

  @Test func hugePagesPinPageByPage() throws {
    let space = ProcessMemory(physical)
    let address = try space.allocate(length: 2 << 21, at: nil, mode: readWrite, huge: true)
    let frames = try space.pinned(address + page, 1000, writing: true)
    #expect(frames.count == 1000)
    #expect(zip(frames, frames.dropFirst()).allSatisfy { $1.raw == $0.raw + 1 })
    try space.unmap(address, length: 2 << 21)
    #expect(physical.allocatedFrames == 1000)
    physical.unpinRun(frames[0], count: 1000, markingDirty: false)
    physical.expectEmpty()
  }
}

@Suite struct ForkTests {
  let physical = smallMemory()

  @Test func privateMemoryIsCopiedOnWrite() throws {
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: 2 * page, at: nil, mode: readWrite)
    try parent.store(UInt8(1), at: address)
    try parent.store(UInt8(1), at: address + page)
    let child = try parent.fork()
    #expect(physical.allocatedFrames == 2)
    #expect(child.frame(at: address, writing: false) == parent.frame(at: address, writing: false))
    try parent.store(UInt8(2), at: address)
    try child.store(UInt8(3), at: address + page)
    #expect(physical.allocatedFrames == 4)
    #expect(try child.load(UInt8.self, at: address) == 1)
    #expect(try parent.load(UInt8.self, at: address + page) == 1)
    // Alone again, a page is written where it is.
    let frame = child.frame(at: address, writing: false)
    try child.store(UInt8(4), at: address)
    #expect(child.frame(at: address, writing: false) == frame)
    #expect(parent.checkInvariants() + child.checkInvariants() == [])
    child.exit()
    #expect(physical.allocatedFrames == 2)
    parent.exit()
    physical.expectEmpty()
  }

  @Test func pinnedPagesStayWithTheParent() throws {
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: 2 * page, at: nil, mode: readWrite)
    try parent.store(UInt8(1), at: address)
    try parent.store(UInt8(1), at: address + page)
    let pinned = try parent.pinned(address, 1, writing: true)
    let child = try parent.fork()
    #expect(parent.frame(at: address, writing: false) == pinned[0])
    #expect(child.frame(at: address, writing: false) != pinned[0])
    #expect(try child.load(UInt8.self, at: address) == 1)
    #expect(
      child.frame(at: address + page, writing: false) == parent.frame(at: address + page, writing: false))
    try parent.store(UInt8(2), at: address)
    #expect(physical.firstByte(pinned[0]) == 2)
    #expect(try child.load(UInt8.self, at: address) == 1)
    physical.unpin(pinned[0])
    parent.exit()
    child.exit()
    physical.expectEmpty()
  }

  /// A page shared since a fork is unshared by a pin, on whichever side, to read or to write.
  @Test(arguments: [true, false], [true, false]) func pinsUnshare(inChild: Bool, writing: Bool) throws {
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: page, at: nil, mode: readWrite)
    try parent.store(UInt8(1), at: address)
    let child = try parent.fork()
    let (one, other) = inChild ? (child, parent) : (parent, child)
    let pinned = try one.pinned(address, 1, writing: writing)[0]
    #expect(other.frame(at: address, writing: false) != pinned)
    try one.store(UInt8(2), at: address)
    #expect(physical.firstByte(pinned) == 2)
    #expect(try other.load(UInt8.self, at: address) == 1)
    physical.unpin(pinned)
  }

  @Test func sharedMemoryIsShared() throws {
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: page, at: nil, mode: [.read, .write, .shared])
    let child = try parent.fork()
    try child.store(UInt8(7), at: address)
    #expect(try parent.load(UInt8.self, at: address) == 7)
    parent.exit()
    let pinned = try child.pinned(address, 1, writing: true)
    child.exit()
    #expect(physical.allocatedFrames == 1)
    physical.unpin(pinned[0])
    physical.expectEmpty()
  }

  @Test(arguments: [true, false]) func hugePages(pinned: Bool) throws {
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: 1 << 21, at: nil, mode: readWrite, huge: true)
    try parent.store(UInt8(1), at: address + 5 * page)
    let pins = pinned ? try parent.pinned(address + 5 * page, 1, writing: true) : []
    let child = try parent.fork()
    #expect(physical.allocatedFrames == (pinned ? 1024 : 512))
    try parent.store(UInt8(2), at: address + 5 * page)
    #expect(try child.load(UInt8.self, at: address + 5 * page) == 1)
    #expect(physical.allocatedFrames == 1024)
    if let frame = pins.first { #expect(physical.firstByte(frame) == 2) }
    #expect(parent.checkInvariants() + child.checkInvariants() == [])
    parent.exit()
    child.exit()
    for frame in pins { physical.unpin(frame) }
    physical.expectEmpty()
  }

  /// The child maps memory for a device and exits: what is pinned stays, what is not cannot be had.
  @Test func aChildThatIsGone() throws {
    let parent = ProcessMemory(physical)
    let child = try parent.fork()
    let address = try child.allocate(length: 2 * page, at: nil, mode: readWrite)
    try child.store(UInt8(9), at: address)
    let pinned = try child.pinned(address, 1, writing: true)
    child.exit()
    #expect(!child.isAlive)
    #expect(physical.firstByte(pinned[0]) == 9)
    #expect(failure { () throws(Errno) in _ = try child.pinned(address + page, 1, writing: true) } == .EFAULT)
    physical.unpin(pinned[0])
    physical.expectEmpty()
  }

  @Test func aForkWithoutMemoryLeavesNothing() throws {
    let physical = PhysicalMemory(size: 6 * page)
    let parent = ProcessMemory(physical)
    let address = try parent.allocate(length: 4 * page, at: nil, mode: readWrite)
    let pinned = try parent.pinned(address, 4, writing: true)
    #expect(failure { () throws(Errno) in _ = try parent.fork() } == .ENOMEM)
    #expect(physical.allocatedFrames == 4)
    try parent.store(UInt8(1), at: address)
    #expect(physical.firstByte(pinned[0]) == 1)
    for frame in pinned { physical.unpin(frame) }
    parent.exit()
    physical.expectEmpty()
  }
}
