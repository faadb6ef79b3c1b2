// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
internal import Testing
internal import UAPI

@testable internal import Memory

@Suite struct FrameBitmapTests {
  /// The bitmap against a set, over random inserts, removals and searches.
  @Test(arguments: [1, 2, 63, 64, 65, 4096, 4097, 300_000])
  func againstASet(count: Int) {
    let words = FrameBitmap.words(for: count)
    let storage = UnsafeMutablePointer<UInt64>.allocate(capacity: words)
    storage.initialize(repeating: 0, count: words)
    defer { storage.deallocate() }
    let bitmap = FrameBitmap(storage: storage, count: count)
    var used: Set<Int> = []
    var dice = Dice(UInt64(count))
    // Mostly full, so that the summaries matter.
    for frame in 0..<count {
      bitmap.insert(frame)
      used.insert(frame)
    }
    #expect(bitmap.firstFree(from: 0) == nil)
    for _ in 0..<400 {
      let frame = dice.below(count)
      if used.contains(frame) {
        bitmap.remove(frame)
        used.remove(frame)
      } else {
        bitmap.insert(frame)
        used.insert(frame)
      }
      #expect(bitmap.contains(frame) == used.contains(frame))
      let from = dice.below(count)
      let limit = min(count, from + 5000)
      let expected = (from..<limit).first { !used.contains($0) }
      let found = bitmap.firstFree(from: from)
      if let expected { #expect(found == expected) } else { #expect((found ?? .max) >= limit) }
      let upper = min(count, from + dice.below(200))
      #expect(bitmap.firstUsed(in: from..<upper) == (from..<upper).first { used.contains($0) })
    }
  }
}

@Suite struct PhysicalMemoryTests {
  @Test func framesComeInOrderAndAreReused() throws {
    let memory = smallMemory()
    let frames = try (0..<4).map { _ in try memory.allocateFrame() }
    #expect(frames.map(\.raw) == [1, 2, 3, 4])
    memory.release(frames[1])
    #expect(try memory.allocateFrame().raw == 2)
    for raw: UInt32 in 1...4 { memory.release(FrameNumber(raw)) }
    memory.expectEmpty()
  }

  @Test func claimedFramesAreExactlyThose() throws {
    let memory = smallMemory()
    let dirty = try memory.allocateFrame()
    memory.bytes(of: dirty).storeBytes(of: 0x55, as: UInt8.self)
    memory.release(dirty)
    let wanted: [FrameNumber] = [FrameNumber(900), dirty, FrameNumber(16383)]
    try memory.claim(wanted)
    #expect(memory.allocatedFrames == 3)
    #expect(wanted.map(memory.referenceCount) == [1, 1, 1])
    #expect(wanted.map(memory.firstByte) == [0, 0, 0])
    #expect(try memory.allocateFrame().raw == 2)
    memory.release(FrameNumber(2))
    for frame in wanted { memory.release(frame) }
    memory.expectEmpty()
  }

  /// A claim that fails takes nothing.
  @Test(arguments: [
    ([7, 8, 5], Errno.EBUSY), ([7, 7], .EBUSY), ([7, 0], .EBUSY), ([7, 16384], .EINVAL),
    ([7, UInt32.max], .EINVAL),
  ])
  func aClaimIsWholeOrNothing(frames: [UInt32], errno: Errno) throws {
    let memory = smallMemory()
    try memory.claim([FrameNumber(5)])
    #expect(failure { () throws(Errno) in try memory.claim(frames.map { FrameNumber($0) }) } == errno)
    #expect(memory.allocatedFrames == 1)
    #expect(memory.checkInvariants() == [])
    try memory.claim([])
    try memory.claim([FrameNumber(7)])
    memory.release(FrameNumber(5))
    memory.release(FrameNumber(7))
    memory.expectEmpty()
  }

