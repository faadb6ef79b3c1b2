// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// Translation requests, Translated transactions, page requests.
@Suite struct ATSTests {
  private func request(_ rig: Rig, _ address: UInt64, noWrite: Bool = false, execute: Bool = false)
    -> TranslationAnswer
  {
    rig.dma(.read, address, execute: execute, kind: .translationRequest(noWrite: noWrite))
  }

  @Test func requests() {
    let rig = Rig()
    rig.tables4K()
    rig.stage1(dw1: 1 << 28)
    let full = request(rig, 0x80_4060_4ABC, execute: true).translation
    #expect(full?.address == 0x1234_5ABC)
    #expect(full?.readable == true)
    #expect(full?.writable == true)
    #expect(full?.executable == true)
    #expect(full?.global == false)
    #expect(request(rig, 0x80_4060_4000, noWrite: true).translation?.writable == false)
    #expect(request(rig, 0x80_4060_4000).translation?.executable == false)
    #expect(request(rig, 0x80_4081_2345).translation?.sizeLg2 == 21)
    #expect(request(rig, 0x80_4060_5000).translation?.writable == false, "read-only")
    // What cannot be translated is an answer without permissions, and no event.
    for address: UInt64 in [0x80_4061_0000, 0x80_4060_C000, 1 << 50] {
      let answer = request(rig, address).translation
      #expect(answer?.readable == false)
      #expect(answer?.writable == false)
    }
    #expect(rig.event() == nil)
    // A table that is not there is a completer abort.
    rig.put(0x4000_0008, 0x0FF0_0000_0003)
    rig.forget()
    #expect(request(rig, 0x80_4060_4000).abort?.completion == .completerAbort)
    #expect(request(rig, 0x80_4060_4000).code == 0x0B)
    #expect(rig.event() == nil)
  }

  /// Who may ask: EATS, Config, and what answers a broken configuration.
  @Test func refused() {
    let rows: [(name: String, words: [UInt64], code: UInt32, completion: Abort.Completion, events: Int)] = [
      ("EATS 0", [0x1200_000B, 0], 5, .unsupportedRequest, 1),
      ("EATS 3", [0x1200_000B, 3 << 28], 5, .unsupportedRequest, 1),
      ("bypass", [0x9, 1 << 28], 5, .unsupportedRequest, 1), ("abort", [0x1, 0], 0, .unsupportedRequest, 0),
      ("bad STE", [0, 0], 4, .completerAbort, 0),
      ("bad CD", [0x1300_000B, 1 << 28], 0xA, .completerAbort, 0),
    ]
    for row in rows {
      let rig = Rig()
      rig.stage1()
      rig.ste(row.words[0], row.words[1])
      let answer = request(rig, 0x1000)
      #expect(answer.code == row.code, "\(row.name)")
      #expect(answer.abort?.completion == row.completion, "\(row.name)")
      #expect(rig.events().count == row.events, "\(row.name)")
      // CR2.REC_CFG_ATS records configuration errors.
      rig.write(0x20, 4, 0x1E)
      rig.write(0x2C, 4, 0xA)
      rig.write(0x20, 4, 0x1F)
      _ = request(rig, 0x1000)
      #expect(rig.events().count == (row.code == 0 ? 0 : 1), "\(row.name)")
    }
  }

  /// A request that may write marks the page dirty; one that may not leaves it clean.
  @Test func requestsAndDirty() {
    let rig = Rig()
    rig.tables4K()
    rig.stage1(Rig.cdWord(extra: 3 << 42), dw1: 1 << 28)
    #expect(request(rig, 0x80_4060_D000, noWrite: true).translation?.writable == false)
    #expect(rig.get(0x4000_3068) == 0x0008_0000_1234_8FC7)
    #expect(request(rig, 0x80_4060_D000).translation?.writable == true)
    #expect(rig.get(0x4000_3068) == 0x0008_0000_1234_8F47)
    // Not for those who may not write anyway: privileged pages.
    rig.put(0x4000_3068, 0x0008_0000_1234_8F87)
    rig.forget()
    #expect(request(rig, 0x80_4060_D000).translation?.writable == false)
    #expect(rig.get(0x4000_3068) == 0x0008_0000_1234_8F87)
  }

