// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
internal import UAPI

extension FormattedTable {
  /// Puts tables on top until the root covers a range and can hold leaves of a level. The old root stays as it is,
  /// below the first entry of the new one, so walks that began there remain right. `increase_top`.
  ///
  /// - Throws: ERANGE when the table cannot become so large; ENOMEM.
  @inline(__always)
  func growRoot(_ first: UInt64, _ last: UInt64, leafLevel: Int) throws(Errno) {
    let level = Int(top.load(ordering: .relaxed) & 7)
    if leafLevel <= level, isTranslatable(first, last) { return }
    try growRootSlowly(first, last, leafLevel)
  }

  @inline(never)
  private func growRootSlowly(_ first: UInt64, _ last: UInt64, _ leafLevel: Int) throws(Errno) {
    while true {
      let seen = top.load(ordering: .acquiring)
      var level = Int(seen & 7)
      var address = seen & ~0xFFF
      var fresh: [UInt64] = []
      do throws(Errno) {
        while leafLevel > level
          || last >> UInt64(min(geometry.inputLg2, Format.itemLg2(level) + Format.indexLg2(level))) != 0
        {
          level += 1
          guard level <= geometry.highestTop, Format.itemLg2(level) < geometry.inputLg2 else {
            throw .ERANGE("the IOVA is too wide for the table", first, last)
          }
          let new = try allocateTable(
            bytes: Self.tableBytes(level), emptyWord: Self.word(Format.emptyEntry(level)))
          fresh.append(new)
          Self.store(Format.tableEntry(address, level), slots(new))
          address = new
        }
      } catch {
        for table in fresh { freeTable(table) }
        throw error
      }
      if fresh.isEmpty || replaceRoot(seen, address | UInt64(level)) { return }
      // Another thread was faster.
      for table in fresh { freeTable(table) }
    }
  }
}
