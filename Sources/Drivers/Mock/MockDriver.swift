// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Memory
public import Seams
public import UAPI

/// The IOMMU driver of the kernel's selftest: `mock_ops`. One for a machine, with one IOMMU and as many
/// devices as are asked for.
///
/// Source: `drivers/iommu/iommufd/selftest.c`; reference devices-hwpt-viommu.md section 7.
public final class MockDriver: PageResponding, HardwareInformation, FlaggedAllocation, NestedAllocation,
  VIOMMUProviding, @unchecked Sendable
{
  public let personality: Personality
  let memory: PhysicalMemory
  let failures: FailurePoints
  private let lock = Lock(.mockDriver)
  private let groupNumbers: GroupNumbers
  // Guarded by `lock`; numbers are the lowest free ones of the whole machine.
  private var deviceNumbers = NumberAllocator()

  private var blocked: MockBlockedDomain!

  public init(
    _ personality: Personality, memory: PhysicalMemory, failures: FailurePoints,
    groups: GroupNumbers = GroupNumbers()
  ) {
    groupNumbers = groups
    self.personality = personality
    self.memory = memory
    self.failures = failures
    blocked = MockBlockedDomain(self)
  }

  var version: KernelVersion { personality.version }

  public var name: String { "mock" }
  public var blockedDomain: (any Domain)? { blocked }
  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain { blocked }
  public var hasUserPASIDTables: Bool { true }

  // MARK: Devices

  /// Plugs a device in, in a group of its own. `mock_dev_create`.
  ///
  /// - Throws: EINVAL for flags that this kernel does not know; ENOMEM.
  public func createDevice(flags: UInt32, on instance: IOMMUInstance) throws(Errno) -> MockDevice {
    let known = MockDevice.Flags.known(in: version).rawValue
    guard flags & ~known == 0 else { throw .EINVAL("an unknown device flag", UInt64(flags), UInt64(known)) }
    for what in ["a mock device", "a group", "the device's place in the group"] as [StaticString] {
      try failures.pass(.allocation, what)
    }
    let (number, group) = (lock.withLock { deviceNumbers.allocate() }, groupNumbers.allocate())
    let device = MockDevice(
      number: number, flags: MockDevice.Flags(rawValue: flags), on: instance, in: version)
    try CoreGroup(id: group).add(device)
    return device
  }

  /// Unplugs a device. `mock_dev_destroy`.
  public func destroyDevice(_ device: MockDevice) {
    device.group?.remove(device)
    lock.withLock { deviceNumbers.free(device.number) }
    if let group = device.group { groupNumbers.free(group.id) }
  }

  // MARK: Domains

  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    try allocatePaging(for: device, flags: 0, data: nil)
  }

  /// `mock_domain_alloc_paging_flags`, in 6.12 `mock_domain_alloc_user`.
  public func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno)
    -> any PagingDomain
  {
    let takesTables = version >= KernelVersion(6, 19)
    var known = HWPTFlag.nestParent | HWPTFlag.dirtyTracking
    if version >= KernelVersion(6, 15) { known |= HWPTFlag.pasid }
    let tracks = flags & HWPTFlag.dirtyTracking != 0
    guard flags & ~known == 0 else { throw .EOPNOTSUPP("the mock does not know the flag", UInt64(flags)) }
    guard !tracks || device.capabilities.contains(.dirtyTracking) else {
      throw .EOPNOTSUPP("the device cannot track what it writes")
    }
    var kind = MockABI.defaultTable
    if let data {
      guard takesTables else { throw .EOPNOTSUPP("the mock takes no data for a paging domain") }
      guard data.type == MockABI.hwptDataType || data.type == 0 else {
        throw .EOPNOTSUPP("data of another driver", UInt64(data.type))
      }
      kind = try data.copyIn(type: MockABI.hwptDataType, minimum: 4, kernelSize: 8).word(4)
    }
    try failures.pass(.allocation, "a domain")
    let table = try makeTable(kind, for: device)
    return tracks ? MockDirtyDomain(table, of: self) : MockDomain(table, of: self)
  }

  private func makeTable(_ kind: UInt32, for device: Device) throws(Errno) -> any MockTable {
    let aperture = Span64(MockABI.aperture.lowerBound, MockABI.aperture.upperBound)
    guard version >= KernelVersion(6, 19) else {
      let isHuge = (device as? MockDevice)?.flags.contains(.hugeIOVA) ?? false
      return FlatMockTable(
        failures, aperture: aperture,
        pageSizes: FlatMockTable.pageSize | (isHuge ? FlatMockTable.hugeSize : 0))
    }
    switch kind {
    case MockABI.defaultTable:
      return AMDMockTable(failures, aperture: aperture, pageSizes: (1 << 37) - (1 << 11))
    case MockABI.hugeTable:
      return AMDMockTable(
        failures, aperture: Span64(0, (1 << 38) - 1), pageSizes: MockABI.hugePageSize | Page.size)
    default:
      throw .EOPNOTSUPP("the mock has no such page table", UInt64(kind))
    }
  }

  /// `mock_domain_alloc_nested`.
  public func allocateNested(
    for device: Device, parent: any PagingDomain, flags: UInt32, data: UserData
  ) throws(Errno) -> any NestedDomain {
    // 6.12 looks at the type first, and both say the same.
    guard parent is MockDomain else { throw .EINVAL("the parent is not a domain of the mock") }
    return try makeNested(flags: flags, data: data, viommu: nil)
  }

  /// The part that is the same on a parent and on a vIOMMU. `__mock_domain_alloc_nested`.
  func makeNested(flags: UInt32, data: UserData, viommu: MockVIOMMU?) throws(Errno) -> MockNestedDomain {
    let known = version >= KernelVersion(6, 15) ? HWPTFlag.pasid : 0
    guard flags & ~known == 0 else { throw .EOPNOTSUPP("the mock does not know the flag", UInt64(flags)) }
    guard data.type == MockABI.hwptDataType else {
      throw .EOPNOTSUPP("data of another driver", UInt64(data.type))
    }
    let config = try data.copyIn(
      type: MockABI.hwptDataType, minimum: 4, kernelSize: version >= KernelVersion(6, 19) ? 8 : 4)
    try failures.pass(.allocation, "a nested domain")
    return MockNestedDomain(self, word: config.word(0), viommu: viommu)
  }

  // MARK: Attaching

  /// `mock_domain_nop_attach`.
  func attach(_ device: Device, to domain: any Domain) throws(Errno) {
    guard let device = device as? MockDevice else { throw .EINVAL("not a device of the mock") }
    if domain is any DirtyTrackingDomain, device.flags.contains(.noDirty) {
      throw .EINVAL("the domain tracks writes and the device cannot")
    }
    var viommu: MockVIOMMU?
    var virtualID: UInt64 = 0
    if let nested = (domain as? MockNestedDomain)?.viommu {
      virtualID = try nested.core.virtualID(of: device)
      viommu = nested
    }
    device.setVIOMMU(viommu, virtualID: virtualID)
    try enableFaults(device, for: domain)
    disableFaults(device, for: device.domain)
    device.domain = domain
  }

  /// `mock_domain_set_dev_pasid_nop`. Neither dirty tracking nor vDEVICEs are looked at.
  func setPASID(_ pasid: UInt32, of device: Device, to domain: any Domain, from old: (any Domain)?)
    throws(Errno)
  {
    guard let device = device as? MockDevice else { throw .EINVAL("not a device of the mock") }
    if pasid == MockABI.failingPASID {
      if domain === blocked {
        device.failsNext = false
      } else if device.failsNext {
        device.failsNext = false
        throw .ENOMEM("the mock fails every second attachment of this PASID", UInt64(pasid))
      } else {
        device.failsNext = true
      }
    }
    try enableFaults(device, for: domain)
    disableFaults(device, for: old)
  }

  /// Since 6.16 a device takes part in page requests while it is on a domain that can handle them.
  private var enablesFaults: Bool { version >= KernelVersion(6, 16) }

  private func enableFaults(_ device: MockDevice, for domain: any Domain) throws(Errno) {
    guard enablesFaults, domain.faultHandler != nil else { return }
    if device.faultUsers == 0 { try device.joinFaultQueue(failures) }
    device.faultUsers += 1
  }

  private func disableFaults(_ device: MockDevice, for domain: (any Domain)?) {
    guard enablesFaults, domain?.faultHandler != nil else { return }
    device.faultUsers -= 1
    if device.faultUsers == 0 { device.leaveFaultQueue() }
  }

  /// The device is not told, but remembers.
  public func respond(to request: PageRequest, from device: Device, with code: PageResponse) {
    (device as? MockDevice)?.record(request, code)
  }

  // MARK: Information

  /// `mock_domain_hw_info`.
  public func hardwareInformation(of device: Device, type: UInt32) throws(Errno) -> (
    type: UInt32, bytes: [UInt8]
  ) {
    guard type == 0 || type == MockABI.hwInfoType else {
      throw .EOPNOTSUPP("the mock has no such information", UInt64(type))
    }
    try failures.pass(.allocation, "hardware information")
    return (MockABI.hwInfoType, .words(0, MockABI.hwInfoRegister))
  }

  // MARK: vIOMMUs

  public func supportsVIOMMU(type: UInt32, on device: Device) -> Bool { type == MockABI.viommuType }

  /// `mock_viommu_init`.
  public func makeVIOMMU(
    type: UInt32, on instance: IOMMUInstance, core: any VIOMMUCore, parent: any PagingDomain, data: UserData?
  ) throws(Errno) -> any VIOMMUDriver {
    try MockVIOMMU(self, core: core, parent: parent, data: data)
  }
}
