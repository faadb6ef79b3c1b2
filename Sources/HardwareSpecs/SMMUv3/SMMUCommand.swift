// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// Commands, 16 bytes. IHI 0070, 4.1.
  public enum Command {
    public static let opcode = Field(0, 7, 0)
    public static let prefetchConfig: UInt8 = 0x01
    public static let prefetchAddress: UInt8 = 0x02
    public static let configInvalidateSTE: UInt8 = 0x03
    public static let configInvalidateSTERange: UInt8 = 0x04
    public static let configInvalidateCD: UInt8 = 0x05
    public static let configInvalidateCDAll: UInt8 = 0x06
    public static let configInvalidateVMSPIDM: UInt8 = 0x07
    public static let tlbiNHAll: UInt8 = 0x10
    public static let tlbiNHASID: UInt8 = 0x11
    public static let tlbiNHVA: UInt8 = 0x12
    public static let tlbiNHVAA: UInt8 = 0x13
    public static let tlbiEL2All: UInt8 = 0x20
    public static let tlbiEL2ASID: UInt8 = 0x21
    public static let tlbiEL2VA: UInt8 = 0x22
    public static let tlbiEL2VAA: UInt8 = 0x23
    public static let tlbiS12VMAll: UInt8 = 0x28
    public static let tlbiS2IPA: UInt8 = 0x2A
    public static let tlbiNSNHAll: UInt8 = 0x30
    public static let atcInvalidate: UInt8 = 0x40
    public static let priResponse: UInt8 = 0x41
    public static let resume: UInt8 = 0x44
    public static let stallTerminate: UInt8 = 0x45
    public static let sync: UInt8 = 0x46

    public static let global = Field(0, 9)
    /// The command speaks of the Secure state, which a Non-secure queue may not.
    public static let secure = Field(0, 10)
    public static let ssv = Field(0, 11)
    public static let ssid = Field(0, 31, 12)
    public static let sid = Field(0, 63, 32)
    /// CFGI and TLBI: only the last level is meant.
    public static let leaf = Field(1, 0)
    /// CFGI_STE_RANGE: 2^(Range+1) StreamIDs; 31 means all.
    public static let range = Field(1, 4, 0)
    public static let num = Field(0, 16, 12)
    public static let scale = Field(0, 24, 20)
    public static let vmid = Field(0, 47, 32)
    public static let asid = Field(0, 63, 48)
    public static let ttl = Field(1, 9, 8)
    public static let tg = Field(1, 11, 10)
    public static let addressMask: UInt64 = 0xFFFF_FFFF_FFFF_F000
    public static let ipaMask: UInt64 = 0x000F_FFFF_FFFF_F000
    /// ATC_INV: 2^Size pages of 4 KiB; 52 is everything.
    public static let atcSize = Field(1, 5, 0)
    public static let atcEverything: UInt64 = 52
    public static let group = Field(1, 8, 0)
    public static let priResponseCode = Field(1, 13, 12)
    public static let resumeResponse = Field(0, 13, 12)
    public static let stag = Field(1, 15, 0)
    public static let completionSignal = Field(0, 13, 12)
    public static let msiData = Field(0, 63, 32)
    public static let msiAddressMask: UInt64 = 0x000F_FFFF_FFFF_FFFC

    /// Values of RESUME.Resp.
    public static let terminate: UInt64 = 0
    public static let retry: UInt64 = 1
    public static let abort: UInt64 = 2
    /// Values of PRI_RESP.Resp.
    public static let deny: UInt64 = 0
    public static let invalid: UInt64 = 1
    public static let success: UInt64 = 2
    /// Values of SYNC.CS.
    public static let signalNone: UInt64 = 0
    public static let signalInterrupt: UInt64 = 1
    public static let signalEvent: UInt64 = 2
  }

  /// Codes of CMDQ_CONS.ERR. IHI 0070, 7.1.
  public enum CommandError {
    public static let none: UInt32 = 0
    public static let illegal: UInt32 = 1
    public static let abort: UInt32 = 2
    public static let atcInvalidateSync: UInt32 = 3
  }
}
