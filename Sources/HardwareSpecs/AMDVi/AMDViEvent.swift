// SPDX-License-Identifier: GPL-3.0-or-later

/// Event log entries, 16 bytes each. AMD IOMMU Specification, publication 48882, section 2.5.
public enum AMDViEvent {
  public static let size: UInt64 = 16

  public static let illegalDeviceTableEntry: UInt32 = 1
  public static let ioPageFault: UInt32 = 2
  public static let deviceTableHardwareError: UInt32 = 3
  public static let pageTableHardwareError: UInt32 = 4
  public static let illegalCommandError: UInt32 = 5
  public static let commandHardwareError: UInt32 = 6
  public static let iotlbInvalidationTimeout: UInt32 = 7
  public static let invalidDeviceRequest: UInt32 = 8
  public static let invalidPPRRequest: UInt32 = 9
  public static let eventCounterZero: UInt32 = 10
  public static let guestEvent: UInt32 = 11
  public static let viommuHardwareError: UInt32 = 12
  public static let rmpFault: UInt32 = 13
  public static let rmpHardwareError: UInt32 = 14

  // Flags: 27:16 of the second of four 32-bit words; here as a number of 12 bits.
  public static let gn: UInt32 = 0x001
  /// The request was one to execute.
  public static let nx: UInt32 = 0x002
  /// The request was a user's.
  public static let us: UInt32 = 0x004
  public static let interrupt: UInt32 = 0x008
  public static let present: UInt32 = 0x010
  public static let write: UInt32 = 0x020
  public static let permission: UInt32 = 0x040
  public static let reserved: UInt32 = 0x080
  public static let translation: UInt32 = 0x100
  /// INVALID_DEVICE_REQUEST: what was wrong, three bits.
  public static let typeShift: UInt32 = 9

  public static let flagsShift: UInt32 = 16
  public static let codeShift: UInt32 = 28

  public static func name(_ code: UInt32) -> String {
    switch code {
    case illegalDeviceTableEntry: "ILLEGAL_DEV_TABLE_ENTRY"
    case ioPageFault: "IO_PAGE_FAULT"
    case deviceTableHardwareError: "DEV_TAB_HARDWARE_ERROR"
    case pageTableHardwareError: "PAGE_TAB_HARDWARE_ERROR"
    case illegalCommandError: "ILLEGAL_COMMAND_ERROR"
    case commandHardwareError: "COMMAND_HARDWARE_ERROR"
    case iotlbInvalidationTimeout: "IOTLB_INV_TIMEOUT"
    case invalidDeviceRequest: "INVALID_DEVICE_REQUEST"
    case invalidPPRRequest: "INVALID_PPR_REQUEST"
    case eventCounterZero: "EVENT_COUNTER_ZERO"
    case guestEvent: "GUEST_EVENT_FAULT"
    case viommuHardwareError: "VIOMMU_HARDWARE_ERROR"
    case rmpFault: "RMP_PAGE_FAULT"
    case rmpHardwareError: "RMP_HARDWARE_ERROR"
    default: "TARGET_ABORT"
    }
  }
}

/// Types of INVALID_DEVICE_REQUEST. Publication 48882, section 2.5.10, as recalled: nothing else at hand
/// confirms the numbers.
public enum AMDViInvalidRequest {
  /// A read, or an atomic operation, where interrupts go.
  public static let interruptRead: UInt32 = 0
  /// A translated request, or one with a PASID, that the device table entry does not allow.
  public static let pretranslated: UInt32 = 1
  public static let portIO: UInt32 = 2
  public static let systemManagement: UInt32 = 3
  public static let interrupt: UInt32 = 4
  public static let reservedInterrupt: UInt32 = 5
  public static let interruptMessage: UInt32 = 6
  public static let systemManagementUntranslated: UInt32 = 7
  /// A translation request that the device table entry does not allow.
  public static let translationRequest: UInt32 = 0
}

/// PPR log entries, 16 bytes each. Publication 48882, section 2.6.
public enum AMDViPPR {
  public static let size: UInt64 = 16
  public static let pasidShift: UInt64 = 16
  public static let tagShift: UInt64 = 32
  /// The last request of its group.
  public static let last: UInt64 = 1 << 9
  public static let pasidHighShift: UInt64 = 42
  public static let flagsShift: UInt64 = 48
  public static let typeShift: UInt64 = 60
  public static let pageRequest: UInt64 = 1

  public static let execute: UInt64 = 0x002
  public static let read: UInt64 = 0x004
  public static let write: UInt64 = 0x020
  public static let user: UInt64 = 0x040
  public static let reserved: UInt64 = 0x080
  public static let gn: UInt64 = 0x100
}

/// Addresses with a meaning of their own. Publication 48882, section 2.1.2 (HyperTransport) and the MSI window
/// of the x86 architecture. Closed ranges.
public enum AMDViAddress {
  public static let htFirst: UInt64 = 0xFD_0000_0000
  public static let htLast: UInt64 = 0xFF_FFFF_FFFF
  public static let interruptFirst: UInt64 = 0xFD_F800_0000
  public static let interruptLast: UInt64 = 0xFD_F8FF_FFFF
  public static let systemManagementFirst: UInt64 = 0xFD_F910_0000
  public static let systemManagementLast: UInt64 = 0xFD_F91F_FFFF
  public static let portIOFirst: UInt64 = 0xFD_FC00_0000
  public static let portIOLast: UInt64 = 0xFD_FDFF_FFFF
  public static let msiFirst: UInt64 = 0xFEE0_0000
  public static let msiLast: UInt64 = 0xFEEF_FFFF
}