  @Test func aStrideScatters() throws {
    let memory = PhysicalMemory(size: 64 * page, stride: 3)
    var seen: [UInt32] = []
    while let frame = try? memory.allocateFrame() { seen.append(frame.raw) }
    #expect(seen.count == 63)
    #expect(Set(seen).count == 63)
    #expect(Array(seen.prefix(4)) == [1, 4, 7, 10])
    #expect(failure { () throws(Errno) in _ = try memory.allocateFrame() } == .ENOMEM)
    for raw in seen { memory.release(FrameNumber(raw)) }
    memory.expectEmpty()
    // Empty, it starts over.
    #expect(try [memory.allocateFrame(), memory.allocateFrame()].map(\.raw) == [1, 4])
  }

  @Test func aUsedFrameComesBackZeroed() throws {
    let memory = smallMemory()
    let frame = try memory.allocateFrame()
    memory.bytes(of: frame).storeBytes(of: 0x55, toByteOffset: 4095, as: UInt8.self)
    memory.setDirty(frame)
    memory.release(frame)
    let again = try memory.allocateFrame()
    #expect(again == frame)
    #expect(memory.bytes(of: again).load(fromByteOffset: 4095, as: UInt8.self) == 0)
    #expect(!memory.isDirty(again))
    memory.release(again)
    // Nor does a late write of a device survive into the next life.
    #expect(withUnsafeBytes(of: UInt64.max) { memory.write(frame.address, from: $0) } == 8)
    #expect(memory.firstByte(try memory.allocateFrame()) == 0)
    memory.release(frame)
    memory.expectEmpty()
  }

  @Test func aPinKeepsAFrameAlive() throws {
    let memory = smallMemory()
    let frame = try memory.allocateFrame()
    memory.pin(frame)
    memory.pin(frame, pins: 2)
    memory.retain(frame)
    #expect(memory.pinCount(of: frame) == 3)
    #expect(memory.referenceCount(of: frame) == 2)
    memory.release(frame)
    memory.release(frame)
    #expect(memory.allocatedFrames == 1)
    #expect(memory.pinTotals == (1, 3))
    memory.unpin(frame, pins: 2)
    #expect(memory.isAllocated(frame))
    memory.unpinRun(frame, count: 1, markingDirty: true)
    #expect(!memory.isAllocated(frame))
    memory.expectEmpty()
  }

  @Test func runsAreAlignedAndCompound() throws {
    let memory = smallMemory()
    let single = try memory.allocateFrame()
    let huge = try memory.allocateHugePage()
    #expect(huge.raw == 512)
    #expect(memory.isCompound(FrameNumber(1023)))
    #expect(!memory.isCompound(single))
    let run = try memory.allocateContiguous(100, alignment: 4)
    #expect(run.raw == 4)
    let across = try memory.allocateContiguous(500)
    #expect(across.raw == 1024)
    #expect(failure { () throws(Errno) in _ = try memory.allocateContiguous(16384) } == .ENOMEM)
    #expect(failure { () throws(Errno) in _ = try memory.allocateContiguous(1, alignment: 3) } == .EINVAL)
    #expect(failure { () throws(Errno) in _ = try memory.allocateContiguous(0) } == .EINVAL)
    #expect(memory.checkInvariants() == [])
    memory.release(single)
    for (first, count) in [(huge.raw, 512), (run.raw, 100), (across.raw, 500)] {
      for index in 0..<UInt32(count) { memory.release(FrameNumber(first + index)) }
    }
    memory.expectEmpty()
  }

  @Test func bytesStopAtTheEnd() throws {
    let memory = PhysicalMemory(size: 4 * page)
    var data = [UInt8](repeating: 0, count: 10000)
    for index in data.indices { data[index] = UInt8(truncatingIfNeeded: index) }
    #expect(data.withUnsafeBytes { memory.write(PhysAddr(page - 100), from: $0) } == 10000)
    var back = [UInt8](repeating: 0, count: 10000)
    #expect(back.withUnsafeMutableBytes { memory.read(PhysAddr(page - 100), into: $0) } == 10000)
    #expect(back == data)
    #expect(data.withUnsafeBytes { memory.write(PhysAddr(3 * page), from: $0) } == 4096)
    #expect(back.withUnsafeMutableBytes { memory.read(PhysAddr(4 * page), into: $0) } == 0)
    #expect(back.withUnsafeMutableBytes { memory.read(PhysAddr(.max - 3), into: $0) } == 0)
    #expect(memory.bytes(at: PhysAddr(page + 1), count: 4095)?.count == 4095)
    #expect(memory.bytes(at: PhysAddr(page + 1), count: 4096) == nil)
    #expect(memory.bytes(at: PhysAddr(4 * page), count: 1) == nil)
    #expect(memory.bytes(at: PhysAddr(page), count: -1) == nil)
  }

