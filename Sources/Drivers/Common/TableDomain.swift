// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Memory
public import PageTables
internal import Seams
public import UAPI

/// A paging domain on a page table of `PageTables`: what every driver for real hardware has in common. A driver
/// subclasses it for attaching and for what it flushes.
///
///     map     page table changes ── didMap ──> flush, where hardware caches entries that are not present
///     unmap   page table changes ── flush ───> commands and waits ──> tables are freed
///
/// Threads: disjoint ranges may be mapped and unmapped at once, see `PageTable`; the hooks are called without a lock.
open class TableDomain: PagingDomain, @unchecked Sendable {
  public let driver: any IOMMUDriver
  public var faultHandler: (any PageFaultHandler)?
  let table: any PageTable
  private let failures: FailurePoints

  init(_ table: any PageTable, driver: any IOMMUDriver, failures: FailurePoints) {
    self.table = table
    self.driver = driver
    self.failures = failures
  }

  open var aperture: Span64 { table.aperture }
  open var pageSizes: UInt64 { table.pageSizes }

  // MARK: What a driver adds

  open func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    throw .EOPNOTSUPP("the driver attaches no such domain")
  }

  /// What mapping `protection` becomes in an entry, beyond what the numbers say.
  func attributes(_ protection: Protection) -> MappingAttributes {
    MappingAttributes(rawValue: UInt16(protection.rawValue))
  }

  /// Something was mapped: `iotlb_sync_map`.
  ///
  /// - Throws: what hardware that must hear of it refuses with; the range is unmapped then.
  func didMap(_ range: Span64) throws(Errno) {}

  /// Invalidates what `gather` names: `iotlb_sync`. The tables in it are freed afterwards.
  func flush(_ gather: borrowing TableGather) {}

  /// The dirty bits in `gather` were cleared. As a rule a flush.
  func flushDirty(_ gather: borrowing TableGather) { flush(gather) }

  // MARK: PagingDomain

  public final func map(_ iova: IOVA, to physical: PhysAddr, length: UInt64, protection: Protection)
    throws(Errno)
  {
    try failures.pass(.domainMap, "a map call")
    let smallest = pageSizes & (0 &- pageSizes)
    guard (iova.raw | physical.raw | length) & (smallest &- 1) == 0 else {
      throw .EINVAL(
        "iova, physical address or length is not a multiple of the smallest page", iova.raw, length)
    }
    guard length > 0 else { return }
    var gather = TableGather()
    defer { gather.release() }
    do throws(Errno) {
      try table.map(iova, to: physical, length: length, attributes(protection), gather: &gather)
    } catch {
      if gather.hasTables { flush(gather) }
      throw error
    }
    if gather.hasTables { flush(gather) }
    do throws(Errno) { try didMap(Span64(iova.raw, iova.raw &+ (length - 1))) } catch {
      unmap(iova, length: length)
      throw error
    }
  }

  @discardableResult
  public final func unmap(_ iova: IOVA, length: UInt64) -> UInt64 {
    var gather = TableGather()
    let done = table.unmap(iova, length: length, gather: &gather)
    if gather.range != nil || gather.hasTables { flush(gather) }
    gather.release()
    return done
  }

  public final func translate(_ iova: IOVA) -> PhysAddr? { table.translate(iova) }

  public final func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {
    table.forEachLeaf(in: range) { leaf in
      body(
        Leaf(
          iova: leaf.iova, physical: leaf.physical, sizeLg2: leaf.sizeLg2,
          protection: Protection(rawValue: UInt8(truncatingIfNeeded: leaf.attributes.rawValue & 0x17)),
          dirty: leaf.isDirty))
    }
  }

  /// Part of `DirtyTrackingDomain`, for the subclasses whose hardware has dirty bits.
  public final func readDirty(
    _ iova: IOVA, length: UInt64, clearing: Bool, report: ((IOVA, UInt64) -> Void)?
  ) throws(Errno) {
    var gather = TableGather()
    defer { gather.release() }
    try table.readDirty(iova, length: length, clearing: clearing, gather: &gather) { report?($0, $1) }
    if gather.range != nil { flushDirty(gather) }
  }

  // MARK: Other leaves for the same translations

  /// Makes `iova` the first address of a leaf: a larger one is replaced by smaller ones, without a moment in which
  /// anything is not mapped. Linux 7.2 does it for VFIO only; here it is for whoever asks.
  ///
  /// - Throws: EINVAL when no leaf can begin there; ENOMEM.
  public final func cut(_ iova: IOVA) throws(Errno) {
    var gather = TableGather()
    defer { gather.release() }
    try table.cut(iova, gather: &gather)
    if gather.range != nil || gather.hasTables { flush(gather) }
  }

  /// Merges leaves inside the range into the largest that fit; returns how many larger ones were made.
  public final func grow(_ iova: IOVA, length: UInt64) -> Int {
    var gather = TableGather()
    defer { gather.release() }
    let made = table.grow(iova, length: length, gather: &gather)
    if gather.range != nil || gather.hasTables { flush(gather) }
    return made
  }

  // MARK: Looking

  /// The format's name.
  public final var tableName: String { table.name }
  /// Where the table begins.
  public final var tableRoot: TableRoot { table.root }
  /// Frames that the tables occupy.
  public final var tableFrames: Int { table.frameCount }
  /// Every entry that is present, each before what is below it; with the indexes that lead to it.
  public final func forEachEntry(_ body: (TableEntry, _ path: [Int]) -> Void) { table.forEachEntry(body) }
}
