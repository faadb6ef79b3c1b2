// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

/// Anything in registers, tables and queues: no trap, no hang, and only the codes there are.
@Suite struct GarbageTests {
  static let pages: UInt64 = 20
  static let dmas: Int = {
    guard let text = getenv("IOFD_HARDWARE_DMAS"), let count = Int(String(cString: text)) else {
      return 120_000
    }
    return count
  }()
  static let codes = Set(RISCV.Cause.all.map(\.code))

  /// A word that often looks like something: an entry, a context's field, a command.
  static func word(_ dice: inout Dice) -> UInt64 {
    let page = UInt64(dice.below(Int(pages) + 2))
    let mode = [0, 1, 2, 3, 8, 9, 10, 15][dice.below(8)]
    switch dice.below(12) {
    case 0: return dice.next()
    case 1: return 0
    case 2: return page << 10 | 1
    case 3: return page << 10 | 0xD7 | UInt64(dice.below(16)) << 60
    case 4: return page << 10 | UInt64(dice.below(256))
    case 5: return UInt64(mode) << 60 | page & ~3 | UInt64(dice.below(2)) << 44
    case 6: return UInt64(dice.below(4096))
    case 7: return [1, 3, 7, 0x21, 0x221, 0x181, 0xB, 0x47][dice.below(8)]
    case 8: return 1 << UInt64(dice.below(64))
    case 9: return UInt64(dice.below(5)) | UInt64(dice.below(2)) << 7 | UInt64(dice.below(256)) << 32
    case 10: return 8 << 60 | page
    default: return page << 10 | 0xDF
    }
  }

  /// A context that often passes the checks.
  static func context(_ dice: inout Dice) -> Context {
    func page(_ dice: inout Dice) -> UInt64 { UInt64(dice.below(Int(pages) + 1)) }
    var context = Context()
    context.tc = [1, 1, 3, 7, 0x21, 0x23, 0x221, 0x181, 0xB, 0x2B, 0x11][dice.below(11)]
    if dice.one(in: 3) { context.tc |= 0x180 }
    context.ta = UInt64(dice.below(4)) << 12
    if context.tc & 0x20 != 0 {
      context.fsc = UInt64(dice.below(4)) << 60 | page(&dice)
    } else {
      context.fsc = [0, 8, 9, 10][dice.below(4)] << 60 | page(&dice)
    }
    if context.tc & 8 != 0 || dice.one(in: 2) {
      context.iohgatp = [8, 9, 10][dice.below(3)] << 60 | UInt64(dice.below(3)) << 44 | page(&dice) & ~3
      if dice.one(in: 2) {
        context.msiptp = 1 << 60 | page(&dice)
        context.mask = dice.next() & 0x1FFF
        context.pattern = UInt64(dice.below(1 << 20))
        if dice.one(in: 2) { context.mask = (1 << 38) - 1 }
      }
    }
    if dice.one(in: 6) { context.last = word(&dice) & 1 }
    return context
  }

  static func address(_ dice: inout Dice) -> UInt64 {
    switch dice.below(6) {
    case 0: dice.next()
    case 1: UInt64(dice.below(1 << 30))
    case 2: UInt64(dice.below(512)) << 30 | UInt64(dice.below(512)) << 12
    case 3: ~UInt64(dice.below(1 << 30))
    case 4: 1 << UInt64(dice.below(64))
    default: UInt64(dice.below(512)) << 12
    }
  }

  static func transaction(_ dice: inout Dice) -> Transaction {
    let kinds: [Transaction.Kind] = [
      .untranslated, .untranslated, .untranslated, .translated, .translationRequest(noWrite: false),
      .translationRequest(noWrite: true),
    ]
    return Transaction(
      source: dice.one(in: 20) ? UInt32(truncatingIfNeeded: dice.next()) : UInt32(dice.below(64)),
      pasid: dice.one(in: 3) ? UInt32(dice.below(dice.one(in: 5) ? 1 << 24 : 16)) : nil,
      address: address(&dice),
      access: Transaction.Access.allCases[dice.below(3)], execute: dice.one(in: 4),
      privileged: dice.one(in: 4),
      kind: kinds[dice.below(kinds.count)])
  }

