// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory
public import Seams
public import UAPI

/// The I/O address translation tables of s390: region, segment and page tables, big-endian. Linux maps pages of
/// 4 KiB only, leaves the frame in an entry that it unmaps, and frees no table before the end. Source:
/// `drivers/iommu/s390-iommu.c`, `arch/s390/include/asm/pci_dma.h`; reference backends-arm-riscv-s390.md C1 and C5.
public enum ZPCI: PageTableFormat {
  private typealias Table = ZPCITableEntry.Table
  private typealias Page = ZPCITableEntry.Page

  public struct Options: Sendable { public init() {} }

  public static var name: String { "s390 zPCI" }
  public static var rules: TableRules { TableRules(library: .s390, grows: false, dirty: .none) }
  public static var isBigEndian: Bool { true }
  public static var softwareBit: UInt64 { 0 }

  /// Level 0 is the page table, 1 the segment table, 2 to 4 the region tables from third to first.
  public static func itemLg2(_ level: Int) -> Int { level == 0 ? 12 : 20 + 11 * (level - 1) }
  public static func indexLg2(_ level: Int) -> Int { level == 0 ? 8 : 11 }
  public static func leafSizes(_ level: Int) -> UInt64 { level <= 1 ? 1 << UInt64(itemLg2(level)) : 0 }

  public static func emptyEntry(_ level: Int) -> UInt64 { level == 0 ? Page.invalid : Table.invalid }

  public static func clearedEntry(_ entry: UInt64, _ level: Int) -> UInt64 {
    level == 0 ? entry & Page.frameMask | Page.invalid : Table.invalid
  }

  private static func type(_ level: Int) -> UInt64 { UInt64(level - 1) << 2 }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    if level == 0 { return entry & Page.invalid != 0 ? .empty : .leaf }
    guard entry & Table.invalid == 0, entry & Table.typeMask == type(level) else { return .empty }
    return level == 1 && entry & Table.frame != 0 ? .leaf : .table
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    level == 1
      ? address & Table.pageTableOriginMask
      : address & Table.regionOriginMask | type(level) | Table.fullLength
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    entry & (level == 1 ? Table.pageTableOriginMask : Table.regionOriginMask)
  }

  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    attributes.contains(.write) ? 0 : ZPCITableEntry.protected
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    entry & ZPCITableEntry.protected != 0 ? [.read, .cache] : [.read, .write, .cache]
  }

  public static var attributeMask: UInt64 { ZPCITableEntry.protected }

  public static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64 {
    level == 0 ? address & Page.frameMask | bits : address & Table.segmentFrameMask | Table.frame | bits
  }

  public static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int { itemLg2(level) }

  public static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    entry & (level == 0 ? Page.frameMask : Table.segmentFrameMask)
  }

  public static func used(_ bits: UInt64) -> UInt64 { bits }
  public static func isDirty(_ entry: UInt64) -> Bool { false }
  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry }
}

/// A table of an s390 PCI function. Its `translate` keeps the offset in the page, which Linux's loses.
public final class ZPCITable: TableStore, FormattedTable, @unchecked Sendable {
  public typealias Format = ZPCI
  public let options = Format.Options()

  /// Where translation begins, by the level of the table.
  public enum Origin: Int, CaseIterable, Sendable {
    case segment = 1
    case regionThird, regionSecond, regionFirst
  }

  public struct Configuration: Sendable {
    public var origin: Origin
    /// Linux has 4 KiB; segment frames of 1 MiB are what some hardware walks, too.
    public var pageSizes: UInt64

    public init(_ origin: Origin = .regionThird, pageSizes: UInt64 = 4096) {
      self.origin = origin
      self.pageSizes = pageSizes & (1 << 12 | 1 << 20)
    }

    var geometry: TableGeometry {
      let level = origin.rawValue
      return TableGeometry(
        topLevel: level, rootIndexLg2: 11, inputLg2: Format.itemLg2(level) + 11, outputLg2: 64,
        pageSizes: pageSizes)
    }
  }

  /// - Throws: ENOMEM.
  public init(
    _ memory: PhysicalMemory, _ configuration: Configuration = Configuration(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    let empty = Format.emptyEntry(configuration.origin.rawValue)
    try super.init(memory, failures, configuration.geometry, emptyWord: empty.bigEndian)
  }

  /// A look at tables that somebody else made.
  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ configuration: Configuration) throws(Errno)
  {
    try super.init(memory, viewing: root, configuration.geometry)
  }
}
