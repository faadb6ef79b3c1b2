// SPDX-License-Identifier: GPL-3.0-or-later

/// A translation table descriptor of VMSAv8-64, which SMMUv3 walks.
/// Arm Architecture Reference Manual for A-profile, DDI 0487, section D8.3 (translation table descriptor formats).
public enum VMSAv8PageTableEntry {
  /// Bits 1:0. Bit 0 clear is an invalid descriptor.
  public static let typeMask: UInt64 = 3
  /// A block, at the levels above the last.
  public static let block: UInt64 = 1
  /// A table, at the levels above the last.
  public static let table: UInt64 = 3
  /// A page, at the last level.
  public static let page: UInt64 = 3

  /// AF: the access flag.
  public static let accessed: UInt64 = 1 << 10
  /// SH, bits 9:8.
  public static let shareabilityMask: UInt64 = 3 << 8
  public static let outerShareable: UInt64 = 2 << 8
  public static let innerShareable: UInt64 = 3 << 8
  /// DBM: the dirty bit modifier.
  public static let dirtyBitModifier: UInt64 = 1 << 51
  /// Contiguous: the entry is one of an aligned run that maps contiguous memory with the same attributes.
  public static let contiguous: UInt64 = 1 << 52
  /// XN, bits 54:53; stage 1 has UXN and PXN there.
  public static let executeNever: UInt64 = 3 << 53
  /// Bits 58:55 are software's; this one notes that a table descriptor was written back.
  public static let software: UInt64 = 1 << 55

  /// Bits 47:12; with the 64K granule, bits 15:12 hold bits 51:48 of the address.
  public static let addressMask: UInt64 = 0x0000_FFFF_FFFF_F000

  /// Stage 1.
  public enum Stage1 {
    /// AttrIndx, bits 4:2: which byte of MAIR.
    public static let attributeIndexShift: UInt64 = 2
    /// NS.
    public static let nonSecure: UInt64 = 1 << 5
    /// AP[1]: unprivileged accesses are allowed.
    public static let unprivileged: UInt64 = 1 << 6
    /// AP[2]: writes are refused; with DBM, not yet written.
    public static let readOnly: UInt64 = 1 << 7
    /// nG: tagged with the ASID.
    public static let notGlobal: UInt64 = 1 << 11
  }

  /// Stage 2.
  public enum Stage2 {
    /// MemAttr, bits 5:2.
    public static let memoryAttributesShift: UInt64 = 2
    public static let memoryAttributesMask: UInt64 = 0xF << memoryAttributesShift
    public static let device: UInt64 = 1 << memoryAttributesShift
    public static let normalNonCacheable: UInt64 = 5 << memoryAttributesShift
    public static let normalWriteBack: UInt64 = 0xF << memoryAttributesShift
    /// With S2FWB: write-back whatever stage 1 says.
    public static let forcedWriteBack: UInt64 = 6 << memoryAttributesShift
    /// S2AP: reads and writes are allowed.
    public static let read: UInt64 = 1 << 6
    public static let write: UInt64 = 1 << 7
  }
}
