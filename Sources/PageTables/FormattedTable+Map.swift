// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization
public import UAPI

// Mapping: choose the largest leaf, walk to the table of its level, making tables on the way, and write as many
// leaves of that size as follow each other in that table; again for the rest.

extension FormattedTable {
  public func map(
    _ iova: IOVA, to physical: PhysAddr, length: UInt64, _ attributes: MappingAttributes,
    gather: inout TableGather
  ) throws(Errno) {
    guard length > 0 || Format.rules.library == .generic else { return }
    let bits = try check(iova.raw, physical.raw, length, attributes)
    var done: UInt64 = 0
    do throws(Errno) {
      while done < length {
        try mapRun(
          iova.raw &+ done, physical.raw &+ done, length &- done, bits, done: &done, gather: &gather)
      }
    } catch {
      if done > 0 { _ = unmap(iova, length: done, gather: &gather) }
      throw error
    }
  }

  // MARK: Checks

  /// What is refused before anything is done, in the order of the kernel's library. The kernel looks only at the
  /// first physical address; a run that leaves the width later is refused here as well.
  @inline(__always)
  private func check(
    _ iova: UInt64, _ physical: UInt64, _ length: UInt64, _ attributes: MappingAttributes
  ) throws(Errno) -> UInt64 {
    let (end, tooFar) = physical.addingReportingOverflow(max(length, 1) - 1)
    let isTooWide = tooFar || end >> UInt64(geometry.outputLg2) != 0
    let (last, wraps) = iova.addingReportingOverflow(length &- 1)
    switch Format.rules.library {
    case .generic:
      guard !attributes.isDisjoint(with: [.read, .write]) else {
        throw .EINVAL("a mapping needs a permission", UInt64(attributes.rawValue))
      }
      guard !isTooWide else { throw .ERANGE("the physical address is too wide", physical, length) }
      let bits = try Format.leafBits(attributes, options)
      guard length > 0 else { throw .EINVAL("length is 0") }
      guard !wraps else { throw .EOVERFLOW("iova + length wraps", iova, length) }
      let sizeLg2 = Self.bestSizeLg2(iova, physical, length, geometry.pageSizes)
      guard sizeLg2 >= 0 else { throw .ENXIO("no leaf size suits the addresses", iova, physical) }
      // The kernel never returns from this one.
      guard length & (smallest - 1) == 0 else {
        throw .EINVAL("the length is not a multiple of the smallest leaf", length, smallest)
      }
      if Format.rules.grows { try growRoot(iova, last, leafLevel: Self.level(sizeLg2: sizeLg2)) }
      guard isTranslatable(iova, last) else {
        throw .ERANGE("the IOVA is too wide for the table", iova, last)
      }
      return bits
    case .arm:
      guard (iova | physical | length) & (smallest - 1) == 0 else {
        throw .EINVAL("addresses or length are not multiples of the smallest leaf", iova, physical, length)
      }
      guard !wraps, isTranslatable(iova, last), !isTooWide else {
        throw .ERANGE("an address is too wide for the table", iova, physical, length)
      }
      guard !attributes.isDisjoint(with: [.read, .write]) else {
        throw .EINVAL("a mapping needs a permission", UInt64(attributes.rawValue))
      }
      return try Format.leafBits(attributes, options)
    case .s390:
      guard (iova | physical | length) & (smallest - 1) == 0 else {
        throw .EINVAL("addresses or length are not multiples of the smallest leaf", iova, physical, length)
      }
      guard !wraps, isTranslatable(iova, last), !isTooWide else {
        throw .EINVAL("an address is too wide for the table", iova, physical, length)
      }
      return try Format.leafBits(attributes, options)
    }
  }

  // MARK: Tables

