// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import UAPI

/// A translation granule of VMSAv8-64.
public protocol ArmGranule {
  static var name: String { get }
  static var lg2: Int { get }
  /// The highest level of ours that has blocks; level 0 is the manual's level 3.
  static var highestBlock: Int { get }
  /// Entries of a contiguous run, as a power of two.
  static func contiguousLg2(_ level: Int) -> Int
}

public enum Granule4K: ArmGranule {
  public static var name: String { "4K" }
  public static var lg2: Int { 12 }
  public static var highestBlock: Int { 2 }
  public static func contiguousLg2(_ level: Int) -> Int { 4 }
}

public enum Granule16K: ArmGranule {
  public static var name: String { "16K" }
  public static var lg2: Int { 14 }
  public static var highestBlock: Int { 1 }
  public static func contiguousLg2(_ level: Int) -> Int { level == 0 ? 7 : 5 }
}

public enum Granule64K: ArmGranule {
  public static var name: String { "64K" }
  public static var lg2: Int { 16 }
  public static var highestBlock: Int { 2 }
  public static func contiguousLg2(_ level: Int) -> Int { 5 }
}

/// What both stages have in common. A contiguous run is a leaf of several slots, each with an address of its own.
/// Source: Arm ARM D8.3; `io-pgtable-arm.c`; reference backends-arm-riscv-s390.md A1.
public protocol ArmLPAE: PageTableFormat {
  associatedtype Granule: ArmGranule
}

extension ArmLPAE {
  public static var softwareBit: UInt64 { VMSAv8PageTableEntry.software }

  public static func itemLg2(_ level: Int) -> Int { Granule.lg2 + (Granule.lg2 - 3) * level }
  public static func indexLg2(_ level: Int) -> Int { Granule.lg2 - 3 }

  public static func leafSizes(_ level: Int) -> UInt64 {
    guard level <= Granule.highestBlock else { return 0 }
    let item = UInt64(itemLg2(level))
    return 1 << item | 1 << (item + UInt64(Granule.contiguousLg2(level)))
  }

  public static func kind(_ entry: UInt64, _ level: Int) -> TableEntry.Kind {
    switch entry & VMSAv8PageTableEntry.typeMask {
    case VMSAv8PageTableEntry.table: level == 0 ? .leaf : .table
    case VMSAv8PageTableEntry.block: level > 0 && level <= Granule.highestBlock ? .leaf : .empty
    default: .empty
    }
  }

  /// With the 64K granule, bits 51:48 of an address are in bits 15:12, which it does not use.
  @inline(__always)
  private static func field(_ address: UInt64) -> UInt64 {
    (Granule.lg2 == 16 ? address | address >> 36 : address) & VMSAv8PageTableEntry.addressMask
  }

  @inline(__always)
  private static func address(_ entry: UInt64) -> UInt64 {
    let field = entry & VMSAv8PageTableEntry.addressMask
    guard Granule.lg2 == 16 else { return field }
    return (field | field << 36) & 0x000F_FFFF_FFFF_0000
  }

  public static func tableEntry(_ address: UInt64, _ level: Int) -> UInt64 {
    field(address) | VMSAv8PageTableEntry.table
  }

  public static func tableAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    address(entry) & ~((1 << UInt64(Granule.lg2)) - 1)
  }

  public static var attributeMask: UInt64 {
    ~(VMSAv8PageTableEntry.addressMask | VMSAv8PageTableEntry.typeMask | VMSAv8PageTableEntry.contiguous)
  }

  public static func leafEntry(_ address: UInt64, sizeLg2: Int, level: Int, bits: UInt64) -> UInt64 {
    field(address) | bits | (level == 0 ? VMSAv8PageTableEntry.page : VMSAv8PageTableEntry.block)
      | (sizeLg2 > itemLg2(level) ? VMSAv8PageTableEntry.contiguous : 0)
  }

  public static func slotStep(_ level: Int) -> UInt64 { 1 << UInt64(itemLg2(level)) }

  public static func nextLeaf(_ entry: UInt64, step: UInt64) -> UInt64 {
    let next = entry &+ step
    guard Granule.lg2 == 16, (next ^ entry) >> 48 != 0 else { return next }
    // The address went past bit 47.
    return entry & ~VMSAv8PageTableEntry.addressMask | field(address(entry) &+ step)
  }

  public static func leafSizeLg2(_ entry: UInt64, _ level: Int) -> Int {
    let item = itemLg2(level)
    return entry & VMSAv8PageTableEntry.contiguous != 0 ? item + Granule.contiguousLg2(level) : item
  }

  public static func leafAddress(_ entry: UInt64, _ level: Int) -> UInt64 {
    address(entry) & ~((1 << UInt64(leafSizeLg2(entry, level))) - 1)
  }
}

/// Stage 1.
public enum ArmStage1<Granule: ArmGranule>: ArmLPAE {
  public struct Options: Sendable {
    /// Hardware marks what it writes: writable leaves have DBM.
    public var tracksDirty: Bool
    public init(tracksDirty: Bool = false) { self.tracksDirty = tracksDirty }
  }

  public static var name: String { "Arm stage 1, \(Granule.name) granule" }
  public static var rules: TableRules { TableRules(library: .arm, grows: false, dirty: .tracked) }

