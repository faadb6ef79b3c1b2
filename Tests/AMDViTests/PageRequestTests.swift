// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B4.3.
@Suite struct PageRequestTests {
  private func rig(_ control: UInt64 = 0, features: UInt64 = 0, dte: UInt64 = 0x6190_0000_0000_0003) -> Rig {
    let rig = Rig(
      .init(extendedFeatures: AMDVi.Profile.genoa | features, extendedFeatures2: 8),
      control: Rig.baseControl | control)
    rig.dte(dte, 0x1_0008_0007)
    return rig
  }

  private let request = PageRequest(
    source: source, pasid: 0x47, address: 0x7F12_3456_7000, write: true, last: true, group: 0x12)

  /// B9.5.
  @Test func records() {
    let rig = rig()
    rig.hardware.pageRequest(request)
    #expect(rig.peek(0xC000) == 0x1164_0212_0047_3A29)
    #expect(rig.peek(0xC008) == 0x7F12_3456_7000)
    #expect(rig[AMDViRegister.pprTail] == 16)
    #expect(rig[AMDViRegister.status] & AMDViStatus.pprInt != 0)
    #expect(rig.fabric.wires.count == 1)
    rig.hardware.pageRequest(
      PageRequest(source: source, address: 0x1000, read: false, write: true, last: true, group: 0x13))
    #expect(rig.peek(0xC010) == 0x1020_0213_0000_3A29)
    #expect(rig.peek(0xC018) == 0x1000)
    // All of the rest: a PASID of 20 bits, execute, a supervisor's, not the last of its group.
    rig.hardware.pageRequest(
      PageRequest(
        source: source, pasid: 0xA_BCDE, address: 0x1FFF, read: true, execute: true, privileged: true,
        last: false, group: 0x1FF))
    #expect(rig.peek(0xC020) == 0x1106_29FF_BCDE_3A29)
    #expect(rig.peek(0xC028) == 0x1000)
    #expect(rig.fabric.responses == [])
  }

  /// What may not be logged: the event, and the answer to the last of a group.
  @Test func refused() {
    let invalid = "00473a29 91640212 34567000 00007f12"
    for (name, dte, event, code) in [
      ("V=0", 0, invalid, .invalidRequest), ("TV=0", 1, invalid, .invalidRequest),
      ("PPR=0", 0x6180_0000_0000_0003, invalid, .invalidRequest),
      ("GV=0", 0x6010_0000_0000_0003, invalid, .invalidRequest),
      ("Mode 7", 0x6190_0000_0000_0E03, "00003a29 10a00000 34567000 00007f12", .failure),
    ] as [(String, UInt64, String, PageResponse.Code)] {
      let rig = rig(dte: dte)
      rig.hardware.pageRequest(request)
      #expect(rig.events() == [event], "\(name)")
      #expect(rig[AMDViRegister.pprTail] == 0, "\(name)")
      #expect(
        rig.fabric.responses == [PageResponse(source: source, group: 0x12, code: code)], "\(name)")
      var notLast = request
      notLast.last = false
      rig.hardware.pageRequest(notLast)
      #expect(rig.fabric.responses.count == 1, "\(name)")
    }
    let rig = rig()
    rig[AMDViRegister.deviceTableBase] = 0x10_0000
    rig.hardware.pageRequest(request)
    rig[AMDViRegister.deviceTableBase] = 0xFF_0000_01FF
    rig.hardware.pageRequest(request)
    #expect(
      rig.events() == [
        "00003a29 10200000 34567000 00007f12", "00003a29 30200000 00074520 000000ff",
      ])
    #expect(rig.fabric.responses.map(\.code) == [.failure, .failure])
    rig[AMDViRegister.control] &= ~AMDViControl.pprEn
    rig.hardware.pageRequest(request)
    #expect(rig.events() == [])
    #expect(rig.fabric.responses.map(\.code) == [.failure, .failure, .failure])
  }

  /// GPRP puts the PASID into the IOMMU's own answers.
  @Test func answersWithPASID() {
    let rig = rig(
      AMDViControl.pprAutoResponseEn, features: AMDViFeature.pprAutoResponse,
      dte: 0x61B0_0000_0000_0003)
    rig[AMDViRegister.control] &= ~AMDViControl.pprLogEn
    rig.hardware.pageRequest(request)
    #expect(
      rig.fabric.responses
        == [PageResponse(source: source, pasid: 0x47, group: 0x12, code: .success)])
  }

  /// A full log overflows and stops: what comes then is lost, or answered where PprAutoRespSup is on.
  @Test(arguments: [false, true]) func overflow(automatic: Bool) {
    let rig = rig(
      automatic ? AMDViControl.pprAutoResponseEn : 0,
      features: automatic ? AMDViFeature.pprAutoResponse : 0)
    rig[AMDViRegister.pprLogBase] = 0x0800_0000_0000_C000
    for _ in 0..<255 { rig.hardware.pageRequest(request) }
    #expect(rig[AMDViRegister.pprTail] == 0xFF0)
    #expect(rig.fabric.responses == [])
    rig.hardware.pageRequest(request)
    rig.hardware.pageRequest(request)
    let status = rig[AMDViRegister.status]
    #expect(status & AMDViStatus.pprOverflow != 0 && status & AMDViStatus.pprRun == 0)
    #expect(rig[AMDViRegister.pprTail] == 0xFF0)
    #expect(rig.fabric.responses.count == (automatic ? 2 : 0))
    #expect(rig.fabric.wires.count == 2)
    rig[AMDViRegister.pprHead] = 0xFF0
    rig[AMDViRegister.control] &= ~(AMDViControl.pprLogEn | AMDViControl.pprIntEn)
    rig[AMDViRegister.status] = AMDViStatus.pprOverflow | AMDViStatus.pprInt
    rig[AMDViRegister.control] |= AMDViControl.pprLogEn | AMDViControl.pprIntEn
    rig.hardware.pageRequest(request)
    #expect(rig[AMDViRegister.pprTail] == 0)
    #expect(rig.fabric.wires.count == 3)
  }
}
