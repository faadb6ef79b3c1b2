// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

extension IOPageTable {
  /// Makes a domain mirror this IOVA space from now on: reserves what its aperture leaves out and fills it with
  /// every area. `iopt_table_add_domain`; reference io-pagetable.md section 2.11.
  ///
  /// - Throws: EINVAL when its smallest page is larger than the host's; EADDRINUSE when areas are not aligned
  ///   to it, or lie outside its aperture; ENOMEM; what filling throws. Nothing is left behind.
  public func addDomain(_ domain: any PagingDomain) throws(Errno) {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    defer {
      areasLock.unlockExclusive()
      domainsLock.unlockExclusive()
    }
    guard !domains.contains(where: { $0 === domain }) else {
      throw .EEXIST("the domain is on the IOAS already")
    }
    let new = max(domain.smallestPage, alignment)
    guard new <= Page.size else {
      throw .EINVAL("the domain's smallest page is larger than the host's", new, Page.size)
    }
    if new != alignment { try requireAreasAligned(new) }
    let aperture = domain.aperture
    do throws(Errno) {
      if aperture.first != 0 { try reserveLocked(Span64(0, aperture.first - 1), owner: domain) }
      if aperture.last != .max { try reserveLocked(Span64(aperture.last + 1, .max), owner: domain) }
      try kernel.failures.pass(.allocation, "the domain's place in the IOAS")
      try fillAll(domain)
    } catch {
      reserved.removeAll { $0.owner === domain }
      throw error
    }
    alignment = new
    domains.append(domain)
    Tracer.tell(MachineEvent(.domainAdd, .hex(new)))
  }

  /// Fills a domain with every published area, ascending, or with none. `iopt_fill_domain`.
  private func fillAll(_ domain: any PagingDomain) throws(Errno) {
    var filled: [Area] = []
    for area in areas.all where area.isPublished {
      do throws(Errno) { try area.pages.fill(area, joining: domain, smallPages: largePagesDisabled) } catch {
        for done in filled { unfill(done, domain, isLast: domains.isEmpty) }
        throw error
      }
      filled.append(area)
    }
  }

  private func unfill(_ area: Area, _ domain: any PagingDomain, isLast: Bool) {
    if isLast {
      area.pages.unfill(area, last: domain)
    } else {
      area.pages.unmap(area, from: domain)
    }
  }

  /// Takes a domain off: everything is unmapped from it, and unpinned if it was the last. Cannot fail.
  /// `iopt_table_remove_domain`.
  public func removeDomain(_ domain: any PagingDomain) {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    defer {
      areasLock.unlockExclusive()
      domainsLock.unlockExclusive()
    }
    guard let slot = domains.firstIndex(where: { $0 === domain }) else { return }
    domains.swapAt(slot, domains.count - 1)
    domains.removeLast()
    for area in areas.all where area.isPublished {
      if let first = domains.first { area.pages.moveStorage(area, from: domain, to: first) }
      unfill(area, domain, isLast: domains.isEmpty)
    }
    reserved.removeAll { $0.owner === domain }
    alignment = requiredAlignment
    Tracer.tell(MachineEvent(.domainRemove, .hex(alignment)))
  }

  // MARK: Options

  /// Installs every translation in pieces of one page from now on. `iopt_disable_large_pages`.
  ///
  /// - Throws: EINVAL while there are both a domain and an area; EADDRINUSE when an area is not page aligned.
  func disableLargePages() throws(Errno) {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    defer {
      areasLock.unlockExclusive()
      domainsLock.unlockExclusive()
    }
    if largePagesDisabled { return }
    guard domains.isEmpty || areas.isEmpty else {
      throw .EINVAL("large pages cannot be turned off once a page table maps something")
    }
    largePagesDisabled = true
    do throws(Errno) { try setAlignment(requiredAlignment) } catch {
      largePagesDisabled = false
      throw error
    }
  }

  /// Whether translations may be larger than a page. IOMMU_OPTION_HUGE_PAGES.
  public var hasLargePages: Bool { areasLock.withShared { !largePagesDisabled } }

  /// `iopt_enable_large_pages`. Always possible.
  func enableLargePages() {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    largePagesDisabled = false
    alignment = requiredAlignment
    areasLock.unlockExclusive()
    domainsLock.unlockExclusive()
  }

  // MARK: Accesses

  /// Lets an access use the space. `iopt_add_access`.
  ///
  /// - Throws: EBUSY when the list is full, EADDRINUSE when areas are not aligned to what it needs.
  func addAccess(_ access: Access) throws(Errno) {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    defer {
      areasLock.unlockExclusive()
      domainsLock.unlockExclusive()
    }
    try kernel.failures.pass(.allocation, "the access's place in the IOAS")
    guard accesses.count < 65536 else { throw .EBUSY("the IOAS has 65536 accesses") }
    accesses.append(access)
    do throws(Errno) { try setAlignment(requiredAlignment) } catch {
      accesses.removeLast()
      throw error
    }
  }

  /// `iopt_remove_access`. Cannot fail.
  func removeAccess(_ access: Access) {
    domainsLock.lockExclusive()
    areasLock.lockExclusive()
    accesses.removeAll { $0 === access }
    alignment = requiredAlignment
    areasLock.unlockExclusive()
    domainsLock.unlockExclusive()
  }
}
