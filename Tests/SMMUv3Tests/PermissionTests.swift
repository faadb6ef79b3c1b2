// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Who may do what: against the tables of the architecture, written down once more as one slow rule.
@Suite struct PermissionTests {
  struct Case {
    var leaf: UInt64
    var table: UInt64 = 0
    var cd: UInt64 = 0
    var world: UInt64 = 0
  }

  /// The rule of Arm DDI 0487, D8.4, for one access, as text would say it.
  private func allowed(_ one: Case, _ access: Transaction.Access, execute: Bool, privileged: Bool) -> Bool {
    let flat = one.world == 2
    let bit = { (word: UInt64, index: UInt64) in word >> index & 1 == 1 }
    let unprivileged = bit(one.leaf, 6) && !bit(one.table, 61)
    let readOnly = bit(one.leaf, 7) || bit(one.table, 62)
    let userNever = bit(one.leaf, 54) || bit(one.table, 60)
    let privilegedNever = bit(one.leaf, 53) || bit(one.table, 59)
    let wxn = bit(one.cd, 36)
    let pan = bit(one.cd, 40)
    let isUser = !privileged && !flat
    if execute, access == .read {
      if flat { return !userNever && !(wxn && !readOnly) }
      if isUser { return !userNever && !(wxn && unprivileged && !readOnly) }
      return !privilegedNever && !(unprivileged && !readOnly) && !(wxn && !readOnly)
    }
    if isUser, !unprivileged { return false }
    if !isUser, !flat, pan, unprivileged { return false }
    return access == .read || !readOnly
  }

