// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Translation proper: structures, walks and caches in one value, which calls nobody but memory. The unit around
// it has registers, queues and events, and may be called back by its fabric at any of those; so it enters the
// translator once per request and has left it before it tells anybody.
//
//     request -> stream (root, context, PASID structures)
//             -> IOTLB, or a walk through the paging-structure caches, which fills both
//
// `walk` for people runs the same code with another observer: nothing is cached, read from a cache, or set.

/// Told of every structure that a translation reads.
protocol VTdObserver {
  /// A report has no effects.
  static var isReport: Bool { get }
  static var looksIntoCaches: Bool { get }
  mutating func saw(_ structure: VTdStructure, at address: UInt64)
  /// Something came out of a cache.
  mutating func hit()
}

/// The observer of real translations.
struct VTdNoReport: VTdObserver {
  // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
  private let place: UInt8 = 0
  static var isReport: Bool { false }
  static var looksIntoCaches: Bool { true }
  @inline(__always) mutating func saw(_ structure: VTdStructure, at address: UInt64) {}
  @inline(__always) mutating func hit() {}
}

enum VTdStructure: Hashable, Sendable {
  case rootEntry, contextEntry, scalableContextEntry, pasidDirectoryEntry, pasidEntry
  case firstStage(level: Int)
  case secondStage(level: Int)
}

/// A translation that was found.
struct VTdLeaf: BitwiseCopyable, Sendable {
  struct Flags: OptionSet, BitwiseCopyable, Sendable {
    let rawValue: UInt16
    // The lower five are those of `Translation.Flags`.
    static let read = Flags(of: .readable)
    /// Everybody may write.
    static let write = Flags(of: .writable)
    /// No XD bit on the way.
    static let execute = Flags(of: .executable)
    static let global = Flags(of: .global)
    static let fromCache = Flags(of: .fromCache)
    /// A supervisor may write where WPE is off.
    static let supervisorWrite = Flags(rawValue: 1 << 5)
    static let snoop = Flags(rawValue: 1 << 6)
    /// A write finds all dirty bits set, or has none to set.
    static let dirty = Flags(rawValue: 1 << 7)
    static let passThrough = Flags(rawValue: 1 << 8)
    /// Not a translation: the page is known not to be present. VT-d section 6.1, caching mode.
    static let notPresent = Flags(rawValue: 1 << 9)
    static let user = Flags(rawValue: 1 << 10)

    init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(of flags: Translation.Flags) { rawValue = UInt16(flags.rawValue) }

    /// What a device is told of them.
    @inline(__always)
    var answer: Translation.Flags { Translation.Flags(rawValue: UInt8(truncatingIfNeeded: rawValue & 31)) }
  }

  /// Physical address of the byte; of the page's first byte in the IOTLB.
  var address: UInt64
  var sizeLg2: UInt8
  var flags: Flags
}

/// A line of the paging-structure caches: where the next table is. VT-d section 6.2.5.
struct VTdTablePointer: BitwiseCopyable, Sendable {
  /// A host-physical address, of first-stage tables of nested translation too.
  var table: UInt64
  /// What the levels above allow, in the bits of a paging entry of that stage.
  var permissions: UInt64
}

/// Whether an address is of the megabyte that is no memory. VT-d section 3.14.
@inline(__always)
func isVTdInterruptRange(_ address: UInt64) -> Bool { address >> 20 == 0xFEE }

struct VTdTranslator {
  let memory: PhysicalMemory
  let limits: VTdLimits
  /// The root table pointer and translation table mode that SRTP latched.
  var root: UInt64 = 0

