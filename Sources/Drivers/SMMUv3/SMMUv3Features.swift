// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

/// What a driver knows of an SMMU from elsewhere than its registers: firmware tables, the processor, the kernel's
/// command line.
public struct SMMUv3Platform: Sendable {
  /// Firmware says that table walks snoop the caches; nil when it agrees with IDR0.COHACC.
  public var coherent: Bool?
  /// The kernel runs at EL2 with the host extensions, so streams are in the world EL2-E2H where the SMMU has one.
  public var runsAtEL2 = true
  /// The root complex makes every DMA write-back cacheable: `IOMMU_FWSPEC_PCI_RC_CANWBS`.
  public var canWriteBack = false
  /// Devices wait for the answer to a fault: the firmware property `dma-can-stall`.
  public var devicesStall = false
  /// The interrupt controller tells devices apart.
  public var isolatesInterrupts = true
  /// `iommu.passthrough`: devices that nobody owns reach memory one to one.
  public var passesThrough = false
  /// PREFETCH_CFG is broken (a HiSilicon part).
  public var skipsPrefetch = false
  /// The registers of page 1 are in page 0 (an early Cavium part).
  public var page0Only = false
  /// CMD_SYNC tells by message that it is done; `arm-smmu-v3.disable_msipolling` turns it off.
  public var pollsMessages = true
  /// Where the SMMU's own interrupt messages go; nil for wires.
  public var doorbell: UInt64? = 0x0809_0040
  /// ASIDs that others have taken before.
  public var asidsInUse = 0
  /// Cleared dirty bits are followed by an invalidation. As the sources of 7.2 read they are not: the gather of
  /// `iommu_read_and_clear_dirty` has no page size, and `arm_smmu_iotlb_sync` passes such a one over.
  public var flushesDirty = true
  /// Where the Tegra241 CMDQV block is, from the SMMU's registers.
  public var cmdqv: UInt64?

  public init() {}
}

/// What an SMMU can do, as its driver reads it out of the identification registers.
/// Source: `arm_smmu_device_hw_probe`, `arm_smmu_device_iidr_probe`; reference backends-arm-riscv-s390.md A3.1, A5.1.
struct SMMUv3Features: Sendable {
  /// IDR0 to IDR5, IIDR, AIDR.
  let idr: [UInt32]
  let iidr: UInt32
  let aidr: UInt32

  let platform: SMMUv3Platform
  let isOld: Bool

  let stage1: Bool
  let stage2: Bool
  let nesting: Bool
  let coherent: Bool
  let ats: Bool
  let pri: Bool
  let stalls: Bool
  let stallsAlways: Bool
  let tracksDirty: Bool
  let twoLevelStreams: Bool
  let twoLevelContexts: Bool
  let ranges: Bool
  let forcesWriteBack: Bool
  let overridesTypes: Bool
  let hypervisor: Bool
  /// Streams are in the world EL2-E2H.
  let hostWorld: Bool
  /// CMD_SYNC answers by message.
  let syncMessages: Bool
  let interruptMessages: Bool
  /// A batch of commands never fills up without a CMD_SYNC (an erratum).
  let forcesSync: Bool
  let wideVirtual: Bool
  let asidBits: Int
  let vmidBits: Int
  let sidBits: Int
  let ssidBits: Int
  let outputBits: Int
  let outputCode: UInt64
  /// Granules as a bit set: bit n for 2^n bytes.
  let granules: UInt64