  /// The table of `level` around an IOVA, made where there is none.
  ///
  /// - Throws: EADDRINUSE or EEXIST when a larger leaf is there; ENOMEM; EFAULT over a broken table.
  @inline(__always)
  private func makeTable(_ iova: UInt64, _ level: Int) throws(Errno) -> Place {
    var place = rootPlace
    while place.level > level {
      let slot = place.slots + place.index(iova)
      let entry = Self.load(slot)
      switch Format.kind(entry, place.level) {
      case .table:
        guard let next = child(entry, place.level) else {
          throw .EFAULT("a table's address lies outside of memory", entry)
        }
        place = next
      case .empty: place = try link(slot, entry, place.level, iova)
      case .leaf: throw occupied(iova)
      }
    }
    return place
  }

  private func occupied(_ iova: UInt64) -> Errno {
    Format.rules.library == .arm
      ? .EEXIST("the IOVA is mapped", iova) : .EADDRINUSE("the IOVA is mapped", iova)
  }

  /// Puts a new table below an empty entry, or takes the one that another thread put there first.
  @inline(never)
  private func link(_ slot: Slot, _ seen: UInt64, _ level: Int, _ iova: UInt64) throws(Errno) -> Place {
    let address = try allocateTable(
      bytes: Self.tableBytes(level - 1), emptyWord: Self.word(Format.emptyEntry(level - 1)))
    let entry = Format.tableEntry(address, level)
    if let theirs = Self.exchange(slot, seen, entry) {
      freeTable(address)
      guard Format.kind(theirs, level) == .table else { throw occupied(iova) }
      guard let place = child(theirs, level) else {
        throw .EFAULT("a table's address lies outside of memory", theirs)
      }
      return place
    }
    // The new entry has been written back to memory; see `softwareBit`.
    if geometry.notesWriteBack, Format.softwareBit != 0 {
      slot.pointee.bitwiseOr(Self.word(Format.softwareBit), ordering: .releasing)
    }
    return Place(slots: slots(address), level: level - 1, indexLg2: Format.indexLg2(level - 1))
  }

  // MARK: Leaves

  /// Writes leaves of one size, as many as can follow each other in one table; adds their bytes to `done`, also
  /// when it throws after some.
  @inline(__always)
  private func mapRun(
    _ iova: UInt64, _ physical: UInt64, _ length: UInt64, _ bits: UInt64, done: inout UInt64,
    gather: inout TableGather
  ) throws(Errno) {
    let sizes = geometry.pageSizes
    let sizeLg2 = Self.bestSizeLg2(iova, physical, length, sizes)
    guard sizeLg2 >= 0 else { throw .EINVAL("no leaf size suits the rest", iova, length) }
    let level = Self.level(sizeLg2: sizeLg2)
    let place = try makeTable(iova, level)

    // Up to where the next larger size could take over.
    var span = length
    let larger = sizes & ~((2 << UInt64(sizeLg2)) &- 1)
    if larger != 0 {
      let below = (UInt64(1) << UInt64(larger.trailingZeroBitCount)) - 1
      if (iova ^ physical) & below == 0 { span = min(span, below - (iova & below) + 1) }
    }
    let slotsLg2 = sizeLg2 - Format.itemLg2(level)
    let index = place.index(iova)
    let room = ((1 << place.indexLg2) - index) >> slotsLg2
    let count = Int(min(span >> UInt64(sizeLg2), UInt64(room)))
    let entry = Format.leafEntry(physical, sizeLg2: sizeLg2, level: level, bits: bits)
    let first = place.slots + index
    let written =
      slotsLg2 == 0
      ? try writeItems(first, count, entry, sizeLg2, level, iova, done: &done, gather: &gather)
      : try writeRuns(
        first, count, 1 << slotsLg2, entry, sizeLg2, level, iova, done: &done, gather: &gather)
    done &+= UInt64(written) << UInt64(sizeLg2)
  }

  /// Leaves of one slot each.
  @inline(__always)
  private func writeItems(
    _ first: Slot, _ count: Int, _ start: UInt64, _ sizeLg2: Int, _ level: Int, _ iova: UInt64,
    done: inout UInt64, gather: inout TableGather
  ) throws(Errno) -> Int {
    var entry = start
    let empty = Format.emptyEntry(level)
    let step = Format.leafStep(sizeLg2: sizeLg2)
    for offset in 0..<count {
      let slot = first + offset
      if Format.rules.library != .s390, Self.load(slot) != empty {
        guard vacate(slot, 1, level, iova &+ UInt64(offset) << UInt64(sizeLg2), &gather) else {
          done &+= UInt64(offset) << UInt64(sizeLg2)
          throw occupied(iova &+ UInt64(offset) << UInt64(sizeLg2))
        }
      }
      Self.store(entry, slot)
      entry = Format.nextLeaf(entry, step: step)
    }
    return count
  }

