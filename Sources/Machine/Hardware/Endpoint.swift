// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Hardware
public import IOMMU
internal import Memory
internal import Seams
public import UAPI
public import VFIO

// A PCI function that does DMA. Every access goes to the IOMMU in front of it, in pieces that do not cross 4 KiB:
//
//     ATS off   untranslated request ──> IOMMU ──> memory
//     ATS on    own cache ── miss ──> translation request ──> IOMMU
//                    └─────── hit ──> translated request ──> IOMMU ──> memory
//
// The cache of the function is coherent only when the IOMMU is told to invalidate it.

/// A device of a machine, in front of everything that the IOMMU and its driver know of it.
public final class Endpoint: @unchecked Sendable {
  public let name: String
  public let function: PCIFunction
  public let device: PCIDevice
  public let unit: IOMMUUnit
  /// What the IOMMU knows it by.
  public var source: UInt32 { device.hardwareSource }
  /// What programs open to use it: `/dev/vfio/devices/vfioN`.
  public let vfio: VFIODevice
  private let memory: PhysicalMemory

  private let lock = Lock(.endpoint)
  private var translations: [CacheKey: Translation] = [:]
  private var responseList: [Hardware.PageResponse] = []
  private var requestsSent = 0
  private var held: [UInt32: HeldDMA] = [:]
  private var finished: [DMAOutcome] = []
  private static let kept = 1024
  private static let cacheCapacity = 4096

  private struct CacheKey: Hashable {
    /// The PASID, or -1 without one.
    var pasid: Int64
    var page: UInt64
    init(_ pasid: UInt32?, _ address: UInt64) {
      self.pasid = pasid.map(Int64.init) ?? -1
      page = address >> 12
    }
  }

  /// A DMA that the IOMMU holds.
  private struct HeldDMA {
    var request: DMARequest
    /// Bytes that were moved before.
    var done: [UInt8]
  }

  init(
    _ name: String, _ function: PCIFunction, _ device: PCIDevice, on unit: IOMMUUnit,
    _ memory: PhysicalMemory, _ vfio: VFIODevice
  ) {
    self.name = name
    self.function = function
    self.device = device
    self.unit = unit
    self.memory = memory
    self.vfio = vfio
    function.whenConfigured { [weak self] control in
      if !control.ats { self?.forgetAll() }
    }
  }

  // MARK: DMA

  /// Does a DMA, and lets the machine settle.
  public func perform(_ request: DMARequest) -> DMAOutcome {
    let outcome = run(request, done: [])
    unit.settle()
    Tracer.tell(Self.event(request, outcome, of: function))
    return outcome
  }

  private func run(_ request: DMARequest, done earlier: [UInt8]) -> DMAOutcome {
    var done = earlier
    while done.count < request.length {
      let (address, overflow) = request.address.addingReportingOverflow(UInt64(done.count))
      guard !overflow else {
        return .fault(ownFault("external abort", .external, at: request.address, done: done))
      }
      let count = min(request.length - done.count, Int(4096 - address & 4095))
      switch translate(request, address, count, done.count) {
      case .translated(let translation):
        if let message = translation.interrupt {
          return .interrupt(address: message.address, data: message.data)
        }
        guard move(request, translation.address, count, &done) else {
          return .fault(ownFault("external abort", .external, at: address, done: done))
        }
      case .aborted(let abort):
        if abort.completion == .zeros, !request.isWrite {
          done += [UInt8](repeating: 0, count: count)
          continue
        }
        return .fault(unit.fault(abort, at: address, done: done))
      case .denied:
        return .fault(ownFault("translation request denied", .denied, at: address, done: done))
      case .stalled(let tag):
        lock.withLock { held[tag] = HeldDMA(request: request, done: done) }
        return .held(tag: tag)
      }
    }
    return .done(request.isWrite && request.atomic == nil ? [] : done)
  }

  /// What became of a piece of a DMA.
  private enum Piece {
    case translated(Translation)
    case aborted(Abort)
    case stalled(UInt32)
    /// The answer to the function's own translation request gives too little.
    case denied

    init(_ answer: TranslationAnswer) {
      switch answer {
      case .translated(let translation): self = .translated(translation)
      case .aborted(let abort): self = .aborted(abort)
      case .stalled(let tag): self = .stalled(tag)
      }
    }
  }

