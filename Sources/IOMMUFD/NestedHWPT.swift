// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// An HWPT whose table is the guest's: `struct iommufd_hwpt_nested`. It translates to addresses of its
/// parent, on which it stands directly or through a vIOMMU; its one reference is on that.
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
