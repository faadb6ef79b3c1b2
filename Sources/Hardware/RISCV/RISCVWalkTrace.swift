// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs

// One algorithm serves translations and people: it is generic over who watches. A live translation is watched
// by nobody, which the compiler turns into nothing; a walk for people is watched by a recorder, and has no effects.
// A third asks the caches and has no effects either: what is cached of a transaction, for a checker of drivers.

/// Who watches a walk.
protocol RISCVWalkTrace {
  /// Caches are filled, A and D bits written, events counted.
  static var isLive: Bool { get }
  /// Caches are asked.
  static var asksCaches: Bool { get }
  /// Something came out of a cache.
  mutating func usedCache()
  mutating func note(
    _ structure: @autoclosure () -> String, at address: UInt64, _ words: @autoclosure () -> [UInt64])
}

/// A live translation.
struct RISCVLiveWalk: RISCVWalkTrace {
  // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
  private let place: UInt8 = 0
  static var isLive: Bool { true }
  static var asksCaches: Bool { true }
  @inline(__always)
  mutating func usedCache() {}
  @inline(__always)
  mutating func note(
    _ structure: @autoclosure () -> String, at address: UInt64, _ words: @autoclosure () -> [UInt64]
  ) {}
}

/// Looks at what is cached, and remembers whether anything was.
struct RISCVCacheLook: RISCVWalkTrace {
  static var isLive: Bool { false }
  static var asksCaches: Bool { true }
  private(set) var wasCached = false
  mutating func usedCache() { wasCached = true }
  mutating func note(
    _ structure: @autoclosure () -> String, at address: UInt64, _ words: @autoclosure () -> [UInt64]
  ) {}
}

/// Looks at memory alone.
struct RISCVMemoryLook: RISCVWalkTrace {
  // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
  private let place: UInt8 = 0
  static var isLive: Bool { false }
  static var asksCaches: Bool { false }
  mutating func usedCache() {}
  mutating func note(
    _ structure: @autoclosure () -> String, at address: UInt64, _ words: @autoclosure () -> [UInt64]
  ) {}
}

/// Writes down every structure on the way.
struct RISCVStepRecorder: RISCVWalkTrace {
  static var isLive: Bool { false }
  static var asksCaches: Bool { false }
  mutating func usedCache() {}
  var steps: [WalkStep] = []

  mutating func note(
    _ structure: @autoclosure () -> String, at address: UInt64, _ words: @autoclosure () -> [UInt64]
  ) {
    let name = structure()
    let words = words()
    steps.append(WalkStep(name, at: address, words, Self.fields(name, words)))
  }

  /// Fields of the structures, in the specification's names.
  private static func fields(_ name: String, _ words: [UInt64]) -> [(name: String, value: Fact)] {
    guard let first = words.first else { return [] }
    let ppn = Fact.hex(first >> RISCV.ppnShift & RISCV.ppnMask)
    func bit(_ mask: UInt64) -> Fact { .flag(first & mask != 0) }
    switch name {
    case "DC":
      typealias Bit = RISCV.TranslationControl
      return [
        ("V", bit(Bit.v)), ("EN_ATS", bit(Bit.enATS)), ("EN_PRI", bit(Bit.enPRI)), ("T2GPA", bit(Bit.t2gpa)),
        ("DTF", bit(Bit.dtf)), ("PDTV", bit(Bit.pdtv)), ("PRPR", bit(Bit.prpr)), ("GADE", bit(Bit.gade)),
        ("SADE", bit(Bit.sade)), ("DPE", bit(Bit.dpe)), ("SBE", bit(Bit.sbe)), ("SXL", bit(Bit.sxl)),
      ] + (words.count < 4 ? [] : pointer("iohgatp", words[1]) + pointer("fsc", words[3]))
        + (words.count < 4 ? [] : [("PSCID", .number(words[2] >> 12 & RISCV.pscidMask))])
        + (words.count < 7
          ? []
          : pointer("msiptp", words[4]) + [
            ("msi_addr_mask", .hex(words[5])), ("msi_addr_pattern", .hex(words[6])),
          ])
    case "PC":
      typealias Bit = RISCV.TranslationAttributes
      return [
        ("V", bit(Bit.v)), ("ENS", bit(Bit.ens)), ("SUM", bit(Bit.sum)),
        ("PSCID", .number(first >> Bit.pscidShift & RISCV.pscidMask)),
      ] + (words.count < 2 ? [] : pointer("fsc", words[1]))
    case "MSI PTE":
      return [
        ("V", bit(RISCV.MSIPTE.v)), ("M", .number(first >> RISCV.MSIPTE.mShift & RISCV.MSIPTE.mMask)),
        ("C", bit(RISCV.MSIPTE.c)), ("PPN", ppn),
      ]
    default:
      guard name.contains("stage") else { return [("V", bit(RISCV.DirectoryEntry.v)), ("PPN", ppn)] }
      typealias Bit = RISCV.PTE
      return [
        ("V", bit(Bit.v)), ("R", bit(Bit.r)), ("W", bit(Bit.w)), ("X", bit(Bit.x)), ("U", bit(Bit.u)),
        ("G", bit(Bit.g)), ("A", bit(Bit.a)), ("D", bit(Bit.d)), ("PPN", ppn),
        ("PBMT", .number(first >> Bit.pbmtShift & 3)), ("N", bit(Bit.n)),
      ]
    }
  }

  private static func pointer(_ name: String, _ word: UInt64) -> [(name: String, value: Fact)] {
    [
      ("\(name).MODE", .number(word >> RISCV.TablePointer.modeShift)),
      ("\(name).PPN", .hex(word & RISCV.ppnMask)),
    ]
  }
}
