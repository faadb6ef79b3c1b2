// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Any bits in any structure: no trap, no endless walk, only answers that the manual has.
@Suite struct GarbageTests {
  /// Memory in which structures refer to each other: 32 frames at the bottom.
  private static let frames: UInt64 = 32

  private static func word(_ dice: inout Dice) -> UInt64 {
    let frame = UInt64(dice.below(Int(frames))) << 12
    switch dice.below(8) {
    // A host entry that leads somewhere.
    case 0, 1: return frame | 0x6000_0000_0000_0001 | UInt64(dice.below(8)) << 9
    // A guest entry.
    case 2: return frame | 0x67 | UInt64(dice.below(4)) << 5
    // A device table entry's first word, or its second.
    case 3: return frame | 0x6000_0000_0000_0003 | UInt64(dice.below(8)) << 9 | UInt64(dice.below(16)) << 54
    case 4: return UInt64(dice.below(4)) | UInt64(dice.below(Int(frames))) << 28 | UInt64(dice.below(2)) << 32
    // A few bits of that turned over.
    case 5: return (frame | 0x6000_0000_0000_0001) ^ 1 << UInt64(dice.below(64))
    case 6: return 0
    default: return dice.next()
    }
  }

  /// A device table entry that is mostly right.
  private static func entry(_ dice: inout Dice) -> [UInt64] {
    let root = UInt64(dice.below(Int(frames))) << 12
    var words: [UInt64] = [
      0x6000_0000_0000_0003 | root | UInt64(dice.below(7)) << 9,
      UInt64(dice.below(4)) | UInt64(dice.below(2)) << 32, 1 | UInt64(dice.below(12)) << 1 | root | 2 << 60,
      0,
    ]
    // Guest tables, accessed and dirty bits, page requests, and a bit of noise.
    if dice.below(2) == 0 {
      words[0] |= AMDViDTE.gv | UInt64(dice.below(2)) << 54 | UInt64(dice.below(2)) << 56
      words[0] |= UInt64(dice.below(8)) << 58
      words[1] |= UInt64(dice.below(4)) << 16
      words[2] |= UInt64(dice.below(2)) << 54
    }
    words[0] |= [0, 0, 0x80, 0x180, AMDViDTE.ppr][dice.below(5)]
    if dice.below(8) == 0 { words[dice.below(4)] ^= 1 << UInt64(dice.below(64)) }
    return words
  }

  private static func configuration(_ dice: inout Dice) -> AMDVi.Configuration {
    var configuration = AMDVi.Configuration.nesting
    if dice.below(4) == 0 { configuration.extendedFeatures = dice.next() }
    if dice.below(4) == 0 { configuration.extendedFeatures2 = dice.next() }
    configuration.npCache = dice.below(2) == 0
    configuration.iotlbSupported = dice.below(8) != 0
    configuration.snpEnabled = dice.below(8) == 0
    configuration.accessedOnFault = dice.below(4) == 0
    configuration.nestedFaultsNameGuest = dice.below(4) == 0
    configuration.misalignedLeafIsReserved = dice.below(2) == 0
    configuration.physicalAddressBits = [36, 46, 52, 64, 0, -1][dice.below(6)]
    configuration.logDelay = dice.below(8) == 0 ? 3 : 0
    configuration.cacheCapacityLg2 = dice.below(8)
    configuration.cachePolicy = [.keep, .none, .random(seed: 1)][dice.below(3)]
    configuration.translationInvalid = [.abort, .abortWithEvent, .pass][dice.below(3)]
    configuration.leaf512G = [.works, .rejected, .mistranslated][dice.below(3)]
    return configuration
  }

  private static func address(_ dice: inout Dice) -> UInt64 {
    let random = dice.next()
    switch dice.below(6) {
    case 0: return random
    case 1: return 0xFEE0_0000 | random & 0xF_FFFF
    case 2: return 0xFD_0000_0000 + random & 0x3_FFFF_FFFF
    case 3: return random & 0xFFFF_FFFF
    case 4: return UInt64(bitPattern: Int64(bitPattern: random) >> 17)
    default: return random & 0x3F_FFFF
    }
  }

