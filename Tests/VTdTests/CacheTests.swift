// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

// Caches are coherent only when they are told: each structure is changed under the unit, which goes on with the
// old one until exactly the right invalidation.

@Suite struct CacheTests {
  /// Second stage with DID 123 (hex), queue on.
  private func secondStage(_ configuration: VTdConfiguration = Rig.configuration) -> Rig {
    let rig = Rig(configuration)
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    rig.startQueue(wide: true)
    return rig
  }

  private func firstStage() -> Rig {
    let rig = Rig()
    rig.put(FirstStageVectorTests.base)
    rig.startScalable([0x49, 0x80_0124, 0x20000], pasid: 0x47)
    rig.startQueue(wide: true)
    return rig
  }

  /// Descriptors that must not show a changed leaf of DID 123 at 12345000, and those that must.
  @Test func secondStageLeaf() {
    let misses: [(String, UInt64, UInt64)] = [
      ("context global", 0x11, 0), ("PASID cache global", 0x37, 0), ("other domain", 0x1_240_022, 0),
      ("other page", 0x123_0032, 0x1234_6000), ("other domain's page", 0x124_0032, 0x1234_5000),
      ("PIOTLB of the domain", 0x123_0026, 0), ("PIOTLB page", 0x123_0036, 0x1234_5000),
      ("wait", 0x25, 0x9010),
    ]
    let hits: [(String, UInt64, UInt64)] = [
      ("global", 0x12, 0), ("domain", 0x123_0022, 0), ("page", 0x123_0032, 0x1234_5000),
      ("page with IH", 0x123_0032, 0x1234_5040), ("16 KiB around it", 0x123_0032, 0x1234_7002),
      ("2 MiB around it", 0x123_0032, 0x1220_0009),
    ]
    for (name, first, second) in hits {
      let rig = secondStage()
      #expect(rig.dma(.write, iova).brief == "abcde678")
      rig.put("[13a28]=77777003")
      #expect(rig.dma(.write, iova).brief == "abcde678", "stale")
      for (name, first, second) in misses {
        rig.submit([(first, second)])
        #expect(rig.dma(.write, iova).brief == "abcde678", "\(name)")
      }
      rig.submit([(first, second)])
      #expect(rig.queueError == nil)
      #expect(rig.dma(.write, iova).brief == "77777678", "\(name)")
    }
  }

  @Test func firstStageLeaf() {
    let misses: [(String, UInt64, UInt64)] = [
      ("other PASID", 0x48_0124_0026, 0), ("other domain", 0x47_0125_0026, 0),
      ("other page", 0x47_0124_0036, 0x1234_6000), ("IOTLB of another domain", 0x125_0022, 0),
    ]
    let hits: [(String, UInt64, UInt64)] = [
      ("PASID", 0x47_0124_0026, 0), ("page", 0x47_0124_0036, 0x1234_5000),
      ("page, AM 52", 0x47_0124_0036, 52), ("IOTLB domain", 0x124_0022, 0),
      ("IOTLB page elsewhere", 0x124_0032, 0x9999_9000), ("IOTLB global", 0x12, 0),
    ]
    for (name, first, second) in hits {
      let rig = firstStage()
      #expect(rig.dma(.write, iova, pasid: 0x47).brief == "abcde678")
      rig.put("[23a28]=77777067")
      for (name, first, second) in misses {
        rig.submit([(first, second)])
        #expect(rig.dma(.write, iova, pasid: 0x47).brief == "abcde678", "\(name)")
      }
      rig.submit([(first, second)])
      #expect(rig.dma(.write, iova, pasid: 0x47).brief == "77777678", "\(name)")
    }
  }

  /// A table is replaced: with IH only leaves are forgotten, and the old table is still used.
  @Test func invalidationHint() {
    let second = secondStage()
    _ = second.dma(.read, iova)
    second.put("[12488]=14003 [14a28]=77777003 [13a28]=55555003")
    second.submit([(0x123_0032, 0x1234_5040)])
    #expect(second.dma(.read, iova).brief == "55555678", "through the old table")
    second.submit([(0x123_0032, 0x1234_5000)])
    #expect(second.dma(.read, iova).brief == "77777678")

    let first = firstStage()
    _ = first.dma(.read, iova, pasid: 0x47)
    first.put("[22488]=24027 [24a28]=77777067 [23a28]=55555067")
    first.submit([(0x47_0124_0036, 0x1234_5040)])
    #expect(first.dma(.read, iova, pasid: 0x47).brief == "55555678", "through the old table")
    first.submit([(0x47_0124_0036, 0x1234_5000)])
    #expect(first.dma(.read, iova, pasid: 0x47).brief == "77777678")
  }

