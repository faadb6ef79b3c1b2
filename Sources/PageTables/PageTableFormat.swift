// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import UAPI

/// The bits of a page table: a caseless enum with static members.
///
/// Levels count from 0, where the smallest pages are. An *item* is one entry; it spans 2^itemLg2 bytes. A *leaf* is
/// a translation; one that is larger than an item is stored in several neighbours, its *slots*.
public protocol PageTableFormat {
  /// What one table has and another of the same format has not.
  associatedtype Options: Sendable

  static var name: String { get }
  static var rules: TableRules { get }
  /// Whether entries are big-endian in memory.
  static var isBigEndian: Bool { get }
  /// Bit that software keeps in table entries of tables that are walked without snooping; 0 for none.
  static var softwareBit: UInt64 { get }

  // Shape.

  /// Bytes that an item of a level spans, as a power of two; `itemLg2(0)` is the granule.
  static func itemLg2(_ level: Int) -> Int
  /// Items of a table that is not the root, as a power of two.
  static func indexLg2(_ level: Int) -> Int
  /// Sizes that a leaf of a level can have, as a bit set.
  static func leafSizes(_ level: Int) -> UInt64

  // Entries.

  static func emptyEntry(_ level: Int) -> UInt64
  /// What unmapping makes of a leaf's entry.
  static func clearedEntry(_ entry: UInt64, _ level: Int) -> UInt64
  static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind
  static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64
  static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64

  /// The attribute bits of leaves, or why there can be none.
  static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64
  static func attributes(_ entry: UInt64) -> MappingAttributes
  /// Every bit of a leaf's entry that is neither address nor type nor size.
  static var attributeMask: UInt64 { get }

  /// The entry in the first slot of a leaf.
  static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64
  /// What to add for each further slot of one leaf.
  static func slotStep(_ level: Int) -> UInt64
  /// What to add for the leaf that follows in physical memory, and the entry of that leaf.
  static func leafStep(sizeLg2: Int) -> UInt64
  static func nextLeaf(_ entry: UInt64, step: UInt64) -> UInt64
  /// The size of the leaf that an entry is a slot of.
  static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int
  /// Where that leaf begins in physical memory.
  static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64

  // Accessed and dirty.

  /// Attribute bits as they are after the leaf was read and written.
  static func used(_ bits: UInt64) -> UInt64
  /// The attribute bits of one leaf in place of two.
  static func combined(_ a: UInt64, _ b: UInt64) -> UInt64
  static func isDirty(_ entry: UInt64) -> Bool
  static func cleanEntry(_ entry: UInt64) -> UInt64
}

extension PageTableFormat {
  public static var isBigEndian: Bool { false }
  public static func emptyEntry(_ level: Int) -> UInt64 { 0 }
  public static func clearedEntry(_ entry: UInt64, _ level: Int) -> UInt64 { 0 }
  public static func slotStep(_ level: Int) -> UInt64 { 0 }
  public static func leafStep(sizeLg2: Int) -> UInt64 { 1 << UInt64(sizeLg2) }
  public static func nextLeaf(_ entry: UInt64, step: UInt64) -> UInt64 { entry &+ step }
  public static func combined(_ a: UInt64, _ b: UInt64) -> UInt64 { a | b }

  /// The leaf sizes that the generic library offers: those of every level, less a leaf as large as the whole table
  /// and what physical memory cannot hold.
  static func offeredSizes(topLevel: Int, inputLg2: Int, outputLg2: Int) -> UInt64 {
    var sizes: UInt64 = 0
    for level in 0...topLevel where itemLg2(level) < inputLg2 { sizes |= leafSizes(level) }
    return sizes & ((1 << UInt64(min(inputLg2 - 1, outputLg2))) - 1)
  }
}

/// How the kernel's library for a format behaves, apart from bits.
public struct TableRules: Sendable {
  public enum Library: Sendable {
    /// `drivers/iommu/generic_pt`: VT-d, AMD, RISC-V.
    case generic
    /// `io-pgtable-arm.c`, called page size by page size by the IOMMU core.
    case arm
    /// `s390-iommu.c`: single pages, tables never freed, what is mapped is mapped over.
    case s390
  }

  public let library: Library
  /// Whether the root can get another level while devices use the table.
  public let grows: Bool
  public let dirty: Dirty

  public enum Dirty: Sendable {
    /// The library has no such operation: EOPNOTSUPP.
    case none
    /// It has, and not for this format: EINVAL.
    case refused
    case tracked
  }
}

/// The shape of one table: `struct pt_common`.
public struct TableGeometry: Sendable {
  /// Level of the root at first, and the highest that it can grow to.
  public var topLevel: Int
  public var highestTop: Int
  /// Items of the root as a power of two; more than of other tables where it is concatenated, less where the
  /// input is narrower.
  public var rootIndexLg2: Int
  /// Widths of an IOVA and of a physical address.
  public var inputLg2: Int
  public var outputLg2: Int
  public var pageSizes: UInt64
  /// The upper half of the input is at the top of the 64-bit space.
  public var signExtends: Bool
  /// Table entries get the software bit once they are written back.
  public var notesWriteBack: Bool

  public init(
    topLevel: Int, highestTop: Int? = nil, rootIndexLg2: Int, inputLg2: Int, outputLg2: Int,
    pageSizes: UInt64, signExtends: Bool = false, notesWriteBack: Bool = false
  ) {
    self.topLevel = topLevel
    self.highestTop = highestTop ?? topLevel
    self.rootIndexLg2 = rootIndexLg2
    self.inputLg2 = inputLg2
    self.outputLg2 = outputLg2
    self.pageSizes = pageSizes
    self.signExtends = signExtends
    self.notesWriteBack = notesWriteBack
  }

  /// The IOVAs that Linux uses: with sign extension, the lower half.
  public var aperture: Span64 { Span64(0, .max >> UInt64(64 - (signExtends ? inputLg2 - 1 : inputLg2))) }
}
