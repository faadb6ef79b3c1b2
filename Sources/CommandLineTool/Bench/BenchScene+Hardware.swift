// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import PageTables
internal import UAPI

// The least structures in memory by which each hardware half gets from a device to its tables.

extension BenchScene {
  /// Scalable mode, one context, RID_PASID 0. VT-d sections 9.2, 9.4 to 9.6.
  static func vtd(_ way: Way) throws(Errno) -> BenchScene {
    typealias Entry = VTd.PASIDEntry
    let memory = memory()
    var configuration = VTdConfiguration()
    configuration.cachePolicy = .direct(capacityLg2: way.sharedSlotsLg2)
    configuration.cachesTables = way.cachesTables
    let unit = VTdUnit(memory: memory, fabric: nil, configuration: configuration)
    let (root, contexts) = (try frames(1, in: memory), try frames(1, in: memory))
    let (directory, pasids) = (try frames(1, in: memory), try frames(1, in: memory))
    put([contexts | VTd.RootEntry.p.mask], at: root, in: memory)
    put([directory | VTd.ScalableContextEntry.p.mask], at: contexts + 8 * 32, in: memory)
    put([pasids | VTd.PASIDDirectoryEntry.p.mask], at: directory, in: memory)
    var tables: [any PageTable] = []
    var words: [UInt64] = [Entry.p.mask | Entry.aw.with(2), Entry.did.with(5) | Entry.pwsnp.mask, 0]
    if way.isNested {
      let second = VTdSecondStageTable.Configuration(levels: 4, outputLg2: 46, pageSizes: 4096)
      tables = [
        try fillSecondStage(VTdSecondStageTable(memory, second)),
        try fill(X86FirstStageTable(memory, .init(levels: 4, outputLg2: 46))),
      ]
      words[0] |= Entry.pgtt.with(Entry.TranslationType.nested) | tables[0].origin
      words[2] |= tables[1].origin
    } else {
      tables = [try fill(VTdSecondStageTable(memory, .init(levels: 4, outputLg2: 46)))]
      words[0] |= Entry.pgtt.with(Entry.TranslationType.secondStage) | tables[0].origin
    }
    put(words, at: pasids, in: memory)
    unit.writeRegister(VTd.Register.rtaddr, width: 8, root | 1 << 10)
    unit.writeRegister(VTd.Register.gcmd, width: 4, VTd.GlobalCommand.srtp)
    unit.writeRegister(VTd.Register.gcmd, width: 4, VTd.GlobalCommand.te)
    return BenchScene(hardware: unit, source: 8, pasid: nil, tables: tables)
  }

  /// A device table of 128 entries; nested, a GCR3 table of one level at PASID 1. Publication 48882, section 2.2.2.1.
  static func amd(_ way: Way) throws(Errno) -> BenchScene {
    typealias DTE = AMDViDTE
    let memory = memory()
    var configuration = AMDVi.Configuration.nesting
    configuration.cacheCapacityLg2 = way.sharedSlotsLg2
    configuration.cachesTables = way.cachesTables
    let hardware = AMDVi(memory: memory, configuration: configuration)
    let devices = try frames(1, in: memory)
    let isNested = way.isNested
    let host = try AMDV1Table(memory, .init(levels: 4, pageSizes: isNested ? 4096 : .max))
    var tables = [try isNested ? fillSecondStage(host) : fill(host)]
    var words = [
      DTE.valid | DTE.translationValid | DTE.ir | DTE.iw | UInt64(host.root.level + 1) << DTE.modeShift
        | host.origin,
      5,
    ]
    if isNested {
      let processes = try frames(1, in: memory)
      tables.append(try fill(X86FirstStageTable(memory, .init(levels: 4))))
      put([tables[1].origin | AMDViGCR3.valid], at: processes + 8, in: memory)
      words[0] |= DTE.gv | (processes >> 12 & 7) << DTE.gcr3LowShift
      words[1] |= (processes >> 15 & 0xFFFF) << DTE.gcr3MiddleShift
      words[1] |= (processes >> 31) << DTE.gcr3HighShift
    }
    put(words, at: devices + 8 * DTE.size, in: memory)
    hardware.writeRegister(AMDViRegister.deviceTableBase, width: 8, devices)
    hardware.writeRegister(
      AMDViRegister.control, width: 8,
      AMDViControl.iommuEn | AMDViControl.coherent | AMDViControl.gtEn | AMDViControl.gcr3TRPMode)
    return BenchScene(hardware: hardware, source: 8, pasid: isNested ? 1 : nil, tables: tables)
  }

