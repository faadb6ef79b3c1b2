// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import PageTables

// What domains look like in stream table entries and context descriptors.
// Source: `arm_smmu_make_s1_cd`, `_make_cdtable_ste`, `_make_s2_domain_ste`, `_make_bypass_ste`; reference
// backends-arm-riscv-s390.md A5.2.

extension SMMUv3Domain {
  /// The code of an output size, for CD.IPS and STE.S2PS.
  private var outputCode: UInt64 {
    UInt64(SMMU.addressSizes.firstIndex(of: UInt8(geometry.outputLg2)) ?? 5)
  }

  private var granuleCode: UInt64 {
    switch geometry.granuleLg2 {
    case 16: SMMU.STE.granule64K
    case 14: SMMU.STE.granule16K
    default: SMMU.STE.granule4K
    }
  }

  /// The context descriptor of a stage 1 domain on a device.
  func contextDescriptor(for device: SMMUv3Device) -> SMMUv3Entry {
    typealias F = SMMU.CD
    let coherent = geometry.walksCoherently
    var cd = SMMUv3Entry()
    cd[F.t0SZ] = UInt64(64 - geometry.inputLg2)
    cd[F.tg0] = granuleCode
    cd[F.ir0] = coherent ? 1 : 0
    cd[F.or0] = coherent ? 1 : 0
    cd[F.sh0] = coherent ? 3 : 2
    cd[F.epd1] = 1
    cd[F.valid] = 1
    cd[F.ips] = outputCode
    cd[F.aa64] = 1
    cd[F.stall] = device.stalls ? 1 : 0
    cd[F.record] = 1
    cd[F.abort] = 1
    cd[F.aset] = 1
    cd[F.asid] = UInt64(id)
    if tracksDirty {
      cd[F.ha] = 1
      cd[F.hd] = 1
    }
    cd.words[1] = table.root.address.raw & F.ttbMask
    cd.words[3] = Self.memoryAttributes
    return cd
  }

  /// MAIR: attributes 0 to 3 are non-cacheable, write-back, device, and inner non-cacheable outer write-back. The
  /// kernel computes it in 32 bits with a sign.
  private static let memoryAttributes: UInt64 = 0xFFFF_FFFF_F404_FF44

  /// The stream table entry of a stage 2 domain on a device.
  func streamTableEntry(for device: SMMUv3Device, ats: Bool) -> SMMUv3Entry {
    typealias F = SMMU.STE
    let coherent = geometry.walksCoherently
    let level = UInt64(table.root.level)
    var ste = SMMUv3Entry()
    ste[F.valid] = 1
    ste[F.config] = F.stage2
    ste[F.eats] = ats ? F.eatsFull : 0
    if isNestParent, unit.features.forcesWriteBack { ste[F.s2FWB] = 1 }
    if unit.features.overridesTypes { ste[F.shCfg] = 1 }
    ste[F.s2VMID] = UInt64(id)
    ste[F.s2T0SZ] = UInt64(64 - geometry.inputLg2)
    ste[F.s2SL0] = geometry.granuleLg2 == 12 ? level - 1 : level
    ste[F.s2IR0] = coherent ? 1 : 0
    ste[F.s2OR0] = coherent ? 1 : 0
    ste[F.s2SH0] = coherent ? 3 : 2
    ste[F.s2TG] = granuleCode
    ste[F.s2PS] = outputCode
    ste[F.s2AA64] = 1
    ste[F.s2PTW] = 1
    ste[F.s2Stall] = device.stalls ? 1 : 0
    ste[F.s2Record] = 1
    ste.words[3] = table.root.address.raw & F.s2TTBMask
    return ste
  }
}

extension SMMUv3Device {
  /// The entry that leads to the device's context table; `substreamless` is S1DSS.
  func contextTableEntry(ats: Bool, substreamless: UInt64) -> SMMUv3Entry {
    typealias F = SMMU.STE
    let features = unit.features
    var ste = SMMUv3Entry()
    contexts?.describe(&ste)
    ste[F.valid] = 1
    ste[F.config] = F.stage1
    ste[F.s1DSS] = substreamless
    ste[F.s1CIR] = 1
    ste[F.s1COR] = 1
    ste[F.s1CSH] = 3
    ste[F.s1StallDisabled] = features.stalls && !stalls ? 1 : 0
    ste[F.eats] = ats ? F.eatsFull : 0
    if features.overridesTypes, substreamless == F.dssBypass { ste[F.shCfg] = 1 }
    ste[F.strw] = features.hostWorld ? F.worldEL2 : F.worldEL1
    return ste
  }

  /// The entry that lets everything through.
  var bypassEntry: SMMUv3Entry {
    var ste = SMMUv3Entry()
    ste[SMMU.STE.valid] = 1
    ste[SMMU.STE.config] = SMMU.STE.bypass
    if unit.features.overridesTypes { ste[SMMU.STE.shCfg] = 1 }
    return ste
  }
}
