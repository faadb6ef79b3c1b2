// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// An HWPT that the kernel fills with what its IOAS maps: `struct iommufd_hwpt_paging`.
///
/// An automatic one was made because a device was attached to the IOAS; it goes with its last attachment.
/// Source: `drivers/iommu/iommufd/hw_pagetable.c`; reference devices-hwpt-viommu.md section 3.
public final class PagingHWPT: HWPT, @unchecked Sendable {
  public let ioas: IOAS
  public let isNestParent: Bool
  /// Set with `ioas.hwptLock` held.
  public internal(set) var isAutomatic = false
  /// Every mapping is made to snoop.
  public let enforcesCacheCoherency: Bool
  /// In `ioas.hwpts`; guarded by `ioas.hwptLock`.
  private var isLinked = false
  /// IDs of the doorbell pages that the domain maps. Guarded by `msiLock`.
  private(set) var presentMSI: UInt64 = 0

  private init(
    _ domain: any PagingDomain, on ioas: IOAS, flags: UInt32, enforcesCacheCoherency: Bool,
    in context: Context
  ) {
    self.ioas = ioas
    self.enforcesCacheCoherency = enforcesCacheCoherency
    pagingDomain = domain
    isNestParent = flags & HWPTFlag.nestParent != 0
    super.init(.pagingHWPT, domain, flags: flags, in: context)
  }

  public let pagingDomain: any PagingDomain

  public override var paging: PagingHWPT? { self }

  public override var references: [Object] { [ioas] + (fault.map { [$0] } ?? []) }

  public override var details: [(name: String, value: Fact)] {
    var leaves: UInt64 = 0
    var dirty: UInt64 = 0
    pagingDomain.forEachLeaf(in: pagingDomain.aperture) {
      leaves += 1
      if $0.dirty { dirty += 1 }
    }
    return super.details + [
      ("ioas", .id(ioas.id)),
      ("automatic", .flag(isAutomatic)),
      ("nest-parent", .flag(isNestParent)),
      ("dirty-tracking", .flag(domain is any DirtyTrackingDomain)),
      ("coherent", .flag(enforcesCacheCoherency)),
      ("page-sizes", .hex(pagingDomain.pageSizes)),
      ("aperture", pagingDomain.aperture.fact),
      ("leaves", .number(leaves)),
      ("dirty", .number(dirty)),
    ]
  }

  private static func validFlags(_ version: KernelVersion) -> UInt32 {
    var flags = HWPTFlag.nestParent | HWPTFlag.dirtyTracking
    if version >= KernelVersion(6, 14) { flags |= HWPTFlag.faultIDValid }
    if version >= KernelVersion(6, 15) { flags |= HWPTFlag.pasid }
    return flags
  }

  /// Makes an HWPT for `device` and fills it; its ID is reserved and the caller publishes it. `ioas.hwptLock`
  /// is held until then. `iommufd_hwpt_paging_alloc`; the steps of reference section 3.3.
  ///
  /// - Parameters:
  ///   - data: for the driver; nil for none.
  ///   - attaching: attach `device` there before the domain is filled.
  /// - Throws: EOPNOTSUPP for flags that kernel, device or driver does not know; EINVAL, ENOMEM; what the
  ///   driver, attaching and filling throw.
  static func make(
    on ioas: IOAS, for device: DeviceObject, flags: UInt32, data: UserData?, attaching pasid: UInt32?
  ) throws(Errno) -> PagingHWPT {
    let context = ioas.context
    guard let driver = device.device.driver else { throw .ENODEV("the device has no IOMMU") }
    let flagged = driver as? any FlaggedAllocation
    guard flagged != nil || (flags == 0 && data == nil) else {
      throw .EOPNOTSUPP("the IOMMU driver takes neither flags nor data", UInt64(flags))
    }
    guard flags & ~validFlags(context.version) == 0 else {
      throw .EOPNOTSUPP("an unknown flag", UInt64(flags), UInt64(validFlags(context.version)))
    }
    if flags & HWPTFlag.dirtyTracking != 0, !device.device.capabilities.contains(.dirtyTracking) {
      throw .EOPNOTSUPP("the device cannot track what it writes")
    }
    if flags & HWPTFlag.faultIDValid != 0, flags & HWPTFlag.nestParent != 0 {
      throw .EOPNOTSUPP("a nesting parent takes no faults")
    }
    let domain: any PagingDomain
    if let flagged {
      domain = try flagged.allocatePaging(
        for: device.device, flags: flags & ~HWPTFlag.faultIDValid, data: data)
    } else {
      domain = try driver.allocatePaging(for: device.device)
    }
    if device.enforcesCacheCoherency {
      guard let domain = domain as? any CoherencyEnforcingDomain, domain.enforceCacheCoherency() else {
        throw .EINVAL("the IOMMU driver cannot make the domain coherent, though it says so")
      }
    }
    let hwpt = PagingHWPT(
      domain, on: ioas, flags: flags, enforcesCacheCoherency: device.enforcesCacheCoherency, in: context)
    try context.objects.reserve(hwpt)
    context.kernel.damage.enter(domain, of: hwpt.id)
    ioas.addUser()
    do throws(Errno) {
      if let pasid { try device.attachHardware(hwpt, pasid) }
      do throws(Errno) { try ioas.pagetable.addDomain(domain) } catch {
        if let pasid { device.detachHardware(pasid)?.giveBack() }
        throw error
      }
    } catch {
      hwpt.abort()
      throw error
    }
    ioas.hwpts.append(hwpt)
    hwpt.isLinked = true
    return hwpt
  }

  override func giveBack() {
    dropUser()
    if isAutomatic, context.objects.tryRemove(self) { destroy() }
  }

  override func abort() {
    unlink()
    super.abort()
  }

  /// `ioas.hwptLock` is held.
  private func unlink() {
    guard isLinked else { return }
    isLinked = false
    ioas.hwpts.removeAll { $0 === self }
    ioas.pagetable.removeDomain(pagingDomain)
  }

  /// `iommufd_hwpt_paging_destroy`.
  public override func destroy() {
    // An aborted one is unlinked already, and its creator holds the lock.
    if isLinked { ioas.hwptLock.withLock { unlink() } }
    context.kernel.damage.leave(pagingDomain)
    fault?.dropUser()
    ioas.dropUser()
  }

  /// Maps a doorbell page, once. `iommufd_sw_msi_install`; `msiLock` is held.
  ///
  /// - Throws: what mapping throws.
  func install(_ page: DeviceState.MSIPage) throws(Errno) {
    guard presentMSI >> UInt64(page.id) & 1 == 0 else { return }
    try pagingDomain.map(
      page.iova, to: page.doorbell, length: Page.size, protection: [.read, .write, .mmio])
    presentMSI |= 1 << UInt64(page.id)
  }
}
