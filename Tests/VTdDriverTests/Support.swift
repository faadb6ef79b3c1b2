// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// A machine with one VT-d unit, and functions behind it whose groups the test owns: no iommufd in between.
final class Rig {
  let machine: Machine
  let unit: IOMMUUnit
  let software: VTdIOMMU
  let driver: VTdDriver
  private var nextSource: UInt16 = 0x20

  init(
    _ numbers: [String: UInt64] = [:], _ words: [String: String] = [:], kernel: Personality = .standard,
    stride: Int = 1
  ) throws {
    machine = Machine(
      Machine.Configuration(kernel: kernel, memorySize: 8 << 30, frameStride: stride))
    var choices = IOMMUKind.Choices()
    choices.numbers = numbers
    choices.words = words
    unit = try machine.addIOMMU("iommu0", .vtd, choices)
    software = try #require(unit.software as? VTdIOMMU)
    driver = try #require(software.driver as? VTdDriver)
  }

  var memory: PhysicalMemory { machine.memory }

  static let everything = PCIFunction.Capabilities(
    ats: true, pri: true, pasidBits: 20, pasidExecute: true, pasidPrivileged: true)

  /// A function with a group of its own.
  func function(_ capabilities: PCIFunction.Capabilities = .init(), claimed: Bool = true) throws -> Endpoint {
    let function = PCIFunction(requesterID: nextSource, capabilities: capabilities)
    nextSource += 8
    let endpoint = try machine.addFunction("dev\(nextSource)", function, behind: unit)
    if claimed { try endpoint.group.claim(for: self) }
    return endpoint
  }

  func domain(for endpoint: Endpoint, flags: UInt32 = 0) throws -> VTdPagingDomain {
    try #require(
      try driver.allocatePaging(for: endpoint.device, flags: flags, data: nil) as? VTdPagingDomain)
  }

  func nested(
    _ endpoint: Endpoint, on parent: VTdPagingDomain, root: UInt64, flags: UInt64 = 0, width: UInt32 = 48
  ) throws -> VTdNestedDomain {
    var data = Words(memory: ScratchMemory())
    data.add(flags)
    data.add(root)
    data.add(UInt64(width))
    return try #require(
      try driver.allocateNested(
        for: endpoint.device, parent: parent, flags: 0,
        data: UserData(type: 1, length: 24, address: 0, memory: data.memory)) as? VTdNestedDomain)
  }

  func frame() throws -> UInt64 { try memory.allocateFrame().address.raw }

  subscript(address: UInt64) -> UInt64 {
    get { memory.load64(at: PhysAddr(address)) ?? 0xDEAD_DEAD_DEAD_DEAD }
    set { _ = memory.store64(newValue, at: PhysAddr(address)) }
  }

  /// Descriptors without waits that `body` queues.
  func commands(_ body: () throws -> Void) rethrows -> [[UInt64]] {
    typealias Queue = VTd.InvalidationQueue
    let queue = unit.read64(VTd.Register.iqa)
    let width: UInt64 = Queue.dw.of(queue) != 0 ? 32 : 16
    var seen = unit.read64(VTd.Register.iqt)
    try body()
    var commands: [[UInt64]] = []
    while seen != unit.read64(VTd.Register.iqt) {
      let at = queue & Queue.base.mask + seen
      if self[at] & 0xF != VTd.Descriptor.Kind.wait || self[at] != 0x2_0000_0025 {
        commands.append([self[at], self[at + 8]])
      }
      seen = (seen + width) % (256 * width)
    }
    return commands
  }

  /// What the unit would do now, if nothing was cached.
  func fresh(_ endpoint: Endpoint, _ iova: UInt64, write: Bool, pasid: UInt32? = nil) -> TranslationAnswer {
    let transaction = Transaction(
      source: endpoint.function.source, pasid: pasid, address: iova, access: write ? .write : .read)
    return unit.withHardware { $0.walk(transaction).answer }
  }
}

extension Endpoint {
  var group: CoreGroup {
    guard let group = device.group else { preconditionFailure("a function has a group") }
    return group
  }

  func attach(_ domain: any Domain) throws {
    try group.attach(domain, handle: AttachHandle())
  }

  func attach(_ domain: any Domain, pasid: UInt32) throws {
    try group.attach(domain, pasid: pasid, of: device, handle: AttachHandle())
  }

  /// Whether a write of one double word arrives.
  func write(_ iova: UInt64, _ value: UInt64, pasid: UInt32? = nil) -> DMAOutcome {
    perform(.write(iova, (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }, pasid: pasid))
  }

  func read(_ iova: UInt64, pasid: UInt32? = nil) -> DMAOutcome { perform(.read(iova, 8, pasid: pasid)) }
}

extension DMAOutcome {
  var isDone: Bool { if case .done = self { true } else { false } }

  /// The double word that was read; nil where nothing was.
  var value: UInt64? {
    guard case .done(let bytes) = self, bytes.count == 8 else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  var code: UInt32? { if case .fault(let fault) = self { fault.code } else { nil } }
}

/// A little memory of a process, from address 0 on.
final class ScratchMemory: UserMemory, @unchecked Sendable {
  var bytes: [UInt8] = []

  private func room(_ address: UInt64, _ count: Int) -> Int {
    guard address < UInt64(bytes.count) else { return 0 }
    return min(count, bytes.count - Int(address))
  }

  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = room(address, buffer.count)
    for index in 0..<count { buffer[index] = bytes[Int(address) + index] }
    return count
  }

  func copyOut(_ address: UInt64, from source: UnsafeRawBufferPointer) -> Int {
    let count = room(address, source.count)
    for index in 0..<count { bytes[Int(address) + index] = source[index] }
    return count
  }
}

/// Double words for a driver to read.
struct Words {
  let memory: ScratchMemory
  mutating func add(_ word: UInt64) {
    memory.bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
  }
}

/// Takes page faults, and answers when it is told to.
final class Handler: PageFaultHandler, @unchecked Sendable {
  var groups: [FaultGroup] = []
  func handle(_ group: FaultGroup) throws(Errno) {
    group.dequeue()
    groups.append(group)
  }
}