  /// A write-only mapping can be read, too.
  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    typealias Bits = VMSAv8PageTableEntry
    var bits = Bits.Stage1.notGlobal | Bits.accessed
    if !attributes.contains(.write) {
      bits |= Bits.Stage1.readOnly
    } else if options.tracksDirty {
      bits |= Bits.dirtyBitModifier
    }
    if !attributes.contains(.privileged) { bits |= Bits.Stage1.unprivileged }
    if attributes.contains(.mmio) {
      bits |= 2 << Bits.Stage1.attributeIndexShift
    } else if attributes.contains(.cache) {
      bits |= 1 << Bits.Stage1.attributeIndexShift
    }
    bits |= attributes.contains(.cache) ? Bits.innerShareable : Bits.outerShareable
    if attributes.contains(.noExecute) { bits |= Bits.executeNever }
    return bits
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    typealias Bits = VMSAv8PageTableEntry
    var attributes: MappingAttributes = .read
    if entry & Bits.Stage1.readOnly == 0 || entry & Bits.dirtyBitModifier != 0 { attributes.insert(.write) }
    if entry & Bits.Stage1.unprivileged == 0 { attributes.insert(.privileged) }
    if entry & Bits.executeNever != 0 { attributes.insert(.noExecute) }
    switch entry >> Bits.Stage1.attributeIndexShift & 7 {
    case 1: attributes.insert(.cache)
    case 2: attributes.insert(.mmio)
    default: break
    }
    return attributes
  }

  public static func used(_ bits: UInt64) -> UInt64 {
    typealias Bits = VMSAv8PageTableEntry
    let written = bits & Bits.dirtyBitModifier != 0 ? bits & ~Bits.Stage1.readOnly : bits
    return written | Bits.accessed
  }

  /// AP[2] says "clean" where DBM is, so one that lacks it decides.
  public static func combined(_ a: UInt64, _ b: UInt64) -> UInt64 {
    typealias Bits = VMSAv8PageTableEntry
    let isTracked = (a | b) & Bits.dirtyBitModifier != 0
    return isTracked ? (a | b) & ~Bits.Stage1.readOnly | a & b & Bits.Stage1.readOnly : a | b
  }

  public static func isDirty(_ entry: UInt64) -> Bool {
    entry & (VMSAv8PageTableEntry.dirtyBitModifier | VMSAv8PageTableEntry.Stage1.readOnly)
      == VMSAv8PageTableEntry.dirtyBitModifier
  }

  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry | VMSAv8PageTableEntry.Stage1.readOnly }
}

/// Stage 2.
public enum ArmStage2<Granule: ArmGranule>: ArmLPAE {
  public struct Options: Sendable {
    /// S2FWB: cacheable leaves are write-back whatever stage 1 says.
    public var forcesWriteBack: Bool
    public init(forcesWriteBack: Bool = false) { self.forcesWriteBack = forcesWriteBack }
  }

  public static var name: String { "Arm stage 2, \(Granule.name) granule" }
  public static var rules: TableRules { TableRules(library: .arm, grows: false, dirty: .refused) }

  public static func leafBits(_ attributes: MappingAttributes, _ options: Options) throws(Errno) -> UInt64 {
    typealias Bits = VMSAv8PageTableEntry
    var bits = Bits.accessed
    if attributes.contains(.read) { bits |= Bits.Stage2.read }
    if attributes.contains(.write) { bits |= Bits.Stage2.write }
    if attributes.contains(.mmio) {
      bits |= Bits.Stage2.device
    } else if attributes.contains(.cache) {
      bits |= options.forcesWriteBack ? Bits.Stage2.forcedWriteBack : Bits.Stage2.normalWriteBack
    } else {
      bits |= Bits.Stage2.normalNonCacheable
    }
    bits |= attributes.contains(.cache) ? Bits.innerShareable : Bits.outerShareable
    if attributes.contains(.noExecute) { bits |= Bits.executeNever }
    return bits
  }

  public static func attributes(_ entry: UInt64) -> MappingAttributes {
    typealias Bits = VMSAv8PageTableEntry
    var attributes: MappingAttributes = []
    if entry & Bits.Stage2.read != 0 { attributes.insert(.read) }
    if entry & (Bits.Stage2.write | Bits.dirtyBitModifier) != 0 { attributes.insert(.write) }
    if entry & Bits.executeNever != 0 { attributes.insert(.noExecute) }
    switch entry & Bits.Stage2.memoryAttributesMask {
    case Bits.Stage2.device: attributes.insert(.mmio)
    case Bits.Stage2.normalWriteBack, Bits.Stage2.forcedWriteBack: attributes.insert(.cache)
    default: break
    }
    return attributes
  }

  public static func used(_ bits: UInt64) -> UInt64 {
    typealias Bits = VMSAv8PageTableEntry
    let written = bits & Bits.dirtyBitModifier != 0 ? bits | Bits.Stage2.write : bits
    return written | Bits.accessed
  }

  public static func isDirty(_ entry: UInt64) -> Bool {
    let both = VMSAv8PageTableEntry.dirtyBitModifier | VMSAv8PageTableEntry.Stage2.write
    return entry & both == both
  }

  public static func cleanEntry(_ entry: UInt64) -> UInt64 { entry & ~VMSAv8PageTableEntry.Stage2.write }
}
