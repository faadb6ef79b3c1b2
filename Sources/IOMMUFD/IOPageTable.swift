// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
public import Memory
internal import Seams
public import UAPI

/// The IOVA space of one IOAS: `struct io_pagetable`.
///
/// Three interval sets share the space. *Areas* are mappings and are disjoint; *reserved* ranges belong to a
/// domain (what its aperture leaves out), to a device, or to a test, may overlap each other, and never meet an
/// area; *allowed* ranges, if there are any, are where automatic placement looks, and never meet a reserved
/// range. Every domain in `domains` maps every published area, to the same pages.
///
/// Locks, outermost first: `domainsLock` (changed by attach and detach; held shared for the whole of map and
/// unmap), `areasLock` (held exclusively only for the short steps that look at or change the sets), then the
/// lock of a pages object. Pinning and filling happen under neither areas lock, so maps and unmaps of
/// disjoint ranges run on as many threads as there are.
/// Source: `drivers/iommu/iommufd/io_pagetable.c`; reference io-pagetable.md sections 2 and 5.
public final class IOPageTable: @unchecked Sendable {
  struct Reservation {
    /// The domain or device it belongs to; nil for the selftest's.
    let owner: AnyObject?
  }

  let kernel: Kernel
  let domainsLock = ReaderWriterLock(.domains)
  let areasLock = ReaderWriterLock(.areas)

  // Guarded by `areasLock`; the compiler's exclusivity checks on top would cost as much as the work.
  @exclusivity(unchecked) var areas = AreaMap()
  @exclusivity(unchecked) var reserved = OverlapSet<Reservation>()
  /// Disjoint and ascending; empty means everything is allowed.
  @exclusivity(unchecked) var allowed: [Span64] = []
  @exclusivity(unchecked) var largePagesDisabled = false
  /// What every IOVA, length and page offset must be a multiple of: a power of two, 1 to 4096.
  @exclusivity(unchecked) public internal(set) var alignment: UInt64 = 1

  /// In slots without gaps; removing one moves the last into its place. Guarded by `domainsLock`.
  @exclusivity(unchecked) var domains: [any PagingDomain] = []
  /// Guarded by `areasLock` (and changed under both).
  @exclusivity(unchecked) var accesses: [Access] = []

  init(kernel: Kernel) { self.kernel = kernel }

  // MARK: Alignment

  /// The alignment that the current domains, accesses and options demand.
  var requiredAlignment: UInt64 {
    var required: UInt64 = largePagesDisabled ? Page.size : 1
    for domain in domains { required = max(required, domain.smallestPage) }
    for access in accesses { required = max(required, access.alignment) }
    return required
  }

  /// Raises or lowers the alignment. Both locks are held exclusively. `iopt_update_iova_alignment` and
  /// `iopt_check_iova_alignment`.
  ///
  /// - Throws: EADDRINUSE when an area, even one in flight, is not a multiple of the new one.
  func setAlignment(_ new: UInt64) throws(Errno) {
    if new > alignment { try requireAreasAligned(new) }
    alignment = new
  }

  func requireAreasAligned(_ new: UInt64) throws(Errno) {
    guard new > 1 else { return }
    for area in areas.all where (area.iova.first | area.length | area.pageOffset) & (new - 1) != 0 {
      throw .EADDRINUSE(
        "a mapping is not aligned as it would have to be", area.iova.first, area.iova.last, new)
    }
  }

  // MARK: Reserving

  /// Reserves a range for `owner`. `iopt_reserve_iova`.
  ///
  /// - Throws: EADDRINUSE when it meets an area or an allowed range; ENOMEM.
  public func reserve(_ span: Span64, owner: AnyObject?) throws(Errno) {
    try areasLock.withExclusive { () throws(Errno) in try reserveLocked(span, owner: owner) }
  }

  func reserveLocked(_ span: Span64, owner: AnyObject?) throws(Errno) {
    if let area = areas.firstSpan(in: span) {
      throw .EADDRINUSE("the range to reserve is mapped", area.first, area.last)
    }
    if let range = allowed.first(where: { $0.overlaps(span) }) {
      throw .EADDRINUSE("the range to reserve is in the allowed list", range.first, range.last)
    }
    try kernel.failures.pass(.allocation, "a reserved range")
    reserved.insert(span, Reservation(owner: owner))
  }

  /// Removes every reservation of `owner`. `iopt_remove_reserved_iova`.
  public func removeReserved(owner: AnyObject) {
    areasLock.withExclusive { reserved.removeAll { $0.owner === owner } }
  }

  /// The ranges that are not reserved, ascending. `iommufd_ioas_iova_ranges`.
  func unreserved() -> [Span64] { holes(of: reserved) }

  private func holes(of set: OverlapSet<Reservation>) -> [Span64] {
    var result: [Span64] = []
    var position: UInt64 = 0
    while let run = set.firstRun(in: Span64(position, .max)) {
      if run.first > position { result.append(Span64(position, run.first - 1)) }
      if run.last == .max { return result }
      position = run.last + 1
    }
    result.append(Span64(position, .max))
    return result
  }

  /// Replaces the allowed list. `iopt_set_allow_iova`.
  ///
  /// - Throws: EADDRINUSE when a range meets a reserved one; the old list stays.
  func allow(_ ranges: [Span64]) throws(Errno) {
    try areasLock.withExclusive { () throws(Errno) in
      for range in ranges where reserved.overlaps(range) {
        throw .EADDRINUSE("an allowed range meets a reserved one", range.first, range.last)
      }
      allowed = ranges
    }
  }

  // MARK: Tearing down

  /// Unmaps everything; nothing else may refer to the space. `iopt_destroy_table`.
  func destroy() {
    do throws(Errno) { _ = try unmapAll() } catch {
      preconditionFailure("an IOAS without users has a mapping that cannot be removed: \(error)")
    }
    areasLock.withExclusive {
      allowed = []
      reserved.removeAll { $0.owner == nil }
    }
  }

  /// The IOVA of byte `offset` of the `n`-th area, 0 when there is none: how the selftest lets random
  /// numbers hit a mapping. `iommufd_test_syz_conv_iova`.
  public func nthAreaIOVA(_ n: UInt32, offset: UInt32) -> UInt64 {
    areasLock.withShared {
      var position = areas.position(atOrAbove: 0)
      var left = n
      while let at = position {
        if left == 0 { return areas[at].iova.first &+ UInt64(offset) }
        left -= 1
        position = areas.next(at)
      }
      return 0
    }
  }
}

extension PagingDomain {
  /// Bytes of the smallest leaf.
  var smallestPage: UInt64 { 1 << UInt64(pageSizes.trailingZeroBitCount) }
}
