// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
internal import Synchronization
public import UAPI

// Paging domains: which stage they are was decided when they were made, by what the unit has and what was asked for.
//
//     VTdPagingDomain            attaching, flushing; the first stage as it is
//     VTdSecondStageDomain       parents of nested domains, write-only mappings
//     VTdDirtyDomain             a second stage whose dirty bits hardware sets

/// A paging domain of Intel's driver: `struct dmar_domain`.
///
/// Source: `drivers/iommu/intel/iommu.c`; reference backends-x86.md A7.2, A7.6 to A7.8.
public class VTdPagingDomain: TableDomain, PASIDDomain, CoherencyEnforcingDomain, VTdAttachable,
  @unchecked Sendable
{
  let links: VTdLinks
  let shape: Shape
  /// `force_snooping`.
  private let snoops = Atomic<Bool>(false)
  private let hasMappings = Atomic<Bool>(false)
  /// `iotlb_sync_map`; 6.12 sets it at an attach that needs it.
  private let syncsOnMap: Atomic<Bool>

  /// What the table was built with, which a unit must be able to walk.
  struct Shape: Sendable {
    var levels: Int
    var width: Int
    var pageSizes: UInt64
    /// Table entries remember that they were written back, for units that do not snoop their walks.
    var notesWriteBack: Bool
    var syncsOnMap: Bool
    var isModern: Bool
  }

  init(_ table: any PageTable, _ shape: Shape, usesPASIDs: Bool, of driver: VTdDriver) {
    self.shape = shape
    links = VTdLinks(usesPASIDs: usesPASIDs, driver.failures)
    syncsOnMap = Atomic(shape.syncsOnMap)
    super.init(table, driver: driver, failures: driver.failures)
  }

  var parentLinks: VTdLinks? { nil }
  var tagsFirst: Bool { false }
  final var forcesSnooping: Bool { snoops.load(ordering: .relaxed) }
  final var hasMapped: Bool { hasMappings.load(ordering: .relaxed) }
  final func forceSnooping() { snoops.store(true, ordering: .relaxed) }
  final var flushesAfterMap: Bool { syncsOnMap.load(ordering: .relaxed) }
  final func flushAfterMaps() { syncsOnMap.store(true, ordering: .relaxed) }

  final var root: UInt64 { table.root.address.raw }

  // MARK: Attaching

  public override func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try attachRID(device, from: old)
  }

  public func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try attachPASID(pasid, of: device, from: old)
  }

  /// `paging_domain_compatible_first_stage`.
  func check(_ device: VTdDevice) throws(Errno) {
    let features = device.unit.features
    guard features.hasFirstStage else { throw .EINVAL("the unit has no first stage") }
    try checkWalk(features)
    guard features.hasFiveLevelFirstStage || shape.width <= 48 else {
      throw .EINVAL("the unit has no five-level first stage")
    }
    guard shape.pageSizes & ~features.firstStageSizes == 0 else {
      throw .EINVAL("the unit has no pages of the domain's sizes", shape.pageSizes, features.firstStageSizes)
    }
    try checkSync(features.needsWriteBufferFlush)
    try checkSnooping(features)
  }

  final func checkWalk(_ features: VTdFeatures) throws(Errno) {
    // 6.12 writes the cache lines back where the unit in question needs it.
    guard !shape.isModern || features.walksCoherently || shape.notesWriteBack else {
      throw .EINVAL("the unit does not snoop its walks, and the domain was made for one that does")
    }
  }

  final func checkSync(_ needed: Bool) throws(Errno) {
    guard needed, !flushesAfterMap else { return }
    guard !shape.isModern else { throw .EINVAL("the unit must be told of new mappings") }
    flushAfterMaps()
  }

  final func checkSnooping(_ features: VTdFeatures) throws(Errno) {
    guard !forcesSnooping || features.snoops else { throw .EINVAL("the unit cannot enforce coherency") }
  }

  func contents(for unit: VTdIOMMU, id: UInt16) throws(Errno) -> VTdPASIDContents {
    try unit.firstStageEntry(root: root, levels: shape.levels, id: id, snoops: forcesSnooping)
  }

  var legacyRoot: (address: UInt64, addressWidth: UInt64) { (root, UInt64(shape.levels - 2)) }

  // MARK: Coherency

  /// `intel_iommu_enforce_cache_coherency_fs`.
  public func enforceCacheCoherency() -> Bool {
    guard !forcesSnooping else { return true }
    guard allSnoop else { return false }
    forceSnooping()
    let attached = attachments
    for (device, pasid) in attached { device.unit.setPageSnoop(pasid, of: device) }
    return true
  }

  /// `domain_support_force_snooping`.
  final var allSnoop: Bool { attachments.allSatisfy { $0.device.unit.features.snoops } }

  /// RIDs, and PASIDs.
  final var attachments: [(device: VTdDevice, pasid: UInt32)] {
    do throws(Errno) {
      return try links.withLists { devices, pasids throws(Errno) in
        devices.map { ($0, 0) } + pasids.map { ($0.device, $0.pasid) }
      }
    } catch { return [] }
  }

  // MARK: Flushing

  override func attributes(_ protection: Protection) -> MappingAttributes {
    hasMappings.store(true, ordering: .relaxed)
    return super.attributes(protection)
  }

  /// `intel_iommu_iotlb_sync_map`.
  override final func didMap(_ range: Span64) {
    guard flushesAfterMap else { return }
    links.tags.flushAfterMap(range.first, range.last)
  }

  /// `intel_iommu_tlb_sync`.
  override final func flush(_ gather: borrowing TableGather) { flush(gather, for: .unmap) }

  override final func flushDirty(_ gather: borrowing TableGather) {
    guard !attachments.contains(where: { $0.device.unit.bugs.has(.skipDirtyFlush) }) else { return }
    flush(gather, for: .dirty)
  }

  private func flush(_ gather: borrowing TableGather, for cause: VTdCacheTags.Cause) {
    guard let range = gather.range else { return }
    links.tags.flush(range.first, range.last, keepsTables: !gather.hasTables, for: cause)
  }
}

