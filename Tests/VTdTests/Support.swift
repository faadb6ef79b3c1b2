// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
@_exported public import HardwareTestSupport
internal import Memory
internal import Testing

/// Remembers what the unit tells the world, and answers as it is told to.
final class FakeFabric: HardwareFabric {
  var interrupts: [InterruptMessage] = []
  var invalidations: [DeviceTLBInvalidation] = []
  var responses: [PageResponse] = []
  /// Sources that do not answer an invalidation.
  var silent: Set<UInt32> = []
  /// Called back in the middle of the unit's work.
  var onInterrupt: () -> Void = {}
  var onInvalidate: () -> Void = {}

  func interrupt(_ message: InterruptMessage) {
    interrupts.append(message)
    onInterrupt()
  }
  func interrupt(wire: UInt32) { Issue.record("VT-d has no wires") }
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
    invalidations.append(invalidation)
    onInvalidate()
    return !silent.contains(invalidation.source)
  }
  func respond(_ response: PageResponse) { responses.append(response) }
  func resume(tag: UInt32, retry: Bool) { Issue.record("VT-d holds no transactions") }
}

/// The requester of the vectors, 3a:05.1.
let sid: UInt32 = 0x3A29
/// The address of the vectors.
let iova: UInt64 = 0x1234_5678

/// A machine with one unit, memory to write tables into, and the addresses that the vectors use:
/// root table 1000, context table 2000, PASID directory 4000, PASID table 5000, queue 8000, status 9000.
final class Rig {
  let memory: PhysicalMemory
  let fabric = FakeFabric()
  let unit: VTdUnit

  /// The full profile with 48 guest address bits and eight fault records.
  static var configuration: VTdConfiguration {
    var configuration = VTdConfiguration()
    configuration.set(VTd.Cap.mgaw, 47)
    configuration.set(VTd.Cap.nfr, 7)
    return configuration
  }

  init(_ configuration: VTdConfiguration = Rig.configuration, memory size: UInt64 = 2 << 30) {
    memory = PhysicalMemory(size: size)
    unit = VTdUnit(memory: memory, fabric: fabric, configuration: configuration)
  }

  // MARK: Memory

  subscript(address: UInt64) -> UInt64 {
    get { memory.load64(at: PhysAddr(address)) ?? 0xDEAD_DEAD_DEAD_DEAD }
    set {
      if !memory.store64(newValue, at: PhysAddr(address)) { Issue.record("no memory at \(hex(address))") }
    }
  }

  /// Words in the notation of the reference: `[10000]=11003 [11000]=12003`.
  func put(_ words: String) {
    for (address, value) in parse(words) { self[address] = value }
  }

  /// The words that are not as stated.
  func differences(_ words: String) -> [String] {
    parse(words).filter { self[$0.0] != $0.1 }.map { "[\(hex($0.0))]=\(hex(self[$0.0])), not \(hex($0.1))" }
  }

  // MARK: Registers

  func read(_ offset: UInt64, width: Int = 4) -> UInt64 { unit.readRegister(offset, width: width) }
  func write(_ offset: UInt64, _ value: UInt64, width: Int = 4) {
    unit.writeRegister(offset, width: width, value)
  }
  /// One command bit, with the persistent ones repeated.
  func command(_ bit: UInt64, off: Bool = false) {
    let kept = read(VTd.Register.gsts) & VTd.GlobalCommand.persistent
    write(VTd.Register.gcmd, off ? kept & ~bit : kept | bit)
  }

  func start(rtaddr: UInt64) {
    write(VTd.Register.rtaddr, rtaddr, width: 8)
    command(VTd.GlobalCommand.srtp)
    command(VTd.GlobalCommand.te)
  }

  var fsts: UInt64 { read(VTd.Register.fsts) }
  /// The words of a fault record.
  func record(_ index: Int) -> (low: UInt64, high: UInt64) {
    let at = 16 * VTd.Cap.fro.of(unit.configuration.cap) + 16 * UInt64(index)
    return (read(at, width: 8), read(at + 8, width: 8))
  }
  func clearRecord(_ index: Int) {
    write(16 * VTd.Cap.fro.of(unit.configuration.cap) + 16 * UInt64(index) + 12, 1 << 31)
  }
  /// Clears all records and the status, as a driver's handler does.
  func clearFaults() {
    for index in 0...Int(VTd.Cap.nfr.of(unit.configuration.cap)) { clearRecord(index) }
    write(VTd.Register.fsts, 0x73)
  }

