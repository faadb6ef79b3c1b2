// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Random bits in every register, table and queue: no trap, no hang, and only events of the manual.
///
/// 100,000 DMAs; as many as IOFD_HARDWARE_DMAS says where it is set.
@Suite struct GarbageTests {
  static let perSeed = 2_000
  static let known = Set([UInt32(0)] + SMMU.Event.names.map { UInt32($0.code) })

  private func configuration(_ dice: inout Dice) -> SMMUv3.Configuration {
    var configuration = dice.below(4) == 0 ? SMMUv3.Configuration.plain : .tegra241
    if dice.below(3) == 0 {
      configuration.idr0 = UInt32(truncatingIfNeeded: dice.next())
      configuration.idr1 = UInt32(truncatingIfNeeded: dice.next())
      configuration.idr3 = UInt32(truncatingIfNeeded: dice.next())
      configuration.idr5 = UInt32(truncatingIfNeeded: dice.next())
    }
    configuration.strictStartLevel = dice.below(2) == 0
    configuration.cachesInvalidConfiguration = dice.below(3) == 0
    configuration.needsRepeatedInvalidations = dice.below(5) == 0
    configuration.overInvalidates = dice.below(5) == 0
    configuration.honorsTTL = dice.below(2) == 0
    configuration.mergesEvents = dice.below(2) == 0
    configuration.usesContiguousHint = dice.below(2) == 0
    configuration.reportsConflicts = dice.below(4) == 0
    configuration.supportsAtomics = dice.below(5) != 0
    configuration.page0Only = dice.below(5) == 0
    configuration.walkCache = dice.below(4) != 0
    configuration.completesInvalidationsAtSync = dice.below(3) == 0
    configuration.translationCacheLg2 = dice.below(7)
    configuration.walkCacheLg2 = dice.below(5)
    configuration.configurationCacheSize = dice.below(20)
    return configuration
  }

  /// An address that often means something: 1 MiB of memory, with structures on a few pages.
  private func place(_ dice: inout Dice) -> UInt64 {
    switch dice.below(8) {
    case 0: dice.next()
    case 1: dice.next() & 0x000F_FFFF_FFFF_FFFF
    default: UInt64(dice.below(64)) << 12
    }
  }

  /// A word that is often a valid STE, CD, descriptor or command.
  private func word(_ dice: inout Dice) -> UInt64 {
    let place = place(&dice)
    return switch dice.below(14) {
    case 0: dice.next()
    case 1: place | 0xF47
    case 2: place | 0x7FF
    case 3, 4: place | 3
    case 5: place | UInt64(dice.below(4)) << 1 | 9
    case 6:
      Rig.cdWord(t0sz: UInt64(dice.below(40)), tg0: UInt64(dice.below(3)), extra: dice.next() & 0x1FFF << 32)
    case 7: Rig.stage2Word ^ 1 << UInt64(dice.below(64))
    case 8: place | 0xF45 | 1 << UInt64(dice.below(64))
    case 9:
      UInt64(
        dice.one(of: [
          1, 3, 4, 5, 6, 0x10, 0x11, 0x12, 0x13, 0x20, 0x22, 0x28, 0x2A, 0x30, 0x40, 0x41, 0x44, 0x45, 0x46,
        ]))
        | dice.next() & ~0xFF
    case 10: place | UInt64(dice.below(12))
    case 11: place | 0x80_0000_0000_0000 * UInt64(dice.below(16))
    case 12: UInt64(dice.below(5)) << 59 | place | 0xB
    default: 0
    }
  }