  @Test func translated() {
    let rows: [(name: String, words: [UInt64], checked: Bool, code: UInt32?)] = [
      ("fast mode, no STE", [0, 0], false, nil), ("fast mode, abort", [0x1, 0], false, nil),
      ("EATS 1", [0x1200_000B, 1 << 28], true, nil), ("EATS 0", [0x1200_000B, 0], true, 7),
      ("bypass", [0x9, 1 << 28], true, 7), ("abort", [0x1, 0], true, 0), ("bad STE", [0, 0], true, 4),
    ]
    for row in rows {
      let rig = Rig()
      rig.ste(row.words[0], row.words[1])
      if !row.checked { rig.write(0x20, 4, 0xF) }
      let answer = rig.dma(.write, 0x5678, kind: .translated)
      #expect(answer.code == row.code, "\(row.name)")
      if row.code == nil { #expect(answer.physical == 0x5678, "\(row.name)") }
      if row.code == 7 { #expect(rig.event() == [0x0000_0208_0000_0007, 0, 0x5678, 0], "\(row.name)") }
    }
  }

  /// Split stages: the device gets intermediate addresses, and stage 2 translates what it sends.
  @Test func split() {
    let rig = Rig()
    rig.nested(dw1: 2 << 28)
    let answer = request(rig, 0x4060_4ABC)
    #expect(answer.physical == 0x80_4008_0ABC)
    #expect(rig.dma(.read, 0x80_4008_0ABC, kind: .translated).physical == 0x6008_0ABC)
    #expect(rig.dma(.read, 0x80_4020_0000, kind: .translated).code == 0x10)
    #expect(rig.event() == [0x0000_0208_0000_0010, 0x0000_0288_0000_0000, 0x80_4020_0000, 0x80_4020_0000])
    // The TLB of untranslated accesses is another matter.
    #expect(rig.reads(0x4060_4ABC) == 0x6008_0ABC)
    // EATS = 1 gives the physical one.
    rig.nested(dw1: 1 << 28)
    rig.forget()
    #expect(request(rig, 0x4060_4ABC).physical == 0x6008_0ABC)
  }

  // MARK: Page requests

  @Test func pageRequests() {
    let rig = Rig()
    rig.smmu.pageRequest(
      PageRequest(
        source: 0x208, pasid: 7, address: 0x1234_5678_9000, write: true, execute: true, privileged: true,
        last: false, group: 5))
    rig.smmu.pageRequest(
      PageRequest(source: 0x208, address: 0x5000, execute: true, privileged: true, group: 0x1FF))
    #expect(rig.pageRequestRecord() == [0xBC00_0007_0000_0208, 0x1234_5678_9005])
    #expect(rig.pageRequestRecord() == [0x5000_0000_0000_0208, 0x51FF])
    #expect(rig.pageRequestRecord() == nil)
    #expect(rig.fabric.wires == [1], "when it stops being empty")
    #expect(rig.fabric.responses.isEmpty)
    // The three responses.
    #expect(
      rig.command(
        (0x0000_0208_0000_0041, 0x5), (0x0000_0208_0000_7841, 0x1005), (0x0000_0208_0000_0041, 0x2005)))
    #expect(rig.fabric.responses.map(\.code) == [.failure, .invalidRequest, .success])
    #expect(rig.fabric.responses.map(\.pasid) == [nil, 7, nil])
  }

  @Test func requestOverflow() {
    let rig = Rig()
    rig.ste(0x9, 1 << 18)
    for group in 0..<16 {
      rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: UInt16(group)))
    }
    #expect(rig.fabric.responses.isEmpty)
    rig.smmu.pageRequest(PageRequest(source: 0x208, pasid: 3, address: 0x1000, last: false, group: 99))
    #expect(rig.read(0x100C8) == 0x8000_0010)
    #expect(rig.fabric.responses.isEmpty, "not the last of its group")
    rig.smmu.pageRequest(PageRequest(source: 0x208, pasid: 3, address: 0x1000, group: 99))
    rig.smmu.pageRequest(PageRequest(source: 0x209, pasid: 3, address: 0x1000, group: 98))
    // STE.PPAR of 0x208, and no STE of 0x209.
    #expect(
      rig.fabric.responses == [
        PageResponse(source: 0x208, pasid: 3, group: 99, code: .success),
        PageResponse(source: 0x209, pasid: nil, group: 98, code: .success),
      ])
    // Room alone does not end the overflow; the acknowledgement does.
    while rig.pageRequestRecord() != nil {}
    rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: 97))
    #expect(rig.fabric.responses.count == 3)
    rig.write(0x100CC, 4, rig.read(0x100C8))
    rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: 96))
    #expect(rig.fabric.responses.count == 3)
    #expect(rig.pageRequestRecord()?[1] == 0x1060)
  }

  @Test func requestsWithoutQueue() {
    let rig = Rig()
    rig.write(0x20, 4, 0x1D)
    rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: 1))
    rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, read: false, group: 2))
    #expect(rig.fabric.responses == [PageResponse(source: 0x208, group: 1, code: .failure)])
    rig.write(0xC0, 8, 0x0FF0_0000_0004)
    rig.write(0x20, 4, 0x1F)
    rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: 3))
    #expect(rig.active(SMMU.GlobalError.priQueueAbort))
    #expect(rig.fabric.responses.last?.code == .failure)
    #expect(rig.read(0x100C8) == 0)
    let plain = Rig(.plain)
    plain.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, group: 3))
    #expect(plain.fabric.responses.map(\.code) == [.failure])
  }

  /// PRIQ_IRQ_CFG2.LO: an interrupt for each last request, and for no other.
  @Test func lastOnly() {
    let rig = Rig()
    rig.write(0x50, 4, 0)
    rig.write(0xD0, 8, 0x0808_0040)
    rig.write(0xD8, 4, 5)
    rig.write(0xDC, 4, 1 << 31)
    rig.write(0x50, 4, 7)
    for last in [false, true, false, true] {
      rig.smmu.pageRequest(PageRequest(source: 0x208, address: 0x1000, last: last))
    }
    #expect(rig.fabric.messages.count == 2)
  }
}
