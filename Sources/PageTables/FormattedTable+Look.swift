// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization

// Looking without changing anything.

extension FormattedTable {
  /// The leaf around an IOVA.
  @inline(__always)
  func find(_ iova: UInt64) -> FoundLeaf? {
    guard isTranslatable(iova, iova) else { return nil }
    var place = rootPlace
    while true {
      let slot = place.slots + place.index(iova)
      let entry = Self.load(slot)
      switch Format.kind(entry, place.level) {
      case .empty: return nil
      case .table:
        guard place.level > 0, let next = child(entry, place.level) else { return nil }
        place = next
      case .leaf:
        let sizeLg2 = Self.leafSizeLg2(entry, place)
        return FoundLeaf(
          slot: slot, level: place.level, entry: entry, sizeLg2: sizeLg2,
          iova: iova & ~((1 << UInt64(sizeLg2)) &- 1))
      }
    }
  }

  public func translate(_ iova: IOVA) -> PhysAddr? {
    guard let found = find(iova.raw) else { return nil }
    return PhysAddr(Format.leafAddress(found.entry, found.level) &+ (iova.raw &- found.iova))
  }

  public func leaf(at iova: IOVA) -> TableLeaf? { find(iova.raw).map(leaf) }

  func leaf(_ found: FoundLeaf) -> TableLeaf {
    TableLeaf(
      iova: IOVA(found.iova), physical: PhysAddr(Format.leafAddress(found.entry, found.level)),
      sizeLg2: found.sizeLg2, attributes: Format.attributes(found.entry), isDirty: isDirty(found))
  }

  /// How many slots a leaf has. Its first slot is the one whose number is a multiple of that.
  static func slotCount(_ found: FoundLeaf) -> Int { 1 << (found.sizeLg2 - Format.itemLg2(found.level)) }

  /// The first slot of a leaf that was found by another: slots are aligned in memory as they are in the table.
  func firstSlot(_ found: FoundLeaf) -> Slot {
    slots(address(of: found.slot) & ~(UInt64(Self.slotCount(found)) * 8 - 1))
  }

  /// A leaf is dirty if one of its slots is.
  func isDirty(_ found: FoundLeaf) -> Bool {
    let first = firstSlot(found)
    for offset in 0..<Self.slotCount(found) where Format.isDirty(Self.load(first + offset)) { return true }
    return false
  }

  public func walk(_ iova: IOVA) -> [TableEntry] {
    guard isTranslatable(iova.raw, iova.raw) else { return [] }
    var steps: [TableEntry] = []
    var place: Place? = rootPlace
    while let here = place {
      let step = entry(here, here.index(iova.raw))
      steps.append(step)
      place = step.kind == .table && here.level > 0 ? child(step.raw, here.level) : nil
    }
    return steps
  }

  private func entry(_ place: Place, _ index: Int) -> TableEntry {
    let slot = place.slots + index
    let raw = Self.load(slot)
    return TableEntry(
      level: place.level, index: index, address: PhysAddr(address(of: slot)), raw: raw,
      kind: Format.kind(raw, place.level))
  }

  public func forEachLeaf(in range: Span64, _ body: (TableLeaf) -> Void) {
    var budget = self.budget
    for part in translatable(range) {
      visit(rootPlace, part.first, part.last, &budget) { found, _, _ in body(leaf(found)) }
    }
  }

  /// Tables that work on a range may enter. Every table of ours is entered once; what is more is tables that were
  /// overwritten with pointers in circles, and has to end. Of others' tables we cannot know how many there are.
  var budget: Int { isView ? 1 << 16 : 2 * tableCount + 16 }

  /// Visits the leaves that meet a range, each once: with their table, and their first IOVA in the range.
  func visit(
    _ place: Place, _ first: UInt64, _ last: UInt64, _ budget: inout Int,
    _ body: (FoundLeaf, Place, UInt64) -> Void
  ) {
    guard budget > 0 else { return }
    budget -= 1
    let level = place.level
    let below = Self.below(level)
    var start = first
    var index = place.index(first)
    let end = place.index(last)
    while index <= end {
      let slot = place.slots + index
      let entry = Self.load(slot)
      var itemLast = start | below
      switch Format.kind(entry, level) {
      case .empty: index += 1
      case .table:
        if level > 0, let next = child(entry, level) {
          visit(next, start, min(last, itemLast), &budget, body)
        }
        index += 1
      case .leaf:
        let sizeLg2 = Self.leafSizeLg2(entry, place)
        let leafBelow = (UInt64(1) << UInt64(sizeLg2)) &- 1
        let found = FoundLeaf(
          slot: slot, level: level, entry: entry, sizeLg2: sizeLg2, iova: start & ~leafBelow)
        body(found, place, start)
        index = (index | (Self.slotCount(found) - 1)) + 1
        itemLast = start | leafBelow
      }
      start = itemLast &+ 1
    }
  }

  public func forEachEntry(_ body: (TableEntry, _ path: [Int]) -> Void) {
    var budget = self.budget
    var path: [Int] = []
    each(rootPlace, &path, &budget, body)
  }

  private func each(
    _ place: Place, _ path: inout [Int], _ budget: inout Int, _ body: (TableEntry, [Int]) -> Void
  ) {
    guard budget > 0 else { return }
    budget -= 1
    for index in 0..<1 << place.indexLg2 {
      let entry = entry(place, index)
      guard entry.kind != .empty else { continue }
      path.append(index)
      body(entry, path)
      if entry.kind == .table, let next = child(entry.raw, place.level) { each(next, &path, &budget, body) }
      path.removeLast()
    }
  }
}
