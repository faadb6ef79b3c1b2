// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct ATSTests {
  private func rig(_ configure: (inout VTdConfiguration) -> Void = { _ in }) -> Rig {
    var configuration = Rig.configuration
    configure(&configuration)
    let rig = Rig(configuration)
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    return rig
  }

  @Test func answers() {
    let rig = rig()
    var found = rig.ats(iova).translation
    #expect(found?.address == 0xABCD_E678)
    #expect(found?.sizeLg2 == 12)
    #expect(found?.readable == true && found?.writable == true)
    // A question without write gets none.
    found = rig.ats(iova, noWrite: true).translation
    #expect(found?.readable == true && found?.writable == false)
    // A large page.
    rig.put("[12490]=40000083")
    found = rig.ats(0x1240_0000).translation
    #expect(found?.address == 0x4000_0000)
    #expect(found?.sizeLg2 == 21)
  }

  /// What is missing is answered without permissions, and not recorded.
  @Test func missing() {
    for (change, read, write) in [
      ("[13a28]=abcde001", true, false), ("[13a28]=abcde002", false, true), ("[13a28]=0", false, false),
      ("[13a28]=fee00003", false, false), ("[12488]=0", false, false), ("[10000]=11001", true, false),
    ] {
      let rig = rig()
      rig.put(change)
      let found = rig.ats(iova).translation
      #expect(found?.readable == read, "\(change)")
      #expect(found?.writable == write, "\(change)")
      #expect(rig.fsts == 0)
    }
    let recording = rig { $0.quirks.recordsTranslationRequestFaults = true }
    recording.put("[13a28]=0")
    #expect(recording.ats(iova).translation?.readable == false)
    #expect(recording.record(0).high == 0x9000_0079_0000_3A29)
  }

  /// First stage, nested and beyond the width.
  @Test func otherStages() {
    let first = Rig()
    first.put(FirstStageVectorTests.base)
    first.put("[23a28]=abcde005 [23a30]=77777003")
    first.startScalable(FirstStageVectorTests.plain)
    var found = first.ats(iova).translation
    #expect(found?.readable == true && found?.writable == false)
    #expect(first.differences("[23a28]=abcde025") == [])
    found = first.ats(iova + 0x1000).translation
    #expect(found?.readable == false)
    #expect(first.ats(1 << 47).translation?.readable == false)
    #expect(first.fsts == 0)

    let nested = Rig()
    nested.put(NestedVectorTests.base)
    nested.put("[12008]=50000081 [40023a28]=200007")
    nested.startScalable(NestedVectorTests.tracking)
    found = nested.ats(iova).translation
    #expect(found?.address == 0x5000_0678)
    #expect(found?.readable == true && found?.writable == false)
    // No permission to write: nothing became dirty.
    #expect(nested.differences("[40023a28]=200027 [12008]=50000181") == [])
  }

  /// The dirty bit is set when permission to write is given, not when it is not asked for.
  @Test func dirty() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.tracking)
    _ = rig.ats(iova, noWrite: true)
    #expect(rig.differences("[13a28]=abcde103") == [])
    _ = rig.ats(iova)
    #expect(rig.differences("[13a28]=abcde303") == [])
  }

  /// Faults of the configuration are recorded; what memory refuses is a completer abort.
  @Test func configurationFaults() {
    for (change, code, completion) in [
      ("[2520]=4019", 0x44, Abort.Completion.unsupportedRequest), ("[5000]=0", 0x59, .unsupportedRequest),
      ("[13a0]=3ff000000001", 0x40, .completerAbort), ("[12488]=3ff000000003", 0x78, .completerAbort),
      ("[13a28]=7ffffffff003", 0x7A, .completerAbort),
    ] as [(String, UInt32, Abort.Completion)] {
      let rig = rig()
      rig.put(change)
      let abort = rig.ats(iova).abort
      #expect(abort?.code == code)
      #expect(abort?.completion == completion)
      #expect(rig.record(0).high >> 32 & 0xFF == UInt64(code))
      #expect(rig.record(0).high >> 60 & 3 == 1)
    }
  }

  /// A translated request is admitted by the context entry alone.
  @Test func translatedRequests() {
    let rig = rig()
    rig.put("[5000]=0 [10000]=0")
    let found = rig.dma(.write, 0x7777_7777, kind: .translated)
    #expect(found.brief == "77777777")
    #expect(rig.dma(.write, 0xFEE0_0000, kind: .translated).brief == "-87")
    #expect(rig.dma(.write, 0x7777_7777, pasid: 9, kind: .translated).brief == "77777777")
    rig.put("[2520]=4019")
    #expect(rig.dma(.write, 0x7777_7777, kind: .translated).brief == "77777777", "stale context")
    rig.startQueue(wide: true)
    rig.submit([(0x11, 0)])
    #expect(rig.dma(.write, 0x7777_7777, kind: .translated).brief == "-44")
  }

  /// With translation off nobody may use ATS or PASIDs.
  @Test func translationOff() {
    let rig = rig()
    rig.command(VTd.GlobalCommand.te, off: true)
    for answer in [
      rig.ats(iova), rig.dma(.read, iova, kind: .translated), rig.dma(.read, iova, pasid: 1),
    ] {
      #expect(answer.abort?.recorded == false)
    }
    #expect(rig.dma(.read, iova).brief == hex(iova))
    #expect(rig.fsts == 0)
  }

  /// Invalidations for all PASIDs say so.
  @Test func allPASIDs() {
    let rig = rig()
    rig.startQueue(wide: true)
    rig.submit([(0x47_3A29_0108, 0x1234_5001)])
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: sid, pasid: 0x47, address: 0x1234_5000, sizeLg2: 12, allPASIDs: true)
      ])
  }

  /// A unit on another segment names its devices by it.
  @Test func segments() {
    var configuration = Rig.configuration
    configuration.segment = 2
    let rig = Rig(configuration)
    rig.start(rtaddr: 0x1400)
    rig.startQueue(wide: true)
    rig.submit([(0x3A29_0010_0003, 0x1000), (0x47_3A29_0019, 0x94)])
    #expect(rig.fabric.invalidations.map(\.source) == [0x2_3A29])
    #expect(rig.fabric.responses.map(\.source) == [0x2_3A29])
  }
}
