// SPDX-License-Identifier: GPL-3.0-or-later

/// An entry of the I/O address translation tables of s390 PCI functions. Entries are big-endian.
/// There is no public manual; this is what Linux writes and QEMU reads. z/Architecture Principles of Operation,
/// chapter 3 "Dynamic address translation", has the formats that these follow.
public enum ZPCITableEntry {
  /// Region and segment entries.
  public enum Table {
    /// Bits 63:14 of a region entry: the origin of the table below, 16 KiB aligned.
    public static let regionOriginMask: UInt64 = ~0x3FFF
    /// Bits 63:11 of a segment entry: the origin of a page table, 2 KiB aligned.
    public static let pageTableOriginMask: UInt64 = ~0x7FF
    /// Bits 63:20 of a segment entry with `frame`: a frame of 1 MiB.
    public static let segmentFrameMask: UInt64 = ~0xF_FFFF
    /// TL, bits 1:0 of a region entry: the table's length, always all of it.
    public static let fullLength: UInt64 = 3
    /// TT, bits 3:2.
    public static let typeMask: UInt64 = 0xC
    public static let regionFirst: UInt64 = 0xC
    public static let regionSecond: UInt64 = 0x8
    public static let regionThird: UInt64 = 0x4
    public static let segment: UInt64 = 0
    /// I: nothing is below.
    public static let invalid: UInt64 = 0x20
    /// TF, bits 7:6: always 0.
    public static let offsetMask: UInt64 = 0xC0
    /// FC of a segment entry: it maps a frame of 1 MiB.
    public static let frame: UInt64 = 0x400
  }

  /// Page entries.
  public enum Page {
    /// Bits 63:12: the frame.
    public static let frameMask: UInt64 = ~0xFFF
    /// I: no page.
    public static let invalid: UInt64 = 0x400
  }

  /// P, of every entry: writes are refused.
  public static let protected: UInt64 = 0x200
}