  /// VT-d section 6.2.2, by source-id.
  var contexts: [UInt16: VTdCachedContext] = [:]
  /// VT-d section 6.2.3, by source-id and PASID: `pasidKey`.
  var pasidEntries: [UInt64: VTdCachedPASIDEntry] = [:]
  /// VT-d section 6.2.4, by address and `VTdStream.tag`.
  var iotlb: VTdCache<VTdLeaf>
  /// VT-d section 6.2.5, by address prefix and `pagingTag`.
  var tables: VTdCache<VTdTablePointer>
  /// In front of the first two.
  var streams = TranslationCache<UInt64, VTdStream>(capacityLg2: 8)
  /// The same again, shorter, for those whose requests without privileges need nothing else.
  var quickStreams = TranslationCache<UInt64, VTdQuickStream>(capacityLg2: 8)
  /// Translation is on, and no protected memory region has to be watched.
  var isOpen = false
  let caches: Bool
  /// Accessed or dirty bits written to read-only pages: erratum 772415.
  var updatesOfReadOnlyPages: UInt64 = 0

  init(_ memory: PhysicalMemory, _ configuration: VTdConfiguration) {
    self.memory = memory
    limits = VTdLimits(configuration)
    iotlb = VTdCache(configuration.cachePolicy)
    tables = VTdCache(configuration.cachesTables ? configuration.cachePolicy : .none)
    caches = configuration.cachePolicy != .none
  }

  var mode: UInt64 { VTd.RootTableAddress.ttm.of(root) }
  /// CAP.CM: what is not present may be cached.
  var cachesMissing: Bool { VTd.Cap.cm.of(limits.cap) != 0 && caches }

  static func pasidKey(_ sid: UInt16, _ pasid: UInt32) -> UInt64 { UInt64(sid) << 20 | UInt64(pasid) }

  @inline(__always)
  static func streamTag(_ sid: UInt16, _ pasid: UInt32) -> UInt64 { UInt64(sid) << 32 | UInt64(pasid) }

  @inline(__always)
  func cachedStream(_ sid: UInt16, _ pasid: UInt32) -> VTdStream? {
    streams.find(UInt64(sid) << 12, Self.streamTag(sid, pasid), salt: UInt64(pasid))
  }

  func load(_ address: UInt64) -> UInt64? { memory.load64(at: PhysAddr(address)) }

  /// Translates one request: VT-d sections 3.4 to 3.8, with the order of checks of section 7.1.3.
  mutating func translate<Observer: VTdObserver>(_ request: VTdRequest, _ observer: inout Observer)
    throws(VTdFault) -> VTdLeaf
  {
    if request.kind == .translated {
      try admitTranslated(request, &observer)
      return VTdLeaf(address: request.address, sizeLg2: 12, flags: [.read, .write, .supervisorWrite, .user])
    }
    let stream = try stream(for: request, &observer)
    var request = request
    if !request.hasPASID, stream.flags.contains(.ridPriv) { request.need.insert(.supervisor) }

    // Reads of the interrupt range without PASID are no interrupts and reach no memory.
    if !request.hasPASID, isVTdInterruptRange(request.address) { throw interruptRange(stream) }

    if Observer.looksIntoCaches, let leaf = try lookUp(stream, request, &observer) {
      return Self.seen(leaf, request, stream)
    }
    do throws(VTdFault) {
      let leaf = try walk(stream, request, &observer)
      if !Observer.isReport {
        var entry = leaf
        entry.address &= ~0xFFF
        iotlb.insert(entry, for: request.address, stream.tag)
      }
      return Self.seen(leaf, request, stream)
    } catch {
      if !Observer.isReport, cachesMissing, stream.translation == .secondStage, error.missingPage {
        iotlb.insert(
          VTdLeaf(address: 0, sizeLg2: 12, flags: .notPresent), for: request.address, stream.tag)
      }
      throw error
    }
  }

