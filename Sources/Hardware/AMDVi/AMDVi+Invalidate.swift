// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What each invalidation takes out of the caches, and what it leaves. AMD IOMMU Specification, publication
// 48882, sections 2.2.8 and 2.4.2 to 2.4.8.

extension AMDVi.Unit {
  /// INVALIDATE_DEVTAB_ENTRY: the entry, and with it the root of GCR3; translations stay, under their domain.
  mutating func invalidateDevice(_ id: UInt16) {
    devices.remove(id)
    faulted.remove(id)
    let device = UInt64(id)
    gcr3.remove { _, tag, _ in tag >> 16 & 0xFFFF == device }
  }

  /// INVALIDATE_IOMMU_PAGES.
  ///
  /// - Parameters:
  ///   - pasid: nil with GN=0: host addresses.
  ///   - tables: PDE=1, pointers to tables too.
  mutating func invalidatePages(domain: UInt64, pasid: UInt64?, _ range: AMDVi.AddressRange, tables all: Bool)
  {
    pages.remove { address, tag, page in
      Self.covers(domain, pasid, range, address, tag, reachLg2: UInt64(page.reachLg2))
    }
    if all {
      tables.remove { region, tag, _ in
        let level = Int(AMDVi.Tag.level(tag))
        return Self.covers(
          domain, pasid, range, AMDVi.regionStart(region, level: level), tag,
          reachLg2: AMDVi.shift(level + 1))
      }
    }
    guard range.isEverything else { return }
    gcr3.remove { piece, tag, _ in
      AMDVi.Tag.domain(tag) == domain && (pasid == nil || piece >> 12 == pasid)
    }
  }

  /// Whether an invalidation takes the entry of `address`, whose page or table has `1 << reachLg2` bytes.
  private static func covers(
    _ domain: UInt64, _ pasid: UInt64?, _ range: AMDVi.AddressRange, _ address: UInt64, _ tag: UInt64,
    reachLg2: UInt64
  ) -> Bool {
    guard AMDVi.Tag.domain(tag) == domain else { return false }
    if let pasid {
      return AMDVi.Tag.isGuest(tag) && AMDVi.Tag.pasid(tag) == pasid
        && range.meets(address, lg2: reachLg2)
    }
    // A nested translation has a host address in it that is not known any more; one of a guest alone goes
    // with everything of its domain.
    if AMDVi.Tag.isGuest(tag) { return AMDVi.Tag.isNested(tag) || range.isEverything }
    return range.meets(address, lg2: reachLg2)
  }

  /// INVALIDATE_IOMMU_ALL.
  mutating func invalidateAll() {
    devices.removeAll()
    faulted.removeAll()
    pages.removeAll()
    tables.removeAll()
    gcr3.removeAll()
    interrupts.removeAll()
  }
}
