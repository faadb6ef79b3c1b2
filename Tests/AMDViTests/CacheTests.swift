// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B6: everything that a cache holds stays until the right command takes it, and no other.
@Suite struct CacheTests {
  /// Commands by what they select. `all` stands for the form that covers every address.
  enum Flush: CaseIterable, Sendable {
    case devtab, devtabOther
    case page, pageOther, pageOtherDomain, twoPages, all, allPDE, allOtherDomain
    case gnPage, gnPageOtherPASID, gnAll, gnAllPDE, gnAllOtherPASID
    case iotlb, interrupts, interruptsOther, everything, wait

    func send(_ rig: Rig, domain: UInt32) {
      func pages(_ domain: UInt32, _ w2: UInt32, _ w3: UInt32 = 0, pasid: UInt32 = 0) {
        rig.command(pasid, 0x3000_0000 | domain, w2, w3)
      }
      switch self {
      case .devtab: rig.command(source, 0x2000_0000)
      case .devtabOther: rig.command(source + 1, 0x2000_0000)
      case .page: pages(domain, 0x1234_5000)
      case .pageOther: pages(domain, 0x1234_6000)
      case .pageOtherDomain: pages(domain + 1, 0x1234_5000)
      case .twoPages: pages(domain, 0x1234_4001)
      case .all: pages(domain, 0xFFFF_F001, 0x7FFF_FFFF)
      case .allPDE: pages(domain, 0xFFFF_F003, 0x7FFF_FFFF)
      case .allOtherDomain: pages(domain + 1, 0xFFFF_F003, 0x7FFF_FFFF)
      case .gnPage: pages(domain, 0x1234_5004, pasid: 0x47)
      case .gnPageOtherPASID: pages(domain, 0x1234_5004, pasid: 0x48)
      case .gnAll: pages(domain, 0xFFFF_F005, 0x7FFF_FFFF, pasid: 0x47)
      case .gnAllPDE: pages(domain, 0xFFFF_F007, 0x7FFF_FFFF, pasid: 0x47)
      case .gnAllOtherPASID: pages(domain, 0xFFFF_F007, 0x7FFF_FFFF, pasid: 0x48)
      case .iotlb: rig.command(source, 0x4000_0000, 0xFFFF_F001, 0x7FFF_FFFF)
      case .interrupts: rig.command(source, 0x5000_0000)
      case .interruptsOther: rig.command(source + 1, 0x5000_0000)
      case .everything: rig.command(0, 0x8000_0000)
      case .wait: rig.command(0x7001, 0x1000_0000)
      }
    }
  }

  /// Something cached, then changed in memory: which commands make the change visible.
  struct Case: Sendable {
    let name: String
    let domain: UInt32
    let prepare: @Sendable (Rig) -> Void
    let ask: @Sendable (Rig) -> UInt64?
    let change: @Sendable (Rig) -> Void
    let before: UInt64?
    let after: UInt64?
    let takers: Set<Flush>
  }

