// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// What a walk has to find, and may set.
struct VTdNeed: OptionSet, Sendable {
  let rawValue: UInt8
  static let read = VTdNeed(rawValue: 1 << 0)
  static let write = VTdNeed(rawValue: 1 << 1)
  /// Dirty bits are set where the page may be written: a write, or a question for permission to write.
  static let dirty = VTdNeed(rawValue: 1 << 2)
  static let execute = VTdNeed(rawValue: 1 << 3)
  static let supervisor = VTdNeed(rawValue: 1 << 4)
}

/// A request in the unit's terms.
struct VTdRequest: Sendable {
  enum Kind: UInt8, Sendable { case untranslated, translationRequest, translated, pageRequest }

  /// Stands for no PASID; a PASID has 20 bits.
  static let noPASID: UInt32 = .max

  var sid: UInt16
  var pasid: UInt32
  var address: UInt64
  var kind: Kind
  var need: VTdNeed
  /// The requester's own words, for the fault record.
  var reads: Bool
  var writes: Bool
  /// A translation request that does not ask for permission to write.
  var noWrite = false

  var hasPASID: Bool { pasid != Self.noPASID }

  init(_ transaction: Transaction) {
    sid = UInt16(truncatingIfNeeded: transaction.source)
    // More than 20 bits do not fit into a TLP prefix.
    pasid = transaction.pasid.map { $0 & 0xF_FFFF } ?? Self.noPASID
    address = transaction.address
    reads = transaction.reads
    writes = transaction.writes
    need = []
    // Both flags travel in the PASID prefix. PCI Express section 6.20.
    if transaction.pasid != nil {
      if transaction.execute { need.insert(.execute) }
      if transaction.privileged { need.insert(.supervisor) }
    }
    switch transaction.kind {
    case .untranslated:
      kind = .untranslated
      if reads { need.insert(.read) }
      if writes { need.formUnion([.write, .dirty]) }
    case .translationRequest(let noWrite):
      kind = .translationRequest
      self.noWrite = noWrite
      reads = noWrite
      writes = !noWrite
      if !noWrite { need.insert(.dirty) }
    case .translated:
      kind = .translated
    }
  }

  /// An untranslated request without privileges.
  @inline(__always)
  init(plain transaction: Transaction, _ sid: UInt16, _ pasid: UInt32) {
    self.sid = sid
    self.pasid = pasid
    address = transaction.address
    kind = .untranslated
    reads = transaction.reads
    writes = transaction.writes
    need = reads ? .read : []
    if writes { need.formUnion([.write, .dirty]) }
  }

  init(_ request: PageRequest) {
    sid = UInt16(truncatingIfNeeded: request.source)
    pasid = request.pasid.map { $0 & 0xF_FFFF } ?? Self.noPASID
    address = request.address
    kind = .pageRequest
    reads = request.read
    writes = request.write
    need = []
    if request.pasid != nil {
      if request.execute { need.insert(.execute) }
      if request.privileged { need.insert(.supervisor) }
    }
  }

  /// AT field of the fault record.
  var addressType: UInt64 {
    switch kind {
    case .untranslated, .pageRequest: 0
    case .translationRequest: 1
    case .translated: 2
    }
  }
}

/// A walk that ended: the fault reason, and whether a structure on the way had its FPD bit set.
struct VTdFault: Error, Equatable {
  var code: UInt8
  var fpd: Bool
  /// A second-stage entry on the way was not present: what caching mode may remember.
  var missingPage: Bool

  init(_ code: UInt8, fpd: Bool = false, missingPage: Bool = false) {
    self.code = code
    self.fpd = fpd
    self.missingPage = missingPage
  }

  /// Requests are blocked without a word: translation table mode 3.
  static let silent = VTdFault(0)
  /// Not a fault: the entry changed while its bits were being set.
  static let raced = VTdFault(0xFF)
  /// Not a fault: the walk began in a cache and needs what only the upper levels say.
  static let needsTables = VTdFault(0xFE)
}

/// How a second-stage walk ended; which reason that is depends on who walked.
enum VTdSecondStageFault: Error {
  case beyondWidth, topAccess, access, notPresent, reserved, noWrite, noRead, update, raced
}