  /// Structures that are right, but for what is flipped: stream table, CDs, tables that lead to each other,
  /// queues of commands.
  private func structures(_ smmu: SMMUv3, _ memory: PhysicalMemory, _ dice: inout Dice) {
    let put = { (address: UInt64, value: UInt64) in _ = memory.store64(value, at: PhysAddr(address)) }
    for stream in UInt64(0)..<64 {
      let config = UInt64(dice.one(of: [0, 4, 5, 5, 5, 6, 6, 7, 7]))
      let pointer = UInt64(2 + dice.below(14)) << 12
      let maximum: UInt64 = dice.below(3) == 0 ? 4 << 59 : 0
      put(0x1000 + stream << 6, pointer | config << 1 | 1 | maximum)
      let eats: UInt64 = dice.below(4) == 0 ? 1 << 28 : 0
      put(0x1008 + stream << 6, eats | UInt64(dice.below(3)))
      // 48 bits from level 0, or 40 from level 1 with two tables side by side.
      let shape: UInt64 = dice.below(2) == 0 ? 16 << 32 | 2 << 38 : 24 << 32 | 1 << 38
      put(0x1010 + stream << 6, UInt64(dice.below(4)) | shape | 0x040D_3500_0000_0000 & ~(0xFF << 32))
      put(0x1018 + stream << 6, UInt64(16 + dice.below(48)) << 12)
    }
    for descriptor in UInt64(0)..<14 << 6 {
      let place = 0x2000 + descriptor << 6
      let extra: UInt64 = dice.one(of: [0, 0x0C00_0000_0000, 0x1000_0000_0000, 0x0800_0000_0000])
      put(place, Rig.cdWord(t0sz: dice.one(of: [16, 16, 25]), asid: UInt64(dice.below(4)), extra: extra))
      put(place + 8, UInt64(16 + dice.below(48)) << 12)
    }
    for index in UInt64(0)..<48 << 9 {
      let page = UInt64(dice.below(16) == 0 ? dice.below(1 << 20) : 16 + dice.below(48)) << 12
      let leaf: UInt64 = dice.one(of: [
        0xF47, 0xFC7, 0xB47, 0x747, 0x7FF, 0x0008_0000_0000_0FC7, 0x0010_0000_0000_0F47, 0x3C7,
      ])
      put(0x1_0000 + index << 3, dice.below(8) == 0 ? 0 : dice.below(4) == 0 ? page | leaf & ~2 : page | leaf)
    }
    for index in UInt64(0)..<512 { put(0x4_0000 + index << 3, word(&dice)) }
    for _ in 0..<dice.below(60) {
      let address = UInt64(dice.below(1 << 15)) << 3
      put(address, (memory.load64(at: PhysAddr(address)) ?? 0) ^ 1 << UInt64(dice.below(64)))
    }
    smmu.writeRegister(0x20, width: 4, 0)
    smmu.writeRegister(0x80, width: 8, 0x1000)
    smmu.writeRegister(0x88, width: 4, 6)
    smmu.writeRegister(0x90, width: 8, 0x4_0005)
    smmu.writeRegister(0xA0, width: 8, 0x5_0005)
    smmu.writeRegister(0xC0, width: 8, 0x6_0004)
    smmu.writeRegister(0x2C, width: 4, 2)
  }

  private static let offsets: [UInt64] = [
    0x20, 0x20, 0x20, 0x28, 0x2C, 0x44, 0x50, 0x64, 0x64, 0x68, 0x70, 0x74, 0x80, 0x84, 0x88, 0x90, 0x94,
    0x98,
    0x98, 0x98, 0x9C, 0xA0, 0xA4, 0xB0, 0xB4, 0xB8, 0xBC, 0xC0, 0xC4, 0xD0, 0xD4, 0xD8, 0xDC, 0x100A8,
    0x100AC,
    0x100AC, 0x100C8, 0x100CC, 0xA8, 0xAC, 0xC8, 0xCC, 0x20_0000, 0x20_001C, 0x20_0200, 0x20_0204, 0x20_1000,
    0x20_1040, 0x20_1080, 0x21_0000, 0x21_0004, 0x21_0008, 0x21_0014, 0x21_0084, 0x21_0088, 0x22_0000,
    0x22_0004, 0x22_0080, 0x23_0004, 0x23_0008, 0x24_0000,
  ]

  private func value(_ offset: UInt64, _ dice: inout Dice) -> UInt64 {
    switch offset {
    case 0x20: dice.below(4) == 0 ? dice.next() : 0x1F | UInt64(dice.below(5)) << 6
    case 0x88: dice.below(3) == 0 ? dice.next() : 0x10210 ^ UInt64(dice.below(2)) << 16
    case 0x80, 0x90, 0xA0, 0xC0, 0x22_0000: place(&dice) | UInt64(dice.below(32))
    case 0x64: dice.below(2) == 0 ? dice.next() : 0x1FF
    default: dice.below(2) == 0 ? dice.next() : UInt64(dice.below(16))
    }
  }

  @Test func nothingTraps() {
    let total = environment("IOFD_HARDWARE_DMAS") ?? 100_000
    var codes: [UInt32: Int] = [:]
    var seed: UInt64 = 0
    var done = 0
    while done < total {
      seed += 1
      var dice = Dice(seed)
      let memory = PhysicalMemory(size: 1 << 20)
      let smmu = SMMUv3(configuration(&dice), memory: memory)
      let fabric = Fabric()
      smmu.fabric = fabric
      for address in stride(from: UInt64(0), to: 1 << 18, by: 8) where dice.below(2) == 0 {
        _ = memory.store64(word(&dice), at: PhysAddr(address))
      }
      for offset in Self.offsets { smmu.writeRegister(offset, width: 4, value(offset, &dice)) }
      if seed & 3 != 0 { structures(smmu, memory, &dice) }
      smmu.writeRegister(0x20, width: 4, 0x1F)
      for _ in 0..<Self.perSeed {
        step(smmu, memory, fabric, &dice)
        count(smmu.translate(transaction(&dice)), &codes)
        done += 1
      }
      if dice.below(8) == 0 { _ = smmu.facts() }
    }
    #expect(Set(codes.keys).isSubset(of: Self.known.union([.max, .max - 1])))
    let reached = Set(codes.keys).subtracting([0, .max, .max - 1])
    print("SMMUv3: \(done) DMAs into garbage, \(reached.count) of \(Self.known.count - 1) events")
    // Garbage that is worth the name reaches nearly all of them.
    #expect(reached.count >= 15)
    #expect(codes[.max, default: 0] > done / 50, "and some are translated")
  }

