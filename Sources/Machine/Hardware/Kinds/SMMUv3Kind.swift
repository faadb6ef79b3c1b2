// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

extension IOMMUKind {
  /// Arm's System MMU, version 3, by default a current one at full size; with `cmdqv`, Tegra241's queues in front.
  public static let smmuv3 = IOMMUKind(
    name: "smmuv3", summary: "Arm SMMUv3, with the command queues of Tegra241 on request",
    options: SMMUv3Choices.options, makeHardware: SMMUv3Choices.makeHardware, bringUp: SMMUv3Choices.bringUp,
    connect: { hardware, fabric in (hardware as? SMMUv3)?.fabric = fabric })
}

/// What can be chosen of an SMMUv3.
private enum SMMUv3Choices {
  /// Options that are a bit of an identification register, by the manual's name.
  static let bits: [(name: String, feature: SMMUv3.Feature, summary: String)] = [
    ("s1", .stage1, "translates in stage 1"),
    ("s2", .stage2, "translates in stage 2"),
    ("cohacc", .coherentAccess, "its own accesses snoop the caches"),
    ("btm", .broadcastTLBMaintenance, "hears TLB maintenance of processors"),
    ("hyp", .hypervisor, "has the EL2 worlds"),
    ("ats", .ats, "answers translation requests of devices"),
    ("pri", .pri, "takes page requests of devices"),
    ("asid16", .asid16, "ASIDs have 16 bits instead of 8"),
    ("vmid16", .vmid16, "VMIDs have 16 bits instead of 8"),
    ("msi", .messages, "interrupts by message instead of wire"),
    ("sev", .events, "wakes processors"),
    ("cd2l", .twoLevelContexts, "context tables may have two levels"),
    ("st2l", .twoLevelStreams, "the stream table may have two levels"),
    ("fwb", .forcedWriteBack, "stage 2 can force write-back, which vIOMMUs need"),
    ("ril", .rangeInvalidation, "invalidates ranges"),
    ("attr-types-ovr", .typesOverride, "stream table entries override memory types"),
    ("gran4k", .granule4K, "tables of 4 KiB"),
    ("gran16k", .granule16K, "tables of 16 KiB"),
    ("gran64k", .granule64K, "tables of 64 KiB"),
    ("vax", .wideVirtual, "virtual addresses of 52 bits with 64 KiB tables (off)"),
  ]

  static let options: [IOMMUKind.Option] =
    bits.map { IOMMUKind.Option($0.name, .flag, $0.summary) } + [
      .init(
        "profile", .words(["full", "plain", "mmu600", "mmu700"]),
        "where the options start from: everything (the default), QEMU's model, an MMU-600 r2p0 or MMU-700 r1p1"
      ),
      .init("idr0", .number, "IDR0 as a whole; likewise the next five"),
      .init("idr1", .number, "IDR1"),
      .init("idr3", .number, "IDR3"),
      .init("idr5", .number, "IDR5"),
      .init("iidr", .number, "IIDR: implementer and part, for its errata"),
      .init("aidr", .number, "AIDR: version of the architecture"),
      .init("oas", .number, "bits of an output address: 32, 36, 40, 42, 44, 48 (default) or 52"),
      .init(
        "httu", .number, "0 no hardware updates, 1 accessed, 2 accessed and dirty (default), 3 also in tables"
      ),
      .init("stall", .words(["optional", "none", "forced"]), "whether faults can wait for software"),
      .init("sid-bits", .number, "bits of a StreamID, 16 by default"),
      .init("ssid-bits", .number, "bits of a SubstreamID (PASID), 20 by default"),
      .init("cmdq-lg2", .number, "largest command queue, 2^N entries, 19 by default"),
      .init("evtq-lg2", .number, "largest event queue"),
      .init("priq-lg2", .number, "largest page request queue"),
      .init("tlb-lg2", .number, "translations cached, 2^N, 12 by default"),
      .init("walk-cache", .flag, "table pointers are cached (on)"),
      .init("cache-invalid", .flag, "configuration that is not valid is cached (off)"),
      .init("repeat-tlbi", .flag, "an erratum: each invalidation must come twice (off)"),
      .init("over-invalidate", .flag, "every TLBI drops everything (off)"),
      .init("honor-ttl", .flag, "a TLBI with a level leaves other levels alone (on)"),
      .init("merge-events", .flag, "identical event records become one (off)"),
      .init("contiguous-hint", .flag, "contiguous runs are cached as one (off)"),
      .init("report-conflicts", .flag, "unpredictable configurations are events (off)"),
      .init("strict-start", .flag, "stage 2 must concatenate where the architecture says so (on)"),
      .init("lazy-invalidate", .flag, "invalidations act at the next SYNC (off)"),
      .init("page0-only", .flag, "the registers of page 1 are in page 0 (off)"),
      .init("cmdqv", .flag, "Tegra241's virtual command queues (off)"),
      .init("cmdqv-queues-lg2", .number, "virtual queues in all, 2^N, 7 by default"),
      .init("cmdqv-interfaces-lg2", .number, "virtual interfaces, 2^N, 6 by default"),
      .init("cmdqv-streams-lg2", .number, "streams of an interface, 2^N, 4 by default"),
      .init("coherent", .flag, "firmware says that DMA and walks snoop; as COHACC by default"),
      .init("canwbs", .flag, "firmware says that all DMA can be made write-back (off)"),
      .init("can-stall", .flag, "firmware says that devices stall on faults (off)"),
      .init("isolated-msi", .flag, "interrupts of devices are told apart (on)"),
      .init("vhe", .flag, "the kernel runs at EL2 with the host extensions (on)"),
      .init("passthrough", .flag, "devices that nobody owns reach memory one to one (off)"),
      .init("skip-prefetch", .flag, "PREFETCH_CFG is not used (off)"),
      .init("msi-polling", .flag, "CMD_SYNC tells by message that it is done (on)"),
      .init("msi-irq", .flag, "the SMMU's interrupts are messages, where it has them (on)"),
      .init("dirty-flush", .flag, "cleared dirty bits are followed by a TLBI, which Linux leaves out (on)"),
      .init("asids-in-use", .number, "ASIDs that others have, 0 by default"),
    ]

