// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Memory
internal import Seams
public import UAPI

// Dirty tracking as an IOAS sees it. Reference io-pagetable.md section 4.

extension IOPageTable {
  /// Turns tracking on or off; on starts with everything clean. `iopt_set_dirty_tracking`.
  public func setDirtyTracking(_ domain: any DirtyTrackingDomain, enabled: Bool) throws(Errno) {
    try areasLock.withShared { () throws(Errno) in
      if enabled {
        for area in areas.all where area.isPublished {
          try domain.readDirty(IOVA(area.iova.first), length: area.length, clearing: true, report: nil)
        }
      }
      try domain.setDirtyTracking(enabled)
    }
  }

  /// The checks of GET_DIRTY_BITMAP on its range, in order; no lock is held. `iommufd_check_iova_range`.
  ///
  /// - Throws: EINVAL for length 0 before 7.2; EOVERFLOW; EINVAL for a misaligned range or page size.
  public func checkDirtyRange(iova: UInt64, length: UInt64, pageSize: UInt64) throws(Errno) {
    if length == 0, kernel.personality == .v6_12 { throw .EINVAL("length is 0") }
    let (last, overflow) = iova.addingReportingOverflow(length &- 1)
    guard !overflow else { throw .EOVERFLOW("iova + length - 1 wraps", iova, length) }
    guard iova & (alignment - 1) == 0, (last &+ 1) & (alignment - 1) == 0 else {
      throw .EINVAL("the range is not a multiple of the IOAS alignment", iova, length, alignment)
    }
    guard pageSize != 0 else { throw .EINVAL("page_size is 0") }
    guard iova & (pageSize - 1) == 0, (last &+ 1) & (pageSize - 1) == 0 else {
      throw .EINVAL("the range is not a multiple of page_size", iova, length, pageSize)
    }
  }

  /// Reads, and with `clearing` cleans, the dirty state of a range into the caller's bitmap at `data`.
  ///
  /// Whatever goes wrong on the way ends the walk in silence, as in the kernel: a gap in the mappings, a
  /// driver whose tracking is off, a bitmap that cannot be written. `iopt_read_and_clear_dirty_data`.
  public func readDirty(
    _ domain: any DirtyTrackingDomain, iova: UInt64, length: UInt64, pageSize: UInt64, data: UInt64,
    clearing: Bool, memory: any AddressSpace
  ) throws(Errno) {
    try kernel.failures.pass(.scratch, "a dirty bitmap")
    try kernel.failures.pass(.scratch, "the pages of a dirty bitmap")
    // Length 0 passes the checks at IOVA 0 only, and walks nothing.
    guard let span = Span64(first: iova, length: length) else { return }
    areasLock.lockShared()
    defer { areasLock.unlockShared() }
    var bitmap = DirtyBitmap(
      iova: iova, length: length, pageSize: pageSize, data: data, memory: memory, physical: kernel.memory)
    do throws(Errno) {
      try forEachContiguous(span, gap: .EINVAL("the range has a gap")) { area, piece throws(Errno) in
        try domain.readDirty(IOVA(piece.first), length: piece.count, clearing: clearing) {
          bitmap.set($0.raw, length: $1)
        }
      }
    } catch {}
    bitmap.unpin()
  }
}
