// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Seams
public import UAPI

/// What a device is on a vIOMMU. `struct arm_smmu_vmaster`.
struct SMMUv3VirtualPlace: Sendable {
  let viommu: SMMUv3VIOMMU
  let stream: UInt64
}

/// The stream table entry of a guest on top of a second stage: `struct arm_smmu_nested_domain`. The guest's own tables
/// are invalidated through its vIOMMU.
public final class SMMUv3NestedDomain: NestedDomain, @unchecked Sendable {
  let viommu: SMMUv3VIOMMU
  public var faultHandler: (any PageFaultHandler)?
  /// Words 0 and 1 of the guest's entry, without EATS; both 0 for one that is not valid.
  private let words: (UInt64, UInt64)
  /// The guest turned ATS on.
  let allowsATS: Bool

  static let dataType: UInt32 = 2

  /// Fields that a guest may set.
  private static let allowed: (UInt64, UInt64) = {
    typealias F = SMMU.STE
    var mask = SMMUv3Entry.mask(
      F.valid, F.config, F.s1Format, F.s1CDMax, F.s1DSS, F.s1CIR, F.s1COR, F.s1CSH, F.s1StallDisabled, F.eats)
    mask.words[0] |= SMMU.addressMask & F.s1ContextMask
    return (mask.words[0], mask.words[1])
  }()

  /// `arm_vsmmu_alloc_domain_nested`, `arm_smmu_validate_vste`.
  ///
  /// - Throws: EINVAL, EFAULT for the data; EIO for an entry that the driver does not take; ENOMEM.
  init(on viommu: SMMUv3VIOMMU, data: UserData) throws(Errno) {
    self.viommu = viommu
    let bytes = try data.copyIn(type: Self.dataType, minimum: 16, kernelSize: 16)
    var (word0, word1) = (SMMUv3Bytes.long(bytes, 0), SMMUv3Bytes.long(bytes, 8))
    var ats = false
    if word0[SMMU.STE.valid] == 0 {
      (word0, word1) = (0, 0)
    } else {
      guard word0 & ~Self.allowed.0 == 0, word1 & ~Self.allowed.1 == 0 else {
        throw .EIO("the entry has fields that a guest may not set", word0, word1)
      }
      let config = word0[SMMU.STE.config]
      guard config == 0 || config == SMMU.STE.bypass || config == SMMU.STE.stage1 else {
        throw .EIO("a guest has stage 1, bypass or abort", config)
      }
      let eats = word1[SMMU.STE.eats]
      word1[SMMU.STE.eats] = 0
      guard eats == 0 || eats == SMMU.STE.eatsFull else { throw .EIO("ATS is off or full", eats) }
      ats = config == SMMU.STE.stage1 && eats == SMMU.STE.eatsFull
    }
    try viommu.unit.failures.pass(.allocation, "a nested domain")
    words = (word0, word1)
    allowsATS = ats
  }

  public var driver: any IOMMUDriver { viommu.unit.smmu }
  public var parentDomain: (any PagingDomain)? { viommu.parent }

  private var config: UInt64 { words.0[SMMU.STE.config] }
  /// The guest has a stage 1.
  var translates: Bool { config == SMMU.STE.stage1 }

  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try SMMUv3Attachment.device(device).attach(to: self, from: old)
  }

  /// What the device is called on the vIOMMU; nil for a domain that needs no name for it.
  /// `arm_smmu_attach_prepare_vmaster`.
  ///
  /// - Throws: ENOENT without a vDEVICE, where stage 1 is on; ENOMEM.
  func place(of device: Device) throws(Errno) -> SMMUv3VirtualPlace? {
    let stream: UInt64
    do throws(Errno) { stream = try viommu.core.virtualID(of: device) } catch {
      if translates { throw error }
      return nil
    }
    try viommu.unit.failures.pass(.allocation, "the device's place on the vIOMMU")
    return SMMUv3VirtualPlace(viommu: viommu, stream: stream)
  }

  /// `arm_smmu_make_nested_domain_ste`.
  func streamTableEntry(for device: SMMUv3Device, ats: Bool) -> SMMUv3Entry {
    switch config {
    case SMMU.STE.stage1:
      var ste = viommu.parent.streamTableEntry(for: device, ats: ats)
      ste.words[0] = words.0
      ste[SMMU.STE.config] = SMMU.STE.nested
      ste.words[1] |= words.1
      ste[SMMU.STE.mev] = 1
      return ste
    case SMMU.STE.bypass: return viommu.parent.streamTableEntry(for: device, ats: ats)
    default: return SMMUv3StreamTable.abort
    }
  }
}
