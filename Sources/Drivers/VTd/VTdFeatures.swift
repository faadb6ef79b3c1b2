// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// What a unit's capability registers mean to Linux's driver, given the mode that it runs in.
///
/// Source: `drivers/iommu/intel/iommu.h` and `iommu.c`; reference backends-x86.md A3.2, A3.3 and A7.2.
struct VTdFeatures: Sendable {
  let cap: UInt64
  let ecap: UInt64
  /// `sm_supported`: ECAP.SMTS, and nobody asked for legacy mode.
  let isScalable: Bool

  init(cap: UInt64, ecap: UInt64, wantsScalable: Bool) {
    self.cap = cap
    self.ecap = ecap
    isScalable = wantsScalable && VTd.ECap.smts.of(ecap) != 0
  }

  func has(_ field: VTd.Field) -> Bool { field.of(ecap) != 0 }

  /// Entries of the invalidation queue have 32 bytes, in either mode.
  var hasWideDescriptors: Bool { has(VTd.ECap.smts) }
  var cachesMissing: Bool { VTd.Cap.cm.of(cap) != 0 }
  /// `rwbf_required`.
  var needsWriteBufferFlush: Bool { VTd.Cap.rwbf.of(cap) != 0 }
  var hasFirstStage: Bool { isScalable && has(VTd.ECap.fsts) }
  /// Legacy mode always has one.
  var hasSecondStage: Bool { !isScalable || has(VTd.ECap.ssts) }
  /// `nested_supported`.
  var hasNesting: Bool { isScalable && has(VTd.ECap.nest) }
  /// `ssads_supported`.
  var tracksDirty: Bool { isScalable && has(VTd.ECap.ssads) && has(VTd.ECap.smpwcs) }
  /// `pasid_supported`.
  var hasPASID: Bool { isScalable && has(VTd.ECap.pasid) }
  /// `iommu_paging_structure_coherency`.
  var walksCoherently: Bool { isScalable ? has(VTd.ECap.smpwcs) : has(VTd.ECap.c) }
  var snoops: Bool { has(VTd.ECap.sc) }
  var hasFiveLevelFirstStage: Bool { VTd.Cap.fs5lp.of(cap) != 0 }

  /// Bits of guest addresses: `cap_mgaw`.
  var guestWidth: Int { Int(VTd.Cap.mgaw.of(cap)) + 1 }
  /// Domain IDs: `cap_ndoms`.
  var domainCount: Int { 1 << (4 + 2 * Int(min(VTd.Cap.nd.of(cap), 6))) }
  /// PASIDs that the unit takes: 2 << ECAP.PSS, at most a million.
  var pasidLimit: UInt32 { hasPASID ? UInt32(min(2 << VTd.ECap.pss.of(ecap), 1 << 20)) : 0 }

  /// SAGAW with the first stage's widths: `__iommu_calculate_sagaw`.
  private var adjustedWidths: UInt64 {
    let second = VTd.Cap.sagaw.of(cap)
    guard hasFirstStage else { return second }
    let first: UInt64 = 1 << 2 | (hasFiveLevelFirstStage ? 1 << 3 : 0)
    return hasSecondStage ? first & second : first
  }

  /// The AW that the driver writes where no table decides it: the largest up to 57 bits, nil for none.
  /// `iommu_calculate_agaw`.
  var addressWidth: UInt64? { (0...3).reversed().first { adjustedWidths >> $0 & 1 != 0 } }

  func supports(addressWidth aw: UInt64) -> Bool { aw < 5 && VTd.Cap.sagaw.of(cap) >> aw & 1 != 0 }

  /// Leaf sizes of the second stage. CAP.SSLPS.
  var secondStageSizes: UInt64 {
    let sizes = VTd.Cap.sslps.of(cap)
    return 1 << 12 | (sizes & 1) << 21 | (sizes >> 1 & 1) << 30
  }

  var firstStageSizes: UInt64 { 1 << 12 | 1 << 21 | VTd.Cap.fs1gp.of(cap) << 30 }

  /// Levels and bits of a second-stage table. `compute_vasz_lg2_ss`.
  var secondStageShape: (levels: Int, width: Int)? {
    let sizes = VTd.Cap.sagaw.of(cap)
    if guestWidth > 48, sizes >> 3 != 0 { return (5, min(57, guestWidth)) }
    if guestWidth > 39, sizes >> 2 != 0 { return (sizes >> 3 & 1 != 0 ? 5 : 4, min(48, guestWidth)) }
    guard guestWidth > 30, sizes >> 1 != 0 else { return nil }
    return (sizes >> 2 & 1 != 0 ? 4 : sizes >> 3 & 1 != 0 ? 5 : 3, min(39, guestWidth))
  }

  /// The same in 6.12, where the unit's width decides. `domain_init`.
  var oldSecondStageShape: (levels: Int, width: Int)? {
    guard let aw = addressWidth, aw > 0 else { return nil }
    return (Int(VTd.levels(aw)), min(Int(VTd.addressWidth(aw)), guestWidth))
  }

  /// Levels and bits of a first-stage table, with the sign. `compute_vasz_lg2_fs`.
  var firstStageShape: (levels: Int, width: Int) {
    guestWidth > 48 && hasFiveLevelFirstStage ? (5, min(57, guestWidth)) : (4, min(48, guestWidth))
  }
}
