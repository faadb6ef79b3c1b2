// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Seams
internal import UAPI

// Attaching. The function is blocked first; then the new domain is checked, gets a domain ID, an entry and cache
// tags. A failure in the middle leaves the function blocked, and it is put back on its old domain:
//
//     RID     old tags away, entry torn down, old ID away ──> check, ID, entry, tags
//     PASID   check, ID, tags ──> old entry torn down, entry ──> old tags and ID away
//
// The kernel's core puts back whom it finds blocked; here the driver does it, with the same commands.
//
// Source: `intel_iommu_attach_device`, `intel_iommu_set_dev_pasid`, `intel_nested_attach_dev`,
// `device_block_translation`, `blocking_domain_attach_dev` and `blocking_domain_set_dev_pasid`; reference
// backends-x86.md A7.3 and A7.4.

/// A domain of this driver that entries can lead to.
protocol VTdAttachable: PASIDDomain {
  var links: VTdLinks { get }
  /// The second stage below a guest's first; its caches hold translations of this domain.
  var parentLinks: VTdLinks? { get }
  /// Tags are assigned before the entry is written: nested domains.
  var tagsFirst: Bool { get }

  /// Whether the unit in front of a function can walk the domain's tables. `paging_domain_compatible`.
  ///
  /// - Throws: EINVAL.
  func check(_ device: VTdDevice) throws(Errno)
  /// - Throws: EINVAL.
  func contents(for unit: VTdIOMMU, id: UInt16) throws(Errno) -> VTdPASIDContents
  /// Where a legacy context entry leads.
  var legacyRoot: (address: UInt64, addressWidth: UInt64) { get }
}

extension VTdAttachable {
  func attachRID(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? VTdDevice, device.unit.driver === driver else {
      throw .EINVAL("the device is behind an IOMMU of another driver")
    }
    device.block()
    do throws(Errno) {
      try check(device)
      try device.enableFaults(for: self)
      device.disableFaults(for: old)
      do throws(Errno) { try connect(device) } catch {
        try? device.enableFaults(for: old)
        device.disableFaults(for: self)
        throw error
      }
    } catch {
      try? (old as? any VTdAttachable)?.connect(device)
      throw error
    }
  }

  /// `dmar_domain_attach_device`, and the second half of `intel_nested_attach_dev`.
  fileprivate func connect(_ device: VTdDevice) throws(Errno) {
    let unit = device.unit
    let id = try links.attachID(unit)
    do throws(Errno) {
      if tagsFirst { try assignTags(device, 0, id) }
      if unit.features.isScalable {
        do throws(Errno) {
          try unit.setUp(try contents(for: unit, id: id), 0, of: device)
        } catch {
          if tagsFirst { unassignTags(device, 0, id) }
          throw error
        }
      } else {
        try unit.mapContext(
          of: device, root: legacyRoot.address, addressWidth: legacyRoot.addressWidth, id: id)
      }
    } catch {
      links.detachID(unit)
      throw error
    }
    device.domain = self
    links.add(device)
    if !unit.isModern {
      device.enableATS()
      device.enablePRI()
    }
    guard !tagsFirst else { return }
    do throws(Errno) { try assignTags(device, 0, id) } catch {
      device.block(hasTags: false)
      throw error
    }
  }

  /// `cache_tag_assign_domain`.
  private func assignTags(_ device: VTdDevice, _ pasid: UInt32, _ id: UInt16) throws(Errno) {
    try links.tags.assign(device, pasid, id: id, nesting: false)
    do throws(Errno) { try parentLinks?.tags.assign(device, pasid, id: id, nesting: true) } catch {
      links.tags.unassign(device, pasid, id: id, nesting: false)
      throw error
    }
  }

  fileprivate func unassignTags(_ device: VTdDevice, _ pasid: UInt32, _ id: UInt16) {
    links.tags.unassign(device, pasid, id: id, nesting: false)
    parentLinks?.tags.unassign(device, pasid, id: id, nesting: true)
  }

  // MARK: PASIDs

  func attachPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? VTdDevice, device.unit.driver === driver else {
      throw .EINVAL("the device is behind an IOMMU of another driver")
    }
    let unit = device.unit
    guard unit.features.hasPASID else { throw .EOPNOTSUPP("the unit has no PASIDs") }
    guard unit.isModern || !(self is any DirtyTrackingDomain) else {
      throw .EINVAL("a domain that tracks writes serves no PASID")
    }
    try check(device)
    try unit.failures.pass(.allocation, "a PASID of a domain")
    let id = try links.attachID(unit)
    do throws(Errno) { try assignTags(device, pasid, id) } catch {
      links.detachID(unit)
      throw error
    }
    links.add(device, pasid)
    let before = old as? any VTdAttachable
    do throws(Errno) {
      try device.enableFaults(for: self)
      device.disableFaults(for: old)
      do throws(Errno) {
        if before != nil { unit.tearDown(pasid, of: device) }
        try unit.setUp(try contents(for: unit, id: id), pasid, of: device)
      } catch {
        try? device.enableFaults(for: old)
        device.disableFaults(for: self)
        if let before, let id = before.links.id(on: unit),
          let contents = try? before.contents(for: unit, id: id)
        {
          try? unit.setUp(contents, pasid, of: device)
        }
        throw error
      }
    } catch {
      removePASID(pasid, of: device)
      throw error
    }
    before?.removePASID(pasid, of: device)
  }

  /// `domain_remove_dev_pasid`.
  func removePASID(_ pasid: UInt32, of device: VTdDevice) {
    links.remove(device, pasid)
    if let id = links.id(on: device.unit) { unassignTags(device, pasid, id) }
    links.detachID(device.unit)
  }
}

extension VTdDevice {
  /// Leads the RID nowhere. `device_block_translation`.
  func block(hasTags: Bool = true) {
    let before = domain
    if hasTags, let before, let id = before.links.id(on: unit) { before.unassignTags(self, 0, id) }
    if unit.features.isScalable {
      if !unit.isModern {
        disablePRI()
        disableATS()
      }
      unit.tearDown(0, of: self)
    } else {
      unit.clearContext(of: self)
    }
    guard let before else { return }
    domain = nil
    before.links.remove(self)
    before.links.detachID(unit)
  }
}

/// The driver's static domain in which no DMA works: entries are not present. `blocking_domain`.
final class VTdBlockedDomain: PASIDDomain, @unchecked Sendable {
  unowned let owner: VTdDriver
  var faultHandler: (any PageFaultHandler)?

  init(_ owner: VTdDriver) { self.owner = owner }

  var driver: any IOMMUDriver { owner }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? VTdDevice else { throw .EINVAL("not a device of this driver") }
    device.disableFaults(for: device.domain)
    device.block()
  }

  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? VTdDevice else { throw .EINVAL("not a device of this driver") }
    device.unit.tearDown(pasid, of: device)
    device.disableFaults(for: old)
    (old as? any VTdAttachable)?.removePASID(pasid, of: device)
  }
}