  private func translate(_ request: DMARequest, _ address: UInt64, _ count: Int, _ offset: Int) -> Piece {
    var transaction = Transaction(
      source: source, pasid: request.pasid, address: address,
      access: request.atomic != nil ? .atomic : request.isWrite ? .write : .read, execute: request.execute,
      privileged: request.privileged)
    if request.isWrite, request.bytes.count - offset >= 4 {
      transaction.data = request.bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    if request.isTranslated {
      transaction.kind = .translated
      return Piece(send(transaction))
    }
    guard function.control.ats, !request.avoidsCache else { return Piece(send(transaction)) }
    let key = CacheKey(request.pasid, address)
    if let known = lock.withLock({ translations[key] }), allows(known, transaction) {
      return useTranslated(known, address, transaction)
    }
    transaction.kind = .translationRequest(noWrite: !transaction.writes)
    let answer = send(transaction)
    guard case .translated(let translation) = answer else { return Piece(answer) }
    // The interrupt range is not translated: a message goes as it is.
    if translation.interrupt != nil {
      transaction.kind = .untranslated
      return Piece(send(transaction))
    }
    guard translation.readable || translation.writable else { return .denied }
    remember(translation, key)
    guard allows(translation, transaction) else { return .denied }
    return useTranslated(translation, address, transaction)
  }

  private func useTranslated(_ known: Translation, _ address: UInt64, _ asked: Transaction) -> Piece {
    var transaction = asked
    transaction.kind = .translated
    transaction.address = known.address & ~4095 | address & 4095
    return Piece(send(transaction))
  }

  private func ownFault(_ name: String, _ reason: DMAFault.Reason, at address: UInt64, done: [UInt8])
    -> DMAFault
  {
    DMAFault(
      address: address, code: 0, name: name, reason: reason, recorded: false, completion: "completerAbort",
      done: done)
  }

  private func allows(_ translation: Translation, _ transaction: Transaction) -> Bool {
    (!transaction.reads || translation.readable) && (!transaction.writes || translation.writable)
      && (!transaction.execute || translation.executable)
  }

  private func send(_ transaction: Transaction) -> TranslationAnswer {
    unit.withHardware { hardware in
      guard Tracer.tells(.hardware) else { return hardware.translate(transaction) }
      // What it reads on the way is what a walk reads, unless a cache answers; so it is asked before.
      let steps = hardware.walk(transaction).steps
      let answer = hardware.translate(transaction)
      tell(transaction, answer, steps)
      return answer
    }
  }

  private func remember(_ translation: Translation, _ key: CacheKey) {
    lock.withLock {
      if translations.count >= Self.cacheCapacity { translations = [:] }
      translations[key] = translation
    }
  }

  /// Moves a piece between the function and memory; false where memory does not exist.
  private func move(_ request: DMARequest, _ physical: UInt64, _ count: Int, _ done: inout [UInt8]) -> Bool {
    var bytes = [UInt8](repeating: 0, count: count)
    let start = done.count
    if !request.isWrite || request.atomic != nil {
      guard bytes.withUnsafeMutableBytes({ memory.read(PhysAddr(physical), into: $0) }) == count else {
        return false
      }
    }
    if request.isWrite || request.atomic != nil {
      var new = Array(request.bytes[start..<start + count])
      if let atomic = request.atomic { new = atomic.apply(bytes, new) }
      guard new.withUnsafeBytes({ memory.write(PhysAddr(physical), from: $0) }) == count else { return false }
    }
    done += bytes
    return true
  }

  /// The IOMMU lets a held DMA go.
  func resume(tag: UInt32, retry: Bool) {
    guard let waiting = lock.withLock({ held.removeValue(forKey: tag) }) else { return }
    let outcome: DMAOutcome
    if retry {
      outcome = run(waiting.request, done: waiting.done)
    } else {
      let place = waiting.request.address &+ UInt64(waiting.done.count)
      outcome = .fault(ownFault("ended by software", .ended, at: place, done: waiting.done))
    }
    if case .held = outcome { return }
    lock.withLock {
      if finished.count == Self.kept { finished.removeFirst() }
      finished.append(outcome)
    }
  }

  /// The oldest DMA that was held and has come to its end since, once; nil when there is none.
  public func takeFinished() -> DMAOutcome? {
    lock.withLock { finished.isEmpty ? nil : finished.removeFirst() }
  }

  /// DMAs that the IOMMU holds.
  public var heldCount: Int { lock.withLock { held.count } }

  // MARK: Translation requests and page requests

  /// Asks for a translation and keeps it, whatever is cached.
  ///
  /// - Throws: EOPNOTSUPP while ATS is off.
  public func requestTranslation(_ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno) -> Fact {
    guard function.control.ats else {
      throw .EOPNOTSUPP("address translation services are off in the function")
    }
    let answer = send(
      Transaction(
        source: source, pasid: pasid, address: address, access: writing ? .write : .read,
        kind: .translationRequest(noWrite: !writing)))
    unit.settle()
    if case .translated(let translation) = answer, translation.readable || translation.writable {
      remember(translation, CacheKey(pasid, address))
    }
    return .record(answer.facts(unit.kind))
  }

  /// Asks for a page to be made present.
  ///
  /// - Throws: EOPNOTSUPP while the page request interface is off.
  public func requestPage(
    _ address: UInt64, pasid: UInt32?, read: Bool, write: Bool, execute: Bool, privileged: Bool, last: Bool,
    group: UInt16
  ) throws(Errno) {
    guard function.control.pri else { throw .EOPNOTSUPP("the page request interface is off in the function") }
    let request = Hardware.PageRequest(
      source: source, pasid: pasid, address: address & ~4095, read: read, write: write,
      execute: execute, privileged: privileged, last: last, group: group & 0x1FF)
    lock.withLock { requestsSent += 1 }
    Tracer.tell(MachineEvent(.pageRequest, .text(function.address), .hex(address & ~4095), .flag(last)))
    unit.withHardware { $0.pageRequest(request) }
    unit.settle()
  }

  /// Answers to page requests that came back, oldest first; the last 1024.
  public var responses: [(group: UInt16, pasid: UInt32?, code: String)] {
    lock.withLock { responseList.map { ($0.group, $0.pasid, "\($0.code)") } }
  }

  func receive(_ response: Hardware.PageResponse) {
    lock.withLock {
      if responseList.count == Self.kept { responseList.removeFirst() }
      responseList.append(response)
    }
  }

  // MARK: The function's own cache

  /// False when the function does not answer: it has no ATS. One whose ATS is off answers, with nothing to forget;
  /// Linux's SMMUv3 driver invalidates before it turns ATS on, and after it has turned it off.
  func forget(_ invalidation: DeviceTLBInvalidation) -> Bool {
    guard function.capabilities.ats else { return false }
    let size = UInt64(min(invalidation.sizeLg2, 64))
    let below: UInt64 = size == 64 ? .max : (1 << size) - 1
    let first = invalidation.address & ~below
    let last = first | below
    lock.withLock {
      translations = translations.filter { key, translation in
        let samePASID = invalidation.allPASIDs || key.pasid == (invalidation.pasid.map(Int64.init) ?? -1)
        // A large translation is forgotten whole when any of it is.
        let inside: UInt64 = (1 << UInt64(min(translation.sizeLg2, 63))) - 1
        let start = key.page << 12 & ~inside
        let end = start | inside
        return !(samePASID && start <= last && end >= first)
      }
    }
    return true
  }

  func forgetAll() { lock.withLock { translations = [:] } }

  /// What it has cached: PASID, IOVA and translation.
  var cached: [(pasid: UInt32?, address: UInt64, translation: Translation)] {
    lock.withLock {
      translations.map { key, translation in
        (key.pasid < 0 ? nil : UInt32(truncatingIfNeeded: key.pasid), key.page << 12, translation)
      }
    }
    .sorted { ($0.pasid.map(Int64.init) ?? -1, $0.address) < ($1.pasid.map(Int64.init) ?? -1, $1.address) }
  }

  public var facts: Fact {
    let control = function.control
    return .record([
      ("name", .text(name)), ("address", .text(function.address)), ("source", .hex(UInt64(source))),
      ("vfio", .text(vfio.path)), ("iommu", .text(unit.name)),
      ("group", device.group.map { .number(UInt64($0.id)) } ?? .none),
      ("owner", .text(device.group?.owner == nil ? "kernel" : "user")),
      ("ats", .flag(control.ats)), ("pri", .flag(control.pri)), ("pasid", .flag(control.pasid)),
      ("held", .number(UInt64(heldCount))),
      (
        "cache",
        .list(
          cached.map { pasid, address, translation in
            .record([
              ("pasid", pasid.map { .number(UInt64($0)) } ?? .none), ("address", .hex(address)),
              ("physical", .hex(translation.address & ~4095)),
              ("size", .hex(1 << UInt64(min(63, translation.sizeLg2)))),
              ("readable", .flag(translation.readable)), ("writable", .flag(translation.writable)),
            ])
          })
      ),
      (
        "responses",
        .list(
          responses.map {
            .record([
              ("group", .number(UInt64($0.group))), ("pasid", $0.pasid.map { .number(UInt64($0)) } ?? .none),
              ("code", .text($0.code)),
            ])
          })
      ),
    ])
  }
}
