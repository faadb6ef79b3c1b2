// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

// Cutting and growing change how a range is stored and nothing that anyone can see of it.

@Suite("Cutting and growing")
struct CutAndGrowTests {
  /// A stretch of IOVAs that maps contiguous memory with the same permissions.
  private struct Run: Equatable {
    var iova: UInt64
    var last: UInt64
    var physical: UInt64
    var attributes: MappingAttributes
  }

  /// What a table says, without how it says it.
  private func runs(_ table: any PageTable) -> [Run] {
    var runs: [Run] = []
    for leaf in table.leaves {
      let last = leaf.iova.raw | ((1 << UInt64(leaf.sizeLg2)) - 1)
      if let before = runs.last, before.last &+ 1 == leaf.iova.raw, before.attributes == leaf.attributes,
        leaf.physical.raw &- before.physical == leaf.iova.raw &- before.iova
      {
        runs[runs.count - 1].last = last
      } else {
        runs.append(
          Run(iova: leaf.iova.raw, last: last, physical: leaf.physical.raw, attributes: leaf.attributes))
      }
    }
    return runs
  }

  private func cut(_ table: any PageTable, _ iova: UInt64) -> Errno? {
    var gather = TableGather()
    defer { gather.release() }
    return failure { () throws(Errno) in try table.cut(IOVA(iova), gather: &gather) }
  }

  private func grow(_ table: any PageTable, _ iova: UInt64, _ length: UInt64) -> Int {
    var gather = TableGather()
    defer { gather.release() }
    return table.grow(IOVA(iova), length: length, gather: &gather)
  }

