// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// Random but plausible programs of raw ioctls, in the format of the recordings, to ask a real kernel and the
// model the same questions. What a field may hold comes from the command tables: an object ID is mostly one of the
// objects that such a field wants and that an earlier step of the program made, a flag word is a subset of the
// named bits, a pointer lies in the data area. A share of the fields is deliberately wrong.
//
// Left out on purpose, since no answer to it could be compared:
//  - what takes Linux 7.2.13 down: a COPY of several slices, one of them no multiple of 2 KiB, into an IOAS with a
//    mock HWPT; a page fault of a device whose mock device was destroyed with a PASID attached, which leaves the
//    DEVICE object behind; GET_DIRTY_BITMAP from the last 2 KiB of a larger dirty entry. A program is either fine (any
//    address and length) and has neither request, or keeps to multiples of 2 KiB (of 4 KiB where dirty bits are
//    read).
//  - what depends on which physical pages are neighbours: hardware queues of more than a page.
//  - what stays when the file is closed: the selftest's memory limit.

/// Makes one random program.
public struct RandomProgram {
  /// What a register holds.
  enum Pool: CaseIterable {
    case ioas, hwpt, nested, stdev, idev, fault, viommu, vdevice, veventq, hwQueue
    case accessPages, context, access, queueFile, buffer

    var isDescriptor: Bool {
      switch self {
      case .context, .access, .queueFile, .buffer: true
      default: false
      }
    }
  }

  /// A mapping that was asked for.
  struct Mapping {
    let iova: RecordedProgram.Operand
    let length: UInt64
    /// Offset of its memory in the data area; nil for a file.
    let memory: UInt64?
    let ioas: RecordedProgram.Operand
  }

  let theme: ProgramTheme
  var random: SeededRandom
  var steps: [RecordedProgram.Step] = []
  var pools: [Pool: [Int]] = [:]
  var mappings: [Mapping] = []
  var nextRegister = 0
  /// Parts of the data area that are gone.
  var holes: [ClosedRange<UInt64>] = []
  /// Any address and length, but no request that could not stand them.
  let isFine: Bool
  /// Percent of the fields that are deliberately wrong.
  var mistakes = 0
  /// The request that is being made wants an object of a kind that the program has not made.
  var lacksObject = false
  /// The request that is being made must not be.
  var isDropped = false
  /// A PASID may be attached; a mock device that is destroyed with one leaves a DEVICE behind.
  var mayLeak = false
  /// A mock device may be gone.
  var hasLostDevice = false
  var forcesNesting = false
  var attachesNewest = false

  /// The same program for the same theme and seed.
  public static func make(_ theme: ProgramTheme, seed: UInt64) -> RecordedProgram {
    var program = RandomProgram(theme, seed: seed)
    return program.write(name: "\(theme.rawValue)-fresh-\(seed)")
  }

  private init(_ theme: ProgramTheme, seed: UInt64) {
    self.theme = theme
    // Neighbouring seeds and themes must have nothing in common.
    var seeds = SeededRandom(seed: seed)
    let own = theme.rawValue.utf8.reduce(seeds.next()) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    var random = SeededRandom(seed: own)
    isFine = theme != .dirty && random.chance(20)
    self.random = random
  }

  private mutating func write(name: String) -> RecordedProgram {
    for move in theme.preamble { perform(move) }
    mistakes = random.pick([0, 3, 6, 12])
    let moves = theme.moves
    for _ in 0..<(15 + random.below(40)) where nextRegister < 220 { perform(random.pick(weighted: moves)) }
    return RecordedProgram(name: name, steps: steps)
  }

  // MARK: Moves

