// SPDX-License-Identifier: GPL-3.0-or-later

extension RISCV {
  /// RISC-V IOMMU 1.0, section 6.2: offsets of the memory-mapped registers.
  public enum Register {
    public static let capabilities: UInt64 = 0x000
    public static let fctl: UInt64 = 0x008
    public static let ddtp: UInt64 = 0x010
    public static let cqb: UInt64 = 0x018
    public static let cqh: UInt64 = 0x020
    public static let cqt: UInt64 = 0x024
    public static let fqb: UInt64 = 0x028
    public static let fqh: UInt64 = 0x030
    public static let fqt: UInt64 = 0x034
    public static let pqb: UInt64 = 0x038
    public static let pqh: UInt64 = 0x040
    public static let pqt: UInt64 = 0x044
    public static let cqcsr: UInt64 = 0x048
    public static let fqcsr: UInt64 = 0x04C
    public static let pqcsr: UInt64 = 0x050
    public static let ipsr: UInt64 = 0x054
    public static let iocountovf: UInt64 = 0x058
    public static let iocountinh: UInt64 = 0x05C
    public static let iohpmcycles: UInt64 = 0x060
    /// `iohpmctr1`, the first of 31.
    public static let iohpmctr: UInt64 = 0x068
    /// `iohpmevt1`, the first of 31.
    public static let iohpmevt: UInt64 = 0x160
    public static let trReqIOVA: UInt64 = 0x258
    public static let trReqCtl: UInt64 = 0x260
    public static let trResponse: UInt64 = 0x268
    public static let iommuQOSID: UInt64 = 0x270
    public static let icvec: UInt64 = 0x2F8
    /// The first of 16 entries: address (8 bytes), data (4), vector control (4).
    public static let msiCfgTbl: UInt64 = 0x300
    public static let msiCfgTblEntrySize: UInt64 = 16
    public static let msiVectors = 16
    /// One past the last register.
    public static let end: UInt64 = 0x400
  }

  /// Section 6.4: `fctl`.
  public enum FeatureControl {
    public static let be: UInt64 = 1 << 0
    public static let wsi: UInt64 = 1 << 1
    public static let gxl: UInt64 = 1 << 2
  }

  /// Section 6.5: `ddtp`, and the codes of its `iommu_mode`.
  public enum DirectoryPointer {
    public static let modeMask: UInt64 = 0xF
    public static let busy: UInt64 = 1 << 4
    public static let off: UInt64 = 0
    public static let bare: UInt64 = 1
    public static let oneLevel: UInt64 = 2
    public static let twoLevels: UInt64 = 3
    public static let threeLevels: UInt64 = 4
  }

  /// Sections 6.6 to 6.14: the three queues' base registers and their entries.
  public enum Queue {
    /// `LOG2SZ-1`.
    public static let sizeMask: UInt64 = 0x1F
    public static let commandSizeLg2: UInt64 = 4
    public static let faultSizeLg2: UInt64 = 5
    public static let pageRequestSizeLg2: UInt64 = 4
  }

  /// Sections 6.15 to 6.17: `cqcsr`, `fqcsr` and `pqcsr`.
  public enum QueueControl {
    public static let enable: UInt32 = 1 << 0
    public static let interruptEnable: UInt32 = 1 << 1
    /// `cqmf`, `fqmf`, `pqmf`.
    public static let memoryFault: UInt32 = 1 << 8
    /// `fqof`, `pqof`.
    public static let overflow: UInt32 = 1 << 9
    public static let commandTimeout: UInt32 = 1 << 9
    public static let commandIllegal: UInt32 = 1 << 10
    public static let fenceInterruptPending: UInt32 = 1 << 11
    public static let on: UInt32 = 1 << 16
    public static let busy: UInt32 = 1 << 17
  }

  /// Section 6.18: `ipsr`; a bit's number is also its field in `icvec`.
  public enum Interrupt {
    public static let commandQueue: UInt32 = 0
    public static let faultQueue: UInt32 = 1
    public static let performance: UInt32 = 2
    public static let pageRequestQueue: UInt32 = 3
    /// `msi_vec_ctl`: the vector is masked.
    public static let vectorMasked: UInt32 = 1
    /// `msi_addr`: bits 55:2.
    public static let addressMask: UInt64 = 0x00FF_FFFF_FFFF_FFFC
  }

  /// Section 6.23: `iohpmevt`.
  public enum Event {
    public static let idMask: UInt64 = 0x7FFF
    public static let dmask: UInt64 = 1 << 15
    public static let pidPSCIDShift: UInt64 = 16
    public static let didGSCIDShift: UInt64 = 36
    public static let pvPSCV: UInt64 = 1 << 60
    public static let dvGSCV: UInt64 = 1 << 61
    public static let idt: UInt64 = 1 << 62
    public static let overflow: UInt64 = 1 << 63

    public static let untranslatedRequest: UInt64 = 1
    public static let translatedRequest: UInt64 = 2
    public static let translationRequest: UInt64 = 3
    public static let tlbMiss: UInt64 = 4
    public static let deviceDirectoryWalk: UInt64 = 5
    public static let processDirectoryWalk: UInt64 = 6
    public static let firstStageWalk: UInt64 = 7
    public static let secondStageWalk: UInt64 = 8
  }

  /// Sections 6.24 to 6.26: the translation-request interface.
  public enum Debug {
    public static let go: UInt64 = 1 << 0
    public static let privileged: UInt64 = 1 << 1
    public static let execute: UInt64 = 1 << 2
    public static let noWrite: UInt64 = 1 << 3
    public static let pidShift: UInt64 = 12
    public static let pidValid: UInt64 = 1 << 32
    public static let didShift: UInt64 = 40
    /// What of `tr_req_ctl` is neither reserved nor custom.
    public static let controlMask: UInt64 = 0xFFFF_FF01_FFFF_F00F

    public static let fault: UInt64 = 1 << 0
    public static let pbmtShift: UInt64 = 7
    public static let size: UInt64 = 1 << 9
  }
}
