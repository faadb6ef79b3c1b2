// SPDX-License-Identifier: GPL-3.0-or-later

extension ZPCI {
  /// MODIFY PCI FUNCTION CONTROLS: the request is the handle 63:32, the DMA address space 23:16, the operation 7:0.
  public enum Operation {
    public static let registerInterrupts: UInt8 = 2
    public static let deregisterInterrupts: UInt8 = 3
    public static let registerIOAT: UInt8 = 4
    public static let deregisterIOAT: UInt8 = 5
    public static let reregisterIOAT: UInt8 = 6
    public static let resetError: UInt8 = 7
    public static let resetBlock: UInt8 = 9
  }

  /// Condition codes of the instructions.
  public enum Condition {
    public static let ok: UInt8 = 0
    public static let error: UInt8 = 1
    public static let busy: UInt8 = 2
    public static let invalidHandle: UInt8 = 3
  }

  /// Status codes of condition 1.
  public enum Status {
    public static let notEnabled: UInt8 = 4
    public static let inError: UInt8 = 8
    public static let blocked: UInt8 = 12
    public static let insufficientResources: UInt8 = 16
    public static let invalidAddressSpace: UInt8 = 20
    /// Also: the operation does not fit the state.
    public static let alreadyEnabled: UInt8 = 24
    public static let noAddressSpace: UInt8 = 28
    public static let secondOperandInvalid: UInt8 = 36
    /// Also: an error is being recovered.
    public static let notAvailable: UInt8 = 40
    public static let alreadyInState: UInt8 = 44
  }

  /// The function information block: offsets, and the flags FC.
  public enum FIB {
    public static let format = 0
    public static let controls = 8
    public static let base = 16
    public static let limit = 24
    public static let anchor = 32
    public static let interrupts = 40
    public static let bitVector = 48
    public static let summary = 56
    public static let measurement = 64
    public static let size = 128

    public static let enabled: UInt8 = 0x80
    public static let error: UInt8 = 0x40
    public static let blocked: UInt8 = 0x20
    public static let registered: UInt8 = 0x10

    /// The interrupt word: ISC 31:28, NOI 27:16, AIBVO 13:8, summary 7, AISBO 5:0.
    public static let iscShift: UInt32 = 28
    public static let vectorsShift: UInt32 = 16
    public static let vectorsMask: UInt32 = 0xFFF
    public static let bitOffsetShift: UInt32 = 8
    public static let bitOffsetMask: UInt32 = 0x3F
    public static let summaryValid: UInt32 = 0x80
    public static let summaryOffsetMask: UInt32 = 0x3F
  }
}
