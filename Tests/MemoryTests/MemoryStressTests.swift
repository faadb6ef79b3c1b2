// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
internal import Testing
internal import UAPI

@testable internal import Memory

// The same memory from several real threads. What is checked is what must hold in any order: bytes that
// one thread alone writes stay its own, counts end at zero, nothing leaks.
@Suite struct MemoryStressTests {
  static let threads = 4

  @Test func framesFromManyThreads() {
    let physical = smallMemory()
    onThreads(Self.threads) { thread in
      var dice = Dice(UInt64(thread))
      var held: [FrameNumber] = []
      for _ in 0..<3000 {
        if held.count < 50, dice.below(2) == 0, let frame = try? physical.allocateFrame() {
          physical.bytes(of: frame).storeBytes(of: UInt8(thread + 1), as: UInt8.self)
          held.append(frame)
        } else if !held.isEmpty {
          let frame = held.remove(at: dice.below(held.count))
          #expect(physical.firstByte(frame) == UInt8(thread + 1))
          physical.release(frame)
        }
      }
      for frame in held { physical.release(frame) }
    }
    physical.expectEmpty()
  }

  /// Everybody counts the same frame up and down; exactly one of them frees it.
  @Test func theLastOneFrees() throws {
    let physical = smallMemory()
    for _ in 0..<50 {
      let frame = try physical.allocateFrame()
      for _ in 1..<Self.threads { physical.retain(frame) }
      onThreads(Self.threads) { _ in
        for _ in 0..<100 {
          physical.pin(frame)
          physical.retain(frame)
          physical.release(frame)
          physical.unpin(frame)
        }
        physical.release(frame)
      }
      physical.expectEmpty()
    }
  }

  /// Whoever uses memory through a file's link may be the last to hold it, and then ends it there.
  @Test func theLinkOutlivesItsMemory() throws {
    let physical = smallMemory()
    var space: ProcessMemory? = ProcessMemory(physical)
    let link = try #require(space?.link)
    _ = try space?.allocate(length: page, at: nil, mode: readWrite)
    link.with { memory in
      space = nil
      #expect(memory.isAlive)
    }
    #expect(!link.isAlive)
    link.with { _ in Issue.record("the memory is gone") }
    physical.expectEmpty()
  }

  /// Threads of one process fault, pin, unmap, protect and fork next to each other, each in its own pages.
  @Test func oneAddressSpace() throws {
    let physical = smallMemory()
    let space = ProcessMemory(physical)
    let base = try space.allocate(length: 64 * page, at: nil, mode: readWrite)
    onThreads(Self.threads) { thread in
      var dice = Dice(UInt64(thread))
      let mine = base + UInt64(thread) * 16 * page
      for round in 0..<400 {
        let place = mine + UInt64(dice.below(12)) * page
        let value = UInt64(thread) << 32 | UInt64(round)
        do throws(Errno) {
          try space.store(value, at: place + 8)
          let frames = try space.pinned(place, 2, writing: true)
          #expect(frames.count == 2)
          #expect(physical.bytes(of: frames[0]).load(fromByteOffset: 8, as: UInt64.self) == value)
          if dice.below(8) == 0 {
            let child = try space.fork()
            #expect(try child.load(UInt64.self, at: place + 8) == value)
            try child.store(UInt64(1), at: place + 8)
            child.exit()
          }
          // Pinned, the page stays the one that the device sees, fork or not.
          try space.store(value + 1, at: place + 8)
          #expect(physical.bytes(of: frames[0]).load(fromByteOffset: 8, as: UInt64.self) == value + 1)
          if dice.below(4) == 0 {
            try space.unmap(place, length: page)
            #expect(failure { () throws(Errno) in _ = try space.load(UInt8.self, at: place) } == .EFAULT)
            _ = try space.allocate(length: page, at: place, mode: readWrite)
            #expect(try space.load(UInt64.self, at: place + 8) == 0)
          } else {
            #expect(try space.load(UInt64.self, at: place + 8) == value + 1)
          }
          for frame in frames { physical.unpin(frame) }
        } catch {
          Issue.record("\(error) \(error.reason ?? "")")
        }
      }
    }
    #expect(space.checkInvariants() == [])
    space.exit()
    physical.expectEmpty()
  }

  /// A file is truncated and grown while others map, pin and touch it, and while processes come and go.
  @Test func oneFile() throws {
    let physical = smallMemory()
    let file = try MemoryFile(physical, size: 16 * page)
    let root = ProcessMemory(physical)
    onThreads(Self.threads) { thread in
      var dice = Dice(UInt64(thread))
      for _ in 0..<300 {
        if thread == 0 {
          try? file.truncate(to: UInt64(dice.below(17)) * page)
          continue
        }
        guard let space = try? root.fork() else { continue }
        let mode: MapMode = dice.below(2) == 0 ? readWrite : [.read, .write, .shared]
        if let address = try? space.mapFile(file, length: 16 * page, mode: mode) {
          let place = address + UInt64(dice.below(16)) * page
          if mode == readWrite { try? space.store(UInt8(thread), at: place) }
          if let frames = try? space.pinned(address, 16, writing: dice.below(2) == 0) {
            for frame in frames { physical.unpin(frame) }
          }
        }
        if let frames = try? file.pinned(UInt64(dice.below(16)), 1) { physical.unpin(frames[0]) }
        #expect(space.checkInvariants() == [])
        if dice.below(2) == 0 { space.exit() }
      }
    }
    file.releaseFile()
    root.exit()
    physical.expectEmpty()
  }

  /// Pins from another thread race with the exit of the process: they get pages or EFAULT.
  @Test func pinsAgainstExit() throws {
    let physical = smallMemory()
    for _ in 0..<100 {
      let space = ProcessMemory(physical)
      let address = try space.allocate(length: 8 * page, at: nil, mode: readWrite)
      onThreads(3) { thread in
        if thread == 0 { return space.exit() }
        for _ in 0..<20 {
          if let frames = try? space.pinned(address, 8, writing: true) {
            for frame in frames { physical.unpin(frame) }
          }
        }
      }
      physical.expectEmpty()
    }
  }
}
