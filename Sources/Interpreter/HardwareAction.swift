// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

/// What is done to the hardware of a machine: nothing of it is a system call.
enum HardwareAction {
  /// Options by name; a bare word has no value.
  case addIOMMU(name: String?, kind: Code, options: [(name: Name, value: Code?)])
  case addFunction(FunctionCode)
  case removeFunction(Code)
  case configure(Code, ats: Bool, pri: Bool, pasid: Bool)
  case remapInterrupt(Code, vector: Code, destination: Code)
  case bind(Code)
  case unbind(Code)
  case dma(Code, DMACode)
  /// The outcome of a DMA that was held.
  case awaitDMA(Code)
  case requestTranslation(Code, address: Code, pasid: Code?, writing: Bool)
  case walk(Code, address: Code, pasid: Code?, writing: Bool)
  case readRegister(Code, offset: Code, width: Code)
  case writeRegister(Code, offset: Code, value: Code, width: Code)
  case readPhysical(Code, length: Code)
  case writePhysical(Code, bytes: Code)
  case cut(Code, iova: Code)
  case grow(Code, range: Code)
  case setBug(Code, name: Code, on: Bool)
  case omitLock(name: Code, on: Bool)
  case table(format: Code, memory: Code, guestAddress: Code, entries: [TableEntryCode])
}

/// What a function is to be, before the run.
struct FunctionCode {
  var requesterID: Code?
  var behind: Code?
  var groupOf: Code?
  var pasidBits: Code?
  var ats = false
  var pri = false
  var isVirtualFunction = false
}

/// A DMA, before the run.
struct DMACode {
  enum Access {
    case read(length: Code)
    case write(Code)
    case atomic(DMARequest.Atomic, Code)
    /// A write of 4 bytes that is meant to be an interrupt.
    case interrupt(Code)
  }
  var access: Access
  var address: Code
  var pasid: Code?
  var execute = false
  var privileged = false
  var isTranslated = false
  var avoidsCache = false
}

/// `0x1000 = gpa 0x8000 len=8K rw`
struct TableEntryCode {
  let iova: Code
  let target: Code
  let length: Code
  let readable: Bool
  let writable: Bool
}
