// SPDX-License-Identifier: GPL-3.0-or-later

/// Offsets of the MMIO registers. AMD I/O Virtualization Technology (IOMMU) Specification, publication 48882,
/// section 3.4.
public enum AMDViRegister {
  /// Device table base of segment 0: size 8:0 in pages less one, base 51:12.
  public static let deviceTableBase: UInt64 = 0x0000
  public static let commandBufferBase: UInt64 = 0x0008
  public static let eventLogBase: UInt64 = 0x0010
  public static let control: UInt64 = 0x0018
  /// Exclusion base; under SNP the completion store base.
  public static let exclusionBase: UInt64 = 0x0020
  /// Exclusion limit; under SNP the completion store limit.
  public static let exclusionLimit: UInt64 = 0x0028
  public static let extendedFeature: UInt64 = 0x0030
  public static let pprLogBase: UInt64 = 0x0038
  public static let gaLogBase: UInt64 = 0x00E0
  public static let gaLogTailAddress: UInt64 = 0x00E8
  /// Device table bases of segments 1 to 7 follow each other.
  public static let deviceTableSegment1: UInt64 = 0x0100
  /// The mirror of the PCI capability: header (bit 16: MSI enable), address, data.
  public static let msiCapability: UInt64 = 0x0158
  public static let msiAddressLow: UInt64 = 0x015C
  public static let msiAddressHigh: UInt64 = 0x0160
  public static let msiData: UInt64 = 0x0164
  public static let x2apicEventInterrupt: UInt64 = 0x0170
  public static let x2apicPPRInterrupt: UInt64 = 0x0178
  public static let x2apicGAInterrupt: UInt64 = 0x0180
  public static let extendedFeature2: UInt64 = 0x01A0
  public static let commandHead: UInt64 = 0x2000
  public static let commandTail: UInt64 = 0x2008
  public static let eventHead: UInt64 = 0x2010
  public static let eventTail: UInt64 = 0x2018
  public static let status: UInt64 = 0x2020
  public static let pprHead: UInt64 = 0x2030
  public static let pprTail: UInt64 = 0x2038
  public static let gaHead: UInt64 = 0x2040
  public static let gaTail: UInt64 = 0x2048

  /// Base address fields, 51:12.
  public static let baseMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// Length of a queue, 59:56: a base-2 logarithm of entries, 8 to 15.
  public static let lengthShift: UInt64 = 56
  /// Head and tail pointers are byte offsets, 18:4.
  public static let pointerMask: UInt64 = 0x7_FFF0
  /// The GA log has entries of eight bytes: 18:3.
  public static let gaPointerMask: UInt64 = 0x7_FFF8
  public static let exclusionEnable: UInt64 = 1 << 0
  public static let exclusionAllow: UInt64 = 1 << 1
  public static let msiEnable: UInt64 = 1 << 16
}

/// Bits of the control register, MMIO 0018. Publication 48882, section 3.4.1.
public enum AMDViControl {
  public static let iommuEn: UInt64 = 1 << 0
  public static let htTunEn: UInt64 = 1 << 1
  public static let eventLogEn: UInt64 = 1 << 2
  public static let eventIntEn: UInt64 = 1 << 3
  public static let comWaitIntEn: UInt64 = 1 << 4
  /// Three bits: 0 no time-out, 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s.
  public static let invTimeoutShift: UInt64 = 5
  public static let passPW: UInt64 = 1 << 8
  public static let resPassPW: UInt64 = 1 << 9
  public static let coherent: UInt64 = 1 << 10
  public static let isoc: UInt64 = 1 << 11
  public static let cmdBufEn: UInt64 = 1 << 12
  public static let pprLogEn: UInt64 = 1 << 13
  public static let pprIntEn: UInt64 = 1 << 14
  public static let pprEn: UInt64 = 1 << 15
  public static let gtEn: UInt64 = 1 << 16
  public static let gaEn: UInt64 = 1 << 17
  public static let gaLogEn: UInt64 = 1 << 28
  public static let gaIntEn: UInt64 = 1 << 29
  /// Three bits: the device table is cut into `1 << n` segments.
  public static let deviceTableSegmentShift: UInt64 = 34
  /// Two bits: 1 for tables of 2048 interrupts.
  public static let interruptTableModeShift: UInt64 = 43
  public static let ephEn: UInt64 = 1 << 45
  public static let pprAutoResponseEn: UInt64 = 1 << 48
  public static let xtEn: UInt64 = 1 << 50
  public static let intCapXTEn: UInt64 = 1 << 51
  public static let gcr3TRPMode: UInt64 = 1 << 58
  public static let irtCacheDis: UInt64 = 1 << 59
  /// Hardware leaves accessed and dirty bits of v2 tables alone.
  public static let v2HDDis: UInt64 = 1 << 60
  public static let snpAVICShift: UInt64 = 61
}

/// Bits of the status register, MMIO 2020. Publication 48882, section 3.4.13.
public enum AMDViStatus {
  public static let eventOverflow: UInt64 = 1 << 0
  public static let eventLogInt: UInt64 = 1 << 1
  public static let comWaitInt: UInt64 = 1 << 2
  public static let eventLogRun: UInt64 = 1 << 3
  public static let cmdBufRun: UInt64 = 1 << 4
  public static let pprOverflow: UInt64 = 1 << 5
  public static let pprInt: UInt64 = 1 << 6
  public static let pprRun: UInt64 = 1 << 7
  public static let gaLogRun: UInt64 = 1 << 8
  public static let gaLogOverflow: UInt64 = 1 << 9
  public static let gaLogInt: UInt64 = 1 << 10
  /// Cleared by writing 1.
  public static let writeOneToClear: UInt64 =
    eventOverflow | eventLogInt | comWaitInt | pprOverflow | pprInt | gaLogOverflow | gaLogInt
}
