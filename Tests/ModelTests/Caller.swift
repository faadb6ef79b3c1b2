// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import UAPI

/// A program that makes requests, for tests: structs are built from the table's rows, fields by name.
///
/// One thread uses one caller; `sibling` makes another one for another thread of the same program.
final class Caller: @unchecked Sendable {
  let target: ModelTarget
  let bench: ModelBench
  let fd: Int32
  /// Where structs and small arrays lie.
  let arena: UInt64
  static let arenaLength: UInt64 = 1 << 16

  init(_ kernel: Personality = .standard, stride: Int = 1) throws {
    target = ModelTarget(Machine.Configuration(kernel: kernel, frameStride: stride))
    bench = ModelBench(target)
    arena = try target.userSpace.allocate(
      length: Self.arenaLength, at: nil, mode: [.read, .write], huge: false)
    fd = try target.open("/dev/iommu")
  }

  private init(_ target: ModelTarget, _ bench: ModelBench, fd: Int32) throws {
    self.target = target
    self.bench = bench
    self.fd = fd
    arena = try target.userSpace.allocate(
      length: Self.arenaLength, at: nil, mode: [.read, .write], huge: false)
  }

  /// A caller for another thread: the same process and descriptor, structs of its own.
  func sibling() throws -> Caller { try Caller(target, bench, fd: fd) }

  /// The answer to one request.
  struct Answer {
    var errno: Errno?
    var result: Int32
    /// The struct before the call.
    var sent: [UInt8] = []
    /// The struct after the call.
    var bytes: [UInt8]
    let fields: [Field]

    /// An output field by name.
    subscript(_ name: String) -> UInt64 {
      guard let field = fields.first(where: { $0.name == name }) else { return .max }
      return (0..<field.size).reduce(0) { $0 | UInt64(bytes[field.offset + $1]) << UInt64(8 * $1) }
    }

    var name: String { errno?.name ?? "ok" }
  }

  /// Makes a request with a struct of `size` bytes (the full size unless given); fields are set by name.
  func request(
    _ name: String, size: Int? = nil, announced: Int? = nil, tail: UInt8 = 0, fd: Int32? = nil,
    _ values: KeyValuePairs<String, UInt64> = [:]
  ) -> Answer {
    guard let row = CommandTable.row(named: name) else { preconditionFailure("no row \(name)") }
    return send(
      row.request, row.fields, row.fullSize(target.kernel), size: size, announced: announced, tail: tail,
      fd: fd, values.map { ($0.key, $0.value) })
  }

  /// Makes the request that a row or an op of the tables describes; of two values for a field the later
  /// counts.
  /// The header's `id` of an op is called `object`; a request without a struct takes `argument`.
  ///
  /// - Parameter page: a page of its own for the struct, which can only be read when the request is made.
  func call(
    _ name: String, _ values: [(String, UInt64)], size: Int? = nil, announced: Int? = nil, tail: UInt8 = 0,
    inReadOnly page: UInt64? = nil
  ) -> Answer {
    if let op = SelftestOp.named(name) {
      let row = CommandTable.selftest
      return send(
        row.request, op.fields + [Field("object", Layout.Selftest.id)] + row.fields, 72, size: size,
        announced: announced, tail: tail, fd: nil, values, also: [4: UInt64(op.number)],
        inReadOnly: page)
    }
    guard let row = CommandTable.row(named: name) else { preconditionFailure("no row \(name)") }
    return send(
      row.request, row.fields, row.fullSize(target.kernel), size: size, announced: announced, tail: tail,
      fd: nil, values, inReadOnly: page)
  }

  /// Makes a selftest request.
  func selftest(
    _ op: String, id: UInt64 = 0, size: Int? = nil, _ values: KeyValuePairs<String, UInt64> = [:]
  ) -> Answer {
    guard let op = SelftestOp.named(op) else { preconditionFailure("no op \(op)") }
    let row = CommandTable.selftest
    return send(
      row.request, row.fields + op.fields, 72, size: size, announced: nil, tail: 0, fd: nil,
      values.map { ($0.key, $0.value) },
      also: [4: UInt64(op.number), 8: id])
  }

