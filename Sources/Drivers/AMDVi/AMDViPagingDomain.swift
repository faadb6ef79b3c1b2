// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
public import UAPI

// What both kinds of paging domain have in common: when which invalidations are issued.
//
//     map     where the IOMMU caches entries that are not present: the run, PDE=1
//     unmap   what was unmapped; PDE=1 if a table was unhooked
//     all     on detach, and when dirty tracking changes: everything, PDE=1
//
// For each range: INVALIDATE_IOMMU_PAGES for every tag on every IOMMU, INVALIDATE_IOTLB_PAGES for every function with
// ATS; at the end one wait for each IOMMU. Source: `amd_iommu_domain_flush_pages`, `__domain_flush_pages`; reference
// backends-x86.md B7.3.

/// A paging domain of AMD-Vi: `struct protection_domain`.
public class AMDViPagingDomain: TableDomain, AMDViAttachable, CoherencyEnforcingDomain, @unchecked Sendable {
  let amd: AMDViDriver
  let id: UInt16
  let members = AMDViMembers()

  /// - Throws: ENOMEM without a free domain ID, or memory.
  init(_ table: any PageTable, id: UInt16, of amd: AMDViDriver) {
    self.amd = amd
    self.id = id
    super.init(table, driver: amd, failures: amd.failures)
  }

  deinit { amd.domainIDs.free(id) }

  var hostRoot: TableRoot? { nil }
  var guestRoot: TableRoot? { nil }
  var isTrackingDirty: Bool { false }

  public override func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? AMDViDevice, device.unit.amd === amd else {
      throw .EINVAL("not a device behind AMD-Vi")
    }
    try device.attach(to: self)
  }

  /// Version 1 sets FC in every leaf. Version 2 cannot, and Linux says yes all the same, since its callers cannot do
  /// with some domains that say no. `amd_iommu_enforce_cache_coherency`.
  public func enforceCacheCoherency() -> Bool { true }

  // MARK: Flushing

  enum Cause { case map, unmap, dirty, everything }

  /// Where an invalidation goes.
  enum Target {
    case pages(AMDViIOMMU, domain: UInt16, pasid: UInt32?)
    case deviceCache(AMDViDevice, pasid: UInt32?)
  }

  /// Tags and functions that may have cached something of the domain, with the members' lock held.
  func forEachTarget(_ body: (Target) -> Void) {}

  override func didMap(_ range: Span64) {
    if amd.cachesAbsentEntries { invalidate(range, tables: true, .map) }
  }

  override func flush(_ gather: borrowing TableGather) {
    invalidate(gather.range, tables: gather.hasTables, .unmap)
  }

  override func flushDirty(_ gather: borrowing TableGather) {
    invalidate(gather.range, tables: gather.hasTables, .dirty)
  }

  private func invalidate(_ range: Span64?, tables: Bool, _ cause: Cause) {
    members.lock.withLock {
      guard !members.units.isEmpty || !members.pasids.isEmpty || hasOtherTargets else { return }
      let ranges: [AMDViRange]
      if let range {
        ranges = amd.cachesAbsentEntries ? AMDViRange.pieces(of: range) : [AMDViRange(covering: range)]
      } else {
        ranges = [.everything]
      }
      for range in ranges { issue(range, tables: tables, cause) }
      waitForAll(cause)
    }
  }

  func invalidateEverything() {
    issue(.everything, tables: true, .everything)
    waitForAll(.everything)
  }

  /// Tags that are no member's.
  var hasOtherTargets: Bool { false }

  private func issue(_ range: AMDViRange, tables: Bool, _ cause: Cause) {
    forEachTarget { target in
      switch target {
      case .pages(let unit, let domain, let pasid):
        guard unit.bugs.isEmpty else {
          return issueWrongly(unit, range, domain, pasid, tables: tables, cause)
        }
        unit.queue(.pages(range, domain: domain, pasid: pasid, tables: tables))
      case .deviceCache(let device, let pasid):
        if cause == .unmap, device.unit.bugs.has(.skipDeviceFlush) { return }
        let rings = !(cause == .unmap && device.unit.bugs.has(.skipSync))
        device.unit.queue(
          .deviceCache(of: device.deviceID, queueDepth: AMDViDevice.queueDepth, range, pasid: pasid),
          rings: rings)
      }
    }
  }

  /// With some of the bugs.
  private func issueWrongly(
    _ unit: AMDViIOMMU, _ range: AMDViRange, _ domain: UInt16, _ pasid: UInt32?, tables: Bool, _ cause: Cause
  ) {
    var (range, domain, tables) = (range, domain, tables)
    let bugs = unit.bugs
    switch cause {
    case .map: if bugs.has(.skipMapFlush) { return }
    case .dirty: if bugs.has(.skipDirtyFlush) { return }
    case .unmap:
      if bugs.has(.skipUnmapFlush) { return }
      if bugs.has(.wrongDomainFlush) { domain ^= 0x8000 }
      if bugs.has(.shortFlush) { range = range.firstPage }
      if bugs.has(.leafOnlyFlush) { tables = false }
    case .everything: break
    }
    let rings = !(cause == .unmap && bugs.has(.skipSync))
    unit.queue(.pages(range, domain: domain, pasid: pasid, tables: tables), rings: rings)
  }

  /// `domain_flush_complete`.
  private func waitForAll(_ cause: Cause) {
    var waited: [AMDViIOMMU] = []
    forEachTarget { target in
      let unit =
        switch target {
        case .pages(let unit, _, _): unit
        case .deviceCache(let device, _): device.unit
        }
      guard !waited.contains(where: { $0 === unit }) else { return }
      waited.append(unit)
      if cause == .unmap, unit.bugs.has(.skipSync) { return }
      unit.wait()
    }
  }
}
