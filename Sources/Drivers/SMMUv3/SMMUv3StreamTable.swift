// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Seams
internal import UAPI

/// The stream table: one level, or two with a table of 256 entries for each PCI bus that has a device.
/// Source: `arm_smmu_init_strtab`, `arm_smmu_init_sid_strtab`; reference backends-arm-riscv-s390.md A2.1, A5.1.
final class SMMUv3StreamTable: @unchecked Sendable {
  private static let splitLg2 = 8
  private static let largestLevel1 = 1 << 17
  private static let entryLg2: UInt64 = 6

  private let root: SMMUv3Buffer
  private let sidBits: Int
  private let isTwoLevel: Bool
  private let level1Count: Int
  private let memory: PhysicalMemory
  private let failures: FailurePoints
  /// Guarded by the driver's streams lock.
  private var leaves: [UInt32: SMMUv3Buffer] = [:]

  /// - Throws: ENOMEM.
  init(_ features: SMMUv3Features, _ memory: PhysicalMemory, _ failures: FailurePoints) throws(Errno) {
    self.memory = memory
    self.failures = failures
    sidBits = features.sidBits
    isTwoLevel = features.twoLevelStreams && features.sidBits > Self.splitLg2
    if isTwoLevel {
      level1Count = min(1 << (features.sidBits - Self.splitLg2), Self.largestLevel1)
      root = try SMMUv3Buffer(level1Count << 3, memory, failures)
    } else {
      level1Count = 0
      root = try SMMUv3Buffer(1 << (sidBits + Int(Self.entryLg2)), memory, failures)
      for stream in 0..<UInt64(1) << UInt64(sidBits) {
        root.store(Self.abort.words[0], stream << Self.entryLg2)
      }
    }
  }

  /// The entry that aborts.
  static let abort: SMMUv3Entry = {
    var entry = SMMUv3Entry()
    entry[SMMU.STE.valid] = 1
    return entry
  }()

  var baseRegister: UInt64 { root.base & SMMU.StreamTable.baseMask | SMMU.StreamTable.readAllocate }

  var configuration: UInt32 {
    var value: UInt64 = 0
    if isTwoLevel {
      value[SMMU.StreamTable.format] = SMMU.StreamTable.twoLevel
      value[SMMU.StreamTable.split] = UInt64(Self.splitLg2)
      value[SMMU.StreamTable.log2Size] = UInt64(level1Count.trailingZeroBitCount + Self.splitLg2)
    } else {
      value[SMMU.StreamTable.log2Size] = UInt64(sidBits)
    }
    return UInt32(truncatingIfNeeded: value)
  }

  /// Makes sure that a stream has an entry, which aborts when it is new.
  ///
  /// - Throws: ERANGE past the table, ENOMEM.
  func prepare(_ stream: UInt32) throws(Errno) {
    let limit = isTwoLevel ? UInt64(level1Count) << UInt64(Self.splitLg2) : 1 << UInt64(sidBits)
    guard UInt64(stream) < limit else {
      throw .ERANGE("the stream is past the stream table", UInt64(stream), limit)
    }
    guard isTwoLevel, leaves[stream >> UInt32(Self.splitLg2)] == nil else { return }
    let leaf = try SMMUv3Buffer(1 << (Self.splitLg2 + Int(Self.entryLg2)), memory, failures)
    for index in 0..<UInt64(1) << UInt64(Self.splitLg2) {
      leaf.store(Self.abort.words[0], index << Self.entryLg2)
    }
    leaves[stream >> UInt32(Self.splitLg2)] = leaf
    var descriptor = leaf.base & SMMU.L1STD.pointerMask
    descriptor[SMMU.L1STD.span] = UInt64(Self.splitLg2) + 1
    root.store(descriptor, UInt64(stream >> UInt32(Self.splitLg2)) << 3)
  }

  /// Where the entry of a prepared stream is.
  func place(_ stream: UInt32) -> (buffer: SMMUv3Buffer, offset: UInt64)? {
    guard isTwoLevel else { return (root, UInt64(stream) << Self.entryLg2) }
    guard let leaf = leaves[stream >> UInt32(Self.splitLg2)] else { return nil }
    return (leaf, UInt64(stream & ((1 << UInt32(Self.splitLg2)) - 1)) << Self.entryLg2)
  }
}
