// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// Makes programs in bytes, and new ones out of old ones, record by record.
///
/// It knows what a program is made of: a record is inserted, dropped, copied, moved, taken from another program; an
/// operand is changed to what it could mean. So a mutant is a program that does something else, and seldom one that does
/// nothing. Everything it does follows from the random numbers it was given.
struct Mutator: Sendable {
  typealias Record = ByteProgram.Record

  private var random: SeededRandom
  private let scene: ByteScene
  private let profile: UInt8
  private let shapes: [ByteShape]
  private let variants: Int
  /// Most records of a program.
  private let longest: Int
  private let operations: [(Int, Int)]

  init(seed: UInt64, scene: ByteScene, profile: UInt8 = 0, longest: Int) {
    random = SeededRandom(seed: seed)
    self.scene = scene
    self.profile = profile
    self.longest = max(1, min(longest, ByteProgram.mostRecords))
    shapes = ByteShape.all
    variants = ByteScene.variants(scene.family).count
    let isMock = scene.family == .mock
    operations = shapes.enumerated().map { ($0, Self.weight($1.name, isMock)) }
  }

  /// How often an operation is put into a program; one that makes a whole file or process, or gives up, less so.
  private static func weight(_ name: String, _ isMock: Bool) -> Int {
    switch name {
    case "dma-read", "dma-write", "translation-request", "page-request", "answer-fault", "guest-table":
      return isMock ? 1 : 8
    case "open-device", "interrupt", "plug", "unplug", "cut", "grow", "finished": return isMock ? 1 : 4
    case "IOAS_MAP", "IOAS_UNMAP": return 10
    case "arm-failure": return 6
    case "open", "fork", "raw", "VFIO_SET_IOMMU", "VFIO_GET_API_VERSION", "VFIO_CHECK_EXTENSION",
      "IOAS_NOIOMMU_GET_PA", "memlock-limit", "capability":
      return 1
    default:
      if name.hasPrefix("TEST.") { return isMock ? 4 : 1 }
      if name.hasPrefix("VFIO_DEVICE") || name.hasSuffix(".guest") { return isMock ? 1 : 8 }
      return 4
    }
  }

  // MARK: Programs

  /// Programs to begin with: each operation on its own, which makes what it needs; then some at random.
  mutating func seeds(random count: Int) -> [ByteProgram] {
    let single = shapes.indices.map { program([Record(operation: $0)]) }
    return single + (0..<count).map { _ in fresh() }
  }

  /// A program at random.
  mutating func fresh() -> ByteProgram {
    program((0..<1 + random.below(min(16, longest))).map { _ in record() })
  }

  private mutating func program(_ records: [Record]) -> ByteProgram {
    // Mostly the hardware that was asked for, now and then another variant of it.
    let variant = scene.variant == 0 && random.chance(30) ? random.below(variants) : scene.variant
    return ByteProgram(
      profile: profile, flags: ByteScene(scene.family, variant: variant).flags,
      records: records)
  }

  /// A changed copy of `program`; `other` is where pieces may come from.
  mutating func mutate(_ program: ByteProgram, _ other: ByteProgram) -> ByteProgram {
    var records = program.records
    let rounds = 1 << random.below(4)
    for _ in 0..<rounds { change(&records, other.records) }
    if records.isEmpty { records = [record()] }
    if records.count > longest { records.removeLast(records.count - longest) }
    var flags = program.scene.flags
    if scene.variant == 0, random.chance(3) {
      flags = ByteScene(scene.family, variant: random.below(variants)).flags
    }
    return ByteProgram(profile: program.profile, flags: flags, records: records)
  }

  private enum Change: CaseIterable {
    case operand, insert, insertFailure, delete, duplicate, swap, move, splice, crossOver, copyOperand, flip
  }
  private static let changes: [(Change, Int)] = [
    (.operand, 30), (.insert, 20), (.insertFailure, 3), (.delete, 10), (.duplicate, 6), (.swap, 5),
    (.move, 5),
    (.splice, 10), (.crossOver, 3), (.copyOperand, 4), (.flip, 4),
  ]

  private mutating func change(_ records: inout [Record], _ other: [Record]) {
    let count = records.count
    guard count > 0 else {
      records.append(record())
      return
    }
    let at = random.below(count)
    switch random.pick(weighted: Self.changes) {
    case .operand: records[at] = changed(records[at])
    case .insert: records.insert(record(), at: random.below(count + 1))
    case .insertFailure:
      guard let arm = shapes.firstIndex(where: { $0.name == "arm-failure" }) else { return }
      records.insert(Record(operation: arm, a: UInt8(random.below(1 << random.below(7)))), at: at)
    case .delete:
      let end = min(count, at + 1 + (random.chance(70) ? 0 : random.below(8)))
      if end - at < count { records.removeSubrange(at..<end) }
    case .duplicate:
      let end = min(count, at + 1 + random.below(4))
      let times = random.chance(80) ? 1 : 1 + random.below(8)
      for _ in 0..<times { records.insert(contentsOf: records[at..<end], at: end) }
    case .swap: records.swapAt(at, random.below(count))
    case .move:
      let moved = records.remove(at: at)
      records.insert(moved, at: random.below(count))
    case .splice:
      guard !other.isEmpty else { return }
      let first = random.below(other.count)
      let piece = other[first..<min(other.count, first + 1 + random.below(8))]
      records.insert(contentsOf: piece, at: random.below(count + 1))
    case .crossOver:
      guard !other.isEmpty else { return }
      records = Array(records[...at]) + other[random.below(other.count)...]
    case .copyOperand:
      let from = records[random.below(count)]
      switch random.below(4) {
      case 0: records[at].a = from.a
      case 1: records[at].b = from.b
      case 2: records[at].x = from.x
      default: records[at].y = from.y
      }
    case .flip: flip(&records[at])
    }
  }