  static let cases: [Case] = [
    Case(
      name: "host leaf", domain: 5, prepare: { $0.hostTables() }, ask: { $0.address(.read) },
      change: { $0.poke((0x32A28, 0x7000_0000_1111_1001)) }, before: 0xABCD_E678, after: 0x1111_1678,
      takers: [.page, .twoPages, .all, .allPDE, .everything]),
    Case(
      name: "device table entry", domain: 5, prepare: { $0.hostTables() }, ask: { $0.address(.read) },
      change: { $0.dte(0x6000_0000_0000_0003) }, before: 0xABCD_E678, after: iova,
      takers: [.devtab, .everything]),
    // The page is not cached; the pointer to its table is.
    Case(
      name: "host table pointer", domain: 5,
      prepare: {
        $0.hostTables()
        $0.poke((0x32A30, 0x7000_0000_2222_2001), (0x33A30, 0x7000_0000_3333_3001))
        _ = $0.address(.read)
      }, ask: { $0.address(.read, 0x1234_6678) },
      change: {
        // The answer for this page goes, its table's pointer stays.
        $0.command(0, 0x3000_0005, 0x1234_6000)
        $0.poke((0x31488, 0x6000_0000_0003_3201))
      }, before: 0x2222_2678, after: 0x3333_3678, takers: [.allPDE, .everything]),
    Case(
      name: "guest leaf", domain: 6, prepare: { $0.guestTables() }, ask: { $0.address(.read, pasid: 0x47) },
      change: { $0.poke((0x23A28, 0x1111_1067)) }, before: 0xABCD_E678, after: 0x1111_1678,
      takers: [.gnPage, .gnAll, .gnAllPDE, .all, .allPDE, .everything]),
    Case(
      name: "GCR3 entry and all below", domain: 6,
      prepare: {
        $0.guestTables()
        $0.poke((0x28000, 0x29027), (0x29000, 0x2A027), (0x2A488, 0x2B027), (0x2BA30, 0x3333_3067))
        $0.poke((0x23A30, 0x2222_2067))
        _ = $0.address(.read, pasid: 0x47)
      }, ask: { $0.address(.read, 0x1234_6678, pasid: 0x47) },
      change: {
        // Pages and pointers go, the entry stays: this range is not everything.
        $0.command(0x47, 0x3000_0006, 0xFFFF_F007, 0x1)
        $0.poke((0x40238, 0x28001))
      }, before: 0x2222_2678, after: 0x3333_3678,
      // Pages and pointers of the old tables must go too.
      takers: [.gnAllPDE, .allPDE, .everything]),
    Case(
      name: "nested, guest leaf", domain: 9, prepare: { $0.nestedTables() },
      ask: { $0.address(.read, pasid: 0x47) }, change: { $0.poke((0x4002_3A28, 0x18_0067)) },
      before: 0x4010_0678, after: 0x4018_0678,
      // Any command over host addresses of the domain takes nested translations: the guest's address is not
      // in them.
      takers: [
        .gnPage, .gnAll, .gnAllPDE, .page, .pageOther, .twoPages, .all, .allPDE, .everything,
      ]),
    Case(
      name: "nested, host leaf", domain: 9, prepare: { $0.nestedTables() },
      ask: { $0.address(.read, pasid: 0x47) },
      change: {
        $0.poke((0x31000, 0x7000_0000_6000_0001), (0x6005_0238, 0x20001))
        $0.poke((0x6002_0000, 0x21027), (0x6002_1000, 0x22027), (0x6002_2488, 0x23027))
        $0.poke((0x6002_3A28, 0x10_0067))
      }, before: 0x4010_0678, after: 0x6010_0678,
      // A guest's page alone comes back through the host's cached translations.
      takers: [.all, .allPDE, .everything]),
    Case(
      name: "interrupt entry", domain: 5,
      prepare: {
        $0.dte(1, 0, 0x2000_0000_0006_0001 | 9 << 1)
        $0.poke((0x60000, 0x41_0001))
      },
      ask: {
        $0.hardware.translate(
          Transaction(source: source, address: 0xFEE0_0000, access: .write)
        ).translation?.interrupt.map { UInt64($0.data) }
      }, change: { $0.poke((0x60000, 0x42_0001)) }, before: 0x41, after: 0x42,
      takers: [.interrupts, .everything]),
  ]

  @Test(arguments: cases.indices) func selectivity(_ index: Int) {
    let row = Self.cases[index]
    for flush in Flush.allCases {
      let rig = Rig()
      row.prepare(rig)
      #expect(row.ask(rig) == row.before, "\(row.name)")
      row.change(rig)
      #expect(row.ask(rig) == row.before, "\(row.name): stale")
      flush.send(rig, domain: row.domain)
      let expected = row.takers.contains(flush) ? row.after : row.before
      #expect(row.ask(rig) == expected, "\(row.name): \(flush)")
    }
  }

