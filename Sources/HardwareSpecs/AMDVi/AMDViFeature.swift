// SPDX-License-Identifier: GPL-3.0-or-later

/// Bits of the extended feature register, MMIO 0030. AMD IOMMU Specification, publication 48882, section 3.4.5.
public enum AMDViFeature {
  public static let prefetch: UInt64 = 1 << 0
  public static let ppr: UInt64 = 1 << 1
  public static let xt: UInt64 = 1 << 2
  public static let nx: UInt64 = 1 << 3
  public static let gt: UInt64 = 1 << 4
  public static let gAppi: UInt64 = 1 << 5
  public static let invalidateAll: UInt64 = 1 << 6
  public static let ga: UInt64 = 1 << 7
  public static let he: UInt64 = 1 << 8
  public static let pc: UInt64 = 1 << 9
  /// Two bits: host levels less 4; 3 stands for no host translation.
  public static let hatsShift: UInt64 = 10
  /// Two bits: guest levels less 4.
  public static let gatsShift: UInt64 = 12
  /// Two bits: GCR3 levels less 1.
  public static let glxShift: UInt64 = 14
  public static let gamShift: UInt64 = 21
  public static let secureATS: UInt64 = 1 << 31
  /// Five bits: bits of a PASID less 1.
  public static let pasMaxShift: UInt64 = 32
  public static let userSupervisor: UInt64 = 1 << 37
  /// Two bits: the device table may be cut into up to `1 << n` segments.
  public static let deviceTableSegmentShift: UInt64 = 38
  public static let pprOverflowEarly: UInt64 = 1 << 40
  public static let pprAutoResponse: UInt64 = 1 << 41
  public static let blockStop: UInt64 = 1 << 44
  public static let msiCapMMIO: UInt64 = 1 << 46
  public static let gio: UInt64 = 1 << 48
  public static let ha: UInt64 = 1 << 49
  public static let eph: UInt64 = 1 << 50
  public static let attrFW: UInt64 = 1 << 51
  public static let hd: UInt64 = 1 << 52
  /// The control register can turn accessed and dirty bits of v2 tables off.
  public static let v2HDDis: UInt64 = 1 << 53
  public static let invIOTLBType: UInt64 = 1 << 54
  public static let snp: UInt64 = 1 << 63
}

/// Bits of the second extended feature register, MMIO 01A0. Publication 48882, section 3.4.5.
public enum AMDViFeature2 {
  public static let gcr3TRPMode: UInt64 = 1 << 3
  public static let snpAVICShift: UInt64 = 5
  /// Two bits: 1 where interrupt tables may have 2048 entries.
  public static let numIntRemapShift: UInt64 = 8
  public static let htRangeIgnore: UInt64 = 1 << 11
}

/// Bits of the header of the PCI capability block. Publication 48882, section 3.2.1.
public enum AMDViCapability {
  public static let iotlb: UInt32 = 1 << 24
  public static let htTunnel: UInt32 = 1 << 25
  public static let npCache: UInt32 = 1 << 26
  public static let extendedFeature: UInt32 = 1 << 27
  /// Capability ID 0Fh, type 3 and revision 1 in 23:16.
  public static let identity: UInt32 = 0x0B_000F
}
