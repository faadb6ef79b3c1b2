// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

/// Anything in tables and instructions: no trap, no hang, and only the events there are.
@Suite struct GarbageTests {
  static let pages = 32
  static let dmas: Int = {
    guard let text = getenv("IOFD_HARDWARE_DMAS"), let count = Int(String(cString: text)) else {
      return 120_000
    }
    return count
  }()

  static func word(_ dice: inout Dice) -> UInt64 {
    let page = UInt64(dice.below(pages + 1)) << 12
    switch dice.below(10) {
    case 0: return dice.next()
    case 1: return 0
    case 2: return 0x20
    case 3: return page | 0x400
    case 4: return page | 0x200
    case 5: return page & ~0x3FFF | 3 | UInt64(dice.below(4)) << 2
    case 6: return page & ~0x3FFF | 0x207
    case 7: return page & ~0x3FFF | 7
    case 8: return page & ~0x3FFF | 3 | UInt64(dice.below(4)) << 2 | 1 << UInt64(dice.below(12))
    default: return page
    }
  }

  static func address(_ dice: inout Dice) -> UInt64 {
    switch dice.below(6) {
    case 0: dice.next()
    case 1: 1 << UInt64(dice.below(64))
    case 2: ZPCI.messageAddress + UInt64(dice.below(0x2000))
    case 3: dice.next() >> 22
    default: UInt64(dice.below(32)) << 31 | UInt64(dice.below(8)) << 20 | UInt64(dice.below(64)) << 12 | 0xABC
    }
  }

  static func configuration(_ dice: inout Dice) -> ZPCIIOMMU.Configuration {
    var configuration = ZPCIIOMMU.Configuration()
    configuration.group.designations = dice.one(in: 3) ? UInt8(dice.below(256)) : 0xF0
    configuration.group.refreshes = dice.one(in: 3)
    configuration.group.relaxedTranslation = dice.one(in: 2)
    configuration.strictRegistration = dice.one(in: 4)
    configuration.zeroEntryIsInvalid = dice.one(in: 2)
    configuration.directSubtractsBase = dice.one(in: 2)
    configuration.blockedMayTranslate = dice.one(in: 2)
    configuration.cachesTranslations = dice.one(in: 2)
    configuration.translationsLg2 = dice.below(10)
    configuration.mirrorCapacity = dice.below(1000)
    configuration.refreshSteps = dice.below(5000)
    configuration.eventCapacity = dice.below(100)
    return configuration
  }

  @Test func anything() {
    var dice = Dice(0x390)
    let known = Set(ZPCI.Event.names.map { UInt32($0.code) })
    var done = 0
    var translated = 0
    var seen: [UInt32: Int] = [:]
    while done < Self.dmas {
      let rig = Rig(Self.configuration(&dice), memorySize: UInt64(Self.pages) << 12, lastDMA: dice.next())
      for place in stride(from: 0, to: UInt64(Self.pages) << 12, by: 8) { rig.put(place, Self.word(&dice)) }
      for _ in 0..<2000 {
        done += 1
        switch dice.below(12) {
        case 0:
          let block = ZPCIInformationBlock(
            format: dice.one(in: 20) ? 1 : 0, base: dice.one(in: 3) ? dice.next() : 0,
            limit: dice.one(in: 3) ? dice.next() : .max,
            anchor: dice.one(in: 8)
              ? dice.next() : UInt64(dice.below(Self.pages / 4)) << 14 | 0x800 | UInt64(dice.below(4)) << 2,
            interrupts: UInt32(truncatingIfNeeded: dice.next()), bitVector: dice.next() >> 44,
            summary: dice.next() >> 44)
          let operation = UInt8(dice.one(in: 10) ? dice.below(256) : [4, 5, 6, 6, 2, 3][dice.below(6)])
          _ = rig.iommu.modifyControls(rig.request(operation, dmaas: dice.one(in: 20) ? 1 : 0), block)
        case 1: rig.put(UInt64(dice.below(Self.pages * 512)) * 8, Self.word(&dice))
        case 2 where dice.one(in: 20):
          rig.refresh(Self.address(&dice), dice.one(in: 4) ? dice.next() : UInt64(dice.below(1 << 24)))
        case 3:
          _ = rig.iommu.writeMessage(
            Transaction(source: rig.handle, address: Self.address(&dice)), data: UInt32(dice.below(1 << 16)))
        case 4 where dice.one(in: 200): _ = rig.iommu.facts()
        default: rig.modify(ZPCI.Operation.resetError)
        }
        while dice.one(in: 3), rig.iommu.takeEvent() != nil {}
        let access = Transaction(
          source: dice.one(in: 50) ? UInt32(truncatingIfNeeded: dice.next()) : rig.handle,
          address: Self.address(&dice),
          access: Transaction.Access.allCases[dice.below(3)])
        if dice.one(in: 10) { #expect(rig.iommu.walk(access).steps.count <= 5) }
        switch rig.iommu.translate(access) {
        case .translated(let found):
          translated += 1
          #expect(found.address & 0xFFF == access.address & 0xFFF)
          if access.writes { #expect(found.writable) }
        case .aborted(let abort):
          seen[abort.code, default: 0] += 1
          #expect(abort.code == 0 ? !abort.recorded : known.contains(abort.code))
        case .stalled: Issue.record("nothing stalls here")
        }
      }
    }
    #expect(translated > done / 30)
    for code: UInt32 in [0, 1, 2, 3, 4, 7, 8, 9, 0xB] { #expect(seen[code] != nil, "\(code)") }
    print("zPCI: \(done) DMAs through garbage, \(translated) translated, events \(seen.keys.sorted())")
  }
}