  @Test func aMachineWithoutMemoryRefuses() {
    for size: UInt64 in [0, 1, page] {
      let memory = PhysicalMemory(size: size)
      #expect(failure { () throws(Errno) in _ = try memory.allocateFrame() } == .ENOMEM)
      #expect(failure { () throws(Errno) in _ = try memory.allocateHugePage() } == .ENOMEM)
      memory.expectEmpty()
    }
    // More than the host can give becomes less, not a failure.
    #expect(PhysicalMemory(size: .max).frameCount > 0)
  }

  @Test func mistakesOfTheModelTrap() async {
    await #expect(processExitsWith: .failure) {
      let memory = smallMemory()
      memory.release(try memory.allocateFrame())
      memory.release(FrameNumber(1))
    }
    await #expect(processExitsWith: .failure) { smallMemory().pin(FrameNumber(5)) }
  }

  /// Which pins are given back is read from page tables, which may hold anything.
  @Test func pinsThatNobodyHasAreCounted() throws {
    let memory = smallMemory()
    let frame = try memory.allocateFrame()
    memory.unpin(frame)
    memory.pin(frame, pins: 2)
    memory.unpin(frame, pins: 3)
    memory.unpin(FrameNumber(5))
    memory.unpin(FrameNumber(.max))
    #expect(
      memory.checkInvariants() == [
        "pins were given back 4 times that nobody had: frame 1, frame 1, frame 5, frame 4294967295"
      ])
    #expect(memory.pinCount(of: frame) == 2 && memory.referenceCount(of: frame) == 1)
    memory.unpin(frame, pins: 2)
    memory.release(frame)
    #expect(memory.allocatedFrames == 0 && !memory.isAllocated(FrameNumber(5)))
    // Of many the first few are kept.
    for _ in 0..<10 { memory.unpin(frame) }
    #expect(memory.checkInvariants().first?.hasSuffix("frame 1, frame 1, frame 1, ...") ?? false)
  }

  /// The owner of a page table writes where its entries lead and tells nobody. While only he writes them, that is
  /// into tables.
  @Test func anOverwrittenTableMakesFreeFramesSuspect() throws {
    let memory = smallMemory()
    let table = try memory.allocateTable(frames: 1)
    #expect(memory.exchange64(at: table.address, from: 0, to: 0x20))
    let distrusts = memory.distrustsFreeFrames.load(ordering: .relaxed)
    #expect(!distrusts)
    memory.bytes(of: FrameNumber(9)).storeBytes(of: 0xFF, as: UInt8.self)
    #expect(memory.store64(0x9000, at: table.address))
    try memory.claim([FrameNumber(9)])
    #expect(memory.firstByte(FrameNumber(9)) == 0)
    memory.release(FrameNumber(9))
    memory.release(table)
    memory.expectEmpty()
  }

  @Test func tablesOfSeveralFramesAreAligned() throws {
    let memory = smallMemory()
    let single = try memory.allocateTable(frames: 1)
    let wide = try memory.allocateTable(frames: 4)
    #expect(single.raw == 1 && wide.raw == 4)
    for frame in 4..<8 { memory.release(FrameNumber(UInt32(frame))) }
    memory.release(single)
    memory.expectEmpty()
  }

  /// Frame 0 stands for a page that could not be found; beyond the end there is none.
  @Test func aRunOfPinsPassesOverWhatIsNoFrame() throws {
    let memory = smallMemory()
    let end = UInt32(memory.frameCount)
    for frame in [FrameNumber(1), FrameNumber(end - 1)] {
      try memory.claim([frame])
      memory.pin(frame)
    }
    memory.unpinRun(FrameNumber(0), count: 2, markingDirty: true)
    memory.unpinRun(FrameNumber(end - 1), count: 2, markingDirty: true)
    memory.unpinRun(FrameNumber(.max), count: 2, markingDirty: true)
    memory.unpinRun(FrameNumber(0), count: 0, markingDirty: true)
    #expect(memory.pinTotals.pins == 0)
    #expect(memory.isDirty(FrameNumber(1)) && !memory.isDirty(FrameNumber(0)))
    #expect(memory.checkInvariants().isEmpty)
    memory.release(FrameNumber(1))
    memory.release(FrameNumber(end - 1))
    memory.expectEmpty()
  }

  /// Memory that another machine used before is as empty as memory that nobody did.
  @Test func aMemoryLeavesNothingToTheNext() throws {
    // A size that no other test has, so that the second is sure to get what the first leaves.
    let size: UInt64 = 37 << 20
    func bytes(_ memory: PhysicalMemory) -> Int {
      var sum = 0
      for frame in 0..<UInt64(memory.frameCount) {
        for offset in [UInt64(0), 8, 4088] {
          if memory.load64(at: PhysAddr(frame << 12 + offset)) != 0 { sum += 1 }
        }
      }
      return sum
    }
    for round in 0..<5 {
      let memory = PhysicalMemory(size: size, stride: 1 + round % 2)
      #expect(bytes(memory) == 0)
      #expect(memory.allocatedFrames == 0 && memory.pinTotals == (0, 0))
      let frames = try (0..<200).map { _ in try memory.allocateFrame() }
      #expect(frames[0].raw == 1)
      for frame in frames { #expect(memory.store64(.max, at: frame.address)) }
      // One is given back, one is pinned and never given back, one was never anybody's.
      memory.release(frames[7])
      memory.pin(frames[9])
      #expect(memory.store64(.max, at: PhysAddr((round == 2 ? 9001 : 1000) << 12 + 8)))
      if round == 3 { memory.noteWrite(try memory.allocateTable(frames: 1).address) }
      #expect(memory.checkInvariants().isEmpty)
    }
  }

  @Test func theCheckerSeesAWrongCount() throws {
    let memory = smallMemory()
    let frame = try memory.allocateFrame()
    memory.words[Int(frame.raw)].store(0, ordering: .relaxed)
    #expect(memory.checkInvariants() == ["frame 1 is in use and nobody holds it"])
    memory.words[7].store(1 << 32, ordering: .relaxed)
    memory.words[Int(frame.raw)].store(1, ordering: .relaxed)
    _ = try memory.allocateContiguous(8, alignment: 8)
    #expect(memory.checkInvariants() == ["frame 7 is free, with 0 references, 1 pins"])
  }
}

