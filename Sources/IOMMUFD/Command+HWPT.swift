// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The requests on hardware page tables. Source: `drivers/iommu/iommufd/hw_pagetable.c`; reference
// devices-hwpt-viommu.md section 3, uapi.md section 3.

extension Command {
  /// The driver's data of a request, which may be of length 0.
  func userData(type: UInt32, length: UInt32, address: UInt64) -> UserData {
    UserData(
      type: type, length: length, address: address, memory: task.memory, failures: context.kernel.failures)
  }

  /// IOMMU_HWPT_ALLOC.
  ///
  /// - Throws: EOPNOTSUPP, EINVAL (also for a page table that does not exist), ENOENT, ENOMEM, EADDRINUSE,
  ///   EFAULT, and what the driver refuses.
  func hwptAlloc() throws(Errno) -> Int32 {
    let flags = self[Layout.HWPTAlloc.flags]
    let data = userData(
      type: self[Layout.HWPTAlloc.dataType], length: self[Layout.HWPTAlloc.dataLen],
      address: self[Layout.HWPTAlloc.dataUptr])
    guard self[Layout.HWPTAlloc.reserved] == 0 else {
      throw .EOPNOTSUPP("__reserved is not 0", UInt64(self[Layout.HWPTAlloc.reserved]))
    }
    guard (data.type == 0) == (data.length == 0) else {
      throw .EINVAL("data without a type, or a type without data", UInt64(data.type), UInt64(data.length))
    }
    try context.objects.with(DeviceObject.self, self[Layout.HWPTAlloc.devID]) { device throws(Errno) in
      let base: Object
      do throws(Errno) { base = try context.objects.get(Object.self, self[Layout.HWPTAlloc.ptID]) } catch {
        throw .EINVAL("pt_id names no object", UInt64(self[Layout.HWPTAlloc.ptID]))
      }
      defer { context.objects.put(base) }
      switch base {
      case let ioas as IOAS:
        try ioas.hwptLock.withLock { () throws(Errno) in
          try finish(
            PagingHWPT.make(
              on: ioas, for: device, flags: flags, data: data.length > 0 ? data : nil, attaching: nil))
        }
      case let parent as PagingHWPT:
        try finish(NestedHWPT.make(on: parent, for: device, flags: flags, data: data))
      case let viommu as VIOMMU:
        guard viommu.instance === device.device.instance else {
          throw .EINVAL("the device is behind another IOMMU than the vIOMMU")
        }
        try finish(NestedHWPT.make(on: viommu, flags: flags, data: data))
      default:
        throw .EINVAL("pt_id is neither IOAS nor HWPT_PAGING nor VIOMMU", UInt64(base.id))
      }
    }
    return 0
  }

  /// Connects the fault queue, answers, and publishes; or undoes the allocation.
  private func finish(_ hwpt: HWPT) throws(Errno) {
    do throws(Errno) {
      if self[Layout.HWPTAlloc.flags] & HWPTFlag.faultIDValid != 0 {
        try context.objects.with(FaultQueue.self, self[Layout.HWPTAlloc.faultID]) { hwpt.connect($0) }
      }
      self[Layout.HWPTAlloc.outHWPTID] = hwpt.id
      try respond()
    } catch {
      hwpt.abort()
      throw error
    }
    context.objects.publish(hwpt)
  }

  /// IOMMU_HWPT_SET_DIRTY_TRACKING.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, and what the driver refuses.
  func setDirtyTracking() throws(Errno) -> Int32 {
    let flags = self[Layout.SetDirtyTracking.flags]
    guard flags & ~1 == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
    try context.objects.with(PagingHWPT.self, self[Layout.SetDirtyTracking.hwptID]) { hwpt throws(Errno) in
      guard let domain = hwpt.domain as? any DirtyTrackingDomain else {
        throw .EOPNOTSUPP("the HWPT was allocated without DIRTY_TRACKING", UInt64(hwpt.id))
      }
      try hwpt.ioas.pagetable.setDirtyTracking(domain, enabled: flags & 1 != 0)
    }
    return 0
  }

