// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// A hardware page table: `struct iommufd_hw_pagetable`. What it was made with never changes.
public class HWPT: Object, @unchecked Sendable {
  public let domain: any Domain
  /// May serve a PASID, and the RID of a device that has PASIDs attached.
  public let isForPASIDs: Bool
  /// Who hears of page faults of devices on it; set before the HWPT is visible.
  public internal(set) var fault: FaultQueue?

  init(_ kind: ObjectKind, _ domain: any Domain, flags: UInt32, in context: Context) {
    self.domain = domain
    isForPASIDs = flags & HWPTFlag.pasid != 0
    super.init(kind, in: context)
  }

  public override var details: [(name: String, value: Fact)] {
    [
      ("driver", .text(domain.driver.name)),
      ("pasid", .flag(isForPASIDs)),
      ("fault", fault.map { .id($0.id) } ?? .none),
    ]
  }

  /// The HWPT that mirrors an IOAS: this one, or what it is nested on. `find_hwpt_paging`.
  public var paging: PagingHWPT? { nil }

  /// Drops a reference that an attachment held. `iommufd_hw_pagetable_put`.
  func giveBack() { dropUser() }

  /// Undoes a creation that failed, while the locks of the creation are held.
  func abort() {
    context.objects.abandon(self)
    destroy()
  }

  /// Lets `queue` hear of the faults.
  func connect(_ queue: FaultQueue) {
    fault = queue
    queue.addUser()
    domain.faultHandler = queue
  }
}

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

/// An HWPT whose table is the guest's: `struct iommufd_hwpt_nested`. It translates to addresses of its parent,
/// on which it stands directly or through a vIOMMU; its one reference is on that.
public final class NestedHWPT: HWPT, @unchecked Sendable {
  public let parent: PagingHWPT
  public let viommu: VIOMMU?
  public let nestedDomain: any NestedDomain

  private init(
    _ domain: any NestedDomain, parent: PagingHWPT, viommu: VIOMMU?, flags: UInt32, in context: Context
  ) {
    self.parent = parent
    self.viommu = viommu
    nestedDomain = domain
    super.init(.nestedHWPT, domain, flags: flags, in: context)
  }

  private var base: Object { viommu ?? parent }

  public override var paging: PagingHWPT? { parent }

  public override var references: [Object] { [base] + (fault.map { [$0] } ?? []) }

  public override var details: [(name: String, value: Fact)] {
    super.details + [
      ("parent", .id(parent.id)),
      ("viommu", viommu.map { .id($0.id) } ?? .none),
    ]
  }

  private static func validFlags(_ version: KernelVersion) -> UInt32 {
    version >= KernelVersion(6, 15) ? HWPTFlag.faultIDValid | HWPTFlag.pasid : HWPTFlag.faultIDValid
  }

  /// Makes an HWPT on a nesting parent. `iommufd_hwpt_nested_alloc`; reference section 3.4.
  ///
  /// - Throws: EOPNOTSUPP for an unknown flag, no data, or a driver without nesting; EINVAL for a parent that
  ///   is none, or of another driver; ENOMEM; what the driver refuses.
  static func make(on parent: PagingHWPT, for device: DeviceObject, flags: UInt32, data: UserData)
    throws(Errno) -> NestedHWPT
  {
    let context = parent.context
    try requireFlags(flags, data, context.version)
    guard let driver = device.device.driver as? any NestedAllocation else {
      throw .EOPNOTSUPP("the IOMMU driver does not nest")
    }
    guard !parent.isAutomatic, parent.isNestParent, parent.domain.driver === driver else {
      throw .EINVAL("the HWPT is no nesting parent of this driver", UInt64(parent.id))
    }
    let domain = try driver.allocateNested(
      for: device.device, parent: parent.pagingDomain, flags: flags & ~HWPTFlag.faultIDValid, data: data)
    return try reserved(NestedHWPT(domain, parent: parent, viommu: nil, flags: flags, in: context))
  }

  /// Makes an HWPT on a vIOMMU. `iommufd_viommu_alloc_hwpt_nested`; reference section 3.5.
  ///
  /// - Throws: EOPNOTSUPP for an unknown flag, no data, or a vIOMMU without nesting; ENOMEM; what the driver
  ///   refuses.
  static func make(on viommu: VIOMMU, flags: UInt32, data: UserData) throws(Errno) -> NestedHWPT {
    let context = viommu.context
    try requireFlags(flags, data, context.version)
    guard let driver = viommu.driver as? any VIOMMUNesting else {
      throw .EOPNOTSUPP("the vIOMMU does not nest")
    }
    let domain = try driver.allocateNested(flags: flags & ~HWPTFlag.faultIDValid, data: data)
    return try reserved(
      NestedHWPT(domain, parent: viommu.parent, viommu: viommu, flags: flags, in: context))
  }

  private static func requireFlags(_ flags: UInt32, _ data: UserData, _ version: KernelVersion) throws(Errno)
  {
    guard flags & ~validFlags(version) == 0 else {
      throw .EOPNOTSUPP("a flag that a nested HWPT cannot have", UInt64(flags), UInt64(validFlags(version)))
    }
    guard data.length > 0 else { throw .EOPNOTSUPP("a nested HWPT needs the driver's data") }
  }

  private static func reserved(_ hwpt: NestedHWPT) throws(Errno) -> NestedHWPT {
    try hwpt.context.objects.reserve(hwpt)
    hwpt.base.addUser()
    return hwpt
  }

  /// `iommufd_hwpt_nested_destroy`.
  public override func destroy() {
    fault?.dropUser()
    base.dropUser()
  }
}
