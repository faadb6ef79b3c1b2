// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
public import Seams
internal import Synchronization
public import UAPI

/// The driver of AMD-Vi: `amd_iommu_ops`. One for a machine, with all its IOMMUs.
///
/// Where 6.12 differs in what a caller sees, the personality decides; what it queues is always 7.2's.
/// Source: `drivers/iommu/amd/iommu.c`; reference backends-x86.md part B.
public class AMDViDriver: PCIDriver, FlaggedAllocation, PageResponding, VIOMMUProviding, @unchecked Sendable {
  public let personality: Personality
  let memory: PhysicalMemory
  let failures: FailurePoints
  let domainIDs: AMDViDomainIDs

  private let lock = Lock(.amdDriver)
  /// What all IOMMUs have in common, and how the first was booted.
  private struct Common {
    var features: UInt64 = .max
    var features2: UInt64 = .max
    var platform: AMDViPlatform?
  }
  // Guarded by `lock`.
  private var common = Common()
  private let absentEntriesAreCached = Atomic<Bool>(false)

  private var blocked: AMDViBlockedDomain!
  private var identity: AMDViIdentityDomain!

  /// - Parameter platform: of the first IOMMU, whose kernel parameters are everybody's.
  public static func make(
    _ personality: Personality, _ platform: AMDViPlatform, memory: PhysicalMemory, failures: FailurePoints
  ) -> AMDViDriver {
    personality.version >= KernelVersion(6, 19)
      ? AMDViDescribingDriver(personality, platform, memory: memory, failures: failures)
      : AMDViDriver(personality, platform, memory: memory, failures: failures)
  }

  init(
    _ personality: Personality, _ platform: AMDViPlatform, memory: PhysicalMemory, failures: FailurePoints
  ) {
    self.personality = personality
    self.memory = memory
    self.failures = failures
    domainIDs = AMDViDomainIDs(takenElsewhere: platform.domainsElsewhere)
    common.platform = platform
    blocked = AMDViBlockedDomain(self)
    identity = AMDViIdentityDomain(self, id: domainIDs.allocate() ?? 0)
  }

  public var name: String { "amd-vi" }
  var version: KernelVersion { personality.version }
  public var blockedDomain: (any Domain)? { blocked }
  public var possibleBugs: Set<DriverBug> {
    var bugs = Set(DriverBug.allCases)
    if !cachesAbsentEntries { bugs.remove(.skipMapFlush) }
    return bugs
  }

  // MARK: IOMMUs

  /// Brings an IOMMU up.
  ///
  /// - Throws: ENOMEM.
  public func add(_ name: String, _ port: any RegisterPort, _ platform: AMDViPlatform) throws(Errno)
    -> AMDViIOMMU
  {
    try failures.pass(.allocation, "an IOMMU")
    let unit = try AMDViIOMMU(name, self, port, platform, memory: memory, failures: failures)
    lock.withLock {
      common.features &= unit.features
      common.features2 &= unit.features2
    }
    if platform.cachesAbsentEntries { absentEntriesAreCached.store(true, ordering: .releasing) }
    unit.bringUp()
    return unit
  }

  /// EFR and EFR2 as far as all IOMMUs agree. `amd_iommu_efr`, `amd_iommu_efr2`.
  var commonFeatures: (efr: UInt64, efr2: UInt64) { lock.withLock { (common.features, common.features2) } }
  /// `amd_iommu_np_cache`.
  var cachesAbsentEntries: Bool { absentEntriesAreCached.load(ordering: .acquiring) }
  private var platform: AMDViPlatform { lock.withLock { common.platform ?? AMDViPlatform() } }

  private func has(_ features: UInt64) -> Bool { commonFeatures.efr & features == features }

  /// `amd_iommu_gpt_level`.
  var usesFiveLevels: Bool {
    platform.fiveLevelProcessor && commonFeatures.efr >> AMDViFeature.gatsShift & 3 == 1
  }
  /// `amd_iommu_v2_pgtbl_supported`.
  var hasGuestTables: Bool { has(AMDViFeature.gt | AMDViFeature.gio) }
  /// `amd_iommu_pasid_supported`.
  var servesPASIDs: Bool {
    let platform = platform
    return has(AMDViFeature.gt | AMDViFeature.gio | AMDViFeature.ppr | AMDViFeature.eph)
      && !platform.snpEnabled && (!platform.fiveLevelProcessor || usesFiveLevels)
  }
  /// Bits of an IOVA in a host table; nil without host tables. Since 6.14 what the levels have.
  var hostWidth: Int? {
    let levels = commonFeatures.efr >> AMDViFeature.hatsShift & 3
    return levels == 3 ? nil : min(64, 48 + 9 * Int(levels))
  }
  /// 7.2 leaves the upper range of HyperTransport to IOVAs where it has no meaning.
  var ignoresHTRange: Bool { version >= KernelVersion(7, 0) }

  // MARK: Functions

