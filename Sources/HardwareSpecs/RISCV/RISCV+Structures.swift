// SPDX-License-Identifier: GPL-3.0-or-later

extension RISCV {
  /// Section 3.1.3: `DC.tc`.
  public enum TranslationControl {
    public static let v: UInt64 = 1 << 0
    public static let enATS: UInt64 = 1 << 1
    public static let enPRI: UInt64 = 1 << 2
    public static let t2gpa: UInt64 = 1 << 3
    public static let dtf: UInt64 = 1 << 4
    public static let pdtv: UInt64 = 1 << 5
    public static let prpr: UInt64 = 1 << 6
    public static let gade: UInt64 = 1 << 7
    public static let sade: UInt64 = 1 << 8
    public static let dpe: UInt64 = 1 << 9
    public static let sbe: UInt64 = 1 << 10
    public static let sxl: UInt64 = 1 << 11
    /// Bits 23:12 and 63:32; 31:24 are custom.
    public static let reserved: UInt64 = 0xFFFF_FFFF_00FF_F000
  }

  /// Sections 3.1.3 and 3.2.3: `ta` of a device context and of a process context.
  public enum TranslationAttributes {
    public static let v: UInt64 = 1 << 0
    public static let ens: UInt64 = 1 << 1
    public static let sum: UInt64 = 1 << 2
    public static let pscidShift: UInt64 = 12
    public static let rcidShift: UInt64 = 40
    public static let mcidShift: UInt64 = 52
    public static let qosMask: UInt64 = 0xFFF
    /// Of a device context: bits 11:0 and 39:32.
    public static let deviceReserved: UInt64 = 0xFF_0000_0FFF
    /// Of a process context: bits 11:3 and 63:32.
    public static let processReserved: UInt64 = 0xFFFF_FFFF_0000_0FF8
  }

  /// `iohgatp`, `iosatp`, `pdtp` and `msiptp` are all a PPN, 16 bits that only `iohgatp` uses, and a mode.
  public enum TablePointer {
    public static let gscidShift: UInt64 = 44
    public static let modeShift: UInt64 = 60
    public static let reserved: UInt64 = 0xFFFF << 44
    public static let bare: UInt64 = 0
    /// With SXL or GXL 0: Sv39 and Sv39x4. With 1: Sv32 and Sv32x4.
    public static let sv39OrSv32: UInt64 = 8
    public static let sv48: UInt64 = 9
    public static let sv57: UInt64 = 10
    public static let pd8: UInt64 = 1
    public static let pd17: UInt64 = 2
    public static let pd20: UInt64 = 3
    public static let msiOff: UInt64 = 0
    public static let msiFlat: UInt64 = 1
  }

  /// Sections 3.1.2 and 3.2.1: an entry of a directory that leads to the next level.
  public enum DirectoryEntry {
    public static let v: UInt64 = 1 << 0
    public static let reserved: UInt64 = 0xFFC0_0000_0000_03FE
    public static let baseContextSize: UInt64 = 32
    public static let extendedContextSize: UInt64 = 64
    public static let processContextSize: UInt64 = 16
  }

  /// Privileged Architecture, "Sv39: Page-Based 39-bit Virtual-Memory System", and Svnapot, Svpbmt.
  public enum PTE {
    public static let v: UInt64 = 1 << 0
    public static let r: UInt64 = 1 << 1
    public static let w: UInt64 = 1 << 2
    public static let x: UInt64 = 1 << 3
    public static let u: UInt64 = 1 << 4
    public static let g: UInt64 = 1 << 5
    public static let a: UInt64 = 1 << 6
    public static let d: UInt64 = 1 << 7
    public static let reserved: UInt64 = 0x1F << 54
    public static let rsw60t59b: UInt64 = 3 << 59
    public static let pbmtShift: UInt64 = 61
    public static let pbmt: UInt64 = 3 << 61
    public static let n: UInt64 = 1 << 63
    /// The only encoding of Svnapot: 64 KiB.
    public static let napotLg2: UInt64 = 16
    public static let napotPattern: UInt64 = 8
    public static let napotMask: UInt64 = 0xF
  }

  /// Advanced Interrupt Architecture, section 9.5: MSI page table entries, 16 bytes.
  public enum MSIPTE {
    public static let sizeLg2: UInt64 = 4
    public static let v: UInt64 = 1 << 0
    public static let mShift: UInt64 = 1
    public static let mMask: UInt64 = 3
    public static let mrif: UInt64 = 1
    public static let basic: UInt64 = 3
    public static let c: UInt64 = 1 << 63
    /// Bits 9:3 and 62:54 of word 0 in basic translate mode; its word 1 must be 0.
    public static let basicReserved: UInt64 = 0x7FC0_0000_0000_03F8
    /// Bits 6:3 and 62:54 of word 0 in MRIF mode.
    public static let mrifReserved: UInt64 = 0x7FC0_0000_0000_0078
    /// Bits 63:61 and 59:54 of word 1 in MRIF mode.
    public static let noticeReserved: UInt64 = 0xEFC0_0000_0000_0000
    /// MRIF address bits 55:9, in bits 53:7.
    public static let mrifAddressMask: UInt64 = 0x003F_FFFF_FFFF_FF80
    public static let mrifAddressShift: UInt64 = 2
    public static let nidMask: UInt64 = 0x3FF
    public static let n10Shift: UInt64 = 60
    /// Identities of a memory-resident interrupt file: 64 pairs of pending and enable bits, 8 bytes each.
    public static let mrifIdentities: UInt32 = 2048
    /// Offsets of `seteipnum_le` and `seteipnum_be` in an interrupt file's page.
    public static let setEIPNumLE: UInt64 = 0
    public static let setEIPNumBE: UInt64 = 4
  }
}
