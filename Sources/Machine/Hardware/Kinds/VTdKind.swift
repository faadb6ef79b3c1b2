// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

// Intel VT-d in a machine: a profile of capability registers, single capabilities that differ from it, how the
// hardware caches and where it departs from the manual, and what the kernel's command line and firmware say.

extension IOMMUKind {
  /// Intel VT-d.
  public static let vtd = IOMMUKind(
    name: "vtd", summary: "Intel VT-d: legacy and scalable mode, both stages, nesting, ATS and page requests",
    options: VTdChoices.options,
    makeHardware: { (site) throws(Errno) -> any IOMMUHardware in
      VTdUnit(memory: site.memory, fabric: nil, configuration: try VTdChoices.configuration(site.choices))
    },
    bringUp: { (site, port) throws(Errno) -> HardwareIOMMU in
      let shared = site.driver {
        VTdDriver(site.personality, memory: site.memory, failures: site.failures)
      }
      guard let driver = shared as? VTdDriver else { throw .ENODEV("another driver has this kind") }
      let unit = try driver.bringUp(site.name, port, try VTdChoices.driverOptions(site.choices))
      for source in VTdChoices.hostFunctions(site.choices) {
        let segment = UInt16(truncatingIfNeeded: site.choices.numbers["segment"] ?? 0)
        try driver.addHostFunction(PCIFunction(segment: segment, requesterID: source), behind: unit)
      }
      return unit
    },
    connect: { hardware, fabric in (hardware as? VTdUnit)?.connect(to: fabric) })
}

/// What can be chosen of a VT-d unit.
private enum VTdChoices {
  /// A capability with an option of its own.
  struct Capability {
    enum Register { case cap, ecap }
    let name: String
    let register: Register
    let field: VTd.Field
    let summary: String

    init(_ name: String, _ register: Register, _ field: VTd.Field, _ summary: String) {
      self.name = name
      self.register = register
      self.field = field
      self.summary = summary
    }
  }

  static let capabilities: [Capability] = [
    .init("nd", .cap, VTd.Cap.nd, "domain IDs: 2^(4 + 2 nd)"),
    .init("rwbf", .cap, VTd.Cap.rwbf, "the write buffer has to be flushed"),
    .init("caching-mode", .cap, VTd.Cap.cm, "what is not present may be cached"),
    .init("sagaw", .cap, VTd.Cap.sagaw, "second-stage widths, bit 1 for 39, 2 for 48, 3 for 57 bits"),
    .init("sslps", .cap, VTd.Cap.sslps, "second-stage large pages, bit 0 for 2 MiB, 1 for 1 GiB"),
    .init("psi", .cap, VTd.Cap.psi, "page-selective invalidation"),
    .init("mamv", .cap, VTd.Cap.mamv, "largest address mask of an invalidation"),
    .init("fs1gp", .cap, VTd.Cap.fs1gp, "first-stage pages of 1 GiB"),
    .init("fs5lp", .cap, VTd.Cap.fs5lp, "first stage with five levels"),
    .init("dwd", .cap, VTd.Cap.dwd, "invalidations drain writes"),
    .init("drd", .cap, VTd.Cap.drd, "invalidations drain reads"),
    .init("esrtps", .cap, VTd.Cap.esrtps, "setting the root table empties the caches"),
    .init("esirtps", .cap, VTd.Cap.esirtps, "setting the interrupt table empties its cache"),
    .init("coherent", .ecap, VTd.ECap.c, "legacy walks snoop"),
    .init("device-tlb", .ecap, VTd.ECap.dt, "address translation services"),
    .init("interrupts", .ecap, VTd.ECap.ir, "interrupt remapping"),
    .init("eim", .ecap, VTd.ECap.eim, "interrupt destinations of 32 bits"),
    .init("pass-through", .ecap, VTd.ECap.pt, "pass-through"),
    .init("snoop-control", .ecap, VTd.ECap.sc, "coherency can be enforced"),
    .init("nesting", .ecap, VTd.ECap.nest, "nested translation"),
    .init("prs", .ecap, VTd.ECap.prs, "page requests"),
    .init("pds", .ecap, VTd.ECap.pds, "page requests can be drained"),
    .init("srs", .ecap, VTd.ECap.srs, "supervisor requests"),
    .init("ers", .ecap, VTd.ECap.ers, "execute requests"),
    .init("nwfs", .ecap, VTd.ECap.nwfs, "write protection for supervisors"),
    .init("eafs", .ecap, VTd.ECap.eafs, "extended accessed flag"),
    .init("pss", .ecap, VTd.ECap.pss, "PASID bits, less one"),
    .init("pasid", .ecap, VTd.ECap.pasid, "requests with PASID"),
    .init("dit", .ecap, VTd.ECap.dit, "device-TLB invalidations are throttled by physical function"),
    .init("smts", .ecap, VTd.ECap.smts, "scalable mode"),
    .init("ssads", .ecap, VTd.ECap.ssads, "second-stage accessed and dirty bits"),
    .init("second-stage", .ecap, VTd.ECap.ssts, "second stage in scalable mode"),
    .init("first-stage", .ecap, VTd.ECap.fsts, "first stage"),
    .init("smpwcs", .ecap, VTd.ECap.smpwcs, "scalable-mode walks snoop"),
  ]

