// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import IOMMU
internal import Memory
internal import UAPI

// The ratified RISC-V IOMMU. Without options it has everything that the specification 1.0 and its extensions offer but
// Sv32, big-endian structures, QoS identifiers and wires. Linux 7.2 lets user space have none of its devices; `vfio`
// chooses a kernel that says more.

extension IOMMUKind {
  public static let riscv = IOMMUKind(
    name: "riscv", summary: "RISC-V IOMMU 1.0 with Linux 7.2's driver", options: riscvOptions,
    makeHardware: { site throws(Errno) in
      let configuration = try riscvConfiguration(site.choices)
      return RISCVIOMMU(memory: site.memory, configuration: configuration)
    },
    bringUp: { site, port throws(Errno) in
      guard site.personality.version >= KernelVersion(7, 2) else {
        throw .ENODEV("this kernel has no driver for the RISC-V IOMMU")
      }
      let driver = site.driver { RISCVDriver(memory: site.memory, failures: site.failures) }
      guard let driver = driver as? RISCVDriver else {
        preconditionFailure("two kinds of IOMMUs have one name")
      }
      let place = RISCVInstance.Site(
        memory: site.memory, failures: site.failures,
        wires: Int(min(site.choices.numbers["wire-count"] ?? 4, 16)),
        admission: try riscvWord(site.choices, "vfio", default: RISCVInstance.VFIOAdmission.refuse))
      return try RISCVInstance.bringUp(site.name, driver: driver, port: port, site: place)
    },
    connect: { hardware, fabric in (hardware as? RISCVIOMMU)?.connect(fabric) })

  private static let riscvOptions: [Option] =
    [
      Option(
        "vfio", .words(RISCVInstance.VFIOAdmission.allCases.map(\.rawValue)),
        "devices for user space: `refuse`d as Linux 7.2 does, taken as `coherent`, or with `isolated` messages too"
      ),
      Option("capabilities", .number, "the whole capabilities register, before other options"),
      Option("sv", .number, "widest first stage: 0, 39, 48 or 57 (default)"),
      Option("svx4", .number, "widest second stage: 0, 39, 48 or 57 (default)"),
      Option("sv32", .flag, "Sv32 and Sv32x4, for SXL and GXL (default off)"),
      Option("pas", .number, "bits of a physical address, 32 to 56 (default 50)"),
      Option("levels", .number, "most levels of the device directory: 1, 2 or 3 (default)"),
      Option("pd", .number, "bits of a process_id: 0, 8, 17 or 20 (default)"),
      Option("signals", .words(["messages", "wires", "both"]), "how it interrupts (default messages)"),
      Option("wire-count", .number, "wires that the platform connects (default 4)"),
      Option("vectors-lg2", .number, "interrupt vectors, base-2 logarithm, 0 to 4 (default 3)"),
      Option("queue-lg2", .number, "most entries of a queue, base-2 logarithm, 1 to 31 (default 20)"),
      Option("counters", .number, "event counters, 0 to 31 (default 7)"),
      Option("bare-reset", .flag, "ddtp is Bare after reset, not Off (default off)"),
      Option("ddtp-busy", .number, "reads of ddtp that find it busy after a write (default 0)"),
      Option("big-endian", .flag, "structures are big-endian after reset (default off)"),
      Option("gxl-writable", .flag, "fctl.GXL can be written (default off)"),
      Option("tlb-lg2", .number, "cached translations, base-2 logarithm, 0 to 20 (default 12)"),
      Option("ddt-lg2", .number, "cached device contexts, base-2 logarithm, 0 to 16 (default 6)"),
      Option("pdt-lg2", .number, "cached process contexts, base-2 logarithm, 0 to 16 (default 6)"),
      Option("table-lg2", .number, "cached pointers to tables, base-2 logarithm, 0 to 20 (default 8)"),
      Option("cache-tables", .flag, "pointers to tables are cached (default on)"),
      Option("cache-directories", .flag, "contexts are cached (default on)"),
      Option("cache-translations", .flag, "translations are cached (default on)"),
      Option("cache-ats", .flag, "a translation request fills the translation cache (default off)"),
      Option("over-invalidate", .flag, "IOTINVAL forgets everything (default off)"),
      Option("gvma-whole", .flag, "IOTINVAL.GVMA forgets the whole guest (default off)"),
      Option("napot-strict", .flag, "N with another size than 64 KiB faults (default on)"),
      Option("msi-c-faults", .flag, "C=1 in an MSI PTE is fault 263 (default on)"),
      Option("check-addresses", .flag, "addresses beyond PAS in a context are fault 259 (default off)"),
    ]
    + RISCVIOMMU.Feature.allCases.map { feature in
      Option(
        feature.rawValue, .flag,
        "capability \(feature.rawValue) (default \(riscvStandard[feature] ? "on" : "off"))")
    }

