// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B2.1 and B9.6.
@Suite struct DeviceTableTests {
  enum Outcome: Sendable {
    case passes
    case aborts
    case event(String)
    case address(UInt64)
  }

  struct Row: Sendable {
    let name: String
    let words: [UInt64]
    var access = Transaction.Access.write
    var pasid: UInt32?
    var outcome: Outcome
    /// Decoded fields.
    var mode = 0
    var domain: UInt64 = 0
    var gcr3: UInt64 = 0
    var levels = (gcr3: 1, guest: 4)
  }

  static let identityFault = "00003a29 20700000 12345678 00000000"
  static let rows: [Row] = [
    Row(name: "all zero", words: [0, 0, 0], outcome: .passes),
    Row(name: "blocked, 6.12", words: [3, 0, 0], outcome: .event(identityFault)),
    Row(name: "blocked, 6.12, after ATS", words: [3, 0x1_0000_0000, 0], outcome: .event(identityFault)),
    Row(name: "blocked, 7.2", words: [1, 0, 1], outcome: .aborts),
    Row(name: "identity", words: [0x6000_0000_0000_0003, 2, 0], outcome: .passes, domain: 2),
    Row(
      name: "v1 mode 3", words: [0x6000_0000_0003_0603, 0x1_0000_0005, 0], outcome: .address(0xABCD_E678),
      mode: 3, domain: 5),
    Row(
      name: "v1 mode 4, HAD", words: [0x6000_0000_0003_8983, 5, 0], outcome: .address(0xABCD_E678), mode: 4,
      domain: 5),
    Row(
      name: "v2", words: [0x60C0_0000_0000_0003, 0x1_0008_0006, 0], pasid: 0x47,
      outcome: .address(0xABCD_E678), domain: 6, gcr3: 0x40000),
    Row(
      name: "v2, 5-level", words: [0x65C0_0000_0000_0003, 0x0123_4001_ACF1_0006, 0x0040_0000_0000_0000],
      pasid: 0x47, outcome: .event("00003a29 40250047 56789000 00001234"), domain: 6,
      gcr3: 0x1234_5678_9000, levels: (2, 5)),
    Row(
      name: "identity and PASID", words: [0x6190_0000_0000_0003, 0x1_0008_0007, 0], outcome: .passes,
      domain: 7, gcr3: 0x40000, levels: (2, 4)),
    Row(
      name: "nested", words: [0x60C0_0000_0003_0603, 0xA_0009, 0], pasid: 0x47,
      outcome: .event("00003a29 20000009 00020000 00000000"), mode: 3, domain: 9, gcr3: 0x50000),
    Row(
      name: "mode 7", words: [0x6000_0000_0003_0E03, 5, 0],
      outcome: .event("00003a29 10a00000 12345678 00000000"), mode: 7, domain: 5),
    Row(
      name: "read-only device", words: [0x2000_0000_0003_0603, 5, 0],
      outcome: .event("00003a29 20700005 12345678 00000000"), mode: 3, domain: 5),
  ]

  @Test(arguments: rows.indices) func entry(_ index: Int) {
    let row = Self.rows[index]
    let rig = Rig()
    rig.guestTables()
    rig.hostTables()
    rig.poke((0x38000, 0x6000_0000_0003_0601), (0x50238, 0x20001))
    rig.dte(row.words[0], row.words[1], row.words[2])
    let device = AMDVi.Device(
      0x3A29, (row.words[0], row.words[1], row.words[2], 0), .nesting, control: Rig.baseControl)
    #expect(device.mode == row.mode, "\(row.name)")
    #expect(device.domain == row.domain, "\(row.name)")
    #expect(device.gcr3Root == row.gcr3, "\(row.name)")
    #expect(device.gcr3Levels == row.levels.gcr3, "\(row.name)")
    #expect(device.guestLevels == row.levels.guest, "\(row.name)")
    let answer = rig.dma(row.access, pasid: row.pasid)
    let events = rig.events()
    switch row.outcome {
    case .passes: #expect(answer.translation?.address == iova && events == [], "\(row.name)")
    case .aborts:
      #expect(answer.abort?.recorded == false && answer.abort?.code == 0 && events == [], "\(row.name)")
    case .event(let event): #expect(events == [event], "\(row.name)")
    case .address(let address): #expect(answer.translation?.address == address, "\(row.name)")
    }
    #expect(Self.rows.count == 13)
  }

