// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

// Every format in every shape against the slow obvious version, over random requests near the edges of its levels.
// After each request the answer is the same; now and then everything is: the leaves, what single addresses
// translate to, the frames in use. IOFD_PAGETABLE_STEPS says how many requests there are for each subject.

@Suite("Laws of every format")
struct LawTests {
  @Test(arguments: Subject.all)
  func mapsAndUnmapsAsTheSlowVersion(_ subject: Subject) throws {
    var dice = Dice(UInt64(subject.name.utf8.reduce(0) { $0 &* 31 &+ Int($1) }.magnitude))
    var left = steps(450)
    while left > 0 {
      let count = min(left, 150)
      try round(subject, &dice, count)
      left -= count
    }
  }

  private func round(_ subject: Subject, _ dice: inout Dice, _ count: Int) throws {
    let memory = PhysicalMemory(size: 1 << 30)
    do {
      let table = try subject.make(memory, FailurePoints())
      var plain = PlainTable(subject, pageSizes: table.pageSizes)
      let place = dice.next()
      for step in 0..<count {
        let request = Request(subject, plain, &dice, place)
        if request.isMap {
          let attributes = Self.permissions[Int(dice.below(3))]
          let mine = table.mapped(request.iova, request.physical, request.length, attributes)
          let wanted = plain.map(request.iova, request.physical, request.length)
          #expect(mine == wanted, "\(subject.name): \(request)")
        } else {
          let mine = table.unmapped(request.iova, request.length)
          #expect(mine == plain.unmap(request.iova, request.length), "\(subject.name): \(request)")
        }
        if step % 10 == 9 || step == count - 1 {
          guard same(table, plain, &dice) else { return }
          #expect(memory.allocatedFrames == table.frameCount)
        }
      }
    }
    #expect(memory.allocatedFrames == 0)
    #expect(memory.checkInvariants() == [])
  }

  static let permissions: [MappingAttributes] = [
    [.read, .write, .cache], [.read, .cache], [.write, .cache],
  ]

  /// Whether both have the same leaves, and addresses in and beside them translate the same.
  private func same(_ table: any PageTable, _ plain: PlainTable, _ dice: inout Dice) -> Bool {
    let mine = table.leaves.map {
      PlainTable.Leaf(iova: $0.iova.raw, physical: $0.physical.raw, sizeLg2: $0.sizeLg2)
    }
    let wanted = plain.leaves.sorted { $0.iova < $1.iova }
    #expect(mine == wanted, "\(plain.subject.name)")
    guard mine == wanted else { return false }
    for _ in 0..<10 where !wanted.isEmpty {
      let leaf = wanted[Int(dice.below(UInt64(wanted.count)))]
      let below = (UInt64(1) << UInt64(leaf.sizeLg2)) - 1
      for iova in [leaf.iova, leaf.iova &- 1, leaf.last &+ 1, leaf.last, leaf.iova + (dice.next() & below)] {
        let found = plain.leaf(at: iova)
        #expect(table.translate(IOVA(iova))?.raw == found.map { $0.physical + (iova - $0.iova) })
      }
    }
    return true
  }
}

/// A random request, mostly sensible.
private struct Request: CustomStringConvertible {
  var isMap: Bool
  var iova: UInt64
  var physical: UInt64
  var length: UInt64

  var description: String {
    "\(isMap ? "map" : "unmap") \(String(iova, radix: 16)) length \(String(length, radix: 16)) to \(String(physical, radix: 16))"
  }

  init(_ subject: Subject, _ plain: PlainTable, _ dice: inout Dice, _ place: UInt64) {
    isMap = !dice.oneIn(3) || plain.leaves.isEmpty
    let page = plain.smallest
    var large: UInt64 = 0
    let sizes = (12..<63).filter { plain.pageSizes & (1 << UInt64($0)) != 0 }
    // A length: a few pages, up to two tables of them, or a few of a larger size.
    switch dice.below(8) {
    case 0...3: length = page * (1 + dice.below(20))
    case 4: length = page * (1 + dice.below(700))
    default:
      let size = UInt64(1) << UInt64(sizes[Int(dice.below(UInt64(sizes.count)))])
      length = size * (1 + dice.below(3)) + (dice.oneIn(3) ? page * dice.below(9) : 0)
      if sizes.count == 1 { length = page * (1 + dice.below(300)) }
      if length > page * 2000 { large = size - 1 }
    }
    // A place: near one of two edges of this round, or of anything that is mapped.
    let edges = subject.edges
    let edge = edges[Int((place >> (dice.oneIn(2) ? 0 : 32)) % UInt64(edges.count))]
    iova = edge &+ (dice.below(64) &- 32) &* page
    if dice.oneIn(2) { iova = edge &- length &+ (dice.oneIn(2) ? page : 0) }
    if dice.oneIn(3) { iova = edge & ~((1 << UInt64(sizes[Int(dice.below(UInt64(sizes.count)))])) - 1) }
    iova &= ~(page - 1)
    if !isMap, !dice.oneIn(6) {
      let leaf = plain.leaves[Int(dice.below(UInt64(plain.leaves.count)))]
      iova = leaf.iova
      if dice.oneIn(2) { length = 1 << UInt64(leaf.sizeLg2) }
      if dice.oneIn(4) { iova &-= page }
    }
    // Much at once has to be large leaves, or it takes too long here.
    if isMap, large > 0 { iova &= ~large }
    let mask = subject.outputLg2 == 64 ? UInt64.max : (1 << UInt64(subject.outputLg2)) - 1
    // Memory: aligned like the IOVA up to some size, so that large leaves are possible.
    let alike = (UInt64(1) << UInt64(12 + dice.below(30))) - 1 | large
    physical = ((dice.next() & ~alike) | iova & alike) & mask & ~(page - 1)
    if dice.oneIn(20), large == 0 { physical = mask & ~(page - 1) &- length &+ page }
    if physical > mask { physical = 0 }
    // And now and then something that has to be refused.
    switch dice.below(60) {
    case 0: iova = large == 0 ? iova &+ 0x123 : iova
    case 1: length = length &+ 0x10
    case 2: physical = large == 0 ? physical &+ 0x800 : physical
    case 3: length = 0
    case 4: iova = dice.next() & ~large
    case 5:
      length = dice.next() >> dice.below(20)
      isMap = false
    case 6: physical = dice.next() & ~large
    case 7: iova = .max & ~(page - 1)
    default: break
    }
  }
}