  private static func transaction(_ dice: inout Dice) -> Transaction {
    let kind: Transaction.Kind =
      switch dice.below(8) {
      case 0: .translationRequest(noWrite: false)
      case 1: .translationRequest(noWrite: true)
      case 2: .translated
      default: .untranslated
      }
    return Transaction(
      source: dice.below(16) == 0 ? UInt32(truncatingIfNeeded: dice.next()) : UInt32(dice.below(256)),
      pasid: dice.below(2) == 0
        ? nil : (dice.below(8) == 0 ? UInt32(truncatingIfNeeded: dice.next()) : UInt32(dice.below(512))),
      address: address(&dice), access: Transaction.Access.allCases[dice.below(3)],
      execute: dice.below(8) == 0, privileged: dice.below(4) == 0, kind: kind,
      data: UInt32(truncatingIfNeeded: dice.next()))
  }

  private static let dmas: Int = getenv("IOFD_HARDWARE_DMAS").flatMap { Int(String(cString: $0)) } ?? 100_000

  @Test func garbage() {
    var dice = Dice(0xA3D)
    var done = 0
    var codes: [UInt32: Int] = [:]
    var translated = 0
    var events = 0
    while done < Self.dmas {
      let configuration = Self.configuration(&dice)
      let memory = PhysicalMemory(size: Self.frames << 12)
      for place in stride(from: UInt64(0), to: Self.frames << 12, by: 8) {
        _ = memory.store64(Self.word(&dice), at: PhysAddr(place))
      }
      let table = UInt64(dice.below(Int(Self.frames) - 4)) << 12
      for device in 0..<256 as Range<UInt64> where dice.below(8) != 0 {
        let words = Self.entry(&dice)
        for (index, word) in words.enumerated() {
          _ = memory.store64(word, at: PhysAddr(table + device * 32 + UInt64(index) * 8))
        }
      }
      let fabric = FakeFabric()
      fabric.answersInvalidations = dice.below(2) == 0
      let hardware = AMDVi(memory: memory, configuration: configuration, fabric: fabric)
      let queue = UInt64(dice.below(16)) << 56
      for (offset, value) in [
        (AMDViRegister.deviceTableBase, table | 1),
        (AMDViRegister.commandBufferBase, UInt64(dice.below(40)) << 12 | queue),
        (AMDViRegister.eventLogBase, UInt64(dice.below(40)) << 12 | 8 << 56),
        (AMDViRegister.pprLogBase, UInt64(dice.below(40)) << 12 | 8 << 56),
        (AMDViRegister.gaLogBase, UInt64(dice.below(40)) << 12 | 8 << 56),
        (AMDViRegister.control, dice.next() | Rig.baseControl),
      ] { hardware.writeRegister(offset, width: 8, value) }
      for _ in 0..<2_000 {
        switch dice.below(40) {
        case 0:
          let register = AMDVi.Register.allCases[dice.below(AMDVi.Register.allCases.count)]
          hardware.writeRegister(register.row.offset, width: 8, dice.next())
          hardware.writeRegister(AMDViRegister.control, width: 8, dice.next() | Rig.baseControl)
          hardware.writeRegister(AMDViRegister.status, width: 8, .max)
          if dice.below(4) != 0 {
            hardware.writeRegister(AMDViRegister.deviceTableBase, width: 8, table | 1)
          }
        case 1:
          let offset = (dice.next() & 0x3FFF) & ~3
          hardware.writeRegister(offset, width: 4, dice.next() & 0xFFFF_FFFF)
          _ = hardware.readRegister(offset, width: 4)
        case 2:
          hardware.writeRegister(AMDViRegister.commandTail, width: 8, UInt64(dice.below(64)) << 4)
        case 3:
          hardware.pageRequest(
            PageRequest(
              source: UInt32(truncatingIfNeeded: dice.next() & 0x1FF), pasid: UInt32(dice.below(64)),
              address: Self.address(&dice), last: dice.below(2) == 0,
              group: UInt16(truncatingIfNeeded: dice.next())))
        case 4:
          _ = memory.store64(Self.word(&dice), at: PhysAddr(dice.next() & ((Self.frames << 12) - 8)))
        case 5: hardware.step()
        default: break
        }
        let transaction = Self.transaction(&dice)
        let explained = dice.below(16) == 0 ? hardware.walk(transaction) : nil
        let answer = hardware.translate(transaction)
        switch answer {
        case .translated: translated += 1
        case .aborted(let abort):
          codes[abort.code, default: 0] += 1
          if ![0, 1, 2, 3, 4, 8].contains(abort.code) {
            Issue.record("code \(abort.code) of \(transaction)")
          }
        case .stalled: Issue.record("nothing stalls here")
        }
        // Without caches the walk for people says the same.
        if let explained, configuration.cachePolicy == .none {
          Self.compare(explained.answer, answer, transaction)
        }
        done += 1
      }
      events += Int(hardware.readRegister(AMDViRegister.eventTail, width: 8) >> 4)
      _ = hardware.facts()
    }
    print(
      "AMD-Vi garbage: \(done) DMAs, \(translated) translated, aborts by code \(codes.sorted { $0 < $1 })")
    // The garbage reaches everything.
    #expect(translated > done / 20)
    for code in [0, 1, 2, 3, 4, 8] as [UInt32] { #expect(codes[code] ?? 0 > 0, "code \(code)") }
    #expect(events > 0)
  }

  private static func compare(_ a: TranslationAnswer, _ b: TranslationAnswer, _ t: Transaction) {
    switch (a, b) {
    case (.translated(let x), .translated(let y)):
      if x.address != y.address || x.sizeLg2 != y.sizeLg2 { Issue.record("\(x) or \(y), of \(t)") }
    case (.aborted(let x), .aborted(let y)):
      if x.code != y.code { Issue.record("\(x) or \(y), of \(t)") }
    default: Issue.record("\(a) or \(b), of \(t)")
    }
  }

  /// Garbage in the command buffer: runs end, and only with the events of commands.
  @Test func garbageCommands() {
    var dice = Dice(0xC0DE)
    var codes: [UInt64: Int] = [:]
    for _ in 0..<200 {
      let rig = Rig()
      for place in 0..<512 as Range<UInt64> {
        var word = dice.next()
        // Mostly commands that exist, with their reserved bits mostly right.
        if dice.below(8) != 0 { word = word & 0x0000_FFFF_0000_FFFF | UInt64(1 + dice.below(8)) << 60 }
        if word >> 60 == 2 || word >> 60 == 5 { word &= 0xF000_0000_0000_FFFF }
        if word >> 60 == 8 { word = 8 << 60 }
        let second = word >> 60 == 3 || word >> 60 == 1 ? dice.next() : 0
        rig.poke((0x8000 + place * 16, word), (0x8008 + place * 16, second))
      }
      rig.fabric.answersInvalidations = false
      rig[AMDViRegister.commandTail] = 0x1FF0
      for _ in 0..<20 {
        rig[AMDViRegister.control] &= ~AMDViControl.cmdBufEn
        rig[AMDViRegister.control] |= AMDViControl.cmdBufEn
        let head = rig[AMDViRegister.commandHead]
        if rig[AMDViRegister.status] & AMDViStatus.cmdBufRun == 0 {
          rig[AMDViRegister.commandHead] = (head + 16) & 0x1FFF
        }
      }
      for event in rig.events() {
        codes[UInt64(event.dropFirst(9).prefix(1), radix: 16) ?? 99, default: 0] += 1
      }
    }
    print("AMD-Vi garbage commands: events by code \(codes.sorted { $0 < $1 })")
    #expect(Set(codes.keys).isSubset(of: [5, 6, 7]))
    #expect(codes.count == 3)
  }

  /// Tables that lead into themselves, at every level and in both formats.
  @Test func cycles() {
    let rig = Rig()
    rig.dte(0x6000_0000_0003_0C03)
    for level in 1...6 as ClosedRange<UInt64> {
      rig.poke([UInt64](0..<512).map { (0x30000 + $0 * 8, 0x6000_0000_0003_0001 | level << 9) })
      rig.command(0, 0x8000_0000)
      #expect(rig.address(.read) == nil)
    }
    rig.guestTables()
    rig.poke([UInt64](0..<512).map { (0x20000 + $0 * 8, 0x20027) })
    rig.command(0, 0x8000_0000)
    #expect(rig.address(.read, pasid: 0x47) == 0x20678)
    rig.nestedTables()
    rig.poke([UInt64](0..<512).map { (0x30000 + $0 * 8, 0x6000_0000_0003_0001 | 2 << 9) })
    rig.command(0, 0x8000_0000)
    #expect(rig.address(.read, pasid: 0x47) == nil)
  }
}