  // MARK: Hardware

  static func makeHardware(_ site: IOMMUKind.Site) throws(Errno) -> any IOMMUHardware {
    SMMUv3(try configuration(site.choices), memory: site.memory)
  }

  private static func configuration(_ choices: IOMMUKind.Choices) throws(Errno) -> SMMUv3.Configuration {
    var made: SMMUv3.Configuration
    switch choices.words["profile"] ?? "full" {
    case "plain": made = .plain
    case "mmu600":
      made = .mmu600(revision: 0)
      made.iidr |= 2 << 16
    case "mmu700":
      made = .mmu700
      made.iidr |= 1 << 16 | 1 << 12
    default: made = SMMUv3.Configuration()
    }
    func put(_ name: String, _ register: WritableKeyPath<SMMUv3.Configuration, UInt32>) {
      if let value = choices.numbers[name] { made[keyPath: register] = UInt32(truncatingIfNeeded: value) }
    }
    put("idr0", \.idr0)
    put("idr1", \.idr1)
    put("idr3", \.idr3)
    put("idr5", \.idr5)
    put("iidr", \.iidr)
    put("aidr", \.aidr)
    for (name, feature, _) in bits {
      if let value = choices.numbers[name] { made.set(feature, value != 0) }
    }
    try setSizes(&made, choices)
    setSwitches(&made, choices)
    return made
  }

  private static func setSizes(_ made: inout SMMUv3.Configuration, _ choices: IOMMUKind.Choices) throws(Errno)
  {
    let sizes: [(String, SMMUv3.Size)] = [
      ("oas", .outputBits), ("httu", .tableUpdates), ("sid-bits", .streamBits), ("ssid-bits", .substreamBits),
      ("cmdq-lg2", .commandQueue), ("evtq-lg2", .eventQueue), ("priq-lg2", .requestQueue),
    ]
    for (name, size) in sizes {
      guard let value = choices.numbers[name] else { continue }
      guard made.set(size, value) else { throw .EINVAL("no SMMU has such a size", value) }
    }
    if let word = choices.words["stall"] {
      let model: UInt64 = word == "none" ? 1 : word == "forced" ? 2 : 0
      _ = made.set(.stallModel, model)
    }
  }

  private static func setSwitches(_ made: inout SMMUv3.Configuration, _ choices: IOMMUKind.Choices) {
    func small(_ name: String, _ standard: Int) -> Int {
      choices.numbers[name].map { Int(clamping: $0) } ?? standard
    }
    made.translationCacheLg2 = small("tlb-lg2", made.translationCacheLg2)
    made.walkCache = choices.flag("walk-cache", default: true)
    made.cachesInvalidConfiguration = choices.flag("cache-invalid", default: false)
    made.needsRepeatedInvalidations = choices.flag("repeat-tlbi", default: false)
    made.overInvalidates = choices.flag("over-invalidate", default: false)
    made.honorsTTL = choices.flag("honor-ttl", default: true)
    made.mergesEvents = choices.flag("merge-events", default: false)
    made.usesContiguousHint = choices.flag("contiguous-hint", default: false)
    made.reportsConflicts = choices.flag("report-conflicts", default: false)
    made.strictStartLevel = choices.flag("strict-start", default: true)
    made.completesInvalidationsAtSync = choices.flag("lazy-invalidate", default: false)
    made.page0Only = choices.flag("page0-only", default: false)
    if choices.flag("cmdqv", default: false) {
      var front = Tegra241CMDQV.Configuration()
      front.queuesLg2 = small("cmdqv-queues-lg2", front.queuesLg2)
      front.vintfsLg2 = small("cmdqv-interfaces-lg2", front.vintfsLg2)
      front.streamsLg2 = small("cmdqv-streams-lg2", front.streamsLg2)
      made.cmdqv = front
    }
  }

  // MARK: Driver

  static func bringUp(_ site: IOMMUKind.Site, _ port: any RegisterPort) throws(Errno) -> HardwareIOMMU {
    let driver = site.driver {
      SMMUv3Driver(site.personality, memory: site.memory, failures: site.failures)
    }
    guard let driver = driver as? SMMUv3Driver else { throw .EINVAL("the driver is another kind's") }
    let choices = site.choices
    var platform = SMMUv3Platform()
    platform.coherent = choices.numbers["coherent"].map { $0 != 0 }
    platform.canWriteBack = choices.flag("canwbs", default: false)
    platform.devicesStall = choices.flag("can-stall", default: false)
    platform.isolatesInterrupts = choices.flag("isolated-msi", default: true)
    platform.runsAtEL2 = choices.flag("vhe", default: true)
    platform.passesThrough = choices.flag("passthrough", default: false)
    platform.skipsPrefetch = choices.flag("skip-prefetch", default: false)
    platform.page0Only = choices.flag("page0-only", default: false)
    platform.pollsMessages = choices.flag("msi-polling", default: true)
    if !choices.flag("msi-irq", default: true) { platform.doorbell = nil }
    platform.flushesDirty = choices.flag("dirty-flush", default: true)
    platform.asidsInUse = Int(clamping: choices.numbers["asids-in-use"] ?? 0)
    if choices.flag("cmdqv", default: false) { platform.cmdqv = SMMUv3.cmdqvWindow }
    return try driver.bringUp(site.name, port, platform)
  }
}