  /// IOMMU_HWPT_GET_DIRTY_BITMAP. Whatever goes wrong while the table is read is not reported.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, EOVERFLOW, EINVAL, ENOMEM.
  func getDirtyBitmap() throws(Errno) -> Int32 {
    let flags = self[Layout.GetDirtyBitmap.flags]
    let iova = self[Layout.GetDirtyBitmap.iova]
    let length = self[Layout.GetDirtyBitmap.length]
    let pageSize = self[Layout.GetDirtyBitmap.pageSize]
    guard flags & ~1 == 0, self[Layout.GetDirtyBitmap.reserved] == 0 else {
      throw .EOPNOTSUPP(
        "an unknown flag, or __reserved is not 0", UInt64(flags), UInt64(self[Layout.GetDirtyBitmap.reserved])
      )
    }
    try context.objects.with(PagingHWPT.self, self[Layout.GetDirtyBitmap.hwptID]) { hwpt throws(Errno) in
      let pagetable = hwpt.ioas.pagetable
      try pagetable.checkDirtyRange(iova: iova, length: length, pageSize: pageSize)
      guard let domain = hwpt.domain as? any DirtyTrackingDomain else {
        throw .EOPNOTSUPP("the HWPT was allocated without DIRTY_TRACKING", UInt64(hwpt.id))
      }
      try pagetable.readDirty(
        domain, iova: iova, length: length, pageSize: pageSize, data: self[Layout.GetDirtyBitmap.data],
        clearing: flags & 1 == 0, memory: task.memory)
    }
    return 0
  }

  // MARK: Invalidation

  private static var maximumEntries: UInt32 { 1 << 19 }

  /// IOMMU_HWPT_INVALIDATE. The number of entries done is written back whatever happens.
  ///
  /// - Throws: EOPNOTSUPP, EINVAL, ENOENT, what the driver refuses; EFAULT instead of any of them.
  func hwptInvalidate() throws(Errno) -> Int32 {
    var done: UInt32 = 0
    var failure: Errno?
    do throws(Errno) { try invalidate(&done) } catch { failure = error }
    self[Layout.Invalidate.entryNum] = done
    try respond(stays: true)
    if let failure { throw failure }
    return 0
  }

  private func invalidate(_ done: inout UInt32) throws(Errno) {
    let id = self[Layout.Invalidate.hwptID]
    let entries = UserArray(
      type: self[Layout.Invalidate.dataType], entryLength: self[Layout.Invalidate.entryLen],
      count: self[Layout.Invalidate.entryNum], address: self[Layout.Invalidate.dataUptr], memory: task.memory,
      failures: context.kernel.failures)
    guard self[Layout.Invalidate.reserved] == 0 else {
      throw .EOPNOTSUPP("__reserved is not 0", UInt64(self[Layout.Invalidate.reserved]))
    }
    if entries.count > 0 {
      guard entries.address != 0, entries.entryLength != 0 else {
        throw .EINVAL("entries without an address or a length", entries.address, UInt64(entries.entryLength))
      }
      guard entries.entryLength <= Page.size, entries.count <= Self.maximumEntries else {
        throw .EINVAL("too many entries, or too long", UInt64(entries.count), UInt64(entries.entryLength))
      }
    }
    // Before there were vIOMMUs the object had to be a nested HWPT.
    let object =
      context.version >= KernelVersion(6, 13)
      ? try context.objects.get(Object.self, id) : try context.objects.get(NestedHWPT.self, id)
    defer { context.objects.put(object) }
    switch object {
    case let hwpt as NestedHWPT:
      guard let domain = hwpt.domain as? any InvalidatableDomain else {
        throw .EOPNOTSUPP("the IOMMU driver has no invalidation of nested domains")
      }
      try domain.invalidate(entries, done: &done)
    case let viommu as VIOMMU:
      guard let driver = viommu.driver as? any VIOMMUInvalidation else {
        throw .EOPNOTSUPP("the vIOMMU has no invalidation")
      }
      try driver.invalidate(entries, done: &done)
    default:
      throw .EINVAL("neither a nested HWPT nor a vIOMMU", UInt64(id))
    }
  }
}