@Suite struct PageTreeTests {
  @Test func againstADictionary() {
    let tree = PageTree()
    var model: [UInt64: PageEntry] = [:]
    var dice = Dice(7)
    let places: [UInt64] = [0, 511, 512, 1 << 18, 1 << 27, PageTree.pageLimit - 1024, PageTree.pageLimit - 1]
    func anyPage() -> UInt64 {
      min(PageTree.pageLimit - 1, places[dice.below(places.count)] + UInt64(dice.below(1200)))
    }
    for step in 0..<4000 {
      let page = anyPage()
      if step % 20 == 19 {
        let first = min(page, anyPage())
        let last = first + UInt64(dice.below(1500))
        var removed = 0
        tree.removeAll(first, last) { _ in removed += 1 }
        let gone = model.keys.filter { first <= $0 && $0 <= last }
        #expect(removed == gone.count)
        for key in gone { model[key] = nil }
      } else {
        let entry = PageEntry(FrameNumber(UInt32(step + 1)), PageEntry.accessible)
        tree.set(page, entry)
        model[page] = entry
      }
      let other = anyPage()
      #expect(tree[other] == model[other] ?? PageEntry())
    }
    var found: [UInt64: PageEntry] = [:]
    tree.forEachLeaf(0, .max) { first, leaf, indexes in
      for index in indexes where leaf[index].isPresent { found[first + UInt64(index)] = leaf[index] }
    }
    #expect(found == model)
    #expect(!tree[.max].isPresent)
  }
}
