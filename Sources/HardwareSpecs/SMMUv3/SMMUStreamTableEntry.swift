// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// Level 1 stream table descriptor, 8 bytes. IHI 0070, 5.1.
  public enum L1STD {
    public static let span = Field(0, 4, 0)
    public static let pointerMask: UInt64 = 0x000F_FFFF_FFFF_FFC0
    /// Spans above are reserved.
    public static let largestSpan: UInt64 = 11
  }

  /// Stream table entry, 64 bytes. IHI 0070, 5.2.
  public enum STE {
    public static let bytesLg2 = 6
    public static let valid = Field(0, 0)
    public static let config = Field(0, 3, 1)
    public static let s1Format = Field(0, 5, 4)
    public static let s1ContextMask: UInt64 = 0x00FF_FFFF_FFFF_FFC0
    public static let s1CDMax = Field(0, 63, 59)
    public static let s1DSS = Field(1, 1, 0)
    public static let s1CIR = Field(1, 3, 2)
    public static let s1COR = Field(1, 5, 4)
    public static let s1CSH = Field(1, 7, 6)
    public static let dcp = Field(1, 17)
    public static let ppar = Field(1, 18)
    public static let mev = Field(1, 19)
    public static let s2FWB = Field(1, 25)
    public static let s1MPAM = Field(1, 26)
    public static let s1StallDisabled = Field(1, 27)
    public static let eats = Field(1, 29, 28)
    public static let strw = Field(1, 31, 30)
    public static let memAttr = Field(1, 35, 32)
    public static let mtCfg = Field(1, 36)
    public static let allocCfg = Field(1, 40, 37)
    public static let shCfg = Field(1, 45, 44)
    public static let nsCfg = Field(1, 47, 46)
    public static let privCfg = Field(1, 49, 48)
    public static let instCfg = Field(1, 51, 50)
    public static let s2VMID = Field(2, 15, 0)
    public static let s2T0SZ = Field(2, 37, 32)
    public static let s2SL0 = Field(2, 39, 38)
    public static let s2IR0 = Field(2, 41, 40)
    public static let s2OR0 = Field(2, 43, 42)
    public static let s2SH0 = Field(2, 45, 44)
    public static let s2TG = Field(2, 47, 46)
    public static let s2PS = Field(2, 50, 48)
    public static let s2AA64 = Field(2, 51)
    public static let s2Endian = Field(2, 52)
    public static let s2AFFD = Field(2, 53)
    public static let s2PTW = Field(2, 54)
    public static let s2HD = Field(2, 55)
    public static let s2HA = Field(2, 56)
    public static let s2Stall = Field(2, 57)
    public static let s2Record = Field(2, 58)
    public static let s2TTBMask: UInt64 = 0x000F_FFFF_FFFF_FFF0
    public static let vmsPointerMask: UInt64 = 0x000F_FFFF_FFFF_F000

    /// Values of Config; 0xx aborts. Bit 0 turns stage 1 on, bit 1 stage 2.
    public static let bypass: UInt64 = 4
    public static let stage1: UInt64 = 5
    public static let stage2: UInt64 = 6
    public static let nested: UInt64 = 7
    /// Values of S1Fmt.
    public static let linear: UInt64 = 0
    public static let twoLevel4K: UInt64 = 1
    public static let twoLevel64K: UInt64 = 2
    /// Values of S1DSS.
    public static let dssTerminate: UInt64 = 0
    public static let dssBypass: UInt64 = 1
    public static let dssContext0: UInt64 = 2
    /// Values of EATS.
    public static let eatsFull: UInt64 = 1
    public static let eatsSplit: UInt64 = 2
    /// Values of STRW.
    public static let worldEL1: UInt64 = 0
    public static let worldEL2: UInt64 = 2
    /// Values of PRIVCFG and INSTCFG.
    public static let unprivileged: UInt64 = 2
    public static let privileged: UInt64 = 3
    public static let data: UInt64 = 2
    public static let instruction: UInt64 = 3
    /// Values of S2TG and CD.TG0.
    public static let granule4K: UInt64 = 0
    public static let granule64K: UInt64 = 1
    public static let granule16K: UInt64 = 2
  }
}
