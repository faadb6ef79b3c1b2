// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// A machine with one AMD-Vi IOMMU, functions behind it, and pages of memory to map.
final class Rig {
  let target: ModelTarget
  let unit: IOMMUUnit
  let context: Context
  let fd: Int32
  /// Room for structs and buffers in the calling process.
  let scratch: UInt64
  private var functions = 0

  var machine: Machine { target.machine }

  init(
    _ words: [String: String] = [:], _ numbers: [String: UInt64] = [:], kernel: Personality = .standard,
    memorySize: UInt64 = 4 << 30
  ) throws {
    target = ModelTarget(.init(kernel: kernel, memorySize: memorySize))
    let machine = target.machine
    var choices = IOMMUKind.Choices()
    choices.words = words
    choices.numbers = numbers
    unit = try machine.addIOMMU("iommu0", .amdvi, choices)
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 0x10000, at: nil, mode: [.read, .write])
    context = try #require(machine.kernel.openContexts.first)
  }

  var software: AMDViIOMMU {
    guard let software = unit.software as? AMDViIOMMU else { preconditionFailure("another driver") }
    return software
  }
  var driver: AMDViDriver {
    guard let driver = software.driver as? AMDViDriver else { preconditionFailure("another driver") }
    return driver
  }
  var memory: PhysicalMemory { machine.memory }

  /// A function at 00:03.0, 00:04.0, ...
  func function(_ capabilities: PCIFunction.Capabilities = .init()) throws -> Endpoint {
    functions += 1
    let id = UInt16(functions + 2) << 3
    return try machine.addFunction(
      "fn\(functions)", PCIFunction(requesterID: id, capabilities: capabilities), behind: unit)
  }

  /// One whose group nobody but the test has.
  func owned(_ capabilities: PCIFunction.Capabilities = .init()) throws -> Endpoint {
    let endpoint = try function(capabilities)
    try #require(endpoint.device.group).claim(for: self)
    return endpoint
  }

  func domain(_ flags: UInt32 = 0, for endpoint: Endpoint) throws -> any PagingDomain {
    try driver.allocatePaging(for: endpoint.device, flags: flags, data: nil)
  }

  func attach(_ domain: any Domain, _ endpoint: Endpoint) throws {
    try #require(endpoint.device.group).attach(domain, handle: AttachHandle())
  }

  func replace(_ domain: any Domain, _ endpoint: Endpoint) throws {
    try #require(endpoint.device.group).replace(with: domain, handle: AttachHandle())
  }

  func attach(_ domain: any Domain, _ endpoint: Endpoint, pasid: UInt32) throws {
    try #require(endpoint.device.group).attach(
      domain, pasid: pasid, of: endpoint.device, handle: AttachHandle())
  }

  /// A page whose first bytes are `mark`.
  func page(_ mark: UInt8 = 0) throws -> PhysAddr {
    let address = try memory.allocateFrame().address
    write([UInt8](repeating: mark, count: 8), at: address)
    return address
  }

  func write(_ bytes: [UInt8], at address: PhysAddr) {
    _ = bytes.withUnsafeBytes { memory.write(address, from: $0) }
  }

  func byte(at address: PhysAddr) -> UInt8 {
    var bytes: [UInt8] = [0]
    _ = bytes.withUnsafeMutableBytes { memory.read(address, into: $0) }
    return bytes[0]
  }

  /// Makes an iommufd request whose struct is these words; returns the words as they are then.
  @discardableResult
  func call(_ name: String, _ words: [UInt32]) throws -> [UInt32] {
    let row = try #require(CommandTable.row(named: name))
    try target.memory.write(
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }, at: scratch)
    _ = try target.ioctl(fd, row.request, scratch)
    machine.settle()
    return try self.words(at: scratch, words.count)
  }

  func words(at address: UInt64, _ count: Int) throws -> [UInt32] {
    let bytes = try target.memory.bytes(at: address, count: count * 4)
    return (0..<count).map { index in
      bytes[index * 4..<index * 4 + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  func newIOAS() throws -> UInt32 { try call("IOAS_ALLOC", [12, 0, 0])[2] }

  static func pair(_ value: UInt64) -> [UInt32] {
    [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  /// IOAS_MAP of new memory, fixed, readable and writable; returns its address in the process.
  @discardableResult
  func map(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64) throws -> UInt64 {
    let address = try target.process.space.allocate(length: length, at: nil, mode: [.read, .write])
    try call(
      "IOAS_MAP", [40, 7, ioas, 0] + Self.pair(address) + Self.pair(length) + Self.pair(iova))
    return address
  }

  /// HWPT_ALLOC; data is copied to the scratch room.
  func hwpt(
    _ device: UInt32, on parent: UInt32, flags: UInt32 = 0, fault: UInt32 = 0, data: [UInt64] = [],
    type: UInt32 = 0
  ) throws -> UInt32 {
    let room = scratch + 0x1000
    try target.memory.write(
      data.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }, at: room)
    let words: [UInt32] =
      [48, flags, device, parent, 0, 0, type, UInt32(data.count * 8)] + Self.pair(data.isEmpty ? 0 : room)
      + [fault, 0]
    return try call("HWPT_ALLOC", words)[4]
  }

  /// What changed in the command buffer since the last call.
  lazy var commands = CommandReader(unit, memory)
}

/// Reads the command buffer as the hardware does.
final class CommandReader {
  private let unit: IOMMUUnit
  private let memory: PhysicalMemory
  private var seen: UInt64

  init(_ unit: IOMMUUnit, _ memory: PhysicalMemory) {
    self.unit = unit
    self.memory = memory
    seen = unit.read64(0x2008)
  }

  /// Opcodes and words, waits left out.
  func new() -> [(opcode: UInt64, low: UInt64, high: UInt64)] {
    let ring = unit.read64(8) & 0x000F_FFFF_FFFF_F000
    var commands: [(opcode: UInt64, low: UInt64, high: UInt64)] = []
    while seen != unit.read64(0x2008) {
      let low = memory.load64(at: PhysAddr(ring + seen)) ?? 0
      let high = memory.load64(at: PhysAddr(ring + seen + 8)) ?? 0
      if low >> 60 != 1 { commands.append((low >> 60, low, high)) }
      seen = (seen + 16) & 0x1FFF
    }
    return commands
  }
}

extension Endpoint {
  /// The first byte of a read, nil where it faults.
  func byte(_ address: UInt64, pasid: UInt32? = nil) -> UInt8? {
    if case .done(let bytes) = perform(.read(address, 4, pasid: pasid)) { return bytes[0] }
    return nil
  }

  func fault(_ request: DMARequest) -> DMAFault? {
    if case .fault(let fault) = perform(request) { return fault }
    return nil
  }
}

let readWrite: Protection = [.read, .write, .cache]
