// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import UAPI

/// Something that was done to the hardware of a machine and through no system call, and what came of it.
///
/// IOMMUs and functions have the numbers that plugging them in gave.
public enum LoggedDeviceAction: Sendable {
  case addIOMMU(
    String, kind: String, numbers: [String: UInt64], words: [String: String], Result<Int, Errno>)
  /// `path` is that of the device node that a program opens, where there is one.
  case addFunction(FunctionDescription, Result<Int, Errno>, path: String?)
  case removeFunction(Int, Errno?)
  case configure(Int, ats: Bool, pri: Bool, pasid: Bool, Errno?)
  case remapInterrupt(
    Int, vector: UInt8, destination: UInt32, Result<(address: UInt64, data: UInt32), Errno>)
  case dma(Int, DMARequest, Result<DMAOutcome, Errno>)
  /// Somebody looked for a DMA that was held and has ended; nil where none has.
  case finishedDMA(Int, Result<DMAOutcome?, Errno>)
  case requestTranslation(Int, UInt64, pasid: UInt32?, writing: Bool, Result<Fact, Errno>)
  case requestPage(Int, UInt64, pasid: UInt32?, permissions: UInt32, last: Bool, group: UInt16, Errno?)
  case writeRegister(Int, offset: UInt64, width: Int, UInt64, Errno?)
  case setBug(Int, String, isOn: Bool, Errno?)
  case writePhysical(UInt64, [UInt8], Errno?)
  case cut(Int32, hwpt: UInt32, iova: UInt64, Errno?)
  case grow(Int32, hwpt: UInt32, iova: UInt64, length: UInt64, Result<Int, Errno>)
  /// A guest's table was put together; it is in memory where its bytes are stored next.
  case guestTable(format: String, guestAddress: UInt64, room: UInt64, [GuestMapping], GuestTable)
  /// Of those failure points that are of these kinds, all where it is nil, the `nth` from here fails.
  case armFailure(nth: UInt64, kinds: Set<String>?)
  case disarmFailure(hasHappened: Bool)

  /// The function that it is about.
  var function: Int? {
    switch self {
    case .addFunction(_, .success(let number), _): number
    case .removeFunction(let number, _), .configure(let number, _, _, _, _),
      .remapInterrupt(let number, _, _, _), .dma(let number, _, _), .finishedDMA(let number, _),
      .requestTranslation(let number, _, _, _, _), .requestPage(let number, _, _, _, _, _, _):
      number
    default: nil
    }
  }
}

extension LoggedDeviceAction: CustomStringConvertible {
  /// In words, for where there is no other form.
  public var description: String {
    switch self {
    case .addIOMMU(let name, let kind, _, _, _): "an IOMMU \(name) of kind \(kind) is plugged in"
    case .addFunction: "a PCI function is plugged in"
    case .removeFunction(let function, _): "function \(function) is unplugged"
    case .configure(let function, _, _, _, _): "the control registers of function \(function) are set"
    case .remapInterrupt(let function, _, _, _): "function \(function) gets an interrupt"
    case .dma(let function, _, _): "function \(function) does DMA"
    case .finishedDMA(let function, _): "function \(function) is asked how its DMA ended"
    case .requestTranslation(let function, _, _, _, _): "function \(function) asks for a translation"
    case .requestPage(let function, _, _, _, _, _, _): "function \(function) asks for a page"
    case .writeRegister(let iommu, _, _, _, _): "a register of IOMMU \(iommu) is written"
    case .setBug(_, let name, let isOn, _): "the driver's mistake \(name) is switched \(isOn ? "on" : "off")"
    case .writePhysical: "physical memory is written"
    case .cut: "a page table is cut"
    case .grow: "entries of a page table are merged"
    case .guestTable: "a guest's page table is put together"
    case .armFailure(let nth, _): "failure point \(nth) from here fails"
    case .disarmFailure: "no failure point fails any more"
    }
  }
}
