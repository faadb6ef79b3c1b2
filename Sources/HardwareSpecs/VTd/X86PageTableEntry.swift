// SPDX-License-Identifier: GPL-3.0-or-later

/// A first-stage paging-structure entry: x86-64 paging, which VT-d's first stage and AMD-Vi's guest tables use.
/// Intel Virtualization Technology for Directed I/O, section 9.7 (FS-PML5E to FS-PTE); Intel 64 and IA-32
/// Software Developer's Manual, volume 3A, section 4.5.
public enum X86PageTableEntry {
  /// P: present, which also means readable.
  public static let present: UInt64 = 1 << 0
  /// R/W: writes are allowed.
  public static let write: UInt64 = 1 << 1
  /// U/S: user requests, as those of devices are, are allowed.
  public static let user: UInt64 = 1 << 2
  /// PWT and PCD: memory type.
  public static let writeThrough: UInt64 = 1 << 3
  public static let cacheDisable: UInt64 = 1 << 4
  /// A: set by hardware in every entry that a walk uses.
  public static let accessed: UInt64 = 1 << 5
  /// D: set by hardware in the leaf on a write.
  public static let dirty: UInt64 = 1 << 6
  /// PS: in PDE and PDPTE, the entry maps a page.
  public static let pageSize: UInt64 = 1 << 7
  /// G: global.
  public static let global: UInt64 = 1 << 8
  /// Ignored by hardware; software may keep a note of its own here.
  public static let software: UInt64 = 1 << 9
  /// EA: extended accessed, when EAFE is on.
  public static let extendedAccessed: UInt64 = 1 << 10
  /// Bits 51:12, the address of a table or of a page.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// XD: execution is refused.
  public static let executeDisable: UInt64 = 1 << 63
}
