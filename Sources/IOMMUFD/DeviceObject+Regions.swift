// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
public import Memory
internal import Seams
public import UAPI

// What a device needs in the IOVA space that it is attached to: its reserved regions, and where the
// platform translates interrupts, its doorbells. Reference devices-hwpt-viommu.md sections 1.6 and 2.7.

extension DeviceObject {
  /// `iommufd_device_attach_reserved_iova`; `group.lock` is held.
  func reserveRegions(in hwpt: PagingHWPT, first: Bool) throws(Errno) {
    try reserveRegions(in: hwpt.ioas)
    let software = device.reservedRegions.filter { $0.kind == .softwareMSI }
    if let window = software.last { group.msiWindow = window.first }
    guard software.count <= 1,
      software.isEmpty || !device.reservedRegions.contains(where: { $0.kind == .msi })
    else {
      unreserveRegions(in: hwpt)
      throw .EINVAL("the device reports more than one interrupt window")
    }
    guard first else { return }
    do throws(Errno) { try installMSIPages(in: hwpt) } catch {
      unreserveRegions(in: hwpt)
      throw error
    }
  }

  /// Reserves the device's regions, all or none. `iopt_table_enforce_dev_resv_regions`.
  ///
  /// - Throws: EADDRINUSE, ENOMEM.
  func reserveRegions(in ioas: IOAS) throws(Errno) {
    try context.kernel.failures.pass(.reservedRegions, "the device's reserved regions")
    do throws(Errno) {
      for region in device.reservedRegions where region.kind != .directRelaxable {
        try ioas.pagetable.reserve(Span64(region.first, region.last), owner: device)
      }
    } catch {
      ioas.pagetable.removeReserved(owner: device)
      throw error
    }
  }

  func unreserveRegions(in hwpt: PagingHWPT) { hwpt.ioas.pagetable.removeReserved(owner: device) }

  /// Installs the doorbells that the group's devices have been using. `iommufd_group_setup_msi`.
  ///
  /// - Throws: what mapping throws.
  func installMSIPages(in hwpt: PagingHWPT) throws(Errno) {
    guard let window = group.msiWindow else { return }
    try context.devices.msiLock.withLock { () throws(Errno) in
      for page in context.devices.msiPages(window: window, ids: group.requiredMSI) {
        try hwpt.install(page)
      }
    }
  }

  /// The interrupt code wants the device to write to `doorbell`: where must it write instead? Nil for no
  /// change. `iommufd_sw_msi`.
  ///
  /// - Throws: EOVERFLOW when the file has 64 doorbells; what mapping throws.
  public func composeMSI(doorbell: PhysAddr) throws(Errno) -> IOVA? {
    try group.lock.withLock { () throws(Errno) -> IOVA? in
      guard let window = group.msiWindow, let paging = group.attachments[0]?.hwpt.paging else { return nil }
      return try context.devices.msiLock.withLock { () throws(Errno) -> IOVA in
        let page = try context.devices.msiPage(
          window: window, doorbell: PhysAddr(doorbell.raw & ~Page.mask), context.kernel.failures)
        try paging.install(page)
        group.requiredMSI |= 1 << UInt64(page.id)
        return page.iova
      }
    }
  }
}
