// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Every event, the queue that they go to, stalls and global errors.
@Suite struct EventTests {
  /// Each row reaches one event number.
  static let reach: [(event: UInt8, act: @Sendable (Rig) -> Void)] = [
    (0x02, { _ = $0.dma(.read, 0, sid: 0x1_0000) }),
    (
      0x03,
      {
        $0.put(0x1000_0018, 0x0FF0_0000_0009); _ = $0.dma(.read, 0, sid: 0x300)
      }
    ),
    (0x04, { _ = $0.dma(.read, 0) }),
    (
      0x05,
      {
        $0.ste(0x9); _ = $0.dma(.read, 0, kind: .translationRequest(noWrite: false))
      }
    ),
    (
      0x06,
      {
        $0.ste(4 << 59 | 0x1200_000B); _ = $0.dma(.read, 0)
      }
    ),
    (
      0x07,
      {
        $0.ste(0x9); _ = $0.dma(.read, 0, kind: .translated)
      }
    ),
    (
      0x08,
      {
        $0.ste(0x9); _ = $0.dma(.read, 0, pasid: 1)
      }
    ),
    (
      0x09,
      {
        $0.ste(0x0FF0_0000_000B); _ = $0.dma(.read, 0)
      }
    ),
    (
      0x0A,
      {
        $0.ste(0x1200_000B); _ = $0.dma(.read, 0)
      }
    ),
    (
      0x0B,
      {
        $0.stage1(ttb0: 0x0FF0_0000_0000); _ = $0.dma(.read, 0)
      }
    ),
    (
      0x10,
      {
        $0.stage1(); _ = $0.dma(.read, 0)
      }
    ),
    (
      0x11,
      {
        $0.ste(0x9); _ = $0.dma(.read, 1 << 50)
      }
    ),
    (
      0x12,
      {
        $0.stage1(); $0.tables4K(); _ = $0.dma(.read, 0x80_4060_C000)
      }
    ),
    (
      0x13,
      {
        $0.stage1(); $0.tables4K(); _ = $0.dma(.write, 0x80_4060_5000)
      }
    ),
    (0x24, { $0.smmu.pageHint(source: 0x208, pasid: 3, address: 0x5000) }),
    (
      0x25,
      {
        $0.nested(dw1: 1 << 26); $0.put(0x1100_0228, 0x0FF0_0000_0000); _ = $0.dma(.read, 0x4060_4ABC)
      }
    ),
  ]

  @Test func everyEvent() {
    for row in Self.reach {
      var configuration = SMMUv3.Configuration()
      if row.event == 0x25 { configuration.idr3 |= 1 << 7 }
      let rig = Rig(configuration)
      row.act(rig)
      let events = rig.events()
      #expect(events.count == 1, "\(row.event)")
      #expect(events.first.map { $0[0] & 0xFF } == UInt64(row.event))
      if [0x03, 0x09, 0x0B, 0x25].contains(row.event) {
        #expect(events.first.map { $0[3] >> 40 } == 0xF, "\(row.event) has a fetch address")
      }
    }
    // F_UUT, F_TLB_CONFLICT and F_CFG_CONFLICT need a switch.
    var configuration = SMMUv3.Configuration()
    configuration.supportsAtomics = false
    let plain = Rig(configuration)
    plain.ste(0x9)
    #expect(plain.dma(.atomic, 0x40).code == 1)
    #expect(plain.event() == [0x0000_0208_0000_0001, 0, 0x40, 0])
    #expect(plain.dma(.write, 0x40).code == nil)
    #expect(SMMU.Event.names.count == Self.reach.count + 3)
  }

