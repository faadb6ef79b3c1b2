// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory
public import Seams
public import UAPI

/// VT-d's second stage. Source: VT-d specification 3.7 and 9.8; `generic_pt/fmt/vtdss.h`; reference
/// backends-x86.md A1.2 and A1.5.
public enum VTdSecondStage: PageTableFormat {
  private typealias Bits = VTdSecondStageEntry

  public struct Options: Sendable {
    /// Read-only mappings are refused: a parent of nested domains on hardware with erratum 772415.
    public var requiresWrite: Bool
    public init(requiresWrite: Bool = false) { self.requiresWrite = requiresWrite }
  }

  public static var name: String { "VT-d second stage" }
  public static var rules: TableRules { TableRules(library: .generic, grows: false, dirty: .tracked) }
  public static var softwareBit: UInt64 { Bits.software }

  public static func itemLg2(_ level: Int) -> Int { 12 + 9 * level }
  public static func indexLg2(_ level: Int) -> Int { 9 }
  public static func leafSizes(_ level: Int) -> UInt64 { level <= 2 ? 1 << UInt64(itemLg2(level)) : 0 }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    guard entry & (Bits.read | Bits.write) != 0 else { return .empty }
    return level == 0 || (level <= 2 && entry & Bits.pageSize != 0) ? .leaf : .table
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    address & Bits.addressMask | Bits.read | Bits.write
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 { entry & Bits.addressMask }

  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    guard attributes.contains(.write) || !options.requiresWrite else {
      throw .EINVAL("a parent of nested domains has no read-only mappings", UInt64(attributes.rawValue))
    }
    return (attributes.contains(.read) ? Bits.read : 0) | (attributes.contains(.write) ? Bits.write : 0)
      | (attributes.contains(.snoop) ? Bits.snoop : 0)
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    var attributes: MappingAttributes = []
    if entry & Bits.read != 0 { attributes.insert(.read) }
    if entry & Bits.write != 0 { attributes.insert(.write) }
    if entry & Bits.snoop != 0 { attributes.insert(.snoop) }
    return attributes
  }

  public static var attributeMask: UInt64 { ~(Bits.addressMask | Bits.pageSize) }

  public static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64 {
    address & Bits.addressMask | bits | (level > 0 ? Bits.pageSize : 0)
  }

  public static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int { itemLg2(level) }

  public static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    entry & Bits.addressMask & ~((1 << UInt64(itemLg2(level))) - 1)
  }

  public static func used(_ bits: UInt64) -> UInt64 { bits | Bits.accessed | Bits.dirty }
  public static func isDirty(_ entry: UInt64) -> Bool { entry & Bits.dirty != 0 }
  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry & ~Bits.dirty }
}

/// A second-stage table of VT-d.
public final class VTdSecondStageTable: TableStore, FormattedTable, @unchecked Sendable {
  public typealias Format = VTdSecondStage
  public let options: Format.Options

  public struct Configuration: Sendable {
    /// 3, 4 or 5.
    public var levels: Int
    public var inputLg2: Int
    public var outputLg2: Int
    /// 4 KiB, and 2 MiB and 1 GiB as CAP.SSLPS has them.
    public var pageSizes: UInt64
    /// Whether hardware snoops its walks; where not, table entries have the software bit.
    public var walksCoherently: Bool
    public var options: Format.Options

    public init(
      levels: Int, inputLg2: Int? = nil, outputLg2: Int = 52, pageSizes: UInt64 = .max,
      walksCoherently: Bool = true,
      options: Format.Options = Format.Options()
    ) {
      self.levels = min(5, max(3, levels))
      self.inputLg2 = min(inputLg2 ?? 64, 12 + 9 * self.levels)
      self.outputLg2 = min(outputLg2, 52)
      self.pageSizes = pageSizes
      self.walksCoherently = walksCoherently
      self.options = options
    }

    var geometry: TableGeometry {
      TableGeometry(
        topLevel: levels - 1, rootIndexLg2: 9, inputLg2: inputLg2, outputLg2: outputLg2,
        pageSizes: pageSizes
          & Format.offeredSizes(topLevel: levels - 1, inputLg2: inputLg2, outputLg2: outputLg2),
        notesWriteBack: !walksCoherently)
    }
  }

  /// - Throws: ENOMEM.
  public init(
    _ memory: PhysicalMemory, _ configuration: Configuration, failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    options = configuration.options
    try super.init(memory, failures, configuration.geometry, emptyWord: 0)
  }

  /// A look at tables that somebody else made.
  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ configuration: Configuration) throws(Errno)
  {
    options = configuration.options
    try super.init(memory, viewing: root, configuration.geometry)
  }
}
