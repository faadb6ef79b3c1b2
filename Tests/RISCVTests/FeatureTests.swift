// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct FeatureTests {
  /// Supervisors: no page of a user without SUM, and never to execute it; pages without U are theirs alone.
  @Test func privilege() {
    let rig = Rig()
    rig.processes(ta: 0x9007)
    rig.put(0x22008, 0x21D9_50DF, 0x21D9_54CF)
    #expect(rig.go(0x40201000, pid: 9, privileged: true).address == 0x8765_4000)
    #expect(rig.go(0x40201000, pid: 9, execute: true, privileged: true).code == 12)
    #expect(rig.go(0x40202000, pid: 9, execute: true, privileged: true).address == 0x8765_5000)
    #expect(rig.go(0x40202000, pid: 9).code == 13)
    // Execute-only pages are not for reading.
    rig.put(0x22008, 0x21D9_50D9)
    rig.forget()
    #expect(rig.go(0x40201000, pid: 9, execute: true).address == 0x8765_4000)
    #expect(rig.go(0x40201000, pid: 9).code == 13)
  }

  /// A process directory in guest memory.
  @Test func processDirectoryOfAGuest() {
    let rig = Rig()
    rig.twoStages()
    let pdt = Context(tc: 0x21, iohgatp: 0x8000_3000_0000_0040, fsc: 2 << 60 | 0x103)
    rig.place(pdt)
    // PDT root at GPA 103000, leaf at GPA 102000; process 10A.
    rig.put(0x7010_3008, 0x102 << 10 | 1)
    rig.put(0x6010_20A0, 0x9001, 8 << 60 | 0x100)
    rig.put(0x6010_2010, 0x40CD7)
    #expect(rig.go(0x40202ABC, pid: 0x10A).address == 0x7010_3ABC)
    // A table that the guest has not mapped: the original access, an implicit one.
    rig.put(0x7010_3008, 0x150 << 10 | 1)
    rig.forget()
    #expect(rig.go(0x40202ABC, .write, pid: 0x10A).code == 23)
    #expect(rig.faults.last?[3] == 0x150001)
    rig.iommu.refuse(Span64(0x7010_3008, 0x7010_3008))
    #expect(rig.go(0x40202ABC, .write, pid: 0x10A).code == 265)
  }

  /// Dirty bits of the pages that hold first-stage tables: GADE with SADE.
  @Test func implicitWrites() {
    let rig = Rig()
    rig.twoStages(tc: 0x181)
    rig.put(0x6010_2018, 0x40C17)
    rig.put(0x45810, 0x1804_0857)
    #expect(rig.go(0x40203000).address == 0x7010_3000)
    #expect(rig.word(0x45810) == 0x1804_08D7)
    #expect(rig.word(0x6010_2018) == 0x40C57)
    // Reading alone leaves D of a guest page.
    rig.put(0x45818, 0x1C04_0C17)
    rig.forget()
    _ = rig.go(0x40203000)
    #expect(rig.word(0x45818) == 0x1C04_0C57)
  }

  /// All leaf sizes of all schemes.
  @Test func sizes() {
    let rig = Rig()
    for (mode, levels): (UInt64, UInt64) in [(8, 3), (9, 4), (10, 5)] {
      for second in [false, true] {
        for level in 0..<levels {
          rig.place(
            second
              ? Context(iohgatp: mode << 60 | 3 << 44 | 0x100)
              : Context(ta: 0x7000, fsc: mode << 60 | 0x100))
          // Index 1 at each level; the root of a second stage has a wide index.
          var iova: UInt64 = 0x123
          for above in 0..<levels { iova |= 1 << (12 + 9 * above) }
          var table: UInt64 = 0x100000
          for depth in (level..<levels).reversed() {
            let next = table + 0x4000
            rig.put(table + 8, depth == level ? 0xDF | 1 << (10 + 9 * level) : next >> 2 | 1)
            table = next
          }
          rig.forget()
          let found = rig.go(iova).translation
          let sizeLg2 = 12 + 9 * level
          #expect(found?.address == 1 << (12 + 9 * level) | iova & ((1 << sizeLg2) - 1))
          #expect(found?.sizeLg2 == UInt8(min(sizeLg2, 30)), "a Bare stage has 1 GiB")
        }
      }
    }
  }

  /// Sv32 and Sv32x4: PTEs of 4 bytes.
  @Test func narrowTables() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.gxlWritable = true
    configuration.capabilities |= RISCV.Capability.sv32 | RISCV.Capability.sv32x4
    let rig = Rig(configuration, ddtp: 0)
    for control in [RISCV.Register.cqcsr, RISCV.Register.fqcsr, RISCV.Register.pqcsr] { rig.set(control, 0) }
    rig.set(RISCV.Register.fctl, 4)
    #expect(rig.get(RISCV.Register.fctl) == 4)
    rig.set(RISCV.Register.fqcsr, 1)
    rig[RISCV.Register.ddtp] = 0x4002
    func put32(_ address: UInt64, _ word: UInt32) { _ = rig.memory.store32(word, at: PhysAddr(address)) }
    // First stage: SXL, SADE.
    rig.place(Context(tc: 0x901, ta: 0x7000, fsc: 8 << 60 | 0x20))
    put32(0x20004, 0x21 << 10 | 1)
    put32(0x2100C, 0x345 << 10 | 0x17)
    put32(0x20008, 0x400 << 10 | 0xD7)
    #expect(rig.go(0x0040_3ABC, .write).address == 0x34_5ABC)
    #expect(rig.memory.load32(at: PhysAddr(0x2100C)) == 0xD_14D7)
    #expect(rig.go(0x0091_2345).translation?.sizeLg2 == 22)
    #expect(rig.go(0x0091_2345).address == 0x51_2345)
    #expect(rig.go(0x1_0040_3ABC).code == 13)
    // Second stage: 34 bits.
    rig.place(Context(tc: 0x801, iohgatp: 8 << 60 | 3 << 44 | 0x40), device: 6)
    put32(0x40000 + 0x801 * 4, 0x21 << 10 | 1)
    #expect(rig.go(0x2_0040_3ABC, device: 6).address == 0x34_5ABC)
    #expect(rig.go(0x4_0000_0000, device: 6).code == 21)
    rig.place(Context(), device: 7)
    #expect(rig.go(0, device: 7).code == 259, "GXL wants SXL")
  }

  /// Big-endian structures: fctl.BE for the IOMMU's own, SBE for the first stage's.
  @Test func byteOrder() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities |= RISCV.Capability.end
    let rig = Rig(configuration, ddtp: 0)
    for control in [RISCV.Register.cqcsr, RISCV.Register.fqcsr, RISCV.Register.pqcsr] { rig.set(control, 0) }
    rig.set(RISCV.Register.fctl, 1)
    for control in [RISCV.Register.cqcsr, RISCV.Register.fqcsr, RISCV.Register.pqcsr] { rig.set(control, 1) }
    rig[RISCV.Register.ddtp] = 0x4002
    func swapped(_ address: UInt64, _ words: UInt64...) { rig.put(address, words.map(\.byteSwapped)) }
    // A big-endian context with a little-endian first stage, and a big-endian one.
    swapped(0x10140, 0x101, 0, 0x7000, 8 << 60 | 0x20, 0, 0, 0, 0)
    rig.firstStageTables()
    #expect(rig.go(0x40234000).address == 0x1234_5000)
    #expect(rig.word(0x221A0) == 0x048D_1457)
    swapped(0x10180, 0x501, 0, 0x8000, 8 << 60 | 0x30, 0, 0, 0, 0)
    swapped(0x30008, 0x31 << 10 | 1)
    swapped(0x31008, 0x32 << 10 | 1)
    swapped(0x32008, 0x048D_1417)
    #expect(rig.go(0x40201000, device: 6).address == 0x1234_5000)
    #expect(rig.word(0x32008).byteSwapped == 0x048D_1457)
    // Records and commands.
    _ = rig.go(0, device: 7)
    #expect(rig.word(Rig.faults).byteSwapped == 0x0000_0708_0000_0102)
    swapped(Rig.commands, 0xCAFE_BABE_0000_0402, 0x1C000)
    rig.set(RISCV.Register.cqt, 1)
    #expect(rig.memory.load32(at: PhysAddr(0x70000)) == 0xBEBA_FECA)
  }

  /// The debug interface: reads, writes, superpages, faults, MRIFs.
  @Test func translationForDebug() {
    let rig = Rig()
    rig.firstStage()
    func ask(_ iova: UInt64, _ control: UInt64) -> UInt64 {
      rig[RISCV.Register.trReqIOVA] = iova
      rig[RISCV.Register.trReqCtl] = control | 1
      #expect(rig[RISCV.Register.trReqCtl] & 1 == 0, "it is done")
      return rig[RISCV.Register.trResponse]
    }
    #expect(ask(0x40201ABC, 5 << 40) == 0x87654 << 10)
    #expect(ask(0x40412000, 5 << 40 | 8) == (0x80200 | 0xFF) << 10 | 1 << 9)
    #expect(ask(0x40230000, 5 << 40 | 8) == 0x12345 << 10)
    #expect(ask(0x40230000, 5 << 40) & 1 == 1, "a write to a read-only page")
    #expect(rig.faults.last?[0] == 0x0000_050C_0000_000F)
    #expect(ask(0x40201000, 5 << 40 | 0xC) & 1 == 1)
    rig.processes()
    rig.forget()
    #expect(ask(0x40201000, 5 << 40 | 9 << 12 | 1 << 32) == 0x87654 << 10)
    rig.messages()
    rig.forget()
    #expect(ask(0x2_8000_6000, 5 << 40) & 1 == 1)
    #expect(rig.faults.last?[0] == 0x0000_050C_0000_0104)
    // Nothing of it without the capability.
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities &= ~RISCV.Capability.dbg
    let without = Rig(configuration)
    without[RISCV.Register.trReqCtl] = 5 << 40 | 1
    #expect(without[RISCV.Register.trReqCtl] == 0 && without.faults.isEmpty)
  }

  /// The performance monitor: events, filters, overflow.
  @Test func performance() {
    let rig = Rig()
    rig.processes()
    #expect(rig.get(RISCV.Register.iocountinh) == 0xFF)
    func event(_ index: UInt64, _ value: UInt64) { rig[RISCV.Register.iohpmevt + index * 8] = value }
    func counter(_ index: UInt64) -> UInt64 { rig[RISCV.Register.iohpmctr + index * 8] }
    event(0, 1)
    event(1, 4 | 1 << 61 | 5 << 36)  // misses of device 5
    event(2, 1 | 1 << 60 | 8 << 16)  // process 8
    event(3, 7 | 1 << 62 | 1 << 60 | 9 << 16)  // first-stage walks of PSCID 9
    event(4, 1 | 1 << 61 | 1 << 15 | 3 << 36)  // devices 0 to 7
    event(5, 1 | 1 << 62)  // an event that does not know address spaces
    event(6, 0x7FFF)
    #expect(rig[RISCV.Register.iohpmevt + 48] == 0)
    event(6, 5)
    rig.set(RISCV.Register.iocountinh, 0)
    for _ in 0..<3 { _ = rig.go(0x40201000, pid: 9) }
    _ = rig.go(0x40201000, pid: 8)
    _ = rig.go(0, device: 8)
    #expect((0..<7).map { counter($0) } == [5, 1, 1, 1, 4, 0, 2])
    #expect(rig[RISCV.Register.iohpmcycles] == 5)
    // Overflow at 40 bits, told once.
    rig[RISCV.Register.iohpmctr] = ~0
    #expect(counter(0) == (1 << 40) - 1)
    _ = rig.go(0)
    #expect(counter(0) == 0)
    #expect(rig.get(RISCV.Register.iocountovf) == 2)
    #expect(rig.get(RISCV.Register.ipsr) == 4)
    rig.set(RISCV.Register.ipsr, 4)
    rig[RISCV.Register.iohpmctr] = ~0
    _ = rig.go(0)
    #expect(rig.get(RISCV.Register.ipsr) == 0, "OF is still set")
    rig[RISCV.Register.iohpmcycles] = (1 << 40) - 1
    _ = rig.go(0)
    #expect(rig[RISCV.Register.iohpmcycles] == 1 << 63)
    #expect(rig.get(RISCV.Register.ipsr) == 4)
    rig.set(RISCV.Register.iocountinh, 0xFFFF_FFFF)
    #expect(rig.get(RISCV.Register.iocountinh) == 0xFF)
    _ = rig.go(0)
    #expect(counter(0) == 1)
  }

  /// Switches that decide what the specification leaves open.
  @Test func switches() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.strictNAPOT = false
    configuration.checksContextAddresses = true
    configuration.reportsImplicitOffset = true
    configuration.faultsOnCustomMSIPTE = false
    configuration.capabilities |= RISCV.Capability.svrsw60t59b
    configuration.capabilities &= ~RISCV.Capability.svpbmt
    let rig = Rig(configuration)
    rig.firstStage()
    #expect(rig.go(0x40220000).address == 0x8765_0000)
    #expect(rig.go(0x40236000).code == 13, "PBMT without Svpbmt")
    rig.put(0x22008, 0x21D9_50D7 | 3 << 59)
    #expect(rig.go(0x40201000).address == 0x8765_4000)
    rig.place(Context(fsc: 8 << 60 | 0xFFF_FFFF_FFFF), device: 6)
    #expect(rig.go(0, device: 6).code == 259)
    rig.twoStages()
    rig.forget()
    #expect(rig.go(0x40401000).code == 21)
    #expect(rig.faults.last?[3] == 0x150009)
    rig.messages()
    rig.put(0x50030, 0x37AB_6C07 | 1 << 63)
    rig.forget()
    #expect(rig.go(0x2_8000_3000).address == 0xDEAD_B000)
  }

  /// A superpage of the guest that holds interrupt files is never told as one page.
  @Test func superpageAroundInterruptFiles() {
    let rig = Rig()
    rig.messages(tc: 3)
    // GPA 2_8000_0000 lies in the gigabyte at index A; the pattern is its first megabyte.
    rig.put(0x40050, 0x4000_00D7)
    #expect(rig.go(0x2_8030_0000, kind: TranslationRequestTests.ask).translation?.sizeLg2 == 12)
    rig.put(0x40058, 0x8000_00D7)
    #expect(rig.go(0x2_C030_0000, kind: TranslationRequestTests.ask).translation?.sizeLg2 == 30)
  }
}
