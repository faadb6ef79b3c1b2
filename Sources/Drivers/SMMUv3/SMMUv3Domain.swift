// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
public import UAPI

// A paging domain of one SMMU: stage 1, tagged with an ASID that all SMMUs share, or stage 2, tagged with a VMID of
// its SMMU. The ID is taken with the domain and goes with it.
//
// Since 6.19 an ID that no attached domain has is clean, because the last attachment flushed it; before, the end of
// the domain did.

/// `struct arm_smmu_domain`.
public class SMMUv3Domain: TableDomain, PASIDDomain, CoherencyEnforcingDomain, @unchecked Sendable {
  let unit: SMMUv3Unit
  let stage: ArmGeometry.Stage
  /// Stage 1 of guests may stand on it.
  let isNestParent: Bool
  /// ASID or VMID.
  let id: UInt32
  let geometry: ArmGeometry
  let tracksDirty: Bool

  private let holdersLock = ReaderWriterLock(.smmuInvalidations)
  // Guarded by `holdersLock`.
  private var holders = SMMUv3Holders()
  private var isCoherent = false

  /// What a domain is made with; its ID is taken.
  struct Parts {
    let table: any ArmTable
    let geometry: ArmGeometry
    let id: UInt32
    var isNestParent = false
    var tracksDirty = false
  }

  init(_ parts: Parts, on unit: SMMUv3Unit) {
    self.unit = unit
    stage = parts.geometry.stage
    isNestParent = parts.isNestParent
    id = parts.id
    geometry = parts.geometry
    tracksDirty = parts.tracksDirty
    super.init(parts.table, driver: unit.smmu, failures: unit.failures)
  }

  deinit {
    if unit.features.isOld, !unit.bugs.has(.reuseTag) { unit.issue([wholeFlush]) }
    switch stage {
    case .one: unit.smmu.freeASID(id)
    case .two: unit.freeVMID(id)
    }
  }

  // MARK: Attaching

  /// Also for a domain that has been attached: it looks at who is there now. `arm_smmu_enforce_cache_coherency`.
  public func enforceCacheCoherency() -> Bool {
    holdersLock.withExclusive {
      isCoherent = attached.allSatisfy { $0.unit.features.platform.canWriteBack }
      return isCoherent
    }
  }

  /// Devices on the domain, once for each attachment. Guarded by `holdersLock`.
  private var attached: [SMMUv3Device] = []

  /// A device is about to use the domain: from now on it hears of invalidations.
  ///
  /// - Throws: EINVAL for a device whose DMA cannot be made coherent, where that was promised.
  func enter(_ device: SMMUv3Device, _ list: [SMMUv3Holder]) throws(Errno) {
    try holdersLock.withExclusive { () throws(Errno) in
      guard !isCoherent || device.unit.features.platform.canWriteBack else {
        throw .EINVAL("the domain is coherent, and the device cannot be made so")
      }
      attached.append(device)
      holders.add(list)
    }
  }

  /// Returns the holders that nobody uses any more.
  func leave(_ device: SMMUv3Device, _ list: [SMMUv3Holder]) -> [SMMUv3Holder] {
    holdersLock.withExclusive {
      if let place = attached.firstIndex(where: { $0 === device }) { attached.remove(at: place) }
      return holders.remove(list)
    }
  }

  /// Who holds translations for an attachment of `device`. `arm_smmu_master_build_invs`.
  func holders(_ device: SMMUv3Device, ssid: UInt32, ats: Bool) -> [SMMUv3Holder] {
    var list = [SMMUv3Holder(kind: stage == .one ? .asid : .vmid, id: id)]
    if isNestParent { list.append(SMMUv3Holder(kind: .vmidStage1, id: id)) }
    if ats {
      list.append(
        isNestParent
          ? SMMUv3Holder(kind: .deviceWhole, id: device.stream)
          : SMMUv3Holder(kind: .device, id: device.stream, ssid: ssid))
    }
    return list
  }

  func withHolders(_ body: (SMMUv3Holders) -> Void) {
    holdersLock.withShared { body(holders) }
  }

  public override func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try SMMUv3Attachment.device(device).attach(to: self, from: old)
  }

  public func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try SMMUv3Attachment.device(device).attach(pasid: pasid, to: self, from: old)
  }

  // MARK: Flushes

  override func flush(_ gather: borrowing TableGather) { invalidate(gather.pieces) }

  override func flushDirty(_ gather: borrowing TableGather) {
    guard unit.features.platform.flushesDirty, !unit.bugs.has(.skipDirtyFlush), let range = gather.range
    else {
      return
    }
    // Leaves of any size, so no hint at their level.
    let granule = UInt64(1) << UInt64(geometry.granuleLg2)
    invalidate(
      SMMUv3Range(
        first: range.first & ~(granule - 1), last: range.last | (granule - 1), leafLg2: geometry.granuleLg2,
        isLeaf: false))
  }
}

/// One that was allocated with DIRTY_TRACKING: its context descriptors let the SMMU update tables.
public final class SMMUv3DirtyDomain: SMMUv3Domain, DirtyTrackingDomain, @unchecked Sendable {
  /// The SMMU always tracks, and user space's bitmap starts from clean entries. `arm_smmu_set_dirty_tracking`.
  public func setDirtyTracking(_ enabled: Bool) throws(Errno) {}
}
