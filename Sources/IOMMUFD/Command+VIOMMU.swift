// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The requests on vIOMMUs. Source: `drivers/iommu/iommufd/viommu.c`; reference devices-hwpt-viommu.md
// section 5, uapi.md section 4.

extension Command {
  /// IOMMU_VIOMMU_ALLOC.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, EINVAL, ENOMEM, EFAULT, and what the driver refuses.
  func viommuAlloc() throws(Errno) -> Int32 {
    let type = self[Layout.VIOMMUAlloc.type]
    guard self[Layout.VIOMMUAlloc.flags] == 0, type != 0 else {
      throw .EOPNOTSUPP(
        "flags is not 0, or the type is", UInt64(self[Layout.VIOMMUAlloc.flags]), UInt64(type))
    }
    try context.objects.with(DeviceObject.self, self[Layout.VIOMMUAlloc.devID]) { device throws(Errno) in
      guard let instance = device.device.instance, let driver = instance.driver as? any VIOMMUProviding,
        driver.supportsVIOMMU(type: type, on: device.device)
      else { throw .EOPNOTSUPP("the device's IOMMU driver has no vIOMMU of this type", UInt64(type)) }
      try context.objects.with(PagingHWPT.self, self[Layout.VIOMMUAlloc.hwptID]) { hwpt throws(Errno) in
        guard hwpt.isNestParent else {
          throw .EINVAL("the HWPT was not allocated as a nesting parent", UInt64(hwpt.id))
        }
        let data = userData(
          type: type, length: self[Layout.VIOMMUAlloc.dataLen], address: self[Layout.VIOMMUAlloc.dataUptr])
        let viommu = VIOMMU(type: type, instance: instance, parent: hwpt, in: context)
        try makeOrDestroy(viommu) { viommu throws(Errno) in
          try viommu.start(driver, data: data.length > 0 ? data : nil)
          self[Layout.VIOMMUAlloc.outVIOMMUID] = viommu.id
          try respond()
        }
      }
    }
    return 0
  }

  /// `Context.create` for an object that holds references from the start.
  private func makeOrDestroy<T: Object>(_ object: T, _ body: (T) throws(Errno) -> Void) throws(Errno) {
    do throws(Errno) { try context.objects.reserve(object) } catch {
      object.destroy()
      throw error
    }
    do throws(Errno) { try body(object) } catch {
      context.objects.abandon(object)
      object.destroy()
      throw error
    }
    context.objects.publish(object)
  }

  /// IOMMU_VDEVICE_ALLOC.
  ///
  /// - Throws: ENOENT, EINVAL, EEXIST, ENOMEM, EFAULT, and what the driver refuses.
  func vdeviceAlloc() throws(Errno) -> Int32 {
    let virtualID = self[Layout.VDeviceAlloc.virtID]
    try context.objects.with(VIOMMU.self, self[Layout.VDeviceAlloc.viommuID]) { viommu throws(Errno) in
      let device = try context.objects.get(DeviceObject.self, self[Layout.VDeviceAlloc.devID])
      do throws(Errno) {
        guard device.device.instance === viommu.instance else {
          throw .EINVAL("the device is behind another IOMMU than the vIOMMU")
        }
        try device.group.lock.withLock { () throws(Errno) in
          try place(VDevice(virtualID, on: viommu, for: device))
        }
      } catch {
        context.objects.put(device)
        throw error
      }
      // On success the call's hold on the device becomes the vDEVICE's.
    }
    return 0
  }

  private func place(_ vdevice: VDevice) throws(Errno) {
    let device = vdevice.device
    guard !device.isUnbinding else { throw .ENOENT("the device is being unbound", UInt64(device.id)) }
    guard device.vdevice == nil else { throw .EEXIST("the device has a vDEVICE", UInt64(device.id)) }
    try context.objects.reserve(vdevice)
    do throws(Errno) {
      try vdevice.place()
      self[Layout.VDeviceAlloc.outVDeviceID] = vdevice.id
      try respond()
    } catch {
      vdevice.leave()
      context.objects.abandon(vdevice)
      throw error
    }
    context.objects.publish(vdevice)
  }

  /// IOMMU_HW_QUEUE_ALLOC.
  ///
  /// - Throws: EOPNOTSUPP, EINVAL, EOVERFLOW, ENOENT, ERANGE, ENOMEM, EADDRINUSE, EPERM, EFAULT, and what
  ///   the driver refuses.
  func hwQueueAlloc() throws(Errno) -> Int32 {
    let type = self[Layout.HWQueueAlloc.type]
    let iova = self[Layout.HWQueueAlloc.nestingParentIOVA]
    let length = self[Layout.HWQueueAlloc.length]
    guard self[Layout.HWQueueAlloc.flags] == 0, type != 0 else {
      throw .EOPNOTSUPP(
        "flags is not 0, or the type is", UInt64(self[Layout.HWQueueAlloc.flags]), UInt64(type))
    }
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard !iova.addingReportingOverflow(length - 1).overflow else {
      throw .EOVERFLOW("iova + length wraps", iova, length)
    }
    try context.objects.with(VIOMMU.self, self[Layout.HWQueueAlloc.viommuID]) { viommu throws(Errno) in
      guard let driver = viommu.driver as? any VIOMMUQueues, driver.supportsQueue(type: type) else {
        throw .EOPNOTSUPP("the vIOMMU has no hardware queues of this type", UInt64(type))
      }
      let queue = HWQueue(type: type, iova: iova, length: length, on: viommu)
      try makeOrDestroy(queue) { queue throws(Errno) in
        let physical = try queue.pin()
        try queue.start(driver, index: self[Layout.HWQueueAlloc.index], physical: physical)
        self[Layout.HWQueueAlloc.outHWQueueID] = queue.id
        try respond()
      }
    }
    return 0
  }
}
