// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import PageTables
internal import Seams
internal import Testing

/// A table to test: a format in some shape, and what the tests have to know of it by themselves.
struct Subject: Sendable, CustomTestStringConvertible {
  enum Manners: Sendable { case generic, arm, s390 }

  let name: String
  let manners: Manners
  /// Sizes of one entry, from level 0 up.
  let items: [Int]
  /// Bits of an IOVA; of the lower half, where there are two.
  let width: Int
  let outputLg2: Int
  var signExtends = false
  /// The level at which a root that grows begins.
  var firstTop: Int?
  /// Whether a write-only mapping can be read.
  var writeMeansRead = false
  let make: @Sendable (PhysicalMemory, FailurePoints) throws -> any PageTable

  var testDescription: String { name }

  /// The last IOVA; where there are two halves, of the lower.
  var last: UInt64 { .max >> UInt64(64 - width) }

  func level(_ sizeLg2: Int) -> Int { (items.lastIndex { $0 <= sizeLg2 }) ?? 0 }

  /// Places where something begins or ends.
  var edges: [UInt64] {
    var edges: [UInt64] = [0, last]
    for item in items.dropFirst() where item < width {
      edges.append(1 << UInt64(item))
      edges.append((last >> UInt64(item)) << UInt64(item))
    }
    if signExtends { edges += edges.map { $0 | ~last } }
    return edges
  }

  static let all: [Subject] = vtd + x86 + amd + arm + riscv + s390

  private static func nines(_ levels: Int) -> [Int] { (0..<levels).map { 12 + 9 * $0 } }

  static let vtd: [Subject] =
    (3...5).map { levels in
      Subject(
        name: "VT-d second stage, \(levels) levels", manners: .generic, items: nines(levels),
        width: 12 + 9 * levels,
        outputLg2: 52
      ) { try VTdSecondStageTable($0, .init(levels: levels), failures: $1) }
    } + [
      Subject(
        name: "VT-d second stage, 46 bits, 4 KiB and 2 MiB", manners: .generic, items: nines(4), width: 46,
        outputLg2: 46
      ) {
        try VTdSecondStageTable(
          $0,
          .init(levels: 4, inputLg2: 46, outputLg2: 46, pageSizes: 1 << 12 | 1 << 21, walksCoherently: false),
          failures: $1)
      }
    ]

  static let x86: [Subject] =
    [4, 5].map { levels in
      Subject(
        name: "x86-64, \(levels) levels", manners: .generic, items: nines(levels), width: 11 + 9 * levels,
        outputLg2: 52, signExtends: true, writeMeansRead: true
      ) { try X86FirstStageTable($0, .init(levels: levels), failures: $1) }
    } + [
      Subject(
        name: "x86-64, 47 bits", manners: .generic, items: nines(4), width: 47, outputLg2: 48,
        writeMeansRead: true
      ) {
        try X86FirstStageTable(
          $0, .init(levels: 4, inputLg2: 47, signExtends: false, outputLg2: 48, walksCoherently: false),
          failures: $1)
      }
    ]

  static let amd: [Subject] = [
    Subject(name: "AMD version 1", manners: .generic, items: nines(6), width: 64, outputLg2: 52, firstTop: 2)
    {
      try AMDV1Table($0, failures: $1)
    },
    Subject(
      name: "AMD version 1, 48 bits from 1 level", manners: .generic, items: nines(4), width: 48,
      outputLg2: 48,
      firstTop: 0
    ) {
      try AMDV1Table($0, .init(levels: 1, inputLg2: 48, outputLg2: 48), failures: $1)
    },
  ]

