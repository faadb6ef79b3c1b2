// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
public import UAPI

/// A paging domain with a table of version 2, which functions reach through their GCR3 tables: as the table of their
/// own requests, PASID 0, and of any other PASID. The top bit of an IOVA is left out, since hardware extends the sign
/// of it for PASIDs and not for PASID 0. Source: `amd_iommu_domain_alloc_paging_v2`; reference backends-x86.md B7.1.
public final class AMDViGuestDomain: AMDViPagingDomain, PASIDDomain, @unchecked Sendable {
  /// - Throws: EOPNOTSUPP for an IOMMU without guest tables for its own use; ENOMEM.
  static func make(_ amd: AMDViDriver) throws(Errno) -> AMDViGuestDomain {
    guard amd.hasGuestTables else { throw .EOPNOTSUPP("the IOMMU has no guest tables") }
    let id = try amd.allocateDomain()
    do throws(Errno) {
      let levels = amd.usesFiveLevels ? 5 : 4
      let table = try X86FirstStageTable(
        amd.memory,
        X86FirstStageTable.Configuration(levels: levels, inputLg2: levels == 5 ? 56 : 47, signExtends: false),
        failures: amd.failures)
      return AMDViGuestDomain(table, id: id, of: amd)
    } catch {
      amd.domainIDs.free(id)
      throw error
    }
  }

  override var guestRoot: TableRoot? { table.root }

  /// Each function has a tag of its own, and in it every PASID. `domain_flush_pages_v2`.
  override func forEachTarget(_ body: (Target) -> Void) {
    for device in members.devices {
      if let gcr3 = device.gcr3 { body(.pages(device.unit, domain: gcr3.domainID, pasid: 0)) }
    }
    for device in members.devices where device.usesATS { body(.deviceCache(device, pasid: 0)) }
    for (device, pasid) in members.pasids {
      guard let gcr3 = device.gcr3 else { continue }
      body(.pages(device.unit, domain: gcr3.domainID, pasid: pasid))
      if device.usesATS { body(.deviceCache(device, pasid: pasid)) }
    }
  }

  public func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? AMDViDevice, device.unit.amd === amd else {
      throw .EINVAL("not a device behind AMD-Vi")
    }
    try device.attach(self, pasid: pasid)
  }
}
