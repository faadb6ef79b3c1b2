// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory
public import Seams
public import UAPI

/// x86-64 paging: VT-d's first stage and AMD-Vi's version 2 tables. Source: VT-d specification 3.6 and 9.7;
/// `generic_pt/fmt/x86_64.h`; reference backends-x86.md A1.4 and A1.5.
public enum X86FirstStage: PageTableFormat {
  private typealias Bits = X86PageTableEntry

  public struct Options: Sendable { public init() {} }

  public static var name: String { "x86-64 first stage" }
  public static var rules: TableRules { TableRules(library: .generic, grows: false, dirty: .none) }
  public static var softwareBit: UInt64 { Bits.software }

  public static func itemLg2(_ level: Int) -> Int { 12 + 9 * level }
  public static func indexLg2(_ level: Int) -> Int { 9 }
  public static func leafSizes(_ level: Int) -> UInt64 { level <= 2 ? 1 << UInt64(itemLg2(level)) : 0 }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    guard entry & Bits.present != 0 else { return .empty }
    return level == 0 || (level <= 2 && entry & Bits.pageSize != 0) ? .leaf : .table
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    address & Bits.addressMask | Bits.present | Bits.write | Bits.user | Bits.accessed
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 { entry & Bits.addressMask }

  /// Whatever is mapped can be read; what can be written is dirty from the start, so hardware never has to say so.
  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    Bits.present | Bits.user | Bits.accessed | (attributes.contains(.write) ? Bits.write | Bits.dirty : 0)
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    var attributes: MappingAttributes = .read
    if entry & Bits.write != 0 { attributes.insert(.write) }
    if entry & Bits.user == 0 { attributes.insert(.privileged) }
    if entry & Bits.executeDisable != 0 { attributes.insert(.noExecute) }
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

/// A first-stage table of VT-d, or a version 2 table of AMD-Vi.
public final class X86FirstStageTable: TableStore, FormattedTable, @unchecked Sendable {
  public typealias Format = X86FirstStage
  public let options = Format.Options()

  public struct Configuration: Sendable {
    /// 4 or 5.
    public var levels: Int
    /// 48 and 57 with sign extension, of which Linux uses the lower half; AMD's domains that serve PASID 0, where
    /// hardware does not check the sign, have 47 and 56 without.
    public var inputLg2: Int
    public var signExtends: Bool
    public var outputLg2: Int
    public var pageSizes: UInt64
    public var walksCoherently: Bool

    public init(
      levels: Int, inputLg2: Int? = nil, signExtends: Bool = true, outputLg2: Int = 52,
      pageSizes: UInt64 = .max,
      walksCoherently: Bool = true
    ) {
      self.levels = min(5, max(4, levels))
      self.inputLg2 = min(inputLg2 ?? 64, 12 + 9 * self.levels)
      self.signExtends = signExtends
      self.outputLg2 = min(outputLg2, 52)
      self.pageSizes = pageSizes
      self.walksCoherently = walksCoherently
    }

    var geometry: TableGeometry {
      TableGeometry(
        topLevel: levels - 1, rootIndexLg2: 9, inputLg2: inputLg2, outputLg2: outputLg2,
        pageSizes: pageSizes
          & Format.offeredSizes(topLevel: levels - 1, inputLg2: inputLg2, outputLg2: outputLg2),
        signExtends: signExtends, notesWriteBack: !walksCoherently)
    }
  }

  /// - Throws: ENOMEM.
  public init(
    _ memory: PhysicalMemory, _ configuration: Configuration, failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    try super.init(memory, failures, configuration.geometry, emptyWord: 0)
  }

  /// A look at tables that somebody else made.
  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ configuration: Configuration) throws(Errno)
  {
    try super.init(memory, viewing: root, configuration.geometry)
  }
}
