// SPDX-License-Identifier: GPL-3.0-or-later

extension VTd {
  /// One fault reason.
  public struct FaultReason: Sendable {
    public let code: UInt8
    public let name: String
    /// Whether a set FPD bit keeps the fault from being recorded: VT-d section 7.1.3 calls it qualified.
    public let qualified: Bool
    /// What a translation request that meets the fault is answered with.
    public let atsAnswer: ATSAnswer

    /// VT-d section 7.1.3, columns for translation requests.
    public enum ATSAnswer: Sendable {
      case unsupportedRequest, completerAbort
      /// A successful completion without any permission; nothing is recorded.
      case noPermission
    }
  }

  /// Fault reasons, as in the FR field. VT-d section 7.1.3 and appendix A.
  public enum Reason {
    // Legacy mode.
    public static let rootNotPresent: UInt8 = 0x01
    public static let contextNotPresent: UInt8 = 0x02
    public static let contextInvalid: UInt8 = 0x03
    public static let beyondAddressWidth: UInt8 = 0x04
    public static let noWrite: UInt8 = 0x05
    public static let noRead: UInt8 = 0x06
    public static let pagingEntryAccess: UInt8 = 0x07
    public static let rootAccess: UInt8 = 0x08
    public static let contextAccess: UInt8 = 0x09
    public static let rootReserved: UInt8 = 0x0A
    public static let contextReserved: UInt8 = 0x0B
    public static let pagingEntryReserved: UInt8 = 0x0C
    public static let translationTypeBlocks: UInt8 = 0x0D
    public static let interruptRange: UInt8 = 0x0E
    // Interrupt remapping.
    public static let interruptRequestReserved: UInt8 = 0x20
    public static let interruptIndexBeyondTable: UInt8 = 0x21
    public static let interruptEntryNotPresent: UInt8 = 0x22
    public static let interruptTableAccess: UInt8 = 0x23
    public static let interruptEntryReserved: UInt8 = 0x24
    public static let compatibilityFormatBlocked: UInt8 = 0x25
    public static let sourceIDCheck: UInt8 = 0x26
    // Root table address.
    public static let rootTableAddress: UInt8 = 0x30
    public static let pasidInLegacyMode: UInt8 = 0x31
    public static let pageRequestInLegacyMode: UInt8 = 0x32
    // Scalable mode: root and context.
    public static let scalableRootAccess: UInt8 = 0x38
    public static let scalableRootNotPresent: UInt8 = 0x39
    public static let scalableRootReserved: UInt8 = 0x3A
    public static let scalableContextAccess: UInt8 = 0x40
    public static let scalableContextNotPresent: UInt8 = 0x41
    public static let scalableContextReserved: UInt8 = 0x42
    public static let scalableContextInvalid: UInt8 = 0x43
    public static let deviceTLBDisabled: UInt8 = 0x44
    public static let pasidDisabled: UInt8 = 0x45
    public static let pasidBeyondDirectory: UInt8 = 0x46
    public static let pageRequestDisabled: UInt8 = 0x47
    public static let ridPASIDBeyondDirectory: UInt8 = 0x48
    // Scalable mode: PASID structures.
    public static let pasidDirectoryAccess: UInt8 = 0x50
    public static let pasidDirectoryNotPresent: UInt8 = 0x51
    public static let pasidDirectoryReserved: UInt8 = 0x52
    public static let pasidEntryAccess: UInt8 = 0x58
    public static let pasidEntryNotPresent: UInt8 = 0x59
    public static let pasidEntryReserved: UInt8 = 0x5A
    public static let pasidEntryInvalid: UInt8 = 0x5B
    public static let executeDisabled: UInt8 = 0x5C
    public static let supervisorDisabled: UInt8 = 0x5D
    // Scalable mode: paging entries.
    public static let firstStageEntryAccess: UInt8 = 0x70
    public static let firstStageNotPresent: UInt8 = 0x71
    public static let firstStageReserved: UInt8 = 0x72
    public static let firstStageTableAccess: UInt8 = 0x73
    public static let nestedTableBeyondWidth: UInt8 = 0x74
    public static let nestedTopTableNotReadable: UInt8 = 0x75
    public static let nestedTableNotReadable: UInt8 = 0x76
    public static let nestedTableNotWritable: UInt8 = 0x77
    public static let secondStageEntryAccess: UInt8 = 0x78
    public static let secondStageNotPresent: UInt8 = 0x79
    public static let secondStageReserved: UInt8 = 0x7A
    public static let secondStageTableAccess: UInt8 = 0x7B
    public static let secondStageUpdate: UInt8 = 0x7C
    // Scalable mode: addresses and permissions.
    public static let notCanonical: UInt8 = 0x80
    public static let supervisorPage: UInt8 = 0x81
    public static let noExecute: UInt8 = 0x82
    public static let beyondPassThroughWidth: UInt8 = 0x83
    public static let beyondSecondStageWidth: UInt8 = 0x84
    public static let scalableNoWrite: UInt8 = 0x85
    public static let scalableNoRead: UInt8 = 0x86
    public static let scalableInterruptRange: UInt8 = 0x87
    public static let firstStageUpdateUnsnooped: UInt8 = 0x90
    public static let firstStageUpdate: UInt8 = 0x91
  }

