// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Synchronization

/// The algorithms over one format.
///
/// A final class that conforms has nothing but the format's name, its options, and initialisers. It gets a copy of
/// all algorithms, specialised for its format, because the compiler sees class, format and algorithm in one module.
public protocol FormattedTable: TableStore, PageTable {
  associatedtype Format: PageTableFormat
  var options: Format.Options { get }
}

extension FormattedTable {
  public var name: String { Format.name }
  public var aperture: Span64 { geometry.aperture }
  public var pageSizes: UInt64 { geometry.pageSizes }

  typealias Place = TablePlace<Format>

  // MARK: Entries

  @inline(__always)
  static func word(_ entry: UInt64) -> UInt64 {
    Format.isBigEndian ? entry.bigEndian : entry.littleEndian
  }

  @inline(__always)
  static func load(_ slot: Slot) -> UInt64 {
    let word = slot.pointee.load(ordering: .acquiring)
    return Format.isBigEndian ? UInt64(bigEndian: word) : UInt64(littleEndian: word)
  }

  @inline(__always)
  static func store(_ entry: UInt64, _ slot: Slot) {
    slot.pointee.store(word(entry), ordering: .releasing)
  }

  /// Stores `entry` if the slot holds `seen`; nil if it did, what it holds otherwise.
  static func exchange(_ slot: Slot, _ seen: UInt64, _ entry: UInt64) -> UInt64? {
    let (done, now) = slot.pointee.compareExchange(
      expected: word(seen), desired: word(entry), ordering: .acquiringAndReleasing)
    if done { return nil }
    return Format.isBigEndian ? UInt64(bigEndian: now) : UInt64(littleEndian: now)
  }

  // MARK: Shape

  @inline(__always)
  static func tableBytes(_ level: Int) -> Int { 8 << Format.indexLg2(level) }

  /// Bytes that an item spans, less one.
  @inline(__always)
  static func below(_ level: Int) -> UInt64 { (1 << UInt64(Format.itemLg2(level))) &- 1 }

  /// Items of the root as a power of two.
  @inline(__always)
  func rootIndexLg2(_ level: Int) -> Int {
    Format.rules.grows ? Format.indexLg2(level) : geometry.rootIndexLg2
  }

  /// The size of the leaf that an entry is a slot of, never less than an item or more than the table: an entry
  /// that was overwritten may claim anything.
  @inline(__always)
  static func leafSizeLg2(_ entry: UInt64, _ place: Place) -> Int {
    let itemLg2 = Format.itemLg2(place.level)
    return min(max(Format.leafSizeLg2(entry, place.level), itemLg2), itemLg2 + place.indexLg2)
  }

  @inline(__always)
  var rootPlace: Place {
    let word = top.load(ordering: .acquiring)
    let level = Int(word & 7)
    return Place(slots: slots(word & ~Page.mask), level: level, indexLg2: rootIndexLg2(level))
  }

  /// The table below an entry; nil if the entry points outside of memory.
  @inline(__always)
  func child(_ entry: UInt64, _ level: Int) -> Place? {
    let address = Format.tableAddress(entry, level)
    guard let slots = slots(checking: address, bytes: UInt64(Self.tableBytes(level - 1))) else { return nil }
    return Place(slots: slots, level: level - 1, indexLg2: Format.indexLg2(level - 1))
  }

  // MARK: Ranges

  /// Width of the input with the root that is there now.
  @inline(__always)
  var inputLg2: Int {
    guard Format.rules.grows else { return geometry.inputLg2 }
    let level = Int(top.load(ordering: .acquiring) & 7)
    return min(geometry.inputLg2, Format.itemLg2(level) + Format.indexLg2(level))
  }

  /// Whether both ends of a range can be translated, and by the same half of the table.
  @inline(__always)
  func isTranslatable(_ first: UInt64, _ last: UInt64) -> Bool {
    if geometry.signExtends {
      let half = UInt64(geometry.inputLg2 - 1)
      let (low, high) = (first >> half, last >> half)
      return low == high && (low == 0 || low == .max >> half)
    }
    return last >> UInt64(inputLg2) == 0
  }

  /// The parts of `range` that the table can translate, ascending.
  func translatable(_ range: Span64) -> [Span64] {
    var parts: [Span64] = []
    let width = UInt64(geometry.signExtends ? geometry.inputLg2 - 1 : inputLg2)
    let lower = UInt64.max >> (64 - width)
    if range.first <= lower { parts.append(Span64(range.first, min(range.last, lower))) }
    if geometry.signExtends, range.last >= ~lower {
      parts.append(Span64(max(range.first, ~lower), range.last))
    }
    return parts
  }

  /// Smallest leaf that may be used.
  var smallest: UInt64 { 1 << UInt64(geometry.pageSizes.trailingZeroBitCount) }

  /// The level whose leaves can have a size.
  @inline(__always)
  static func level(sizeLg2: Int) -> Int {
    var level = 0
    while Format.itemLg2(level + 1) <= sizeLg2 { level += 1 }
    return level
  }

  /// The largest leaf among `sizes` that may begin here, as a power of two; -1 for none.
  /// `pt_compute_best_pgsize`, `iommu_pgsize`.
  @inline(__always)
  static func bestSizeLg2(_ iova: UInt64, _ physical: UInt64, _ length: UInt64, _ sizes: UInt64) -> Int {
    let fits = UInt64(1) << UInt64(63 - length.leadingZeroBitCount)
    let largest = UInt64((iova | physical | fits).trailingZeroBitCount)
    let usable = sizes & ((2 << largest) &- 1)
    return 63 - usable.leadingZeroBitCount
  }
}
