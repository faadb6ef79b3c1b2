// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Interpose

/// Frames for pages of this process, which stands for a program.
@Suite("Foreign frames")
struct ForeignFramesTests {
  private let frames: ForeignFrames
  private let physical: PhysicalMemory
  private let memory: RealMemory

  init() throws {
    let journal = RequestJournal(isOn: false)
    physical = PhysicalMemory(size: 64 << 20)
    frames = ForeignFrames(physical, journal)
    memory = try #require(RealMemory(of: getpid(), thread: getpid(), frames, SharedObjects(), journal))
  }

  private func key(_ page: UInt64) -> ForeignFrames.Key {
    ForeignFrames.Key(owner: .memory(ObjectIdentifier(memory)), page: page)
  }

  @Test func aPageIsOneFrameAsLongAsItIsPinned() throws {
    let first = try frames.pin(key(5), at: .memory(memory), huge: false)
    let again = try frames.pin(key(5), at: .memory(memory), huge: false)
    let other = try frames.pin(key(6), at: .memory(memory), huge: false)
    #expect(first == again && first != other)
    #expect(physical.pinCount(of: first) == 2 && physical.referenceCount(of: first) == 0)
    #expect(try frames.find(key(5), at: .memory(memory), huge: false) == first)
    #expect(physical.pinCount(of: first) == 2)
    physical.unpin(first, pins: 2)
    #expect(!physical.isAllocated(first))
    // Nothing of it is left: what comes next may be any frame, with one pin.
    let next = try frames.pin(key(5), at: .memory(memory), huge: false)
    #expect(physical.pinCount(of: next) == 1)
    physical.unpin(next)
    physical.unpin(other)
  }

  @Test func aPageThatNobodyPinsHasNoFrameToKeep() throws {
    let frame = try frames.find(key(9), at: .memory(memory), huge: false)
    #expect(!physical.isAllocated(frame))
  }

  @Test func pagesOfTwoOwnersAreTwo() throws {
    let shared = ForeignFrames.Key(owner: .object(FileIdentity(device: 1, inode: 2)), page: 5)
    let mine = try frames.pin(key(5), at: .memory(memory), huge: false)
    let theirs = try frames.pin(shared, at: .memory(memory), huge: false)
    #expect(mine != theirs)
    physical.unpin(mine)
    physical.unpin(theirs)
  }

  /// A large page is held whole while a part of it is pinned, with one frame next to the other.
  @Test func aLargePageIsHeldWhole() throws {
    let frame = try frames.pin(key(512 + 3), at: .memory(memory), huge: true)
    let neighbour = try frames.pin(key(512 + 4), at: .memory(memory), huge: true)
    #expect(neighbour.raw == frame.raw + 1)
    #expect(physical.isCompound(frame) && physical.isAllocated(FrameNumber(frame.raw - 3)))
    physical.unpin(frame)
    frames.releaseUnusedHugePages()
    #expect(physical.isAllocated(frame))
    physical.unpin(neighbour)
    frames.releaseUnusedHugePages()
    #expect(!physical.isAllocated(frame) && !physical.isAllocated(neighbour))
  }

  @Test func bytesAreWhereTheProgramHasThem() throws {
    let length = 2 * 4096
    let place = try #require(mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    let address = UInt64(UInt(bitPattern: place))
    var buffer = [FrameNumber](repeating: FrameNumber(0), count: 2)
    #expect(
      try buffer.withUnsafeMutableBufferPointer { try memory.pin(address, writing: true, into: $0) } == 2)
    place.storeBytes(of: 0x1234, toByteOffset: 4096 + 8, as: UInt32.self)
    let seen = physical.withBytes(of: buffer[1], at: 8, count: 4, writing: true) { bytes in
      defer { bytes.storeBytes(of: 0x5678, as: UInt32.self) }
      return bytes.load(as: UInt32.self)
    }
    #expect(seen == 0x1234)
    #expect(place.load(fromByteOffset: 4096 + 8, as: UInt32.self) == 0x5678)
    // What the program gives up is out of reach, and no mistake.
    munmap(place, length)
    #expect(physical.withBytes(of: buffer[1], at: 8, count: 4, writing: false) { _ in true } == nil)
    for frame in buffer { physical.unpin(frame) }
  }

  @Test func whatIsNotThereIsNotPinned() throws {
    var buffer = [FrameNumber](repeating: FrameNumber(0), count: 4)
    #expect(throws: Errno.EFAULT) {
      try buffer.withUnsafeMutableBufferPointer { try memory.pin(4096, writing: false, into: $0) }
    }
    let length = 4 * 4096
    let place = try #require(mmap(nil, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    defer { munmap(place, length / 2) }
    munmap(place + length / 2, length / 2)
    let address = UInt64(UInt(bitPattern: place))
    #expect(throws: Errno.EFAULT) {
      try buffer.withUnsafeMutableBufferPointer { try memory.pin(address, writing: true, into: $0) }
    }
    // As far as it goes.
    #expect(
      try buffer.withUnsafeMutableBufferPointer { try memory.pin(address, writing: false, into: $0) } == 2)
    physical.unpin(buffer[0])
    physical.unpin(buffer[1])
  }
}
