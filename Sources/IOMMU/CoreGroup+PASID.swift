// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

// DMA with a PASID: what is attached at one is independent of the RID, as far as the core is concerned.

extension CoreGroup {
  /// Attaches `domain` to `pasid` of the group. `iommu_attach_device_pasid`.
  ///
  /// - Throws: EOPNOTSUPP when the driver has no PASIDs; EINVAL for another driver's domain, PASID 0, or a
  ///   PASID that a member cannot send; EBUSY when the PASID is taken or a member is in reset; what
  ///   `PASIDDomain.setPASID` throws.
  public func attach(_ domain: any Domain, pasid: UInt32, of device: Device, handle: AttachHandle)
    throws(Errno)
  {
    guard let driver = device.driver else { throw .ENODEV("the device has no group") }
    guard let target = domain as? any PASIDDomain, driver.blockedDomain is any PASIDDomain else {
      throw .EOPNOTSUPP("the IOMMU driver attaches no PASIDs")
    }
    guard Self.suits(driver, domain), pasid != 0 else {
      throw .EINVAL("the domain belongs to another IOMMU driver, or the PASID is 0", UInt64(pasid))
    }
    try lock.withLock { () throws(Errno) in
      guard recovering == 0 else { throw .EBUSY("a device of the group is in reset", UInt64(id)) }
      for member in memberList where member.device.maxPASIDs > 0 && pasid >= member.device.maxPASIDs {
        throw .EINVAL("the PASID is out of range", UInt64(pasid), UInt64(member.device.maxPASIDs))
      }
      guard handles[pasid] == nil else { throw .EBUSY("the PASID has a domain attached", UInt64(pasid)) }
      try setPASID(pasid, to: target, from: nil)
      handle.domain = domain
      handles[pasid] = handle
    }
  }

  /// Moves `pasid` to another domain. `iommu_replace_device_pasid`.
  ///
  /// - Throws: EOPNOTSUPP, EINVAL also when nothing is attached, EBUSY; what `setPASID` throws, and then the
  ///   PASID is on its old domain.
  public func replace(with domain: any Domain, pasid: UInt32, of device: Device, handle: AttachHandle)
    throws(Errno)
  {
    guard let driver = device.driver else { throw .ENODEV("the device has no group") }
    guard let target = domain as? any PASIDDomain else {
      throw .EOPNOTSUPP("the IOMMU driver attaches no PASIDs")
    }
    guard Self.suits(driver, domain), pasid != 0 else {
      throw .EINVAL("the domain belongs to another IOMMU driver, or the PASID is 0", UInt64(pasid))
    }
    try lock.withLock { () throws(Errno) in
      guard recovering == 0 else { throw .EBUSY("a device of the group is in reset", UInt64(id)) }
      guard let current = handles[pasid] else {
        throw .EINVAL("nothing is attached at the PASID", UInt64(pasid))
      }
      if current.domain !== domain { try setPASID(pasid, to: target, from: current.domain) }
      handle.domain = domain
      handles[pasid] = handle
    }
  }

  /// `iommu_detach_device_pasid`.
  public func detach(pasid: UInt32) {
    lock.withLock {
      guard let current = handles.removeValue(forKey: pasid) else { return }
      for member in memberList where !member.isBlocked {
        Self.block(pasid, of: member.device, from: current.domain)
      }
    }
  }

  /// Sets all members with PASIDs, or none. `__iommu_set_group_pasid`.
  private func setPASID(_ pasid: UInt32, to domain: any PASIDDomain, from old: (any Domain)?) throws(Errno) {
    for (index, member) in memberList.enumerated() where member.device.maxPASIDs > 0 {
      do throws(Errno) {
        try domain.setPASID(pasid, of: member.device, from: old)
      } catch {
        for earlier in memberList[..<index] where earlier.device.maxPASIDs > 0 {
          let before = old as? any PASIDDomain
          if before == nil || (try? before?.setPASID(pasid, of: earlier.device, from: domain)) == nil {
            Self.block(pasid, of: earlier.device, from: domain)
          }
        }
        throw error
      }
    }
  }

  static func block(_ pasid: UInt32, of device: Device, from old: (any Domain)?) {
    guard device.maxPASIDs > 0, let blocked = device.driver?.blockedDomain as? any PASIDDomain else { return }
    try? blocked.setPASID(pasid, of: device, from: old)
  }
}
