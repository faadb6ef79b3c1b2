// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B5, steps 9 to 11, and what it says of ATS.
@Suite struct ATSTests {
  private func rig(_ configuration: AMDVi.Configuration = .nesting) -> Rig {
    let rig = Rig(configuration)
    rig.hostTables()
    rig.dte(0x6000_0000_0003_0783, 0x1_0000_0005)
    return rig
  }

  /// A request that finds nothing, or nothing that it may have, is answered without permissions and without
  /// an event.
  @Test func answers() {
    let rig = rig()
    let found = rig.ats().translation
    #expect(found?.address == 0xABCD_E678 && found?.readable == true && found?.writable == true)
    for (leaf, readable, writable) in [
      (0, false, false), (0x3000_0000_ABCD_E001, true, false), (0x5000_0000_ABCD_E001, false, true),
      (0x1000_0000_ABCD_E001, false, false), (0x7010_0000_ABCD_E001, false, false),
    ] as [(UInt64, Bool, Bool)] {
      rig.poke((0x32A28, leaf))
      rig.command(0, 0x8000_0000)
      let answer = rig.ats().translation
      #expect(answer?.readable == readable && answer?.writable == writable)
      #expect(rig.events() == [])
    }
    #expect(rig.ats(0xFEE0_0000).translation?.readable == false)
    #expect(rig.ats(0xFD_F800_0000).translation?.readable == false)
    #expect(rig.events() == [])
  }

  /// Configuration and hardware errors are events, with TR.
  @Test func errors() {
    let rig = rig()
    rig.poke((0x31488, 0x6000_0070_0000_0201))
    rig.command(0, 0x8000_0000)
    #expect(rig.ats().abort?.name == "PAGE_TAB_HARDWARE_ERROR")
    #expect(rig.events() == ["00003a29 41200005 00000a28 00000070"])
    rig.dte(0x6000_0000_0003_0603, 5)
    rig.command(0, 0x8000_0000)
    #expect(rig.ats().abort?.name == "INVALID_DEVICE_REQUEST")
    #expect(rig.events() == ["00003a29 81200000 12345678 00000000"])
    rig.dte(0x0E03, 0x1_0000_0005)
    rig.command(0, 0x8000_0000)
    #expect(rig.ats(noWrite: true).abort?.name == "ILLEGAL_DEV_TABLE_ENTRY")
    #expect(rig.events() == ["00003a29 11800000 12345678 00000000"])
    rig.dte(1)
    rig.command(0, 0x8000_0000)
    #expect(rig.ats().abort?.recorded == false)
    rig.dte(0)
    rig.command(0, 0x8000_0000)
    #expect(rig.ats().translation?.address == iova)
  }

  /// A request that means to write marks the page dirty, one that does not gets no permission to.
  @Test func dirty() {
    let rig = rig()
    #expect(rig.ats(noWrite: true).translation?.writable == false)
    #expect(rig.peek(0x32A28) == 0x7000_0000_ABCD_E021)
    #expect(rig.ats().translation?.writable == true)
    #expect(rig.peek(0x32A28) == 0x7000_0000_ABCD_E061)
    #expect(rig.ats(noWrite: true).translation?.writable == true)
    // Without tracking there is nothing to mark.
    rig.dte(0x6000_0000_0003_0603, 0x1_0000_0005)
    rig.poke((0x32A28, 0x7000_0000_ABCD_E001))
    rig.command(0, 0x8000_0000)
    #expect(rig.ats(noWrite: true).translation?.writable == true)
  }

  /// The IOMMU answers from its caches: a device whose cache was emptied first gets the old page again.
  @Test func staleAnswers() {
    let rig = rig()
    #expect(rig.ats().translation?.address == 0xABCD_E678)
    rig.poke((0x32A28, 0))
    rig.command(source, 0x4000_0000, 0x1234_5000)
    #expect(rig.fabric.invalidations.count == 1)
    #expect(rig.ats().translation?.fromCache == true)
    rig.command(0, 0x3000_0005, 0x1234_5000)
    #expect(rig.ats().translation?.readable == false)
  }

  /// With PASID: guest tables, user and supervisor, and global pages.
  @Test func guest() {
    let rig = Rig()
    rig.guestTables()
    rig.poke((0x23A28, 0xABCD_E167))
    #expect(rig.ats(pasid: 0x47).translation?.address == 0xABCD_E678)
    #expect(rig.ats(pasid: 0x47).translation?.global == true)
    rig.poke((0x23A28, 0xABCD_E063))
    rig.command(0, 0x8000_0000)
    #expect(rig.ats(pasid: 0x47).translation?.readable == false)
    #expect(rig.ats(pasid: 0x48).translation?.readable == false)
    #expect(rig.ats(0x8000_0000_0000, pasid: 0x47).translation?.readable == false)
    #expect(rig.events() == [])
    let nested = Rig()
    nested.nestedTables()
    nested.dte(0x60C0_0000_0003_0603, 0x1_000A_0009)
    #expect(nested.ats(pasid: 0x47).translation?.address == 0x4010_0678)
    nested.poke((0x4002_3A28, 0x40_0067))
    nested.command(0, 0x8000_0000)
    #expect(nested.ats(pasid: 0x47).translation?.readable == false)
    #expect(nested.events() == [])
  }

  /// A translated request passes if DTE.I says so, even on a device that is otherwise blocked; with secure ATS
  /// the entry's permissions hold.
  @Test func translatedRequests() {
    let rig = rig()
    func translated(_ access: Transaction.Access = .write, pasid: UInt32? = nil) -> TranslationAnswer {
      rig.hardware.translate(
        Transaction(
          source: source, pasid: pasid, address: 0x5678, access: access, kind: .translated))
    }
    #expect(translated().translation?.address == 0x5678)
    rig.dte(3, 0x1_0000_0000)
    rig.command(0, 0x8000_0000)
    #expect(translated().translation?.address == 0x5678)
    rig.dte(3, 0x1_0000_0000 | AMDViDTE.secureATS)
    rig.command(0, 0x8000_0000)
    #expect(translated().translation == nil)
    #expect(rig.events() == ["00003a29 20700000 00005678 00000000"])
    rig.dte(3)
    rig.command(0, 0x8000_0000)
    #expect(translated(.read).abort?.name == "INVALID_DEVICE_REQUEST")
    #expect(translated(pasid: 0x1_2345).abort?.name == "INVALID_DEVICE_REQUEST")
    #expect(
      rig.events() == [
        "00003a29 82000000 00005678 00000000", "00013a29 82212345 00005678 00000000",
      ])
    rig.dte(1)
    rig.command(0, 0x8000_0000)
    #expect(translated().translation == nil)
  }

  /// Family 15h, models 30 to 3f: writes are granted without looking.
  @Test func atsWriteCheck() {
    var configuration = AMDVi.Configuration.nesting
    configuration.atsWriteCheck = false
    let rig = rig(configuration)
    rig.poke((0x32A28, 0x3000_0000_ABCD_E001))
    #expect(rig.ats().translation?.writable == true)
    #expect(rig.address(.write) == nil)
  }

  /// Identity and pass-through are answered as they translate.
  @Test func identity() {
    let rig = rig()
    rig.dte(0x2000_0000_0000_0003, 0x1_0000_0005)
    let answer = rig.ats().translation
    #expect(answer?.address == iova && answer?.readable == true && answer?.writable == false)
    rig[AMDViRegister.control] = 0
    #expect(rig.ats().translation?.writable == true)
    #expect(rig.address(.write) == iova)
  }
}
