// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import PageTables
internal import Seams
internal import UAPI

/// Who is on a domain: the functions, and the IOMMUs in front of them. Source: `dev_list` and `iommu_array` of
/// `struct protection_domain`.
final class AMDViMembers: @unchecked Sendable {
  /// `domain->lock`: held while a domain is flushed, so that nobody joins or leaves meanwhile.
  let lock = Lock(.amdDomain)
  // Guarded by `lock`.
  private(set) var devices: [AMDViDevice] = []
  /// Functions at a PASID.
  private(set) var pasids: [(device: AMDViDevice, pasid: UInt32)] = []
  /// IOMMUs, and how many functions of each.
  private(set) var units: [(unit: AMDViIOMMU, count: Int)] = []

  /// `pdom_attach_iommu`.
  ///
  /// - Throws: ENOMEM.
  func join(_ unit: AMDViIOMMU) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      if let index = units.firstIndex(where: { $0.unit === unit }) {
        units[index].count += 1
        return
      }
      try unit.failures.pass(.allocation, "the domain's link to an IOMMU")
      try unit.failures.pass(.allocation, "the IOMMU's place in the domain")
      units.append((unit, 1))
    }
  }

  /// `pdom_detach_iommu`.
  func leave(_ unit: AMDViIOMMU) {
    lock.withLock {
      guard let index = units.firstIndex(where: { $0.unit === unit }) else { return }
      units[index].count -= 1
      if units[index].count == 0 { units.remove(at: index) }
    }
  }

  // With the lock held.

  func add(_ device: AMDViDevice) { devices.insert(device, at: 0) }
  func remove(_ device: AMDViDevice) { devices.removeAll { $0 === device } }
  func add(_ device: AMDViDevice, pasid: UInt32) { pasids.append((device, pasid)) }
  func remove(_ device: AMDViDevice, pasid: UInt32) {
    pasids.removeAll { $0.device === device && $0.pasid == pasid }
  }
}

/// A domain that a function's own requests can be on.
protocol AMDViAttachable: Domain {
  var amd: AMDViDriver { get }
  /// The tag of what is cached, unless the function has a GCR3 table.
  var id: UInt16 { get }
  var members: AMDViMembers { get }
  /// A host table, version 1.
  var hostRoot: TableRoot? { get }
  /// The table of PASID 0: version 2.
  var guestRoot: TableRoot? { get }
  var isTrackingDirty: Bool { get }
  /// Flushes everything that is cached for the domain, with the members' lock held, and waits.
  /// `amd_iommu_domain_flush_all`.
  func invalidateEverything()
}

extension AMDViAttachable {
  var hostRoot: TableRoot? { nil }
  var guestRoot: TableRoot? { nil }
  var isTrackingDirty: Bool { false }
  /// `pdom_is_v2_pgtbl_mode`.
  var usesGuestTable: Bool { guestRoot != nil }
}