  @Test func stage1() {
    var checked = 0
    for world in [UInt64(0), 2] {
      for cd: UInt64 in [0, 0x10_0000_0000, 0x100_0000_0000, 0x110_0000_0000] {
        let rig = Rig()
        rig.stage1(Rig.cdWord(extra: cd), dw1: world << 30)
        rig.put([0x4000_0000: 0x4000_1003, 0x4000_1000: 0x4000_2003])
        // A level 3 table for each combination of hierarchical bits, a leaf for each of AP and XN.
        for table in 0..<UInt64(16) {
          rig.put(0x4000_2000 + table * 8, (0x4010_0003 + table << 12) | table << 59)
          for leaf in 0..<UInt64(16) {
            let bits = (leaf & 3) << 6 | (leaf >> 2) << 53
            rig.put(0x4010_0000 + table << 12 + leaf * 8, 0x1234_5C03 | bits)
          }
        }
        for table in 0..<UInt64(16) {
          for leaf in 0..<UInt64(16) {
            let one = Case(
              leaf: (leaf & 3) << 6 | (leaf >> 2) << 53, table: table << 59, cd: cd, world: world)
            for access in Transaction.Access.allCases {
              for flags in 0..<4 {
                let execute = flags & 1 != 0
                let privileged = flags & 2 != 0
                let address = table << 21 | leaf << 12
                let answer = rig.dma(access, address, execute: execute, privileged: privileged)
                let expected = allowed(one, access, execute: execute, privileged: privileged)
                #expect((answer.physical != nil) == expected, "\(one) \(access) \(flags)")
                if !expected { #expect(answer.code == 0x13) }
                checked += 1
              }
            }
          }
        }
      }
    }
    #expect(checked == 2 * 4 * 256 * 12)
  }

  /// HAD: the bits of table descriptors do not count.
  @Test func hierarchyOff() {
    let rig = Rig()
    rig.tables4K()
    rig.stage1()
    #expect(rig.dma(.write, 0x80_40C0_0000).code == 0x13)
    rig.put(Rig.contextTable + 8, 0x4000_0002)
    rig.forget()
    #expect(rig.dma(.write, 0x80_40C0_0000).physical == 0x1234_5000)
    var configuration = SMMUv3.Configuration()
    configuration.idr3 &= ~4
    let old = Rig(configuration)
    old.tables4K()
    old.stage1()
    old.put(Rig.contextTable + 8, 0x4000_0002)
    #expect(old.dma(.write, 0x80_40C0_0000).code == 0x13, "without IDR3.HAD")
  }

  @Test func stage2() {
    for xnx in [true, false] {
      var configuration = SMMUv3.Configuration()
      if !xnx { configuration.idr3 &= ~(1 << 4) }
      let rig = Rig(configuration)
      rig.tablesStage2()
      rig.stage2()
      for bits in 0..<UInt64(16) {
        rig.put(0x4000_3000 + bits * 8, 0x1234_5000 | 0x73F & ~0xC0 | (bits & 3) << 6 | (bits >> 2) << 53)
        for access in Transaction.Access.allCases {
          for flags in 0..<4 {
            let execute = flags & 1 != 0 && access == .read
            let privileged = flags & 2 != 0
            let readable = bits & 1 != 0
            let never = xnx ? bits >> 2 : (bits >> 2) & 2
            var expected = access == .read ? readable : bits & 2 != 0 && (access == .write || readable)
            if execute {
              expected =
                readable && (never == 0 || (never == 1 && !privileged) || (never == 3 && privileged))
            }
            let answer = rig.dma(
              access, 0x80_4060_0000 | bits << 12, execute: execute, privileged: privileged)
            #expect((answer.physical != nil) == expected, "\(bits) \(access) \(flags)")
          }
        }
      }
    }
  }

  /// TTB1, top bytes, and who may use which half.
  @Test func halves() {
    let rig = Rig()
    // T1SZ 16, TG1 4K, EPD1 clear.
    let both = Rig.cdWord(extra: 16 << 16 | 2 << 22) & ~(1 << 30)
    rig.stage1(both)
    rig.put(Rig.contextTable + 16, 0x4800_0000)
    rig.tables4K()
    rig.put([
      0x4800_0FF8: 0x4800_1003, 0x4800_1FF8: 0x4800_2003, 0x4800_2FF8: 0x4800_3003, 0x4800_3FF8: 0x5555_5F47,
    ])
    #expect(rig.reads(0xFFFF_FFFF_FFFF_F123) == 0x5555_5123)
    #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    for outside: UInt64 in [
      0x0001_0000_0000_0000, 0xFFFE_FFFF_FFFF_F000, 0xFF00_0080_4060_4000, 0x8000_0000_0000_0000,
    ] {
      #expect(rig.dma(.read, outside).code == 0x10)
    }
    // TBI0 and TBI1.
    rig.cd(both | 1 << 38, 0x4000_0000, 0x4800_0000)
    rig.forget()
    #expect(rig.reads(0xFF00_0080_4060_4000) == 0x1234_5000)
    #expect(rig.dma(.read, 0x00FF_FFFF_FFFF_F000).code == 0x10)
    // From the TLB, whatever the top byte; and with PRIVCFG = privileged the page for the privileged.
    #expect(rig.dma(.read, 0x1200_0080_4060_4000).translation?.fromCache == true)
    rig.put(0x1100_0208, 3 << 48)
    rig.forget()
    for _ in 0..<2 { #expect(rig.reads(0x3400_0080_4060_E000) == 0x1234_9000) }
    rig.put(0x1100_0208, 0)
    rig.forget()
    _ = rig.events()
    #expect(rig.dma(.write, 0xAB00_0080_4060_5000).code == 0x13)
    #expect(rig.event()?[2] == 0xAB00_0080_4060_5000, "the record has the address as it came")
    rig.cd(both | 1 << 39, 0x4000_0000, 0x4800_0000)
    rig.forget()
    #expect(rig.reads(0x00FF_FFFF_FFFF_F000) == 0x5555_5000)
    // E0PD: the unprivileged may not.
    rig.cd(both, 0x4000_0004, 0x4800_0004)
    rig.forget()
    #expect(rig.dma(.read, 0x80_4060_4000).code == 0x10)
    #expect(rig.dma(.read, 0x80_4060_4000, privileged: true).physical == 0x1234_5000)
    #expect(rig.dma(.read, 0xFFFF_FFFF_FFFF_F000).code == 0x10)
    #expect(rig.dma(.read, 0x80_4060_4000).code == 0x10, "nor when the TLB has it for the privileged")
    // EL2 has one half.
    rig.ste(Rig.contextTable | 0xB, 2 << 30)
    rig.cd(both, 0x4000_0000, 0x4800_0000)
    rig.forget()
    #expect(rig.reads(0x80_4060_4000) == 0x1234_5000)
    #expect(rig.dma(.read, 0xFFFF_FFFF_FFFF_F000).code == 0x10)
    // A page for the privileged is for everyone there.
    #expect(rig.reads(0x80_4060_E000) == 0x1234_9000)
  }

  /// Big-endian tables, and small ones: T0SZ 39 starts at level 2, with STT 48 at level 3.
  @Test func shapes() {
    let rig = Rig()
    rig.stage1(Rig.cdWord(t0sz: 39, extra: 1 << 15))
    rig.put(0x4000_0008, UInt64(0x4000_3003).byteSwapped)
    rig.put(0x4000_3028, UInt64(0x1234_5F47).byteSwapped)
    #expect(rig.reads(0x20_5678) == 0x1234_5678)
    // The root has 16 entries, and is aligned to them: bit 6 of the base does not count.
    rig.stage1(Rig.cdWord(t0sz: 48), ttb0: 0x4000_00C0)
    rig.put(0x4000_0080, 0x1234_5F47)
    rig.put(0x4000_00B8, 0x1234_6F47)
    rig.forget()
    #expect(rig.reads(0x123) == 0x1234_5123)
    #expect(rig.reads(0x7123) == 0x1234_6123)
    #expect(rig.dma(.read, 0x1_0000).code == 0x10)
    // Stage 2 from level 3, S2SL0 = 3.
    rig.stage2(Rig.stage2Word & ~(0xFF << 32) | 45 << 32 | 3 << 38, s2ttb: 0x4800_0000)
    rig.put(0x4800_0008, 0x1234_57FF)
    rig.forget()
    #expect(rig.reads(0x1123) == 0x1234_5123)
    // Blocks where there are none: level 1 with 16K and, without 52 bits, with 64K.
    for (tg0, place, address) in [
      (UInt64(2), UInt64(0x4000_4008), UInt64(0x8010_0000_0000)), (1, 0x4000_0008, 0x400_0000_0000),
    ] {
      rig.stage1(Rig.cdWord(tg0: tg0))
      rig.put([0x4000_0008: 0x4000_4003])
      rig.put(place, 0xF45)
      rig.forget()
      #expect(rig.dma(.read, address).code == 0x10)
    }
  }

  /// Contiguous runs: ignored, or cached as a whole; a run that is none is a conflict.
  @Test func contiguous() {
    for (use, strict) in [(false, false), (true, false), (true, true)] {
      var configuration = SMMUv3.Configuration()
      configuration.usesContiguousHint = use
      configuration.reportsConflicts = strict
      let rig = Rig(configuration)
      rig.stage1()
      rig.tables4K()
      rig.put(TranslationVectorTests.contiguous)
      for page in 0..<UInt64(16) {
        let answer = rig.dma(.read, 0x80_4061_0000 | page << 12 | 0x123)
        #expect(answer.physical == 0x1234_0123 + page << 12)
        #expect(answer.translation?.sizeLg2 == (use ? 16 : 12))
      }
      rig.forget()
      rig.put(0x4000_3090, 0x0010_0000_1299_9F47)
      #expect(rig.dma(.read, 0x80_4061_0123).code == (strict ? 0x20 : nil))
      #expect(rig.dma(.read, 0x80_4061_2123).code == (strict ? 0x20 : nil))
      if !strict { #expect(rig.reads(0x80_4061_2123) == 0x1299_9123) }
    }
  }
}
