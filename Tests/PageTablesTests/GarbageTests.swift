// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

// Simulated memory may be written by anyone, tables included. Nothing that the tables hold may trap or run for
// ever, and no frame but the table's own is freed.

@Suite("Overwritten tables")
struct GarbageTests {
  @Test(arguments: Subject.all)
  func anyBitsAreSurvived(_ subject: Subject) throws {
    var dice = Dice(7)
    for round in 0..<max(6, steps(6) / 1000) {
      let memory = PhysicalMemory(size: 8 << 20)
      let stranger = try memory.allocateFrame()
      do {
        let table = try subject.make(memory, FailurePoints())
        let page = UInt64(1) << UInt64(table.pageSizes.trailingZeroBitCount)
        for edge in subject.edges {
          _ = table.mapped((edge &- 20 * page) & ~(page - 1), 0x10_0000, 40 * page)
          _ = table.mapped(edge & ~(page - 1), 0x10_0000, 3 * page)
        }
        // Words of random bits, or true entries that point to tables of ours, to others' frames, or in circles.
        var places: [UInt64] = []
        table.forEachEntry { entry, _ in places.append(entry.address.raw & ~0xfff) }
        let words = round % 2 == 0 ? 4000 : 40
        for _ in 0..<words {
          let place = places[Int(dice.below(UInt64(places.count)))] + dice.below(512) * 8
          var word = dice.next()
          if dice.oneIn(2) { word &= 0xe000_0000_007f_ffff }
          if dice.oneIn(3) {
            word =
              places[Int(dice.below(UInt64(places.count)))]
              | [0x3, 0x27, 0x6000_0000_0000_0201, 0x7][Int(dice.below(4))]
          }
          // Leaves that claim to be larger than their table.
          if dice.oneIn(4) { word = dice.oneIn(2) ? 0x7000_003f_ffff_fe01 : 0x0010_0000_0000_07fd }
          _ = memory.store64(dice.oneIn(3) ? word.byteSwapped : word, at: PhysAddr(place))
        }
        for _ in 0..<60 {
          let edges = subject.edges
          let iova =
            (edges[Int(dice.below(UInt64(edges.count)))] &+ dice.below(64) &* page &- 32 &* page)
            & ~(page - 1)
          let length = page * (1 + dice.below(1000))
          switch dice.below(8) {
          case 0, 1: _ = table.mapped(iova, dice.next() >> 20 & ~(page - 1), length)
          case 2, 3: table.unmapped(iova, length)
          case 4:
            _ = table.translate(IOVA(iova))
            _ = table.leaf(at: IOVA(iova))
            _ = table.walk(IOVA(iova))
          case 5:
            var gather = TableGather()
            _ = failure { () throws(Errno) in try table.cut(IOVA(iova), gather: &gather) }
            gather.release()
          case 6:
            var gather = TableGather()
            _ = table.grow(IOVA(iova), length: length, gather: &gather)
            gather.release()
          default:
            var gather = TableGather()
            _ = failure { () throws(Errno) in
              try table.readDirty(IOVA(iova), length: length, clearing: true, gather: &gather) { _, _ in }
            }
            gather.release()
          }
        }
        var count = 0
        table.forEachLeaf(in: .everything) { _ in count += 1 }
        #expect(memory.isAllocated(stranger))
        #expect(memory.allocatedFrames == table.frameCount + 1)
      }
      #expect(memory.allocatedFrames == 1)
    }
  }
}