  @Test func conflicts() {
    var configuration = SMMUv3.Configuration()
    configuration.reportsConflicts = true
    let rig = Rig(configuration)
    rig.tables4K()
    rig.stage1()
    #expect(rig.reads(0x80_4080_0000) == 0x8020_0000)
    // A block becomes a table without break-before-make.
    rig.put(0x4000_2020, 0x4000_3003)
    #expect(rig.dma(.read, 0x80_4080_4000).code == 0x20)
    #expect(rig.event() == [0x0000_0208_0000_0020, 0x0000_0208_0000_0000, 0x80_4080_4000, 0])
    rig.forget()
    #expect(rig.reads(0x80_4080_4000) == 0x1234_5000)
    // Two streams of one VMID with different stage 2 tables.
    rig.stage2(s2ttb: 0x5000_0000, sid: 0x210)
    _ = rig.dma(.read, 0, sid: 0x210)
    rig.stage2(s2ttb: 0x5800_0000, sid: 0x211)
    #expect(rig.dma(.read, 0, sid: 0x211).code == 0x21)
    // Two contexts of one ASID with different tables.
    rig.ste(0x1300_000B, sid: 0x212)
    rig.cd(Rig.cdWord(), 0x5000_0000, at: 0x1300_0000)
    #expect(rig.dma(.read, 0, sid: 0x212).code == 0x21)
  }

  /// A51, PRIVCFG and INSTCFG: the attributes are those after the overrides.
  @Test func attributes() {
    let rows: [(dw1: UInt64, access: Transaction.Access, execute: Bool, privileged: Bool, bits: UInt64)] = [
      (0, .read, true, true, 0xE), (0, .read, true, false, 0xC), (0, .read, false, true, 0xA),
      (0, .write, true, true, 0x2), (0, .atomic, false, false, 0), (3 << 48, .read, false, false, 0xA),
      (2 << 48, .read, false, true, 0x8), (3 << 50, .read, false, false, 0xC),
      (3 << 50, .write, false, false, 0),
      (2 << 50, .read, true, false, 0x8),
    ]
    for (index, row) in rows.enumerated() {
      let rig = Rig()
      rig.stage1(dw1: row.dw1)
      rig.put([0x4000_0000: 0x4000_1003, 0x4000_1000: 0x4000_2003, 0x4000_2000: 0x4000_3003])
      // Nobody may do anything here: privileged read-only, never executable, and E0PD-free.
      rig.put(0x4000_3008, 0x0060_0000_1234_5F87)
      _ = rig.dma(row.access, 0x1000, execute: row.execute, privileged: row.privileged)
      let events = rig.events()
      if row.bits == 0xA {
        #expect(events.isEmpty, "\(index): the privileged may read")
      } else {
        #expect(events.map { $0[1] >> 32 } == [0x200 | row.bits], "\(index)")
      }
    }
    var configuration = SMMUv3.Configuration()
    configuration.idr1 &= ~(1 << 26)
    let rig = Rig(configuration)
    rig.stage1(dw1: 3 << 48)
    _ = rig.dma(.read, 0)
    #expect(rig.event()?[1] == 0x208 << 32, "no overrides without ATTR_PERMS_OVR")
  }

  // MARK: The queue

  @Test func overflow() {
    let rig = Rig()
    for _ in 0..<20 { _ = rig.dma(.read, 0) }
    #expect(rig.read(0x100A8) == 0x8000_0010, "full, overflowed")
    #expect(rig.events().count == 16)
    for _ in 0..<20 { _ = rig.dma(.read, 0) }
    #expect(rig.read(0x100A8) & 0x8000_0000 != 0, "not toggled again before it is acknowledged")
    rig.write(0x100AC, 4, rig.read(0x100A8))
    for _ in 0..<17 { _ = rig.dma(.read, 0) }
    #expect(rig.read(0x100A8) & 0x8000_0000 == 0, "toggled")
    // The interrupt comes when the queue stops being empty: three times.
    #expect(rig.fabric.wires == [0, 0, 0])
  }

  @Test func disabledAndAborted() {
    let rig = Rig(enabled: false)
    rig.write(0x20, 4, 0x9)
    _ = rig.dma(.read, 0)
    #expect(rig.read(0x100A8) == 0)
    rig.write(0xA0, 8, 0x0FF0_0000_0004)
    rig.write(0x20, 4, 0xD)
    _ = rig.dma(.read, 0)
    #expect(rig.active(SMMU.GlobalError.eventQueueAbort))
    #expect(rig.fabric.wires == [3])
    #expect(rig.read(0x100A8) == 0)
    rig.acknowledgeErrors()
    #expect(!rig.active(SMMU.GlobalError.all))
  }

