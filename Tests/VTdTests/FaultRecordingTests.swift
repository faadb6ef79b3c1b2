// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct FaultRecordingTests {
  /// Every request of another source faults with 39; `records` of them fit.
  private func rig(records: UInt64, _ configure: (inout VTdConfiguration) -> Void = { _ in }) -> Rig {
    var configuration = Rig.configuration
    configuration.set(VTd.Cap.nfr, records - 1)
    configure(&configuration)
    let rig = Rig(configuration)
    rig.start(rtaddr: 0x1400)
    rig.write(VTd.Register.fedata, 0x77)
    rig.write(VTd.Register.feaddr, 0xFEE0_0000)
    rig.write(VTd.Register.fectl, 0)
    return rig
  }

  private func fault(_ rig: Rig, _ number: UInt32) {
    #expect(rig.dma(.read, UInt64(number) << 12, from: number).brief == "-39")
  }

  @Test func ring() {
    let rig = rig(records: 4)
    for number: UInt32 in 1...3 { fault(rig, number) }
    #expect(rig.fsts == 2)
    #expect(rig.fabric.interrupts == [InterruptMessage(address: 0xFEE0_0000, data: 0x77)])
    for index in 0..<3 { #expect(rig.record(index).high & 0xFFFF == UInt64(index) + 1) }
    // Cleared from the first on: FRI moves with it, PPF stays as long as one is left.
    rig.clearRecord(0)
    #expect(rig.fsts == 0x102)
    #expect(rig.record(0).high >> 63 == 0)
    // Around the end.
    fault(rig, 4)
    fault(rig, 5)
    #expect(rig.record(3).high & 0xFFFF == 4)
    #expect(rig.record(0).high & 0xFFFF == 5)
    #expect(rig.fabric.interrupts.count == 1, "PPF was set all the time")
    for index in [1, 2, 3] { rig.clearRecord(index) }
    #expect(rig.fsts == 2)
    rig.clearRecord(0)
    #expect(rig.fsts == 0)
    fault(rig, 6)
    #expect(rig.fsts == 0x102)
    #expect(rig.fabric.interrupts.count == 2)
  }

  @Test func overflow() {
    let rig = rig(records: 2)
    for number: UInt32 in 1...2 { fault(rig, number) }
    #expect(rig.fsts == 2)
    fault(rig, 3)
    #expect(rig.fsts == 3)
    #expect(rig.fabric.interrupts.count == 2)
    // Nothing is recorded until PFO is cleared, even with room.
    rig.clearRecord(0)
    rig.clearRecord(1)
    fault(rig, 4)
    #expect(rig.fsts & 3 == 1)
    #expect(rig.record(0).high >> 63 == 0)
    rig.write(VTd.Register.fsts, 1)
    #expect(rig.fsts & 3 == 0)
    fault(rig, 5)
    #expect(rig.record(0).high & 0xFFFF == 5)
    #expect(rig.fsts & 3 == 2)
  }

  @Test func oneRecord() {
    let rig = rig(records: 1)
    fault(rig, 1)
    fault(rig, 2)
    #expect(rig.fsts == 3)
    #expect(rig.record(0).high & 0xFFFF == 1)
    rig.clearFaults()
    #expect(rig.fsts == 0)
    fault(rig, 3)
    #expect(rig.record(0).high & 0xFFFF == 3)
  }

  @Test func mostRecords() {
    let rig = rig(records: 256)
    for number: UInt32 in 1...256 { fault(rig, number) }
    #expect(rig.record(255).high & 0xFFFF == 256)
    fault(rig, 257)
    #expect(rig.fsts == 3)
    rig.clearFaults()
    #expect(rig.fsts & 3 == 0)
  }

  /// Masked events wait; those that software has dealt with are gone.
  @Test func masking() {
    let rig = rig(records: 4)
    rig.write(VTd.Register.fectl, 1 << 31)
    fault(rig, 1)
    #expect(rig.read(VTd.Register.fectl) == 0xC000_0000)
    rig.write(VTd.Register.fectl, 0)
    #expect(rig.fabric.interrupts.count == 1)
    rig.clearFaults()
    rig.write(VTd.Register.fectl, 1 << 31)
    fault(rig, 2)
    rig.clearFaults()
    rig.write(VTd.Register.fectl, 0)
    #expect(rig.fabric.interrupts.count == 1)
  }

  @Test func collapsing() {
    let rig = rig(records: 4) { $0.quirks.collapsesFaults = true }
    fault(rig, 1)
    fault(rig, 1)
    fault(rig, 2)
    #expect(rig.record(1).high & 0xFFFF == 2)
    #expect(rig.record(2).high == 0)
  }

  /// A handler that clears a fault inside the interrupt, and makes the device fault again.
  @Test func handledInside() {
    let rig = rig(records: 2)
    var times = 0
    rig.fabric.onInterrupt = { [unowned rig] in
      times += 1
      rig.clearFaults()
      if times < 10 { _ = rig.dma(.read, 0, from: 9) }
    }
    fault(rig, 1)
    #expect(times == 10)
    #expect(rig.fsts & 3 == 0)
  }

  @Test func facts() throws {
    let rig = rig(records: 4)
    fault(rig, 7)
    guard case .list(let faults)? = rig.unit.facts()["faults"] else {
      Issue.record("no faults")
      return
    }
    #expect(faults.count == 1)
    #expect(faults.first?["code"]?.number == 0x39)
    #expect(faults.first?["source"]?.number == 7)
    #expect(faults.first?["address"]?.number == 0x7000)
    if case .text(let type)? = faults.first?["type"] { #expect(type == "read") }
  }

  /// Abort-DMA mode: nobody passes, and nothing is written down.
  @Test func abortMode() {
    let rig = rig(records: 4) { $0.setExtended(VTd.ECap.adms, 1) }
    rig.start(rtaddr: 0x1C00)
    let answer = rig.dma(.write, 0x1000)
    #expect(answer.abort?.recorded == false)
    #expect(rig.unit.walk(Transaction(source: sid, address: 0x1000)).answer.abort?.recorded == false)
    #expect(rig.fsts == 0)
    rig.unit.pageRequest(PageRequest(source: sid, address: 0x1000))
    #expect(rig.fsts == 0)
    #expect(rig.fabric.responses.map(\.code) == [.invalidRequest])
  }
}
