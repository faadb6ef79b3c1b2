// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Memory
internal import Seams
internal import UAPI

extension IOPageTable {
  /// Removes every area that lies inside the range; returns the bytes removed. `iopt_unmap_iova_range`.
  ///
  /// Not atomic: areas below the one that stops it are gone when it throws. The areas lock is not held while
  /// domains are unmapped, so other ranges go on meanwhile. Reference io-pagetable.md section 2.8.
  ///
  /// - Throws: ENOENT when an area is only partly inside; EBUSY when one is in flight elsewhere or locked by a
  ///   HW queue; EDEADLK when accesses do not let go. `removed` has been updated to what is gone by then.
  func unmapRange(_ range: Span64, removed: inout UInt64) throws(Errno) {
    var start = range.first
    var tries = 0
    while true {
      domainsLock.lockShared()
      areasLock.lockExclusive()
      var blocked: Area?
      do throws(Errno) {
        while let area = areas.first(in: Span64(start, range.last)) {
          try checkUnmappable(area, in: Span64(start, range.last))
          if area.iova.first != start { tries = 0 }
          if area.accesses > 0 {
            start = area.iova.first
            area.preventAccess = true
            blocked = area
            break
          }
          area.isPublished = false
          areasLock.unlockExclusive()
          NamedPoint.areaHidden.pass()
          area.pages.unfill(area, domains)
          areasLock.lockExclusive()
          areas.remove(area)
          Tracer.tell(MachineEvent(.areaRemove, .hex(area.iova.first), .hex(area.iova.last)))
          removed += area.length
          if area.iova.last >= range.last { break }
          start = area.iova.last + 1
        }
      } catch {
        areasLock.unlockExclusive()
        domainsLock.unlockShared()
        throw error
      }
      areasLock.unlockExclusive()
      domainsLock.unlockShared()
      guard let blocked else { return }
      notifyUnmap(blocked.iova)
      tries += 1
      if tries > 100 {
        throw .EDEADLK("an access does not unpin its pages", blocked.iova.first, blocked.iova.last)
      }
    }
  }

  private func checkUnmappable(_ area: Area, in range: Span64) throws(Errno) {
    if !area.isPublished {
      throw .EBUSY("a mapping in the range is in flight", area.iova.first, area.iova.last)
    }
    if area.locks > 0 {
      throw .EBUSY("a hardware queue uses a mapping in the range", area.iova.first, area.iova.last)
    }
    if !range.contains(area.iova) {
      throw .ENOENT("a mapping is only partly inside the range", area.iova.first, area.iova.last)
    }
  }

  /// Asks every access of the IOAS to let go of a range. `iommufd_access_notify_unmap`.
  private func notifyUnmap(_ span: Span64) {
    let users = areasLock.withShared { accesses }
    for access in users { access.notifyUnmap(span) }
  }

  /// IOAS_UNMAP of a range. `iopt_unmap_iova`.
  ///
  /// - Throws: EINVAL for length 0, EOVERFLOW, ENOENT when nothing was mapped there, and as `unmapRange`.
  func unmap(_ iova: UInt64, length: UInt64, emptyIsFine: Bool = false, removed: inout UInt64) throws(Errno) {
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: iova, length: length) else {
      throw .EOVERFLOW("iova + length wraps", iova, length)
    }
    try unmapRange(span, removed: &removed)
    if removed == 0 && !emptyIsFine { throw .ENOENT("nothing is mapped in the range", span.first, span.last) }
  }

  /// Unmaps everything; fine when there is nothing. `iopt_unmap_all`.
  func unmapAll() throws(Errno) -> UInt64 {
    var removed: UInt64 = 0
    try unmapRange(.everything, removed: &removed)
    return removed
  }

  /// Cuts areas after each of these bytes, so that parts of them can be unmapped; VFIO type1 only. A cut that
  /// fails leaves the earlier ones done. `iopt_cut_iova`, `iopt_area_split`; reference io-pagetable.md
  /// section 2.10.
  ///
  /// - Throws: EBUSY in flight or being unmapped; EOPNOTSUPP for a dma-buf; EINVAL misaligned, pinned by an
  ///   access, or mapped with large pages.
  func cut(after bytes: [UInt64]) throws(Errno) {
    try areasLock.withExclusive { () throws(Errno) in
      for byte in bytes {
        guard let area = areas.first(in: Span64(byte, byte)) else { continue }
        if byte == area.iova.last || byte == area.iova.first { continue }
        try splitLocked(area, after: byte)
      }
    }
  }

  private func splitLocked(_ area: Area, after x: UInt64) throws(Errno) {
    guard area.isPublished, !area.preventAccess else {
      throw .EBUSY("the mapping to split is being unmapped", area.iova.first, area.iova.last)
    }
    if area.pages.isDMABuf { throw .EOPNOTSUPP("a mapping of a dma-buf cannot be split") }
    let middle = area.startByte(x + 1)
    guard (x + 1) & (alignment - 1) == 0, middle & (alignment - 1) == 0 else {
      throw .EINVAL("the place to split is not aligned", x + 1, alignment)
    }
    for _ in 0..<2 { try kernel.failures.pass(.allocation, "half of a mapping that is split") }
    let pages = area.pages
    try pages.lock.withLock { () throws(Errno) in
      guard area.accesses == 0 else {
        throw .EINVAL("an access pins the mapping to split", area.iova.first, area.iova.last)
      }
      guard area.storage == nil || largePagesDisabled else {
        throw .EINVAL("large pages are on; a translation might have to be split")
      }
      let low = Area(
        iova: Span64(area.iova.first, x),
        index: Span64(area.index.first, (middle - 1) >> Page.shift), pageOffset: area.pageOffset,
        protection: area.protection, pages: pages)
      let high = Area(
        iova: Span64(x + 1, area.iova.last), index: Span64(middle >> Page.shift, area.index.last),
        pageOffset: middle & Page.mask, protection: area.protection, pages: pages)
      areas.remove(area)
      Tracer.tell(MachineEvent(.areaRemove, .hex(area.iova.first), .hex(area.iova.last)))
      if area.storage != nil,
        let position = pages.domainUses.firstIndex(of: area.index, where: { $0 === area })
      {
        pages.domainUses.remove(at: position)
      }
      for half in [low, high] {
        half.isPublished = true
        half.storage = area.storage
        if half.storage != nil { pages.domainUses.insert(half.index, half) }
        areas.insert(half)
        Tracer.tell(
          MachineEvent(
            .areaAdd, .hex(half.iova.first), .hex(half.iova.last), .text(half.protection.text)))
      }
    }
  }
}
