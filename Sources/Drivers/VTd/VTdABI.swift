// SPDX-License-Identifier: GPL-3.0-or-later

/// What user space passes to Intel's driver, and gets from it.
///
/// Source: `include/uapi/linux/iommufd.h`: IOMMU_HW_INFO_TYPE_INTEL_VTD, `struct iommu_hwpt_vtd_s1`,
/// `struct iommu_hwpt_vtd_s1_invalidate`, `struct iommu_hw_info_vtd`; reference backends-x86.md A7.9.
enum VTdABI {
  static let hwptDataType: UInt32 = 1
  static let invalidateType: UInt32 = 0
  static let hwInfoType: UInt32 = 1

  /// Bytes of `iommu_hwpt_vtd_s1` and of `iommu_hwpt_vtd_s1_invalidate`; neither has had another length.
  static let stageSize = 24
  static let invalidateSize = 24

  /// IOMMU_VTD_S1_SRE, _EAFE and _WPE.
  static let supervisor: UInt64 = 1
  static let extendedAccess: UInt64 = 2
  static let writeProtect: UInt64 = 4
  /// ADDR_WIDTH_4LEVEL and _5LEVEL.
  static let fourLevelWidth: UInt32 = 48
  static let fiveLevelWidth: UInt32 = 57

  /// IOMMU_VTD_INV_FLAGS_LEAF.
  static let leafOnly: UInt32 = 1
  /// IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17.
  static let erratum772415: UInt32 = 1
}

/// A guest's first stage: `struct iommu_hwpt_vtd_s1`.
struct VTdNestedStage: Sendable {
  let flags: UInt64
  /// Guest-physical address of the top table. Its low bits are dropped.
  let root: UInt64
  let addressWidth: UInt32

  /// - Precondition: `VTdABI.stageSize` bytes.
  init(_ bytes: [UInt8]) {
    flags = bytes.quad(0)
    root = bytes.quad(8)
    addressWidth = bytes.word(16)
  }
}

extension [UInt8] {
  /// The little-endian double word at a byte offset.
  func quad(_ offset: Int) -> UInt64 { UInt64(word(offset)) | UInt64(word(offset + 4)) << 32 }
}
