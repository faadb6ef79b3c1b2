// SPDX-License-Identifier: GPL-3.0-or-later
import Machine
import Testing
import UAPI

/// Random requests, drawn from the table so that most of them mean something, with the invariants on.
@Suite("Fuzz smoke")
struct FuzzTests {
  /// SplitMix64: the same numbers on every machine.
  struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  /// Requests of each seed. A million, in a release build, are made by `iofd replay --random`.
  static let requests = 6000

  @Test(arguments: [(UInt64(1), Personality.v7_2), (2, .v6_12), (3, .v7_2), (4, .v6_12)])
  func randomRequestsBreakNothing(_ seed: UInt64, _ kernel: Personality) throws {
    try RequestFuzzer(seed: seed, kernel: kernel).run(requests: Self.requests, checkEvery: 20)
  }
}

/// Draws requests and makes them.
final class RequestFuzzer {
  private var random: FuzzTests.Random
  private let kernel: Personality
  private var caller: Caller
  private var memory: UInt64 = 0
  /// Descriptors that requests returned, to be used and closed.
  private var descriptors: [UInt64] = []

  init(seed: UInt64, kernel: Personality) throws {
    random = FuzzTests.Random(state: seed)
    self.kernel = kernel
    caller = try Caller(kernel)
    try reset()
  }

  private func reset() throws {
    caller = try Caller(kernel)
    memory = try caller.memory(1 << 20, at: 0x1000_0000)
    descriptors = []
  }

  func run(requests: Int, checkEvery: Int) throws {
    for index in 0..<requests {
      if index % 500 == 499 { try reset() }
      let what = step()
      if index % checkEvery == 0 {
        let broken = caller.bench.violations()
        #expect(
          broken.isEmpty,
          "after request \(index), \(what): \(broken.first.map(String.init(describing:)) ?? "")")
        if !broken.isEmpty { return }
      }
    }
  }

  private func step() -> String {
    switch UInt32.random(in: 0..<20, using: &random) {
    case 0: return readOrWrite()
    case 1..<9:
      guard let op = CommandTable.selftestOps.randomElement(using: &random) else { return "" }
      let answer = send(CommandTable.selftest.request, op.fields, 72, op: op.number)
      return "\(op.name) -> \(answer)"
    default:
      guard let row = CommandTable.all.randomElement(using: &random) else { return "" }
      let answer = send(row.request, row.fields, max(row.fullSize(KernelVersion(9, 9)), 24), op: nil)
      return "\(row.name) -> \(answer)"
    }
  }

  private func readOrWrite() -> String {
    let fd = Int32(truncatingIfNeeded: descriptors.randomElement(using: &random) ?? 5)
    let count = Int([0, 8, 40, 12, 80, 7].randomElement(using: &random) ?? 8)
    do throws(Errno) {
      switch UInt32.random(in: 0..<4, using: &random) {
      case 0: _ = try caller.target.read(fd, caller.arena + 0x9000, count)
      case 1: _ = try caller.target.write(fd, caller.arena + 0x9000, count)
      case 2: _ = try caller.target.poll(fd)
      default:
        if fd != caller.fd { try caller.target.close(fd) }
      }
      return "fd \(fd) ok"
    } catch { return "fd \(fd) \(error)" }
  }

  private func send(_ request: UInt32, _ fields: [Field], _ full: Int, op: UInt32?) -> String {
    var bytes = [UInt8](repeating: 0, count: 96)
    func put(_ value: UInt64, _ offset: Int, _ width: Int) {
      for index in 0..<width { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    for field in fields { put(value(for: field), field.offset, field.size) }
    put(UInt64(Bool.random(using: &random) ? full : Int.random(in: 0...96, using: &random)), 0, 4)
    if let op {
      put(UInt64(op), 4, 4)
      put(
        Bool.random(using: &random) ? smallID() : descriptors.randomElement(using: &random) ?? smallID(), 8, 4
      )
      put(72, 0, 4)
    }
    do throws(Errno) {
      try caller.target.memory.write(bytes, at: caller.arena)
      let argument = op == nil && UInt8.random(in: 0..<50, using: &random) == 0 ? 3 : caller.arena
      let result = try caller.target.ioctl(caller.fd, request, argument)
      for field in fields where field.direction.isOutput {
        if case .fileDescriptor = field.meaning {
          descriptors.append(
            UInt64(try caller.target.memory.load(UInt32.self, at: caller.arena + UInt64(field.offset))))
        }
      }
      if result > 0 { descriptors.append(UInt64(result)) }
      return "\(result)"
    } catch { return error.name }
  }

  private func smallID() -> UInt64 { UInt64.random(in: 0...12, using: &random) }

  private func value(for field: Field) -> UInt64 {
    if UInt8.random(in: 0..<40, using: &random) == 0 { return random.next() & field.mask }
    switch field.meaning {
    case .reserved: return 0
    case .objectID: return smallID()
    case .flags(let names):
      return names.entries.reduce(0) { Bool.random(using: &random) ? $0 | $1.value : $0 }
    case .choice(let names): return names.entries.randomElement(using: &random)?.value ?? 0
    case .iova:
      return [0, 0x1000000, 0x1001000, 0x1000800, 0x1040000, 0x7ffff000].randomElement(using: &random) ?? 0
    case .length: return [0, 8, 0x800, 0x1000, 0x2000, 0x10000, 12, 24].randomElement(using: &random) ?? 0
    case .userPointer:
      return memory + ([0, 0x1000, 0x800, 0x20000, 0xFF000].randomElement(using: &random) ?? 0)
    case .fileDescriptor: return descriptors.randomElement(using: &random) ?? 3
    case .number: return UInt64.random(in: 0...4, using: &random)
    }
  }
}
