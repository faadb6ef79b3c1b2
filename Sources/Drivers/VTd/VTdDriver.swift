// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
internal import PageTables
public import Seams
public import UAPI

/// The driver of Intel VT-d: `intel_iommu_ops`. One for a machine, for all its units.
///
/// What it leaves out: shared virtual addressing and identity domains, which iommufd does not use; aliases of a
/// requester behind a bridge; the register-based invalidation of units without a queue; a kernel that was started
/// from another's crash. With 6.12 the context entry allows page requests from the beginning, as it does since, and
/// not only while somebody takes them; attaching checks what it checks since; and one unmap is one flush, where 6.12
/// flushes in between when the size of the leaves changes.
///
/// Source: `drivers/iommu/intel/`; reference backends-x86.md A7 and A10.
public final class VTdDriver: PCIDriver, FlaggedAllocation, NestedAllocation, HardwareInformation,
  PageResponding, @unchecked Sendable
{
  let memory: PhysicalMemory
  let failures: FailurePoints
  /// Behaves as the drivers since 6.19, whose page tables are generic, rather than as that of 6.12.
  let isModern: Bool
  private var blocked: VTdBlockedDomain!

  public init(_ personality: Personality, memory: PhysicalMemory, failures: FailurePoints) {
    self.memory = memory
    self.failures = failures
    isModern = personality.version >= KernelVersion(6, 19)
    blocked = VTdBlockedDomain(self)
  }

  public var name: String { "intel-vtd" }
  public var blockedDomain: (any Domain)? { blocked }
  public var possibleBugs: Set<DriverBug> { Set(DriverBug.allCases) }

  // MARK: Units and functions

  /// Finds a unit through its registers and turns it on.
  ///
  /// - Throws: ENODEV for a unit that the driver leaves alone; ENOMEM.
  public func bringUp(_ name: String, _ port: any RegisterPort, _ options: VTdIOMMU.Options) throws(Errno)
    -> VTdIOMMU
  {
    try failures.pass(.allocation, "a unit")
    let unit = VTdIOMMU(name, self, port, options, try VTdBringUp(port, self, options))
    try unit.start()
    return unit
  }

  /// `intel_iommu_probe_device`: PASIDs before ATS, since PCI wants it so.
  ///
  /// - Throws: ENODEV, EEXIST, ENOMEM.
  public func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    guard let unit = iommu as? VTdIOMMU, function.segment == unit.options.segment else {
      throw .ENODEV("the function is behind no unit of this driver", UInt64(function.source))
    }
    try failures.pass(.allocation, "a device")
    let device = try VTdDevice(function, behind: unit)
    do throws(Errno) {
      try unit.add(device)
      do throws(Errno) {
        if unit.features.isScalable { try unit.installDirectory(of: device) }
      } catch {
        unit.remove(device)
        throw error
      }
    } catch {
      device.pasidTable?.release()
      throw error
    }
    if device.pasidSupported { function.configure { $0.pasid = true } }
    if isModern {
      if unit.features.isScalable { device.enableATS() }
      device.enablePRI()
    }
    return device
  }

  /// `intel_iommu_release_device`.
  public func release(_ device: PCIDevice) {
    guard let device = device as? VTdDevice else { return }
    if device.domain != nil {
      device.disableFaults(for: device.domain)
      device.block()
    }
    device.disablePRI()
    device.disableATS()
    device.function.configure { $0.pasid = false }
    device.unit.remove(device)
    if device.unit.features.isScalable { device.unit.removeDirectory(of: device) }
    device.pasidTable?.release()
  }

  /// A function of the host that nobody plugged in, on its default domain.
  ///
  /// - Throws: as `probe`, and what attaching can.
  public func addHostFunction(_ function: PCIFunction, behind unit: VTdIOMMU) throws(Errno) {
    guard let device = try probe(function, behind: unit) as? VTdDevice else { return }
    do throws(Errno) { try makeDefaultDomain(for: device).attach(device, from: nil) } catch {
      release(device)
      throw error
    }
    unit.keep(device)
  }

  // MARK: Domains

  /// The kernel's own DMA goes through a paging domain that has what firmware reserved.
  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain {
    let domain = try isModern ? allocatePaging(for: device) : makeOldDefaultDomain(for: device)
    for region in device.reservedRegions where region.kind == .direct || region.kind == .directRelaxable {
      let length = region.last &- region.first &+ 1
      try domain.map(
        IOVA(region.first), to: PhysAddr(region.first), length: length, protection: [.read, .write])
    }
    return domain
  }

  /// 6.12 prefers the first stage for its own DMA alone. `first_level_by_default`.
  private func makeOldDefaultDomain(for device: Device) throws(Errno) -> any PagingDomain {
    let unit = try unit(of: device)
    return unit.features.hasFirstStage ? try makeFirstStage(unit) : try makeSecondStage(unit, flags: 0)
  }

  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    try allocatePaging(for: device, flags: 0, data: nil)
  }

  /// `intel_iommu_domain_alloc_paging_flags`: the first stage where it will do, and the second otherwise. 6.12 has
  /// only the second for user space.
  public func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno)
    -> any PagingDomain
  {
    let unit = try unit(of: device)
    guard data == nil else { throw .EOPNOTSUPP("the driver takes no data for a paging domain") }
    if isModern, unit.features.hasFirstStage, flags & ~HWPTFlag.pasid == 0 { return try makeFirstStage(unit) }
    return try makeSecondStage(unit, flags: flags)
  }

  private func unit(of device: Device) throws(Errno) -> VTdIOMMU {
    guard let unit = device.instance as? VTdIOMMU else { throw .ENODEV("not a device of this driver") }
    return unit
  }

  private func makeFirstStage(_ unit: VTdIOMMU) throws(Errno) -> any PagingDomain {
    let features = unit.features
    let (levels, width) = features.firstStageShape
    try failures.pass(.allocation, "a domain")
    let shape = VTdPagingDomain.Shape(
      levels: levels, width: width, pageSizes: features.firstStageSizes,
      notesWriteBack: !features.walksCoherently, syncsOnMap: features.needsWriteBufferFlush,
      isModern: isModern)
    let table = try X86FirstStageTable(
      memory,
      .init(
        levels: levels, inputLg2: width, pageSizes: shape.pageSizes,
        walksCoherently: features.walksCoherently || !isModern), failures: failures)
    return VTdPagingDomain(table, shape, usesPASIDs: true, of: self)
  }

  /// `intel_iommu_domain_alloc_second_stage`.
  private func makeSecondStage(_ unit: VTdIOMMU, flags: UInt32) throws(Errno) -> any PagingDomain {
    let features = unit.features
    let known = HWPTFlag.nestParent | HWPTFlag.dirtyTracking | (isModern ? HWPTFlag.pasid : 0)
    guard flags & ~known == 0 else { throw .EOPNOTSUPP("the driver does not know the flag", UInt64(flags)) }
    let isParent = flags & HWPTFlag.nestParent != 0
    let tracks = flags & HWPTFlag.dirtyTracking != 0
    guard !isParent || features.hasNesting else { throw .EOPNOTSUPP("the unit has no nested translation") }
    guard !tracks || features.tracksDirty else { throw .EOPNOTSUPP("the unit cannot track writes") }
    guard !isModern || features.hasSecondStage else { throw .EOPNOTSUPP("the unit has no second stage") }
    guard let (levels, width) = isModern ? features.secondStageShape : features.oldSecondStageShape else {
      throw .EOPNOTSUPP("the unit has no table of a depth that the driver knows")
    }
    try failures.pass(.allocation, "a domain")
    let shape = VTdPagingDomain.Shape(
      levels: levels, width: width, pageSizes: features.secondStageSizes,
      notesWriteBack: !features.walksCoherently,
      syncsOnMap: features.needsWriteBufferFlush || features.cachesMissing, isModern: isModern)
    let table = try VTdSecondStageTable(
      memory,
      .init(
        levels: levels, inputLg2: width, pageSizes: shape.pageSizes,
        walksCoherently: features.walksCoherently || !isModern,
        options: VTdSecondStage.Options(requiresWrite: isParent)), failures: failures)
    return tracks
      ? VTdDirtyDomain(table, shape, isParent: isParent, of: self)
      : VTdSecondStageDomain(table, shape, isParent: isParent, of: self)
  }

  /// `intel_iommu_domain_alloc_nested`.
  public func allocateNested(
    for device: Device, parent: any PagingDomain, flags: UInt32, data: UserData
  ) throws(Errno) -> any NestedDomain {
    let unit = try unit(of: device)
    let known = isModern ? HWPTFlag.pasid : 0
    guard unit.features.hasNesting, flags & ~known == 0 else {
      throw .EOPNOTSUPP("the unit has no nested translation, or the flag is unknown", UInt64(flags))
    }
    guard data.type == VTdABI.hwptDataType else {
      throw .EOPNOTSUPP("data of another driver", UInt64(data.type))
    }
    guard let parent = parent as? VTdSecondStageDomain, parent.isParent, parent.driver === self else {
      throw .EINVAL("the parent was not made for nested domains")
    }
    let stage = VTdNestedStage(
      try data.copyIn(type: VTdABI.hwptDataType, minimum: VTdABI.stageSize, kernelSize: VTdABI.stageSize))
    try failures.pass(.allocation, "a nested domain")
    let nested = VTdNestedDomain(stage, on: parent, of: self)
    parent.add(nested)
    return nested
  }

  // MARK: Information

  /// `intel_iommu_hw_info`: the erratum is claimed of every unit.
  public func hardwareInformation(of device: Device, type: UInt32) throws(Errno) -> (
    type: UInt32, bytes: [UInt8]
  ) {
    guard type == 0 || type == VTdABI.hwInfoType else {
      throw .EOPNOTSUPP("the driver has no such information", UInt64(type))
    }
    let unit = try unit(of: device)
    try failures.pass(.allocation, "hardware information")
    return (
      VTdABI.hwInfoType,
      .words(VTdABI.erratum772415, 0) + .long(unit.features.cap) + .long(unit.features.ecap)
    )
  }

  // MARK: Page requests

  /// `intel_iommu_page_response`.
  public func respond(to request: PageRequest, from device: Device, with code: PageResponse) {
    guard let device = device as? VTdDevice else { return }
    device.unit.answer(
      source: device.function.requesterID, pasid: request.flags.contains(.pasidValid) ? request.pasid : nil,
      group: request.groupID, code: code, last: request.flags.contains(.lastPage))
  }
}