  /// A large page is in the cache in pieces; an invalidation of one 4 KiB page inside it forgets all of them.
  @Test func largePage() {
    let rig = secondStage()
    rig.put("[12488]=40000083")
    #expect(rig.dma(.read, 0x1234_5678).brief == "40145678")
    #expect(rig.dma(.read, 0x1220_0000).brief == "40000000")
    #expect(rig.dma(.read, 0x1234_5678).translation?.sizeLg2 == 21)
    rig.put("[12488]=80000083")
    rig.submit([(0x123_0032, 0x123F_F000)])
    #expect(rig.dma(.read, 0x1234_5678).brief == "80145678")
    #expect(rig.dma(.read, 0x1220_0000).brief == "80000000")
  }

  @Test func pasidEntry() {
    let misses: [(UInt64, UInt64)] = [
      (0x11, 0), (0x12, 0), (0x124_0007, 0), (0x1_0123_0017, 0), (0x124_0017, 0),
    ]
    for hit: UInt64 in [0x123_0017, 0x123_0007, 0x37] {
      let rig = secondStage()
      #expect(rig.dma(.read, iova).brief == "abcde678")
      rig.put("[5000]=0")
      for miss in misses {
        rig.submit([miss])
        #expect(rig.dma(.read, iova).brief == "abcde678", "\(hex(miss.0))")
      }
      rig.submit([(hit, 0)])
      #expect(rig.dma(.read, iova).brief == "-59")
    }
  }

  /// The order of a tear-down matters: a PASID entry that is still cached fills the IOTLB again.
  @Test func staleEntryRefills() {
    let rig = secondStage()
    _ = rig.dma(.read, iova)
    rig.put("[5000]=0")
    rig.submit([(0x123_0022, 0)])
    #expect(rig.dma(.read, iova).brief == "abcde678", "IOTLB before PASID cache")
    rig.submit([(0x123_0017, 0), (0x123_0022, 0)])
    #expect(rig.dma(.read, iova).brief == "-59")
  }

  @Test func scalableContext() {
    let misses: [(UInt64, UInt64)] = [(0x3A28_0000_0031, 0), (0x3B29_0000_0031, 0), (0x37, 0), (0x12, 0)]
    // Device-selective with function masks, domain-selective (which has no domain to go by), global.
    let hits: [UInt64] = [
      0x3A29_0000_0031, 0x3A29_0009_0031, 0x1_3A2D_0000_0031, 0x2_3A2F_0000_0031, 0x3_3A28_0000_0031, 0x21,
      0x11,
    ]
    for hit in hits {
      let rig = secondStage()
      _ = rig.dma(.read, iova)
      rig.put("[2520]=0")
      for miss in misses {
        rig.submit([miss])
        #expect(rig.dma(.read, iova).brief == "abcde678")
      }
      rig.submit([(hit, 0)])
      #expect(rig.dma(.read, iova).brief == "-41", "\(hex(hit))")
    }
  }

  @Test func legacyContext() {
    let misses: [UInt64] = [0x3A28_0005_0031, 0x3A29_0006_0031, 0x6_0021, 0x12]
    for hit: UInt64 in [0x3A29_0005_0031, 0x3_3A2F_0005_0031, 0x5_0021, 0x11] {
      let rig = Rig()
      rig.put(SecondStageVectorTests.base)
      rig.startLegacy(0x10001, 0x502)
      rig.startQueue(wide: false)
      _ = rig.dma(.read, iova)
      rig.put("[2290]=0")
      for miss in misses {
        rig.submit([(miss, 0)])
        #expect(rig.dma(.read, iova).brief == "abcde678", "\(hex(miss))")
      }
      rig.submit([(hit, 0)])
      #expect(rig.dma(.read, iova).brief == "-2", "\(hex(hit))")
    }
  }

  /// Nested translations carry their own domain; the second stage's change must name it, at any address.
  @Test func nested() {
    let rig = Rig()
    rig.put(NestedVectorTests.base)
    rig.startScalable(NestedVectorTests.plain)
    rig.startQueue(wide: true)
    #expect(rig.dma(.read, iova).brief == "40100678")
    rig.put("[12000]=60000083 [60020000]=21027 [60021000]=22027 [60022488]=23027 [60023a28]=180067")
    for miss: (UInt64, UInt64) in [(0x123_0022, 0), (0x126_0032, 0x1000), (0x1_0125_0026, 0)] {
      rig.submit([miss])
      #expect(rig.dma(.read, iova).brief == "40100678")
    }
    // The hint keeps the paging structures of both stages: the new leaf is read through the old tables.
    rig.submit([(0x125_0032, 0x10_0040)])
    #expect(rig.dma(.read, iova).brief == "60100678")
    rig.submit([(0x125_0032, 0x10_0000)])
    #expect(rig.dma(.read, iova).brief == "60180678")
  }

