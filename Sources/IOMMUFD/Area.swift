// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory

/// One mapped IOVA interval of one IOAS: `struct iopt_area`, a slice of a pages object with a place.
///
///     byte of the pages object behind IOVA x   (x - iova.first) + pageOffset + index.first * 4096
///
/// The IOVA's own offset in a page is independent of `pageOffset`; both are only multiples of the IOAS's
/// alignment. Source: `drivers/iommu/iommufd/io_pagetable.h`; reference io-pagetable.md section 2.1.
final class Area: @unchecked Sendable {
  let iova: Span64
  /// Indexes of the first and last page in the pages object.
  let index: Span64
  /// Bytes into the first page at which the area begins.
  let pageOffset: UInt64
  let protection: Protection
  let pages: Pages

  /// False while the area is being set up or torn down: its IOVA is taken, and nothing may use it.
  /// (`area->pages != NULL`.) Guarded by the IOAS's areas lock.
  @exclusivity(unchecked) var isPublished = false
  /// The domain from which page frames are read back; nil while no domain maps the area. Guarded by the
  /// pages lock.
  @exclusivity(unchecked) var storage: (any PagingDomain)?
  /// Pins of accesses through this area. Guarded by the pages lock and the areas lock.
  @exclusivity(unchecked) var accesses = 0
  /// Those of them that forbid unmapping (HW queues).
  @exclusivity(unchecked) var locks = 0
  /// Set when an unmap has asked the accesses to let go; never cleared. Guarded by the areas lock.
  @exclusivity(unchecked) var preventAccess = false

  init(iova: Span64, index: Span64, pageOffset: UInt64, protection: Protection, pages: Pages) {
    self.iova = iova
    self.index = index
    self.pageOffset = pageOffset
    self.protection = protection
    self.pages = pages
  }

  /// The area for `length` bytes of `pages` from `startByte` on. `iopt_insert_area` gives the checks.
  init(at iova: Span64, startByte: UInt64, pages: Pages, protection: Protection) {
    self.iova = iova
    self.index = Span64(
      startByte >> Page.shift, (startByte &+ (iova.last - iova.first)) >> Page.shift)
    self.pageOffset = startByte & Page.mask
    self.protection = protection
    self.pages = pages
  }

  /// Length in bytes; the whole space is not mappable, so it fits.
  var length: UInt64 { iova.count }

  /// Byte of the pages object behind an IOVA of the area. `iopt_area_start_byte`.
  func startByte(_ x: UInt64) -> UInt64 { x - iova.first + pageOffset + (index.first << Page.shift) }

  /// The first IOVA of the area that page `i` stands behind. `iopt_area_index_to_iova`.
  func iova(of i: UInt64) -> UInt64 {
    i == index.first ? iova.first : iova.first &- pageOffset &+ ((i - index.first) << Page.shift)
  }

  /// The last one. `iopt_area_index_to_iova_last`.
  func iovaLast(of i: UInt64) -> UInt64 {
    i == index.last ? iova.last : iova.first &- pageOffset &+ ((i - index.first + 1) << Page.shift) &- 1
  }
}
