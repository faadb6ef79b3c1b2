// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

// Random bits in every register, structure, table and queue. Nothing may trap or go on for ever, and every fault
// must be one of the manual's, for a state in which it can be.

@Suite struct GarbageTests {
  /// DMAs in all, over all seeds.
  static var requests: Int {
    getenv("IOFD_HARDWARE_DMAS").flatMap { Int(String(cString: $0)) } ?? 120_000
  }
  static let seeds: [UInt64] = Array(0..<12)
  /// 2 MiB: most random addresses lie outside.
  static let frames: UInt64 = 512

  /// What a fault needs: legacy or scalable mode.
  static let legacyCodes = Set<UInt32>(Array(0x01...0x0E) + [0x30, 0x31, 0x32])
  static let scalableCodes = Set<UInt32>([
    0x30, 0x38, 0x39, 0x3A, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x50, 0x51, 0x52, 0x58,
    0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x7B,
    0x7C, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x90, 0x91,
  ])
  static let interruptCodes = Set<UInt32>(0x20...0x26)

  private static let lows: [UInt64] = [
    1, 3, 7, 0x27, 0x67, 0x83, 0xE7, 0x89, 0x49, 0xC9, 0x109, 0x2C9, 0x401, 0x1D,
  ]

  /// A word that is likely to lead on: present, a pointer into memory, few other bits.
  private static func word(_ dice: inout Dice) -> UInt64 {
    switch dice.below(8) {
    case 0: return dice.next()
    case 1: return 0
    case 2: return dice.next() & dice.next() & dice.next()
    default:
      let pointer = dice.below(frames) << 12
      let low = dice.one(of: lows)
      return pointer | low | (dice.chance(10) ? 1 << dice.below(64) : 0)
    }
  }

  private static func configuration(_ dice: inout Dice) -> VTdConfiguration {
    var configuration = VTdConfiguration(profile: dice.one(of: VTd.Profile.all))
    if dice.chance(60) { configuration = Rig.configuration }
    if dice.chance(20) {
      // Keep the registers apart; the features may be anything.
      configuration.ecap ^= dice.next() & dice.next() & ~VTd.ECap.iro.mask
      configuration.cap ^= dice.next() & dice.next() & ~(VTd.Cap.fro.mask | VTd.Cap.nfr.mask)
    }
    if dice.chance(5) {
      configuration.cap = dice.next()
      configuration.ecap = dice.next()
    }
    if dice.chance(10) { configuration.hostAddressWidth = dice.below(70) }
    configuration.cachePolicy = dice.one(of: [
      .none, .direct(capacityLg2: 3), .infinite, .random(seed: dice.next()),
    ])
    var quirks = VTdQuirks()
    for switches: WritableKeyPath<VTdQuirks, Bool> in [
      \.legacySecondStageCodes, \.splitsSecondStageFaults, \.snoopReservedInTables, \.executeMakesPresent,
      \.setsAccessedOnFault, \.faultsOnUnsnoopedUpdate, \.atomicsUnsupported, \.errata772415,
      \.negativeCacheSticky, \.cachesPermissionFaults, \.pasidInvalidationReachesPassThrough,
      \.checksPASIDInvalidationMask, \.answersOverflowingRequests, \.recordsTranslationRequestFaults,
      \.collapsesFaults, \.namesTimedOutDevice, \.dropsCachesOnEnable,
    ] where dice.chance(10) { quirks[keyPath: switches].toggle() }
    configuration.quirks = quirks
    // Some units have no paging-structure caches.
    if case .direct = configuration.cachePolicy { configuration.cachesTables = false }
    return configuration
  }

  /// Structures and tables that lead on, with a wrong word here and there. Every table entry serves both stages,
  /// and points to another table.
  private static func plausible(_ rig: Rig, legacy: Bool, _ dice: inout Dice) {
    let damage = dice.one(of: [0, 1, 3, 10])
    func set(_ address: UInt64, _ value: UInt64) {
      switch dice.chance(damage) ? dice.below(4) : 9 {
      case 0: rig[address] = dice.next()
      case 1: rig[address] = word(&dice)
      case 2, 3: rig[address] = value ^ 1 << dice.below(64)
      default: rig[address] = value
      }
    }
    func frame(_ range: Range<UInt64>) -> UInt64 {
      (range.lowerBound + dice.below(range.upperBound - range.lowerBound)) << 12
    }
    for bus: UInt64 in 0..<4 {
      set(0x1000 + 16 * bus, frame(2..<6) | 1)
      set(0x1008 + 16 * bus, legacy ? 0 : frame(2..<6) | 1)
    }
    for at in stride(from: 0x2000 as UInt64, to: 0x6000, by: 32) {
      if legacy {
        for half: UInt64 in [0, 16] {
          set(at + half, frame(16..<80) | dice.one(of: [1, 5, 5, 9]))
          set(at + half + 8, 0x102 + dice.below(4) << 8)
        }
      } else {
        set(at, frame(6..<10) | dice.one(of: [0x1D, 0x1D, 0x1D, 0x19, 0x0D, 1, 0x1F]))
        set(at + 8, dice.chance(80) ? 0 : dice.below(64))
        set(at + 16, 0)
        set(at + 24, 0)
      }
    }
    for at in stride(from: 0x6000 as UInt64, to: 0xA000, by: 8) { rig[at] = frame(10..<14) | 1 }
    for at in stride(from: 0xA000 as UInt64, to: 0xE000, by: 64) {
      set(at, frame(16..<80) | dice.one(of: [0x49, 0x89, 0xC9, 0x2C9, 0x289, 0x109, 0x8D]))
      set(at + 8, dice.one(of: [0x80_0000, 0x80_0000, 0]) | dice.below(4))
      set(at + 16, frame(16..<80) | dice.one(of: [0, 0, 1, 0x11, 0x20, 0x80, 4]))
      for word: UInt64 in 3..<8 { rig[at + 8 * word] = 0 }
    }
    for at in stride(from: 0x1_0000 as UInt64, to: 0x5_0000, by: 8) {
      set(at, frame(16..<80) | dice.one(of: [0x67, 0x67, 0x67, 0x67, 0x27, 0x65, 7]))
    }
  }