  /// The IOTLB's answer; nil where memory has to be looked at.
  private mutating func lookUp<Observer: VTdObserver>(
    _ stream: VTdStream, _ request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdLeaf? {
    guard let entry = iotlb.find(request.address, stream.tag) else { return nil }
    if entry.flags.contains(.notPresent) {
      observer.hit()
      if !limits.quirks.negativeCacheSticky, !Observer.isReport {
        let page = request.address & ~0xFFF
        iotlb.remove { $0 == page && $1 == stream.tag && $2.flags.contains(.notPresent) }
      }
      throw secondStageFault(.notPresent, stream, request)
    }
    if Self.allows(entry.flags, request.need, stream) {
      observer.hit()
      var leaf = entry
      leaf.address |= request.address & 0xFFF
      leaf.flags.insert(.fromCache)
      return leaf
    }
    if limits.quirks.cachesPermissionFaults, let fault = denial(entry.flags, request, stream) {
      observer.hit()
      throw fault
    }
    return nil
  }

  /// The permissions as the requester sees them.
  private static func seen(_ leaf: VTdLeaf, _ request: VTdRequest, _ stream: VTdStream) -> VTdLeaf {
    var leaf = leaf
    let writable = mayWrite(leaf.flags, request.need, stream) && !request.noWrite
    let executable = mayExecute(leaf.flags, request.need, stream)
    leaf.flags.subtract([.write, .execute])
    if writable { leaf.flags.insert(.write) }
    if executable { leaf.flags.insert(.execute) }
    return leaf
  }

  func interruptRange(_ stream: VTdStream) -> VTdFault {
    let legacy = stream.flags.contains(.legacy)
    return VTdFault(legacy ? VTd.Reason.interruptRange : VTd.Reason.scalableInterruptRange, fpd: stream.fpd)
  }

  /// Whether a translation serves a need as it is: every permission is there, and no bit is left to be set.
  @inline(__always)
  static func allows(_ flags: VTdLeaf.Flags, _ need: VTdNeed, _ stream: VTdStream) -> Bool {
    if need.contains(.read), !flags.contains(.read) { return false }
    if !need.isDisjoint(with: [.write, .dirty]) {
      let writable = mayWrite(flags, need, stream)
      if need.contains(.write), !writable { return false }
      if writable, !flags.contains(.dirty) { return false }
    }
    guard stream.usesFirstStage else { return true }
    if !need.contains(.supervisor), !flags.contains(.user) { return false }
    return !need.contains(.execute) || mayExecute(flags, need, stream)
  }

  @inline(__always)
  static func mayWrite(_ flags: VTdLeaf.Flags, _ need: VTdNeed, _ stream: VTdStream) -> Bool {
    flags.contains(.write)
      || flags.contains(.supervisorWrite) && need.contains(.supervisor) && !stream.flags.contains(.wpe)
  }

  /// VT-d section 3.6.1: NXE makes XD count, SMEP keeps the supervisor off user pages.
  static func mayExecute(_ flags: VTdLeaf.Flags, _ need: VTdNeed, _ stream: VTdStream) -> Bool {
    guard stream.usesFirstStage else { return true }
    if stream.flags.contains(.nxe), !flags.contains(.execute) { return false }
    return !(stream.flags.contains(.smep) && need.contains(.supervisor) && flags.contains(.user))
  }

  /// The fault for a permission that a cached translation lacks, in the order of the walk.
  private func denial(_ flags: VTdLeaf.Flags, _ request: VTdRequest, _ stream: VTdStream) -> VTdFault? {
    let need = request.need
    if stream.usesFirstStage {
      if !need.contains(.supervisor), !flags.contains(.user) {
        return VTdFault(VTd.Reason.supervisorPage, fpd: stream.fpd)
      }
      if need.contains(.write), !Self.mayWrite(flags, need, stream) {
        return VTdFault(VTd.Reason.scalableNoWrite, fpd: stream.fpd)
      }
      if need.contains(.execute), !Self.mayExecute(flags, need, stream) {
        return VTdFault(VTd.Reason.noExecute, fpd: stream.fpd)
      }
    }
    if need.contains(.write), !Self.mayWrite(flags, need, stream) {
      return secondStageFault(.noWrite, stream, request)
    }
    if need.contains(.read), !flags.contains(.read) { return secondStageFault(.noRead, stream, request) }
    return nil
  }
}
