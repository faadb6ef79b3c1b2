// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Reference B9.2, with the first-stage vectors of A9.2 that apply, and B9.3.
@Suite struct GuestVectorTests {
  static let twoLevels: [UInt64] = [0x61C0_0000_0000_0003, 0x1_0008_0006]
  static let fiveLevels: [UInt64] = [0x60C0_0000_0000_0003, 0x1_0008_0006, 0x0040_0000_0000_0000]
  static let upperHalf: [(UInt64, UInt64)] = [
    (0x20800, 0x21027), (0x21000, 0x22027), (0x22000, 0x23027), (0x23008, 0x77_7067),
  ]

  static let vectors: [Vector] = [
    Vector(name: "FS1", pasid: 0x47, result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "FS2", change: [(0x22488, 0x4000_00E7)], pasid: 0x47,
      result: .address(0x4014_5678, sizeLg2: 21)),
    Vector(
      name: "FS3", change: [(0x21008, 0x1_C000_00E7)], access: .read, iova: 0x7FFF_FFFF, pasid: 0x47,
      result: .address(0x1_FFFF_FFFF, sizeLg2: 30)),
    Vector(
      name: "FS6", change: [(0x23A28, 0)], access: .read, pasid: 0x47,
      result: .event("00003a29 20050047 12345678 00000000")),
    Vector(
      name: "FS7", change: [(0x22488, 0x23023)], access: .read, pasid: 0x47,
      result: .event("00003a29 20550047 12345678 00000000")),
    Vector(
      name: "FS8", change: [(0x23A28, 0xABCD_E065)], pasid: 0x47,
      result: .event("00003a29 20750047 12345678 00000000")),
    Vector(
      name: "FS9", change: [(0x22488, 0x4000_20E7)], pasid: 0x47,
      result: .event("00003a29 20b50047 12345678 00000000")),
    Vector(
      name: "FS10",
      change: [(0x20000, 0x21007), (0x21000, 0x22007), (0x22488, 0x23007), (0x23A28, 0xABCD_E007)],
      pasid: 0x47, result: .address(0xABCD_E678, sizeLg2: 12),
      after: [(0x20000, 0x21027), (0x21000, 0x22027), (0x22488, 0x23027), (0x23A28, 0xABCD_E067)]),
    Vector(
      name: "FS11",
      change: [(0x20000, 0x21007), (0x21000, 0x22007), (0x22488, 0x23007), (0x23A28, 0xABCD_E005)],
      access: .read, pasid: 0x47, result: .address(0xABCD_E678, sizeLg2: 12),
      after: [(0x20000, 0x21027), (0x23A28, 0xABCD_E025)]),
    Vector(
      name: "FS12", dte: fiveLevels,
      change: [
        (0x40238, 0x28001), (0x28008, 0x20027), (0x20918, 0x21027), (0x211A0, 0x22027), (0x22B38, 0x23027),
        (0x23450, 0x555_5067),
      ], access: .read, iova: 0x0001_918D_2CE8_A0BC, pasid: 0x47,
      result: .address(0x555_50BC, sizeLg2: 12)),
    Vector(
      name: "FS13", change: [(0x20000, 0x210A7)], access: .read, pasid: 0x47,
      result: .event("00003a29 20950047 12345678 00000000")),
    Vector(name: "G1", pasid: 0x47, result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "G2", dte: twoLevels, change: [(0x40000, 0x41001), (0x41238, 0x20001)], pasid: 0x47,
      result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "G3", dte: twoLevels, change: [(0x40008, 0x42001), (0x42238, 0x20001)], access: .read,
      pasid: 0x247, result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "G4", access: .read, pasid: 0x247, result: .event("00003a29 20050247 12345678 00000000")),
    Vector(
      name: "G5", change: [(0x40238, 0)], access: .read, pasid: 0x47,
      result: .event("00003a29 20050047 12345678 00000000")),
    Vector(
      name: "G6", change: [(0x23A28, 0)], pasid: 0x47,
      result: .event("00003a29 20250047 12345678 00000000")),
    Vector(
      name: "G7", change: [(0x22488, 0x23023)], pasid: 0x47,
      result: .event("00003a29 20750047 12345678 00000000")),
    Vector(
      name: "G8", change: [(0x22488, 0x4000_20E7)], access: .read, pasid: 0x47,
      result: .event("00003a29 20950047 12345678 00000000")),
    Vector(
      name: "G9", change: upperHalf + [(0x40000, 0x20001)], iova: 0x8000_0000_1ABC,
      result: .address(0x77_7ABC, sizeLg2: 12)),
    Vector(
      name: "G10", change: upperHalf, iova: 0x8000_0000_1ABC, pasid: 0x47,
      result: .event("00003a29 20250047 00001abc 00008000")),
  ]

  @Test(arguments: vectors) func vector(_ vector: Vector) {
    let rig = Rig()
    rig.guestTables()
    vector.check(rig)
  }

  static let nested: [Vector] = [
    Vector(name: "AN1", pasid: 0x47, result: .address(0x4010_0678, sizeLg2: 12)),
    Vector(
      name: "AN2", change: [(0x4002_3A28, 0x40_0067)], access: .read, pasid: 0x47,
      result: .event("00003a29 20000009 00400678 00000000")),
    Vector(
      name: "AN3", change: [(0x4002_0000, 0x40_0027)], access: .read, pasid: 0x47,
      result: .event("00003a29 20000009 00400000 00000000")),
    Vector(
      name: "AN4", change: [(0x31000, 0x3000_0000_4000_0001)], pasid: 0x47,
      result: .event("00003a29 20700009 00100678 00000000")),
    Vector(
      name: "AN5", change: [(0x4005_0238, 0)], access: .read, pasid: 0x47,
      result: .event("00003a29 20050047 12345678 00000000")),
    Vector(
      name: "AN6", change: [(0x4002_3A28, 0x10_0007)], pasid: 0x47,
      result: .address(0x4010_0678, sizeLg2: 12), after: [(0x4002_3A28, 0x10_0067)]),
  ]

