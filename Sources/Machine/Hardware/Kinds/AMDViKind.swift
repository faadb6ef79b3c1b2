// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import IOMMU
internal import Memory
internal import UAPI

extension IOMMUKind {
  /// AMD-Vi. Publication 48882; the driver is that of `drivers/iommu/amd`.
  public static let amdvi = IOMMUKind(
    name: "amd", summary: "AMD I/O virtualization (IOMMU), publication 48882",
    options: AMDViChoices.options,
    makeHardware: { site throws(Errno) in
      AMDVi(memory: site.memory, configuration: try AMDViChoices(site.choices).hardware)
    },
    bringUp: { site, port throws(Errno) in
      let platform = try AMDViChoices(site.choices).platform
      let driver = site.driver {
        AMDViDriver.make(site.personality, platform, memory: site.memory, failures: site.failures)
      }
      guard let driver = driver as? AMDViDriver else { throw .ENODEV("the kind has another driver") }
      return try driver.add(site.name, port, platform)
    },
    connect: { hardware, fabric in (hardware as? AMDVi)?.fabric = fabric })
}

/// The choices of an AMD-Vi IOMMU, as both halves take them.
private struct AMDViChoices {
  let hardware: AMDVi.Configuration
  let platform: AMDViPlatform

  // MARK: Options

  static let options: [IOMMUKind.Option] = [
    .init(
      "profile", .words(profiles.map(\.name)),
      "whose feature registers: nesting (everything, the default), genoa, zen2, apu, ryzen7040, snp, qemu"),
    .init("efr", .number, "the extended feature register, instead of the profile's"),
    .init("efr2", .number, "the second extended feature register, instead of the profile's"),
    .init("no-efr", .flag, "the capability block says that there are no extended features"),
    .init("np-cache", .flag, "entries that are not present are cached; on for the profile qemu"),
    .init("iotlb", .flag, "functions may have caches of their own, ATS; on by default"),
    .init("snp", .flag, "firmware turned SNP on; on for the profile snp"),
    .init("pa-bits", .number, "bits of a physical address, 32 to 52; 52 by default"),
    .init("revision-3.11", .flag, "bits that revision 3.11 of the manual gave a meaning are not reserved"),
    // Firmware and PCI.
    .init("segment", .number, "the PCI segment; 0 by default"),
    .init("last-bus", .number, "the highest bus that firmware names; 255 by default"),
    .init("ht-tunnel", .flag, "HtTunEn, as firmware asks for; on by default"),
    .init("unity-first", .number, "first address that firmware wants mapped one to one (IVMD)"),
    .init("unity-last", .number, "last address of that range"),
    .init("sysmgt", .number, "SysMgt in every device table entry, as firmware asks for; 0 by default"),
    .init("domains-elsewhere", .number, "domain IDs of other functions, as a bit set; 0 by default"),
    .init("waits-elsewhere", .number, "completion waits that were done for other functions; 0 by default"),
    // The kernel's command line.
    .init("pgtbl", .words(["v1", "v2"]), "tables of domains that ask for neither version; v1 by default"),
    .init(
      "la57", .flag, "the processor has five levels of page tables, and guest tables too; off by default"),
    .init("intremap", .flag, "interrupts are remapped; on by default"),
    .init("x2apic", .flag, "interrupts have x2APIC destinations; off by default"),
    .init("irt-cache-off", .flag, "interrupt table entries are not cached; off by default"),
    .init(
      "default-domain", .words(["auto", "dma", "identity"]),
      "what functions are on before anybody takes them; auto: identity for those with PASIDs"),
    // Doubts and quirks.
    .init("tv0", .words(["abort", "event", "pass"]), "an entry with V=1 and TV=0; abort by default"),
    .init("nested-faults", .words(["host", "guest"]), "whose address a fault of the host stage has"),
    .init("misaligned-leaf", .flag, "address bits below a leaf's size are reserved; on by default"),
    .init("accessed-on-fault", .flag, "upper levels are marked accessed although a lower one refuses"),
    .init(
      "leaf-512g", .words(["works", "rejected", "mistranslated"]), "leaves of 512 GiB; works by default"),
    .init("erratum-63", .flag, "SysMgt=1 with IW=0 aborts"),
    .init(
      "log-delay", .number, "accesses between a log's tail and its bytes (errata 732, 733); 0 by default"),
    .init("erbt1312", .flag, "an interrupt bit that is set while it is cleared is lost"),
    .init("ats-write-check", .flag, "answers to ATS heed IW; on by default"),
    // Caches.
    .init("cache", .words(["keep", "none", "random"]), "how long cached entries stay; keep by default"),
    .init("cache-seed", .number, "for cache=random"),
    .init(
      "cache-size", .number, "slots of the translation cache as a base-2 logarithm, 0 to 20; 12 by default"),
    .init("table-cache", .flag, "pointers to tables are cached; on by default"),
  ]

  private static let profiles: [(name: String, configuration: AMDVi.Configuration)] = [
    ("nesting", .nesting), ("genoa", .init(extendedFeatures: AMDVi.Profile.genoa)),
    ("zen2", .init(extendedFeatures: AMDVi.Profile.zen2)),
    ("apu", .init(extendedFeatures: AMDVi.Profile.apu)),
    ("ryzen7040", .init(extendedFeatures: AMDVi.Profile.ryzen7040)), ("snp", .snpHost), ("qemu", .qemu),
  ]

