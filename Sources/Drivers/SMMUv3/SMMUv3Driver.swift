// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
internal import PageTables
public import Seams
public import UAPI

// Linux's driver for Arm's SMMUv3. One for a machine, however many SMMUs it has: ASIDs are common to all of them.
//
//     SMMUv3Unit        an SMMU: queues, stream table, VMIDs        SMMUv3Device      a PCI function behind one
//     SMMUv3Domain      stage 1 or 2 with tables of its own         SMMUv3Attachment  from one domain to another
//     SMMUv3VIOMMU      a guest's share of an SMMU                  Tegra241Front     virtual command queues
//
// Left out: SVA, firmware's own mappings (RMR), and that 6.12 splits a block of which a part is unmapped.

/// `arm_smmu_ops`. Source: `drivers/iommu/arm/arm-smmu-v3/`; reference backends-arm-riscv-s390.md A5.
public final class SMMUv3Driver: PCIDriver, FlaggedAllocation, HardwareInformation, PageResponding,
  VIOMMUProviding, @unchecked Sendable
{
  let version: KernelVersion
  let memory: PhysicalMemory
  let failures: FailurePoints
  /// Held over every attach. `arm_smmu_asid_lock`.
  private let asidLock = Lock(.smmuASIDs)
  private let idLock = Lock(.smmuASIDNumbers)
  /// Guarded by `idLock`. `arm_smmu_asid_xa`.
  private var asids = NumberAllocator(first: 1)

  private var blocked: SMMUv3BlockedDomain!
  private var identity: SMMUv3StaticDomain!

  public init(_ personality: Personality, memory: PhysicalMemory, failures: FailurePoints) {
    version = personality.version
    self.memory = memory
    self.failures = failures
    blocked = SMMUv3BlockedDomain(self)
    identity = SMMUv3StaticDomain(self, isIdentity: true)
  }

  public var name: String { "arm-smmu-v3" }
  public var blockedDomain: (any Domain)? { blocked }
  public var hasUserPASIDTables: Bool { true }
  public var possibleBugs: Set<DriverBug> {
    Set(DriverBug.allCases).subtracting([.skipMapFlush])
  }

  /// Brings an SMMU up. `arm_smmu_device_probe`.
  ///
  /// - Throws: ENXIO for one that the driver does not take, ENOMEM, EIO.
  public func bringUp(_ name: String, _ port: any RegisterPort, _ platform: SMMUv3Platform) throws(Errno)
    -> SMMUv3Unit
  {
    try failures.pass(.allocation, "an SMMU")
    return try SMMUv3Unit(name, self, port, platform)
  }

  func attaching<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    try asidLock.withLock { () throws(Failure) in try body() }
  }

  // MARK: ASIDs

  private func allocateASID(bits: Int) throws(Errno) -> UInt32 {
    try failures.pass(.allocation, "an ASID")
    return try idLock.withLock { () throws(Errno) -> UInt32 in
      let id = asids.allocate()
      guard id < 1 << bits else {
        asids.free(id)
        throw .EBUSY("every ASID is in use")
      }
      return UInt32(id)
    }
  }

  func freeASID(_ id: UInt32) { idLock.withLock { asids.free(Int(id)) } }

  /// Of all SMMUs together.
  var asidsTaken: Int { idLock.withLock { asids.count } }

  /// Others have these.
  func reserveASIDs(_ count: Int) {
    idLock.withLock { for _ in 0..<max(0, min(count, 1 << 15)) { _ = asids.allocate() } }
  }

  // MARK: Devices

  private static func unit(_ instance: IOMMUInstance?) throws(Errno) -> SMMUv3Unit {
    guard let unit = instance as? SMMUv3Unit else { throw .ENODEV("not behind an SMMUv3") }
    return unit
  }

  private static func unit(of device: Device) throws(Errno) -> SMMUv3Unit { try unit(device.instance) }

  /// `arm_smmu_probe_device`. PASIDs are turned on before ATS, which has to be so.
  public func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    let unit = try Self.unit(iommu)
    try failures.pass(.allocation, "a device")
    try failures.pass(.allocation, "the streams of a device")
    let device = SMMUv3Device(function, behind: unit)
    try unit.add(device)
    function.configure { $0.pasid = true }
    return device
  }

  /// `arm_smmu_release_device`.
  public func release(_ device: PCIDevice) {
    guard let device = device as? SMMUv3Device else { return }
    try? device.attach(to: blocked, from: device.domain)
    device.function.configure { $0.pasid = false }
    device.unit.remove(device)
    device.contexts = nil
  }

  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain {
    try Self.unit(of: device).features.platform.passesThrough ? identity : allocatePaging(for: device)
  }

  // MARK: Domains

  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    try allocatePaging(for: device, flags: 0, data: nil)
  }

  /// `arm_smmu_domain_alloc_paging_flags`; in 6.12 `arm_smmu_domain_alloc_user`.
  public func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno)
    -> any PagingDomain
  {
    let unit = try Self.unit(of: device)
    let features = unit.features
    let known =
      features.isOld
      ? [0, HWPTFlag.dirtyTracking]
      : [
        0, HWPTFlag.nestParent, HWPTFlag.dirtyTracking, HWPTFlag.dirtyTracking | HWPTFlag.pasid,
        HWPTFlag.pasid,
      ]
    guard data == nil else { throw .EOPNOTSUPP("the driver takes no data for a paging domain") }
    if flags & ~(HWPTFlag.nestParent | HWPTFlag.dirtyTracking | HWPTFlag.pasid) != 0 {
      throw .EOPNOTSUPP("an unknown flag", UInt64(flags))
    }
    try failures.pass(.allocation, "a domain")
    guard known.contains(flags) else {
      throw .EOPNOTSUPP("the driver knows no domain with these flags together", UInt64(flags))
    }
    let isParent = flags & HWPTFlag.nestParent != 0
    if isParent, !features.nesting { throw .EOPNOTSUPP("the SMMU cannot nest") }
    if flags != 0, !isParent, !features.stage1 { throw .EOPNOTSUPP("the SMMU has no stage 1") }
    let tracks = flags & HWPTFlag.dirtyTracking != 0
    return try makeDomain(
      on: unit, isParent || !features.stage1 ? .two : .one, isParent: isParent, tracksDirty: tracks)
  }

  /// `arm_smmu_domain_finalise`.
  private func makeDomain(
    on unit: SMMUv3Unit, _ stage: ArmGeometry.Stage, isParent: Bool, tracksDirty: Bool
  ) throws(Errno) -> SMMUv3Domain {
    let features = unit.features
    let granule = features.granuleLg2
    let input = stage == .two ? features.outputBits : features.wideVirtual && granule == 16 ? 52 : 48
    let geometry = ArmGeometry(
      granuleLg2: granule, stage: stage, inputLg2: input, outputLg2: features.outputBits,
      concatenation: features.isOld ? .greedy : .mandatory, walksCoherently: features.coherent)
    let table = try makeTable(
      geometry, tracksDirty: tracksDirty, forcesWriteBack: isParent && features.forcesWriteBack)
    let id = stage == .one ? try allocateASID(bits: features.asidBits) : try unit.allocateVMID()
    let parts = SMMUv3Domain.Parts(
      table: table, geometry: geometry, id: id, isNestParent: isParent, tracksDirty: tracksDirty)
    return tracksDirty ? SMMUv3DirtyDomain(parts, on: unit) : SMMUv3Domain(parts, on: unit)
  }

  private func makeTable(_ geometry: ArmGeometry, tracksDirty: Bool, forcesWriteBack: Bool) throws(Errno)
    -> any ArmTable
  {
    switch (geometry.stage, geometry.granuleLg2) {
    case (.one, 16):
      try ArmStage1Table64K(memory, geometry, .init(tracksDirty: tracksDirty), failures: failures)
    case (.one, 14):
      try ArmStage1Table16K(memory, geometry, .init(tracksDirty: tracksDirty), failures: failures)
    case (.one, _):
      try ArmStage1Table4K(memory, geometry, .init(tracksDirty: tracksDirty), failures: failures)
    case (.two, 16):
      try ArmStage2Table64K(memory, geometry, .init(forcesWriteBack: forcesWriteBack), failures: failures)
    case (.two, 14):
      try ArmStage2Table16K(memory, geometry, .init(forcesWriteBack: forcesWriteBack), failures: failures)
    case (.two, _):
      try ArmStage2Table4K(memory, geometry, .init(forcesWriteBack: forcesWriteBack), failures: failures)
    }
  }

  // MARK: Information

  private static let informationType: UInt32 = 2

  /// `arm_smmu_hw_info`: the identification registers as they are. 6.12 has none.
  public func hardwareInformation(of device: Device, type: UInt32) throws(Errno) -> (
    type: UInt32, bytes: [UInt8]
  ) {
    let unit = try Self.unit(of: device)
    let features = unit.features
    guard !features.isOld else { return (0, []) }
    if type != 0, type != Self.informationType {
      guard let front = unit.front, type == Tegra241Front.informationType else {
        throw .EOPNOTSUPP("the SMMU has no such information", UInt64(type))
      }
      try failures.pass(.allocation, "hardware information")
      return (type, front.information)
    }
    try failures.pass(.allocation, "hardware information")
    return (
      Self.informationType, SMMUv3Bytes.words([0, 0] + features.idr + [features.iidr, features.aidr])
    )
  }

  // MARK: Page requests

  /// Lets a stalled transaction go on, or ends it; nobody waits for that. `arm_smmu_page_response`.
  public func respond(to request: PageRequest, from device: Device, with code: PageResponse) {
    guard let device = device as? SMMUv3Device, device.stalls else { return }
    let answer = code == .success ? SMMU.Command.retry : SMMU.Command.abort
    device.unit.post([.resume(device.stream, tag: request.groupID, answer)])
  }

  // MARK: vIOMMUs

  /// `arm_smmu_get_viommu_size`.
  public func supportsVIOMMU(type: UInt32, on device: Device) -> Bool {
    guard let unit = device.instance as? SMMUv3Unit, unit.features.nesting, !unit.features.forcesSync,
      unit.features.platform.canWriteBack || unit.features.forcesWriteBack
    else { return false }
    return type == SMMUv3VIOMMU.type || (type == Tegra241VIOMMU.type && unit.front != nil)
  }

  /// `arm_vsmmu_init`.
  public func makeVIOMMU(
    type: UInt32, on instance: IOMMUInstance, core: any VIOMMUCore, parent: any PagingDomain, data: UserData?
  ) throws(Errno) -> any VIOMMUDriver {
    let unit = try Self.unit(instance)
    guard let parent = parent as? SMMUv3Domain, parent.unit === unit else {
      throw .EINVAL("the parent is another SMMU's")
    }
    guard type == Tegra241VIOMMU.type, let front = unit.front else {
      return SMMUv3VIOMMU(core: core, parent: parent)
    }
    return try Tegra241VIOMMU(core: core, parent: parent, front, data)
  }
}

/// Flags of IOMMU_HWPT_ALLOC.
private enum HWPTFlag {
  static let nestParent: UInt32 = 1
  static let dirtyTracking: UInt32 = 2
  static let pasid: UInt32 = 8
}

/// What user space gets, little-endian.
enum SMMUv3Bytes {
  static func words(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
  }
  static func longs(_ words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }
  /// The 64-bit word at `offset`, which is inside.
  static func long(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
