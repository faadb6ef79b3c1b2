// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// A machine with an IOMMU of s390 and a process that has opened `/dev/iommu`.
final class Rig {
  let target: ModelTarget
  let unit: IOMMUUnit
  let fd: Int32
  private let scratch: UInt64

  var machine: Machine { target.machine }
  var host: ZPCIHost { unit.software as! ZPCIHost }

  init(
    _ options: [String: UInt64] = [:], _ words: [String: String] = [:], kernel: Personality = .v7_2,
    memorySize: UInt64 = 1 << 32
  ) throws {
    target = ModelTarget(Machine.Configuration(kernel: kernel, memorySize: memorySize))
    var choices = IOMMUKind.Choices()
    choices.numbers = options
    choices.words = words
    unit = try target.machine.addIOMMU("zpci", #require(IOMMUKind.named("s390")), choices)
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 4096, at: nil, mode: [.read, .write])
  }

  func function(_ requesterID: UInt16 = 0x100) throws -> Endpoint {
    try machine.addFunction(
      "fn\(requesterID)", PCIFunction(requesterID: requesterID), behind: unit)
  }

  func bind(_ endpoint: Endpoint) throws -> DeviceObject {
    try #require(machine.kernel.openContexts.first).bind(endpoint.device)
  }

  /// A bound function that is attached to an IOAS.
  func attached(_ ioas: UInt32, _ requesterID: UInt16 = 0x100) throws -> (Endpoint, DeviceObject) {
    let endpoint = try function(requesterID)
    let device = try bind(endpoint)
    var id = ioas
    try device.attach(to: &id)
    return (endpoint, device)
  }

  // MARK: Requests

  private static func pair(_ value: UInt64) -> [UInt32] {
    [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  /// Makes a request whose struct is these words, and reads it back.
  @discardableResult
  func call(_ name: String, _ words: [UInt32]) throws(Errno) -> [UInt32] {
    guard let row = CommandTable.row(named: name) else { throw .ENOTTY("no such request") }
    let sent = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    try target.memory.write(sent, at: scratch)
    _ = try target.ioctl(fd, row.request, scratch)
    let bytes = try target.memory.bytes(at: scratch, count: sent.count)
    return words.indices.map { index in
      bytes[index * 4..<index * 4 + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  func ioas() throws(Errno) -> UInt32 { try call("IOAS_ALLOC", [12, 0, 0])[2] }

  func buffer(_ length: UInt64) throws(Errno) -> UInt64 {
    try target.process.space.allocate(length: length, at: nil, mode: [.read, .write])
  }

  /// Maps at a fixed address; returns where the memory is in the process.
  @discardableResult
  func map(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64, writable: Bool = true, from: UInt64? = nil)
    throws(Errno) -> UInt64
  {
    let address: UInt64
    if let from { address = from } else { address = try buffer(length) }
    try call(
      "IOAS_MAP",
      [40, writable ? 7 : 5, ioas, 0] + Self.pair(address) + Self.pair(length) + Self.pair(iova))
    return address
  }

  func unmap(_ ioas: UInt32, _ iova: UInt64, _ length: UInt64) throws(Errno) {
    try call("IOAS_UNMAP", [24, ioas] + Self.pair(iova) + Self.pair(length))
  }

  func allocateHWPT(_ device: DeviceObject, _ ioas: UInt32, flags: UInt32 = 0) throws(Errno) -> UInt32 {
    try call("HWPT_ALLOC", [48, flags, device.id, ioas, 0, 0, 0, 0, 0, 0, 0, 0])[4]
  }

  func destroy(_ id: UInt32) throws(Errno) { try call("DESTROY", [8, id]) }

  /// The type, the length and the capabilities that GET_HW_INFO tells.
  func hardwareInformation(_ device: DeviceObject) throws(Errno) -> (UInt32, UInt32, UInt32) {
    let words = try call("GET_HW_INFO", [40, 0, device.id, 0, 0, 0, 0, 0, 0, 0])
    return (words[6], words[3], words[8])
  }

  /// What IOAS_IOVA_RANGES tells.
  func ranges(_ ioas: UInt32) throws(Errno) -> [ClosedRange<UInt64>] {
    let room = scratch + 1024
    let words = try call("IOAS_IOVA_RANGES", [32, ioas, 64, 0] + Self.pair(room) + [0, 0])
    let bytes = try target.memory.bytes(at: room, count: Int(words[2]) * 16)
    func word(_ index: Int) -> UInt64 {
      bytes[index * 8..<index * 8 + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    return (0..<Int(words[2])).map { word($0 * 2)...word($0 * 2 + 1) }
  }

  func write(_ bytes: [UInt8], at address: UInt64) throws(Errno) {
    try target.memory.write(bytes, at: address)
  }
  func bytes(_ address: UInt64, _ count: Int) throws(Errno) -> [UInt8] {
    try target.memory.bytes(at: address, count: count)
  }

  // MARK: The hardware

  /// What the hardware would find for an address now, caches included, without effects.
  func answer(_ endpoint: Endpoint, _ address: UInt64, writing: Bool = false) -> TranslationAnswer {
    let transaction = Transaction(
      source: endpoint.source, address: address, access: writing ? .write : .read)
    return unit.withHardware { $0.cachedAnswer(transaction) ?? $0.walk(transaction).answer }
  }

  /// What the hardware has registered for a function.
  func registered(_ endpoint: Endpoint) -> Fact? {
    guard let handle = (endpoint.device as? ZPCIDevice)?.handle,
      case .list(let functions) = unit.withHardware({ $0.facts()["functions"] })
    else { return nil }
    return functions.first { $0["handle"]?.number == UInt64(handle) }
  }

  /// RPCITs that a function has had, and that worked.
  func refreshes(_ endpoint: Endpoint) -> UInt64? { registered(endpoint)?["refreshes"]?.number }

  func expectSound(_ place: Comment? = nil) {
    let broken = machine.violations()
    #expect(broken.isEmpty, place)
  }
}

extension DMAOutcome {
  var bytes: [UInt8]? { if case .done(let bytes) = self { bytes } else { nil } }
  var fault: DMAFault? { if case .fault(let fault) = self { fault } else { nil } }
}

extension TranslationAnswer {
  var address: UInt64? { if case .translated(let found) = self { found.address } else { nil } }
  var isWritable: Bool { if case .translated(let found) = self { found.writable } else { false } }
}

/// A small deterministic generator: SplitMix64.
struct Dice: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ n: Int) -> Int { Int.random(in: 0..<n, using: &self) }
  mutating func one(in n: Int) -> Bool { below(n) == 0 }
}
