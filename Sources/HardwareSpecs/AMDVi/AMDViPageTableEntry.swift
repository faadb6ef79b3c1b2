// SPDX-License-Identifier: GPL-3.0-or-later

/// An entry of a host page table of AMD-Vi, version 1.
/// AMD I/O Virtualization Technology (IOMMU) Specification, 48882, section 2.2.3 (I/O page tables for host
/// translations), table 14 (page size encodings) and table 15 (levels).
public enum AMDViPageTableEntry {
  /// PR: present.
  public static let present: UInt64 = 1 << 0
  /// A: set by hardware in every entry that a walk uses, when DTE.HAD has it.
  public static let accessed: UInt64 = 1 << 5
  /// D: set by hardware on a write, in any one of the entries of a page.
  public static let dirty: UInt64 = 1 << 6
  /// Next level, bits 11:9: 0 a page of the level's own size, 1 to 6 the level of the table below, 7 a page whose
  /// size is in the address.
  public static let nextLevelShift: UInt64 = 9
  public static let nextLevelMask: UInt64 = 7 << nextLevelShift
  public static let nextLevelPage: UInt64 = 0
  public static let nextLevelSizedPage: UInt64 = 7
  /// Bits 51:12, the address of a table or of a page.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// Bits 58:52 are reserved.
  public static let reservedMask: UInt64 = 0x07F0_0000_0000_0000
  /// U: a user page, as an ATS reply says.
  public static let user: UInt64 = 1 << 59
  /// FC: accesses are coherent.
  public static let forceCoherent: UInt64 = 1 << 60
  /// IR and IW: reads and writes are allowed.
  public static let read: UInt64 = 1 << 61
  public static let write: UInt64 = 1 << 62
}