  @Test(arguments: nested) func nestedVector(_ vector: Vector) {
    let rig = Rig()
    rig.nestedTables()
    vector.check(rig)
  }

  @Test func count() {
    print("AMD-Vi guest table vectors: \(Self.vectors.count), nested: \(Self.nested.count)")
    #expect(Self.vectors.count + Self.nested.count == 27)
  }

  /// A nested fault can be the guest's in the log, by a switch; a table that the host lets nobody write keeps
  /// its accessed bit clear and is the host's fault.
  @Test func nestedAttribution() {
    var configuration = AMDVi.Configuration.nesting
    configuration.nestedFaultsNameGuest = true
    let rig = Rig(configuration)
    rig.nestedTables()
    rig.poke((0x4002_3A28, 0x40_0067))
    #expect(rig.address(.read, pasid: 0x47) == nil)
    #expect(rig.events() == ["00003a29 20050047 12345678 00000000"])

    let other = Rig()
    other.nestedTables()
    other.poke((0x31000, 0x3000_0000_4000_0001), (0x4002_0000, 0x21007))
    #expect(other.address(.read, pasid: 0x47) == nil)
    #expect(other.events() == ["00003a29 20700009 00020000 00000000"])
    #expect(other.peek(0x4002_0000) == 0x21007)
  }

  /// Without GCR3TRPMode the GCR3 table is system-physical, and everything below it guest-physical.
  @Test func systemPhysicalGCR3() {
    let rig = Rig()
    rig.nestedTables()
    rig[AMDViRegister.control] &= ~AMDViControl.gcr3TRPMode
    rig.poke((0x50238, 0x20001), (0x4005_0238, 0))
    #expect(rig.address(.write, pasid: 0x47) == 0x4010_0678)
  }

  /// A request without PASID: host table, guest table of PASID 0, or identity.
  @Test func withoutPASID() {
    let rig = Rig()
    rig.nestedTables()
    // GV without GIoV: by the host table.
    rig.dte(0x6080_0000_0003_0603, 0xA_0009)
    rig.command(source, 0x2000_0000)
    #expect(rig.address(.read, 0x1678) == 0x4000_1678)
    // With GIoV: PASID 0.
    rig.dte(0x60C0_0000_0003_0603, 0xA_0009)
    rig.command(source, 0x2000_0000)
    rig.poke((0x4005_0000, 0x20001))
    #expect(rig.address(.read) == 0x4010_0678)
    #expect(rig.address(.read, pasid: 0) == 0x4010_0678)
    // Mode 0 without GIoV: identity.
    rig.dte(0x6080_0000_0000_0003, 0xA_0009)
    rig.command(source, 0x2000_0000)
    #expect(rig.address(.read) == iova)
  }

  /// Address bits above the machine's width are reserved in the last stage, and the host's business before.
  @Test func physicalAddressWidth() {
    var configuration = AMDVi.Configuration.nesting
    configuration.physicalAddressBits = 46
    let rig = Rig(configuration)
    rig.guestTables()
    rig.poke((0x23A28, 0x4000_ABCD_E067))
    #expect(rig.address(.read, pasid: 0x47) == nil)
    #expect(rig.events() == ["00003a29 20950047 12345678 00000000"])
    rig.poke((0x23A28, 0x2000_ABCD_E067))
    #expect(rig.address(.read, pasid: 0x47) == 0x2000_ABCD_E678)
    let nested = Rig(configuration)
    nested.nestedTables()
    nested.poke((0x4002_3A28, 0x4000_0010_0067))
    #expect(nested.address(.read, pasid: 0x47) == nil)
    #expect(nested.events() == ["00003a29 20000009 00100678 00004000"])
  }

  /// NX, user and supervisor, and that a guest's large page over small host pages is as small as they are.
  @Test func permissionsOfTheGuest() {
    let rig = Rig()
    rig.guestTables()
    rig.poke((0x23A28, 0x8000_0000_ABCD_E063))
    func ask(execute: Bool = false, privileged: Bool = false) -> TranslationAnswer {
      rig.hardware.translate(
        Transaction(
          source: source, pasid: 0x47, address: iova, execute: execute, privileged: privileged))
    }
    // A supervisor's page, to be executed by nobody.
    #expect(ask(privileged: true).translation?.address == 0xABCD_E678)
    #expect(ask().translation == nil)
    #expect(ask(execute: true, privileged: true).translation == nil)
    #expect(
      rig.events() == [
        "00003a29 20550047 12345678 00000000", "00003a29 20530047 12345678 00000000",
      ])
    rig.poke((0x23A28, 0xABCD_E067))
    rig.command(0, 0x8000_0000)
    #expect(ask(execute: true).translation?.executable == true)

    let other = Rig()
    other.nestedTables()
    other.poke((0x4002_2488, 0x2000E7), (0x31008, 0x6000_0000_0003_2201), (0x32A28, 0x7000_0000_5555_5001))
    let answer = other.dma(.write, pasid: 0x47)
    #expect(answer.translation?.address == 0x5555_5678)
    #expect(answer.translation?.sizeLg2 == 12)
  }
}