  private static func poke(_ rig: Rig, _ dice: inout Dice) {
    switch dice.below(6) {
    case 0:
      let offset = dice.below(0x100 as UInt64) << 2
      rig.write(offset, dice.next(), width: offset & 4 == 0 && dice.chance(50) ? 8 : 4)
    case 1:
      rig.command(1 << (23 + dice.below(9)), off: dice.chance(30))
    case 2:
      let at = dice.below(frames << 9) << 3
      rig[at] = word(&dice)
    case 3:
      rig.write(VTd.Register.iqa, dice.below(frames) << 12 | dice.below(8) | dice.below(2) << 11, width: 8)
      rig.write(VTd.Register.iqt, dice.below(256) << 4, width: 8)
      rig.write(VTd.Register.fsts, 0x70)
    case 4:
      rig.clearFaults()
      rig.write(VTd.Register.prs, 3)
    default:
      rig.write(VTd.Register.pqa, dice.below(frames) << 12 | dice.below(8), width: 8)
      rig.write(VTd.Register.rtaddr, dice.one(of: [0x1000, 0x1400, 0x1400, 0x1800, 0x1C00]), width: 8)
      rig.command(VTd.GlobalCommand.srtp)
      rig.command(VTd.GlobalCommand.te)
    }
  }

  @Test(arguments: seeds) func anything(seed: UInt64) {
    var dice = Dice(seed)
    var tally = Tally()
    let rounds = max(1, Self.requests / Self.seeds.count / 2000)
    for _ in 0..<rounds {
      let rig = Rig(Self.configuration(&dice), memory: Self.frames << 12)
      let legacy = dice.chance(25)
      if dice.chance(80) {
        Self.plausible(rig, legacy: legacy, &dice)
      } else {
        for _ in 0..<20_000 { rig[dice.below(Self.frames << 9) << 3] = Self.word(&dice) }
      }
      rig.fabric.silent = dice.chance(20) ? [0, 1] : []
      rig.write(VTd.Register.rtaddr, legacy ? 0x1000 : 0x1400, width: 8)
      rig.command(VTd.GlobalCommand.srtp)
      rig.command(VTd.GlobalCommand.te)
      for _ in 0..<2000 {
        if dice.chance(1) { Self.poke(rig, &dice) }
        if dice.chance(3) {
          rig.unit.pageRequest(
            PageRequest(
              source: UInt32(dice.below(0x400)), pasid: dice.chance(50) ? UInt32(dice.below(64)) : nil,
              address: dice.next(), read: dice.chance(50), last: dice.chance(50), group: 3))
        }
        Self.request(rig, &dice, &tally)
      }
      // The queues of a unit that has seen all this are still finite.
      rig.unit.runInvalidationQueue()
      _ = rig.unit.facts()
    }
    // It was worth it: walks got through, and failed in many ways.
    #expect(tally.translated > 40)
    #expect(tally.codes.count > 18)
  }

  /// What became of the requests while translation was on.
  private struct Tally {
    var translated = 0
    var codes: Set<UInt32> = []
  }

  private static func request(_ rig: Rig, _ dice: inout Dice, _ tally: inout Tally) {
    let kinds: [Transaction.Kind] = [
      .untranslated, .untranslated, .untranslated, .untranslated, .translationRequest(noWrite: false),
      .translationRequest(noWrite: true), .translated,
    ]
    let transaction = Transaction(
      source: dice.chance(90) ? UInt32(dice.below(0x400)) : UInt32(truncatingIfNeeded: dice.next()),
      pasid: dice.chance(30) ? (dice.chance(90) ? UInt32(dice.below(64)) : .max) : nil,
      address: dice.chance(80) ? dice.below(frames << 15) : dice.next(),
      access: dice.one(of: Transaction.Access.allCases), execute: dice.chance(5), privileged: dice.chance(5),
      kind: dice.one(of: kinds))
    let translating = rig.read(VTd.Register.gsts) >> 31 != 0
    if dice.chance(2) { _ = rig.unit.walk(transaction) }
    let answer = rig.unit.translate(transaction, data: UInt32(truncatingIfNeeded: dice.next()))
    switch answer {
    case .translated(let found):
      if translating, transaction.kind == .untranslated, found.interrupt == nil {
        tally.translated += 1
        if transaction.writes { #expect(found.writable) }
        if transaction.reads { #expect(found.readable) }
        #expect(found.address & 0xFFF == transaction.address & 0xFFF)
        #expect(found.address >> 20 != 0xFEE)
      }
    case .aborted(let abort):
      guard abort.code != 0 else { break }
      tally.codes.insert(abort.code)
      let mode = rig.unit.translator.mode
      let allowed = mode == VTd.TranslationTableMode.legacy ? legacyCodes : scalableCodes
      let legacyToo =
        rig.unit.configuration.quirks.legacySecondStageCodes && [4, 5, 6, 0xC].contains(abort.code)
      #expect(
        allowed.contains(abort.code) || interruptCodes.contains(abort.code) || legacyToo
          || abort.code == 0x30,
        "\(hex(UInt64(abort.code))) in \(mode) mode")
    case .stalled: Issue.record("VT-d holds no transactions")
    }
  }
}
