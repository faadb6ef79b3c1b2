// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

/// One attachment of a domain to a group, for the RID or for a PASID: `struct iommu_attach_handle`. Whoever
/// attaches makes a new one each time, and may subclass it to remember why.
open class AttachHandle: @unchecked Sendable {
  /// The domain that this handle attached; set by the group.
  public internal(set) var domain: (any Domain)?
  public init() {}
}

/// An IOMMU group: the smallest set of devices that can be isolated from the rest, `struct iommu_group`.
///
/// All members are always on one domain. A group that nobody owns is on its default domain; one that is
/// owned is on the blocking domain until something is attached. `RID` is DMA without a PASID, key 0 of the
/// handles.
///
///     unowned, default domain ── claim ──> owned, blocking domain <── detach ── owned, a user's domain
///                             <─ release ─                        ── attach ──>    (replace: to another)
///
/// A change visits the members in order, and when one refuses, those before it are taken back.
/// Source: `drivers/iommu/iommu.c`; reference devices-hwpt-viommu.md sections 1.2 and 2.8.
public final class CoreGroup: @unchecked Sendable {
  /// Unique among the groups of the machine; the lowest that was free.
  public let id: Int
  /// `group->mutex`: held over every call of a driver.
  let lock = Lock(.coreGroup)

  struct Member {
    let device: Device
    /// PCI resets that are going on; while there is one the device stays on the blocking domain.
    var resets = 0
    var isBlocked = false
  }
  @exclusivity(unchecked) var memberList: [Member] = []

  @exclusivity(unchecked) private var defaultDomain: (any Domain)?
  @exclusivity(unchecked) var blockingDomain: (any Domain)?
  @exclusivity(unchecked) var currentDomain: (any Domain)?
  @exclusivity(unchecked) private var ownerToken: (any AnyObject)?
  @exclusivity(unchecked) private var owners = 0
  @exclusivity(unchecked) var handles: [UInt32: AttachHandle] = [:]
  var recovering = 0

  public init(id: Int) { self.id = id }

  // MARK: Looking

  public var members: [Device] { lock.withLock { memberList.map(\.device) } }
  /// The domain that DMA without PASID goes through.
  public var domain: (any Domain)? { lock.withLock { currentDomain } }
  public var ownerCount: Int { lock.withLock { owners } }
  public var owner: (any AnyObject)? { lock.withLock { ownerToken } }
  /// Whether the group is where no DMA works.
  public var isBlocked: Bool { lock.withLock { currentDomain != nil && currentDomain === blockingDomain } }
  public var isOnDefaultDomain: Bool {
    lock.withLock { currentDomain != nil && currentDomain === defaultDomain }
  }
  /// PASIDs with something attached, ascending; 0 is the RID.
  public var attachedPASIDs: [UInt32] { lock.withLock { handles.keys.sorted() } }

  /// What is attached at `pasid`. `iommu_attach_handle_get`.
  public func handle(at pasid: UInt32) -> AttachHandle? { lock.withLock { handles[pasid] } }

  /// Whether no member can raise another's interrupts. `iommu_group_has_isolated_msi`.
  public var hasIsolatedMSI: Bool {
    lock.withLock { memberList.allSatisfy { $0.device.capabilities.contains(.isolatedMSI) } }
  }

  // MARK: Members

