// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// A machine with one SMMU and a device behind it, bound to an iommufd.
final class Rig {
  let machine: Machine
  let unit: IOMMUUnit
  let endpoint: Endpoint
  let target: ModelTarget
  let fd: Int32
  private let scratch: UInt64

  init(
    _ flags: [String: UInt64] = [:], words: [String: String] = [:], kernel: Personality = .standard,
    function: PCIFunction.Capabilities = .init(ats: true, pasidBits: 20)
  ) throws {
    target = ModelTarget(Machine.Configuration(kernel: kernel, memorySize: 4 << 30))
    machine = target.machine
    var choices = IOMMUKind.Choices()
    choices.numbers = flags
    choices.words = words
    unit = try machine.addIOMMU("smmu", .smmuv3, choices)
    endpoint = try machine.addFunction(
      "dev", PCIFunction(requesterID: 0x208, capabilities: function), behind: unit)
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 1 << 16, at: nil, mode: [.read, .write])
  }

  var context: Context {
    get throws { try #require(machine.kernel.openContexts.first) }
  }

  // MARK: Requests

  /// Makes a request whose struct is `words`, and returns what it is afterwards.
  @discardableResult
  func call(_ name: String, _ words: [UInt32]) throws(Errno) -> [UInt32] {
    guard let row = CommandTable.row(named: name) else { throw .ENOTTY("no such request") }
    try put(words, at: scratch)
    _ = try target.ioctl(fd, row.request, scratch)
    return try get(scratch, words.count)
  }

  func put(_ words: [UInt32], at address: UInt64) throws(Errno) {
    try target.memory.write(
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32($0 * 8)) } }, at: address
    )
  }

  func get(_ address: UInt64, _ count: Int) throws(Errno) -> [UInt32] {
    let bytes = try target.memory.bytes(at: address, count: count * 4)
    return (0..<count).map { index in
      bytes[index * 4..<index * 4 + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  /// Room for data of a request.
  var room: UInt64 { scratch + 4096 }

  static func pair(_ value: UInt64) -> [UInt32] {
    [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  func makeIOAS() throws(Errno) -> UInt32 { try call("IOAS_ALLOC", [12, 0, 0])[2] }

  /// An HWPT on an IOAS, a parent or a vIOMMU.
  func makeHWPT(
    _ device: DeviceObject, on base: UInt32, flags: UInt32 = 0, ste: [UInt64]? = nil, fault: UInt32 = 0
  )
    throws(Errno) -> UInt32
  {
    var data: [UInt32] = [0, 0, 0, 0]
    if let ste {
      try put(ste.flatMap(Self.pair), at: room)
      data = [2, 16] + Self.pair(room)
    }
    return try call("HWPT_ALLOC", [48, flags, device.id, base, 0, 0] + data + [fault, 0])[4]
  }

  @discardableResult
  func map(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64, writable: Bool = true, huge: Bool = false)
    throws(Errno) -> UInt64
  {
    let address = try target.process.space.allocate(
      length: length, at: nil, mode: [.read, .write], huge: huge)
    try map(ioas, iova, length, from: address, writable: writable)
    return address
  }

  func map(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64, from address: UInt64, writable: Bool = true)
    throws(Errno)
  {
    try call(
      "IOAS_MAP",
      [40, writable ? 7 : 5, ioas, 0] + Self.pair(address) + Self.pair(length) + Self.pair(iova))
  }

  func unmap(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64) throws(Errno) {
    try call("IOAS_UNMAP", [24, ioas] + Self.pair(iova) + Self.pair(length))
  }

  // MARK: DMA

  func read(_ iova: UInt64, _ count: Int = 4, pasid: UInt32? = nil) -> DMAOutcome {
    endpoint.perform(.read(iova, count, pasid: pasid))
  }

  func write(_ iova: UInt64, _ bytes: [UInt8], pasid: UInt32? = nil) -> DMAOutcome {
    endpoint.perform(.write(iova, bytes, pasid: pasid))
  }

  /// The process's bytes.
  func bytes(_ address: UInt64, _ count: Int = 4) throws -> [UInt8] {
    try target.memory.bytes(at: address, count: count)
  }

  func fill(_ address: UInt64, _ bytes: [UInt8]) throws { try target.memory.write(bytes, at: address) }
}

extension DMAOutcome {
  var bytes: [UInt8]? {
    if case .done(let bytes) = self { return bytes }
    return nil
  }
  var code: UInt32? {
    if case .fault(let fault) = self { return fault.code }
    return nil
  }
  var isDone: Bool { bytes != nil }
}

extension Rig {
  /// The leaves of what the device's RID is on.
  func leaves(of device: DeviceObject) -> [Leaf] {
    var all: [Leaf] = []
    guard let domain = device.device.group?.domain as? any PagingDomain else { return [] }
    domain.forEachLeaf(in: domain.aperture) { all.append($0) }
    return all
  }

  func leafSizes(of device: DeviceObject) -> [Int] { leaves(of: device).map(\.sizeLg2) }

  func hardware<Result>(_ body: (any IOMMUHardware) -> Result) -> Result { unit.withHardware(body) }
}
