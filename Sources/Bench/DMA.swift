// SPDX-License-Identifier: GPL-3.0-or-later

/// A DMA that a script asks a device for.
public struct DMARequest: Sendable {
  /// What an atomic operation does to a word of 4 or 8 bytes. PCI Express Base Specification, section 6.15.
  public enum Atomic: String, Sendable, CaseIterable {
    case fetchAdd = "fetch-add"
    case swap

    /// The new word, of as many bytes as the shorter of both.
    public func apply(_ old: [UInt8], _ operand: [UInt8]) -> [UInt8] {
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

  private init(
    address: UInt64, length: Int, isWrite: Bool, bytes: [UInt8], atomic: Atomic?, pasid: UInt32?
  ) {
    self.address = address
    self.length = length
    self.isWrite = isWrite
    self.bytes = bytes
    self.atomic = atomic
    self.pasid = pasid
  }

  public static func read(_ address: UInt64, _ length: Int, pasid: UInt32? = nil) -> DMARequest {
    DMARequest(address: address, length: length, isWrite: false, bytes: [], atomic: nil, pasid: pasid)
  }

  public static func write(_ address: UInt64, _ bytes: [UInt8], pasid: UInt32? = nil) -> DMARequest {
    DMARequest(
      address: address, length: bytes.count, isWrite: true, bytes: bytes, atomic: nil, pasid: pasid)
  }

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
  /// What went wrong, in a word that every IOMMU has in common.
  public var reason: Reason
  /// Whether the IOMMU recorded it.
  public var recorded: Bool
  public var completion: String
  /// What was moved before.
  public var done: [UInt8]

  public enum Reason: String, Sendable, CaseIterable {
    /// A page table has no translation, or one that does not allow the access. Not every IOMMU tells which.
    case page
    /// The access did not come as far as a page table: the device has no context, or one that lets nothing through.
    case blocked
    /// A structure or a request is not well-formed.
    case malformed
    /// There is no memory, for the access or for a structure.
    case external
    /// The function's own translation request was answered without permission.
    case denied
    /// Software ended it.
    case ended
  }

  public init(
    address: UInt64, code: UInt32, name: String, reason: Reason, recorded: Bool, completion: String,
    done: [UInt8]
  ) {
    self.address = address
    self.code = code
    self.name = name
    self.reason = reason
    self.recorded = recorded
    self.completion = completion
    self.done = done
  }
}
