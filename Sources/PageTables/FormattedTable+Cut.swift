// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization
public import UAPI

// Cutting replaces one leaf by smaller ones that translate the same. All tables are made and filled before the
// first entry changes, so ENOMEM changes nothing; then each slot of the leaf is replaced by one store. A reader at
// any moment finds an old or a new entry, and both say the same. (Arm asks for BBML level 2 before software may
// do this to a table in use; whoever calls has to look.)
//
//     before   [            2 MiB            ]       after   [ table ]
//                            ^ cut here                        |-- 4K ... 64K 128K ... 4K
//                                                              smaller towards the cut, larger away from it

extension FormattedTable {
  public func cut(_ iova: IOVA, gather: inout TableGather) throws(Errno) {
    guard let found = find(iova.raw), found.iova != iova.raw else { return }
    guard iova.raw & (smallest - 1) == 0 else {
      throw .EINVAL("no leaf can begin here", iova.raw, smallest)
    }
    let first = firstSlot(found)
    let count = Self.slotCount(found)
    let physical = Format.leafAddress(found.entry, found.level)
    let last = found.iova | ((1 << UInt64(found.sizeLg2)) &- 1)
    var bits = Format.attributeMask & Self.load(first)
    for offset in 1..<max(1, count) {
      bits = Format.combined(bits, Format.attributeMask & Self.load(first + offset))
    }

    var words = [UInt64](repeating: 0, count: count)
    var fresh: [UInt64] = []
    do throws(Errno) {
      try words.withUnsafeMutableBufferPointer { words throws(Errno) in
        try build(
          Cutting(iova: found.iova, physical: physical, cut: iova.raw, bits: bits), found.level, found.iova,
          last,
          &fresh
        ) { words[$0] = $1 }
      }
    } catch {
      for table in fresh { freeTable(table) }
      throw error
    }
    for offset in 0..<count { replace(first + offset, by: words[offset], level: found.level) }
    gather.leafLevels |= 1 << UInt8(found.level)
    gather.add(first: found.iova, last: last)
    if Format.rules.library == .arm {
      gather.note(found.iova, last, sizeLg2: found.sizeLg2, isTable: false)
    }
  }

  /// Works out the entries of a table for a range of IOVAs and hands each to `write`, with its place relative to
  /// the first; makes and fills the tables that they need.
  private func build(
    _ cutting: Cutting, _ level: Int, _ first: UInt64, _ last: UInt64, _ fresh: inout [UInt64],
    _ write: (Int, UInt64) -> Void
  ) throws(Errno) {
    let itemLg2 = Format.itemLg2(level)
    let below = Self.below(level)
    let sizes = geometry.pageSizes & Format.leafSizes(level)
    var at = first
    var index = 0
    while true {
      let end = at < cutting.cut && cutting.cut <= last ? cutting.cut - 1 : last
      let physical = cutting.physical &+ (at &- cutting.iova)
      let sizeLg2 = Self.bestSizeLg2(at, physical, end - at + 1, sizes)
      let next: UInt64
      if sizeLg2 >= itemLg2 {
        var entry = Format.leafEntry(physical, sizeLg2: sizeLg2, level: level, bits: cutting.bits)
        for _ in 0..<1 << (sizeLg2 - itemLg2) {
          write(index, entry)
          entry &+= Format.slotStep(level)
          index += 1
        }
        next = at + ((1 << UInt64(sizeLg2)) - 1)
      } else {
        guard level > 0 else { throw .EINVAL("no leaf size suits the cut", at, cutting.cut) }
        let table = try allocateTable(
          bytes: Self.tableBytes(level - 1), emptyWord: Self.word(Format.emptyEntry(level - 1)))
        fresh.append(table)
        next = at | below
        let entries = slots(table)
        try build(cutting, level - 1, at, next, &fresh) { Self.store($1, entries + $0) }
        var entry = Format.tableEntry(table, level)
        if geometry.notesWriteBack { entry |= Format.softwareBit }
        write(index, entry)
        index += 1
      }
      if next >= last { return }
      at = next + 1
    }
  }

  /// Replaces an entry of a leaf that is in use. What hardware marked in it since it was read is kept, if the new
  /// entry is a leaf; if it is a table, the leaves below were made from the state before, and get the mark.
  func replace(_ slot: Slot, by entry: UInt64, level: Int) {
    var seen = Self.load(slot)
    let bits = Format.attributeMask
    while true {
      var new = entry
      if Format.kind(entry, level) == .leaf {
        new = entry & ~bits | Format.combined(entry & bits, seen & bits)
      }
      guard let now = Self.exchange(slot, seen, new) else { break }
      seen = now
    }
    if Format.kind(entry, level) == .table, let place = child(entry, level) { spread(seen & bits, place) }
  }

  /// Marks leaves below a table with a state that they lack.
  private func spread(_ state: UInt64, _ place: Place) {
    let bits = Format.attributeMask
    for index in 0..<1 << place.indexLg2 {
      let slot = place.slots + index
      var entry = Self.load(slot)
      switch Format.kind(entry, place.level) {
      case .empty: continue
      case .table:
        if let next = child(entry, place.level) { spread(state, next) }
      case .leaf:
        while true {
          let new = entry & ~bits | Format.combined(entry & bits, state)
          guard new != entry, let now = Self.exchange(slot, entry, new) else { break }
          entry = now
        }
      }
    }
  }
}
