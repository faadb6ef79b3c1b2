// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
@_exported public import HardwareTestSupport
internal import Memory
internal import Testing

/// Remembers what an IOMMU tells its surroundings.
final class Recorder: HardwareFabric {
  var messages: [InterruptMessage] = []
  var wires: [UInt32] = []
  var invalidations: [DeviceTLBInvalidation] = []
  var responses: [PageResponse] = []
  var answersInvalidations = true

  func interrupt(_ message: InterruptMessage) { messages.append(message) }
  func interrupt(wire: UInt32) { wires.append(wire) }
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
    invalidations.append(invalidation)
    return answersInvalidations
  }
  func respond(_ response: PageResponse) { responses.append(response) }
  func resume(tag: UInt32, retry: Bool) {}
}

/// The words of a device context.
struct Context {
  var tc: UInt64 = 1
  var iohgatp: UInt64 = 0
  var ta: UInt64 = 0
  var fsc: UInt64 = 0
  var msiptp: UInt64 = 0
  var mask: UInt64 = 0
  var pattern: UInt64 = 0
  var last: UInt64 = 0
  var words: [UInt64] { [tc, iohgatp, ta, fsc, msiptp, mask, pattern, last] }
}

/// An IOMMU, its memory and its queues, as the known answers assume them: the device directory has one level
/// at 10000, contexts are extended.
final class Rig {
  let memory: PhysicalMemory
  let iommu: RISCVIOMMU
  let fabric = Recorder()
  static let commands: UInt64 = 0x20_0000
  static let faults: UInt64 = 0x21_0000
  static let requests: UInt64 = 0x22_0000

  init(
    _ configuration: RISCVIOMMU.Configuration = .init(), ddtp: UInt64 = 0x4002, memorySize: UInt64 = 4 << 30
  ) {
    memory = PhysicalMemory(size: memorySize)
    iommu = RISCVIOMMU(memory: memory, configuration: configuration)
    iommu.connect(fabric)
    // 256 commands, 128 faults, 256 page requests.
    self[RISCV.Register.cqb] = Self.commands >> 2 | 7
    self[RISCV.Register.fqb] = Self.faults >> 2 | 6
    self[RISCV.Register.pqb] = Self.requests >> 2 | 7
    for control in [RISCV.Register.cqcsr, RISCV.Register.fqcsr, RISCV.Register.pqcsr] { set(control, 1) }
    self[RISCV.Register.ddtp] = ddtp
  }

  /// A register of 8 bytes.
  subscript(_ register: UInt64) -> UInt64 {
    get { iommu.readRegister(register, width: 8) }
    set { iommu.writeRegister(register, width: 8, newValue) }
  }
  /// Registers of 4 bytes.
  func get(_ register: UInt64) -> UInt64 { iommu.readRegister(register, width: 4) }
  func set(_ register: UInt64, _ value: UInt64) { iommu.writeRegister(register, width: 4, value) }

  func put(_ address: UInt64, _ words: UInt64...) { put(address, words) }
  func put(_ address: UInt64, _ words: [UInt64]) {
    for (index, word) in words.enumerated() {
      _ = memory.store64(word, at: PhysAddr(address + UInt64(index) * 8))
    }
  }
  func word(_ address: UInt64) -> UInt64 { memory.load64(at: PhysAddr(address)) ?? 0xDEAD }

  func place(_ context: Context, device: UInt64 = 5) { put(0x10000 + device * 64, context.words) }

  /// Queues commands and lets them run; true when the queue is empty afterwards.
  @discardableResult
  func command(_ pairs: (UInt64, UInt64)...) -> Bool {
    var tail = get(RISCV.Register.cqt)
    for (low, high) in pairs {
      put(Self.commands + tail * 16, low, high)
      tail = (tail + 1) & 255
    }
    set(RISCV.Register.cqt, tail)
    return get(RISCV.Register.cqh) == tail
  }

  /// Forgets everything that is cached.
  func forget() { command((3, 0), (1, 0), (0x81, 0), (2, 0)) }

  /// Fault records since the start.
  var faults: [[UInt64]] {
    (0..<get(RISCV.Register.fqt)).map { index in (0..<4).map { word(Self.faults + index * 32 + $0 * 8) } }
  }
  var requestRecords: [[UInt64]] {
    (0..<get(RISCV.Register.pqt)).map { index in (0..<2).map { word(Self.requests + index * 16 + $0 * 8) } }
  }

  func go(
    _ address: UInt64, _ access: Transaction.Access = .read, device: UInt32 = 5, pid: UInt32? = nil,
    execute: Bool = false, privileged: Bool = false, kind: Transaction.Kind = .untranslated
  ) -> TranslationAnswer {
    iommu.translate(
      Transaction(
        source: device, pasid: pid, address: address, access: access, execute: execute,
        privileged: privileged,
        kind: kind))
  }
}
