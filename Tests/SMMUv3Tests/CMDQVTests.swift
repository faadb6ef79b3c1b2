// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Tegra241's command queue virtualisation: vectors A65 to A67 and the rules of A5.7.
@Suite struct CMDQVTests {
  static let base: UInt64 = 0x20_0000
  static let ring: UInt64 = 0x0280_0000

  /// Queue 9 is logical queue 1 of VINTF 3, VMID 5, a guest's unless `trusted`; vSID 4 is stream 0x208.
  private func rig(trusted: Bool = false, enabled: Bool = true) -> Rig {
    let rig = Rig(.tegra241)
    let at = { (offset: UInt64, value: UInt64) in rig.write(Self.base + offset, 4, value) }
    at(0, 1)
    at(0x1300, 5 << 1 | (trusted ? 1 << 17 : 0) | 1)
    at(0x1340, 0x9)
    at(0x1380, 0x208)
    at(0x224, 3 << 15 | 1 << 1 | 1)
    rig.write(Self.base + 0x2_0480, 8, Self.ring | 3)
    if enabled { at(0x1_0488, 1) }
    return rig
  }

  /// Queues a command through the guest's page, VINTF 3's logical queue 1.
  private func push(_ rig: Rig, _ word0: UInt64, _ word1: UInt64 = 0) {
    let page = Self.base + 0x3_0000 + 3 * 0x2_0000 + 0x80
    let prod = rig.read(page + 4)
    rig.put(Self.ring + (prod & 7) << 4, word0)
    rig.put(Self.ring + (prod & 7) << 4 + 8, word1)
    rig.write(page + 4, 4, (prod + 1) & 15)
  }

  private func cons(_ rig: Rig) -> UInt64 { rig.read(Self.base + 0x1_0480) }

  /// A65, A66: the registers hold what the vectors say.
  @Test func registers() {
    let rig = rig()
    #expect(rig.read(Self.base + 0x1340) == 0x9)
    #expect(rig.read(Self.base + 0x1380) == 0x208)
    #expect(rig.read(Self.base + 0x224) == 0x0001_8003)
    #expect(rig.read(Self.base + 4) == 0x4671)
    #expect(rig.read(Self.base + 8) == 1)
    #expect(rig.read(Self.base + 0x1304) == 1)
    #expect(rig.read(Self.base + 0x1_048C) == 1)
    // Page 1 through the VINTF.
    #expect(rig.read(Self.base + 0x3_0000 + 3 * 0x2_0000 + 0x1_0080, 8) == Self.ring | 3)
    rig.write(Self.base + 0x2_0480, 8, 0)
    #expect(rig.read(Self.base + 0x2_0480, 8) == Self.ring | 3, "not while the queue is enabled")
    #expect(rig.smmu.driverMistakes.count == 2)
    #expect(rig.read(Self.base + 0xFFF_FFFC) == 0)
    // No block, no registers.
    let plain = Rig()
    plain.write(Self.base, 4, 1)
    #expect(plain.read(Self.base) == 0)
  }