  /// Each bit of a valid entry: illegal, or the same entry, or another that is legal. Reserved ones by name.
  @Test func everyBitAlone() {
    // Mode 3: HAD bits are 01 (accessed) and 10 (reserved), Mode bits make 2, 1 and 7.
    let illegal0: Set<Int> = Set(2...6).union([8, 11, 63])
    let illegal2: Set<Int> = [52, 53]
    for word in 0..<4 {
      for bit in 0..<64 where !(word == 0 && bit == 0) {
        var words: [UInt64] = [0x6000_0000_0003_0603, 5, 0, 0]
        words[word] ^= 1 << UInt64(bit)
        let device = AMDVi.Device(
          0x3A29, (words[0], words[1], words[2], words[3]), .nesting, control: Rig.baseControl)
        let expected = word == 0 && illegal0.contains(bit) || word == 2 && illegal2.contains(bit)
        #expect((device.kind == .illegal) == expected, "word \(word) bit \(bit)")
      }
    }
  }

  /// Fields whose values are illegal, or whose feature is missing.
  @Test func illegalEntries() {
    let genoa = AMDVi.Configuration.nesting
    var snp = genoa
    snp.snpEnabled = true
    let guest: UInt64 = 0x60C0_0000_0000_0003
    func without(_ features: UInt64) -> AMDVi.Configuration {
      AMDVi.Configuration(extendedFeatures: AMDVi.Profile.genoa & ~features)
    }
    let four = AMDVi.Configuration(extendedFeatures: AMDVi.Profile.genoa & ~(3 << 10))
    let none = AMDVi.Configuration(extendedFeatures: AMDVi.Profile.genoa | 3 << 10)
    let rows: [(String, AMDVi.Configuration, [UInt64])] = [
      ("GLX 3", genoa, [guest | 3 << 56, 0, 0]), ("GLX 2 of 1", genoa, [guest | 2 << 56, 0, 0]),
      ("GPM 2", genoa, [guest, 0, 2 << 54]), ("GPM 3", genoa, [guest, 0, 3 << 54]),
      ("GPM 1 of 0", without(1 << 12), [guest, 0, 1 << 54]),
      ("GV without GTSup", without(AMDViFeature.gt), [guest, 0, 0]),
      ("GIoV without GIOSup", without(AMDViFeature.gio), [guest, 0, 0]),
      ("PPR without PPRSup", without(AMDViFeature.ppr), [0x6010_0000_0000_0003, 0, 0]),
      ("HAD 1 without HASup", without(AMDViFeature.ha), [0x6000_0000_0003_0683, 0, 0]),
      ("HAD 3 without HDSup", without(AMDViFeature.hd), [0x6000_0000_0003_0783, 0, 0]),
      ("HAD 2", genoa, [0x6000_0000_0003_0703, 0, 0]),
      ("Mode 5 of 4", four, [0x6000_0000_0003_0A03, 0, 0]),
      ("Mode 1 of none", none, [0x6000_0000_0003_0203, 0, 0]),
      ("IoCtl 3", genoa, [0x6000_0000_0000_0003, 3 << 35, 0]),
      ("SATS without SATS", without(AMDViFeature.secureATS), [0x6000_0000_0000_0003, 1 << 42, 0]),
      ("SNP, Mode 0", snp, [0x6000_0000_0000_0003, 0, 0]),
    ]
    for (name, configuration, words) in rows {
      let rig = Rig(configuration)
      rig.dte(words[0], words[1], words[2])
      #expect(rig.dma(.read, pasid: nil).abort?.name == "ILLEGAL_DEV_TABLE_ENTRY", "\(name)")
      #expect(rig.events() == ["00003a29 10800000 12345678 00000000"], "\(name)")
    }
    // Revision 3.11 has fields where there were none.
    var new = genoa
    new.revision311 = true
    let rig = Rig(new)
    rig.hostTables()
    rig.dte(0x6000_0000_0003_0673)
    rig.poke((0x32A28, 0x7600_0000_ABCD_E001))
    #expect(rig.address(.read) == 0xABCD_E678)
  }