  private mutating func perform(_ move: ProgramTheme.Move) {
    switch move {
    case .command(let name): if let row = CommandTable.row(named: name) { command(row) }
    case .op(let name): if let op = SelftestOp.named(name) { self.op(op) }
    case .open:
      guard pools[.context, default: []].count < 2 else { return }
      steps.append(.open(register(in: .context)))
    case .closeFile:
      let pool = random.pick(weighted: [(Pool.queueFile, 4), (.access, 4), (.buffer, 4), (.context, 1)])
      guard let register = pools[pool]?.randomElement(&random) else { return }
      guard pool != .context || pools[.context, default: []].count > 1 else { return }
      steps.append(.close(register))
    case .unmapMemory: unmapMemory()
    case .fillMemory:
      guard let memory = mappings.compactMap({ $0.memory }).randomElement(&random), isThere(memory, 64) else {
        return
      }
      steps.append(.fill(.area(memory), byte: UInt8(random.below(256)), count: 1 + random.below(64)))
    case .memfd:
      steps.append(
        .memfd(register(in: .buffer), length: random.pick([4096, 8192, 65536, 65536, 262_144, 5000])))
    case .readQueue:
      guard let fd = operand(of: .queueFile) else { return }
      steps.append(.fill(.area(Area.events), byte: 0, count: 256))
      let few = random.pick([0, 8, 12, 16, 39, 41])
      let count =
        random.chance(25) ? few : random.pick(theme == .queue ? [12, 12, 24, 200] : [40, 40, 80, 200])
      steps.append(.read(fd: fd, isWrong() ? .constant(16) : .area(Area.events), count: count))
      steps.append(.dump(.area(Area.events), count: 120))
    case .writeQueue:
      guard let fd = operand(of: .queueFile) else { return }
      for index in 0..<UInt64(1 + random.below(3)) {
        steps.append(.put(.area(Area.events + index * 8), width: 4, .constant(UInt64(random.below(5)))))
        let code = random.pick(weighted: [(UInt64(0), 6), (1, 4), (2, 1)])
        steps.append(.put(.area(Area.events + index * 8 + 4), width: 4, .constant(code)))
      }
      steps.append(.write(fd: fd, .area(Area.events), count: random.pick([8, 8, 8, 16, 24, 0, 4, 12])))
    case .pollQueue:
      guard let fd = operand(of: .queueFile) else { return }
      steps.append(.poll(fd: fd))
    case .nest:
      forcesNesting = true
      perform(.command("HWPT_ALLOC"))
      forcesNesting = false
    case .attachNewest:
      attachesNewest = true
      perform(.op("MOCK_DOMAIN_REPLACE"))
      attachesNewest = false
    }
  }

  private mutating func unmapMemory() {
    guard let memory = mappings.compactMap({ $0.memory }).randomElement(&random) else { return }
    let (first, length) = (memory & ~4095, random.pick([UInt64(4096), 8192, 65536]))
    guard first + length <= Area.payload else { return }
    holes.append(first...(first + length - 1))
    steps.append(.unmap(.area(first), length: length))
  }

  func isThere(_ offset: UInt64, _ count: UInt64) -> Bool {
    !holes.contains { $0.overlaps(offset...(offset + max(count, 1) - 1)) }
  }

  // MARK: Registers

  mutating func register(in pool: Pool) -> Int {
    let register = nextRegister
    nextRegister = min(nextRegister + 1, 255)
    pools[pool, default: []].append(register)
    return register
  }

  /// An object of the pool, mostly a young one.
  mutating func operand(of pool: Pool) -> RecordedProgram.Operand? {
    guard let registers = pools[pool], !registers.isEmpty else { return nil }
    let recent = registers.suffix(random.chance(60) ? 2 : registers.count)
    return .register(recent[recent.startIndex + random.below(recent.count)])
  }

  mutating func isWrong() -> Bool { random.chance(mistakes) }
}

/// The parts of the data area.
enum Area {
  /// Memory to be mapped lies below; the kernel reads arrays from here on and writes answers.
  static let payload: UInt64 = 0xE0_0000
  static let buffer: UInt64 = 0xE0_0000
  /// What a guest takes for its memory.
  static let guest: UInt64 = 0xC0_0000
  static let guestLength: UInt64 = 0x10_0000
  static let hwptData: UInt64 = 0xE0_4000
  static let invalidations: UInt64 = 0xE0_5000
  static let bitmap: UInt64 = 0xE0_6000
  static let hwInfo: UInt64 = 0xE0_7000
  static let viommuData: UInt64 = 0xE0_8000
  static let events: UInt64 = 0xE0_9000
  static let ranges: UInt64 = 0xF0_0000
}

extension Array {
  func randomElement(_ random: inout SeededRandom) -> Element? { isEmpty ? nil : random.pick(self) }
}