  @Test func merging() {
    var configuration = SMMUv3.Configuration()
    configuration.mergesEvents = true
    let rig = Rig(configuration)
    rig.stage1(dw1: 1 << 19)
    for _ in 0..<5 { _ = rig.dma(.read, 0x1000) }
    _ = rig.dma(.read, 0x2000)
    #expect(rig.events().count == 2)
    rig.stage1()
    rig.forget()
    for _ in 0..<5 { _ = rig.dma(.read, 0x1000) }
    #expect(rig.events().count == 5, "without MEV")
  }

  /// CD.R = 0 and S2R = 0 suppress the record, and CD.A = 0 the error.
  @Test func suppressed() {
    let rig = Rig()
    rig.stage1(Rig.cdWord() & ~(1 << 45))
    let abort = rig.dma(.read, 0).abort
    #expect(abort?.recorded == false)
    #expect(abort?.completion == .completerAbort)
    rig.stage1(Rig.cdWord() & ~(1 << 46))
    rig.forget()
    #expect(rig.dma(.read, 0).abort?.completion == .zeros)
    #expect(rig.events().count == 1)
    rig.stage2(Rig.stage2Word & ~(1 << 58), sid: 0x209)
    #expect(rig.dma(.read, 0, sid: 0x209).abort?.recorded == false)
    #expect(rig.event() == nil)
  }

  // MARK: Stalls

  /// A50, A61: a stalled fault, by its record, and RESUME.
  @Test func stallAndResume() {
    let rig = Rig()
    rig.tables4K()
    rig.ste(4 << 59 | 0x1200_000B, 2)
    rig.cd(Rig.cdWord(extra: 1 << 44), 0x4000_0000, at: 0x1200_0000 + 7 * 64)
    rig.smmu.nextStallTag = 0x1234
    let answer = rig.dma(.read, 0x80_4061_0000, pasid: 7)
    #expect(answer == .stalled(tag: 0x1234))
    #expect(rig.event() == [0x0000_0208_0000_7810, 0x0000_0208_8000_1234, 0x80_4061_0000, 0])
    #expect(rig.command((0x0000_0209_0000_1044, 0x1234)), "another stream: nothing")
    #expect(rig.fabric.resumed.isEmpty)
    #expect(rig.command((0x0000_0208_0000_1044, 0x1234)))
    #expect(rig.fabric.resumed.map(\.tag) == [0x1234])
    #expect(rig.fabric.resumed.map(\.retry) == [true])
    #expect(rig.command((0x0000_0208_0000_1044, 0x1234)), "gone")
    #expect(rig.fabric.resumed.count == 1)
    for response in [UInt64(0), 2] {
      let tag = rig.dma(.read, 0x80_4061_0000, pasid: 7).tag ?? 0
      #expect(rig.command((0x0000_0208_0000_0044 | response << 12, UInt64(tag))))
    }
    #expect(rig.fabric.resumed.map(\.retry) == [true, false, false])
    // CMD_STALL_TERM ends those of its stream.
    for _ in 0..<3 { _ = rig.dma(.read, 0x80_4061_0000, pasid: 7) }
    #expect(rig.command((0x0000_0209_0000_0045, 0)))
    #expect(rig.smmu.stalled.count == 3)
    #expect(rig.command((0x0000_0208_0000_0045, 0)))
    #expect(rig.smmu.stalled.isEmpty)
    #expect(rig.fabric.resumed.count == 6)
  }

  @Test func stallsWaitForRoom() {
    var configuration = SMMUv3.Configuration()
    configuration.idr5 = configuration.idr5 & 0xFFFF | 24 << 16
    let rig = Rig(configuration)
    rig.stage1(Rig.cdWord(extra: 1 << 44))
    let answers = (0..<30).map { rig.dma(.read, UInt64($0) << 12) }
    // STALL_MAX stall; the rest ends as if it could not.
    #expect(answers.prefix(24).allSatisfy { $0.tag != nil })
    #expect(answers.suffix(6).allSatisfy { $0.code == 0x10 })
    #expect(rig.smmu.waitingEvents.count - rig.smmu.waitingFrom == 8)
    let first = (0..<16).compactMap { _ in rig.event() }
    #expect(first.count == 16)
    let rest = rig.events()
    // What stalled is all there; what did not was lost with the overflow.
    #expect(rest.count == 8)
    #expect((first + rest).map { $0[2] } == (0..<24).map { UInt64($0) << 12 })
    #expect(rig.smmu.events.overflowed)
  }