  /// Adds a device, which joins the domain that the group is on. `iommu_probe_device`.
  ///
  /// - Throws: what the driver refuses.
  public func add(_ device: Device) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard let driver = device.driver else { throw .ENODEV("the device has no IOMMU") }
      if defaultDomain == nil {
        let domain = try driver.makeDefaultDomain(for: device)
        defaultDomain = domain
        currentDomain = domain
      }
      try currentDomain?.attach(device, from: nil)
      memberList.append(Member(device: device))
      device.group = self
    }
  }

  /// Forgets a device that is gone. It keeps naming its group, for whoever still holds it.
  public func remove(_ device: Device) {
    lock.withLock { memberList.removeAll { $0.device === device } }
  }

  // MARK: Ownership

  /// A kernel driver starts to use the DMA of a member. `iommu_device_use_default_domain`.
  ///
  /// - Throws: EBUSY when somebody else has the group.
  public func claimForKernel() throws(Errno) {
    try lock.withLock { () throws(Errno) in
      if owners > 0, currentDomain !== defaultDomain || ownerToken != nil || !handles.isEmpty {
        throw .EBUSY("the group's DMA is owned by user space", UInt64(id))
      }
      owners += 1
    }
  }

  /// `iommu_device_unuse_default_domain`.
  public func releaseFromKernel() {
    lock.withLock { owners = max(0, owners - 1) }
  }

  /// Makes `token` the owner of the group's DMA, and blocks it; each member claims once.
  /// `iommu_device_claim_dma_owner`.
  ///
  /// - Throws: EPERM when the owner is another, a kernel driver included; EBUSY when something is attached or
  ///   a member is in reset; EINVAL when a member needs a one-to-one mapping; what allocating a blocking
  ///   domain can.
  public func claim(for token: any AnyObject) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      if owners > 0 {
        guard ownerToken === token else {
          throw .EPERM("the group's DMA has another owner", UInt64(id), UInt64(owners))
        }
        owners += 1
        return
      }
      guard currentDomain == nil || currentDomain === defaultDomain, handles.isEmpty else {
        throw .EBUSY("a domain is attached to the group", UInt64(id))
      }
      let blocking = try makeBlockingDomain()
      try switchTo(blocking)
      ownerToken = token
      owners = 1
    }
  }

  /// A member gives up its claim; with the last one the group returns to its default domain.
  /// `iommu_device_release_dma_owner`.
  public func release() {
    lock.withLock {
      if owners > 1 {
        owners -= 1
        return
      }
      owners = 0
      ownerToken = nil
      if let defaultDomain { switchAlways(to: defaultDomain) }
    }
  }

  func makeBlockingDomain() throws(Errno) -> any Domain {
    if let blockingDomain { return blockingDomain }
    guard let device = memberList.first?.device, let driver = device.driver else {
      throw .ENODEV("the group has no device")
    }
    let domain: any Domain
    if let blocked = driver.blockedDomain {
      domain = blocked
    } else {
      domain = try driver.allocatePaging(for: device)
    }
    blockingDomain = domain
    return domain
  }

  // MARK: The RID

  /// Attaches `domain` to a group that has nothing attached. `iommu_attach_group_handle`.
  ///
  /// - Throws: EBUSY when something is; EINVAL for a domain of another driver; what `Domain.attach` throws.
  public func attach(_ domain: any Domain, handle: AttachHandle) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard handles[0] == nil else { throw .EBUSY("the group has a domain attached", UInt64(id)) }
      guard
        currentDomain == nil || currentDomain === defaultDomain || currentDomain === blockingDomain
      else { throw .EBUSY("the group is on a domain of its own", UInt64(id)) }
      guard let driver = memberList.first?.device.driver, Self.suits(driver, domain) else {
        throw .EINVAL("the domain belongs to another IOMMU driver")
      }
      try switchTo(domain)
      handle.domain = domain
      handles[0] = handle
    }
  }

  /// Moves a group from one domain to another, without a moment in between. Unlike `attach` it asks nothing
  /// but the new domain whether it suits. `iommu_replace_group_handle`.
  ///
  /// - Throws: EBUSY while a member is in reset; what `Domain.attach` throws. The old domain stays then.
  public func replace(with domain: any Domain, handle: AttachHandle) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      try switchTo(domain)
      handle.domain = domain
      handles[0] = handle
    }
  }

  /// Back to the blocking domain, or to the default one if nobody owns the group.
  /// `iommu_detach_group_handle`.
  public func detach() {
    lock.withLock {
      if let core = owners > 0 && ownerToken != nil ? blockingDomain : defaultDomain {
        switchAlways(to: core)
      }
      handles[0] = nil
    }
  }

  static func suits(_ driver: any IOMMUDriver, _ domain: any Domain) -> Bool {
    domain.driver === driver || domain === driver.blockedDomain
  }

  /// Puts all members on `domain`, or none. `__iommu_group_set_domain`.
  private func switchTo(_ domain: any Domain) throws(Errno) {
    guard currentDomain !== domain else { return }
    guard recovering == 0 else { throw .EBUSY("a device of the group is in reset", UInt64(id)) }
    for (index, member) in memberList.enumerated() where !member.isBlocked {
      do throws(Errno) {
        try put(member.device, on: domain)
      } catch {
        for earlier in memberList[..<index] where !earlier.isBlocked {
          if let currentDomain { try? currentDomain.attach(earlier.device, from: domain) }
        }
        throw error
      }
    }
    currentDomain = domain
  }

  private func put(_ device: Device, on domain: any Domain) throws(Errno) {
    let blocks = domain === blockingDomain || domain === device.driver?.blockedDomain
    if blocks, device.requiresDirectMapping {
      throw .EINVAL("firmware wants a one-to-one mapping for the device, and blocking would take it away")
    }
    try domain.attach(device, from: currentDomain)
  }

  /// A switch that must succeed, to a domain that served the members before.
  private func switchAlways(to domain: any Domain) {
    guard currentDomain !== domain else { return }
    for member in memberList where !member.isBlocked {
      try? domain.attach(member.device, from: currentDomain)
    }
    currentDomain = domain
  }
}
