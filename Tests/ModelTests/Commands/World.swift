// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Memory
import Testing
import UAPI

/// A machine with a program on it, whose memory is at fixed addresses and whose objects have the IDs that the
/// ABI promises.
final class World: @unchecked Sendable {
  let caller: Caller
  let kernel: Personality
  var target: ModelTarget { caller.target }
  var bench: ModelBench { caller.bench }

  /// 4 MiB of memory to map.
  static let va: UInt64 = 0x7f00_0000_0000
  static let vaLength: UInt64 = 0x40_0000
  /// 64 KiB that can be read only.
  static let readOnly: UInt64 = 0x7e00_0000_0000
  /// 64 KiB for arrays and driver data.
  static let data: UInt64 = 0x7d00_0000_0000
  /// Nothing is here.
  static let hole: UInt64 = 0x1000_0000
  /// One page, for a struct.
  private static let page: UInt64 = 0x7c00_0000_0000

  /// `stride` 1 makes consecutive pages neighbours in physical memory.
  init(_ kernel: Personality, stride: Int = 1) throws {
    self.kernel = kernel
    caller = try Caller(kernel, stride: stride)
    _ = try caller.memory(Self.vaLength, at: Self.va)
    _ = try caller.memory(0x10000, at: Self.readOnly, mode: [.read])
    _ = try caller.memory(0x10000, at: Self.data)
  }

  // MARK: Requests

  /// Makes a request that must succeed.
  @discardableResult
  func make(_ row: String, _ fields: Fields = [:]) throws -> Caller.Answer {
    let answer = ask(row, fields)
    try #require(answer.name == "ok", "\(row) \(answer.errno?.reason ?? "")")
    return answer
  }

  func ask(_ row: String, _ fields: Fields...) -> Caller.Answer {
    caller.call(row, fields.flatMap { $0.map { ($0.key, $0.value) } })
  }

  func ask(_ row: String, _ fields: Fields, size: Int, announced: Int? = nil, tail: UInt8 = 0)
    -> Caller.Answer
  {
    caller.call(row, fields.map { ($0.key, $0.value) }, size: size, announced: announced, tail: tail)
  }

  /// Makes a request with a struct in memory that can be read only.
  func askReadOnly(_ row: String, _ fields: Fields) throws -> Caller.Answer {
    _ = try caller.memory(0x1000, at: Self.page)
    return caller.call(row, fields.map { ($0.key, $0.value) }, inReadOnly: Self.page)
  }

  // MARK: Memory

  /// Puts 32-bit words at the data area.
  func words(_ values: UInt32..., at offset: UInt64 = 0) throws {
    for (index, value) in values.enumerated() {
      try target.memory.store(value, at: Self.data + offset + UInt64(index) * 4)
    }
  }

  /// Puts 64-bit words at the data area.
  func longs(_ values: UInt64..., at offset: UInt64 = 0) throws {
    for (index, value) in values.enumerated() {
      try target.memory.store(value, at: Self.data + offset + UInt64(index) * 8)
    }
  }

  /// A 32-bit word of the data area.
  func word(_ offset: UInt64) throws -> UInt32 {
    try target.memory.load(UInt32.self, at: Self.data + offset)
  }

  /// A 64-bit word of the data area.
  func long(_ offset: UInt64) throws -> UInt64 {
    try target.memory.load(UInt64.self, at: Self.data + offset)
  }

  // MARK: Looking

  /// Objects, areas, pins and charges, as text that can be compared.
  var snapshot: String {
    var text = bench.state(of: caller.fd).map(Self.text) ?? ""
    if case .record(let members) = bench.machineState() {
      text += Self.text(.record(members.filter { $0.name != "frames" }))
    }
    return text
  }

  private static func text(_ fact: Fact) -> String {
    switch fact {
    case .number(let value), .hex(let value): String(value, radix: 16)
    case .text(let text): text
    case .id(let id): "#\(id)"
    case .flag(let flag): flag ? "yes" : "no"
    case .range(let first, let last): "\(String(first, radix: 16))...\(String(last, radix: 16))"
    case .list(let items): "[" + items.map(text).joined(separator: " ") + "]"
    case .record(let members):
      "{" + members.map { $0.name + "=" + text($0.value) }.joined(separator: " ") + "}"
    case .none: "none"
    }
  }