  /// The GCR3 entry alone: seen through an address that no cached page or pointer covers.
  @Test(arguments: Flush.allCases) func gcr3(_ flush: Flush) {
    let rig = Rig()
    rig.guestTables()
    let far: UInt64 = 0x80_0000_0678
    rig.poke(
      (0x20008, 0x24027), (0x24000, 0x25027), (0x25000, 0x26027), (0x26000, 0x2222_2067), (0x28008, 0x29027),
      (0x29000, 0x2A027), (0x2A000, 0x2B027), (0x2B000, 0x3333_3067))
    #expect(rig.address(.read, pasid: 0x47) == 0xABCD_E678)
    rig.poke((0x40238, 0x28001))
    flush.send(rig, domain: 6)
    let takers: Set<Flush> = [.devtab, .gnAll, .gnAllPDE, .all, .allPDE, .everything]
    #expect(rig.address(.read, far, pasid: 0x47) == (takers.contains(flush) ? 0x3333_3678 : 0x2222_2678))
  }

  /// A large page goes with any part of it, however many parts are cached.
  @Test func partsOfALargePage() {
    let rig = Rig()
    rig.hostTables()
    rig.poke((0x31488, 0x7000_0000_4000_0001))
    let parts: [UInt64] = [0x1220_0000, 0x1234_5678, 0x123F_F000]
    for part in parts { #expect(rig.address(.read, part) == 0x4000_0000 | part & 0x1F_FFFF) }
    rig.poke((0x31488, 0))
    for part in parts { #expect(rig.address(.read, part) != nil) }
    rig.command(0, 0x3000_0005, 0x1230_0000)
    for part in parts { #expect(rig.address(.read, part) == nil) }
  }

  /// NpCache: what was not present stays so.
  @Test func notPresentIsCached() {
    for npCache in [false, true] {
      var configuration = AMDVi.Configuration.nesting
      configuration.npCache = npCache
      let rig = Rig(configuration)
      rig.hostTables()
      rig.poke((0x32A28, 0))
      #expect(rig.address(.read) == nil)
      rig.poke((0x32A28, 0x7000_0000_ABCD_E001))
      #expect((rig.address(.read) == nil) == npCache)
      rig.command(0, 0x3000_0005, 0x1234_5000)
      #expect(rig.address(.read) == 0xABCD_E678)

      rig.guestTables()
      rig.poke((0x23A28, 0))
      rig.command(0, 0x8000_0000)
      #expect(rig.address(.read, pasid: 0x47) == nil)
      rig.poke((0x23A28, 0xABCD_E067))
      #expect((rig.address(.read, pasid: 0x47) == nil) == npCache)
      rig.command(0x47, 0x3000_0006, 0x1234_5004)
      #expect(rig.address(.read, pasid: 0x47) == 0xABCD_E678)
    }
  }

  /// Devices of one domain share translations, whatever their roots: a driver's mistake is visible.
  @Test func aDomainIsShared() {
    let rig = Rig()
    rig.hostTables()
    rig.dte(0x6000_0000_0003_8603, 5, of: source + 1)
    #expect(rig.address(.read) == 0xABCD_E678)
    #expect(rig.address(.read, from: source + 1) == 0xABCD_E678)
    // Permissions are the device's own.
    rig.dte(0x2000_0000_0003_0603, 5, of: source + 2)
    #expect(rig.address(.read, from: source + 2) == 0xABCD_E678)
    #expect(rig.address(.write, from: source + 2) == nil)
  }

  /// No caches at all, and caches that miss at random: never anything stale in the first, sometimes in the
  /// second, always the same for a seed.
  @Test func policies() {
    func stale(_ policy: AMDVi.Configuration.CachePolicy) -> [Bool] {
      var configuration = AMDVi.Configuration.nesting
      configuration.cachePolicy = policy
      let rig = Rig(configuration)
      rig.hostTables()
      return (0..<200).map { turn in
        rig.poke((0x32A28, 0x7000_0000_0000_0001 | UInt64(turn + 1) << 12))
        return rig.address(.read) != UInt64(turn + 1) << 12 | 0x678
      }
    }
    #expect(!stale(.none).contains(true))
    #expect(stale(.keep).filter { $0 }.count == 199)
    let random = stale(.random(seed: 7))
    #expect(random.contains(true) && random.dropFirst().contains(false))
    #expect(random == stale(.random(seed: 7)))
    #expect(random != stale(.random(seed: 8)))
  }

  /// Without pointers to tables a new table is seen as soon as the page's own entry is gone.
  @Test(arguments: [false, true]) func pointersAreASwitch(cachesTables: Bool) {
    var configuration = AMDVi.Configuration.nesting
    configuration.cachesTables = cachesTables
    let rig = Rig(configuration)
    rig.hostTables()
    rig.guestTables()
    rig.dte(0x6000_0000_0003_0603, of: 8)
    #expect(rig.address(.read, from: 8) == 0xABCD_E678)
    #expect(rig.address(.read, pasid: 0x47) == 0xABCD_E678)
    rig.poke((0x31488, 0x6000_0000_0003_3201), (0x33A28, 0x7000_0000_3333_3001))
    rig.poke((0x22488, 0x24027), (0x24A28, 0x4444_4067))
    rig.command(0, 0x3000_0005, 0x1234_5000)
    rig.command(0x47, 0x3000_0006, 0x1234_5004)
    #expect(rig.address(.read, from: 8) == (cachesTables ? 0xABCD_E678 : 0x3333_3678))
    #expect(rig.address(.read, pasid: 0x47) == (cachesTables ? 0xABCD_E678 : 0x4444_4678))
  }

  /// A walk for people sees memory as it is, and changes nothing.
  @Test func walksSeeMemory() {
    let rig = Rig()
    rig.nestedTables()
    rig.poke((0x4002_0000, 0x21007))
    let transaction = Transaction(source: source, pasid: 0x47, address: iova, access: .write)
    let report = rig.hardware.walk(transaction)
    #expect(report.answer.translation?.address == 0x4010_0678)
    #expect(rig.peek(0x4002_0000) == 0x21007)
    // DTE; GCR3 by host levels 3 and 2; four guest tables likewise; the page's own host levels.
    #expect(
      report.steps.map(\.structure) == ["device table entry", "host level 3", "host level 2", "GCR3 level 1"]
        + (0..<4).flatMap { ["host level 3", "host level 2", "guest level \(4 - $0)"] }
        + ["host level 3", "host level 2"])
    #expect(report.steps[0].address == 0x17_4520)
    #expect(report.steps[3].address == 0x4005_0238)
    #expect(report.steps[3].words == [0x20001])
    let facts = rig.hardware.facts()
    #expect(facts["caches"]?["pages"]?["count"]?.number == 0)
    #expect(rig.address(.write, pasid: 0x47) == 0x4010_0678)
    let later = rig.hardware.facts()
    #expect(later["registers"]?["DeviceTableBase"]?.number == 0x10_01FF)
    #expect(later["running"]?["commands"]?.number == 1)
    #expect((later["caches"]?["pages"]?["count"]?.number ?? 0) > 1)
    #expect(later["caches"]?["gcr3"]?["count"]?.number == 1)
    #expect(later["queues"]?["events"]?["size"]?.number == 512)
    // And what is cached does not hide what is there.
    rig.poke((0x4002_3A28, 0))
    #expect(rig.address(.write, pasid: 0x47) == 0x4010_0678)
    #expect(rig.hardware.walk(transaction).answer.abort?.name == "IO_PAGE_FAULT")
    #expect(rig.events() == [])
  }
}
