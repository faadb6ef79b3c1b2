// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import UAPI

/// The slow obvious version of a page table: leaves in an array, looked at one after the other, and the set of
/// tables that would be linked. It follows the rules of the kernel's three libraries as the references state them.
struct PlainTable {
  struct Leaf: Equatable {
    var iova: UInt64
    var physical: UInt64
    var sizeLg2: Int
    var last: UInt64 { iova + ((1 << UInt64(sizeLg2)) - 1) }
  }

  /// A table of a level, by its first IOVA. Only Arm's rules ask for it.
  struct Table: Hashable {
    var level: Int
    var iova: UInt64
  }

  let subject: Subject
  let pageSizes: UInt64
  private(set) var leaves: [Leaf] = []
  private var tables: Set<Table> = []
  /// Level of a root that grows.
  private var top: Int

  init(_ subject: Subject, pageSizes: UInt64) {
    self.subject = subject
    self.pageSizes = pageSizes
    top = subject.firstTop ?? subject.items.count - 1
  }

  /// The last IOVA that the root covers.
  private var topLast: UInt64 {
    guard top + 1 < subject.items.count else { return subject.last }
    return (1 << UInt64(subject.items[top + 1])) - 1
  }

  var smallest: UInt64 { 1 << UInt64(pageSizes.trailingZeroBitCount) }

  private func fits(_ first: UInt64, _ last: UInt64) -> Bool {
    guard first <= last else { return false }
    if subject.firstTop != nil { return last <= topLast }
    if last <= subject.last { return true }
    return subject.signExtends && first >= ~subject.last
  }

  private func best(_ iova: UInt64, _ physical: UInt64, _ left: UInt64) -> Int? {
    (0..<64).reversed().first { size in
      let below = (UInt64(1) << UInt64(size)) - 1
      return pageSizes & (below + 1) != 0 && (iova | physical) & below == 0 && left > below
    }
  }

  // MARK: Map

  mutating func map(_ iova: UInt64, _ physical: UInt64, _ length: UInt64) -> Errno? {
    let aligned = (iova | physical | length) % smallest == 0
    let highest = subject.outputLg2 == 64 ? UInt64.max : (1 << UInt64(subject.outputLg2)) - 1
    let inMemory = physical <= highest && highest - physical >= max(length, 1) - 1
    let isRange = length > 0 && iova <= .max - (length - 1)
    let inTable = isRange && fits(iova, iova + (length - 1))
    switch subject.manners {
    case .generic:
      guard inMemory else { return .ERANGE }
      guard length > 0 else { return .EINVAL }
      guard iova <= .max - (length - 1) else { return .EOVERFLOW }
      guard let size = best(iova, physical, length) else { return .ENXIO }
      guard length % smallest == 0 else { return .EINVAL }
      if subject.firstTop != nil {
        guard iova + (length - 1) <= subject.last else { return .ERANGE }
        while topLast < iova + (length - 1) || top < subject.level(size) { top += 1 }
      } else {
        guard inTable else { return .ERANGE }
      }
      guard !leaves.contains(where: { $0.iova <= iova + (length - 1) && iova <= $0.last }) else {
        return .EADDRINUSE
      }
    case .arm:
      guard length > 0 else { return nil }
      guard aligned else { return .EINVAL }
      guard inTable, inMemory else { return .ERANGE }
    case .s390:
      guard length > 0 else { return nil }
      guard aligned, inTable, inMemory else { return .EINVAL }
      leaves.removeAll { $0.iova <= iova + (length - 1) && iova <= $0.last }
    }
    var done: UInt64 = 0
    while done < length {
      let (at, to) = (iova + done, physical + done)
      guard let size = best(at, to, length - done) else { return .EINVAL }
      let new = Leaf(iova: at, physical: to, sizeLg2: size)
      if subject.manners == .arm {
        let level = subject.level(size)
        let old = leaves.filter { $0.iova <= new.last && at <= $0.last }
        if old.contains(where: { subject.level($0.sizeLg2) >= level }) {
          // Tables in the way of the leaves before went with what they held; the new leaves go again. A leaf of
          // several entries may have lost the tables of its first ones before one of its entries was in the way.
          let item = UInt64(1) << UInt64(subject.items[level])
          var part = at
          while part <= new.last,
            !old.contains(where: { subject.level($0.sizeLg2) >= level && $0.iova <= part && part <= $0.last })
          {
            removeBelow(part, level)
            part += item
          }
          if done > 0 { unmap(iova, done) }
          return .EEXIST
        }
        for part in stride(from: at, through: new.last, by: 1 << subject.items[level]) {
          removeBelow(part, level)
        }
      }
      link(new)
      leaves.append(new)
      done += 1 << UInt64(size)
    }
    return nil
  }

  private mutating func link(_ leaf: Leaf) {
    guard subject.manners == .arm else { return }
    for level in subject.level(leaf.sizeLg2)..<subject.items.count - 1 {
      let span = UInt64(subject.items[level + 1])
      tables.insert(Table(level: level, iova: (leaf.iova >> span) << span))
    }
  }

  /// Forgets the table below an entry, with everything in it.
  private mutating func removeBelow(_ iova: UInt64, _ level: Int) {
    guard level > 0 else { return }
    let last = iova + ((1 << UInt64(subject.items[level])) - 1)
    leaves.removeAll { $0.iova >= iova && $0.last <= last && subject.level($0.sizeLg2) < level }
    tables = tables.filter { !($0.level < level && $0.iova >= iova && $0.iova <= last) }
  }

  // MARK: Unmap

  @discardableResult
  mutating func unmap(_ iova: UInt64, _ length: UInt64) -> UInt64 {
    guard length > 0, iova <= .max - (length - 1), fits(iova, iova + (length - 1)) else { return 0 }
    let last = iova + (length - 1)
    if subject.manners != .generic, (iova | length) % smallest != 0 { return 0 }
    if subject.manners == .s390 {
      leaves.removeAll { $0.iova <= last && iova <= $0.last }
      return length
    }
    var done: UInt64 = 0
    while done < length {
      let at = iova + done
      if subject.manners == .arm, let block = block(at, length - done) {
        // A table where a whole block is unmapped.
        removeBelow(at, subject.level(block))
        done += 1 << UInt64(block)
        continue
      }
      guard let index = leaves.firstIndex(where: { $0.iova <= at && at <= $0.last }), leaves[index].iova == at
      else {
        break
      }
      if subject.manners == .arm, leaves[index].last > last { break }
      done += 1 << UInt64(leaves[index].sizeLg2)
      leaves.remove(at: index)
      if done == 0 { return 0 }
    }
    return done
  }

  /// The largest block that begins here and fits and has a table instead of a leaf.
  private func block(_ iova: UInt64, _ left: UInt64) -> Int? {
    for level in subject.items.indices.reversed() where level > 0 {
      let size = subject.items[level]
      let below = (UInt64(1) << UInt64(size)) - 1
      guard pageSizes & (below + 1) != 0, iova & below == 0, left > below else { continue }
      // The largest block decides, whatever is there.
      return tables.contains(Table(level: level - 1, iova: iova)) ? size : nil
    }
    return nil
  }

  // MARK: Looking

  func leaf(at iova: UInt64) -> Leaf? { leaves.first { $0.iova <= iova && iova <= $0.last } }
}
