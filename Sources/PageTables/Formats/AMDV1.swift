// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory
public import Seams
public import UAPI

/// AMD-Vi's host tables, version 1: any power of two is a page size, and the root can grow. A page that is larger
/// than an item repeats its entry in every slot, with its size as a run of ones in the low address bits.
/// Software never skips a level, and does not read tables in which one is skipped.
///
/// The mock IOMMU has this format with items of 2 KiB. It is not described here, since its tables are not in the
/// machine's frames: they would move the frames that user pages get.
///
/// Source: AMD IOMMU specification 2.2.3; `generic_pt/fmt/amdv1.h`; reference backends-x86.md B1.
public enum AMDV1: PageTableFormat {
  private typealias Bits = AMDViPageTableEntry

  public struct Options: Sendable {
    /// FC in every leaf. Linux always sets it.
    public var forcesCoherence: Bool
    public init(forcesCoherence: Bool = true) { self.forcesCoherence = forcesCoherence }
  }

  public static var name: String { "AMD version 1" }
  public static var rules: TableRules { TableRules(library: .generic, grows: true, dirty: .tracked) }
  public static var softwareBit: UInt64 { 0 }

  static let highestLevel = 5

  public static func itemLg2(_ level: Int) -> Int { 12 + 9 * level }
  /// The sixth level has bits 63:57.
  public static func indexLg2(_ level: Int) -> Int { level == highestLevel ? 7 : 9 }

  /// Every power of two but 512 GiB, which hardware gets wrong; none in the sixth level.
  public static func leafSizes(_ level: Int) -> UInt64 {
    guard level < highestLevel else { return 0 }
    let first = UInt64(1) << UInt64(itemLg2(level))
    return (min(1 << 52, first << 9) - first) & ~(1 << 39)
  }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    guard entry & Bits.present != 0 else { return .empty }
    let next = (entry & Bits.nextLevelMask) >> Bits.nextLevelShift
    return level == 0 || next == Bits.nextLevelPage || next == Bits.nextLevelSizedPage ? .leaf : .table
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    address & Bits.addressMask | Bits.present | UInt64(level) << Bits.nextLevelShift | Bits.read | Bits.write
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 { entry & Bits.addressMask }

  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    (options.forcesCoherence ? Bits.forceCoherent : 0) | (attributes.contains(.read) ? Bits.read : 0)
      | (attributes.contains(.write) ? Bits.write : 0)
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    var attributes: MappingAttributes = []
    if entry & Bits.read != 0 { attributes.insert(.read) }
    if entry & Bits.write != 0 { attributes.insert(.write) }
    if entry & Bits.forceCoherent != 0 { attributes.insert(.cache) }
    return attributes
  }

  public static var attributeMask: UInt64 { ~(Bits.addressMask | Bits.nextLevelMask | Bits.present) }

  public static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64 {
    let entry = address & Bits.addressMask | Bits.present | bits
    guard sizeLg2 != itemLg2(level) else { return entry }
    let ones = ((UInt64(1) << UInt64(sizeLg2 - 1)) - 1) & Bits.addressMask
    return entry | ones | Bits.nextLevelSizedPage << Bits.nextLevelShift
  }

  public static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int {
    guard entry & Bits.nextLevelMask == Bits.nextLevelMask else { return itemLg2(level) }
    return 13 + (~(entry >> 12)).trailingZeroBitCount
  }

  public static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    entry & Bits.addressMask & ~((1 << UInt64(leafSizeLg2(entry, level))) &- 1)
  }

  public static func used(_ bits: UInt64) -> UInt64 { bits | Bits.accessed | Bits.dirty }
  public static func isDirty(_ entry: UInt64) -> Bool { entry & Bits.dirty != 0 }
  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry & ~Bits.dirty }
}

/// A host table of AMD-Vi.
public final class AMDV1Table: TableStore, FormattedTable, @unchecked Sendable {
  public typealias Format = AMDV1
  public let options: Format.Options

  public struct Configuration: Sendable {
    /// Levels at first: DTE.Mode, 1 to 6. Linux begins with 3.
    public var levels: Int
    /// Up to 64; the root grows up to it.
    public var inputLg2: Int
    public var outputLg2: Int
    public var pageSizes: UInt64
    public var options: Format.Options

    public init(
      levels: Int = 3, inputLg2: Int = 64, outputLg2: Int = 52, pageSizes: UInt64 = .max,
      options: Format.Options = Format.Options()
    ) {
      self.levels = min(Format.highestLevel + 1, max(1, levels))
      self.inputLg2 = min(inputLg2, 64)
      self.outputLg2 = min(outputLg2, 52)
      self.pageSizes = pageSizes
      self.options = options
    }

    var geometry: TableGeometry {
      TableGeometry(
        topLevel: levels - 1, highestTop: Format.highestLevel, rootIndexLg2: Format.indexLg2(levels - 1),
        inputLg2: inputLg2, outputLg2: outputLg2,
        pageSizes: pageSizes
          & Format.offeredSizes(topLevel: Format.highestLevel, inputLg2: inputLg2, outputLg2: outputLg2))
    }
  }

  /// - Parameter onNewRoot: points devices at a root that has grown, before the new part is used. No call to this
  ///   table may be made from it.
  /// - Throws: ENOMEM.
  public init(
    _ memory: PhysicalMemory, _ configuration: Configuration = Configuration(),
    failures: FailurePoints = FailurePoints(), onNewRoot: @escaping @Sendable (TableRoot) -> Void = { _ in }
  ) throws(Errno) {
    options = configuration.options
    try super.init(memory, failures, configuration.geometry, emptyWord: 0, onNewRoot: onNewRoot)
  }

  /// A look at tables that somebody else made.
  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ configuration: Configuration) throws(Errno)
  {
    options = configuration.options
    try super.init(memory, viewing: root, configuration.geometry)
  }
}
