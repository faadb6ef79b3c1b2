// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// Level 1 context descriptor, 8 bytes. IHI 0070, 5.3.
  public enum L1CD {
    public static let valid: UInt64 = 1
    public static let pointerMask: UInt64 = 0x000F_FFFF_FFFF_F000
  }

  /// Context descriptor, 64 bytes. IHI 0070, 5.4.
  public enum CD {
    public static let bytesLg2 = 6
    public static let t0SZ = Field(0, 5, 0)
    public static let tg0 = Field(0, 7, 6)
    public static let ir0 = Field(0, 9, 8)
    public static let or0 = Field(0, 11, 10)
    public static let sh0 = Field(0, 13, 12)
    public static let epd0 = Field(0, 14)
    public static let endian = Field(0, 15)
    public static let t1SZ = Field(0, 21, 16)
    public static let tg1 = Field(0, 23, 22)
    public static let ir1 = Field(0, 25, 24)
    public static let or1 = Field(0, 27, 26)
    public static let sh1 = Field(0, 29, 28)
    public static let epd1 = Field(0, 30)
    public static let valid = Field(0, 31)
    public static let ips = Field(0, 34, 32)
    public static let affd = Field(0, 35)
    public static let wxn = Field(0, 36)
    public static let uwxn = Field(0, 37)
    public static let tbi0 = Field(0, 38)
    public static let tbi1 = Field(0, 39)
    public static let pan = Field(0, 40)
    public static let aa64 = Field(0, 41)
    public static let hd = Field(0, 42)
    public static let ha = Field(0, 43)
    public static let stall = Field(0, 44)
    public static let record = Field(0, 45)
    public static let abort = Field(0, 46)
    public static let aset = Field(0, 47)
    public static let asid = Field(0, 63, 48)
    public static let nsCfg0 = Field(1, 0)
    public static let had0 = Field(1, 1)
    public static let e0pd0 = Field(1, 2)
    public static let haft = Field(1, 3)
    public static let had1 = Field(2, 1)
    public static let e0pd1 = Field(2, 2)
    public static let ttbMask: UInt64 = 0x000F_FFFF_FFFF_FFF0

    /// Values of TG1; those of TG0 are STE.granule4K and its neighbours.
    public static let tg1Granule16K: UInt64 = 1
    public static let tg1Granule4K: UInt64 = 2
    public static let tg1Granule64K: UInt64 = 3
  }
}