  /// Leaves of several slots each. All slots of a leaf must be free before one is written.
  private func writeRuns(
    _ first: Slot, _ count: Int, _ slots: Int, _ start: UInt64, _ sizeLg2: Int, _ level: Int, _ iova: UInt64,
    done: inout UInt64, gather: inout TableGather
  ) throws(Errno) -> Int {
    var leaf = start
    let step = Format.slotStep(level)
    for number in 0..<count {
      let slot = first + number * slots
      let here = iova &+ UInt64(number) << UInt64(sizeLg2)
      guard vacate(slot, slots, level, here, &gather) else {
        done &+= UInt64(number) << UInt64(sizeLg2)
        throw occupied(here)
      }
      var entry = leaf
      for offset in 0..<slots {
        Self.store(entry, slot + offset)
        entry &+= step
      }
      leaf = Format.nextLeaf(leaf, step: Format.leafStep(sizeLg2: sizeLg2))
    }
    return count
  }

  /// Takes tables out of some slots that a leaf shall have; false if something is mapped there. `clear_contig`.
  ///
  /// Arm's library does not look into a table that a block replaces: what is mapped there is lost, as when its
  /// whole block is unmapped.
  private func vacate(_ first: Slot, _ count: Int, _ level: Int, _ iova: UInt64, _ gather: inout TableGather)
    -> Bool
  {
    for offset in 0..<count {
      let slot = first + offset
      let entry = Self.load(slot)
      switch Format.kind(entry, level) {
      case .empty: continue
      case .leaf: return false
      case .table:
        if Format.rules.library != .arm, let below = child(entry, level) {
          var budget = self.budget
          guard isEmpty(below, &budget) else { return false }
        }
        unlink(slot, entry, level, iova &+ UInt64(offset) << UInt64(Format.itemLg2(level)), &gather)
      }
    }
    return true
  }

  /// Whether no leaf is below.
  private func isEmpty(_ place: Place, _ budget: inout Int) -> Bool {
    guard budget > 0 else { return false }
    budget -= 1
    for index in 0..<1 << place.indexLg2 {
      let entry = Self.load(place.slots + index)
      switch Format.kind(entry, place.level) {
      case .empty: continue
      case .leaf: return false
      case .table:
        if let below = child(entry, place.level), !isEmpty(below, &budget) { return false }
      }
    }
    return true
  }

  /// Takes a table out and leaves it, with everything below, to the gather.
  func unlink(
    _ slot: Slot, _ entry: UInt64, _ level: Int, _ iova: UInt64, _ gather: inout TableGather
  ) {
    Self.store(Format.emptyEntry(level), slot)
    retire(entry, level, &gather)
    let first = iova & ~Self.below(level)
    gather.add(first: first, last: first | Self.below(level))
    if Format.rules.library == .arm {
      gather.note(first, first | Self.below(level), sizeLg2: Format.itemLg2(level), isTable: true)
    }
  }

  /// Leaves a table that is out of reach, and all below it, to the gather. Each table of ours is met once: a table
  /// that is linked twice, or in a circle, is no table of ours any more the second time.
  func retire(_ entry: UInt64, _ level: Int, _ gather: inout TableGather) {
    guard retire(Format.tableAddress(entry, level), to: &gather) else { return }
    gather.tableLevels |= 1 << UInt8(level)
    guard level > 1, let place = child(entry, level) else { return }
    for index in 0..<1 << place.indexLg2 {
      let entry = Self.load(place.slots + index)
      if Format.kind(entry, place.level) == .table { retire(entry, place.level, &gather) }
    }
  }
}
