// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// A known answer: tables, a request, and what comes of it.
struct Vector: CustomTestStringConvertible, Sendable {
  enum Result: Sendable {
    case address(UInt64, sizeLg2: UInt8)
    case event(String)
  }
  var name: String
  /// Words of the device table entry that differ from the base's.
  var dte: [UInt64]?
  var change: [(UInt64, UInt64)] = []
  var access = Transaction.Access.write
  var iova = UInt64(0x1234_5678)
  var pasid: UInt32?
  var result: Result
  /// Words of memory afterwards.
  var after: [(UInt64, UInt64)] = []

  var testDescription: String { name }

  /// Walks it, twice: the second time the caches may answer, and the answer is the same.
  func check(_ rig: Rig) {
    if let dte { rig.dte(dte[0], dte[1], dte.count > 2 ? dte[2] : 0) }
    rig.poke(change)
    let transaction = Transaction(source: source, pasid: pasid, address: iova, access: access)
    let explained = rig.hardware.walk(transaction)
    for turn in 0..<2 {
      let answer = rig.hardware.translate(transaction)
      let events = rig.events()
      switch result {
      case .address(let expected, let sizeLg2):
        #expect(answer.translation?.address == expected, "\(name)")
        #expect(answer.translation?.sizeLg2 == sizeLg2, "\(name)")
        #expect(explained.answer.translation?.address == expected, "\(name)")
        #expect(answer.translation?.fromCache == (turn == 1), "\(name)")
        #expect(events == [], "\(name)")
      case .event(let expected):
        #expect(events == [expected], "\(name)")
        #expect(explained.answer == answer, "\(name)")
      }
    }
    for (address, word) in after {
      #expect(rig.peek(address) == word, "\(name): \(String(address, radix: 16))")
    }
  }
}

/// Reference B9.1.
@Suite struct HostVectorTests {
  static let replicas1M = (0..<256).map { (UInt64(0x32800 + 8 * $0), UInt64(0x7000_0000_5007_FE01)) }
  static let mode3: [UInt64] = [0x6000_0000_0003_0603, 5]
  static let dirty3: [UInt64] = [0x6000_0000_0003_0783, 5]
  static let mode4: [UInt64] = [0x6000_0000_0003_8803, 5]
  static let mode6: [UInt64] = [0x6000_0000_0003_FC03, 5]
  static let skipping: [(UInt64, UInt64)] = [(0x38000, 0x6000_0000_0003_2201)]

  static let vectors: [Vector] = [
    Vector(name: "A1", result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "A2", change: [(0x31488, 0x7000_0000_4000_0001)], result: .address(0x4014_5678, sizeLg2: 21)),
    Vector(
      name: "A3", change: [0x32A20, 0x32A28, 0x32A30, 0x32A38].map { ($0, 0x7000_0000_ABCD_DE01) },
      result: .address(0xABCD_D678, sizeLg2: 14)),
    Vector(
      name: "A4", change: [0x32A20, 0x32A28].map { ($0, 0x7000_0000_ABCD_EE01) }, access: .read,
      result: .address(0xABCD_F678, sizeLg2: 13)),
    Vector(
      name: "A5", change: [0x31480, 0x31488].map { ($0, 0x7000_0000_401F_FE01) },
      result: .address(0x4034_5678, sizeLg2: 22)),
    Vector(name: "A6", change: replicas1M, result: .address(0x5004_5678, sizeLg2: 20)),
    Vector(
      name: "A6b", change: (0..<8).map { (UInt64(0x30000 + 8 * $0), 0x7000_0080_FFFF_FE01) },
      result: .address(0x80_1234_5678, sizeLg2: 33)),
    Vector(
      name: "A7", change: [(0x32A28, 0)], access: .read,
      result: .event("00003a29 20000005 12345678 00000000")),
    Vector(
      name: "A8", change: [(0x31488, 0x2000_0000_0003_2201)],
      result: .event("00003a29 20700005 12345678 00000000")),
    Vector(
      name: "A8b", change: [(0x32A28, 0x5000_0000_ABCD_E001)], access: .read,
      result: .event("00003a29 20500005 12345678 00000000")),
    Vector(
      name: "A9", dte: mode4, change: skipping, iova: 0x14_5678,
      result: .address(0xABCD_E678, sizeLg2: 12)),
    Vector(
      name: "A9b", dte: mode4, change: skipping, result: .event("00003a29 20200005 12345678 00000000")),
    Vector(
      name: "A10", access: .read, iova: 0x80_0000_0000,
      result: .event("00003a29 20000005 00000000 00000080")),
    Vector(
      name: "A11", change: [(0x31488, 0x6000_0000_0003_2401)], access: .read,
      result: .event("00003a29 20900005 12345678 00000000")),
    Vector(
      name: "A12", dte: dirty3, result: .address(0xABCD_E678, sizeLg2: 12),
      after: [
        (0x30000, 0x6000_0000_0003_1421), (0x31488, 0x6000_0000_0003_2221), (0x32A28, 0x7000_0000_ABCD_E061),
      ]),
    Vector(
      name: "A12r", dte: dirty3, access: .read, result: .address(0xABCD_E678, sizeLg2: 12),
      after: [(0x32A28, 0x7000_0000_ABCD_E021)]),
    Vector(
      name: "A13", dte: mode6,
      change: [
        (0x3F3F8, 0x6000_0000_0003_EA01), (0x3E000, 0x6000_0000_0003_D801), (0x3D000, 0x6000_0000_0003_C601),
        (0x3C000, 0x6000_0000_0003_B401), (0x3B000, 0x6000_0000_0003_A201), (0x3A008, 0x7000_0000_0999_9001),
      ], iova: 0xFE00_0000_0000_1ABC, result: .address(0x999_9ABC, sizeLg2: 12)),
    Vector(
      name: "A14", change: [(0x32A28, 0x7010_0000_ABCD_E001)], access: .read,
      result: .event("00003a29 20900005 12345678 00000000")),
    Vector(
      name: "A15", dte: [0x2000_0000_0003_0603, 5], result: .event("00003a29 20700005 12345678 00000000")),
    // Large sizes, each word in the level that holds it, at an address of its own.
    Vector(
      name: "32K", change: [(0x32A28, 0x7000_0000_4000_3E01)], result: .address(0x4000_5678, sizeLg2: 15)),
    Vector(
      name: "64K", change: [(0x32A28, 0x7000_0000_4000_7E01)], result: .address(0x4000_5678, sizeLg2: 16)),
    Vector(
      name: "256M", change: [(0x31488, 0x7000_0000_47FF_FE01)], result: .address(0x4234_5678, sizeLg2: 28)),
    Vector(
      name: "4G", change: [(0x30000, 0x7000_0001_7FFF_FE01)], result: .address(0x1_1234_5678, sizeLg2: 32)),
  ]

