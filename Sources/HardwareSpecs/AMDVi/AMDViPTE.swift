// SPDX-License-Identifier: GPL-3.0-or-later

/// Host page-table entries, version 1. AMD IOMMU Specification, publication 48882, section 2.2.3.
public enum AMDViPTE {
  public static let present: UInt64 = 1 << 0
  public static let accessed: UInt64 = 1 << 5
  public static let dirty: UInt64 = 1 << 6
  /// 0: a leaf of the level's size; 1 to 6: the level of the next table; 7: a leaf of a coded size.
  public static let nextLevelShift: UInt64 = 9
  public static let codedSize: UInt64 = 7
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// 58:52.
  public static let reserved: UInt64 = 0x07F0_0000_0000_0000
  /// 58:57, a field since revision 3.11.
  public static let pms: UInt64 = 0x0600_0000_0000_0000
  public static let user: UInt64 = 1 << 59
  public static let forceCoherent: UInt64 = 1 << 60
  public static let ir: UInt64 = 1 << 61
  public static let iw: UInt64 = 1 << 62
}

/// Guest page-table entries, version 2: those of the processor's long mode. Publication 48882, section 2.2.6.4,
/// and AMD64 Architecture Programmer's Manual, volume 2, section 5.3.
public enum AMDViGuestPTE {
  public static let present: UInt64 = 1 << 0
  public static let write: UInt64 = 1 << 1
  public static let user: UInt64 = 1 << 2
  public static let accessed: UInt64 = 1 << 5
  public static let dirty: UInt64 = 1 << 6
  public static let pageSize: UInt64 = 1 << 7
  public static let global: UInt64 = 1 << 8
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  public static let noExecute: UInt64 = 1 << 63
}
