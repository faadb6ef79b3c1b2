// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

/// Caches know nothing of memory, and forget exactly what they are told to.
@Suite struct CacheTests {
  /// Address spaces of the host and of two guests, with pages that are cached and then gone from memory.
  struct Bed {
    let rig: Rig
    static let pages: [(name: String, device: UInt32, address: UInt64)] = [
      ("a1", 5, 0x4020_1000), ("a2", 5, 0x4021_0000), ("b1", 6, 0x4020_1000), ("g1", 7, 0x4020_1000),
      ("h1", 8, 0x180_4020_1000), ("global", 9, 0x4020_1000), ("big", 5, 0x4040_0000),
    ]

    init() {
      var configuration = RISCVIOMMU.Configuration()
      configuration.capabilities |= RISCV.Capability.nl | RISCV.Capability.s
      rig = Rig(configuration)
      rig.twoStages()
      let both = Context(iohgatp: 0x8000_3000_0000_0040, ta: 0x7000, fsc: 8 << 60 | 0x100)
      rig.place(both, device: 7)
      rig.place(Context(iohgatp: 0x8000_4000_0000_0040), device: 8)
      rig.place(Context(ta: 0x7000, fsc: 8 << 60 | 0x20))
      rig.place(Context(ta: 0x8000, fsc: 8 << 60 | 0x20), device: 6)
      rig.place(Context(ta: 0x9000, fsc: 8 << 60 | 0x26), device: 9)
      rig.firstStageTables()
      rig.put(0x26008, 0x9C01)
      rig.put(0x27008, 0xA001)
      rig.put(0x28008, 0x21D9_50F7)
      for page in Self.pages { _ = rig.go(page.address, device: page.device) }
      // The pages go, their tables stay.
      for place: UInt64 in [0x22008, 0x22080, 0x28008, 0x21010, 0x6010_2008, 0x45008] { rig.put(place, 0) }
    }

    /// The pages that are still there, out of the cache.
    var stale: Set<String> {
      Set(
        Self.pages.filter { rig.go($0.address, device: $0.device).translation?.fromCache == true }.map(\.name)
      )
    }
  }

  static let everything: Set<String> = ["a1", "a2", "b1", "g1", "h1", "global", "big"]