  /// The same DMA in all states of V and TV.
  @Test func translationInvalid() {
    for (choice, events, translates) in [
      (AMDVi.Configuration.TranslationInvalid.abort, [], false), (.pass, [], true),
      (.abortWithEvent, ["00003a29 20000005 12345678 00000000"], false),
    ] as [(AMDVi.Configuration.TranslationInvalid, [String], Bool)] {
      var configuration = AMDVi.Configuration.nesting
      configuration.translationInvalid = choice
      let rig = Rig(configuration)
      rig.dte(1)
      #expect((rig.address(.read) == iova) == translates)
      #expect(rig.events() == events)
    }
  }

  /// Entries beyond the table, outside of memory, and in segments.
  @Test func whereEntriesAre() {
    let rig = Rig()
    #expect(AMDViDTE.size * 0x3A29 + 0x10_0000 == 0x17_4520)
    rig[AMDViRegister.deviceTableBase] = 0x10_0001
    #expect(rig.address(.read) == nil)
    #expect(rig.events() == ["00003a29 10000000 12345678 00000000"])
    rig.dte(0x6000_0000_0000_0003, of: 0xFF)
    #expect(rig.address(.read, from: 0xFF) == iova)
    #expect(rig.address(.read, from: 0x100) == nil)
    _ = rig.events()
    rig[AMDViRegister.deviceTableBase] = 0xFF_0000_01FF
    #expect(rig.address(.write) == nil)
    #expect(rig.events() == ["00003a29 30200000 00074520 000000ff"])

    // Two segments: the upper half of the DevIDs is in the second table.
    let segmented = Rig(.init(extendedFeatures: AMDVi.Profile.genoa | 1 << 38))
    segmented[AMDViRegister.deviceTableSegment1] = 0x50_01FF
    segmented[AMDViRegister.control] |= 1 << AMDViControl.deviceTableSegmentShift
    segmented.poke((0x50_0000 + 32 * 0x3A29, 0x6000_0000_0000_0003))
    segmented.dte(1)
    #expect(segmented.address(.read, from: 0xBA29) == iova)
    #expect(segmented.address(.read, from: 0x3A29) == nil)
  }

  /// The exclusion range, for devices that it is for, and for all.
  @Test func exclusion() {
    let rig = Rig()
    rig.hostTables()
    rig[AMDViRegister.exclusionBase] = 0x1234_5000 | AMDViRegister.exclusionEnable
    rig[AMDViRegister.exclusionLimit] = 0x1234_5000
    #expect(rig.address(.read) == 0xABCD_E678)
    rig.dte(0x6000_0000_0003_0603, 5 | AMDViDTE.exclusion)
    rig.command(source, 0x2000_0000)
    #expect(rig.address(.read) == iova)
    #expect(rig.address(.read, 0x1234_5FFF) == 0x1234_5FFF)
    #expect(rig.address(.read, 0x1234_6000) == nil)
    rig.dte(0x6000_0000_0003_0603)
    rig.command(source, 0x2000_0000)
    rig[AMDViRegister.exclusionBase] |= AMDViRegister.exclusionAllow
    #expect(rig.address(.read) == iova)
    rig[AMDViRegister.exclusionBase] = 0
    #expect(rig.address(.read) == 0xABCD_E678)
  }
}