  // MARK: Records

  /// A record that mostly does what its operation is for.
  private mutating func record() -> Record {
    let operation = random.pick(weighted: operations)
    var record = Record(operation: operation)
    let shape = shapes[operation]
    if random.chance(30) { return record }
    if random.chance(10) { return wild(operation) }
    if shape.usesA, random.chance(40) { record.a = choice() }
    if shape.usesB, random.chance(shape.isPlace ? 60 : 40) { record.b = shape.isPlace ? byte() : choice() }
    if shape.usesFlags, random.chance(30) { record.flags = UInt8(random.below(32)) }
    if random.chance(5) { record.flags |= UInt8(random.below(8) << 5) }
    record.x = random.chance(50) ? 0 : number32(shape.x)
    record.y = random.chance(50) ? 0 : number64(shape.y)
    return record
  }

  /// A record of any numbers, which mostly is a mistake.
  private mutating func wild(_ operation: Int) -> Record {
    Record(
      operation: operation, a: byte(), b: byte(), flags: byte(), x: number32(.number), y: number64(.number))
  }

  private mutating func changed(_ record: Record) -> Record {
    var record = record
    let shape = shapes[record.operation]
    switch random.below(8) {
    case 0 where shape.usesA: record.a = choice()
    case 1 where shape.usesB: record.b = shape.isPlace ? byte() : choice()
    case 2 where shape.usesFlags: record.flags ^= 1 << UInt8(random.below(5))
    case 3: record.flags ^= 1 << UInt8(5 + random.below(3))
    case 4 where shape.x != .nothing: record.x = number32(shape.x)
    case 5 where shape.y != .nothing: record.y = number64(shape.y)
    case 6: record.operation = random.pick(weighted: operations)
    default:
      if shape.y != .nothing, random.chance(50) {
        record.y = number64(shape.y)
      } else if shape.x != .nothing {
        record.x = number32(shape.x)
      } else {
        record.a = choice()
      }
    }
    return record
  }

  private mutating func flip(_ record: inout Record) {
    let bit = random.below(120)
    switch bit {
    case 0..<8: record.a ^= 1 << UInt8(bit)
    case 8..<16: record.b ^= 1 << UInt8(bit - 8)
    case 16..<24: record.flags ^= 1 << UInt8(bit - 16)
    case 24..<56: record.x ^= 1 << UInt32(bit - 24)
    default: record.y ^= 1 << UInt64(bit - 56)
    }
  }

  // MARK: Operands

  private mutating func byte() -> UInt8 { UInt8(random.below(256)) }

  /// Which object: nearly always one of the newest, sometimes an ID that nobody gave.
  private mutating func choice() -> UInt8 {
    switch random.below(20) {
    case 0..<8: 0
    case 8..<14: UInt8(1 + random.below(2))
    case 14..<18: UInt8(random.below(16))
    case 18: 0xE0 + UInt8(random.below(32))
    default: byte()
    }
  }

  private static let edges: [UInt64] = [
    0, 1, 2, 4, 7, 8, 16, 31, 32, 63, 64, 127, 128, 255, 256, 0x7FF, 0x800, 0xFFF, 0x1000, 0x1001, 0x2000,
    0xFFFF,
    0x1_0000, 0xF_FFFF, 0x10_0000, 0x1F_FFFF, 0x20_0000, 0x20_1000, 0xFFFF_F000, 0xFFFF_FFFF, 0x1_0000_0000,
    0x7FFF_FFFF, 0x8000_0000, 0xFEE0_0000, 0x800_0000, 0x7F_FFFF_FFFF, 0xFFFF_FFFF_F000, 0x1_0000_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, .max,
  ]

  private mutating func edge() -> UInt64 {
    let value = Self.edges[random.below(Self.edges.count)]
    return random.chance(20) ? value &+ UInt64(random.below(3)) &- 1 : value
  }

  private mutating func number32(_ meaning: ByteShape.Number) -> UInt32 {
    switch meaning {
    case .length:
      random.chance(80) ? UInt32(random.below(16)) : UInt32(truncatingIfNeeded: edge())
    case .nothing, .address, .number:
      random.chance(40) ? UInt32(random.below(16)) : UInt32(truncatingIfNeeded: edge())
    }
  }

  private mutating func number64(_ meaning: ByteShape.Number) -> UInt64 {
    guard meaning == .address else { return random.chance(30) ? UInt64(random.below(16)) : edge() }
    let pages = UInt64(random.below(1 << random.below(10))) << 12
    switch random.below(20) {
    // A page of the newest mappings; at 0, of fresh space.
    case 0..<8: return UInt64(random.below(3)) << 56 | pages
    case 8..<12: return UInt64(1 + random.below(4)) << 56 | pages | UInt64(random.below(4)) << 10
    case 12..<16: return pages
    case 16: return edge() & 0xFF_FFFF_FFFF_FFFF
    case 17: return 0x80 << 56 | edge() & 0xFF_FFFF_FFFF_FFFF
    // A guest's pages.
    case 18: return 0x80 << 56 | 0x4000 &+ pages
    default: return edge()
    }
  }
}
