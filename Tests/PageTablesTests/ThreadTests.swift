// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Memory
internal import PageTables
internal import Seams
internal import Synchronization
internal import Testing
internal import UAPI

// Threads on disjoint ranges that share tables at every level, and a root that grows under them.

@Suite("Threads")
struct ThreadTests {
  private final class Work: Sendable {
    let body: @Sendable (Int) -> Void
    let thread: Int
    init(_ thread: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.thread = thread
      self.body = body
    }
  }

  private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [pthread_t] = []
    for number in 0..<count {
      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work(number, body)).toOpaque()
      let error = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
          work.body(work.thread)
          return nil
        }, work)
      if error == 0 { threads.append(thread) }
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  @Test(arguments: Subject.all)
  func disjointRangesNeedNoLock(_ subject: Subject) throws {
    let memory = PhysicalMemory(size: 1 << 28)
    do {
      let table = try subject.make(memory, FailurePoints())
      let page = UInt64(1) << UInt64(table.pageSizes.trailingZeroBitCount)
      let edges = subject.edges.filter { $0 != subject.last && $0 != .max }
      // Each thread has its own quarter of every 8 pages, at every edge: they meet in the same new tables.
      onThreads(4) { thread in
        for round in 0..<30 {
          for edge in edges {
            let iova = edge &+ UInt64(thread) * 2 * page &+ UInt64(round % 3) * 8 * page
            // Not aligned, so that two pages are two leaves.
            let physical = UInt64(thread + 1) << 20 + page
            #expect(table.mapped(iova, physical, 2 * page) == nil)
            #expect(table.translate(IOVA(iova + page + 5))?.raw == physical + page + 5)
            if round % 2 == 0 { #expect(table.unmapped(iova, 2 * page) == 2 * page) }
            if round % 2 == 1 {
              #expect(table.unmapped(iova + page, page) == page)
              #expect(table.translate(IOVA(iova))?.raw == physical)
              #expect(table.unmapped(iova, page) == page)
            }
          }
        }
      }
      #expect(table.leaves.isEmpty)
      #expect(memory.allocatedFrames == table.frameCount)
      // Who lost a race for a table's place gave its own back: there are as many as one thread makes.
      let alone = try subject.make(PhysicalMemory(size: 1 << 28), FailurePoints())
      for edge in Set(edges) {
        for offset in 0..<24 as Range<UInt64> {
          #expect(alone.mapped(edge &+ offset * page, 1 << 20, page) == nil)
        }
      }
      #expect(table.frameCount == alone.frameCount)
    }
    #expect(memory.allocatedFrames == 0)
  }

  /// A thread needs a larger root while another is about to install one: the second finds that it was late, throws
  /// its own away, and builds on the first's.
  @Test func rootsThatRace() throws {
    let memory = PhysicalMemory(size: 1 << 28)
    for _ in 0..<5 {
      let isInstalling = Atomic<Bool>(false)
      let table = try AMDV1Table(
        memory, .init(levels: 1),
        onNewRoot: { _ in
          // Time for the other to see the old root and to come as far as the lock that we hold.
          if isInstalling.exchange(true, ordering: .acquiringAndReleasing) == false { usleep(20_000) }
        })
      onThreads(2) { thread in
        while thread == 1, !isInstalling.load(ordering: .acquiring) { usleep(100) }
        let iova = UInt64(1) << UInt64(32 + 20 * thread)
        #expect(table.mapped(iova, 0x1000, 0x1000) == nil)
        #expect(table.translate(IOVA(iova))?.raw == 0x1000)
      }
      #expect(table.leaves.map(\.iova.raw) == [1 << 32, 1 << 52])
      // Five levels of roots, and paths of two and of four tables below them.
      #expect(table.root.level == 4 && table.frameCount == 5 + 2 + 4)
    }
    #expect(memory.allocatedFrames == 0)
  }

  /// Hardware marks leaves dirty while software changes how they are stored; no mark is lost.
  @Test func marksSurviveCuttingAndGrowing() throws {
    let memory = PhysicalMemory(size: 1 << 28)
    let vtd = try VTdSecondStageTable(memory, .init(levels: 3))
    let amd = try AMDV1Table(memory)
    // For AMD within one table, so that no mark goes into a table that was replaced.
    let rows: [(any PageTable, UInt64, bits: UInt64, canGrow: Bool)] = [
      (vtd, 1 << 30, 1 << 9, false), (amd, 1 << 20, 1 << 6, true),
    ]
    for (table, size, bit, canGrow) in rows {
      for round in 0..<20 as Range<UInt64> {
        #expect(table.mapped(size, size, size) == nil)
        let marked = Mutex<Set<UInt64>>([])
        onThreads(2) { thread in
          var dice = Dice(round * 2 + UInt64(thread))
          for _ in 0..<100 {
            let iova = size + (dice.below(size) & ~0xfff)
            if thread == 0 {
              guard let entry = table.walk(IOVA(iova)).last, entry.kind == .leaf else { continue }
              let dirty = entry.raw | bit
              if memory.exchange64(at: entry.address, from: entry.raw, to: dirty) {
                marked.withLock { _ = $0.insert(iova) }
              }
            } else {
              var gather = TableGather()
              #expect(failure { () throws(Errno) in try table.cut(IOVA(iova), gather: &gather) } == nil)
              if canGrow, dice.oneIn(5) { _ = table.grow(IOVA(size), length: size, gather: &gather) }
              gather.release()
            }
          }
        }
        for iova in marked.withLock({ $0 }) {
          #expect(table.leaf(at: IOVA(iova))?.isDirty == true, "\(table.name), \(String(iova, radix: 16))")
        }
        #expect(!marked.withLock { $0.isEmpty })
        #expect(table.unmapped(size, size) == size)
      }
    }
  }

  /// Whole tables come and go in one thread's range beside another's.
  @Test func tablesComeAndGoBesideOthers() throws {
    let memory = PhysicalMemory(size: 1 << 28)
    for make: () throws -> any PageTable in [
      { try VTdSecondStageTable(memory, .init(levels: 4)) }, { try AMDV1Table(memory) },
      { try ArmStage1Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48)) },
    ] {
      let table = try make()
      onThreads(2) { thread in
        let iova = UInt64(thread) << 21 | 1 << 30
        for _ in 0..<300 {
          #expect(table.mapped(iova, 0x1000, 1 << 21) == nil)
          #expect(table.translate(IOVA(iova + 0x12_3456))?.raw == 0x12_4456)
          #expect(table.unmapped(iova, 1 << 21) == 1 << 21)
          #expect(table.mapped(iova, 1 << 21, 1 << 21) == nil)
          #expect(table.unmapped(iova, 1 << 21) == 1 << 21)
        }
      }
      #expect(table.leaves.isEmpty)
      #expect(memory.allocatedFrames >= table.frameCount)
    }
    #expect(memory.allocatedFrames == 0)
  }
}
