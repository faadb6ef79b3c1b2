// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// A piece of a pages object that is to become one area: `struct iopt_pages_list`.
struct Slice {
  let pages: Pages
  let startByte: UInt64
  let length: UInt64
}

/// Where a mapping is to go.
enum Placement {
  case fixed(UInt64)
  case automatic
}

extension IOPageTable {
  /// Maps slices one after the other and returns the first IOVA. `iopt_map_pages`.
  ///
  /// Three steps, so that the long one holds no exclusive lock: take the IOVA (areas appear, unpublished);
  /// fill every domain; publish. Reference io-pagetable.md section 2.6, steps 6 to 11.
  func map(_ slices: [Slice], length: UInt64, at placement: Placement, protection: Protection) throws(Errno)
    -> UInt64
  {
    domainsLock.lockShared()
    defer { domainsLock.unlockShared() }
    let (iova, taken) = try takeIOVA(slices, length, placement, protection)
    if !domains.isEmpty {
      for (position, area) in taken.enumerated() {
        do throws(Errno) { try area.pages.fill(area, domains, smallPages: largePagesDisabled) } catch {
          for filled in taken[..<position] { filled.pages.unfill(filled, domains) }
          areasLock.withExclusive { for area in taken { areas.remove(area) } }
          throw error
        }
      }
    }
    NamedPoint.areaFilled.pass()
    areasLock.withExclusive { for area in taken { area.isPublished = true } }
    for area in taken {
      Tracer.tell(
        MachineEvent(
          .areaAdd, .hex(area.iova.first), .hex(area.iova.last), .text(area.protection.text)))
    }
    return iova
  }

  private func takeIOVA(
    _ slices: [Slice], _ length: UInt64, _ placement: Placement, _ protection: Protection
  ) throws(Errno) -> (iova: UInt64, areas: [Area]) {
    for _ in slices { try kernel.failures.pass(.allocation, "an area") }
    return try areasLock.withExclusive { () throws(Errno) -> (iova: UInt64, areas: [Area]) in
      guard length & (alignment - 1) == 0 else {
        throw .EINVAL("length is not a multiple of the IOAS alignment", length, alignment)
      }
      let iova: UInt64
      switch placement {
      case .automatic:
        let address = slices[0].pages.placementAddress(slices[0].startByte)
        iova = try place(address: address, length: length)
      case .fixed(let wanted):
        try checkFixed(wanted, length: length)
        iova = wanted
      }
      var taken: [Area] = []
      taken.reserveCapacity(slices.count)
      do throws(Errno) {
        var next = iova
        for slice in slices {
          let area = try makeArea(slice, at: next, protection)
          areas.insert(area)
          taken.append(area)
          next &+= slice.length
        }
      } catch {
        for area in taken { areas.remove(area) }
        throw error
      }
      return (iova, taken)
    }
  }

  /// `iopt_insert_area`.
  private func makeArea(_ slice: Slice, at iova: UInt64, _ protection: Protection) throws(Errno) -> Area {
    if protection.contains(.write) && !slice.pages.writable {
      throw .EPERM("the pages were mapped without WRITEABLE")
    }
    let offset = slice.startByte & Page.mask
    guard offset & (alignment - 1) == 0 else {
      throw .EINVAL(
        "the source's offset in its page is not a multiple of the IOAS alignment", offset, alignment)
    }
    let (lastByte, overflow) = slice.startByte.addingReportingOverflow(slice.length - 1)
    guard !overflow, lastByte >> Page.shift < slice.pages.pageCount else {
      throw .EOVERFLOW("the slice reaches past its pages", slice.startByte, slice.length)
    }
    return Area(
      at: Span64(iova, iova + (slice.length - 1)), startByte: slice.startByte, pages: slice.pages,
      protection: protection)
  }

  /// The slices behind a range that areas cover without a gap. `iopt_get_pages`.
  ///
  /// - Throws: EINVAL for length 0, EOVERFLOW, ENOENT for a gap; an area in flight is one.
  func slices(_ iova: UInt64, length: UInt64) throws(Errno) -> [Slice] {
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: iova, length: length) else {
      throw .EOVERFLOW("src_iova + length wraps", iova, length)
    }
    return try areasLock.withShared { () throws(Errno) -> [Slice] in
      var result: [Slice] = []
      try forEachContiguous(span, gap: .ENOENT("the source range is not fully mapped", iova, length)) {
        area, piece throws(Errno) in
        try kernel.failures.pass(.allocation, "a piece of what is copied")
        result.append(
          Slice(pages: area.pages, startByte: area.startByte(piece.first), length: piece.count))
      }
      return result
    }
  }

  /// Runs `body` for each area of a range with the part of the range that lies in it, ascending, as long as
  /// published areas follow each other without a gap; then throws `gap` unless they covered the range. The
  /// areas lock is held. `iopt_for_each_contig_area`.
  func forEachContiguous(
    _ span: Span64, gap: @autoclosure () -> Errno, _ body: (Area, Span64) throws(Errno) -> Void
  ) throws(Errno) {
    var position = areas.position(atOrAbove: span.first)
    var next = span.first
    while let at = position {
      let area = areas[at]
      guard area.isPublished, area.iova.first <= next else { break }
      let last = min(area.iova.last, span.last)
      try body(area, Span64(next, last))
      if last == span.last { return }
      next = last + 1
      position = areas.next(at)
    }
    throw gap()
  }
}