  /// `amd_iommu_probe_device`.
  ///
  /// - Throws: ENODEV for a function that the IVRS does not name; ENOMEM.
  public func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    guard let unit = iommu as? AMDViIOMMU, function.segment == unit.platform.segment,
      function.requesterID <= unit.platform.lastDeviceID
    else { throw .ENODEV("no IVRS entry names the function", UInt64(function.source)) }
    try failures.pass(.allocation, "a device")
    let abilities = function.capabilities
    let limit =
      servesPASIDs && abilities.pasidBits > 0
      ? min(unit.maxPASIDs, 1 << UInt32(min(abilities.pasidBits, 20))) : 0
    let device = AMDViDevice(function, behind: unit, pasidLimit: limit)
    unit.add(device)
    return device
  }

  /// `amd_iommu_release_device`.
  public func release(_ device: PCIDevice) {
    guard let device = device as? AMDViDevice else { return }
    device.block()
    device.unit.remove(device)
  }

  // MARK: Domains

  func allocateDomain() throws(Errno) -> UInt16 {
    try failures.pass(.allocation, "a domain")
    try failures.pass(.allocation, "a domain ID")
    guard let id = domainIDs.allocate() else { throw .ENOMEM("no domain ID is free") }
    return id
  }

  /// Identity for functions with PASIDs, unless SNP forbids it. `amd_iommu_def_domain_type`.
  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain {
    let platform = platform
    let wantsIdentity: Bool =
      switch platform.defaultDomain {
      case .identity: true
      case .dma: false
      case .automatic: (device as? AMDViDevice)?.canSendPASIDs ?? false
      }
    if wantsIdentity, !platform.snpEnabled { return identity }
    let domain = try allocatePaging(for: device)
    // What firmware uses stays mapped. `iommu_create_device_direct_mappings`.
    for region in device.reservedRegions where region.kind == .direct {
      try domain.map(
        IOVA(region.first), to: PhysAddr(region.first), length: region.last &- region.first &+ 1,
        protection: [.read, .write])
    }
    return domain
  }

  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    try allocatePaging(for: device, flags: 0, data: nil)
  }

  /// `amd_iommu_domain_alloc_paging_flags`.
  public func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno)
    -> any PagingDomain
  {
    let isOld = version < KernelVersion(6, 14)
    let known = isOld ? HWPTFlag.dirtyTracking : HWPTFlag.nestParent | HWPTFlag.dirtyTracking | HWPTFlag.pasid
    guard flags & ~known == 0, data == nil else {
      throw .EOPNOTSUPP("AMD-Vi does not know the flag, or takes no data", UInt64(flags))
    }
    let tracks = flags & HWPTFlag.dirtyTracking != 0
    let unit = (device as? AMDViDevice)?.unit
    switch flags {
    case 0: return try allocateStandard()
    case HWPTFlag.pasid:
      guard servesPASIDs else { throw .EOPNOTSUPP("the IOMMU serves no PASIDs") }
      return try AMDViGuestDomain.make(self)
    case HWPTFlag.dirtyTracking, HWPTFlag.nestParent, HWPTFlag.dirtyTracking | HWPTFlag.nestParent:
      if tracks, unit?.tracksDirty != true { throw .EOPNOTSUPP("the IOMMU cannot track what is written") }
      if flags & HWPTFlag.nestParent != 0, !canNest { throw .EOPNOTSUPP("the IOMMU cannot nest") }
      return try AMDViHostDomain.make(self, tracksDirty: tracks)
    default: throw .EOPNOTSUPP("flags that exclude each other", UInt64(flags))
    }
  }

  /// `is_nest_parent_supported`.
  private var canNest: Bool {
    has(AMDViFeature.gt | AMDViFeature.gio)
      && commonFeatures.efr2 & AMDViFeature2.gcr3TRPMode != 0
  }

  /// The version that the command line prefers, or the other one.
  private func allocateStandard() throws(Errno) -> any PagingDomain {
    if platform.tables == .v2, hasGuestTables || hostWidth == nil { return try AMDViGuestDomain.make(self) }
    if hostWidth == nil { return try AMDViGuestDomain.make(self) }
    return try AMDViHostDomain.make(self, tracksDirty: false)
  }

  // MARK: Page requests and guests

  public func respond(to request: PageRequest, from device: Device, with code: PageResponse) {
    guard let device = device as? AMDViDevice else { return }
    device.unit.respond(to: request, of: device, with: code)
  }

  /// Any type will do. `amd_iommufd_get_viommu_size`.
  public func supportsVIOMMU(type: UInt32, on device: Device) -> Bool { version >= KernelVersion(7, 0) }

  /// `amd_iommufd_viommu_init`.
  public func makeVIOMMU(
    type: UInt32, on instance: IOMMUInstance, core: any VIOMMUCore, parent: any PagingDomain, data: UserData?
  ) throws(Errno) -> any VIOMMUDriver {
    guard let unit = instance as? AMDViIOMMU, let parent = parent as? AMDViHostDomain else {
      throw .EINVAL("the parent is no host table of AMD-Vi")
    }
    return AMDViVIOMMU(unit, parent)
  }
}

/// The driver since 6.19, which tells user space what the hardware can do.
public final class AMDViDescribingDriver: AMDViDriver, HardwareInformation, @unchecked Sendable {
  private static let type: UInt32 = 4

  /// `amd_iommu_hw_info`.
  public func hardwareInformation(of device: Device, type: UInt32) throws(Errno) -> (
    type: UInt32, bytes: [UInt8]
  ) {
    guard type == 0 || type == Self.type else {
      throw .EOPNOTSUPP("AMD-Vi has no such information", UInt64(type))
    }
    try failures.pass(.allocation, "hardware information")
    let (efr, efr2) = commonFeatures
    return (Self.type, .long(efr) + .long(efr2))
  }
}
