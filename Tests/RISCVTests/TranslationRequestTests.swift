// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct TranslationRequestTests {
  static let ask = Transaction.Kind.translationRequest(noWrite: false)

  /// What each cause is to a translation request: section 3.6.
  @Test func translationRequests() {
    for item in FaultTests.cases {
      let rig = Rig()
      item.prepare(rig)
      // Enable ATS where there is a context.
      let tc = rig.word(0x10140)
      if tc & 1 != 0 { rig.put(0x10140, tc | 2) }
      var access = item.access
      access.kind = Self.ask
      let answer = rig.iommu.translate(access)
      switch item.cause {
      case 12, 13, 15, 20, 21, 23, 262, 266:
        let found = answer.translation
        // Permissions that are missing are no fault to it: 12 finds a page that cannot be executed.
        #expect(found != nil && (item.cause == 12 || found?.readable == false), "\(item.cause)")
        #expect(found?.executable == false)
        #expect(rig.faults.isEmpty)
      case 256...260:
        #expect(answer.code == item.cause && answer.abort?.completion == .unsupportedRequest)
        #expect(rig.faults.map { $0[0] & 0xFFF } == [UInt64(item.cause)])
      default:
        // It reads, whatever it asks for.
        let cause = item.cause == 7 ? 5 : item.cause
        #expect(answer.code == cause && answer.abort?.completion == .completerAbort, "\(item.cause)")
        #expect(rig.faults.map { $0[0] & 0xFC_0000_0FFF } == [0x20_0000_0000 | UInt64(cause)])
      }
    }
  }

  /// Dirty pages: a request that may write counts as a store.
  @Test func translationRequestsAndDirty() {
    for (tc, readable, writable): (UInt64, Bool, Bool) in [(3, false, false), (0x103, true, true)] {
      let rig = Rig()
      rig.firstStage(tc: tc)
      let clean = rig.go(0x40235000, kind: .translationRequest(noWrite: true)).translation
      #expect(clean?.readable == true && clean?.writable == false)
      let asked = rig.go(0x40235000, kind: Self.ask).translation
      #expect(asked?.readable == readable && asked?.writable == writable)
      #expect((rig.word(0x221A8) & 0x80 != 0) == writable)
    }
  }

  /// A page in an MRIF is for untranslated requests; execution needs both stages and the question.
  @Test func translationRequestsForMessages() {
    let rig = Rig()
    rig.messages(tc: 3)
    let found = rig.go(0x2_8000_6000, kind: Self.ask).translation
    #expect(found?.interrupt != nil && found?.readable == true && found?.executable == false)
    let basic = rig.go(0x2_8000_3000, kind: Self.ask).translation
    #expect(basic?.address == 0xDEAD_B000 && basic?.writable == true && basic?.interrupt == nil)
    let pages = Rig()
    pages.firstStage(tc: 3)
    pages.put(0x22010, 0x21D9_50DF)
    #expect(pages.go(0x40202000, execute: true, kind: Self.ask).translation?.executable == true)
    #expect(pages.go(0x40202000, kind: Self.ask).translation?.executable == false)
  }

  /// A global mapping is told to a request with a PASID only, G may be in any entry above.
  @Test func globalMappings() {
    let rig = Rig()
    rig.processes(tc: 0x23)
    rig.put(0x21008, 0x8821)
    #expect(rig.go(0x40201000, pid: 9, kind: Self.ask).translation?.global == true)
    rig.place(Context(tc: 3, ta: 0x7000, fsc: 8 << 60 | 0x20))
    rig.forget()
    #expect(rig.go(0x40201000, kind: Self.ask).translation?.global == false)
  }

  /// A translation cache that translation requests fill.
  @Test func cachedTranslationRequests() {
    for caches in [false, true] {
      var configuration = RISCVIOMMU.Configuration()
      configuration.cachesATS = caches
      let rig = Rig(configuration)
      rig.twoStages(tc: 0xB)
      #expect(rig.go(0x40201000, kind: Self.ask).address == 0x103000)
      rig.put(0x6010_2008, 0)
      #expect(rig.go(0x40201000, kind: Self.ask).translation?.readable == caches)
      if caches { #expect(rig.go(0x40201000, kind: Self.ask).address == 0x103000) }
    }
  }
}
