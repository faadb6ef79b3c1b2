// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Seams

/// What one open file knows of an IOMMU group: `struct iommufd_group`. All devices of the group that are
/// bound to the file share it; it dies with the last.
final class DeviceGroup: @unchecked Sendable {
  let core: CoreGroup
  /// Guards everything below but `devices`. `igroup->lock`.
  let lock = Lock(.group)
  /// Bound devices; guarded by the lock of `DeviceState`.
  @exclusivity(unchecked) var devices = 1
  /// What is attached, by PASID; 0 is the RID. An attachment that no device has left does not exist.
  @exclusivity(unchecked) var attachments: [UInt32: Attachment] = [:]
  /// IDs of the doorbell pages that the group's devices use.
  var requiredMSI: UInt64 = 0
  /// Where software maps doorbells for the group; nil until a device with such a window is attached.
  var msiWindow: UInt64?

  init(_ core: CoreGroup) { self.core = core }
}

/// One HWPT at one PASID of a group, and the devices that attached it: `struct iommufd_attach`. The hardware
/// is set up by the first device, for the whole group; the others join.
final class Attachment: @unchecked Sendable {
  @exclusivity(unchecked) var hwpt: HWPT
  /// In the order of their IDs.
  @exclusivity(unchecked) private(set) var devices: [DeviceObject] = []

  init(_ hwpt: HWPT) { self.hwpt = hwpt }

  func contains(_ device: DeviceObject) -> Bool { devices.contains { $0 === device } }

  func add(_ device: DeviceObject) {
    devices.insert(device, at: devices.firstIndex { $0.id > device.id } ?? devices.count)
  }

  func remove(_ device: DeviceObject) { devices.removeAll { $0 === device } }
}

/// The core's handle of an attachment, with the device that made it. It goes on naming that device when the
/// device has left and another of the group stays (reference Q5). `struct iommufd_attach_handle`.
final class DeviceHandle: AttachHandle, @unchecked Sendable {
  let device: DeviceObject
  init(_ device: DeviceObject) { self.device = device }
}
