// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import UAPI

// A vIOMMU has two halves: iommufd's object, which the driver calls (`VIOMMUCore`), and the driver's, which
// iommufd calls (`VIOMMUDriver`). Of the latter's operations each may be missing:
//
//     VIOMMUNesting       alloc_domain_nested         HWPT_ALLOC on the vIOMMU    else EOPNOTSUPP
//     VIOMMUInvalidation  cache_invalidate            HWPT_INVALIDATE on it       else EOPNOTSUPP
//     VIOMMUDevices       vdevice_size, vdevice_init  a say in VDEVICE_ALLOC      else all are accepted
//     VIOMMUQueues        get_hw_queue_size, _init    HW_QUEUE_ALLOC              else EOPNOTSUPP

/// iommufd's half of a vIOMMU, as its driver sees it: `struct iommufd_viommu` and the calls of
/// `drivers/iommu/iommufd/driver.c`.
public protocol VIOMMUCore: AnyObject, Sendable {
  /// The device that has this virtual ID here. `iommufd_viommu_find_dev`.
  func device(virtualID: UInt64) -> Device?

  /// The virtual ID of a device here. `iommufd_viommu_get_vdev_id`.
  ///
  /// - Throws: ENOENT when the device has no vDEVICE on this vIOMMU.
  func virtualID(of device: Device) throws(Errno) -> UInt64

  /// Reports an event to the queue of this type. `iommufd_viommu_report_event`.
  ///
  /// - Throws: EOPNOTSUPP when there is no such queue; ENOMEM, and the event counts as lost.
  func report(type: UInt32, payload: [UInt8]) throws(Errno)

  /// Lets user space map `length` bytes at `physical`; returns the offset to give to mmap.
  /// `iommufd_viommu_alloc_mmap`.
  ///
  /// - Throws: EINVAL unless both are multiples of the page size, and not 0; ENOMEM.
  func makeWindow(at physical: PhysAddr, length: UInt64) throws(Errno) -> UInt64

  /// The same for registers: what user space loads and stores there reaches the device. `iommufd_viommu_alloc_mmap` of
  /// their physical address.
  ///
  /// - Throws: EINVAL unless `length` is a multiple of the page size, and not 0; ENOMEM.
  func makeWindow(onto registers: any RegisterWindow, length: UInt64) throws(Errno) -> UInt64

  /// `iommufd_viommu_destroy_mmap`.
  func destroyWindow(at offset: UInt64)
}

/// The driver's half of a vIOMMU: `struct iommufd_viommu_ops`.
public protocol VIOMMUDriver: AnyObject, Sendable {
  /// The vIOMMU is going; nothing refers to it any more.
  func destroy()
}

public protocol VIOMMUNesting: VIOMMUDriver {
  /// - Throws: what the driver refuses.
  func allocateNested(flags: UInt32, data: UserData) throws(Errno) -> any NestedDomain
}

public protocol VIOMMUInvalidation: VIOMMUDriver {
  /// Handles the entries in order; `done` is the number handled fully, also when it throws.
  func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno)
}

public protocol VIOMMUDevices: VIOMMUDriver {
  /// - Throws: what the driver refuses.
  func addDevice(_ device: Device, virtualID: UInt64) throws(Errno)
  func removeDevice(_ device: Device, virtualID: UInt64)
}

public protocol VIOMMUQueues: VIOMMUDriver {
  func supportsQueue(type: UInt32) -> Bool

  /// - Parameters:
  ///   - core: iommufd's half of the queue.
  ///   - physical: where the queue's first byte is; its pages are contiguous and pinned.
  /// - Throws: what the driver refuses.
  func makeQueue(
    type: UInt32, index: UInt32, iova: IOVA, length: UInt64, physical: PhysAddr, core: any HardwareQueueCore
  ) throws(Errno) -> any HardwareQueueDriver
}

/// iommufd's half of a hardware queue: `struct iommufd_hw_queue`.
public protocol HardwareQueueCore: AnyObject, Sendable {
  /// `other` cannot be destroyed before this queue. `iommufd_hw_queue_depend`.
  ///
  /// - Throws: EINVAL for the queue itself.
  func depend(on other: any HardwareQueueCore) throws(Errno)
  /// `iommufd_hw_queue_undepend`.
  func undepend(from other: any HardwareQueueCore)
}

/// The driver's half of a hardware queue.
public protocol HardwareQueueDriver: AnyObject, Sendable {
  func destroy()
}