  /// A linear stream table of 64 entries. IHI 0070, 5.2 and 5.4.
  static func smmu(_ way: Way) throws(Errno) -> BenchScene {
    let memory = memory()
    var configuration = SMMUv3.Configuration()
    if !way.cachesTranslations { configuration.translationCacheLg2 = 0 }
    configuration.walkCache = way.cachesTables
    let smmu = SMMUv3(configuration, memory: memory)
    let (streams, contexts) = (try frames(1, in: memory), try frames(1, in: memory))
    func word(_ index: Int, _ fields: (SMMU.Field, UInt64)...) -> UInt64 {
      fields.reduce(0) { $1.0.word == index ? $0 | $1.1 << UInt64($1.0.low) : $0 }
    }
    typealias CD = SMMU.CD
    let first = ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48)
    var tables = [try fill(ArmStage1Table4K(memory, first))]
    let context = word(
      0, (CD.t0SZ, 16), (CD.epd1, 1), (CD.valid, 1), (CD.ips, 5), (CD.aa64, 1), (CD.record, 1), (CD.asid, 1))
    // MAIR: attribute 0 is normal memory, and so are the others that the tables name.
    put([context, tables[0].origin, 0, .max], at: contexts, in: memory)
    typealias STE = SMMU.STE
    let config = way.isNested ? STE.nested : STE.stage1
    var entry = [word(0, (STE.valid, 1), (STE.config, config)) | contexts, 0, 0, 0]
    if way.isNested {
      let second = ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48)
      tables.append(try fillSecondStage(ArmStage2Table4K(memory, second)))
      entry[3] = tables[1].origin
      entry[2] = word(
        2, (STE.s2VMID, 5), (STE.s2T0SZ, 16), (STE.s2SL0, 2), (STE.s2PS, 5), (STE.s2AA64, 1), (STE.s2PTW, 1),
        (STE.s2Record, 1))
    }
    put(entry, at: streams + 8 << 6, in: memory)
    smmu.writeRegister(SMMU.Register.streamTableBase, width: 8, streams)
    smmu.writeRegister(SMMU.Register.streamTableConfig, width: 4, 6)
    smmu.writeRegister(SMMU.Register.cr0, width: 4, 1)
    return BenchScene(hardware: smmu, source: 8, pasid: nil, tables: tables)
  }

  /// A device directory of one level. RISC-V IOMMU specification, section 3.1.
  static func riscv(_ way: Way) throws(Errno) -> BenchScene {
    typealias Pointer = RISCV.TablePointer
    let memory = memory()
    var configuration = RISCVIOMMU.Configuration()
    configuration.caches.cachesTranslations = way.cachesTranslations
    configuration.caches.cachesTables = way.cachesTables
    let iommu = RISCVIOMMU(memory: memory, configuration: configuration)
    let directory = try frames(1, in: memory)
    var tables = [try fill(RISCVTable(memory, .init(.sv48)))]
    var second: UInt64 = 0
    if way.isNested {
      let configuration = RISCVTable.Configuration(.sv48, isSecondStage: true, pageSizes: 4096)
      tables.append(try fillSecondStage(RISCVTable(memory, configuration)))
      second = Pointer.sv48 << Pointer.modeShift | 3 << Pointer.gscidShift | tables[1].origin >> 12
    }
    let context = [
      RISCV.TranslationControl.v, second, 7 << RISCV.TranslationAttributes.pscidShift,
      Pointer.sv48 << Pointer.modeShift | tables[0].origin >> 12,
    ]
    put(context, at: directory + 8 * RISCV.DirectoryEntry.extendedContextSize, in: memory)
    iommu.writeRegister(RISCV.Register.ddtp, width: 8, (directory >> 12) << 10 | 2)
    return BenchScene(hardware: iommu, source: 8, pasid: nil, tables: tables)
  }

  /// Four levels, from a region-second table.
  static func s390(_ way: Way) throws(Errno) -> BenchScene {
    let memory = memory()
    var configuration = ZPCIIOMMU.Configuration()
    configuration.group.designations = 0xF0
    configuration.cachesTranslations = way.cachesTranslations
    let iommu = ZPCIIOMMU(memory: memory, configuration: configuration)
    let table = try fill(ZPCITable(memory, .init(.regionSecond)))
    guard let plugged = iommu.plug(id: 8, firstDMA: 0) else { throw .ENOSPC("no room for a function") }
    let handle = iommu.setFunction(plugged, enabled: true).handle
    typealias Anchor = HardwareSpecs::ZPCI.Anchor
    let anchor = table.origin | Anchor.translationEnabled | Anchor.regionSecond << Anchor.designationShift
    _ = iommu.modifyControls(
      UInt64(handle) << 32 | 4, ZPCIInformationBlock(limit: 0x3FF_FFFF_FFFF, anchor: anchor))
    return BenchScene(hardware: iommu, source: handle, pasid: nil, tables: [table])
  }
}