  @Test(arguments: vectors) func vector(_ vector: Vector) {
    let rig = Rig()
    rig.hostTables()
    vector.check(rig)
  }

  @Test func count() {
    print("AMD-Vi host table vectors: \(Self.vectors.count)")
    #expect(Self.vectors.count == 23)
  }

  /// B1.3: every size from 8K to 2^51 has one encoding, at one level, and is found there; everywhere else the
  /// same word is reserved.
  @Test func everyCodedSize() {
    let rig = Rig()
    var found = 0
    for size: UInt64 in 13...51 where (size - 12) % 9 != 0 {
      let holder = Int((size - 12) / 9) + 1
      let physical: UInt64 = size < 51 ? 1 << size : 0
      let field = (physical | ((1 << size) - 1)) & ~(1 << (size - 1)) & AMDViPTE.addressMask
      let leaf = 0x7000_0000_0000_0E01 | field
      for level in 1...6 {
        // A chain from the root of six levels down to `level`, all at index 0.
        rig.dte(0x6000_0000_0003_0C03)
        for step in stride(from: 6, to: level, by: -1) {
          let table = 0x30000 + UInt64(6 - step) * 0x1000
          rig.poke((table, 0x6000_0000_0000_0001 | UInt64(step - 1) << 9 | (table + 0x1000)))
        }
        rig.poke((0x30000 + UInt64(6 - level) * 0x1000, leaf))
        rig.command(0, 0x8000_0000)
        let answer = rig.dma(.read, 0x678)
        if level == holder {
          #expect(answer.translation?.address == physical | 0x678)
          #expect(answer.translation?.sizeLg2 == UInt8(size))
          found += 1
        } else {
          #expect(rig.events() == ["00003a29 20900005 00000678 00000000"], "2^\(size) at level \(level)")
        }
      }
    }
    #expect(found == 35)
  }

  /// Misaligned pages of a default size, and leaves of 512 GiB: as the configuration says.
  @Test func doubts() {
    for misaligned in [true, false] {
      var configuration = AMDVi.Configuration.nesting
      configuration.misalignedLeafIsReserved = misaligned
      let rig = Rig(configuration)
      rig.hostTables()
      rig.poke((0x31488, 0x7000_0000_4000_1001))
      #expect(rig.address(.read) == (misaligned ? nil : 0x4014_5678))
    }
    for (quirk, expected) in [
      (AMDVi.Configuration.Leaf512G.works, 0x40_1234_5678 as UInt64?), (.rejected, nil),
      (.mistranslated, 0x1234_5678),
    ] {
      var configuration = AMDVi.Configuration.nesting
      configuration.leaf512G = quirk
      let rig = Rig(configuration)
      rig.dte(Self.mode4[0])
      rig.poke((0x38000, 0x7000_0000_0000_0001))
      #expect(rig.address(.read, 0x40_1234_5678) == expected)
    }
  }
}