  // MARK: Reading

  private struct Reader {
    let choices: IOMMUKind.Choices

    func flag(_ name: String, _ standard: Bool) -> Bool { choices.flag(name, default: standard) }

    func number(_ name: String, in range: ClosedRange<UInt64>, _ standard: UInt64) throws(Errno) -> UInt64 {
      let value = choices.numbers[name] ?? standard
      guard range.contains(value) else {
        throw .EINVAL("an option is out of its range", value, range.upperBound)
      }
      return value
    }

    func word<T>(_ name: String, _ table: [(String, T)]) throws(Errno) -> T {
      let word = choices.words[name] ?? table[0].0
      guard let row = table.first(where: { $0.0 == word }) else {
        throw .EINVAL("an option has no such word")
      }
      return row.1
    }
  }

  /// - Throws: EINVAL.
  init(_ choices: IOMMUKind.Choices) throws(Errno) {
    let read = Reader(choices: choices)
    var hardware = try read.word("profile", Self.profiles.map { ($0.name, $0.configuration) })
    hardware.extendedFeatures = choices.numbers["efr"] ?? hardware.extendedFeatures
    hardware.extendedFeatures2 = choices.numbers["efr2"] ?? hardware.extendedFeatures2
    hardware.efrSupported = !read.flag("no-efr", false)
    hardware.npCache = read.flag("np-cache", hardware.npCache)
    hardware.iotlbSupported = read.flag("iotlb", true)
    hardware.snpEnabled = read.flag("snp", hardware.snpEnabled)
    hardware.physicalAddressBits = Int(try read.number("pa-bits", in: 32...52, 52))
    hardware.revision311 = read.flag("revision-3.11", false)
    hardware.segment = UInt16(try read.number("segment", in: 0...0xFFFF, 0))
    try Self.readQuirks(read, &hardware)
    self.hardware = hardware
    platform = try Self.readPlatform(read, hardware)
  }

  private static func readQuirks(_ read: Reader, _ hardware: inout AMDVi.Configuration) throws(Errno) {
    hardware.translationInvalid = try read.word(
      "tv0", [("abort", .abort), ("event", .abortWithEvent), ("pass", .pass)])
    hardware.nestedFaultsNameGuest = try read.word("nested-faults", [("host", false), ("guest", true)])
    hardware.misalignedLeafIsReserved = read.flag("misaligned-leaf", true)
    hardware.accessedOnFault = read.flag("accessed-on-fault", false)
    hardware.leaf512G = try read.word(
      "leaf-512g", [("works", .works), ("rejected", .rejected), ("mistranslated", .mistranslated)])
    hardware.erratum63 = read.flag("erratum-63", false)
    hardware.logDelay = Int(try read.number("log-delay", in: 0...1000, 0))
    hardware.erbt1312 = read.flag("erbt1312", false)
    hardware.atsWriteCheck = read.flag("ats-write-check", true)
    let seed = read.choices.numbers["cache-seed"] ?? 1
    hardware.cachePolicy = try read.word(
      "cache", [("keep", .keep), ("none", .none), ("random", .random(seed: seed))])
    hardware.cacheCapacityLg2 = Int(try read.number("cache-size", in: 0...20, 12))
    hardware.cachesTables = read.flag("table-cache", true)
  }

  private static func readPlatform(_ read: Reader, _ hardware: AMDVi.Configuration) throws(Errno)
    -> AMDViPlatform
  {
    var platform = AMDViPlatform()
    platform.capabilityHeader = hardware.capabilityHeader
    platform.segment = hardware.segment
    platform.lastDeviceID = UInt16(try read.number("last-bus", in: 0...255, 255)) << 8 | 0xFF
    platform.htTunnel = read.flag("ht-tunnel", true)
    platform.snpEnabled = hardware.snpEnabled
    if let first = read.choices.numbers["unity-first"] {
      let last = read.choices.numbers["unity-last"] ?? (first | 0xFFF)
      guard first & 0xFFF == 0, last & 0xFFF == 0xFFF, first <= last else {
        throw .EINVAL("the unity range is not whole pages", first, last)
      }
      platform.unityRegion = ReservedRegion(first, last, .direct)
    }
    platform.persistentEntryBits[1] = try read.number("sysmgt", in: 0...3, 0) << 40
    platform.domainsElsewhere = read.choices.numbers["domains-elsewhere"] ?? 0
    platform.waitsElsewhere = read.choices.numbers["waits-elsewhere"] ?? 0
    platform.tables = try read.word("pgtbl", [("v1", .v1), ("v2", .v2)])
    platform.fiveLevelProcessor = read.flag("la57", false)
    platform.remapsInterrupts = read.flag("intremap", true)
    platform.x2apic = read.flag("x2apic", false)
    platform.disablesInterruptCache = read.flag("irt-cache-off", false)
    platform.defaultDomain = try read.word(
      "default-domain", [("auto", .automatic), ("dma", .dma), ("identity", .identity)])
    return platform
  }
}
