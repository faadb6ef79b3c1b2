// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct InterruptTests {
  /// A table of 256 entries at c000; entry 1 gives vector 41 to APIC 3.
  private func rig(extended: Bool = false) -> Rig {
    let rig = Rig()
    rig.put("[c010]=30000410001 [c018]=43a29")
    if extended { rig.put("[c010]=1234567800410001") }
    rig.start(rtaddr: 0x1400)
    rig.write(VTd.Register.irta, 0xC007 | (extended ? 0x800 : 0), width: 8)
    rig.command(VTd.GlobalCommand.sirtp)
    return rig
  }

  private func send(_ rig: Rig, _ address: UInt64, _ data: UInt32 = 0, from source: UInt32 = sid)
    -> TranslationAnswer
  {
    rig.unit.translate(Transaction(source: source, address: address, access: .write), data: data)
  }

  /// Not remapped, a write to the range is the interrupt that it says.
  @Test func compatibility() {
    let rig = rig()
    let message = InterruptMessage(address: 0xFEE0_1004, data: 0x4051)
    #expect(send(rig, message.address, message.data).translation?.interrupt == message)
    rig.command(VTd.GlobalCommand.te, off: true)
    #expect(send(rig, message.address, message.data).translation?.interrupt == message)
    rig.command(VTd.GlobalCommand.ire)
    #expect(send(rig, message.address, message.data).brief == "-25")
    #expect(rig.record(0) == (0, 0x8000_0025_0000_3A29))
    rig.command(VTd.GlobalCommand.cfi)
    #expect(send(rig, message.address, message.data).translation?.interrupt == message)
    // The protocol's form has no data.
    #expect(rig.dma(.write, 0xFEE0_1004).translation?.interrupt?.address == 0xFEE0_1004)
  }

  @Test func remapped() {
    let rig = rig()
    rig.command(VTd.GlobalCommand.ire)
    let expected = InterruptMessage(address: 0xFEE0_3000, data: 0x4041)
    #expect(send(rig, 0xFEE0_0030).translation?.interrupt == expected)
    // Handle 0 with subhandle 1.
    #expect(send(rig, 0xFEE0_0018, 1).translation?.interrupt == expected)
    // All fields.
    rig.put("[c020]=5010042003d")
    #expect(send(rig, 0xFEE0_0050).brief == "-24", "bits 63:32 but 47:40 are reserved without EIM")
    rig.put("[c020]=5000042003d")
    #expect(
      send(rig, 0xFEE0_0050).translation?.interrupt == InterruptMessage(address: 0xFEE0_500C, data: 0xC142))
  }

  @Test func extendedDestination() {
    let rig = rig(extended: true)
    rig.command(VTd.GlobalCommand.ire)
    rig.command(VTd.GlobalCommand.cfi)
    #expect(
      send(rig, 0xFEE0_0030).translation?.interrupt
        == InterruptMessage(address: 0x1234_5600_FEE7_8000, data: 0x4041))
    // Compatibility format is blocked in any case.
    #expect(send(rig, 0xFEE0_1004).brief == "-25")
  }

  @Test func sources() {
    let rig = rig()
    rig.command(VTd.GlobalCommand.ire)
    for (second, source, allowed) in [
      ("43a29", 0x3A29, true), ("43a29", 0x3A28, false), ("53a29", 0x3A2D, true), ("53a29", 0x3A2B, false),
      ("63a29", 0x3A2F, true), ("63a29", 0x3A28, false), ("73a29", 0x3A28, true), ("73a29", 0x3A30, false),
      ("83a3c", 0x3B00, true), ("83a3c", 0x39FF, false), ("83a3c", 0x3D00, false), ("0", 0x1, true),
    ] as [(String, UInt32, Bool)] {
      rig.put("[c018]=\(second)")
      rig.startQueue(wide: true)
      rig.submit([(4, 0)])
      let answer = send(rig, 0xFEE0_0030, from: source)
      #expect((answer.translation != nil) == allowed, "\(second) \(source)")
      if !allowed { #expect(answer.brief == "-26") }
      rig.command(VTd.GlobalCommand.qie, off: true)
    }
  }

  /// The interrupt entry cache is told by index, mask or not at all.
  @Test func invalidation() {
    let rig = rig()
    rig.command(VTd.GlobalCommand.ire)
    rig.startQueue(wide: true)
    let vector = { self.send(rig, 0xFEE0_0030).translation?.interrupt?.data }
    #expect(vector() == 0x4041)
    rig.put("[c010]=30000420001")
    #expect(vector() == 0x4041, "stale")
    rig.submit([(0x2_0000_0014, 0)])
    #expect(vector() == 0x4041, "another index")
    rig.submit([(0x1_0000_0014, 0)])
    #expect(vector() == 0x4042)
    rig.put("[c010]=30000430001")
    rig.submit([(0x8_1000_0014, 0)])
    #expect(vector() == 0x4042, "8 to 11")
    rig.submit([(0x3_1000_0014, 0)])
    #expect(vector() == 0x4043, "0 to 3")
    rig.put("[c010]=30000440001")
    rig.submit([(0x4, 0)])
    #expect(vector() == 0x4044)
    rig.put("[c010]=0")
    rig.command(VTd.GlobalCommand.sirtp)
    #expect(send(rig, 0xFEE0_0030).brief == "-22", "ESIRTPS forgets by itself")
    // FPD of the entry.
    rig.clearFaults()
    rig.put("[c010]=2")
    let answer = send(rig, 0xFEE0_0030)
    #expect(answer.abort?.recorded == false)
    #expect(rig.fsts == 0)
  }

  @Test func faultRecord() {
    let rig = rig()
    rig.command(VTd.GlobalCommand.ire)
    #expect(send(rig, 0xFEE0_0050).brief == "-22")
    #expect(rig.record(0) == (2 << 48, 0x8000_0022_0000_3A29))
  }
}
