// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct WalkTests {
  @Test func nestedSteps() {
    let rig = Rig()
    rig.put(NestedVectorTests.base)
    rig.startScalable(NestedVectorTests.plain)
    let report = rig.unit.walk(Transaction(source: sid, address: iova, access: .write))
    let table = ["10000", "11000", "12000"]
    let steps = report.steps.dropFirst(4).map { hex($0.address) }
    #expect(
      steps == table + ["40020000"] + table + ["40021000"] + table + ["40022488"] + table + ["40023a28"]
        + table)
    #expect(report.answer.translation?.address == 0x4010_0678)
    let last = report.steps.last
    #expect(last?.structure == "second-stage level 2")
    #expect(last?.words == [0x4000_0083])
    let fields = last?.fields.map { "\($0.name)=\(hex($0.value.number ?? 0))" } ?? []
    #expect(fields == ["R=1", "W=1", "X=0", "PS=1", "A=0", "D=0", "SNP=0", "address=40000000"])
  }

  /// A walk has no effects: no cache, no bit, no record, no event.
  @Test func noEffects() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.tracking)
    rig.write(VTd.Register.fectl, 0)
    let walk = { (access: Transaction.Access, address: UInt64) in
      rig.unit.walk(Transaction(source: sid, address: address, access: access)).answer
    }
    #expect(walk(.write, iova).brief == "abcde678")
    #expect(walk(.write, 0).abort?.recorded == true)
    #expect(rig.differences(SecondStageVectorTests.base) == [])
    #expect(rig.fsts == 0)
    #expect(rig.fabric.interrupts == [])
    #expect(rig.dma(.read, iova).translation?.fromCache == false)
    // Nor does it look into caches.
    rig.put("[13a28]=77777003")
    #expect(walk(.read, iova).brief == "77777678")
    #expect(rig.dma(.read, iova).brief == "abcde678")
  }

  /// The walk of a request that nothing is in the way of has a loop of its own. It says what this one says, with
  /// paging-structure caches and without.
  @Test(arguments: [false, true]) func plainWalks(cachesTables: Bool) {
    var dice = Dice(7)
    var configuration = Rig.configuration
    configuration.cachePolicy = .direct(capacityLg2: 4)
    configuration.cachesTables = cachesTables
    let rig = Rig(configuration, memory: 2 << 20)
    rig.startScalable([0x10089, 0x80_0123])
    // Four tables, whose entries are for each other, for pages, or for nothing.
    for at in stride(from: 0x1_0000 as UInt64, to: 0x1_4000, by: 8) {
      let table = (16 + dice.below(4 as UInt64)) << 12 | dice.one(of: [3, 3, 3, 3, 1, 2, 0x803, 0])
      let entry = dice.chance(20) ? 0x4000_0083 : table
      rig[at] = dice.chance(5) ? entry ^ 1 << dice.below(64 as UInt64) : entry
    }
    var (translated, refused, large) = (0, 0, 0)
    for _ in 0..<20_000 {
      let address = dice.next() >> 16
      let access = dice.one(of: Transaction.Access.allCases)
      let expected = rig.unit.walk(Transaction(source: sid, address: address, access: access)).answer
      let answer = rig.dma(access, address)
      #expect(answer.abort?.code == expected.abort?.code)
      var translation = answer.translation
      translation?.flags.remove(.fromCache)
      #expect(translation == expected.translation)
      if let translation {
        translated += 1
        if translation.sizeLg2 > 12 { large += 1 }
      } else {
        refused += 1
      }
    }
    #expect(translated > 1000 && refused > 1000 && large > 100)
  }

  /// Memory that does not exist is a step without words.
  @Test func beyondMemory() {
    let rig = Rig()
    rig.startScalable([0x10089, 0x80_0123])
    rig.put("[10000]=3ff000000003")
    let report = rig.unit.walk(Transaction(source: sid, address: iova))
    #expect(report.steps.last?.words == [])
    #expect(report.steps.last?.fields.isEmpty == true)
    #expect(report.answer.brief == "-78")
  }

  @Test func facts() throws {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    rig.startQueue(wide: true)
    _ = rig.dma(.read, iova)
    rig.unit.holdsInvalidationQueue = true
    rig.submit([(0x11, 0), (0x12, 0)])
    let facts = rig.unit.facts()
    #expect(facts["registers"]?["RTADDR"]?.number == 0x1400)
    #expect(facts["registers"]?["ECAP"]?.number == Rig.configuration.ecap)
    #expect(facts["translating"]?.number == 1)
    if case .text(let mode)? = facts["mode"] { #expect(mode == "scalable") }
    let queue = try #require(facts["invalidation-queue"])
    #expect(queue["size"]?.number == 128)
    #expect(queue["head"]?.number == 0)
    #expect(queue["tail"]?.number == 2)
    #expect(queue["entries"]?["count"]?.number == 2)
    let caches = try #require(facts["caches"])
    for (name, count) in [
      ("context", 1), ("pasid", 1), ("iotlb", 1), ("paging-structures", 3), ("interrupt-entries", 0),
    ] as [(String, UInt64)] {
      #expect(caches[name]?["count"]?.number == count, "\(name)")
    }
    guard case .list(let lines)? = caches["iotlb"], let line = lines.first else {
      Issue.record("no line")
      return
    }
    #expect(line["address"]?.number == 0x1234_5000)
    #expect(line["physical"]?.number == 0xABCD_E000)
    #expect(line["domain"]?.number == 0x123)
    #expect(line["size"]?.number == 4096)
  }
}