  @Test func staleUntilTold() { #expect(Bed().stale == Self.everything) }

  /// Each form of IOTINVAL, and what it leaves.
  @Test func selectivity() {
    let page: UInt64 = 0x40201
    let host: Set<String> = ["a1", "a2", "b1", "global", "big"]
    let table: [(name: String, command: Words, forgotten: Set<String>)] = [
      ("VMA", vma(), host), ("VMA PSCID 7", vma(pscid: 7), ["a1", "a2", "big"]),
      ("VMA PSCID 9 keeps global", vma(pscid: 9), []),
      ("VMA address", vma(page: page), ["a1", "b1", "global"]),
      ("VMA address PSCID 8", vma(pscid: 8, page: page), ["b1"]),
      ("VMA address in a superpage", vma(page: 0x405AB), ["big"]),
      ("VMA another address", vma(page: 0x40300), []), ("VMA GSCID 3", vma(gscid: 3), ["g1"]),
      ("VMA GSCID 4", vma(gscid: 4), ["h1"]), ("VMA GSCID 3 PSCID 7", vma(pscid: 7, gscid: 3), ["g1"]),
      ("VMA GSCID 3 PSCID 8", vma(pscid: 8, gscid: 3), []),
      ("VMA GSCID 3 address", vma(gscid: 3, page: page), ["g1"]),
      ("VMA GSCID 4 address: no first stage", vma(gscid: 4, page: 0x1804_0201), []),
      ("VMA range 64K", vma(page: 0x40207, napot: true), ["a1", "b1", "global"]),
      ("VMA range of the next 64K", vma(page: 0x40217, napot: true), ["a2"]),
      ("VMA range 2M", vma(page: 0x402FF, napot: true), ["a1", "a2", "b1", "global"]),
      ("VMA range of everything", vma(page: (1 << 51) - 1, napot: true), host),
      ("GVMA", gvma(), ["g1", "h1"]),
      ("GVMA GSCID 3", gvma(gscid: 3), ["g1"]), ("GVMA GSCID 3 GPA", gvma(gscid: 3, page: 0x103), ["g1"]),
      ("GVMA GSCID 3 other GPA", gvma(gscid: 3, page: 0x102), []),
      ("GVMA GSCID 4 GPA", gvma(gscid: 4, page: 0x1804_0201), ["h1"]),
      ("GVMA address without GV", gvma(page: 0x102), ["g1", "h1"]), ("IOFENCE", (2, 0), []),
      ("INVAL_DDT", invalDDT(), []), ("INVAL_PDT", invalPDT(5, 0), []),
    ]
    for row in table {
      let bed = Bed()
      #expect(bed.rig.command(row.command))
      #expect(Self.everything.subtracting(bed.stale) == row.forgotten, "\(row.name)")
    }
    print("RISC-V: \(table.count) forms of invalidation")
  }

  /// The switches that make IOTINVAL forget more.
  @Test func coarserInvalidation() {
    var configuration = RISCVIOMMU.Configuration()
    for precise in [true, false] {
      configuration.gvmaIgnoresAddress = !precise
      let rig = Rig(configuration)
      rig.secondStage()
      _ = rig.go(0x180_4020_1000)
      rig.put(0x45008, 0)
      rig.command(gvma(gscid: 3, page: 1))
      #expect((rig.go(0x180_4020_1000).address != nil) == precise)
    }
    configuration.overInvalidates = true
    let rig = Rig(configuration)
    rig.firstStage()
    _ = rig.go(0x40201000)
    rig.put(0x22008, 0)
    rig.command(vma(pscid: 99))
    #expect(rig.go(0x40201000).code == 13)
  }

  /// A freed table is still walked after an invalidation of leaves: NL, or one without an address, ends that.
  @Test func pointersToTables() {
    let first: [(Words, Bool)] = [
      (vma(page: 0x40201), false), (vma(page: 0x40201, nonLeaf: true), true),
      (vma(page: 0x40401, nonLeaf: true), false), (vma(pscid: 7), true), (vma(pscid: 8), false),
    ]
    for (command, forgets) in first {
      var configuration = RISCVIOMMU.Configuration()
      configuration.capabilities |= RISCV.Capability.nl
      let rig = Rig(configuration)
      rig.firstStage()
      _ = rig.go(0x40201000)
      rig.put(0x21008, 0)
      #expect(rig.command(command, vma(page: 0x40203)))
      rig.put(0x22018, 0x048D_14D7)
      // A page of the same table that was never used before.
      #expect(rig.go(0x40203000).address == (forgets ? nil : 0x1234_5000))
    }
    // The same below a guest.
    let second: [(Words, Bool)] = [
      (gvma(gscid: 3, page: 0x1804_0201), false), (gvma(gscid: 3, page: 0x1804_0201, nonLeaf: true), true),
      (gvma(gscid: 3), true),
    ]
    for (command, forgets) in second {
      var configuration = RISCVIOMMU.Configuration()
      configuration.capabilities |= RISCV.Capability.nl
      let rig = Rig(configuration)
      rig.secondStage()
      _ = rig.go(0x180_4020_1000)
      rig.put(0x44008, 0)
      rig.put(0x45028, 0x26AF_34D7)
      rig.command(command)
      #expect(rig.go(0x180_4020_5000).address == (forgets ? nil : 0x9ABC_D000))
    }
  }

  /// Driver bugs 1 and 14: a device context that changes.
  @Test func deviceContexts() {
    let table: [(Words, Bool)] = [
      (invalDDT(), true), (invalDDT(5), true), (invalDDT(6), false), (vma(), false), (invalPDT(5, 0), false),
    ]
    for (command, forgets) in table {
      let rig = Rig()
      rig.place(Context())
      #expect(rig.go(0x1000).address == 0x1000)
      rig.place(Context(tc: 0))
      #expect(rig.go(0x1000).address == 0x1000, "stale")
      rig.command(command)
      #expect(rig.go(0x1000).code == (forgets ? 258 : nil))
    }
  }

  @Test func processContexts() {
    let table: [(Words, Bool)] = [
      (invalPDT(5, 9), true), (invalPDT(5, 8), false), (invalPDT(6, 9), false), (invalDDT(5), true),
      (invalDDT(), true), (vma(), false),
    ]
    for (command, forgets) in table {
      let rig = Rig()
      rig.processes()
      #expect(rig.go(0x40201000, pid: 9).address == 0x8765_4000)
      rig.put(0x30090, 0)
      #expect(rig.go(0x40412000, pid: 9).address == 0x8021_2000, "stale")
      rig.command(command)
      #expect(rig.go(0x40413000, pid: 9).code == (forgets ? 266 : nil))
    }
  }

  /// Driver bug 15: a PSCID that is used again reaches the old pages.
  @Test func reusedPSCID() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40201000)
    rig.place(Context(ta: 0x7000, fsc: 8 << 60 | 0x60))
    rig.command(invalDDT(5))
    #expect(rig.go(0x40201000).address == 0x8765_4000)
    rig.command(vma(pscid: 7))
    #expect(rig.go(0x40201000).code == 13)
  }

  /// A cached clean page is looked up again for the first write, and a cached read-only one stays so.
  @Test func permissionsInTheCache() {
    let rig = Rig()
    rig.firstStage(tc: 0x101)
    _ = rig.go(0x40235000)
    #expect(rig.go(0x40235000).translation?.fromCache == true)
    let written = rig.go(0x40235000, .write).translation
    #expect(written?.fromCache == false && rig.word(0x221A8) & 0x80 != 0)
    #expect(rig.go(0x40235000, .write).translation?.fromCache == true)
    _ = rig.go(0x40230000)
    rig.put(0x22180, 0x048D_14D7)
    #expect(rig.go(0x40230000, .write).code == 15)
    rig.forget()
    #expect(rig.go(0x40230000, .write).address == 0x1234_5000)
    // A guest page, with its address in the record.
    let guest = Rig()
    guest.secondStage()
    _ = guest.go(0x180_4020_3000)
    #expect(guest.go(0x180_4020_3ABC, .write).code == 23)
    #expect(guest.faults.last?[3] == 0x180_4020_3ABC)
  }

  /// Driver bug 9: of a NAPOT run each piece is cached by itself, and any piece's invalidation finds them all.
  @Test func napotRuns() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40210000)
    _ = rig.go(0x40217000)
    for index: UInt64 in 0..<8 { rig.put(0x22080 + index * 8, 0) }
    #expect(rig.go(0x40210000).address == 0x8765_0000)
    #expect(rig.go(0x4021C000).address == 0x8765_C000, "half of the run is still mapped")
    rig.command(vma(page: 0x40217))
    #expect(rig.go(0x40210000).code == 13)
  }
}
