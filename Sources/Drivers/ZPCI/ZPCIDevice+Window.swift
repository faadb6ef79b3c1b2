// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import UAPI

// Which addresses a function may use: what the platform gives it, less what Linux's tables cannot hold, and no more
// bytes than there is memory (`s390_iommu_aperture=` says how often).

extension ZPCIDevice {
  /// Bytes that a table of so many levels of region tables spans, without one. `max_tbl_size`.
  static func lastAddress(regions: Int) -> UInt64 {
    regions >= 3 ? .max : 1 << (UInt64(31 + 11 * regions)) - 1
  }

  private static let regionThirdSpan = lastAddress(regions: 1) + 1
  private static let regionSecondSpan = lastAddress(regions: 2) + 1

  /// Where Linux looks for its designations in DTSM; see `ZPCIDriver`.
  private static let regionSecondBit = UInt8(ZPCI.Anchor.regionSecond << ZPCI.Anchor.designationShift)
  private static let regionFirstBits = UInt8(ZPCI.Anchor.regionFirst << ZPCI.Anchor.designationShift)

  /// What of its range Linux can use. `s390_iommu_probe_device`, and until 6.15 `zpci_init_iommu`.
  ///
  /// - Throws: EINVAL when nothing is left.
  func limitWindow() throws(Errno) {
    let largeTables = host.hasLargeTables
    let aperture = host.aperture
    try withState { state throws(Errno) in
      guard state.first <= state.last, largeTables || state.first < Self.regionThirdSpan else {
        throw .EINVAL("the function may address nothing that tables can hold", state.first, state.last)
      }
      guard !largeTables else { return }
      state.first = (state.first &+ 4095) & ~4095
      let size = min(aperture, Self.regionThirdSpan &- state.first, state.last &- state.first &+ 1)
      state.last = min(state.first &+ size &- 1, Self.regionThirdSpan - 1)
      guard state.first <= state.last else {
        throw .EINVAL("the function may address no whole page", state.first, state.last)
      }
    }
  }

  /// How many levels of region tables a new domain for it has; its window becomes what they hold of it, for good.
  /// `s390_domain_alloc_paging`.
  func chooseRegions() -> Int {
    guard host.hasLargeTables else { return 1 }
    let aperture = host.aperture
    return withState { state in
      var size = min(aperture, state.last &- state.first &+ 1)
      let regions: Int
      if size <= Self.regionThirdSpan &- state.first {
        regions = 1
      } else if size <= Self.regionSecondSpan &- state.first, designations & Self.regionSecondBit != 0 {
        regions = 2
      } else if designations & Self.regionFirstBits != 0 {
        regions = 3
      } else {
        regions = 1
        size = Self.regionThirdSpan &- state.first
      }
      state.last = state.first &+ size &- 1
      return max(regions, host.settings.leastRegions)
    }
  }

  /// IOTA for tables with so many levels of region tables. `get_iota_region_flag`.
  static func anchor(_ root: UInt64, regions: Int) -> UInt64 {
    root | ZPCI.Anchor.translationEnabled | UInt64(regions) << ZPCI.Anchor.designationShift
  }

  /// IOTA for the domain that it is on; nil when nothing is to be registered.
  var anchor: UInt64? {
    switch domain {
    case let paging as ZPCIDomain: paging.anchor
    case is ZPCIIdentityDomain: 0
    default: nil
    }
  }

  /// `s390_iommu_get_resv_regions`. Since 6.16 nobody hears of what is above the window while the function is on a
  /// domain without tables; so an IOAS that it joins from there takes mappings that it cannot reach.
  var currentRegions: [ReservedRegion] {
    let (domain, first, last) = withState { ($0.domain, $0.first, $0.last) }
    var regions: [ReservedRegion] = []
    if first > 0 { regions.append(ReservedRegion(0, first - 1, .reserved)) }
    let top: UInt64
    if let paging = domain as? ZPCIDomain {
      top = paging.aperture.last
    } else {
      guard !host.hasLargeTables else { return regions }
      top = Self.regionThirdSpan - 1
    }
    if last < top { regions.append(ReservedRegion(last + 1, top, .reserved)) }
    return regions
  }
}
