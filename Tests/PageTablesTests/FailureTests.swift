// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

// Every allocation of a map fails once. What was mapped before stays, what the call mapped is gone, and nothing
// leaks; tables that were linked on the way may stay, empty, as in the kernel.

@Suite("Failures")
struct FailureTests {
  @Test(arguments: Subject.all)
  func everyAllocationOfAMapFailsOnce(_ subject: Subject) throws {
    var nth: UInt64 = 0
    var struck = true
    while struck {
      nth += 1
      let memory = PhysicalMemory(size: 1 << 28)
      let failures = FailurePoints()
      do {
        failures.arm(nth: nth)
        let table: any PageTable
        do { table = try subject.make(memory, failures) } catch {
          #expect(failures.disarm() && error as? Errno == .ENOMEM)
          #expect(memory.allocatedFrames == 0)
          continue
        }
        failures.disarm()
        let page = UInt64(1) << UInt64(table.pageSizes.trailingZeroBitCount)
        let item = UInt64(1) << UInt64(subject.items.count > 1 ? subject.items[1] : 20)
        #expect(table.mapped(page, page, page) == nil)
        let before = table.leaves
        // Over the end of a table, at the top of the table: new tables at every level, and a new root.
        let iova = subject.last - item - 3 * page + 1
        failures.arm(nth: nth)
        let error = table.mapped(iova, page * 3, item + 2 * page)
        struck = failures.disarm()
        #expect(error == (struck ? .ENOMEM : nil))
        #expect((table.leaves == before) == struck)
        #expect(memory.allocatedFrames == table.frameCount)
        if struck { #expect(table.mapped(iova, page * 3, item + 2 * page) == nil) }
        #expect(table.unmapped(iova, item + 2 * page) == item + 2 * page)
        #expect(table.leaves == before)
      }
      #expect(memory.allocatedFrames == 0)
    }
    #expect(nth > 1)
  }

  @Test func memoryThatIsFull() throws {
    for subject in Subject.all where subject.items[0] == 12 {
      let memory = PhysicalMemory(size: 40 << 12)
      guard let table = try? subject.make(memory, FailurePoints()) else { continue }
      let page = UInt64(4096)
      var mapped: [UInt64] = []
      for number in 0..<200 as Range<UInt64> {
        let iova = number << UInt64(subject.items.count > 2 ? 31 : 21)
        guard iova + page - 1 <= subject.last else { break }
        let error = table.mapped(iova, page, page)
        #expect(error == nil || error == .ENOMEM, "\(subject.name)")
        if error == nil { mapped.append(iova) }
      }
      #expect(table.leaves.map(\.iova.raw) == mapped)
      #expect(memory.allocatedFrames == table.frameCount)
    }
    #expect(throws: Errno.self) { try VTdSecondStageTable(PhysicalMemory(size: 4096), .init(levels: 4)) }
    #expect(throws: Errno.self) { try VTdSecondStageTable(PhysicalMemory(size: 0), .init(levels: 4)) }
    #expect(throws: Errno.self) {
      try VTdSecondStageTable(PhysicalMemory(size: 4096), viewing: PhysAddr(1 << 30), .init(levels: 4))
    }
  }
}