  /// Stage 2 stalls by STE.S2S; S1STALLD keeps stage 1 from it.
  @Test func whoStalls() {
    let rig = Rig()
    rig.stage2(Rig.stage2Word | 1 << 57)
    #expect(rig.dma(.read, 0x1000).tag != nil)
    #expect(rig.event().map { $0[1] } == 0x0000_0288_8000_0000)
    rig.stage1(dw1: 1 << 27, sid: 0x209)
    #expect(rig.dma(.read, 0x1000, sid: 0x209).code == 0x10)
    // A request of a device with a TLB never stalls.
    rig.stage1(Rig.cdWord(extra: 1 << 44), dw1: 1 << 28, sid: 0x20A)
    rig.cd(Rig.cdWord(extra: 1 << 44), 0x4000_0000)
    let answer = rig.dma(.read, 0x1000, sid: 0x20A, kind: .translationRequest(noWrite: true))
    #expect(answer.translation?.readable == false)
  }

  // MARK: Global state

  @Test func disabled() {
    let rig = Rig(enabled: false)
    #expect(rig.reads(0x1234) == 0x1234)
    #expect(rig.dma(.read, 1 << 48).code == 0)
    rig.write(0x44, 4, 1 << 20)
    #expect(rig.reads(0x1234) == 0x1234, "GBPA needs UPDATE")
    rig.write(0x44, 4, 1 << 31 | 1 << 20)
    #expect(rig.read(0x44) == 1 << 20)
    #expect(rig.dma(.read, 0x1234).code == 0)
    #expect(rig.dma(.read, 0x1234, kind: .translated).code == 7)
    let request = rig.dma(.read, 0x1234, kind: .translationRequest(noWrite: true))
    #expect(request.abort?.completion == .unsupportedRequest)
    #expect(request.code == 5)
  }

  @Test func serviceFailure() {
    let rig = Rig()
    rig.ste(0x9)
    #expect(rig.reads(0x1000) == 0x1000)
    rig.smmu.enterServiceFailureMode()
    #expect(rig.dma(.read, 0x1000).code == 0)
    #expect(rig.active(SMMU.GlobalError.serviceFailureMode))
    #expect(!rig.command((0x46, 0)))
  }

  /// Interrupts by message, and messages that go nowhere.
  @Test func messages() {
    let rig = Rig(enabled: false)
    rig.write(0x50, 4, 0)
    rig.write(0xB0, 8, 0x0808_0040)
    rig.write(0xB8, 4, 77)
    rig.write(0x68, 8, 0x0300_0000)
    rig.write(0x70, 4, 99)
    rig.write(0x50, 4, 7)
    rig.write(0x20, 4, 0x1F)
    _ = rig.dma(.read, 0)
    #expect(rig.fabric.messages == [InterruptMessage(address: 0x0808_0040, data: 77)])
    #expect(rig.fabric.wires.isEmpty)
    rig.write(0xB8, 4, 78)
    #expect(rig.read(0xB8) == 77, "not while the interrupt is enabled")
    #expect(rig.smmu.driverMistakes.count == 1)
    // To memory, and nowhere.
    rig.write(0x50, 4, 1)
    rig.write(0xB0, 8, 0x0FF0_0000_0000)
    rig.write(0x50, 4, 7)
    _ = rig.events()
    _ = rig.dma(.read, 0)
    #expect(rig.active(SMMU.GlobalError.msiEventQueueAbort))
    #expect(rig.fabric.messages.count == 1, "who waits for a word of memory looks at it")
    #expect(rig.get(0x0300_0000) == 99)
    // The message of a global error fails: flagged, and that is the end of it.
    rig.write(0x50, 4, 0)
    rig.write(0x68, 8, 0x0FF0_0000_0000)
    rig.write(0x50, 4, 7)
    rig.acknowledgeErrors()
    #expect(!rig.command((0, 0)))
    #expect(rig.active(SMMU.GlobalError.msiGlobalErrorAbort))
    #expect(rig.active(SMMU.GlobalError.commandQueue))
  }
}
