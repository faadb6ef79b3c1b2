// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import Seams
public import UAPI

/// The shape of an Arm table: granule, stage, widths. Source: reference backends-arm-riscv-s390.md A1.1 and A5.3.
public struct ArmGeometry: Sendable {
  public enum Stage: Int, Sendable {
    case one = 1
    case two
  }

  /// When a second stage begins one level lower, with up to 16 tables in a row as its root.
  public enum Concatenation: Sendable {
    /// Never.
    case none
    /// Where the architecture demands it: Linux since 6.14.
    case mandatory
    /// Wherever it saves level 0: Linux 6.12.
    case greedy
  }

  public let granuleLg2: Int
  public let stage: Stage
  public let inputLg2: Int
  public let outputLg2: Int
  public let concatenation: Concatenation
  /// Whether runs of entries get the contiguous hint. Linux never does that.
  public let hintsContiguous: Bool
  /// Whether hardware snoops its walks.
  public let walksCoherently: Bool

  public init(
    granuleLg2: Int, stage: Stage, inputLg2: Int, outputLg2: Int, concatenation: Concatenation = .mandatory,
    hintsContiguous: Bool = false, walksCoherently: Bool = true
  ) {
    self.granuleLg2 = granuleLg2
    self.stage = stage
    let widest = granuleLg2 == 16 ? 52 : 48
    self.inputLg2 = max(granuleLg2 + 4, min(inputLg2, widest))
    self.outputLg2 = min(outputLg2, widest)
    self.concatenation = concatenation
    self.hintsContiguous = hintsContiguous
    self.walksCoherently = walksCoherently
  }

  /// Whether the root is concatenated, where the plain root would be at `level` with 2^rootLg2 entries.
  private func concatenates(level: Int, rootLg2: Int) -> Bool {
    guard stage == .two, rootLg2 <= 4, level > 0 else { return false }
    switch concatenation {
    case .none: return false
    case .greedy: return level == 3
    case .mandatory:
      if granuleLg2 == 14, level == 3 { return outputLg2 == 48 || inputLg2 == 48 }
      if granuleLg2 == 12, level == 3 { return outputLg2 == 40 || outputLg2 == 42 }
      return granuleLg2 == 14 && level == 2 && outputLg2 == 40
    }
  }

  func geometry<Format: ArmLPAE>(_ format: Format.Type) -> TableGeometry {
    let bits = granuleLg2 - 3
    let width = inputLg2 - granuleLg2
    var level = (width + bits - 1) / bits - 1
    var rootLg2 = width - bits * level
    if concatenates(level: level, rootLg2: rootLg2) {
      level -= 1
      rootLg2 += bits
    }
    var sizes: UInt64 = 0
    for each in 0...min(level, Format.Granule.highestBlock) {
      // 4 TiB blocks need an output of 52 bits.
      if granuleLg2 == 16, each == 2, outputLg2 <= 48 { continue }
      let all = Format.leafSizes(each)
      let hinted = all & (1 << UInt64(inputLg2) &- 1)
      sizes |= hintsContiguous ? hinted : all & (1 << UInt64(Format.itemLg2(each)))
    }
    return TableGeometry(
      topLevel: level, rootIndexLg2: rootLg2, inputLg2: inputLg2, outputLg2: outputLg2, pageSizes: sizes,
      notesWriteBack: !walksCoherently)
  }
}

/// What the six classes below have in common.
public protocol ArmTable: FormattedTable where Format: ArmLPAE {
  /// - Throws: ENOMEM.
  init(_ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options, failures: FailurePoints)
    throws(Errno)
  /// A look at tables that somebody else made.
  init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno)
}

/// Stage 1, 4K granule.
public final class ArmStage1Table4K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage1<Granule4K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}

/// Stage 1, 16K granule.
public final class ArmStage1Table16K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage1<Granule16K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}

/// Stage 1, 64K granule.
public final class ArmStage1Table64K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage1<Granule64K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}

/// Stage 2, 4K granule.
public final class ArmStage2Table4K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage2<Granule4K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}

/// Stage 2, 16K granule.
public final class ArmStage2Table16K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage2<Granule16K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}

/// Stage 2, 64K granule.
public final class ArmStage2Table64K: TableStore, ArmTable, @unchecked Sendable {
  public typealias Format = ArmStage2<Granule64K>
  public let options: Format.Options

  public init(
    _ memory: PhysicalMemory, _ geometry: ArmGeometry, _ options: Format.Options = Format.Options(),
    failures: FailurePoints = FailurePoints()
  ) throws(Errno) {
    self.options = options
    try super.init(memory, failures, geometry.geometry(Format.self), emptyWord: 0)
  }

  public init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: ArmGeometry) throws(Errno) {
    options = Format.Options()
    try super.init(memory, viewing: root, geometry.geometry(Format.self))
  }
}