  /// - Throws: ENXIO for an SMMU that the driver does not take.
  init(_ port: any RegisterPort, _ platform: SMMUv3Platform, _ version: KernelVersion) throws(Errno) {
    typealias R = SMMU.Register
    idr = [R.idr0, R.idr1, R.idr2, R.idr3, R.idr4, R.idr5].map { port.read32($0) }
    iidr = port.read32(R.iidr)
    aidr = port.read32(R.aidr)
    self.platform = platform
    isOld = version < KernelVersion(6, 13)
    let (idr0, idr1, idr3, idr5) = (idr[0], idr[1], idr[3], idr[5])
    func has(_ word: UInt32, _ bit: UInt32) -> Bool { word & bit != 0 }

    let part = SMMUv3Part(iidr)
    let coherent = platform.coherent ?? has(idr0, SMMU.IDR0.cohacc)
    self.coherent = coherent
    guard idr0[SMMU.IDR0.ttendian] != SMMU.IDR0.bigEndian else {
      throw .ENXIO("the tables' byte order is unknown or not the processor's")
    }
    stage1 = has(idr0, SMMU.IDR0.s1p)
    stage2 = has(idr0, SMMU.IDR0.s2p)
    guard stage1 || stage2 else { throw .ENXIO("the SMMU does not translate") }
    guard idr0[SMMU.IDR0.ttf] & 2 != 0 else { throw .ENXIO("the SMMU has no AArch64 tables") }
    guard idr1 & (SMMU.IDR1.tablesPreset | SMMU.IDR1.queuesPreset | SMMU.IDR1.relative) == 0 else {
      throw .ENXIO("an embedded implementation is not supported", UInt64(idr1))
    }
    guard idr1[SMMU.IDR1.commandQueueSize] > 6 else {
      throw .ENXIO("the command queue has 64 entries or less", UInt64(idr1[SMMU.IDR1.commandQueueSize]))
    }
    twoLevelStreams = idr0[SMMU.IDR0.stLevel] == 1
    twoLevelContexts = has(idr0, SMMU.IDR0.cd2l)
    pri = has(idr0, SMMU.IDR0.pri)
    ats = has(idr0, SMMU.IDR0.ats)
    hypervisor = has(idr0, SMMU.IDR0.hyp)
    hostWorld = hypervisor && platform.runsAtEL2
    let model = idr0[SMMU.IDR0.stallModel]
    stalls = model == SMMU.IDR0.stallAndTerminate || model == SMMU.IDR0.stallForced
    stallsAlways = model == SMMU.IDR0.stallForced
    // 6.12 does not know table access flags.
    let httu = idr0[SMMU.IDR0.httu]
    tracksDirty = coherent && (isOld ? httu == 2 : httu >= 2)
    let messages = has(idr0, SMMU.IDR0.msi)
    syncMessages = messages && coherent && platform.pollsMessages
    interruptMessages = messages && platform.doorbell != nil
    forcesSync = part.forcesSync(old: isOld)
    nesting = stage1 && stage2 && !part.lacksNesting(old: isOld)
    asidBits = has(idr0, SMMU.IDR0.asid16) ? 16 : 8
    vmidBits = has(idr0, SMMU.IDR0.vmid16) ? 16 : 8
    overridesTypes = has(idr1, SMMU.IDR1.attributeTypesOverride)
    sidBits = Int(idr1[SMMU.IDR1.sidSize])
    ssidBits = Int(idr1[SMMU.IDR1.ssidSize])
    ranges = has(idr3, SMMU.IDR3.ril)
    forcesWriteBack = has(idr3, SMMU.IDR3.fwb) && !isOld
    wideVirtual = idr5[SMMU.IDR5.vax] == 1
    let code = Int(idr5[SMMU.IDR5.oas])
    outputBits = code < 7 ? Int(SMMU.addressSizes[code]) : 48
    outputCode = code < 7 ? UInt64(code) : 5
    var sizes: UInt64 = 0
    if has(idr5, SMMU.IDR5.granule4K) { sizes |= 1 << 12 }
    if has(idr5, SMMU.IDR5.granule16K) { sizes |= 1 << 14 }
    if has(idr5, SMMU.IDR5.granule64K) { sizes |= 1 << 16 }
    granules = sizes
  }

  /// The granule of a domain: the processor's page where there is one, else the largest below, else the smallest.
  /// `arm_lpae_restrict_pgsizes`.
  var granuleLg2: Int {
    if granules & (1 << 12) != 0 { return 12 }
    return granules == 0 ? 12 : granules.trailingZeroBitCount
  }

  /// Smallest translation unit of a device with ATS.
  var smallestUnitLg2: Int { granules == 0 ? 12 : granules.trailingZeroBitCount }
}

/// Who made the SMMU, for what has to be done differently. Source: `arm_smmu_device_iidr_probe`; reference A6.
struct SMMUv3Part {
  private let product: UInt32
  private let variant: UInt32
  private let revision: UInt32

  init(_ iidr: UInt32) {
    let isArm = iidr & 0xFFF == 0x43B
    product = isArm ? iidr >> 20 : 0
    variant = iidr >> 16 & 0xF
    revision = iidr >> 12 & 0xF
  }

  private var isMMU600: Bool { product == 0x483 }
  private func isBrokenMMU700(old: Bool) -> Bool {
    product == 0x487 && (old || variant < 1 || revision < 1)
  }

  func forcesSync(old: Bool) -> Bool { isBrokenMMU700(old: old) }
  func lacksNesting(old: Bool) -> Bool { isBrokenMMU700(old: old) || (isMMU600 && variant < 2) }
}