/// A second stage.
public class VTdSecondStageDomain: VTdPagingDomain, @unchecked Sendable {
  /// It was made to have nested domains above it.
  let isParent: Bool
  private let nestedLock = Lock(.vtdNested)
  /// Guarded by `nestedLock`.
  private var nestedList: [Weak] = []

  private struct Weak {
    weak var domain: VTdNestedDomain?
  }

  init(_ table: any PageTable, _ shape: Shape, isParent: Bool, of driver: VTdDriver) {
    self.isParent = isParent
    super.init(table, shape, usesPASIDs: false, of: driver)
  }

  final func add(_ nested: VTdNestedDomain) {
    nestedLock.withLock {
      nestedList.removeAll { $0.domain == nil }
      nestedList.append(Weak(domain: nested))
    }
  }

  final var nestedDomains: [VTdNestedDomain] { nestedLock.withLock { nestedList.compactMap(\.domain) } }

  var tracksDirty: Bool { false }

  /// `paging_domain_compatible_second_stage`.
  override func check(_ device: VTdDevice) throws(Errno) {
    let features = device.unit.features
    guard !(self is any DirtyTrackingDomain) || features.tracksDirty else {
      throw .EINVAL("the domain tracks writes and the unit cannot")
    }
    guard !isParent || features.hasNesting else { throw .EINVAL("the unit has no nested translation") }
    guard features.hasSecondStage else { throw .EINVAL("the unit has no second stage") }
    try checkWalk(features)
    guard features.guestWidth >= shape.width else {
      throw .EINVAL("the unit has fewer address bits", UInt64(features.guestWidth), UInt64(shape.width))
    }
    guard features.supports(addressWidth: UInt64(shape.levels - 2)) else {
      throw .EINVAL("the unit does not walk as many levels", UInt64(shape.levels))
    }
    guard shape.pageSizes & ~features.secondStageSizes == 0 else {
      throw .EINVAL("the unit has no pages of the domain's sizes", shape.pageSizes, features.secondStageSizes)
    }
    try checkSync(features.needsWriteBufferFlush || features.cachesMissing)
    try checkSnooping(features)
  }

  override func contents(for unit: VTdIOMMU, id: UInt16) throws(Errno) -> VTdPASIDContents {
    try unit.secondStageEntry(root: root, levels: shape.levels, id: id, tracksDirty: tracksDirty)
  }

  /// `intel_iommu_enforce_cache_coherency_ss`.
  public override func enforceCacheCoherency() -> Bool {
    guard allSnoop, forcesSnooping || !hasMapped else { return false }
    forceSnooping()
    return true
  }

  /// 6.12 makes every mapping readable.
  override func attributes(_ protection: Protection) -> MappingAttributes {
    var attributes = super.attributes(protection)
    if forcesSnooping { attributes.insert(.snoop) }
    if !shape.isModern { attributes.insert(.read) }
    return attributes
  }
}

/// A second stage that was allocated with DIRTY_TRACKING.
public final class VTdDirtyDomain: VTdSecondStageDomain, DirtyTrackingDomain, @unchecked Sendable {
  private let trackingLock = Lock(.vtdTracking)
  private let tracking = Atomic<Bool>(false)

  override var tracksDirty: Bool { tracking.load(ordering: .relaxed) }

  /// `intel_iommu_set_dirty_tracking`: every entry that leads to this domain, and to the nested ones above it.
  public func setDirtyTracking(_ enabled: Bool) throws(Errno) {
    try trackingLock.withLock { () throws(Errno) in
      guard tracksDirty != enabled else { return }
      var changed: [(device: VTdDevice, pasid: UInt32)] = []
      do throws(Errno) {
        for (device, pasid) in attachments {
          changed.append((device, pasid))
          try device.unit.setDirtyTracking(enabled, pasid, of: device)
        }
        for nested in nestedDomains {
          for (device, pasid) in nested.attachments {
            try device.unit.setDirtyTracking(enabled, pasid, of: device)
          }
        }
      } catch {
        for (device, pasid) in changed { try? device.unit.setDirtyTracking(!enabled, pasid, of: device) }
        throw error
      }
      tracking.store(enabled, ordering: .relaxed)
    }
  }
}
