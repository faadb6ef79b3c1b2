// SPDX-License-Identifier: GPL-3.0-or-later

extension SMMU {
  /// CR0 and CR0ACK. IHI 0070, 6.3.9.
  public enum CR0 {
    public static let smmuEnable: UInt32 = 1 << 0
    public static let priQueueEnable: UInt32 = 1 << 1
    public static let eventQueueEnable: UInt32 = 1 << 2
    public static let commandQueueEnable: UInt32 = 1 << 3
    public static let atsCheck: UInt32 = 1 << 4
    public static let vmidWildcard = Field(0, 8, 6)
  }

  /// CR2. IHI 0070, 6.3.12.
  public enum CR2 {
    public static let e2h: UInt32 = 1 << 0
    public static let recordInvalidSID: UInt32 = 1 << 1
    public static let privateTLBMaintenance: UInt32 = 1 << 2
    /// Records configuration errors of ATS translation requests; needs IDR0.ATSRECERR.
    public static let recordATSConfiguration: UInt32 = 1 << 3
  }

  /// GBPA: what happens to transactions while SMMUEN is 0. IHI 0070, 6.3.14.
  public enum GBPA {
    public static let abort: UInt32 = 1 << 20
    public static let update: UInt32 = 1 << 31
  }

  /// IRQ_CTRL and IRQ_CTRLACK. IHI 0070, 6.3.16.
  public enum IRQControl {
    public static let gerror: UInt32 = 1 << 0
    public static let priQueue: UInt32 = 1 << 1
    public static let eventQueue: UInt32 = 1 << 2
    /// PRIQ_IRQ_CFG2.LO: interrupt only for the last request of a group. IHI 0070, 6.3.35.
    public static let lastOnly: UInt32 = 1 << 31
    /// Address bits of an IRQ_CFG0.
    public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_FFFC
  }

  /// GERROR and GERRORN: an error is active while its bits differ. IHI 0070, 6.3.18 and 7.5.
  public enum GlobalError {
    public static let commandQueue: UInt32 = 1 << 0
    public static let eventQueueAbort: UInt32 = 1 << 2
    public static let priQueueAbort: UInt32 = 1 << 3
    public static let msiCommandQueueAbort: UInt32 = 1 << 4
    public static let msiEventQueueAbort: UInt32 = 1 << 5
    public static let msiPRIQueueAbort: UInt32 = 1 << 6
    public static let msiGlobalErrorAbort: UInt32 = 1 << 7
    public static let serviceFailureMode: UInt32 = 1 << 8
    public static let all: UInt32 = 0x1FD
  }

  /// STRTAB_BASE and STRTAB_BASE_CFG. IHI 0070, 6.3.24 and 6.3.25.
  public enum StreamTable {
    public static let baseMask: UInt64 = 0x000F_FFFF_FFFF_FFC0
    public static let readAllocate: UInt64 = 1 << 62
    public static let log2Size = Field(0, 5, 0)
    public static let split = Field(0, 10, 6)
    public static let format = Field(0, 17, 16)
    public static let linear: UInt64 = 0
    public static let twoLevel: UInt64 = 1
  }

  /// CMDQ_BASE, EVTQ_BASE, PRIQ_BASE, and the index registers. IHI 0070, 6.3.26 and 3.5.1.
  public enum Queue {
    public static let baseMask: UInt64 = 0x000F_FFFF_FFFF_FFE0
    public static let allocateHint: UInt64 = 1 << 62
    public static let log2Size = Field(0, 4, 0)
    /// PROD.OVFLG and CONS.OVACKFLG.
    public static let overflow: UInt32 = 1 << 31
    /// CMDQ_CONS.ERR.
    public static let consError = Field(0, 30, 24)
    public static let commandBytesLg2 = 4
    public static let eventBytesLg2 = 5
    public static let pageRequestBytesLg2 = 4
  }

  /// Wired interrupts. IHI 0070, 3.18.
  public enum Wire {
    public static let eventQueue: UInt32 = 0
    public static let priQueue: UInt32 = 1
    public static let commandSync: UInt32 = 2
    public static let globalError: UInt32 = 3
    /// An error of a Tegra241 virtual command queue.
    public static let cmdqv: UInt32 = 4
  }
}
