// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Seams
internal import UAPI

/// A device's table of context descriptors, one for each PASID: linear up to 1024, above that in two levels with
/// leaves of 64 KiB. It is made when stage 1 is first used, and stays.
/// Source: `arm_smmu_alloc_cd_tables`, `arm_smmu_alloc_cd_ptr`; reference backends-arm-riscv-s390.md A2.3.
///
/// Guarded by the lock of the device's group.
final class SMMUv3ContextTable: @unchecked Sendable {
  private static let leafLg2: UInt32 = 10
  /// PASIDs of a linear table where the SMMU has no other. `CTXDESC_LINEAR_CDMAX`.
  static let linearLimit = 10

  private let root: SMMUv3Buffer
  private let memory: PhysicalMemory
  private let failures: FailurePoints
  private var leaves: [UInt32: SMMUv3Buffer] = [:]
  private let isTwoLevel: Bool
  let ssidBits: Int

  /// - Throws: ENOMEM.
  init(ssidBits: Int, _ features: SMMUv3Features, _ memory: PhysicalMemory, _ failures: FailurePoints)
    throws(Errno)
  {
    self.ssidBits = ssidBits
    self.memory = memory
    self.failures = failures
    isTwoLevel = features.twoLevelContexts && ssidBits > Int(Self.leafLg2)
    root = try SMMUv3Buffer(
      isTwoLevel ? 8 << (ssidBits - Int(Self.leafLg2)) : 64 << ssidBits, memory, failures)
  }

  /// The fields of an STE that lead here.
  func describe(_ ste: inout SMMUv3Entry) {
    ste[SMMU.STE.s1Format] = isTwoLevel ? SMMU.STE.twoLevel64K : SMMU.STE.linear
    ste[SMMU.STE.s1CDMax] = UInt64(ssidBits)
    ste.words[0] |= root.base & SMMU.STE.s1ContextMask
  }

  /// Where the descriptor of a PASID is; nil where its leaf is missing.
  func place(_ ssid: UInt32) -> (buffer: SMMUv3Buffer, offset: UInt64)? {
    guard UInt64(ssid) < 1 << UInt64(ssidBits) else { return nil }
    guard isTwoLevel else { return (root, UInt64(ssid) << 6) }
    guard let leaf = leaves[ssid >> Self.leafLg2] else { return nil }
    return (leaf, UInt64(ssid & ((1 << Self.leafLg2) - 1)) << 6)
  }

  /// Makes the leaf of a PASID; true when there is a new one, of whose descriptor hardware may have an invalid copy.
  ///
  /// - Throws: ENOMEM, also past the end of the table.
  func prepare(_ ssid: UInt32) throws(Errno) -> Bool {
    guard UInt64(ssid) < 1 << UInt64(ssidBits) else {
      throw .ENOMEM("the PASID is past the context table", UInt64(ssid))
    }
    guard isTwoLevel, leaves[ssid >> Self.leafLg2] == nil else { return false }
    let leaf = try SMMUv3Buffer(64 << Int(Self.leafLg2), memory, failures)
    leaves[ssid >> Self.leafLg2] = leaf
    root.store(
      leaf.base & SMMU.L1CD.pointerMask | SMMU.L1CD.valid, UInt64(ssid >> Self.leafLg2) << 3)
    return true
  }
}
