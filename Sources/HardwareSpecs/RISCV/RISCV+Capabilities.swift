// SPDX-License-Identifier: GPL-3.0-or-later

extension RISCV {
  /// RISC-V IOMMU 1.0, section 6.3: IOMMU capabilities.
  public enum Capability {
    public static let versionMask: UInt64 = 0xFF
    /// Version 1.0 of the specification.
    public static let version10: UInt64 = 0x10
    public static let sv32: UInt64 = 1 << 8
    public static let sv39: UInt64 = 1 << 9
    public static let sv48: UInt64 = 1 << 10
    public static let sv57: UInt64 = 1 << 11
    public static let svrsw60t59b: UInt64 = 1 << 14
    public static let svpbmt: UInt64 = 1 << 15
    public static let sv32x4: UInt64 = 1 << 16
    public static let sv39x4: UInt64 = 1 << 17
    public static let sv48x4: UInt64 = 1 << 18
    public static let sv57x4: UInt64 = 1 << 19
    public static let amoMRIF: UInt64 = 1 << 21
    public static let msiFlat: UInt64 = 1 << 22
    public static let msiMRIF: UInt64 = 1 << 23
    public static let amoHWAD: UInt64 = 1 << 24
    public static let ats: UInt64 = 1 << 25
    public static let t2gpa: UInt64 = 1 << 26
    public static let end: UInt64 = 1 << 27
    public static let igsShift: UInt64 = 28
    public static let igsMask: UInt64 = 3
    public static let hpm: UInt64 = 1 << 30
    public static let dbg: UInt64 = 1 << 31
    public static let pasShift: UInt64 = 32
    public static let pasMask: UInt64 = 0x3F
    public static let pd8: UInt64 = 1 << 38
    public static let pd17: UInt64 = 1 << 39
    public static let pd20: UInt64 = 1 << 40
    public static let qosid: UInt64 = 1 << 41
    /// Non-leaf PTE invalidation, section 9.2.
    public static let nl: UInt64 = 1 << 42
    /// Address range invalidation, section 9.3.
    public static let s: UInt64 = 1 << 43
  }

  /// `capabilities.IGS`: how the IOMMU can interrupt.
  public enum InterruptSupport {
    public static let msi: UInt64 = 0
    public static let wsi: UInt64 = 1
    public static let both: UInt64 = 2
  }
}