  @Test func passThrough() {
    for reaches in [true, false] {
      var configuration = Rig.configuration
      configuration.quirks.pasidInvalidationReachesPassThrough = reaches
      let rig = secondStage(configuration)
      rig.setPASIDEntry([0x109, 0x80_0123], 0)
      #expect(rig.dma(.read, iova).brief == hex(iova))
      rig.setPASIDEntry(SecondStageVectorTests.plain, 0)
      rig.submit([(0x123_0017, 0)])
      #expect(rig.dma(.read, iova).brief == hex(iova), "the IOTLB still has it")
      rig.submit([(0x123_0026, 0)])
      #expect(rig.dma(.read, iova).brief == (reaches ? "abcde678" : hex(iova)))
    }
  }

  /// More permission needs no invalidation without caching mode; less of it does.
  @Test func permissions() {
    let rig = secondStage()
    rig.put("[13a28]=abcde001")
    #expect(rig.dma(.read, iova).brief == "abcde678")
    #expect(rig.dma(.write, iova).brief == "-85")
    rig.put("[13a28]=abcde003")
    #expect(rig.dma(.write, iova).brief == "abcde678")
    rig.put("[13a28]=abcde001")
    #expect(rig.dma(.write, iova).brief == "abcde678", "stale")
    // Denied by an upper level that is cached.
    let upper = secondStage()
    upper.put("[11000]=12001")
    #expect(upper.dma(.read, iova).brief == "abcde678")
    upper.put("[11000]=12003")
    #expect(upper.dma(.write, iova).brief == "abcde678")

    var configuration = Rig.configuration
    configuration.quirks.cachesPermissionFaults = true
    let sticky = secondStage(configuration)
    sticky.put("[13a28]=abcde001")
    _ = sticky.dma(.read, iova)
    sticky.put("[13a28]=abcde003")
    #expect(sticky.dma(.write, iova).brief == "-85")
    sticky.submit([(0x123_0032, 0x1234_5000)])
    #expect(sticky.dma(.write, iova).brief == "abcde678")
  }

  // MARK: Caching mode

  private static var cachingMode: VTdConfiguration {
    var configuration = Rig.configuration
    configuration.set(VTd.Cap.cm, 1)
    return configuration
  }

  @Test func missingPage() {
    for sticky in [true, false] {
      var configuration = Self.cachingMode
      configuration.quirks.negativeCacheSticky = sticky
      let rig = secondStage(configuration)
      rig.put("[13a28]=0")
      #expect(rig.dma(.read, iova).brief == "-79")
      rig.put("[13a28]=abcde003")
      #expect(rig.dma(.read, iova).brief == "-79", "cached")
      #expect(rig.dma(.read, iova).brief == (sticky ? "-79" : "abcde678"))
      rig.submit([(0x123_0032, 0x1234_5000)])
      #expect(rig.dma(.read, iova).brief == "abcde678")
    }
  }

  @Test func missingStructures() {
    let rig = secondStage(Self.cachingMode)
    rig.put("[5000]=0")
    #expect(rig.dma(.read, iova).brief == "-59")
    rig.put("[5000]=10089")
    #expect(rig.dma(.read, iova).brief == "-59", "cached")
    rig.submit([(0x123_0007, 0)])
    #expect(rig.dma(.read, iova).brief == "-59", "what was missing has domain 0")
    rig.submit([(0x7, 0)])
    #expect(rig.dma(.read, iova).brief == "abcde678")

    let legacy = Rig(Self.cachingMode)
    legacy.put(SecondStageVectorTests.base)
    legacy.startLegacy(0, 0)
    legacy.startQueue(wide: false)
    #expect(legacy.dma(.read, iova).brief == "-2")
    legacy.put("[2290]=10001 [2298]=502")
    legacy.submit([(0x3A29_0005_0031, 0)])
    #expect(legacy.dma(.read, iova).brief == "-2")
    legacy.submit([(0x3A29_0000_0031, 0)])
    #expect(legacy.dma(.read, iova).brief == "abcde678")
  }

  /// Without caching mode nothing that is missing is remembered.
  @Test func nothingMissingIsCached() {
    let rig = secondStage()
    rig.put("[13a28]=0 [5000]=0 [2520]=0")
    #expect(rig.dma(.read, iova).brief == "-41")
    rig.put("[2520]=401d")
    #expect(rig.dma(.read, iova).brief == "-59")
    rig.put("[5000]=10089")
    #expect(rig.dma(.read, iova).brief == "-79")
    rig.put("[13a28]=abcde003")
    #expect(rig.dma(.read, iova).brief == "abcde678")
  }

