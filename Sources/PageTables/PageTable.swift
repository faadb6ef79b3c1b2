// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import UAPI

// The software side of IOMMU page tables: what Linux keeps in `drivers/iommu/generic_pt`, `io-pgtable-arm.c` and
// `s390-iommu.c`. There is one set of algorithms, in `FormattedTable+...`, and a small description of bits for
// each format, in `Formats`; a driver holds one of the final classes that join the two.
//
//     PageTable            what a driver calls             protocol, for the edge
//     ArmStage1Table4K ... one final class a format        names its format, makes its geometry
//     FormattedTable       the algorithms                  protocol extension, specialised for each class
//     PageTableFormat      bits of an entry                caseless enums with static members
//     TableStore           frames, root, ownership         base class
//
// The entries are bytes of the simulated machine's memory, where the IOMMU's hardware half walks them. Nothing
// here tells the hardware anything: what has to be flushed, and which tables may be freed after the flush, is
// left in a `TableGather`.
//
// Threads. As in the kernel, `map`, `unmap` and looking may run at once on disjoint ranges of IOVAs, without a
// lock: a table is linked by compare-and-exchange and the loser takes the winner's; a table is unlinked only by a
// call whose own range covers it. Calls on overlapping ranges are the caller's to order (iommufd's area lock).
// `cut` and `grow` change how a range is stored and need that range as `unmap` does.
//
// Bytes of tables may be overwritten by anyone who can write simulated memory. Then translations are nonsense, as
// on a real machine, but nothing here traps or runs for ever: a pointer outside of memory is a hole, and only
// frames that this table allocated are ever freed.

/// A page table of some IOMMU, as its driver uses it.
public protocol PageTable: AnyObject, Sendable {
  /// The format's name, for people.
  var name: String { get }
  /// Where hardware begins, and how many levels there are. Changes when a table of AMD's grows.
  var root: TableRoot { get }
  /// The IOVAs that Linux uses of it: `domain->geometry`. A table with sign extension has another, upper half.
  var aperture: Span64 { get }
  /// Leaf sizes in use as a bit set: bit n for 2^n bytes. `domain->pgsize_bitmap`.
  var pageSizes: UInt64 { get }

  /// Maps `length` bytes at `iova` to the contiguous physical range at `physical`, all or nothing, with the
  /// largest leaves that fit. Empty tables that a large leaf replaces are left in `gather`, also when this throws.
  /// Source: `iommu_map_nosync`.
  ///
  /// - Throws: EADDRINUSE, or EEXIST for Arm, over something that is mapped; ENOMEM; ERANGE, ENXIO, EINVAL,
  ///   EOVERFLOW for addresses or lengths that the format cannot hold, as each of Linux's libraries has it.
  func map(
    _ iova: IOVA, to physical: PhysAddr, length: UInt64, _ attributes: MappingAttributes,
    gather: inout TableGather) throws(Errno)

  /// Removes the translations of `length` bytes at `iova`; returns how many bytes were unmapped. It ends at the
  /// first hole, and at a leaf that begins before the range. Source: `iommu_unmap_fast`.
  func unmap(_ iova: IOVA, length: UInt64, gather: inout TableGather) -> UInt64

  /// The physical address behind one byte, or nil. Source: `iommu_iova_to_phys`.
  func translate(_ iova: IOVA) -> PhysAddr?

  /// The leaf around an IOVA.
  func leaf(at iova: IOVA) -> TableLeaf?

  /// Every entry that a walk to `iova` looks at, from the root, without effects.
  func walk(_ iova: IOVA) -> [TableEntry]

  /// Every leaf that meets `range`, ascending.
  func forEachLeaf(in range: Span64, _ body: (TableLeaf) -> Void)

  /// Every entry that is present, each before what is below it; with the indexes that lead to it.
  func forEachEntry(_ body: (TableEntry, _ path: [Int]) -> Void)

  /// Reports the dirty leaves inside `length` bytes at `iova` through `report(first IOVA, bytes)` and, with
  /// `clearing`, makes them clean. Source: `read_and_clear_dirty`.
  ///
  /// - Throws: EOPNOTSUPP for a format without dirty bits; ERANGE, EINVAL.
  func readDirty(
    _ iova: IOVA, length: UInt64, clearing: Bool, gather: inout TableGather,
    report: (IOVA, UInt64) -> Void) throws(Errno)

  /// Makes `iova` the first address of a leaf, if a leaf is there: a larger one is replaced by smaller ones. Every
  /// translation, permission and dirty state stays, at every moment, for whoever reads at the same time.
  ///
  /// - Throws: EINVAL when no leaf can begin there; ENOMEM, and then nothing has changed.
  func cut(_ iova: IOVA, gather: inout TableGather) throws(Errno)

  /// Merges leaves inside the range into the largest that fit, where memory and permissions are contiguous.
  /// Returns how many larger leaves were made.
  func grow(_ iova: IOVA, length: UInt64, gather: inout TableGather) -> Int

  /// Frames that the tables occupy, without those that wait in a gather.
  var frameCount: Int { get }
}

/// What hardware has to be told to use a table.
public struct TableRoot: Hashable, Sendable {
  public let address: PhysAddr
  /// Level of the root; level 0 has the smallest pages.
  public let level: Int
  public init(address: PhysAddr, level: Int) {
    self.address = address
    self.level = level
  }
}

/// What a mapping allows and how the bus treats it, with the numbers of the kernel's IOMMU_READ to IOMMU_PRIV.
public struct MappingAttributes: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
  public static let read = MappingAttributes(rawValue: 1)
  public static let write = MappingAttributes(rawValue: 2)
  public static let cache = MappingAttributes(rawValue: 4)
  public static let noExecute = MappingAttributes(rawValue: 8)
  public static let mmio = MappingAttributes(rawValue: 16)
  public static let privileged = MappingAttributes(rawValue: 32)
  /// The domain enforces coherency: VT-d's second stage sets SNP.
  public static let snoop = MappingAttributes(rawValue: 256)
}

/// A translation.
public struct TableLeaf: Hashable, Sendable {
  public let iova: IOVA
  public let physical: PhysAddr
  /// The leaf covers 2^sizeLg2 bytes.
  public let sizeLg2: Int
  public let attributes: MappingAttributes
  public let isDirty: Bool
}

/// An entry of a table, as it is in memory.
public struct TableEntry: Hashable, Sendable {
  public enum Kind: Sendable { case empty, table, leaf }
  public let level: Int
  public let index: Int
  /// Where the entry is.
  public let address: PhysAddr
  /// The word as the format numbers its bits, whatever its order of bytes in memory.
  public let raw: UInt64
  public let kind: Kind
}
