// SPDX-License-Identifier: GPL-3.0-or-later

/// Commands of the command buffer, 16 bytes each. AMD IOMMU Specification, publication 48882, section 2.4.
public enum AMDViCommand {
  public static let size: UInt64 = 16
  /// The opcode is bits 31:28 of the second of four 32-bit words.
  public static let opcodeShift: UInt32 = 28

  public static let completionWait: UInt32 = 1
  public static let invalidateDeviceTableEntry: UInt32 = 2
  public static let invalidateIOMMUPages: UInt32 = 3
  public static let invalidateIOTLBPages: UInt32 = 4
  public static let invalidateInterruptTable: UInt32 = 5
  public static let prefetchIOMMUPages: UInt32 = 6
  public static let completePPRRequest: UInt32 = 7
  public static let invalidateIOMMUAll: UInt32 = 8
  public static let insertGuestEvent: UInt32 = 9
  public static let resetVMMIO: UInt32 = 10

  /// COMPLETION_WAIT, word 0: store, interrupt, flush queue; the address is 31:3 and word 1's 19:0.
  public static let store: UInt32 = 1 << 0
  public static let interrupt: UInt32 = 1 << 1
  public static let flush: UInt32 = 1 << 2
  public static let storeAddressMask: UInt32 = 0xFFFF_FFF8

  /// Invalidations, word 2: a range instead of a page, table entries too, guest addresses.
  public static let sized: UInt32 = 1 << 0
  public static let pde: UInt32 = 1 << 1
  public static let gn: UInt32 = 1 << 2

  /// COMPLETE_PPR_REQUEST, word 3.
  public static let pprTagMask: UInt32 = 0x1FF
  public static let pprStatusShift: UInt32 = 12
}
