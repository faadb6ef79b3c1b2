// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Testing

// Known answers for root, context and PASID structures: where they are, what their words say, and the faults
// of wrong ones.

@Suite struct StructureVectorTests {
  /// Addresses of the structures that a walk reads, as the manual names them.
  private func addresses(_ rig: Rig, from source: UInt32 = sid, pasid: UInt32? = nil) -> [String] {
    rig.unit.walk(Transaction(source: source, pasid: pasid, address: iova)).steps.map {
      "\($0.structure) \(hex($0.address))"
    }
  }

  @Test func whereTheyAre() {
    let scalable = Rig()
    scalable.put("[13a8]=6001 [6420]=4009 [2520]=401d [13a0]=2001 [4008]=5001")
    scalable.startScalable([0x109, 0x800001], pasid: 0x47)
    #expect(
      addresses(scalable, pasid: 0x47) == [
        "scalable-mode root entry 13a0", "scalable-mode context entry 2520", "PASID directory entry 4008",
        "PASID table entry 51c0",
      ])
    #expect(
      addresses(scalable, from: 0x3AA1, pasid: 0x47).prefix(2) == [
        "scalable-mode root entry 13a8", "scalable-mode context entry 6420",
      ])
    #expect(scalable.dma(.read, iova, pasid: 0x47, from: 0x3AA1).brief == hex(iova))
    let legacy = Rig()
    legacy.startLegacy(0x9, 0x102)
    #expect(addresses(legacy) == ["root entry 13a0", "context entry 2290"])
  }

  /// The limit of PASIDs by the context entry's first word.
  @Test(arguments: [(0x401D, 0x2000), (0x4401 | 8, 0x8000), (0x4E0D, 0x10_0000), (0x4E1D, 0x10_0000)])
  func pasidLimits(first: Int, limit: Int) {
    let rig = Rig()
    rig.startScalable([], context: UInt64(first))
    if limit < 0x10_0000 {
      #expect(rig.dma(.read, iova, pasid: UInt32(limit)).brief == "-46")
    }
    #expect(rig.dma(.read, iova, pasid: UInt32(limit - 1)).brief == "-51")
  }

  /// Legacy context entries: words, request, result.
  static let legacy: [(String, UInt64, UInt64, Transaction.Kind, String)] = [
    ("AW 2 DID 5", 0x10001, 0x502, .untranslated, "abcde678"),
    ("AW 2 DID 5, translation request", 0x10001, 0x502, .translationRequest(noWrite: true), "-d"),
    ("pass-through DID 1", 0x9, 0x102, .untranslated, hex(iova)),
    ("pass-through, translated request", 0x9, 0x102, .translated, "-d"),
    ("ATS", 0x10005, 0x502, .translationRequest(noWrite: true), "abcde678"),
    ("ATS, translated request", 0x10005, 0x502, .translated, hex(iova)),
    ("TT = 3", 0xD, 0x502, .untranslated, "-3"),
  ]

  @Test(arguments: legacy)
  func legacyContexts(name: String, first: UInt64, second: UInt64, kind: Transaction.Kind, result: String) {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startLegacy(first, second)
    #expect(rig.dma(.read, iova, kind: kind).brief == result)
    guard let line = rig.unit.facts()["caches"]?["context"], case .list(let lines) = line else { return }
    if result != "-3" { #expect(lines.first?["domain"]?.number == second >> 8) }
  }

  /// PASID entries: words, and the fields that a walk shows.
  static let entries: [(String, [UInt64], [String: UInt64])] = [
    ("SS", [0x10089, 0x80_0123], ["PGTT": 2, "AW": 2, "SSPTPTR": 0x10000, "DID": 0x123, "PWSNP": 1]),
    ("SS + SSADE", [0x10289, 0x80_0123], ["PGTT": 2, "SSADE": 1, "DID": 0x123]),
    ("pass-through", [0x109, 0x80_0001], ["PGTT": 4, "AW": 2, "DID": 1, "SSPTPTR": 0]),
    ("FS 4", [0x49, 0x80_0124, 0x20000], ["PGTT": 1, "FSPM": 0, "FSPTPTR": 0x20000, "DID": 0x124]),
    (
      "FS 5, PGSNP", [0x4D, 0x180_0124, 0x28004],
      ["PGTT": 1, "FSPM": 1, "AW": 3, "PGSNP": 1, "FSPTPTR": 0x28000]
    ),
    ("SVA", [0x49, 0x80_0001, 0x20000], ["PGTT": 1, "DID": 1, "FSPTPTR": 0x20000]),
    (
      "nested", [0x100C9, 0x80_0125, 0x20000],
      ["PGTT": 3, "SSPTPTR": 0x10000, "FSPTPTR": 0x20000, "DID": 0x125]
    ),
    (
      "nested + SRE + WPE + SSADE", [0x102C9, 0x80_0125, 0x20011],
      ["PGTT": 3, "SSADE": 1, "SRE": 1, "WPE": 1, "FSPTPTR": 0x20000]
    ),
  ]

  @Test(arguments: entries)
  func pasidEntries(name: String, words: [UInt64], fields: [String: UInt64]) {
    let rig = Rig()
    rig.startScalable(words)
    let report = rig.unit.walk(Transaction(source: sid, address: iova))
    let step = report.steps.first { $0.structure == "PASID table entry" }
    #expect(step?.words == words + Array(repeating: 0, count: 8 - words.count))
    for (name, value) in fields {
      #expect(step?.fields.first { $0.name == name }?.value.number == value, "\(name)")
    }
    // And the unit takes it: what fails, fails behind it.
    if let code = report.answer.abort?.code { #expect(code >= 0x70) }
  }

  /// Wrong structures: what to write, the request, the fault code.
  static let faults: [(String, UInt32?, Transaction.Kind, UInt32)] = [
    ("[13a0]=2000", nil, .untranslated, 0x39), ("[2520]=401c", nil, .untranslated, 0x41),
    ("[2520]=403d", nil, .untranslated, 0x42), ("[2520]=4015", 0x47, .untranslated, 0x45),
    ("[2520]=401d", 0x2000, .untranslated, 0x46),
    ("[2520]=4019", nil, .translationRequest(noWrite: true), 0x44),
    ("[4000]=5000", nil, .untranslated, 0x51), ("[5000]=10088", nil, .untranslated, 0x59),
    ("[5000]=10009", nil, .untranslated, 0x5B), ("[5000]=100a9", nil, .untranslated, 0x5A),
  ]

  @Test(arguments: faults)
  func configurationFaults(change: String, pasid: UInt32?, kind: Transaction.Kind, code: UInt32) {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.plain)
    #expect(rig.dma(.read, iova).brief == "abcde678")
    let fresh = Rig()
    fresh.put(SecondStageVectorTests.base)
    fresh.startScalable(SecondStageVectorTests.plain)
    fresh.put(change)
    let answer = fresh.dma(.read, iova, pasid: pasid, kind: kind)
    #expect(answer.abort?.code == code)
    #expect(answer.abort?.recorded == true)
    #expect(fresh.record(0).high >> 32 & 0xFF == UInt64(code))
  }

  @Test func pageRequestsDisabled() {
    let rig = Rig()
    rig.startScalable(SecondStageVectorTests.plain, context: 0x400D)
    rig.unit.pageRequest(PageRequest(source: sid, pasid: 0, address: 0x1000, group: 5))
    #expect(rig.record(0).high >> 32 & 0xFF == 0x47)
    #expect(
      rig.fabric.responses == [PageResponse(source: sid, pasid: 0, group: 5, code: .invalidRequest)])
  }

  /// With FPD anywhere on the way a qualified fault leaves no record.
  @Test(arguments: ["[2520]=401f [5000]=0", "[4000]=5003 [5000]=0", "[5000]=2", "[2520]=2"])
  func suppressed(change: String) {
    let rig = Rig()
    rig.startScalable(SecondStageVectorTests.plain)
    rig.put(change)
    let answer = rig.dma(.read, iova)
    #expect(answer.abort?.recorded == false)
    #expect(rig.fsts == 0)
    #expect(rig.record(0) == (0, 0))
  }

  /// What is not qualified is recorded all the same.
  @Test func notSuppressed() {
    let rig = Rig()
    rig.startScalable(SecondStageVectorTests.plain)
    // FPD in the context entry, and a directory where no memory is: 50.
    rig.put("[2520]=fff00000001f")
    #expect(rig.dma(.read, iova).brief == "-42")
    rig.put("[2520]=3ff00000001f")
    let answer = rig.dma(.read, iova)
    #expect(answer.brief == "-50")
    #expect(answer.abort?.recorded == true)
    #expect(rig.fsts & 2 == 2)
  }

  @Test func count() {
    let count = 7 + 4 + Self.legacy.count + Self.entries.count + Self.faults.count + 1 + 1
    print("VT-d structure vectors: \(count)")
    #expect(count == 38)
  }
}