  /// The report's walk is the general one without caches; the device's takes shortcuts. With cold caches both
  /// must say the same of the same tables.
  @Test func reportsAgree() {
    var compared = 0
    for seed in UInt64(1)...20 {
      var dice = Dice(seed &* 7919)
      let memory = PhysicalMemory(size: 1 << 20)
      let smmu = SMMUv3(memory: memory)
      structures(smmu, memory, &dice)
      smmu.writeRegister(0x20, width: 4, 0x15)
      for _ in 0..<500 {
        for opcode in [UInt64(0x04), 0x30, 0x20] { _ = smmu.execute(.init(word0: opcode, word1: 0x1F)) }
        let transaction = transaction(&dice)
        let report = smmu.walk(transaction).answer
        let answer = smmu.translate(transaction)
        // The report does not stall.
        guard answer.tag == nil else { continue }
        #expect(answer == report, "\(seed): \(transaction)")
        compared += 1
      }
    }
    #expect(compared > 5_000)
  }

  private func count(_ answer: TranslationAnswer, _ codes: inout [UInt32: Int]) {
    switch answer {
    case .aborted(let abort): codes[abort.code, default: 0] += 1
    case .translated: codes[.max, default: 0] += 1
    case .stalled: codes[.max - 1, default: 0] += 1
    }
  }

  private func transaction(_ dice: inout Dice) -> Transaction {
    let kinds: [Transaction.Kind] = [
      .untranslated, .untranslated, .untranslated, .translationRequest(noWrite: true),
      .translationRequest(noWrite: false), .translated,
    ]
    let address: UInt64 =
      switch dice.below(6) {
      case 0: dice.next()
      case 1, 2: dice.next() & 0xFF_FFFF_FFFF
      case 3: UInt64(bitPattern: -Int64(dice.below(1 << 22)))
      default:
        UInt64(dice.below(64)) << UInt64(dice.one(of: [12, 12, 21, 30, 39])) | UInt64(dice.below(4096))
      }
    return Transaction(
      source: dice.below(10) == 0 ? UInt32(truncatingIfNeeded: dice.next()) : UInt32(dice.below(64)),
      pasid: dice.below(4) == 0 ? UInt32(truncatingIfNeeded: dice.next()) >> UInt32(dice.below(32)) : nil,
      address: address, access: dice.one(of: Transaction.Access.allCases), execute: dice.below(4) == 0,
      privileged: dice.below(2) == 0, kind: dice.one(of: kinds))
  }

  /// Something happens: a register, a word of memory, a page request, a look.
  private func step(_ smmu: SMMUv3, _ memory: PhysicalMemory, _ fabric: Fabric, _ dice: inout Dice) {
    switch dice.below(24) {
    case 0 where dice.below(4) == 0:
      let offset = dice.one(of: Self.offsets)
      smmu.writeRegister(offset, width: dice.below(4) == 0 ? 8 : 4, value(offset, &dice))
      if dice.below(2) == 0 { smmu.writeRegister(0x20, width: 4, 0x1F) }
    case 1: _ = memory.store64(word(&dice), at: PhysAddr(UInt64(dice.below(1 << 15)) << 3))
    case 3:
      smmu.pageRequest(
        PageRequest(
          source: UInt32(dice.below(64)), pasid: dice.below(2) == 0 ? UInt32(dice.below(64)) : nil,
          address: dice.next() & ~0xFFF, last: dice.below(2) == 0))
    case 4:
      let transaction = transaction(&dice)
      let report = smmu.walk(transaction)
      #expect(report.steps.count < 64)
    case 5: fabric.devicesAnswer = dice.below(3) != 0
    case 6: _ = smmu.execute(.init(word0: word(&dice), word1: word(&dice)))
    case 7: smmu.broadcast(word(&dice), word(&dice))
    case 8: _ = smmu.readRegister(UInt64(dice.below(0x30_0000)) & ~3, width: 4)
    default: break
    }
    if dice.below(20) == 0 { smmu.writeRegister(0x64, width: 4, smmu.readRegister(0x60, width: 4)) }
    if fabric.invalidations.count > 10_000 { fabric.invalidations.removeAll() }
  }
}