  static func configuration(_ dice: inout Dice) -> RISCVIOMMU.Configuration {
    var configuration = RISCVIOMMU.Configuration()
    if dice.one(in: 2) { configuration.capabilities ^= 1 << UInt64(dice.below(44)) }
    if dice.one(in: 8) { configuration.capabilities = dice.next() }
    configuration.gxlWritable = dice.one(in: 3)
    configuration.caches.cachesTables = dice.one(in: 2)
    configuration.caches.cachesDirectories = dice.one(in: 2)
    configuration.caches.cachesTranslations = dice.one(in: 2)
    configuration.caches.translationsLg2 = dice.below(8)
    configuration.strictNAPOT = dice.one(in: 2)
    configuration.cachesATS = dice.one(in: 2)
    configuration.checksContextAddresses = dice.one(in: 2)
    configuration.counters = dice.below(40)
    configuration.counterBits = dice.below(80)
    return configuration
  }

  @Test func anything() {
    var dice = Dice(0x15C_7)
    var done = 0
    var translated = 0
    var seen: [UInt32: Int] = [:]
    while done < Self.dmas {
      let rig = Rig(Self.configuration(&dice), ddtp: 0, memorySize: Self.pages << 12)
      for place in stride(from: 0, to: Self.pages << 12, by: 8) { rig.put(place, Self.word(&dice)) }
      // The queues lie in it.
      for control: UInt64 in [0x48, 0x4C, 0x50] { rig.set(control, 0) }
      for (base, page): (UInt64, UInt64) in [(0x18, 0x10), (0x28, 0x11), (0x38, 0x12)] {
        rig[base] = page << 10 | 6
      }
      for control: UInt64 in [0x48, 0x4C, 0x50] { rig.set(control, 3) }
      // The directory is often one, at page 2, whose contexts are sound.
      for device: UInt64 in 0..<64 { rig.put(0x2000 + device * 64, Self.context(&dice).words) }
      let mode = UInt64(dice.below(6))
      rig[RISCV.Register.ddtp] =
        dice.one(in: 4) ? UInt64(dice.below(Int(Self.pages))) << 10 | mode : 0x802
      let actual = rig[RISCV.Register.ddtp] & 0xF
      for _ in 0..<1500 {
        done += 1
        switch dice.below(40) {
        case 0:
          // ddtp stays, so that the codes of a state can be told.
          let offset = UInt64(dice.below(256)) * 4
          if offset & ~7 != RISCV.Register.ddtp { rig.set(offset, Self.word(&dice)) }
        case 1: rig[UInt64(dice.below(32)) * 8 + 0x18] = Self.word(&dice)
        case 2: rig.put(UInt64(dice.below(Int(Self.pages) * 512)) * 8, Self.word(&dice))
        case 3: rig.set(RISCV.Register.cqt, UInt64(dice.below(300)))
        case 4: for control: UInt64 in [0x48, 0x4C, 0x50] { rig.set(control, 0xF03) }
        case 5:
          rig.iommu.pageRequest(
            PageRequest(
              source: UInt32(dice.below(64)), pasid: dice.one(in: 2) ? 3 : nil, address: dice.next(),
              last: dice.one(in: 2), group: UInt16(dice.below(1 << 16))))
        case 6:
          _ = rig.iommu.writeMessage(Self.transaction(&dice), data: UInt32(dice.below(4096)))
        case 7: if dice.one(in: 30) { _ = rig.iommu.facts() }
        case 8 where dice.one(in: 20):
          let first = UInt64(dice.below(Int(Self.pages) << 12))
          if dice.one(in: 2) {
            rig.iommu.poison(Span64(first, first + 4096))
          } else {
            rig.iommu.refuse(Span64(first, first + 4096))
          }
        default: break
        }
        let access = Self.transaction(&dice)
        let walked = dice.one(in: 16) ? rig.iommu.walk(access) : nil
        if let walked { #expect(walked.steps.count < 64) }
        switch rig.iommu.translate(access) {
        case .translated(let found):
          translated += 1
          if found.interrupt == nil, access.kind == .untranslated {
            #expect(found.sizeLg2 >= 12 && found.address & 0xFFF == access.address & 0xFFF)
            if access.writes { #expect(found.writable) }
            if access.reads, !access.execute { #expect(found.readable) }
          }
          #expect(actual != 0)
        case .aborted(let abort):
          seen[abort.code, default: 0] += 1
          #expect(Self.codes.contains(abort.code))
          #expect((actual == 0) == (abort.code == 256))
          if actual == 1 { #expect(abort.code == 260 && access.kind != .untranslated) }
          if case .translationRequest = access.kind {
            #expect((abort.completion == .unsupportedRequest) == (256...260).contains(abort.code))
          } else {
            #expect(abort.completion == .unsupportedRequest)
          }
        case .stalled: Issue.record("nothing stalls here")
        }
      }
    }
    // The garbage reaches deep.
    #expect(translated > done / 20)
    for code: UInt32 in [1, 5, 7, 12, 13, 15, 20, 21, 23, 256, 257, 258, 259, 260, 266, 267] {
      #expect(seen[code] != nil, "\(code)")
    }
    print("RISC-V: \(done) DMAs through garbage, \(translated) translated, causes \(seen.keys.sorted())")
  }

  /// Tables that lead back to themselves.
  @Test func cycles() {
    let rig = Rig()
    rig.place(Context(iohgatp: 10 << 60 | 0x40, ta: 0x7000, fsc: 10 << 60 | 0x40))
    for index: UInt64 in 0..<2048 { rig.put(0x40000 + index * 8, 0x40 << 10 | 1) }
    #expect(rig.go(0x1234_5000).code == 21)
    #expect(rig.iommu.walk(Transaction(source: 5, address: 0x1234_5000)).steps.count == 6)
    // A directory of itself.
    rig[RISCV.Register.ddtp] = 0
    rig[RISCV.Register.ddtp] = 0x40 << 10 | 4
    rig.forget()
    #expect(rig.go(0, device: 0).code == 259)
  }

  /// A queue that overwrites itself: commands that write commands end with the turn.
  @Test func commandsThatWriteCommands() {
    let rig = Rig()
    for index: UInt64 in 0..<256 {
      rig.put(Rig.commands + index * 16, 0x402 | 0x402 << 32, Rig.commands >> 2)
    }
    rig.set(RISCV.Register.cqt, 255)
    #expect(rig.get(RISCV.Register.cqh) == 255)
  }

  /// A device that answers an invalidation by ringing the command queue again.
  @Test func commandsFromAnInvalidation() {
    final class Nosy: HardwareFabric {
      var rig: Rig?
      var calls = 0
      func interrupt(_ message: InterruptMessage) {}
      func interrupt(wire: UInt32) {}
      func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
        calls += 1
        rig?.set(RISCV.Register.cqt, UInt64(calls + 1))
        _ = rig?.go(0x1000)
        return true
      }
      func respond(_ response: PageResponse) {}
      func resume(tag: UInt32, retry: Bool) {}
    }
    let rig = Rig()
    let nosy = Nosy()
    nosy.rig = rig
    defer { nosy.rig = nil }
    rig.iommu.connect(nosy)
    for index: UInt64 in 0..<255 { rig.put(Rig.commands + index * 16, 4, 0) }
    rig.set(RISCV.Register.cqt, 1)
    #expect(nosy.calls == 255)
    #expect(rig.get(RISCV.Register.cqh) == 255)
  }
}
