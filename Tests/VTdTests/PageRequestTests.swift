// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct PageRequestTests {
  private func rig(_ configure: (inout VTdConfiguration) -> Void = { _ in }) -> Rig {
    var configuration = Rig.configuration
    configure(&configuration)
    let rig = Rig(configuration)
    rig.put(FirstStageVectorTests.base)
    rig.startScalable([0x49, 0x80_0124, 0x20000], pasid: 0x47)
    rig.write(VTd.Register.pqa, 0xA000, width: 8)
    return rig
  }

  private func request(_ index: Int, last: Bool = true) -> PageRequest {
    PageRequest(
      source: sid, pasid: 0x47, address: UInt64(index) << 12, last: last, group: UInt16(index & 0x1FF))
  }

  @Test func fields() {
    let rig = rig()
    rig.unit.pageRequest(
      PageRequest(
        source: sid, pasid: 0x47, address: 0x5678, read: false, write: true, execute: false,
        privileged: false,
        last: false, group: 0xFFFF))
    #expect(rig.differences("[a000]=473a290101 [a008]=5ffa") == [])
    let other = self.rig {
      $0.setExtended(VTd.ECap.ers, 1)
      $0.setExtended(VTd.ECap.srs, 1)
    }
    other.setPASIDEntry([0x49, 0x80_0124, 0x20003], 0x47)
    other.unit.pageRequest(
      PageRequest(source: sid, pasid: 0x47, address: 0x5000, execute: true, privileged: true))
    #expect(other.differences("[a000]=3000473a290101 [a008]=5005") == [])
    // Without PASID.
    other.setPASIDEntry(FirstStageVectorTests.plain, 0)
    other.unit.pageRequest(PageRequest(source: sid, address: 0x6000))
    #expect(other.differences("[a020]=3a290001 [a028]=6005") == [])
  }

  /// One event for the first, none for the next ones until software has looked.
  @Test func events() {
    let rig = rig()
    rig.write(VTd.Register.pedata, 0x33)
    rig.write(VTd.Register.peaddr, 0xFEE0_0000)
    rig.write(VTd.Register.pectl, 0)
    for index in 0..<3 { rig.unit.pageRequest(request(index)) }
    #expect(rig.fabric.interrupts == [InterruptMessage(address: 0xFEE0_0000, data: 0x33)])
    #expect(rig.read(VTd.Register.prs) == 1)
    #expect(rig.read(VTd.Register.pqt, width: 8) == 0x60)
    rig.write(VTd.Register.prs, 1)
    rig.write(VTd.Register.pqh, 0x60, width: 8)
    rig.unit.pageRequest(request(4))
    #expect(rig.fabric.interrupts.count == 2)
    // Masked, it is pending, until it is unmasked.
    rig.write(VTd.Register.pectl, 1 << 31)
    rig.write(VTd.Register.prs, 1)
    rig.unit.pageRequest(request(5))
    #expect(rig.read(VTd.Register.pectl) == 0xC000_0000)
    rig.write(VTd.Register.pectl, 0)
    #expect(rig.fabric.interrupts.count == 3)
  }

  @Test func wraps() {
    let rig = rig()
    for index in 0..<1000 {
      rig.unit.pageRequest(request(index))
      let slot = UInt64(index % 128) * 32
      #expect(rig[0xA008 + slot] >> 12 == UInt64(index))
      rig.write(VTd.Register.pqh, rig.read(VTd.Register.pqt, width: 8), width: 8)
    }
    #expect(rig.read(VTd.Register.prs) == 1)
    #expect(rig.fabric.responses == [])
  }

  /// Full, requests are dropped; the last one of a group is answered by hardware, until software clears PRO.
  @Test func overflows() {
    for answers in [true, false] {
      let rig = rig { $0.quirks.answersOverflowingRequests = answers }
      rig.write(VTd.Register.pectl, 0)
      for index in 0..<127 { rig.unit.pageRequest(request(index)) }
      #expect(rig.read(VTd.Register.prs) == 1)
      let events = rig.fabric.interrupts.count
      rig.unit.pageRequest(request(127, last: false))
      #expect(rig.read(VTd.Register.prs) == 3)
      #expect(rig.fsts & 0x80 == 0x80)
      #expect(rig.fabric.interrupts.count == events + 1)
      #expect(rig.fabric.responses == [])
      rig.unit.pageRequest(request(128))
      let success = PageResponse(source: sid, pasid: 0x47, group: 128, code: .success)
      #expect(rig.fabric.responses == (answers ? [success] : []))
      // A stop marker is never answered.
      rig.unit.pageRequest(PageRequest(source: sid, pasid: 0x47, address: 0, read: false))
      #expect(rig.fabric.responses.count == (answers ? 1 : 0))
      // Room again, and still overflowed.
      rig.write(VTd.Register.pqh, rig.read(VTd.Register.pqt, width: 8), width: 8)
      rig.unit.pageRequest(request(129))
      #expect(rig.read(VTd.Register.pqt, width: 8) == 127 * 32)
      rig.write(VTd.Register.prs, 2)
      #expect(rig.fsts & 0x80 == 0)
      rig.unit.pageRequest(request(130))
      #expect(rig.read(VTd.Register.pqt, width: 8) == 0)
    }
  }

  /// What does not reach the queue is answered as invalid, where an answer is due.
  @Test func refused() {
    let cases: [(String, (Rig) -> Void, UInt64)] = [
      ("translation off", { $0.command(VTd.GlobalCommand.te, off: true) }, 0),
      ("no queue", { $0.write(VTd.Register.pqa, 0, width: 8) }, 0),
      ("no context", { $0.put("[2520]=0") }, 0x41), ("no PASID", { $0.put("[51c0]=0") }, 0x59),
      ("PRE = 0", { $0.put("[2520]=400d") }, 0x47), ("PASIDE = 0", { $0.put("[2520]=4015") }, 0x45),
      ("FPD", { $0.put("[2520]=4016") }, 0),
    ]
    for (name, prepare, code) in cases {
      let rig = rig()
      prepare(rig)
      rig.unit.pageRequest(request(3, last: false))
      #expect(rig.fabric.responses == [], "\(name)")
      rig.unit.pageRequest(request(3))
      #expect(
        rig.fabric.responses == [PageResponse(source: sid, pasid: 0x47, group: 3, code: .invalidRequest)],
        "\(name)")
      #expect(rig.record(0).high >> 32 & 0xFF == code, "\(name)")
      #expect(rig.read(VTd.Register.pqt, width: 8) == 0)
    }
    let rig = rig()
    rig.write(VTd.Register.pqa, 0x3FF0_0000_0000, width: 8)
    rig.unit.pageRequest(request(3))
    #expect(rig.fabric.responses.map(\.code) == [.failure])
  }

  /// A device that hears its response asks at once for the next page.
  @Test func fromRequestToResponse() {
    let rig = rig()
    rig.startQueue(wide: true)
    rig.unit.pageRequest(request(0x12))
    rig.submit([(0x47_3A29_0019, 0x94), (0x2_0000_00A5, 0x9010)])
    #expect(
      rig.fabric.responses == [PageResponse(source: sid, pasid: 0x47, group: 0x12, code: .success)])
    #expect(rig[0x9010] == 2)
  }
}