  @Test(arguments: Subject.all)
  func keepEveryTranslation(_ subject: Subject) throws {
    var dice = Dice(91)
    for round in 0..<steps(40) / 10 {
      let memory = PhysicalMemory(size: 1 << 30)
      do {
        let table = try subject.make(memory, FailurePoints())
        let page = UInt64(1) << UInt64(table.pageSizes.trailingZeroBitCount)
        let sizes = (12..<62).filter { table.pageSizes & (1 << UInt64($0)) != 0 }
        let attributes: MappingAttributes = round % 2 == 0 ? [.read, .write, .cache] : [.read, .cache]
        // One large run with leaves of every size on both sides, where it fits.
        let sizeLg2 = sizes[round % sizes.count]
        let size = UInt64(1) << UInt64(sizeLg2)
        guard size <= subject.last / 4, sizeLg2 + 2 <= subject.outputLg2 else { continue }
        let base = subject.signExtends && round % 3 == 0 ? ~subject.last : 0
        let iova = base &+ size &- (sizes.count > 1 ? page : 0)
        let physical = 2 * size &- (sizes.count > 1 ? page : 0)
        let length = size + (sizes.count > 1 ? 2 * page : 0)
        #expect(table.mapped(iova, physical, length, attributes) == nil)
        let before = runs(table)
        let original = table.leaves
        let frames = table.frameCount
        #expect(before.count == 1)

        for _ in 0..<10 {
          let at = iova + dice.below(length / page) * page
          #expect(cut(table, at) == nil, "\(subject.name): cut at \(String(at, radix: 16))")
          #expect(table.leaf(at: IOVA(at))?.iova.raw == at, "\(subject.name): \(String(at, radix: 16))")
          #expect(runs(table) == before, "\(subject.name)")
          #expect(memory.allocatedFrames == table.frameCount)
        }
        #expect(cut(table, iova + 0x10) == .EINVAL || sizes.isEmpty)
        // Growing all of it gives what mapping gave.
        if sizes.count > 1, sizeLg2 > sizes[0] { #expect(grow(table, iova, length) > 0, "\(subject.name)") }
        #expect(runs(table) == before)
        #expect(table.leaves == original, "\(subject.name): 2^\(sizeLg2)")
        #expect(grow(table, iova, length) == 0)
        #expect(table.frameCount == frames && memory.allocatedFrames == frames)
        #expect(table.unmapped(iova, length) == length)
        #expect(table.leaves.isEmpty)
      }
      #expect(memory.allocatedFrames == 0)
    }
  }

  @Test(arguments: Subject.all)
  func growOnlyWhatBelongsTogether(_ subject: Subject) throws {
    let memory = PhysicalMemory(size: 1 << 30)
    let table = try subject.make(memory, FailurePoints())
    let sizes = (12..<62).filter { table.pageSizes & (1 << UInt64($0)) != 0 }
    guard sizes.count > 1 else { return }
    let page = UInt64(1) << UInt64(sizes[0])
    let size = UInt64(1) << UInt64(sizes[1])
    guard size <= 1 << 25, size < subject.last / 8 else { return }
    let count = size / page
    // Four blocks of single pages: contiguous; with one page elsewhere; with one permission different; with a hole.
    for block in 0..<4 as Range<UInt64> {
      for index in 0..<count {
        var physical = block * size + index * page
        var attributes = readWrite
        if block == 1, index == count / 2 { physical += 16 * size }
        if block == 2, index == count - 1 { attributes = [.read, .cache] }
        if block == 3, index == 0 { continue }
        #expect(table.mapped(size + block * size + index * page, physical, page, attributes) == nil)
      }
    }
    let before = runs(table)
    // Not all of a block, so nothing.
    #expect(grow(table, size, size - page) == 0 || sizes.count > 2)
    #expect(grow(table, size, 4 * size) > 0)
    #expect(runs(table) == before)
    #expect(table.leaf(at: IOVA(size))?.sizeLg2 == sizes[1])
    for block in 1..<4 as Range<UInt64> {
      for index in 0..<count {
        if let leaf = table.leaf(at: IOVA(size + block * size + index * page)) {
          #expect(leaf.sizeLg2 < sizes[1])
        }
      }
    }
    #expect(grow(table, .max - 5, 100) == 0)
  }

  /// Marks as hardware would: sets a bit in the word of an entry.
  private func mark(_ table: any PageTable, _ memory: PhysicalMemory, _ iova: UInt64, _ bits: UInt64) throws {
    let entry = try #require(table.walk(IOVA(iova)).last)
    #expect(memory.store64(entry.raw | bits, at: entry.address))
  }

  @Test func dirtyStateIsKept() throws {
    let memory = PhysicalMemory(size: 1 << 28)
    let rows: [(any PageTable, UInt64, UInt64)] = [
      (try VTdSecondStageTable(memory, .init(levels: 4)), 1 << 9, 1 << 21),
      (try AMDV1Table(memory), 1 << 6, 1 << 16), (try AMDV1Table(memory), 1 << 6, 1 << 22),
    ]
    for (table, dirty, size) in rows {
      #expect(table.mapped(size, size, size) == nil)
      // A dirty leaf's parts are dirty, and others are not.
      try mark(table, memory, size + size / 2, dirty)
      #expect(cut(table, size + 0x3000) == nil)
      #expect(table.leaves.count > 2)
      #expect(table.leaves.allSatisfy { $0.isDirty })
      #expect(table.unmapped(size, size) == size)
      #expect(table.mapped(size, size, size) == nil)
      #expect(cut(table, size + 0x3000) == nil)
      #expect(table.leaves.allSatisfy { !$0.isDirty })
      // One dirty part makes the whole dirty.
      try mark(table, memory, size + 0x3000, dirty)
      #expect(grow(table, size, size) > 0)
      #expect(table.leaves.map(\.isDirty) == [true])
    }
    // Arm: writable and clean is AP[2] with DBM.
    let arm = try ArmStage1Table4K(
      memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48), .init(tracksDirty: true))
    #expect(arm.mapped(1 << 21, 1 << 21, 1 << 21) == nil)
    #expect(arm.leaves.map(\.isDirty) == [true])
    var gather = TableGather()
    try arm.readDirty(IOVA(1 << 21), length: 1 << 21, clearing: true, gather: &gather) { _, _ in }
    #expect(arm.leaves.map(\.isDirty) == [false])
    #expect(cut(arm, 1 << 21 | 0x5000) == nil)
    #expect(arm.leaves.allSatisfy { !$0.isDirty })
    let entry = try #require(arm.walk(IOVA(1 << 21 | 0x5000)).last)
    #expect(memory.store64(entry.raw & ~0x80, at: entry.address))
    #expect(arm.leaves.count { $0.isDirty } == 1)
    #expect(grow(arm, 1 << 21, 1 << 21) > 0)
    #expect(arm.leaves.map(\.isDirty) == [true])
    #expect(arm.leaves.map(\.attributes) == [readWrite])
    gather.release()
  }

  @Test func aCutWithoutMemoryChangesNothing() throws {
    for subject in Subject.all {
      let memory = PhysicalMemory(size: 1 << 30)
      let failures = FailurePoints()
      let table = try subject.make(memory, failures)
      let sizes = (12..<62).filter { table.pageSizes & (1 << UInt64($0)) != 0 }
      let size = UInt64(1) << UInt64(sizes[sizes.count - 1])
      guard sizes.count > 1, size < subject.last / 4 else { continue }
      let page = UInt64(1) << UInt64(sizes[0])
      #expect(table.mapped(size, size, size) == nil)
      let before = table.leaves
      let frames = table.frameCount
      var nth: UInt64 = 0
      while true {
        nth += 1
        failures.arm(nth: nth)
        let error = cut(table, size + page)
        let struck = failures.disarm()
        guard struck else {
          #expect(error == nil)
          break
        }
        #expect(error == .ENOMEM)
        #expect(table.leaves == before && table.frameCount == frames && memory.allocatedFrames == frames)
      }
      #expect(table.leaf(at: IOVA(size + page))?.iova.raw == size + page)
    }
  }
}
