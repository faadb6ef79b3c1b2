// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

// What an IOMMU driver offers iommufd. The kernel has one table of function pointers, `struct iommu_ops`,
// in which most may be missing; here the obligatory ones are `IOMMUDriver`, and each optional one is a
// protocol of its own. Who lacks the protocol lacks the operation:
//
//     FlaggedAllocation   domain_alloc_paging_flags   flags or data on HWPT_ALLOC   else EOPNOTSUPP
//     NestedAllocation    domain_alloc_nested         a nested HWPT on a parent     else EOPNOTSUPP
//     HardwareInformation hw_info                     GET_HW_INFO                   else type NONE
//     PageResponding      page_response               joining a fault queue         else ENODEV
//     VIOMMUProviding     get_viommu_size, _init      VIOMMU_ALLOC                  else EOPNOTSUPP

/// An IOMMU driver: `struct iommu_ops`. One instance stands for one kind of hardware; domains and devices
/// belong to the same driver when they name the same instance.
public protocol IOMMUDriver: AnyObject, Sendable {
  /// For messages: `mock`, `intel-vtd`, ...
  var name: String { get }

  /// The static domain in which no DMA works; nil for a driver without one, whose groups then block DMA with
  /// an empty paging domain. `blocked_domain`.
  var blockedDomain: (any Domain)? { get }

  /// The domain of a group that nobody owns: the kernel's own DMA, or the identity. `default_domain`,
  /// `def_domain_type`.
  ///
  /// - Throws: what allocating a domain can.
  func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain

  /// A paging domain fit for `device`. `domain_alloc_paging`.
  ///
  /// - Throws: ENOMEM, and what the driver refuses.
  func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain

  /// Whether user space owns the PASID table of a nested domain, so that faults of a PASID that is not
  /// attached belong to the nested domain of the RID. `user_pasid_table`.
  var hasUserPASIDTables: Bool { get }
}

extension IOMMUDriver {
  public var hasUserPASIDTables: Bool { false }
}

/// A driver whose paging domains come in kinds: `domain_alloc_paging_flags`.
public protocol FlaggedAllocation: IOMMUDriver {
  /// - Parameters:
  ///   - flags: of IOMMU_HWPT_ALLOC, without FAULT_ID_VALID.
  ///   - data: what the caller passed for the driver, nil for none.
  /// - Throws: EOPNOTSUPP for what the hardware cannot do, and other refusals.
  func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno) -> any PagingDomain
}

/// A driver with guest-managed first stages on top of a parent: `domain_alloc_nested`.
public protocol NestedAllocation: IOMMUDriver {
  /// - Throws: EOPNOTSUPP, EINVAL, EFAULT and other refusals.
  func allocateNested(
    for device: Device, parent: any PagingDomain, flags: UInt32, data: UserData
  ) throws(Errno) -> any NestedDomain
}

/// A driver that describes its hardware: `hw_info`.
public protocol HardwareInformation: IOMMUDriver {
  /// - Parameter type: what the caller asked for, 0 for whatever there is.
  /// - Returns: the type that the bytes have, never 0, and the bytes.
  /// - Throws: EOPNOTSUPP for a type that the driver does not know.
  func hardwareInformation(of device: Device, type: UInt32) throws(Errno) -> (type: UInt32, bytes: [UInt8])
}

/// A driver that can answer page requests: `page_response`.
public protocol PageResponding: IOMMUDriver {
  /// `request` is the last one of its group.
  func respond(to request: PageRequest, from device: Device, with code: PageResponse)
}

/// A driver that can share its hardware with a guest: `get_viommu_size` and `viommu_init`.
public protocol VIOMMUProviding: IOMMUDriver {
  func supportsVIOMMU(type: UInt32, on device: Device) -> Bool

  /// - Parameters:
  ///   - core: iommufd's object, which outlives the driver's half.
  ///   - data: what the caller passed for the driver, nil for none.
  /// - Throws: EINVAL for a parent of another IOMMU, and other refusals.
  func makeVIOMMU(
    type: UInt32, on instance: IOMMUInstance, core: any VIOMMUCore, parent: any PagingDomain, data: UserData?
  ) throws(Errno) -> any VIOMMUDriver
}

/// One physical IOMMU of a machine: `struct iommu_device`. Drivers subclass it for their registers.
open class IOMMUInstance: @unchecked Sendable {
  public let name: String
  public let driver: any IOMMUDriver

  public init(name: String, driver: any IOMMUDriver) {
    self.name = name
    self.driver = driver
  }
}
