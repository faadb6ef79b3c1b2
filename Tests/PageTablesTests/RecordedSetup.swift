// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Memory
internal import PageTables

/// What kind of table a recording is of, read from the registers and context structures that it shows.
struct RecordedSetup {
  let make: (PhysicalMemory) throws -> any PageTable
  /// Where a table's entry has an address.
  let tableMask: UInt64

  init?(_ recording: DriverRecording) {
    var registers: [String: UInt64] = [:]
    for case .registers(let all) in recording.lines {
      for register in all { registers[register.name] = register.value }
    }
    let attached = recording.steps.first { step in
      if case .other(let words)? = step.request { words.hasPrefix("attach") } else { false }
    }
    var context: [String: [UInt64]] = [:]
    for case .context(let name, let words) in attached?.lines ?? [] { context[name] = words }
    if let cap = registers["cap"], let ecap = registers["ecap"], let root = registers["rtaddr"] {
      guard let setup = Self.vtd(cap, ecap, isLegacy: root >> 10 & 3 == 0, context) else { return nil }
      self = setup
    } else if context["dte"] != nil {
      self.init(mask: 0x000F_FFFF_FFFF_F000) { try AMDV1Table($0) }
    } else if let ste = context["ste"] {
      guard let setup = Self.smmu(ste, context["cd"]) else { return nil }
      self = setup
    } else if let device = context["dc"], let mode = RISCVTable.Mode(rawValue: Int(device[3] >> 60) - 5) {
      self.init(mask: 0x003F_FFFF_FFFF_FC00) { try RISCVTable($0, .init(mode)) }
    } else {
      return nil
    }
  }

  private init(mask: UInt64, _ make: @escaping (PhysicalMemory) throws -> any PageTable) {
    self.make = make
    tableMask = mask
  }

  private static func vtd(_ cap: UInt64, _ ecap: UInt64, isLegacy: Bool, _ context: [String: [UInt64]])
    -> RecordedSetup?
  {
    let width = Int(cap >> 16 & 0x3F) + 1
    let sizes: UInt64 = 1 << 12 | (cap >> 34 & 1) << 21 | (cap >> 35 & 1) << 30
    // Legacy mode snoops by ECAP.C, scalable mode by ECAP.SMPWCS.
    let coherent = isLegacy ? ecap & 1 != 0 : ecap >> 48 & 1 != 0
    let mask: UInt64 = 0x000F_FFFF_FFFF_F000
    if isLegacy {
      guard let words = context["context"] else { return nil }
      let levels = Int(words[1] & 7) + 2
      return RecordedSetup(mask: mask) {
        try VTdSecondStageTable(
          $0, .init(levels: levels, inputLg2: width, pageSizes: sizes, walksCoherently: coherent))
      }
    }
    guard let words = context["pasid-entry[0]"] else { return nil }
    switch words[0] >> 6 & 7 {
    case 1:
      let first: UInt64 = 1 << 12 | 1 << 21 | (cap >> 56 & 1) << 30
      return RecordedSetup(mask: mask) {
        try X86FirstStageTable(
          $0, .init(levels: 4, inputLg2: width, pageSizes: first, walksCoherently: coherent))
      }
    case 2:
      let levels = Int(words[0] >> 2 & 7) + 2
      return RecordedSetup(mask: mask) {
        try VTdSecondStageTable(
          $0, .init(levels: levels, inputLg2: width, pageSizes: sizes, walksCoherently: coherent))
      }
    default: return nil
    }
  }

  private static func smmu(_ ste: [UInt64], _ cd: [UInt64]?) -> RecordedSetup? {
    let widths = [32, 36, 40, 42, 44, 48, 52]
    let mask: UInt64 = 0x0000_FFFF_FFFF_F000
    if let cd, cd[0] != 0 {
      guard cd[0] >> 6 & 3 == 0, let output = widths[safe: Int(cd[0] >> 32 & 7)] else { return nil }
      let shape = ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 64 - Int(cd[0] & 63), outputLg2: output)
      return RecordedSetup(mask: mask) { try ArmStage1Table4K($0, shape) }
    }
    guard ste[2] >> 46 & 3 == 0, let output = widths[safe: Int(ste[2] >> 48 & 7)] else { return nil }
    let shape = ArmGeometry(
      granuleLg2: 12, stage: .two, inputLg2: 64 - Int(ste[2] >> 32 & 63), outputLg2: output)
    return RecordedSetup(mask: mask) { try ArmStage2Table4K($0, shape) }
  }
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
