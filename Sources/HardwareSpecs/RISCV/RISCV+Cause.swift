// SPDX-License-Identifier: GPL-3.0-or-later

extension RISCV {
  /// RISC-V IOMMU 1.0, section 4.2: CAUSE of a fault record.
  public enum Cause {
    public static let instructionAccessFault: UInt32 = 1
    public static let readAddressMisaligned: UInt32 = 4
    public static let readAccessFault: UInt32 = 5
    public static let writeAddressMisaligned: UInt32 = 6
    public static let writeAccessFault: UInt32 = 7
    public static let instructionPageFault: UInt32 = 12
    public static let readPageFault: UInt32 = 13
    public static let writePageFault: UInt32 = 15
    public static let instructionGuestPageFault: UInt32 = 20
    public static let readGuestPageFault: UInt32 = 21
    public static let writeGuestPageFault: UInt32 = 23
    public static let allInboundDisallowed: UInt32 = 256
    public static let ddtLoadFault: UInt32 = 257
    public static let ddtNotValid: UInt32 = 258
    public static let ddtMisconfigured: UInt32 = 259
    public static let transactionDisallowed: UInt32 = 260
    public static let msiPTELoadFault: UInt32 = 261
    public static let msiPTENotValid: UInt32 = 262
    public static let msiPTEMisconfigured: UInt32 = 263
    public static let mrifAccessFault: UInt32 = 264
    public static let pdtLoadFault: UInt32 = 265
    public static let pdtNotValid: UInt32 = 266
    public static let pdtMisconfigured: UInt32 = 267
    public static let ddtCorrupted: UInt32 = 268
    public static let pdtCorrupted: UInt32 = 269
    public static let msiPTCorrupted: UInt32 = 270
    public static let mrifCorrupted: UInt32 = 271
    public static let internalDataPathError: UInt32 = 272
    public static let msiWriteAccessFault: UInt32 = 273
    public static let ptCorrupted: UInt32 = 274

    /// Every cause, the specification's words for it, and whether it is reported although DTF is 1.
    public static let all: [(code: UInt32, name: String, despiteDTF: Bool)] = [
      (instructionAccessFault, "Instruction access fault", false),
      (readAddressMisaligned, "Read address misaligned", false),
      (readAccessFault, "Read access fault", false),
      (writeAddressMisaligned, "Write/AMO address misaligned", false),
      (writeAccessFault, "Write/AMO access fault", false),
      (instructionPageFault, "Instruction page fault", false),
      (readPageFault, "Read page fault", false),
      (writePageFault, "Write/AMO page fault", false),
      (instructionGuestPageFault, "Instruction guest page fault", false),
      (readGuestPageFault, "Read guest-page fault", false),
      (writeGuestPageFault, "Write/AMO guest-page fault", false),
      (allInboundDisallowed, "All inbound transactions disallowed", true),
      (ddtLoadFault, "DDT entry load access fault", true),
      (ddtNotValid, "DDT entry not valid", true),
      (ddtMisconfigured, "DDT entry misconfigured", true),
      (transactionDisallowed, "Transaction type disallowed", false),
      (msiPTELoadFault, "MSI PTE load access fault", false),
      (msiPTENotValid, "MSI PTE not valid", false),
      (msiPTEMisconfigured, "MSI PTE misconfigured", false),
      (mrifAccessFault, "MRIF access fault", false),
      (pdtLoadFault, "PDT entry load access fault", false),
      (pdtNotValid, "PDT entry not valid", false),
      (pdtMisconfigured, "PDT entry misconfigured", false),
      (ddtCorrupted, "DDT data corruption", true),
      (pdtCorrupted, "PDT data corruption", false),
      (msiPTCorrupted, "MSI PT data corruption", false),
      (mrifCorrupted, "MSI MRIF data corruption", false),
      (internalDataPathError, "Internal data path error", true),
      (msiWriteAccessFault, "IOMMU MSI write access fault", true),
      (ptCorrupted, "First/second-stage PT data corruption", false),
    ]
  }

  /// Section 4.2: TTYP of a fault record.
  public enum TransactionType {
    public static let none: UInt64 = 0
    public static let untranslatedExecute: UInt64 = 1
    public static let untranslatedRead: UInt64 = 2
    public static let untranslatedWrite: UInt64 = 3
    public static let translatedExecute: UInt64 = 5
    public static let translatedRead: UInt64 = 6
    public static let translatedWrite: UInt64 = 7
    public static let translationRequest: UInt64 = 8
    public static let message: UInt64 = 9
  }

  /// Sections 4.2 and 4.3: words 0 of fault and page request records.
  public enum Record {
    public static let pidShift: UInt64 = 12
    public static let pv: UInt64 = 1 << 32
    public static let priv: UInt64 = 1 << 33
    public static let exec: UInt64 = 1 << 34
    public static let ttypShift: UInt64 = 34
    public static let didShift: UInt64 = 40
    /// `iotval2` of a guest-page fault: an implicit access of the first stage, and whether that wrote.
    public static let implicit: UInt64 = 1 << 0
    public static let implicitWrite: UInt64 = 1 << 1
    /// Payload of a page request record.
    public static let read: UInt64 = 1 << 0
    public static let write: UInt64 = 1 << 1
    public static let last: UInt64 = 1 << 2
    public static let groupShift: UInt64 = 3
    /// PCI Express Base Specification, section 10.4.1: the message code of a page request.
    public static let pageRequestMessage: UInt64 = 4
  }
}