  private func send(
    _ request: UInt32, _ fields: [Field], _ full: Int, size: Int?, announced: Int?, tail: UInt8, fd: Int32?,
    _ values: [(String, UInt64)], also: [Int: UInt64] = [:],
    inReadOnly page: UInt64? = nil
  ) -> Answer {
    let arena = page ?? arena
    let count = max(size ?? full, full)
    var bytes = [UInt8](repeating: 0, count: max(count, 4))
    for index in full..<max(full, count) { bytes[index] = tail }
    func put(_ value: UInt64, _ offset: Int, _ width: Int) {
      for index in 0..<width { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    put(UInt64(announced ?? size ?? full), 0, 4)
    for (offset, value) in also { put(value, offset, 4) }
    for (name, value) in values where !fields.isEmpty {
      guard let field = fields.first(where: { $0.name == name }) else {
        preconditionFailure("no field \(name)")
      }
      put(value, field.offset, field.size)
    }
    let argument = fields.isEmpty ? values.last?.1 ?? 0 : arena
    try? target.memory.write(bytes, at: arena)
    if let page { try? target.userSpace.protect(page, length: 0x1000, mode: [.read]) }
    var answer = Answer(errno: nil, result: -1, sent: bytes, bytes: bytes, fields: fields)
    do throws(Errno) {
      answer.result = try target.ioctl(fd ?? self.fd, request, argument)
    } catch { answer.errno = error }
    answer.bytes = (try? target.memory.bytes(at: arena, count: bytes.count)) ?? bytes
    return answer
  }

  // MARK: Shorthands

  func ioas() -> UInt64 { request("IOAS_ALLOC")["out_ioas_id"] }

  /// A mock device on an IOAS or HWPT.
  func mock(_ id: UInt64) -> (stdev: UInt64, hwpt: UInt64, idev: UInt64) {
    let answer = selftest("MOCK_DOMAIN", id: id)
    return (answer["out_stdev_id"], answer["out_hwpt_id"], answer["out_idev_id"])
  }

  func memory(_ length: UInt64, at address: UInt64? = nil, mode: MapMode = [.read, .write, .shared]) throws
    -> UInt64
  {
    try target.userSpace.allocate(length: length, at: address, mode: mode, huge: false)
  }

  func map(_ ioas: UInt64, _ va: UInt64, _ length: UInt64, at iova: UInt64? = nil, flags: UInt64 = 6)
    -> Answer
  {
    request(
      "IOAS_MAP",
      [
        "flags": flags | (iova == nil ? 0 : 1), "ioas_id": ioas, "user_va": va, "length": length,
        "iova": iova ?? 0,
      ])
  }

  func unmap(_ ioas: UInt64, _ iova: UInt64, _ length: UInt64) -> Answer {
    request("IOAS_UNMAP", ["ioas_id": ioas, "iova": iova, "length": length])
  }

  func reserve(_ ioas: UInt64, _ first: UInt64, _ last: UInt64) -> Answer {
    selftest("ADD_RESERVED", id: ioas, ["start": first, "length": last &- first &+ 1])
  }

  func allow(_ ioas: UInt64, _ ranges: [(UInt64, UInt64)]) throws -> Answer {
    let array = arena + 0x8000
    for (index, range) in ranges.enumerated() {
      try target.memory.store(range.0, at: array + UInt64(index) * 16)
      try target.memory.store(range.1, at: array + UInt64(index) * 16 + 8)
    }
    return request(
      "IOAS_ALLOW_IOVAS", ["ioas_id": ioas, "num_iovas": UInt64(ranges.count), "allowed_iovas": array])
  }
}
