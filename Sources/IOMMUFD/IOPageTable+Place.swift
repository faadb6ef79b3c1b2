// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import UAPI

// Choosing an IOVA, to the exact address. Reference io-pagetable.md sections 2.4 and 2.5, which give the
// algorithm (checked there against the kernel's with 480,000 queries) and its golden vectors.

extension IOPageTable {
  /// The IOVA for `length` bytes whose first byte lies at `address` in its source. The areas lock is held
  /// exclusively. `iopt_alloc_iova`.
  ///
  /// - Throws: EOVERFLOW for an absurd length, EINVAL when the source is less aligned than the IOAS demands,
  ///   ENOSPC when nothing fits.
  func place(address: UInt64, length: UInt64) throws(Errno) -> UInt64 {
    guard length > 0, length < UInt64(Int64.max) else {
      throw .EOVERFLOW("no IOVA range of this length exists", length)
    }
    let offset = address & Page.mask
    var align = length.roundedUpToPowerOfTwo
    if address != 0 { align = min(align, address & (0 &- address)) }
    align = min(align, Page.hugeSize)
    guard align >= alignment else {
      throw .EINVAL("the source is less aligned than the IOAS demands", align, alignment)
    }
    let space = Span64(Page.size, .max - Page.size)
    for span in allowedRuns(in: space) {
      guard
        let start = Self.candidate(in: span, align: align, offset: offset, length: length)
      else { continue }
      if let found = firstFit(in: Span64(start, span.last), align: align, offset: offset, length: length) {
        return found
      }
    }
    throw .ENOSPC("no free IOVA range is long enough", length, align)
  }

  /// Where to look: maximal runs of allowed ranges, or everything; clipped to `space`.
  private func allowedRuns(in space: Span64) -> [Span64] {
    if allowed.isEmpty { return [space] }
    var runs: [Span64] = []
    for range in allowed where range.overlaps(space) {
      let clipped = Span64(max(range.first, space.first), min(range.last, space.last))
      if let last = runs.last, last.last &+ 1 == clipped.first {
        runs[runs.count - 1].last = clipped.last
      } else {
        runs.append(clipped)
      }
    }
    return runs
  }

  /// The first hole of areas and reservations in `span` that takes the range.
  private func firstFit(in span: Span64, align: UInt64, offset: UInt64, length: UInt64) -> UInt64? {
    var position = span.first
    while true {
      let rest = Span64(position, span.last)
      let area = areas.firstSpan(in: rest)
      let taken = reserved.firstRun(in: rest)
      let used: Span64
      switch (area, taken) {
      case (nil, nil):
        return Self.candidate(in: rest, align: align, offset: offset, length: length)
      case (let area?, nil): used = area
      case (nil, let taken?): used = taken
      case (let area?, let taken?): used = area.first <= taken.first ? area : taken
      }
      if used.first > position {
        let hole = Span64(position, used.first - 1)
        if let found = Self.candidate(in: hole, align: align, offset: offset, length: length) { return found }
      }
      if used.last >= span.last { return nil }
      position = used.last + 1
    }
  }

  /// The one place in `span` that is tried: its start rounded up to `align`, with the source's page offset
  /// or-ed in. A span that begins at its candidate's last byte never fits.
  private static func candidate(in span: Span64, align: UInt64, offset: UInt64, length: UInt64) -> UInt64? {
    let (rounded, overflow) = span.first.addingReportingOverflow(align - 1)
    guard !overflow else { return nil }
    let start = (rounded & ~(align - 1)) | offset
    guard start < span.last, span.last - start >= length - 1 else { return nil }
    return start
  }

  /// Whether a fixed range may be taken. The areas lock is held exclusively. `iopt_check_iova`.
  ///
  /// - Throws: EINVAL misaligned or reserved, EOVERFLOW past the top, EEXIST over an area, even one in flight.
  func checkFixed(_ iova: UInt64, length: UInt64) throws(Errno) {
    guard iova & (alignment - 1) == 0 else {
      throw .EINVAL("iova is not a multiple of the IOAS alignment", iova, alignment)
    }
    guard let span = Span64(first: iova, length: length) else {
      throw .EOVERFLOW("iova + length wraps", iova, length)
    }
    if let taken = reserved.firstRun(in: span) {
      throw .EINVAL("the range is reserved", taken.first, taken.last)
    }
    if let area = areas.firstSpan(in: span) {
      throw .EEXIST("the range overlaps a mapping", area.first, area.last)
    }
  }
}

extension UInt64 {
  /// The least power of two at or above; 2^63 is the largest asked for.
  var roundedUpToPowerOfTwo: UInt64 {
    self <= 1 ? 1 : 1 << UInt64(64 - (self - 1).leadingZeroBitCount)
  }
}
