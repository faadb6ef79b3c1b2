// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import PageTables
internal import Seams
internal import UAPI

// Moving a function from one domain to another: off the old one, which leaves it blocked, then on the new one. When
// the second step fails it stays blocked. Source: `amd_iommu_attach_device`, `attach_device`, `detach_device`,
// `blocked_domain_attach_device`; reference backends-x86.md B7.2.

extension AMDViDevice {
  /// - Throws: EINVAL for a domain that tracks what is written, on an IOMMU that cannot, and for more PASIDs than the
  ///   IOMMU has levels for; ENOSPC without a free domain ID; ENOMEM.
  func attach(to new: any AMDViAttachable) throws(Errno) {
    if domain === new, nested == nil { return }
    if new is any DirtyTrackingDomain, !unit.tracksDirty {
      throw .EINVAL("the domain tracks writes and the IOMMU cannot")
    }
    nested = nil
    if domain === new {
      setEntry()
      return
    }
    if domain != nil { detach() }
    try join(new)
  }

  /// `attach_device`.
  private func join(_ new: any AMDViAttachable) throws(Errno) {
    try new.members.join(unit)
    let hasGuestTables = new.usesGuestTable || new.hostRoot == nil
    if hasGuestTables {
      do throws(Errno) { try makeGuestTables(for: new) } catch {
        new.members.leave(unit)
        throw error
      }
      enableAll()
      joinPageRequests()
    } else {
      enableATS()
    }
    domain = new
    new.members.lock.withLock {
      new.members.add(self)
      // Under the lock: a table that grows meanwhile writes its root after this one.
      setEntry()
    }
  }

  /// Functions that can raise page requests do while they have guest tables. One that cannot be served goes on
  /// without. `amd_iommu_iopf_add_device`.
  private func joinPageRequests() {
    guard usesPRI else { return }
    do throws(Errno) {
      guard unit.takesPageRequests else { throw .EINVAL("the IOMMU has no page request queue") }
      try joinFaultQueue(unit.failures, as: .spare)
      takesPageRequests = true
    } catch {
      disablePRI()
    }
  }

  /// `init_gcr3_table`.
  private func makeGuestTables(for new: any AMDViAttachable) throws(Errno) {
    guard new.usesGuestTable || canSendPASIDs else { return }
    let tables = try AMDViGCR3Table(unit, pasids: max(1, pasidLimit))
    gcr3 = tables
    do throws(Errno) {
      if let root = new.guestRoot { try setGuestTable(0, root.address) }
      // What PASIDs are attached to is nobody's business here, so it stays.
      for (pasid, domain) in pasidDomains.sorted(by: { $0.key < $1.key }) {
        try setGuestTable(pasid, domain.table.root.address)
      }
    } catch {
      gcr3 = nil
      throw error
    }
  }

  /// `detach_device`.
  func detach() {
    guard let old = domain else { return }
    if takesPageRequests {
      leaveFaultQueue()
      takesPageRequests = false
    }
    disableAll()
    clearEntry()
    old.members.lock.withLock {
      if !unit.bugs.has(.reuseTag) { old.invalidateEverything() }
      old.members.remove(self)
    }
    dropGuestTables(of: old)
    domain = nil
    old.members.leave(unit)
  }

  /// `destroy_gcr3_table`.
  private func dropGuestTables(of old: any AMDViAttachable) {
    guard let tables = gcr3 else { return }
    if !unit.bugs.has(.reuseTag) {
      if old.usesGuestTable { try? setGuestTable(0, nil) }
      for pasid in pasidDomains.keys.sorted() { invalidate(pasid: pasid, in: tables) }
    }
    gcr3 = nil
  }

  /// Lets no DMA through. The entry is cleared once more, whatever it is. `blocked_domain_attach_device`.
  func block() {
    nested = nil
    if domain != nil { detach() }
    clearEntry()
  }

  // MARK: PASIDs

  /// `iommu_sva_set_dev_pasid`, of whose rules all domains of version 2 have the benefit.
  ///
  /// - Throws: EOPNOTSUPP when another domain is there; EINVAL for a PASID that the function has not, or while it is
  ///   on no domain with guest tables, and without memory; ENOMEM.
  func attach(_ new: AMDViGuestDomain, pasid: UInt32) throws(Errno) {
    guard pasidDomains[pasid] == nil else { throw .EOPNOTSUPP("a PASID cannot be moved", UInt64(pasid)) }
    guard pasid > 0, pasid < pasidLimit else {
      throw .EINVAL("the function has no such PASID", UInt64(pasid), UInt64(pasidLimit))
    }
    guard usesPASIDs, gcr3 != nil else { throw .EINVAL("the function is on no domain with guest tables") }
    try unit.failures.pass(
      .allocation, "a PASID of a domain", as: .EINVAL("no memory to remember the PASID", UInt64(pasid)))
    try new.members.lock.withLock { () throws(Errno) in
      try setGuestTable(pasid, new.table.root.address)
      new.members.add(self, pasid: pasid)
    }
    pasidDomains[pasid] = new
  }

  /// `amd_iommu_remove_dev_pasid`.
  func detach(pasid: UInt32) {
    guard let old = pasidDomains.removeValue(forKey: pasid) else { return }
    old.members.lock.withLock {
      try? setGuestTable(pasid, nil)
      old.members.remove(self, pasid: pasid)
    }
  }
}
