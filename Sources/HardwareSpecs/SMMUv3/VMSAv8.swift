// SPDX-License-Identifier: GPL-3.0-or-later

/// Translation table descriptors of the Arm A-profile architecture, AArch64, 64 bits. Arm DDI 0487, D8.3.
public enum VMSAv8 {
  public static let valid: UInt64 = 1 << 0
  /// With `valid`: a table at levels 0 to 2, a page at level 3. Clear: a block.
  public static let tableOrPage: UInt64 = 1 << 1
  public static let addressMask: UInt64 = 0x0000_FFFF_FFFF_F000
  public static let accessFlag: UInt64 = 1 << 10
  public static let dirtyBitModifier: UInt64 = 1 << 51
  public static let contiguous: UInt64 = 1 << 52

  /// Stage 1 leaves.
  public enum Stage1 {
    /// AP[1]: unprivileged accesses are allowed.
    public static let unprivileged: UInt64 = 1 << 6
    /// AP[2]: read-only.
    public static let readOnly: UInt64 = 1 << 7
    public static let notGlobal: UInt64 = 1 << 11
    public static let privilegedExecuteNever: UInt64 = 1 << 53
    public static let executeNever: UInt64 = 1 << 54
    /// Of a table descriptor, for everything below it.
    public static let privilegedExecuteNeverTable: UInt64 = 1 << 59
    public static let executeNeverTable: UInt64 = 1 << 60
    public static let privilegedOnlyTable: UInt64 = 1 << 61
    public static let readOnlyTable: UInt64 = 1 << 62
  }

  /// Stage 2 leaves.
  public enum Stage2 {
    public static let read: UInt64 = 1 << 6
    public static let write: UInt64 = 1 << 7
    /// XN[1:0] in bits 54:53.
    public static let executeNeverShift: UInt64 = 53
    public static let memAttrShift: UInt64 = 2
    /// MemAttr below this is Device memory, with and without S2FWB.
    public static let firstNormalMemAttr: UInt64 = 4
  }
}