  // MARK: Structures

  /// Legacy mode with one context entry, for the requester of the vectors.
  func startLegacy(_ first: UInt64, _ second: UInt64) {
    put("[13a0]=2001")
    self[0x2290] = first
    self[0x2298] = second
    start(rtaddr: 0x1000)
  }

  /// Scalable mode with one context entry and one PASID entry, for the requester of the vectors.
  func startScalable(_ words: [UInt64], context: UInt64 = 0x401D, pasid: UInt64 = 0) {
    put("[13a0]=2001 [4000]=5001 [4008]=5001")
    self[0x2520] = context
    setPASIDEntry(words, pasid)
    start(rtaddr: 0x1000 | 1 << 10)
  }

  func setPASIDEntry(_ words: [UInt64], _ pasid: UInt64) {
    for index in 0..<8 {
      self[0x5000 + 64 * (pasid & 63) + 8 * UInt64(index)] = index < words.count ? words[index] : 0
    }
  }

  // MARK: Queue

  /// Turns on the queue: 256 descriptors of 32 bytes in scalable mode, of 16 in legacy mode.
  func startQueue(wide: Bool, size: UInt64 = 0) {
    write(VTd.Register.iqt, 0, width: 8)
    write(VTd.Register.iqa, 0x8000 | (wide ? 0x800 : 0) | size, width: 8)
    command(VTd.GlobalCommand.qie)
  }

  /// Appends descriptors and moves the tail over them.
  func submit(_ descriptors: [(UInt64, UInt64)]) {
    let iqa = read(VTd.Register.iqa, width: 8)
    let width: UInt64 = iqa & 0x800 != 0 ? 32 : 16
    let size = UInt64(4096) << (iqa & 7)
    var tail = read(VTd.Register.iqt, width: 8)
    for (first, second) in descriptors {
      let at = iqa & ~0xFFF + tail
      self[at] = first
      self[at + 8] = second
      if width == 32 {
        self[at + 16] = 0
        self[at + 24] = 0
      }
      tail = (tail + width) % size
    }
    write(VTd.Register.iqt, tail, width: 8)
  }

  /// IQERCD.IQEI if the queue has stopped on an error.
  var queueError: UInt64? { fsts & 0x10 != 0 ? read(VTd.Register.iqercd, width: 8) & 15 : nil }

  // MARK: Requests

  func dma(
    _ access: Transaction.Access, _ address: UInt64, pasid: UInt32? = nil, from source: UInt32 = sid,
    execute: Bool = false, privileged: Bool = false, kind: Transaction.Kind = .untranslated
  ) -> TranslationAnswer {
    unit.translate(
      Transaction(
        source: source, pasid: pasid, address: address, access: access, execute: execute,
        privileged: privileged, kind: kind))
  }

  func ats(_ address: UInt64, pasid: UInt32? = nil, noWrite: Bool = false, privileged: Bool = false)
    -> TranslationAnswer
  {
    dma(.read, address, pasid: pasid, privileged: privileged, kind: .translationRequest(noWrite: noWrite))
  }
}

extension VTdConfiguration {
  /// Sets a field of CAP; `setExtended` one of ECAP.
  mutating func set(_ field: VTd.Field, _ value: UInt64) { cap = cap & ~field.mask | field.with(value) }
  mutating func setExtended(_ field: VTd.Field, _ value: UInt64) {
    ecap = ecap & ~field.mask | field.with(value)
  }
}

extension TranslationAnswer {
  /// Address of a translation, or the fault code as `-code`: what the vectors state.
  var brief: String {
    switch self {
    case .translated(let found): hex(found.address)
    case .aborted(let abort): "-" + hex(UInt64(abort.code))
    case .stalled: "stalled"
    }
  }
}

func hex(_ value: UInt64) -> String { String(value, radix: 16) }

private func parse(_ words: String) -> [(UInt64, UInt64)] {
  words.split(separator: " ").map { word in
    let parts = word.dropFirst().split(separator: "=")
    guard parts.count == 2, let address = UInt64(parts[0].dropLast(), radix: 16),
      let value = UInt64(parts[1], radix: 16)
    else {
      Issue.record("not a word: \(word)")
      return (0, 0)
    }
    return (address, value)
  }
}
