// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// Offsets of the registers. IHI 0070, 6.2.
  public enum Register {
    public static let idr0: UInt64 = 0x00
    public static let idr1: UInt64 = 0x04
    public static let idr2: UInt64 = 0x08
    public static let idr3: UInt64 = 0x0C
    public static let idr4: UInt64 = 0x10
    public static let idr5: UInt64 = 0x14
    public static let iidr: UInt64 = 0x18
    public static let aidr: UInt64 = 0x1C
    public static let cr0: UInt64 = 0x20
    public static let cr0ack: UInt64 = 0x24
    public static let cr1: UInt64 = 0x28
    public static let cr2: UInt64 = 0x2C
    public static let gbpa: UInt64 = 0x44
    public static let irqControl: UInt64 = 0x50
    public static let irqControlAck: UInt64 = 0x54
    public static let gerror: UInt64 = 0x60
    public static let gerrorN: UInt64 = 0x64
    public static let gerrorIRQConfig0: UInt64 = 0x68
    public static let streamTableBase: UInt64 = 0x80
    public static let streamTableConfig: UInt64 = 0x88
    public static let commandQueueBase: UInt64 = 0x90
    public static let commandQueueProd: UInt64 = 0x98
    public static let commandQueueCons: UInt64 = 0x9C
    public static let eventQueueBase: UInt64 = 0xA0
    public static let eventQueueIRQConfig0: UInt64 = 0xB0
    public static let pageRequestQueueBase: UInt64 = 0xC0
    public static let pageRequestQueueIRQConfig0: UInt64 = 0xD0
    /// Register page 1, 64 KiB above page 0.
    public static let page1: UInt64 = 0x1_0000
    public static let eventQueueProd: UInt64 = page1 + 0xA8
    public static let eventQueueCons: UInt64 = page1 + 0xAC
    public static let pageRequestQueueProd: UInt64 = page1 + 0xC8
    public static let pageRequestQueueCons: UInt64 = page1 + 0xCC
  }

  /// IDR0, features. IHI 0070, 6.3.1.
  public enum IDR0 {
    public static let s2p: UInt32 = 1 << 0
    public static let s1p: UInt32 = 1 << 1
    public static let ttf = Field(0, 3, 2)
    public static let cohacc: UInt32 = 1 << 4
    public static let btm: UInt32 = 1 << 5
    public static let httu = Field(0, 7, 6)
    public static let dormhint: UInt32 = 1 << 8
    public static let hyp: UInt32 = 1 << 9
    public static let ats: UInt32 = 1 << 10
    public static let ns1ats: UInt32 = 1 << 11
    public static let asid16: UInt32 = 1 << 12
    public static let msi: UInt32 = 1 << 13
    public static let sev: UInt32 = 1 << 14
    public static let atos: UInt32 = 1 << 15
    public static let pri: UInt32 = 1 << 16
    public static let vmw: UInt32 = 1 << 17
    public static let vmid16: UInt32 = 1 << 18
    public static let cd2l: UInt32 = 1 << 19
    public static let vatos: UInt32 = 1 << 20
    public static let ttendian = Field(0, 22, 21)
    public static let atsrecerr: UInt32 = 1 << 23
    public static let stallModel = Field(0, 25, 24)
    public static let termModel: UInt32 = 1 << 26
    public static let stLevel = Field(0, 28, 27)

    /// Values of TTENDIAN.
    public static let mixedEndian: UInt32 = 0
    public static let littleEndian: UInt32 = 2
    public static let bigEndian: UInt32 = 3
    /// Values of STALL_MODEL.
    public static let stallAndTerminate: UInt32 = 0
    public static let terminateOnly: UInt32 = 1
    public static let stallForced: UInt32 = 2
  }

  /// IDR1, sizes. IHI 0070, 6.3.2.
  public enum IDR1 {
    public static let sidSize = Field(0, 5, 0)
    public static let ssidSize = Field(0, 10, 6)
    public static let priQueueSize = Field(0, 15, 11)
    public static let eventQueueSize = Field(0, 20, 16)
    public static let commandQueueSize = Field(0, 25, 21)
    public static let attributePermissionsOverride: UInt32 = 1 << 26
    public static let attributeTypesOverride: UInt32 = 1 << 27
    public static let relative: UInt32 = 1 << 28
    public static let queuesPreset: UInt32 = 1 << 29
    public static let tablesPreset: UInt32 = 1 << 30
    public static let ecmdq: UInt32 = 1 << 31
    /// The most that the three queue sizes may say.
    public static let largestQueueLg2: UInt32 = 19
  }

  /// IDR3, more features. IHI 0070, 6.3.4.
  public enum IDR3 {
    public static let had: UInt32 = 1 << 2
    public static let pbha: UInt32 = 1 << 3
    public static let xnx: UInt32 = 1 << 4
    public static let pps: UInt32 = 1 << 5
    public static let mpam: UInt32 = 1 << 7
    public static let fwb: UInt32 = 1 << 8
    public static let stt: UInt32 = 1 << 9
    public static let ril: UInt32 = 1 << 10
    public static let bbml = Field(0, 12, 11)
    public static let e0pd: UInt32 = 1 << 13
    public static let ptwnnc: UInt32 = 1 << 14
    public static let dpt: UInt32 = 1 << 15
  }

  /// IDR5, address sizes and granules. IHI 0070, 6.3.6.
  public enum IDR5 {
    public static let oas = Field(0, 2, 0)
    public static let granule4K: UInt32 = 1 << 4
    public static let granule16K: UInt32 = 1 << 5
    public static let granule64K: UInt32 = 1 << 6
    public static let ds: UInt32 = 1 << 7
    public static let d128: UInt32 = 1 << 8
    public static let vax = Field(0, 11, 10)
    public static let stallMax = Field(0, 31, 16)
  }
}
