// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware

/// A DMA that a script asks a device for.
public struct DMARequest: Sendable {
  /// What an atomic operation does to a word of 4 or 8 bytes. PCI Express Base Specification, section 6.15.
  public enum Atomic: String, Sendable, CaseIterable {
    case fetchAdd = "fetch-add"
    case swap

    /// - Precondition: both have the same length.
    func apply(_ old: [UInt8], _ operand: [UInt8]) -> [UInt8] {
      guard self == .fetchAdd else { return operand }
      var carry = 0
      return zip(old, operand).map { a, b in
        let sum = Int(a) + Int(b) + carry
        carry = sum >> 8
        return UInt8(truncatingIfNeeded: sum)
      }
    }
  }

  public var address: UInt64
  public var length: Int
  public var isWrite: Bool
  /// What is written, or the operand; `length` bytes. Empty for a read.
  public var bytes: [UInt8]
  public var atomic: Atomic?
  public var pasid: UInt32?
  public var execute = false
  public var privileged = false
  /// The device claims that `address` is translated already.
  public var isTranslated = false
  /// It sends an untranslated request although its ATS is on.
  public var avoidsCache = false

  public static func read(_ address: UInt64, _ length: Int, pasid: UInt32? = nil) -> DMARequest {
    DMARequest(address: address, length: length, isWrite: false, bytes: [], atomic: nil, pasid: pasid)
  }

  public static func write(_ address: UInt64, _ bytes: [UInt8], pasid: UInt32? = nil) -> DMARequest {
    DMARequest(address: address, length: bytes.count, isWrite: true, bytes: bytes, atomic: nil, pasid: pasid)
  }

  /// - Precondition: 4 or 8 bytes.
  public static func atomic(_ atomic: Atomic, _ address: UInt64, _ bytes: [UInt8], pasid: UInt32? = nil)
    -> DMARequest
  {
    DMARequest(
      address: address, length: bytes.count, isWrite: true, bytes: bytes, atomic: atomic, pasid: pasid)
  }
}

/// How a DMA ended.
public enum DMAOutcome: Sendable {
  /// Everything was moved: the bytes of a read, the old value of an atomic operation, nothing of a write.
  case done([UInt8])
  case fault(DMAFault)
  /// The IOMMU holds it until software answers.
  case held(tag: UInt32)
  /// The write was an interrupt, and reaches this address with this data.
  case interrupt(address: UInt64, data: UInt32)
}

/// Why a DMA ended early.
public struct DMAFault: Sendable {
  /// The address that failed.
  public var address: UInt64
  /// The manual's code and name; 0 for what no IOMMU reported.
  public var code: UInt32
  public var name: String
  /// Whether the IOMMU recorded it.
  public var recorded: Bool
  public var completion: String
  /// What was moved before.
  public var done: [UInt8]

  init(_ abort: Abort, at address: UInt64, done: [UInt8]) {
    self.address = address
    code = abort.code
    name = abort.name
    recorded = abort.recorded
    completion = "\(abort.completion)"
    self.done = done
  }

  /// Translated to where there is no memory.
  static func outside(at address: UInt64, done: [UInt8]) -> DMAFault {
    DMAFault(
      Abort(code: 0, name: "external abort", recorded: false, completion: .completerAbort), at: address,
      done: done)
  }
}

extension TranslationAnswer {
  /// For `ats` and `walk`.
  var fact: Fact {
    switch self {
    case .translated(let translation):
      .record([
        ("result", .text("translated")), ("address", .hex(translation.address)),
        ("size", .hex(1 << UInt64(min(63, translation.sizeLg2)))), ("readable", .flag(translation.readable)),
        ("writable", .flag(translation.writable)), ("executable", .flag(translation.executable)),
        ("global", .flag(translation.global)), ("cached", .flag(translation.fromCache)),
      ])
    case .aborted(let abort):
      .record([
        ("result", .text("fault")), ("code", .hex(UInt64(abort.code))), ("reason", .text(abort.name)),
        ("recorded", .flag(abort.recorded)),
      ])
    case .stalled(let tag):
      .record([("result", .text("stalled")), ("tag", .number(UInt64(tag)))])
    }
  }
}