  struct Quirk: Sendable {
    let name: String
    let key: any WritableKeyPath<VTdQuirks, Bool> & Sendable
    let summary: String

    init(_ name: String, _ key: any WritableKeyPath<VTdQuirks, Bool> & Sendable, _ summary: String) {
      self.name = name
      self.key = key
      self.summary = summary
    }
  }

  static let quirks: [Quirk] = [
    .init(
      "legacy-codes", \.legacySecondStageCodes, "scalable mode reports the second stage as legacy mode does"),
    .init(
      "split-second-stage-faults", \.splitsSecondStageFaults, "no permission at all and a missing one differ"),
    .init("snoop-reserved", \.snoopReservedInTables, "bit 11 of second-stage table entries is reserved"),
    .init("execute-present", \.executeMakesPresent, "the execute bit makes a second-stage entry present"),
    .init(
      "accessed-on-fault", \.setsAccessedOnFault, "accessed bits are set by requests that fault further down"),
    .init("unsnooped-update-faults", \.faultsOnUnsnoopedUpdate, "walks that do not snoop set no bits"),
    .init("no-atomics", \.atomicsUnsupported, "memory refuses to set accessed and dirty bits"),
    .init("erratum-772415", \.errata772415, "bits are set in read-only pages of the second stage"),
    .init("sticky-missing", \.negativeCacheSticky, "what was not present is so until it is invalidated"),
    .init("cached-permissions", \.cachesPermissionFaults, "a cached translation denies without another look"),
    .init(
      "pasid-flush-reaches-pass-through", \.pasidInvalidationReachesPassThrough,
      "PASID invalidations remove pass-through entries"),
    .init("pasid-mask-checked", \.checksPASIDInvalidationMask, "masks above MAMV are errors for PASIDs too"),
    .init("overflow-answers", \.answersOverflowingRequests, "requests that find the queue full are answered"),
    .init(
      "ats-faults-recorded", \.recordsTranslationRequestFaults, "denied translation requests are recorded"),
    .init("faults-collapse", \.collapsesFaults, "a requester has one fault pending at a time"),
    .init("timeout-named", \.namesTimedOutDevice, "an invalidation time-out names the device"),
    .init("enable-empties", \.dropsCachesOnEnable, "turning translation on and off empties the caches"),
  ]

  static let options: [Option] =
    [
      Option("profile", .words(VTd.Profile.all.map(\.name)), "capability registers to begin with: full"),
      Option("version", .number, "VER register"), Option("cap", .number, "CAP register, whole"),
      Option("ecap", .number, "ECAP register, whole"),
      Option("mode", .words(["scalable", "legacy"]), "what the driver uses: scalable, where it is there"),
      Option("mgaw", .number, "guest address bits"), Option("haw", .number, "physical address bits: 46"),
      Option("fault-records", .number, "fault recording registers"),
      Option("segment", .number, "PCI segment: 0"),
      Option(
        "cache", .words(["direct", "infinite", "random", "none"]), "translations stay: direct, by slot"),
      Option("cache-size", .number, "slots of a cache, as a base-2 logarithm: 12"),
      Option("cache-seed", .number, "what a random cache does"),
      Option("intremap", .flag, "the driver remaps interrupts: on"),
      Option("x2apic", .flag, "interrupt destinations have 32 bits: off"),
      Option("double-device-flush", .flag, "device-TLBs are invalidated twice, as for QAT: off"),
      Option("rmrr-base", .number, "firmware's reserved memory"),
      Option("rmrr-size", .number, "and its bytes"),
      Option("rmrr-source", .number, "the requester that has it: all"),
      Option("rmrr-relaxable", .flag, "only firmware needs it: off"),
      Option("host-functions", .number, "functions of the host on domains of their own, 0 to 3: 0"),
    ] + capabilities.map { Option($0.name, $0.field.ones == 1 ? .flag : .number, $0.summary) }
    + quirks.map { Option($0.name, .flag, $0.summary) }