  static let arm: [Subject] =
    [
      one("4K, 48 bits", 12, 48, 48) { try ArmStage1Table4K($0, $1, failures: $2) },
      one("4K, 39 bits", 12, 39, 40) { try ArmStage1Table4K($0, $1, failures: $2) },
      one("4K, 42 bits, contiguous, dirty", 12, 42, 48, hints: true) {
        try ArmStage1Table4K($0, $1, .init(tracksDirty: true), failures: $2)
      },
      one("16K, 48 bits", 14, 48, 48) { try ArmStage1Table16K($0, $1, failures: $2) },
      one("16K, 47 bits, contiguous", 14, 47, 48, hints: true) {
        try ArmStage1Table16K($0, $1, failures: $2)
      },
      one("64K, 48 bits", 16, 48, 48) { try ArmStage1Table64K($0, $1, failures: $2) },
      one("64K, 52 bits", 16, 52, 52) { try ArmStage1Table64K($0, $1, failures: $2) },
      one("64K, 42 bits, contiguous", 16, 42, 48, hints: true) {
        try ArmStage1Table64K($0, $1, failures: $2)
      },
      two("4K, 44 bits", 12, 44, 44) { try ArmStage2Table4K($0, $1, failures: $2) },
      two("4K, 40 bits, 2 roots", 12, 40, 40) { try ArmStage2Table4K($0, $1, failures: $2) },
      two("4K, 43 bits, 16 roots", 12, 43, 44, .greedy) { try ArmStage2Table4K($0, $1, failures: $2) },
      two("16K, 40 bits, 16 roots", 14, 40, 40) { try ArmStage2Table16K($0, $1, failures: $2) },
      two("16K, 48 bits, 2 roots", 14, 48, 48) { try ArmStage2Table16K($0, $1, failures: $2) },
      two("64K, 48 bits", 16, 48, 48) {
        try ArmStage2Table64K($0, $1, .init(forcesWriteBack: true), failures: $2)
      },
    ]

  private typealias MakeArm = @Sendable (PhysicalMemory, ArmGeometry, FailurePoints) throws -> any PageTable

  private static func one(
    _ name: String, _ granule: Int, _ input: Int, _ output: Int, hints: Bool = false,
    _ make: @escaping MakeArm
  ) -> Subject {
    let shape = ArmGeometry(
      granuleLg2: granule, stage: .one, inputLg2: input, outputLg2: output, hintsContiguous: hints)
    return Subject(
      name: "Arm stage 1, \(name)", manners: .arm, items: items(granule, input), width: input,
      outputLg2: output,
      writeMeansRead: true
    ) { try make($0, shape, $1) }
  }

  private static func two(
    _ name: String, _ granule: Int, _ input: Int, _ output: Int,
    _ concatenation: ArmGeometry.Concatenation = .mandatory, _ make: @escaping MakeArm
  ) -> Subject {
    let shape = ArmGeometry(
      granuleLg2: granule, stage: .two, inputLg2: input, outputLg2: output, concatenation: concatenation,
      walksCoherently: false)
    return Subject(
      name: "Arm stage 2, \(name)", manners: .arm, items: items(granule, input), width: input,
      outputLg2: output
    ) { try make($0, shape, $1) }
  }

  private static func items(_ granule: Int, _ input: Int) -> [Int] {
    Array(stride(from: granule, to: input, by: granule - 3))
  }

  static let riscv: [Subject] = RISCVTable.Mode.allCases.flatMap { mode in
    [false, true].map { second in
      let levels = mode.rawValue
      return Subject(
        name: "RISC-V Sv\(12 + 9 * levels)\(second ? "x4" : "")", manners: .generic, items: nines(levels),
        width: second ? 14 + 9 * levels : 11 + 9 * levels, outputLg2: 56, signExtends: !second,
        writeMeansRead: true
      ) { try RISCVTable($0, .init(mode, isSecondStage: second), failures: $1) }
    }
  }

  static let s390: [Subject] = ZPCITable.Origin.allCases.map { origin in
    let items = [12, 20, 31, 42, 53]
    return Subject(
      name: "s390, \(origin)", manners: .s390, items: Array(items.prefix(origin.rawValue + 1)),
      width: items[origin.rawValue] + 11, outputLg2: 64, writeMeansRead: true
    ) { try ZPCITable($0, .init(origin), failures: $1) }
  }
}