  /// A63, A67: a guest's TLBI acts on its own VMID, whatever it says.
  @Test func guestInvalidations() {
    let rig = rig()
    let streams: [(sid: UInt32, vmid: UInt64)] = [(0x210, 5), (0x211, 0x77), (0x212, 0)]
    rig.tables4K()
    rig.cd(Rig.cdWord(), 0x4000_0000)
    for stream in streams { rig.ste(0x1200_000B, 0, stream.vmid, sid: stream.sid) }
    let hits = {
      streams.map { rig.dma(.read, 0x80_4060_4000, sid: $0.sid).translation?.fromCache == true }
    }
    _ = hits()
    #expect(hits() == [true, true, true])
    push(rig, 0x0001_0077_0000_0012, 0x80_4060_4001)
    #expect(hits() == [false, true, true])
    push(rig, 0x0001_0000_0000_0011)
    #expect(hits() == [false, true, true])
    push(rig, 0x46)
    #expect(cons(rig) == 3)
    // ATC_INV: the guest's stream becomes the host's.
    push(rig, 0x0000_0004_0000_0040, 0x5000)
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: 0x208, address: 0x5000, sizeLg2: 12, allPASIDs: true)
      ])
  }

  /// Everything else stops the queue, shows in the maps and interrupts.
  @Test func refused() {
    let rows: [(name: String, word0: UInt64, word1: UInt64)] = [
      ("unmatched stream", 0x0000_0005_0000_0040, 0), ("NH_ALL", 0x10, 0), ("NH_VAA", 0x13, 0),
      ("NSNH_ALL", 0x30, 0), ("S12_VMALL", 0x28, 0), ("CFGI_STE", 0x0000_0004_0000_0003, 1),
      ("CFGI_CD", 0x05, 0),
      ("SYNC with an interrupt", 0x1046, 0x0808_0040), ("SYNC with an event", 0x2046, 0), ("RESUME", 0x44, 0),
      ("PRI_RESP", 0x41, 0), ("nothing", 0, 0), ("a bad range", 0x12, 1 << 10),
    ]
    for row in rows {
      let rig = rig()
      push(rig, 0x46)
      push(rig, row.word0, row.word1)
      push(rig, 0x46)
      #expect(cons(rig) == 0x0100_0001, "\(row.name)")
      #expect(rig.read(Self.base + 0x1_0490) == 1, "\(row.name)")
      #expect(rig.read(Self.base + 0x14) == 1 << 3, "\(row.name)")
      #expect(rig.read(Self.base + 0x24) == 1 << 9, "\(row.name)")
      #expect(rig.read(Self.base + 0x13C0, 8) == 1 << 1, "\(row.name)")
      #expect(rig.fabric.wires == [4], "\(row.name)")
      #expect(!rig.active(SMMU.GlobalError.all), "the SMMU itself has no error")
      // Repaired and acknowledged.
      rig.put(Self.ring + 16, 0x46)
      rig.put(Self.ring + 24, 0)
      rig.write(Self.base + 0x1_0494, 4, 1)
      #expect(cons(rig) & 0xF_FFFF == 3, "\(row.name)")
      #expect(rig.read(Self.base + 0x14) == 0, "\(row.name)")
    }
    // The hypervisor's own may.
    for row in rows where row.word0 & 0xFF != 0 && row.word1 != 1 << 10 {
      let rig = rig(trusted: true)
      push(rig, row.word0, row.word1)
      #expect(cons(rig) == 1, "\(row.name)")
    }
  }

  @Test func masked() {
    let rig = rig()
    rig.write(Self.base + 0x1C, 4, 1 << 3)
    push(rig, 0x10)
    #expect(rig.fabric.wires.isEmpty)
    #expect(rig.read(Self.base + 0x14) == 1 << 3)
    // A fetch that fails.
    let other = self.rig(enabled: false)
    other.write(Self.base + 0x2_0480, 8, 0x0FF0_0000_0003)
    other.write(Self.base + 0x1_0488, 4, 1)
    push(other, 0x46)
    #expect(cons(other) == 0x0200_0000)
  }

  /// A device of a guest that does not answer fails the guest's SYNC.
  @Test func timeout() {
    let rig = rig()
    rig.fabric.devicesAnswer = false
    push(rig, 0x0000_0004_0000_0040, 0x5000)
    push(rig, 0x46)
    #expect(cons(rig) == 0x0300_0001)
  }

  /// Each of the four things that enable a queue is needed.
  @Test func enables() {
    for (offset, off, on) in [
      (UInt64(0), UInt64(0), UInt64(1)), (0x1300, 5 << 1, 5 << 1 | 1), (0x1_0488, 0, 1),
    ] {
      let rig = rig()
      rig.write(Self.base + offset, 4, off)
      push(rig, 0x46)
      #expect(cons(rig) == 0)
      rig.write(Self.base + offset, 4, on)
      #expect(cons(rig) == 1)
    }
    let rig = rig()
    rig.write(Self.base + 0x224, 4, 0)
    // Its page has gone with the allocation; the hypervisor's own view has not.
    rig.write(Self.base + 0x1_0484, 4, 1)
    #expect(cons(rig) == 0)
    #expect(rig.read(Self.base + 0x3_0000 + 3 * 0x2_0000 + 0x84) == 0)
    let facts = rig.smmu.facts()
    #expect(facts["CMDQV"]?["VINTFs"]?["count"]?.number == 1)
  }
}
