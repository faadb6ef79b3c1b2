// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import UAPI

@testable import Memory

struct FrameCountTests {
  @Test func everyFrameHasItsCount() throws {
    let memory = smallMemory()
    let frames = try (0..<3).map { _ throws(Errno) in try memory.allocateFrame() }
    var counts = FrameCounts(of: memory)
    counts.add(frames[1])
    counts.add(frames[1])
    counts.add(FrameNumber(9000))
    counts.add(FrameNumber(700))
    var seen: [UInt32: Int] = [:]
    var order: [UInt32] = []
    counts.forEach { frame, count in
      seen[frame.raw] = count
      order.append(frame.raw)
    }
    // Frame 0, the three that are in use, and the two that were only counted.
    #expect(order == [0, 1, 2, 3, 700, 9000])
    #expect(seen == [0: 0, 1: 0, 2: 2, 3: 0, 700: 1, 9000: 1])
    for frame in frames { memory.release(frame) }
  }

  /// The nodes of a page table go to the next one, and nothing of what was in them.
  @Test func anAddressSpaceBeginsEmpty() throws {
    let memory = smallMemory()
    let places: [UInt64] = [0x1000, 0x20_0000, 0x4000_0000, 0x7000_0000_0000]
    for _ in 0..<4 {
      let space = ProcessMemory(memory)
      for place in places {
        #expect(space.frame(at: place, writing: false) == nil)
        let address = try space.allocate(length: page, at: place, mode: readWrite)
        try space.store(place, at: address)
      }
      for place in places {
        #expect(try space.load(UInt64.self, at: place) == place)
        #expect(space.frame(at: place + page, writing: false) == nil)
      }
      #expect(space.checkInvariants() == [])
    }
    memory.expectEmpty()
  }
}