  /// How often the page at an address is pinned.
  func pins(_ address: UInt64 = World.va) -> UInt64? { bench.pinCount(at: address) }

  /// A number about an object.
  func fact(_ id: UInt64, _ name: String) -> UInt64? {
    bench.state(of: caller.fd, object: UInt32(id))?[name]?.number
  }

  func exists(_ id: UInt64) -> Bool { bench.state(of: caller.fd, object: UInt32(id)) != nil }

  /// Ends every process; what is then left of the machine's memory, and every broken invariant.
  func leftovers() -> [String] {
    let machine = target.machine
    for process in machine.allProcesses { process.exit() }
    let frames = machine.memory.allocatedFrames
    return machine.violations().map(\.description) + (frames == 0 ? [] : ["\(frames) frames"])
  }

  // MARK: Limits

  /// Makes the program an ordinary one that may lock `bytes`.
  func limit(_ bytes: UInt64) throws {
    try bench.setCapability("ipc-lock", false)
    bench.setMemlockLimit(bytes)
  }

  // MARK: Worlds

  /// No object.
  static let empty: Step = { _ in }

  /// IOAS 1.
  static let ioas: Step = { try $0.make("IOAS_ALLOC") }

  /// IOAS 1; mock device: test object 2, device 3, automatic HWPT 4.
  static let mock: Step = {
    try ioas($0)
    try $0.make("MOCK_DOMAIN", ["object": 1])
  }

  /// As `mock`; two pages of memory mapped at the start of the mock's aperture.
  static let mapped: Step = {
    try mock($0)
    try $0.map()
  }

  /// As `mock`; nesting parent 5 on the IOAS, and driver data for a nested HWPT at `data`.
  static let parent: Step = {
    try mock($0)
    try $0.make("HWPT_ALLOC", ["flags": 1, "dev_id": 3, "pt_id": 1])
    try $0.words(0xBADBEEF, 0)
  }

  /// As `parent`; nested HWPT 6.
  static let nested: Step = {
    try parent($0)
    try $0.nested(on: 5)
  }

  /// As `parent`; vIOMMU 6.
  static let viommu: Step = {
    try parent($0)
    try $0.make("VIOMMU_ALLOC", ["type": 0xDEAD_BEEF, "dev_id": 3, "hwpt_id": 5])
  }

  /// As `viommu`; vDEVICE 7 with the virtual ID 0x99 for device 3.
  static let vdevice: Step = {
    try viommu($0)
    try $0.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0x99])
  }

  /// IOAS 1; access that pins, ID 2, descriptor 4; two pages mapped at 0x1000000.
  static let access: Step = {
    try ioas($0)
    try $0.make("CREATE_ACCESS", ["object": 1, "flags": 1])
    try $0.map()
  }

  // MARK: Shorthands

  /// Maps memory, by default two pages at the start of the mock's aperture.
  @discardableResult
  func map(
    _ ioas: UInt64 = 1, at iova: UInt64 = 0x1000000, _ length: UInt64 = 0x2000, from va: UInt64 = World.va,
    flags: UInt64 = 7
  ) throws -> Caller.Answer {
    try make(
      "IOAS_MAP", ["flags": flags, "ioas_id": ioas, "user_va": va, "length": length, "iova": iova])
  }

  /// A nested HWPT of the selftest on an HWPT or vIOMMU.
  @discardableResult
  func nested(on base: UInt64, flags: UInt64 = 0, fault: UInt64 = 0) throws -> UInt64 {
    try make(
      "HWPT_ALLOC",
      [
        "flags": flags, "dev_id": 3, "pt_id": base, "data_type": 0xDEAD, "data_len": 4,
        "data_uptr": World.data,
        "fault_id": fault,
      ])["out_hwpt_id"]
  }

  func reserve(_ first: UInt64, _ length: UInt64, ioas: UInt64 = 1) throws {
    try make("ADD_RESERVED", ["object": ioas, "start": first, "length": length])
  }

  /// Confines placement to one range.
  func allow(_ first: UInt64, _ last: UInt64, ioas: UInt64 = 1) throws {
    try longs(first, last, at: 0x8000)
    try make(
      "IOAS_ALLOW_IOVAS", ["ioas_id": ioas, "num_iovas": 1, "allowed_iovas": World.data + 0x8000])
  }
}