  typealias Option = IOMMUKind.Option
  typealias Choices = IOMMUKind.Choices

  /// - Throws: EINVAL.
  static func configuration(_ choices: Choices) throws(Errno) -> VTdConfiguration {
    let name = choices.words["profile"] ?? VTd.Profile.full.name
    guard let profile = VTd.Profile.all.first(where: { $0.name == name }) else {
      throw .EINVAL("VT-d has no such profile")
    }
    var configuration = VTdConfiguration(profile: profile, cachePolicy: try cachePolicy(choices))
    if let version = choices.numbers["version"] {
      configuration.version = UInt32(truncatingIfNeeded: version)
    }
    if let cap = choices.numbers["cap"] { configuration.cap = cap }
    if let ecap = choices.numbers["ecap"] { configuration.ecap = ecap }
    for capability in capabilities {
      guard let value = choices.numbers[capability.name] else { continue }
      guard value <= capability.field.ones else {
        throw .EINVAL("a capability does not fit into its field", value, capability.field.ones)
      }
      switch capability.register {
      case .cap: set(&configuration.cap, capability.field, value)
      case .ecap: set(&configuration.ecap, capability.field, value)
      }
    }
    if let width = choices.numbers["mgaw"] {
      guard (31...64).contains(width) else { throw .EINVAL("VT-d has 31 to 64 guest address bits", width) }
      set(&configuration.cap, VTd.Cap.mgaw, width - 1)
    }
    if let count = choices.numbers["fault-records"] {
      guard (1...256).contains(count) else { throw .EINVAL("VT-d has 1 to 256 fault records", count) }
      set(&configuration.cap, VTd.Cap.nfr, count - 1)
    }
    if let width = choices.numbers["haw"] {
      guard (32...52).contains(width) else { throw .EINVAL("VT-d has 32 to 52 physical address bits", width) }
      configuration.hostAddressWidth = width
    }
    let segment = choices.numbers["segment"] ?? 0
    guard segment <= 0xFFFF else { throw .EINVAL("a PCI segment has 16 bits", segment) }
    configuration.segment = UInt32(segment)
    for quirk in quirks {
      guard let value = choices.numbers[quirk.name] else { continue }
      configuration.quirks[keyPath: quirk.key] = value != 0
    }
    return configuration
  }

  private static func set(_ register: inout UInt64, _ field: VTd.Field, _ value: UInt64) {
    register = register & ~field.mask | field.with(value)
  }

  private static func cachePolicy(_ choices: Choices) throws(Errno) -> VTdCachePolicy {
    switch choices.words["cache"] ?? "direct" {
    case "direct":
      let size = choices.numbers["cache-size"] ?? 12
      guard size <= 20 else { throw .EINVAL("a cache has up to 2^20 slots", size) }
      return .direct(capacityLg2: Int(size))
    case "infinite": return .infinite
    case "random": return .random(seed: choices.numbers["cache-seed"] ?? 1)
    case "none": return .none
    default: throw .EINVAL("VT-d has no such cache")
    }
  }

  /// - Throws: EINVAL.
  static func driverOptions(_ choices: Choices) throws(Errno) -> VTdIOMMU.Options {
    var options = VTdIOMMU.Options()
    switch choices.words["mode"] ?? "scalable" {
    case "scalable": options.isScalable = true
    case "legacy": options.isScalable = false
    default: throw .EINVAL("VT-d has no such mode")
    }
    options.remapsInterrupts = choices.flag("intremap", default: true)
    options.hasExtendedInterrupts = choices.flag("x2apic", default: false)
    options.doubledDeviceFlushes = choices.flag("double-device-flush", default: false)
    options.segment = UInt16(truncatingIfNeeded: choices.numbers["segment"] ?? 0)
    if let base = choices.numbers["rmrr-base"] {
      let size = choices.numbers["rmrr-size"] ?? 4096
      let (end, overflow) = base.addingReportingOverflow(size &- 1)
      guard size > 0, !overflow else { throw .EINVAL("reserved memory has no end", base, size) }
      options.reservedMemory = [
        VTdIOMMU.ReservedMemory(
          base, end, source: choices.numbers["rmrr-source"].map { UInt16(truncatingIfNeeded: $0) },
          isRelaxable: choices.flag("rmrr-relaxable", default: false))
      ]
    }
    return options
  }

  /// Requester IDs: a host bridge, and functions of the southbridge.
  static func hostFunctions(_ choices: Choices) -> [UInt16] {
    let all: [UInt16] = [0x00, 0xF8, 0xFA]
    return Array(all.prefix(Int(min(choices.numbers["host-functions"] ?? 0, UInt64(all.count)))))
  }
}
