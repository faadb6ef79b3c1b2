// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
internal import Synchronization
public import UAPI

/// A paging domain with a host table, version 1. Its table starts with three levels and grows: then every function's
/// device table entry is pointed at the new root before anything is mapped below it.
/// Source: `amd_iommu_domain_alloc_paging_v1`, `amd_iommu_change_top`; reference backends-x86.md B7.1, B10.6.
public class AMDViHostDomain: AMDViPagingDomain, @unchecked Sendable {
  /// Guests that have nested domains on top of this one. Guarded by the members' lock.
  private var guests: [AMDViVIOMMU] = []

  /// - Throws: EOPNOTSUPP for an IOMMU without host tables; ENOMEM.
  static func make(_ amd: AMDViDriver, tracksDirty: Bool) throws(Errno) -> AMDViHostDomain {
    guard let width = amd.hostWidth else { throw .EOPNOTSUPP("the IOMMU has no host tables") }
    let id = try amd.allocateDomain()
    let growth = Growth()
    do throws(Errno) {
      let table = try AMDV1Table(
        amd.memory, AMDV1Table.Configuration(levels: 3, inputLg2: width), failures: amd.failures,
        onNewRoot: { growth.domain?.grew($0) })
      let domain =
        tracksDirty
        ? AMDViDirtyDomain(table, id: id, of: amd) : AMDViHostDomain(table, id: id, of: amd)
      growth.domain = domain
      return domain
    } catch {
      amd.domainIDs.free(id)
      throw error
    }
  }

  /// The way from a table to its domain, which is made after it. Set once, before the table is used.
  private final class Growth: @unchecked Sendable {
    weak var domain: AMDViHostDomain?
  }

  override var hostRoot: TableRoot? { table.root }

  private func grew(_ root: TableRoot) {
    members.lock.withLock {
      guard !members.devices.isEmpty else { return }
      for device in members.devices { device.setEntry(root: root) }
      for device in members.devices { device.invalidateEntry() }
      for (unit, _) in members.units { unit.wait() }
    }
  }

  /// The domain's own tag, and, below nested domains, the tag of each.
  override func forEachTarget(_ body: (Target) -> Void) {
    for (unit, _) in members.units { body(.pages(unit, domain: id, pasid: nil)) }
    for guest in guests {
      guest.forEachHostID { body(.pages(guest.unit, domain: $0, pasid: nil)) }
    }
    for device in members.devices where device.usesATS { body(.deviceCache(device, pasid: nil)) }
  }

  override var hasOtherTargets: Bool { !guests.isEmpty }

  func add(_ guest: AMDViVIOMMU) { members.lock.withLock { guests.append(guest) } }
  func remove(_ guest: AMDViVIOMMU) { members.lock.withLock { guests.removeAll { $0 === guest } } }
}

/// One that was allocated with DIRTY_TRACKING: hardware sets D in the entries of what is written, while DTE.HAD says
/// so. Source: `amd_iommu_set_dirty_tracking`; reference backends-x86.md B7.4.
public final class AMDViDirtyDomain: AMDViHostDomain, DirtyTrackingDomain, @unchecked Sendable {
  private let tracking = Atomic<Bool>(false)

  override var isTrackingDirty: Bool { tracking.load(ordering: .acquiring) }

  public func setDirtyTracking(_ enabled: Bool) throws(Errno) {
    members.lock.withLock {
      guard isTrackingDirty != enabled else { return }
      for device in members.devices { device.setDirtyBits(enabled) }
      // Translations that are cached would go on as they were.
      if !members.devices.isEmpty { invalidateEverything() }
      tracking.store(enabled, ordering: .releasing)
    }
  }
}