  // MARK: Root table, translation enable, policies

  @Test func newRootTable() {
    for selfInvalidating: UInt64 in [1, 0] {
      var configuration = Rig.configuration
      configuration.set(VTd.Cap.esrtps, selfInvalidating)
      let rig = secondStage(configuration)
      #expect(rig.dma(.read, iova).brief == "abcde678")
      rig.put("[2520]=0 [13a28]=0")
      rig.start(rtaddr: 0x1400)
      #expect(rig.dma(.read, iova).brief == (selfInvalidating == 1 ? "-41" : "abcde678"))
    }
  }

  @Test func latched() {
    let rig = secondStage()
    rig.write(VTd.Register.rtaddr, 0x3FF0_0000_0000, width: 8)
    rig.submit([(0x11, 0)])
    #expect(rig.dma(.read, iova).brief == "abcde678", "RTADDR counts from SRTP on")
  }

  @Test(arguments: [false, true]) func enabling(drops: Bool) {
    var configuration = Rig.configuration
    configuration.quirks.dropsCachesOnEnable = drops
    let rig = secondStage(configuration)
    _ = rig.dma(.read, iova)
    rig.put("[13a28]=0")
    rig.command(VTd.GlobalCommand.te, off: true)
    #expect(rig.dma(.read, iova).brief == hex(iova))
    rig.command(VTd.GlobalCommand.te)
    #expect(rig.dma(.read, iova).brief == (drops ? "-79" : "abcde678"))
  }

  /// The unit says itself where it would use what is not there any more.
  @Test func staleness() {
    let request = Transaction(source: sid, address: iova, access: .write)
    let steps: [(String, [(UInt64, UInt64)])] = [
      ("[13a28]=77777003", [(0x123_0032, 0x1234_5000)]), ("[13a28]=abcde001", [(0x123_0022, 0)]),
      ("[12488]=0", [(0x12, 0)]), ("[5000]=0", [(0x123_0017, 0), (0x123_0022, 0)]),
      ("[2520]=0", [(0x11, 0), (0x37, 0), (0x12, 0)]),
    ]
    for (change, flush) in steps {
      let rig = secondStage()
      #expect(!rig.unit.isStale(request))
      _ = rig.dma(.write, iova)
      #expect(!rig.unit.isStale(request))
      rig.put(change)
      #expect(rig.unit.isStale(request), "\(change)")
      rig.submit(flush)
      #expect(!rig.unit.isStale(request), "\(change)")
    }
  }

  /// Whatever the policy, what is cached is right as long as nothing changes.
  @Test(arguments: [
    VTdCachePolicy.none, .direct(capacityLg2: 0), .direct(capacityLg2: 4), .infinite, .random(seed: 7),
  ]) func policies(policy: VTdCachePolicy) {
    var configuration = Rig.configuration
    configuration.cachePolicy = policy
    let rig = secondStage(configuration)
    for page: UInt64 in 0..<512 { rig[0x13000 + 8 * page] = page << 20 | 3 }
    var dice = Dice(3)
    var cached = 0
    for _ in 0..<20_000 {
      let page = dice.below(512 as UInt64)
      let found = rig.dma(.write, 0x1220_0000 + page << 12 + 5).translation
      #expect(found?.address == page << 20 + 5)
      if found?.fromCache == true { cached += 1 }
    }
    switch policy {
    case .none: #expect(cached == 0)
    case .direct(let lg2): #expect(lg2 == 0 ? cached < 200 : cached < 2000)
    case .infinite: #expect(cached == 20_000 - 512)
    case .random: #expect((200...19_000).contains(cached))
    }
  }

  /// The infinite cache keeps what its slots cannot, and forgets it when told.
  @Test func infinite() {
    let rig = secondStage()
    // 2 MiB pages over 64 GiB: far more 4 KiB pieces than slots.
    for index: UInt64 in 0..<512 { rig[0x12000 + 8 * index] = index << 21 | 0x83 }
    for index: UInt64 in 0..<10_000 { _ = rig.dma(.read, index * 0x1_A000 & 0x3FFF_FFFF) }
    for index: UInt64 in 0..<512 { rig[0x12000 + 8 * index] = 0 }
    var stale = 0
    for index: UInt64 in 0..<10_000 where rig.dma(.read, index * 0x1_A000 & 0x3FFF_FFFF).translation != nil {
      stale += 1
    }
    #expect(stale == 10_000)
    rig.submit([(0x123_0022, 0)])
    #expect(rig.dma(.read, 0x1_A000).brief == "-79")
    #expect(rig.dma(.read, 0).brief == "-79")
  }
}
