// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Seams
internal import UAPI

/// Where a domain is attached, and under which domain ID on each unit: the lists of `struct dmar_domain`.
///
/// A domain ID belongs to a domain while it is attached on a unit, and is the lowest that was free then. Source:
/// `domain_attach_iommu`, `domain_add_dev_pasid`; reference backends-x86.md A2.6.
final class VTdLinks: @unchecked Sendable {
  struct PASIDLink {
    let device: VTdDevice
    let pasid: UInt32
  }

  private struct UnitLink {
    let unit: VTdIOMMU
    let id: UInt16
    var users: Int
  }

  let tags: VTdCacheTags
  private let failures: FailurePoints
  private let lock = Lock(.vtdDomain)
  // Guarded by `lock`. The newest is first.
  private var deviceList: [VTdDevice] = []
  private var pasidList: [PASIDLink] = []
  private let unitLock = Lock(.vtdDomainUnits)
  /// Guarded by `unitLock`.
  private var units: [UnitLink] = []

  init(usesPASIDs: Bool, _ failures: FailurePoints) {
    tags = VTdCacheTags(usesPASIDs: usesPASIDs, failures)
    self.failures = failures
  }

  /// Holds the lists still. `dmar_domain->lock`.
  func withLists<Result>(_ body: (_ devices: [VTdDevice], _ pasids: [PASIDLink]) throws(Errno) -> Result)
    throws(Errno) -> Result
  {
    try lock.withLock { () throws(Errno) in try body(deviceList, pasidList) }
  }

  func add(_ device: VTdDevice) { lock.withLock { deviceList.insert(device, at: 0) } }
  func remove(_ device: VTdDevice) { lock.withLock { deviceList.removeAll { $0 === device } } }
  func add(_ device: VTdDevice, _ pasid: UInt32) {
    lock.withLock { pasidList.insert(PASIDLink(device: device, pasid: pasid), at: 0) }
  }
  func remove(_ device: VTdDevice, _ pasid: UInt32) {
    lock.withLock { pasidList.removeAll { $0.device === device && $0.pasid == pasid } }
  }

  /// One more attachment on a unit. `domain_attach_iommu`.
  ///
  /// - Throws: ENOMEM, ENOSPC.
  func attachID(_ unit: VTdIOMMU) throws(Errno) -> UInt16 {
    try failures.pass(.allocation, "the domain's link to a unit")
    return try unitLock.withLock { () throws(Errno) in
      if let index = units.firstIndex(where: { $0.unit === unit }) {
        units[index].users += 1
        return units[index].id
      }
      try failures.pass(.allocation, "a domain ID")
      let id = try unit.allocateID()
      do throws(Errno) { try failures.pass(.allocation, "the domain's list of units") } catch {
        unit.freeID(id)
        throw error
      }
      units.append(UnitLink(unit: unit, id: id, users: 1))
      return id
    }
  }

  /// `domain_detach_iommu`.
  func detachID(_ unit: VTdIOMMU) {
    unitLock.withLock {
      guard let index = units.firstIndex(where: { $0.unit === unit }) else { return }
      units[index].users -= 1
      guard units[index].users == 0 else { return }
      unit.freeID(units.remove(at: index).id)
    }
  }

  /// The domain ID on a unit; nil while the domain is not attached there. `domain_id_iommu`.
  func id(on unit: VTdIOMMU) -> UInt16? {
    unitLock.withLock { units.first { $0.unit === unit }?.id }
  }
}
