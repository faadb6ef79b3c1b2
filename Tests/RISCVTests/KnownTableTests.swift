// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import Memory
internal import PageTables
internal import Testing

// The known answers that page tables decide, R1 to R32, a second time: the software side reads the same bytes and must
// come to the same translations and permissions. It is what a driver uses to look at its own tables, so it leaves to
// hardware what a driver never writes; those rows are listed, and the list is exact.

@Suite struct KnownTableTests {
  /// Rows where software finds a page and hardware a fault.
  static let hardwareOnly: Set<String> = [
    // A superpage that is not aligned; N of another size, and above the last level.
    "R6 40612345", "R9 40220000", "R9 40800000",
    // A reserved bit, PBMT 3, A in a pointer.
    "R10 40233000", "R13 40237000", "R14 40a01000",
    // A or D that hardware may not set.
    "R11 40234000", "R12 40235000", "R24 18040204000", "R30 40203000",
  ]

  /// What software finds of one page: where it is, and what may be done with it.
  struct Page {
    var address: UInt64
    var attributes: MappingAttributes

    func allows(_ access: Transaction) -> Bool {
      guard !attributes.contains(.privileged) else { return false }
      if access.execute { return !attributes.contains(.noExecute) }
      return (!access.reads || attributes.contains(.read)) && (!access.writes || attributes.contains(.write))
    }
  }

  static func mode(_ pointer: UInt64) -> RISCVTable.Mode? {
    RISCVTable.Mode(rawValue: Int(pointer >> 60) - 5)
  }

  static func root(_ pointer: UInt64) -> PhysAddr { PhysAddr((pointer & (1 << 44 - 1)) << 12) }

  static func look(_ table: RISCVTable, _ address: UInt64) -> Page? {
    guard let physical = table.translate(IOVA(address)), let leaf = table.leaf(at: IOVA(address)) else {
      return nil
    }
    return Page(address: physical.raw, attributes: leaf.attributes)
  }

  /// A first stage whose tables are where the second stage says.
  static func look(
    _ root: UInt64, levels: Int, _ second: RISCVTable, _ address: UInt64, _ memory: PhysicalMemory
  )
    -> Page?
  {
    var table = root
    for level in (0..<levels).reversed() {
      let slot = table + (address >> UInt64(RISCVSv.itemLg2(level)) & 511) * 8
      guard let place = second.translate(IOVA(slot)), let entry = memory.load64(at: place) else { return nil }
      switch RISCVSv.kind(entry, level) {
      case .empty: return nil
      case .table: table = RISCVSv.tableAddress(entry, level)
      case .leaf:
        let inside = (UInt64(1) << UInt64(RISCVSv.leafSizeLg2(entry, level))) - 1
        return Page(
          address: RISCVSv.leafAddress(entry, level) | address & inside,
          attributes: RISCVSv.attributes(entry))
      }
    }
    return nil
  }

  /// Through the stages that the context of device 5 names; nil for a fault.
  static func translate(_ rig: Rig, _ access: Transaction) throws -> UInt64? {
    let iohgatp = rig.word(0x10148)
    let fsc = access.kind == .translated ? 0 : rig.word(0x10158)
    var address = access.address
    let second = try mode(iohgatp).map {
      try RISCVTable(rig.memory, viewing: root(iohgatp), .init($0, isSecondStage: true))
    }
    if let scheme = mode(fsc) {
      let page: Page?
      if let second {
        page = look(root(fsc).raw, levels: scheme.rawValue, second, address, rig.memory)
      } else {
        page = look(try RISCVTable(rig.memory, viewing: root(fsc), .init(scheme)), address)
      }
      guard let page, page.allows(access) else { return nil }
      address = page.address
    }
    // With T2GPA a translation request is told the guest's address.
    if case .translationRequest = access.kind { return address }
    if let second {
      guard let page = look(second, address), page.allows(access) else { return nil }
      address = page.address
    }
    return address
  }

  @Test func bothSides() throws {
    var rows = 0
    var numbers: Set<String> = []
    var listed: Set<String> = []
    for known in KnownAnswerTests.firstStage + KnownAnswerTests.secondStage where known.name != "R25" {
      let rig = Rig()
      known.scene(rig)
      let software = try Self.translate(rig, known.access)
      let hardware = rig.iommu.translate(known.access).address
      rows += 1
      numbers.insert(known.name)
      let label = "\(known.name) \(String(known.access.address, radix: 16))"
      if software != hardware {
        #expect(hardware == nil && Self.hardwareOnly.contains(label), "\(label)")
        listed.insert(label)
      }
    }
    #expect(listed == Self.hardwareOnly)
    #expect(numbers.count == 31)
    print(
      "RISC-V: \(rows) accesses of \(numbers.count) vectors by both sides, \(listed.count) are hardware's")
  }
}
