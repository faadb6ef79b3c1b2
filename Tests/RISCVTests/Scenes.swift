// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs

// The tables that the known answers share.

extension Rig {
  /// First stage: Sv39, root at 20000, PSCID 7.
  func firstStage(tc: UInt64 = 1, fsc: UInt64 = 0x8000_0000_0000_0020) {
    place(Context(tc: tc, ta: 0x7000, fsc: fsc))
    firstStageTables()
  }

  func firstStageTables() {
    put(0x20008, 0x8401)
    put(0x21008, 0x8801)
    put(0x22008, 0x21D950D7)
    put(0x21010, 0x2008_00D7)
    put(0x21018, 0x2008_04D7)
    put(0x20010, 0x3000_00D7)
    for index: UInt64 in 0..<16 { put(0x22080 + index * 8, 0x8000_0000_21D9_60D7) }
    put(0x22100, 0x8000_0000_21D9_40D7)
    put(
      0x22180, 0x048D_1453, 0x048D_14C7, 0x048D_14D5, 0x0040_0000_048D_14D7, 0x048D_1417, 0x048D_1457,
      0x2000_0000_048D_14D7, 0x6000_0000_048D_14D7)
    put(0x221C0, 0x26401)
    put(0x21020, 0x8000_0000_2008_20D7)
    put(0x21028, 0x8841)
  }

  /// Second stage: Sv39x4, root at 40000, GSCID 3.
  func secondStage(tc: UInt64 = 1, iohgatp: UInt64 = 0x8000_3000_0000_0040, fsc: UInt64 = 0) {
    place(Context(tc: tc, iohgatp: iohgatp, fsc: fsc))
    put(0x43008, 0x11001)
    put(0x44008, 0x11401)
    put(0x45008, 0x26AF_34D7, 0x26AF_34C7, 0x26AF_3453, 0x26AF_3457)
    put(0x40008, 0x4000_00D7)
  }

  /// Both: the first stage's tables are at GPA 100000 to 103FFF.
  func twoStages(tc: UInt64 = 1) {
    secondStage(tc: tc, fsc: 0x8000_0000_0000_0100)
    put(0x40000, 0x11001)
    put(0x44000, 0x11401)
    put(0x45800, 0x1804_00D7, 0x1804_04D7, 0x1804_08D7, 0x1C04_0CD7)
    put(0x6010_0008, 0x40401)
    put(0x6010_1008, 0x40801)
    put(0x6010_2008, 0x40CD7, 0x7FCD7)
    put(0x6010_1010, 0x54001)
  }

  /// A process directory at 30000, with process 9, PSCID 9, in the first stage's tables.
  func processes(tc: UInt64 = 0x21, mode: UInt64 = 1, ta: UInt64 = 0x9001) {
    place(Context(tc: tc, fsc: mode << 60 | 0x30))
    put(0x30090, ta, 0x8000_0000_0000_0020)
    firstStageTables()
  }

  /// A flat MSI page table at 50000 for 256 interrupt files at GPA 280000000, beside a second stage.
  func messages(tc: UInt64 = 1) {
    secondStage(tc: tc)
    place(
      Context(
        tc: tc, iohgatp: 0x8000_3000_0000_0040, msiptp: 0x1000_0000_0000_0050, mask: 0xFF, pattern: 0x280000))
    put(0x50030, 0x37AB_6C07, 0)
    put(0x50040, 0, 0)
    put(0x50050, 1, 0)
    put(0x50060, 0x48D1_5803, 0x1000_0000_2AF3_7812)
  }
}
