// SPDX-License-Identifier: GPL-3.0-or-later

/// What a device sends to its IOMMU: one access to one address, before anybody has translated it.
///
/// An access never crosses a 4 KiB boundary here; a longer DMA is cut by whoever issues it.
public struct Transaction: Hashable, Sendable {
  /// What the device wants to do. An atomic operation needs both permissions.
  public enum Access: UInt8, Sendable, CaseIterable { case read, write, atomic }

  /// How far the address is translated. PCI Express Base Specification, the AT field of a memory request.
  public enum Kind: Hashable, Sendable {
    /// AT = 00: an IOVA.
    case untranslated
    /// AT = 01: a question of a device with a translation cache of its own, ATS. With `noWrite` it does not
    /// ask for permission to write.
    case translationRequest(noWrite: Bool)
    /// AT = 10: an address that an earlier translation request gave.
    case translated
  }

  /// Who sends it: a PCI requester ID (bus in bits 15:8, device 7:3, function 2:0), with the segment above it;
  /// Arm's StreamID and RISC-V's device_id; for s390 the function handle.
  public var source: UInt32
  /// 20 bits: PCI's PASID, Arm's SubstreamID, RISC-V's process_id. Nil without the prefix.
  public var pasid: UInt32?
  public var address: UInt64
  public var access: Access
  /// The device means to execute what it reads.
  public var execute: Bool
  /// The device claims supervisor privilege.
  public var privileged: Bool
  public var kind: Kind
  /// What it writes, where that matters: the lower 32 bits of a write that turns out to be an interrupt.
  public var data: UInt32

  public init(
    source: UInt32, pasid: UInt32? = nil, address: UInt64, access: Access = .read, execute: Bool = false,
    privileged: Bool = false, kind: Kind = .untranslated, data: UInt32 = 0
  ) {
    self.source = source
    self.pasid = pasid
    self.address = address
    self.access = access
    self.execute = execute
    self.privileged = privileged
    self.kind = kind
    self.data = data
  }

  public var reads: Bool { access != .write }
  public var writes: Bool { access != .read }
}

/// What an IOMMU answers to a transaction.
public enum TranslationAnswer: Hashable, Sendable {
  case translated(Translation)
  case aborted(Abort)
  /// Held by the IOMMU until software resumes or ends it, under this tag: SMMUv3's stall.
  case stalled(tag: UInt32)
}

/// A translation that was found.
public struct Translation: Hashable, Sendable {
  /// Physical address of the byte that was asked for.
  public var address: UInt64
  /// Size of the page or block that the translation is good for, base-2 logarithm of bytes; of a nested one
  /// the smaller of both stages.
  public var sizeLg2: UInt8
  public var flags: Flags
  /// The write is an interrupt, which goes to this address and data instead of memory.
  public var interrupt: InterruptMessage?

  /// What may be done, and how it was found. In one byte, since an answer travels in registers: with a byte for each
  /// of them, they were packed on one side and unpacked on the other.
  public struct Flags: OptionSet, Hashable, BitwiseCopyable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static var readable: Flags { Flags(rawValue: 1 << 0) }
    public static var writable: Flags { Flags(rawValue: 1 << 1) }
    public static var executable: Flags { Flags(rawValue: 1 << 2) }
    /// Global mapping, as a device's own cache is told.
    public static var global: Flags { Flags(rawValue: 1 << 3) }
    /// It came out of a cache, and no table was looked at.
    public static var fromCache: Flags { Flags(rawValue: 1 << 4) }
  }

  public var readable: Bool { flags.contains(.readable) }
  public var writable: Bool { flags.contains(.writable) }
  public var executable: Bool { flags.contains(.executable) }
  public var global: Bool { flags.contains(.global) }
  public var fromCache: Bool { flags.contains(.fromCache) }

  public init(address: UInt64, sizeLg2: UInt8, flags: Flags, interrupt: InterruptMessage? = nil) {
    self.address = address
    self.sizeLg2 = sizeLg2
    self.flags = flags
    self.interrupt = interrupt
  }

  public init(
    address: UInt64, sizeLg2: UInt8, readable: Bool = true, writable: Bool = true, executable: Bool = true,
    global: Bool = false, fromCache: Bool = false, interrupt: InterruptMessage? = nil
  ) {
    self.address = address
    self.sizeLg2 = sizeLg2
    flags = []
    if readable { flags.insert(.readable) }
    if writable { flags.insert(.writable) }
    if executable { flags.insert(.executable) }
    if global { flags.insert(.global) }
    if fromCache { flags.insert(.fromCache) }
    self.interrupt = interrupt
  }
}

/// A transaction that the IOMMU ended.
public struct Abort: Hashable, Sendable {
  /// The fault code, reason or event number of the manual.
  public var code: UInt32
  /// The name that the manual gives the code.
  public var name: String
  /// It was written to the fault registers, the event queue or the event log, or would have been if they had
  /// had room: false where the manual or a context structure suppresses it.
  public var recorded: Bool
  /// What the device sees: an unsupported request, a completer abort, or zeros for a read that is ended
  /// without an error.
  public enum Completion: UInt8, Sendable { case unsupportedRequest, completerAbort, zeros }
  public var completion: Completion

  public init(
    code: UInt32, name: String, recorded: Bool = true, completion: Completion = .unsupportedRequest
  ) {
    self.code = code
    self.name = name
    self.recorded = recorded
    self.completion = completion
  }
}

/// An interrupt as a memory write: where and what.
public struct InterruptMessage: Hashable, Sendable {
  public var address: UInt64
  public var data: UInt32
  public init(address: UInt64, data: UInt32) {
    self.address = address
    self.data = data
  }
}
