// SPDX-License-Identifier: GPL-3.0-or-later

/// A page table entry of Sv39, Sv48 and Sv57, and of the second stage's Sv39x4, Sv48x4 and Sv57x4.
/// The RISC-V Instruction Set Manual, volume II, sections "Sv39" to "Sv57", "Svnapot" and "Svpbmt".
public enum RISCVPageTableEntry {
  /// V: valid.
  public static let valid: UInt64 = 1 << 0
  /// R, W, X: all clear is a pointer to the next table.
  public static let read: UInt64 = 1 << 1
  public static let write: UInt64 = 1 << 2
  public static let execute: UInt64 = 1 << 3
  /// U: a user page.
  public static let user: UInt64 = 1 << 4
  /// G: global.
  public static let global: UInt64 = 1 << 5
  /// A and D: accessed and dirty.
  public static let accessed: UInt64 = 1 << 6
  public static let dirty: UInt64 = 1 << 7
  /// RSW, bits 9:8: software's.
  public static let softwareMask: UInt64 = 3 << 8
  /// PPN, bits 53:10: the address shifted right by 12.
  public static let pageNumberShift: UInt64 = 10
  public static let pageNumberMask: UInt64 = 0x003F_FFFF_FFFF_FC00
  /// Bits 58:54 are reserved.
  public static let reservedMask: UInt64 = 0x07C0_0000_0000_0000
  /// PBMT, bits 62:61: 1 non-cacheable, 2 I/O.
  public static let nonCacheable: UInt64 = 1 << 61
  public static let io: UInt64 = 1 << 62
  public static let memoryTypeMask: UInt64 = 3 << 61
  /// N: one of the 16 entries of a naturally aligned 64 KiB page, with PPN[3:0] = 8.
  public static let napot: UInt64 = 1 << 63
  /// PPN[3:0] of a 64 KiB page, in place.
  public static let napot64K: UInt64 = 8 << pageNumberShift
  public static let napotMask: UInt64 = 0xF << pageNumberShift
}
