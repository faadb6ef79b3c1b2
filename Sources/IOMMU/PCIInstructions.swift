// SPDX-License-Identifier: GPL-3.0-or-later

// s390's PCI has no registers: software speaks to it with instructions. This is to its driver what `RegisterPort` is to
// the others, and again no more than numbers and bytes pass: what a block of bytes holds, each half reads by itself.

/// How an instruction ends.
public enum InstructionEnd: Hashable, Sendable {
  /// The condition code, and with code 1 the status that the instruction leaves in its first operand.
  case condition(UInt8, status: UInt8)
  /// A program interruption: the operands make no sense.
  case exception
}

/// The instructions of s390's PCI, as a driver executes them. As for `RegisterPort`, they have done their work when they
/// return, and call no driver back.
public protocol PCIInstructions: AnyObject, Sendable {
  /// MPCIFC, MODIFY PCI FUNCTION CONTROLS, with a function information block as it lies in storage.
  func modifyFunctionControls(_ request: UInt64, _ block: [UInt8]) -> InstructionEnd
  /// RPCIT, REFRESH PCI TRANSLATIONS.
  func refreshTranslations(_ function: UInt64, _ address: UInt64, _ length: UInt64) -> InstructionEnd
  /// CLP QUERY PCI FUNCTION, by any handle of it. Nil when the response is not OK.
  func queryFunction(_ handle: UInt32) -> CLPFunction?
  /// CLP QUERY PCI FUNCTION GROUP.
  func queryGroup(_ id: UInt8) -> CLPGroup?
  /// CLP SET PCI FUNCTION: the response code, and the handle that the function has now.
  func setFunction(_ handle: UInt32, enabled: Bool) -> (response: UInt16, handle: UInt32)
  /// CHSC store event information: the content code and the record of the oldest event; nil when none waits.
  func storeEvent() -> (contentCode: UInt8, record: [UInt8])?
}

/// What CLP tells of a function. Source: `struct clp_rsp_query_pci`.
public struct CLPFunction: Hashable, Sendable {
  public var handle: UInt32
  /// FID.
  public var id: UInt32
  /// PFGID.
  public var group: UInt8
  /// PFT.
  public var type: UInt8
  /// SDMA and EDMA.
  public var firstDMA: UInt64
  public var lastDMA: UInt64

  public init(handle: UInt32, id: UInt32, group: UInt8, type: UInt8, firstDMA: UInt64, lastDMA: UInt64) {
    self.handle = handle
    self.id = id
    self.group = group
    self.type = type
    self.firstDMA = firstDMA
    self.lastDMA = lastDMA
  }
}

/// What CLP tells of a function group. Source: `struct clp_rsp_query_pci_grp`.
public struct CLPGroup: Hashable, Sendable {
  /// DTSM.
  public var designations: UInt8
  /// Translations must be refreshed after tables were filled as well.
  public var refreshes: Bool
  /// RTR: an address space may be registered without tables.
  public var relaxedTranslation: Bool

  public init(designations: UInt8, refreshes: Bool, relaxedTranslation: Bool) {
    self.designations = designations
    self.refreshes = refreshes
    self.relaxedTranslation = relaxedTranslation
  }
}
