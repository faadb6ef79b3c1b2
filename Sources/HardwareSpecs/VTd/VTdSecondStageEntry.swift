// SPDX-License-Identifier: GPL-3.0-or-later

/// A second-stage paging-structure entry of VT-d.
/// Intel Virtualization Technology for Directed I/O, section 9.8 (SS-PML5E to SS-PTE).
public enum VTdSecondStageEntry {
  /// R: reads are allowed. An entry with neither R nor W is not present.
  public static let read: UInt64 = 1 << 0
  /// W: writes are allowed.
  public static let write: UInt64 = 1 << 1
  /// X: ignored for requests without execute.
  public static let execute: UInt64 = 1 << 2
  /// PS: in SS-PDE and SS-PDPE, the entry maps a page.
  public static let pageSize: UInt64 = 1 << 7
  /// A: set by hardware in every entry that a walk uses, when SSADE is on.
  public static let accessed: UInt64 = 1 << 8
  /// D: set by hardware in the leaf on a write, when SSADE is on.
  public static let dirty: UInt64 = 1 << 9
  /// Ignored by hardware; software may keep a note of its own here.
  public static let software: UInt64 = 1 << 10
  /// SNP: the access is snooped.
  public static let snoop: UInt64 = 1 << 11
  /// Bits 51:12, the address of a table or of a page.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// TM: transient mapping, reserved without device TLBs.
  public static let transient: UInt64 = 1 << 62
}
