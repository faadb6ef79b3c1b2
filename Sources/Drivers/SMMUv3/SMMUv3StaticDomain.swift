// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

/// A domain without tables, one for all devices: no DMA works, or all addresses are physical.
/// `arm_smmu_blocked_domain`, `arm_smmu_identity_domain`.
class SMMUv3StaticDomain: Domain, @unchecked Sendable {
  unowned let smmu: SMMUv3Driver
  let isIdentity: Bool
  var faultHandler: (any PageFaultHandler)?

  init(_ smmu: SMMUv3Driver, isIdentity: Bool) {
    self.smmu = smmu
    self.isIdentity = isIdentity
  }

  var driver: any IOMMUDriver { smmu }

  /// What STE.S1DSS says of DMA without PASID while PASIDs are in use.
  var substreamless: UInt64 { isIdentity ? SMMU.STE.dssBypass : SMMU.STE.dssTerminate }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try SMMUv3Attachment.device(device).attach(to: self, from: old)
  }
}

/// The one in which no DMA works, of the RID or of a PASID.
final class SMMUv3BlockedDomain: SMMUv3StaticDomain, PASIDDomain, @unchecked Sendable {
  init(_ smmu: SMMUv3Driver) { super.init(smmu, isIdentity: false) }

  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try SMMUv3Attachment.device(device).detach(pasid: pasid, from: old)
  }
}