  /// Without options.
  private static let riscvStandard: RISCVIOMMU.Configuration = {
    var configuration = RISCVIOMMU.Configuration()
    configuration[.nl] = true
    configuration[.s] = true
    return configuration
  }()

  private static func riscvConfiguration(_ choices: Choices) throws(Errno) -> RISCVIOMMU.Configuration {
    var made = riscvStandard
    func number(_ name: String, _ allowed: ClosedRange<UInt64>) throws(Errno) -> Int? {
      guard let value = choices.numbers[name] else { return nil }
      guard allowed.contains(value) else {
        throw .EINVAL("an option of the RISC-V IOMMU is out of range", value, allowed.upperBound)
      }
      return Int(value)
    }
    func width(_ name: String, _ allowed: [Int]) throws(Errno) -> Int? {
      guard let value = try number(name, 0...64) else { return nil }
      guard allowed.contains(value) else {
        throw .EINVAL("the RISC-V IOMMU has no such width", UInt64(value))
      }
      return value
    }
    if let capabilities = choices.numbers["capabilities"] { made.capabilities = capabilities }
    for feature in RISCVIOMMU.Feature.allCases {
      made[feature] = choices.flag(feature.rawValue, default: made[feature])
    }
    if let value = try width("sv", [0, 39, 48, 57]) { made.setFirstStage(value) }
    if let value = try width("svx4", [0, 39, 48, 57]) { made.setSecondStage(value) }
    if let value = choices.numbers["sv32"] { made.setSv32(value != 0) }
    if let value = try number("pas", 32...56) { made.setPhysicalBits(UInt64(value)) }
    if let value = try width("pd", [0, 8, 17, 20]) { made.setProcessBits(value) }
    made.setSignalling(try riscvWord(choices, "signals", default: RISCVIOMMU.Signalling.messages))
    made.setBigEndian(choices.flag("big-endian", default: false))
    made.bareAtReset = choices.flag("bare-reset", default: made.bareAtReset)
    made.gxlWritable = choices.flag("gxl-writable", default: made.gxlWritable)
    made.maxDirectoryLevels = try number("levels", 1...3) ?? made.maxDirectoryLevels
    made.directoryBusyReads = try number("ddtp-busy", 0...1_000_000) ?? made.directoryBusyReads
    made.vectorsLg2 = try number("vectors-lg2", 0...4) ?? made.vectorsLg2
    made.queueSizeLg2 = try number("queue-lg2", 1...31) ?? made.queueSizeLg2
    made.counters = try number("counters", 0...31) ?? made.counters
    made.caches.translationsLg2 = try number("tlb-lg2", 0...20) ?? made.caches.translationsLg2
    made.caches.deviceContextsLg2 = try number("ddt-lg2", 0...16) ?? made.caches.deviceContextsLg2
    made.caches.processContextsLg2 = try number("pdt-lg2", 0...16) ?? made.caches.processContextsLg2
    made.caches.tablesLg2 = try number("table-lg2", 0...20) ?? made.caches.tablesLg2
    made.caches.cachesTables = choices.flag("cache-tables", default: true)
    made.caches.cachesDirectories = choices.flag("cache-directories", default: true)
    made.caches.cachesTranslations = choices.flag("cache-translations", default: true)
    made.cachesATS = choices.flag("cache-ats", default: false)
    made.overInvalidates = choices.flag("over-invalidate", default: false)
    made.gvmaIgnoresAddress = choices.flag("gvma-whole", default: false)
    made.strictNAPOT = choices.flag("napot-strict", default: true)
    made.faultsOnCustomMSIPTE = choices.flag("msi-c-faults", default: true)
    made.checksContextAddresses = choices.flag("check-addresses", default: false)
    return made
  }

  /// An option that is one of the words of an enumeration.
  private static func riscvWord<Word: RawRepresentable<String>>(
    _ choices: Choices, _ name: String, default standard: Word
  ) throws(Errno) -> Word {
    guard let text = choices.words[name] else { return standard }
    guard let word = Word(rawValue: text) else {
      throw .EINVAL("the RISC-V IOMMU has no such choice for an option")
    }
    return word
  }
}
