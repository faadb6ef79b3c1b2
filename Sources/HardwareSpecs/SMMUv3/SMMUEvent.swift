// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// Event records, 32 bytes. IHI 0070, 7.3.
  public enum Event {
    public static let unsupportedTransaction: UInt8 = 0x01
    public static let badStreamID: UInt8 = 0x02
    public static let steFetch: UInt8 = 0x03
    public static let badSTE: UInt8 = 0x04
    public static let badATSRequest: UInt8 = 0x05
    public static let streamDisabled: UInt8 = 0x06
    public static let translationForbidden: UInt8 = 0x07
    public static let badSubstreamID: UInt8 = 0x08
    public static let cdFetch: UInt8 = 0x09
    public static let badCD: UInt8 = 0x0A
    public static let walkExternalAbort: UInt8 = 0x0B
    public static let translation: UInt8 = 0x10
    public static let addressSize: UInt8 = 0x11
    public static let access: UInt8 = 0x12
    public static let permission: UInt8 = 0x13
    public static let tlbConflict: UInt8 = 0x20
    public static let configurationConflict: UInt8 = 0x21
    public static let pageRequestHint: UInt8 = 0x24
    public static let vmsFetch: UInt8 = 0x25

    /// The names of the manual.
    public static let names: [(code: UInt8, name: String)] = [
      (0x01, "F_UUT"), (0x02, "C_BAD_STREAMID"), (0x03, "F_STE_FETCH"), (0x04, "C_BAD_STE"),
      (0x05, "F_BAD_ATS_TREQ"), (0x06, "F_STREAM_DISABLED"), (0x07, "F_TRANSL_FORBIDDEN"),
      (0x08, "C_BAD_SUBSTREAMID"), (0x09, "F_CD_FETCH"), (0x0A, "C_BAD_CD"), (0x0B, "F_WALK_EABT"),
      (0x10, "F_TRANSLATION"), (0x11, "F_ADDR_SIZE"), (0x12, "F_ACCESS"), (0x13, "F_PERMISSION"),
      (0x20, "F_TLB_CONFLICT"), (0x21, "F_CFG_CONFLICT"), (0x24, "E_PAGE_REQUEST"), (0x25, "F_VMS_FETCH"),
    ]

    public static let type = Field(0, 7, 0)
    public static let ssv = Field(0, 11)
    public static let ssid = Field(0, 31, 12)
    public static let sid = Field(0, 63, 32)
    public static let stag = Field(1, 15, 0)
    public static let stall = Field(1, 31)
    public static let pnu = Field(1, 33)
    public static let ind = Field(1, 34)
    public static let rnw = Field(1, 35)
    public static let nsipa = Field(1, 38)
    public static let s2 = Field(1, 39)
    public static let cause = Field(1, 41, 40)
    public static let ttrnw = Field(1, 44)
    public static let ipaMask: UInt64 = 0x000F_FFFF_FFFF_F000
    public static let fetchMask: UInt64 = 0x000F_FFFF_FFFF_FFF8

    /// Values of CLASS.
    public static let classCD: UInt8 = 0
    public static let classTable: UInt8 = 1
    public static let classInput: UInt8 = 2
  }

  /// PRI queue records, 16 bytes. IHI 0070, 8.3.
  public enum PRIRecord {
    public static let sid = Field(0, 31, 0)
    public static let ssid = Field(0, 51, 32)
    public static let privileged = Field(0, 58)
    public static let execute = Field(0, 59)
    public static let read = Field(0, 60)
    public static let write = Field(0, 61)
    public static let last = Field(0, 62)
    public static let ssv = Field(0, 63)
    public static let group = Field(1, 8, 0)
    public static let addressMask: UInt64 = 0xFFFF_FFFF_FFFF_F000
  }
}
