// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory
public import Seams
public import UAPI

/// Sv39, Sv48, Sv57, and Sv39x4, Sv48x4, Sv57x4, with 64 KiB pages as Svnapot has them. Source: RISC-V privileged
/// architecture; `generic_pt/fmt/riscv.h`; reference backends-arm-riscv-s390.md B1 and B5.
public enum RISCVSv: PageTableFormat {
  private typealias Bits = RISCVPageTableEntry

  public struct Options: Sendable {
    /// Svpbmt: leaves say what kind of memory they map.
    public var hasMemoryTypes: Bool
    public init(hasMemoryTypes: Bool = false) { self.hasMemoryTypes = hasMemoryTypes }
  }

  public static var name: String { "RISC-V Sv" }
  public static var rules: TableRules { TableRules(library: .generic, grows: false, dirty: .none) }
  public static var softwareBit: UInt64 { 0 }

  static let napotLg2 = 16

  public static func itemLg2(_ level: Int) -> Int { 12 + 9 * level }
  public static func indexLg2(_ level: Int) -> Int { 9 }
  public static func leafSizes(_ level: Int) -> UInt64 {
    level == 0 ? 1 << 12 | 1 << UInt64(napotLg2) : 1 << UInt64(itemLg2(level))
  }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    guard entry & Bits.valid != 0 else { return .empty }
    return level == 0 || entry & (Bits.read | Bits.write | Bits.execute) != 0 ? .leaf : .table
  }

  private static func pageNumber(_ address: UInt64) -> UInt64 {
    address >> (12 - Bits.pageNumberShift) & Bits.pageNumberMask
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    Bits.valid | pageNumber(address)
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    (entry & Bits.pageNumberMask) << (12 - Bits.pageNumberShift)
  }

  /// What can be written can be read, since the other is reserved.
  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    var bits = Bits.accessed | Bits.user
    if attributes.contains(.write) { bits |= Bits.read | Bits.write | Bits.dirty }
    if attributes.contains(.read) { bits |= Bits.read }
    if !attributes.contains(.noExecute) { bits |= Bits.execute }
    if options.hasMemoryTypes {
      if attributes.contains(.mmio) {
        bits |= Bits.io
      } else if !attributes.contains(.cache) {
        bits |= Bits.nonCacheable
      }
    }
    return bits
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    var attributes: MappingAttributes = []
    if entry & Bits.read != 0 { attributes.insert(.read) }
    if entry & Bits.write != 0 { attributes.insert(.write) }
    if entry & Bits.execute == 0 { attributes.insert(.noExecute) }
    if entry & Bits.user == 0 { attributes.insert(.privileged) }
    switch entry & Bits.memoryTypeMask {
    case 0: attributes.insert(.cache)
    case Bits.io: attributes.insert(.mmio)
    default: break
    }
    return attributes
  }

  public static var attributeMask: UInt64 { ~(Bits.pageNumberMask | Bits.valid | Bits.napot) }

  public static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64 {
    let entry = Bits.valid | pageNumber(address) | bits
    return sizeLg2 == napotLg2 ? entry | Bits.napot | Bits.napot64K : entry
  }

  public static func leafStep(sizeLg2: Int) -> UInt64 { 1 << (UInt64(sizeLg2) - 12 + Bits.pageNumberShift) }

  public static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int {
    level == 0 && entry & Bits.napot != 0 ? napotLg2 : itemLg2(level)
  }

  public static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    tableAddress(entry, level) & ~((1 << UInt64(leafSizeLg2(entry, level))) - 1)
  }

  public static func used(_ bits: UInt64) -> UInt64 { bits | Bits.accessed | Bits.dirty }
  public static func isDirty(_ entry: UInt64) -> Bool { entry & Bits.dirty != 0 }
  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry & ~Bits.dirty }
}

/// A first- or second-stage table of RISC-V.
public final class RISCVTable: TableStore, FormattedTable, @unchecked Sendable {
  public typealias Format = RISCVSv
  public let options: Format.Options

  public enum Mode: Int, CaseIterable, Sendable {
    case sv39 = 3
    case sv48, sv57
  }

  public struct Configuration: Sendable {
    public var mode: Mode
    /// The second stage's input is 2 bits wider, not sign-extended, and its root is four tables in a row.
    public var isSecondStage: Bool
    public var outputLg2: Int
    public var pageSizes: UInt64
    public var options: Format.Options

    public init(
      _ mode: Mode, isSecondStage: Bool = false, outputLg2: Int = 56, pageSizes: UInt64 = .max,
      options: Format.Options = Format.Options()
    ) {
      self.mode = mode
      self.isSecondStage = isSecondStage
      self.outputLg2 = min(outputLg2, 56)
      self.pageSizes = pageSizes
      self.options = options
    }

    var geometry: TableGeometry {
      let levels = mode.rawValue
      let inputLg2 = 12 + 9 * levels + (isSecondStage ? 2 : 0)
      return TableGeometry(
        topLevel: levels - 1, rootIndexLg2: isSecondStage ? 11 : 9, inputLg2: inputLg2, outputLg2: outputLg2,
        pageSizes: pageSizes
          & Format.offeredSizes(topLevel: levels - 1, inputLg2: inputLg2, outputLg2: outputLg2),
        signExtends: !isSecondStage)
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
