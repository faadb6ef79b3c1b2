// SPDX-License-Identifier: GPL-3.0-or-later

/// The device table entry, 32 bytes. AMD IOMMU Specification, publication 48882, section 2.2.2.1.
public enum AMDViDTE {
  public static let size: UInt64 = 32

  // Word 0.
  public static let valid: UInt64 = 1 << 0
  public static let translationValid: UInt64 = 1 << 1
  /// Host accessed and dirty: 1 accessed, 3 both.
  public static let hadShift: UInt64 = 7
  public static let modeShift: UInt64 = 9
  public static let rootMask: UInt64 = 0x000F_FFFF_FFFF_F000
  public static let ppr: UInt64 = 1 << 52
  public static let gprp: UInt64 = 1 << 53
  public static let giov: UInt64 = 1 << 54
  public static let gv: UInt64 = 1 << 55
  public static let glxShift: UInt64 = 56
  /// GCR3 table root 14:12.
  public static let gcr3LowShift: UInt64 = 58
  public static let ir: UInt64 = 1 << 61
  public static let iw: UInt64 = 1 << 62

  // Word 1.
  public static let domainMask: UInt64 = 0xFFFF
  /// GCR3 table root 30:15.
  public static let gcr3MiddleShift: UInt64 = 16
  public static let iotlb: UInt64 = 1 << 32
  public static let suppressRepeated: UInt64 = 1 << 33
  public static let suppressAll: UInt64 = 1 << 34
  public static let ioCtlShift: UInt64 = 35
  public static let cache: UInt64 = 1 << 37
  public static let snoopDisable: UInt64 = 1 << 38
  public static let exclusion: UInt64 = 1 << 39
  public static let sysMgtShift: UInt64 = 40
  public static let secureATS: UInt64 = 1 << 42
  /// GCR3 table root 51:31.
  public static let gcr3HighShift: UInt64 = 43

  // Word 2.
  public static let interruptValid: UInt64 = 1 << 0
  public static let interruptLengthShift: UInt64 = 1
  public static let ignoreUnmapped: UInt64 = 1 << 5
  public static let interruptRootMask: UInt64 = 0x000F_FFFF_FFFF_FFC0
  public static let guestPagingModeShift: UInt64 = 54
  public static let initPass: UInt64 = 1 << 56
  public static let extIntPass: UInt64 = 1 << 57
  public static let nmiPass: UInt64 = 1 << 58
  public static let hptMode: UInt64 = 1 << 59
  /// 0 abort, 1 pass, 2 remap.
  public static let intCtlShift: UInt64 = 60
  public static let lint0Pass: UInt64 = 1 << 62
  public static let lint1Pass: UInt64 = 1 << 63
}

/// GCR3 table entries, of all levels. Publication 48882, section 2.2.6.3.
public enum AMDViGCR3 {
  public static let valid: UInt64 = 1 << 0
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
}

/// Interrupt remapping table entries. Publication 48882, section 2.2.5.
public enum AMDViIRTE {
  public static let remapEn: UInt64 = 1 << 0
  public static let suppressFault: UInt64 = 1 << 1
  public static let intTypeShift: UInt64 = 2
  public static let requestEOI: UInt64 = 1 << 5
  public static let destinationMode: UInt64 = 1 << 6

  // The entry of four bytes.
  public static let basicDestinationShift: UInt64 = 8
  public static let basicVectorShift: UInt64 = 16
  /// Bits 31:24 and 7.
  public static let basicReserved: UInt64 = 0xFF00_0080

  // The entry of sixteen bytes, with GAEn.
  public static let guestMode: UInt64 = 1 << 7
  public static let gaLogIntr: UInt64 = 1 << 2
  public static let isRun: UInt64 = 1 << 6
  /// Destination 23:0.
  public static let destinationShift: UInt64 = 8
  public static let gaTagShift: UInt64 = 32
  /// Destination 31:24, in the second word.
  public static let destinationHighShift: UInt64 = 56
  /// The page of the guest's virtual APIC, in the second word.
  public static let vapicRootMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// IRR of the virtual APIC's page: eight words of 32 bits, 16 bytes apart.
  public static let vapicIRR: UInt64 = 0x200
  /// Type of a GA log entry: an interrupt for a guest that does not run. Publication 48882, section 2.5.5.
  public static let gaLogGuestInterrupt: UInt64 = 1
}
