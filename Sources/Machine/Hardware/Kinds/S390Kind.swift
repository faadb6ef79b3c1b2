// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Seams
internal import UAPI

// s390's PCI. Two machines differ in what RPCIT is for: a logical partition of a real one caches what it walks, and
// QEMU as a hypervisor mirrors tables. A profile is the defaults of either; each can be changed.

extension IOMMUKind {
  static let s390 = IOMMUKind(
    name: "s390", summary: "s390 zPCI: tables per function, refreshed by instruction",
    options: [
      Option("profile", .words(["lpar", "kvm"]), "defaults of a logical partition (default), or of QEMU"),
      Option("dtsm", .number, "designations that work, 0x80 >> type; default 0xfc, kvm 0x40"),
      Option("tlb-refresh", .flag, "translations are mirrored: RPCIT after map as well; default off, kvm on"),
      Option("rtr-avail", .flag, "functions may be registered 1:1; default on, kvm off"),
      Option("direct-subtracts-base", .flag, "1:1 is relative to sdma; default off, kvm on"),
      Option("blocked-may-translate", .flag, "DMA works in blocked state; default off, kvm on"),
      Option("sdma", .number, "first address that functions may use; default 0x100000000"),
      Option("edma", .number, "last address that functions may use; default 0x3ffffffffff"),
      Option("ism", .flag, "functions are internal shared memory; default off"),
      Option("ism-pal-off-by-one", .flag, "the hardware takes their limit a page too far; default on"),
      Option("msia", .number, "where writes are interrupts; default 0xfe00000000000000"),
      Option("qemu-strict-registration", .flag, "bad windows and anchors are refused; default on"),
      Option("te-zero-invalte", .flag, "an entry of zeros is INVALTE; default on"),
      Option("rpcit-no-memory", .flag, "RPCIT always ends with status 16; default off"),
      Option("cc-busy-retries", .number, "times that instructions answer busy at first; default 0"),
      Option("mirror-pages", .number, "pages that can be mirrored; default 1048576"),
      Option("cache-lg2", .number, "slots of the translation cache as a power of two, 0 to 20; default 12"),
      Option("cache", .flag, "translations are cached; default on"),
      Option("events", .number, "events that can wait; default 256"),
      Option(
        "aperture", .number, "kernel: s390_iommu_aperture, windows in sizes of memory, 0 unbounded; default 1"
      ),
      Option("passthrough", .flag, "kernel: the default domain is 1:1 where it can be; default off"),
      Option(
        "origin", .words(["auto", "rt", "rs", "rf"]), "kernel: least region table of a domain; default auto"),
      Option("recovery", .flag, "kernel: functions are recovered from errors; default on"),
    ],
    makeHardware: { site throws(Errno) in
      ZPCIIOMMU(memory: site.memory, configuration: try configuration(site.choices))
    },
    bringUp: { site, port throws(Errno) in
      guard let instructions = port as? any RegisterPort & PCIInstructions else {
        throw .ENODEV("the machine has no instructions for PCI")
      }
      try site.failures.pass(.allocation, "the host bridge")
      let choices = site.choices
      var settings = ZPCIHost.Settings()
      settings.apertureFactor = UInt32(
        truncatingIfNeeded: try bounded(choices, "aperture", 0...UInt64(UInt32.max), default: 1))
      settings.passthrough = choices.flag("passthrough", default: false)
      settings.recovers = choices.flag("recovery", default: true)
      settings.leastRegions = ["rs": 2, "rf": 3][choices.words["origin"] ?? "auto"] ?? 1
      let shared = site.driver {
        ZPCIDriver(site.personality, memory: site.memory, failures: site.failures)
      }
      guard let driver = shared as? ZPCIDriver else { throw .ENODEV("the driver is of another kind") }
      let relaxed = choices.flag("rtr-avail", default: !isHypervisor(choices))
      return ZPCIHost(
        name: site.name, driver: driver, port: instructions, relaxed: relaxed, settings: settings)
    },
    connect: { hardware, fabric in (hardware as? ZPCIIOMMU)?.connect(fabric) },
    plug: { hardware, function throws(Errno) in
      // The FID is segment and requester ID.
      guard (hardware as? ZPCIIOMMU)?.plug(id: function.source) != nil else {
        throw .ENOSPC("there is no room for another function", UInt64(function.source))
      }
    },
    unplug: { hardware, function in
      guard let zpci = hardware as? ZPCIIOMMU, let handle = zpci.handle(id: function.source) else { return }
      _ = zpci.unplug(handle)
    })

  private static func isHypervisor(_ choices: Choices) -> Bool { choices.words["profile"] == "kvm" }

  private static func bounded(
    _ choices: Choices, _ name: String, _ range: ClosedRange<UInt64>, default standard: UInt64
  ) throws(Errno) -> UInt64 {
    let value = choices.numbers[name] ?? standard
    guard range.contains(value) else {
      throw .EINVAL("no zPCI has such a number", value, range.upperBound)
    }
    return value
  }

  private static func configuration(_ choices: Choices) throws(Errno) -> ZPCIIOMMU.Configuration {
    let kvm = isHypervisor(choices)
    var made = ZPCIIOMMU.Configuration()
    made.group.designations = UInt8(
      truncatingIfNeeded: try bounded(choices, "dtsm", 0...0xFF, default: kvm ? 0x40 : 0xFC))
    made.group.refreshes = choices.flag("tlb-refresh", default: kvm)
    made.group.relaxedTranslation = choices.flag("rtr-avail", default: !kvm)
    made.group.messageAddress = choices.numbers["msia"] ?? made.group.messageAddress
    guard made.group.messageAddress & (ZPCI.messageWindow - 1) == 0 else {
      throw .EINVAL("the message address is not a multiple of a page", made.group.messageAddress)
    }
    made.directSubtractsBase = choices.flag("direct-subtracts-base", default: kvm)
    made.blockedMayTranslate = choices.flag("blocked-may-translate", default: kvm)
    made.strictRegistration = choices.flag("qemu-strict-registration", default: true)
    made.acceptsISMLimit = choices.flag("ism-pal-off-by-one", default: true)
    made.zeroEntryIsInvalid = choices.flag("te-zero-invalte", default: true)
    made.refusesRefresh = choices.flag("rpcit-no-memory", default: false)
    made.busyAnswers = Int(try bounded(choices, "cc-busy-retries", 0...1_000_000, default: 0))
    made.mirrorCapacity = Int(try bounded(choices, "mirror-pages", 0...(1 << 24), default: 1 << 20))
    made.translationsLg2 = Int(try bounded(choices, "cache-lg2", 0...20, default: 12))
    made.cachesTranslations = choices.flag("cache", default: true)
    made.firstDMA = choices.numbers["sdma"] ?? made.firstDMA
    made.lastDMA = choices.numbers["edma"] ?? made.lastDMA
    if choices.flag("ism", default: false) { made.functionType = ZPCI.CLP.typeISM }
    made.eventCapacity = Int(try bounded(choices, "events", 1...65536, default: 256))
    return made
  }
}