  /// Every reason, by code.
  public static let faultReasons: [FaultReason] = [
    .init(0x01, "root entry not present", recorded),
    .init(0x02, "context entry not present"),
    .init(0x03, "context entry invalid"),
    .init(0x04, "address beyond MGAW", ats: .noPermission),
    .init(0x05, "no write permission", ats: .noPermission),
    .init(0x06, "no read permission", ats: .noPermission),
    .init(0x07, "paging entry access error", ats: .completerAbort),
    .init(0x08, "root entry access error", recorded, ats: .completerAbort),
    .init(0x09, "context entry access error", recorded, ats: .completerAbort),
    .init(0x0A, "root entry reserved field", recorded),
    .init(0x0B, "context entry reserved field", recorded),
    .init(0x0C, "paging entry reserved field", ats: .completerAbort),
    .init(0x0D, "translation type blocks request"),
    .init(0x0E, "interrupt address range", ats: .noPermission),
    .init(0x20, "interrupt request reserved field", recorded),
    .init(0x21, "interrupt index beyond table", recorded),
    .init(0x22, "interrupt entry not present"),
    .init(0x23, "interrupt table access error", recorded),
    .init(0x24, "interrupt entry reserved field"),
    .init(0x25, "compatibility format blocked", recorded),
    .init(0x26, "interrupt source-id check failed"),
    .init(0x30, "root table address invalid", recorded),
    .init(0x31, "request with PASID in legacy mode", recorded),
    .init(0x32, "page request in legacy mode", recorded),
    .init(0x38, "scalable root entry access error", recorded, ats: .completerAbort),
    .init(0x39, "scalable root entry not present", recorded),
    .init(0x3A, "scalable root entry reserved field", recorded),
    .init(0x40, "scalable context entry access error", recorded, ats: .completerAbort),
    .init(0x41, "scalable context entry not present"),
    .init(0x42, "scalable context entry reserved field"),
    .init(0x43, "scalable context entry invalid"),
    .init(0x44, "device-TLB requests disabled"),
    .init(0x45, "PASID disabled"),
    .init(0x46, "PASID beyond directory"),
    .init(0x47, "page requests disabled"),
    .init(0x48, "RID_PASID beyond directory"),
    .init(0x50, "PASID directory access error", recorded, ats: .completerAbort),
    .init(0x51, "PASID directory entry not present"),
    .init(0x52, "PASID directory entry reserved field"),
    .init(0x58, "PASID entry access error", recorded, ats: .completerAbort),
    .init(0x59, "PASID entry not present"),
    .init(0x5A, "PASID entry reserved field"),
    .init(0x5B, "PASID entry invalid"),
    .init(0x5C, "execute requests disabled"),
    .init(0x5D, "supervisor requests disabled"),
    .init(0x70, "first-stage entry access error", ats: .completerAbort),
    .init(0x71, "first-stage entry not present", ats: .noPermission),
    .init(0x72, "first-stage entry reserved field", ats: .completerAbort),
    .init(0x73, "first-stage top table access error", ats: .completerAbort),
    .init(0x74, "first-stage table beyond second-stage width", ats: .noPermission),
    .init(0x75, "first-stage top table not readable", ats: .noPermission),
    .init(0x76, "first-stage table not readable", ats: .noPermission),
    .init(0x77, "first-stage table not writable", ats: .noPermission),
    .init(0x78, "second-stage entry access error", ats: .completerAbort),
    .init(0x79, "second-stage entry not present", ats: .noPermission),
    .init(0x7A, "second-stage entry reserved field", ats: .completerAbort),
    .init(0x7B, "second-stage top table access error", ats: .completerAbort),
    .init(0x7C, "second-stage update failed", ats: .completerAbort),
    .init(0x80, "address not canonical", ats: .noPermission),
    .init(0x81, "supervisor page", ats: .noPermission),
    .init(0x82, "no execute permission", ats: .noPermission),
    .init(0x83, "address beyond pass-through width", ats: .noPermission),
    .init(0x84, "address beyond second-stage width", ats: .noPermission),
    .init(0x85, "no write permission (scalable)", ats: .noPermission),
    .init(0x86, "no read permission (scalable)", ats: .noPermission),
    .init(0x87, "interrupt address range (scalable)", ats: .noPermission),
    .init(0x90, "first-stage update without snooping", ats: .completerAbort),
    .init(0x91, "first-stage update failed", ats: .completerAbort),
  ]

  /// The reason with a code, if there is one.
  public static func faultReason(_ code: UInt8) -> FaultReason? { faultReasonsByCode[Int(code)] }

  private static let faultReasonsByCode: [FaultReason?] = {
    var table = [FaultReason?](repeating: nil, count: 256)
    for reason in faultReasons { table[Int(reason.code)] = reason }
    return table
  }()

  private static let recorded = Whatever.recorded
}

/// Marks the reasons that are recorded whatever FPD says.
private enum Whatever { case recorded, fpdSays }

extension VTd.FaultReason {
  fileprivate init(
    _ code: UInt8, _ name: String, _ whatever: Whatever = .fpdSays, ats: ATSAnswer = .unsupportedRequest
  ) {
    self.init(code: code, name: name, qualified: whatever == .fpdSays, atsAnswer: ats)
  }
}
