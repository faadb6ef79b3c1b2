// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// The VFIO type1 requests on `/dev/iommu`: a program written for a VFIO container runs on the compatibility
/// IOAS. Source: `drivers/iommu/iommufd/vfio_compat.c`; reference uapi.md section 5.
enum VFIOCompat {
  /// - Throws: ENOTTY for any other request; the pointer is then not looked at.
  static func run(
    _ request: UInt32, _ argument: UInt64, by task: any CallingTask, in context: Context
  ) throws(Errno) -> Int32 {
    switch request {
    case 0x3B64: return 0
    case 0x3B65: return try checkExtension(argument, context)
    case 0x3B66: return try setIOMMU(argument, context)
    case 0x3B70: return try getInfo(argument, task, context)
    case 0x3B71: return try mapDMA(argument, task, context)
    case 0x3B72: return try unmapDMA(argument, task, context)
    default: throw .ENOTTY("neither an iommufd command nor one of VFIO's six", UInt64(request))
    }
  }

  /// VFIO_CHECK_EXTENSION. `iommufd_vfio_check_extension`.
  ///
  /// - Throws: ENODEV for DMA_CC without a compatibility IOAS.
  private static func checkExtension(_ number: UInt64, _ context: Context) throws(Errno) -> Int32 {
    switch number {
    case 1, 3, 9: return 1
    case 4:
      return try context.withCompatIOAS { ioas in
        ioas.hwptLock.withLock { ioas.hwpts.allSatisfy(\.enforcesCacheCoherency) } ? 1 : 0
      }
    default: return 0
    }
  }

  /// VFIO_SET_IOMMU. `iommufd_vfio_set_iommu`.
  ///
  /// - Throws: EINVAL unless type1 or type1v2; ENODEV; type1 also what turning large pages off throws.
  private static func setIOMMU(_ type: UInt64, _ context: Context) throws(Errno) -> Int32 {
    guard type == 1 || type == 3 else { throw .EINVAL("only type1 and type1v2 exist here", type) }
    return try context.withCompatIOAS { ioas throws(Errno) in
      if type == 1 { try ioas.pagetable.disableLargePages() }
      return 0
    }
  }

  /// VFIO_IOMMU_MAP_DMA: a fixed mapping. `iommufd_vfio_map_dma`.
  private static func mapDMA(_ argument: UInt64, _ task: any CallingTask, _ context: Context) throws(Errno)
    -> Int32
  {
    typealias L = Layout.VFIOMapDMA
    try context.kernel.failures.pass(.copy, "the struct of a request")
    let map = try UserStruct(32, at: argument, in: task.memory)
    guard map[L.argsz] >= 32 else { throw .EINVAL("argsz is below 32", UInt64(map[L.argsz])) }
    guard map[L.flags] & ~3 == 0 else { throw .EINVAL("unknown flag", UInt64(map[L.flags])) }
    var protection: Protection = .cache
    if map[L.flags] & 1 != 0 { protection.insert(.read) }
    if map[L.flags] & 2 != 0 { protection.insert(.write) }
    return try context.withCompatIOAS { ioas throws(Errno) in
      _ = try ioas.pagetable.mapUser(
        map[L.vaddr], length: map[L.size], at: .fixed(map[L.iova]), protection: protection, by: task,
        accounting: context.accounting)
      return 0
    }
  }

  /// VFIO_IOMMU_UNMAP_DMA. `iommufd_vfio_unmap_dma`; what was removed is written back even when it fails.
  private static func unmapDMA(_ argument: UInt64, _ task: any CallingTask, _ context: Context) throws(Errno)
    -> Int32
  {
    typealias L = Layout.VFIOUnmapDMA
    try context.kernel.failures.pass(.copy, "the struct of a request")
    var unmap = try UserStruct(24, at: argument, in: task.memory)
    guard unmap[L.argsz] >= 24 else { throw .EINVAL("argsz is below 24", UInt64(unmap[L.argsz])) }
    guard unmap[L.flags] & ~2 == 0 else { throw .EINVAL("unknown flag", UInt64(unmap[L.flags])) }
    let (iova, size, all) = (unmap[L.iova], unmap[L.size], unmap[L.flags] & 2 != 0)
    return try context.withCompatIOAS { ioas throws(Errno) in
      let table = ioas.pagetable
      var removed: UInt64 = 0
      var failure: Errno?
      if all {
        guard iova == 0, size == 0 else { throw .EINVAL("iova and size must be 0 to unmap all", iova, size) }
        do throws(Errno) { removed = try table.unmapAll() } catch { failure = error }
      } else {
        if table.areasLock.withShared({ table.largePagesDisabled }) {
          try table.cut(after: iova == 0 ? [size &- 1] : [iova &+ size &- 1, iova - 1])
        }
        do throws(Errno) {
          try table.unmap(iova, length: size, emptyIsFine: true, removed: &removed)
        } catch { failure = error }
      }
      unmap[L.size] = removed
      try context.kernel.failures.pass(.answer, "the answer of a request")
      try unmap.copyOut(24)
      if let failure { throw failure }
      return 0
    }
  }

  /// VFIO_IOMMU_GET_INFO: page sizes, then two capabilities, as far as `argsz` goes.
  /// `iommufd_vfio_iommu_get_info`; reference uapi.md section 5.5 has the byte image.
  private static func getInfo(_ argument: UInt64, _ task: any CallingTask, _ context: Context) throws(Errno)
    -> Int32
  {
    typealias L = Layout.VFIOInfo
    try context.kernel.failures.pass(.copy, "the struct of a request")
    var info = try UserStruct(24, reading: 16, at: argument, in: task.memory)
    let size = UInt64(info[L.argsz])
    guard size >= 16 else { throw .EINVAL("argsz is below 16", size) }
    return try context.withCompatIOAS { ioas throws(Errno) in
      let table = ioas.pagetable
      table.domainsLock.lockShared()
      let sizes = table.vfioPageSizes
      table.domainsLock.unlockShared()
      let ranges = table.areasLock.withShared { table.unreserved() }

      try context.kernel.failures.pass(.copy, "the capabilities of a container")
      // DMA_AVAIL: id 3, version 1, next, avail; 12 bytes in a place of 16.
      if size >= 24 + 12 {
        try task.memory.write([3, 0, 1, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], at: argument &+ 24)
      }
      // IOVA_RANGE: id 1, version 1, next, count, reserved; then the ranges. Each part that fits is written.
      let room = size > 40 ? size - 40 : 0
      for (index, range) in ranges.enumerated() where room >= 16 + 16 * UInt64(index + 1) {
        let place = argument &+ 56 &+ 16 * UInt64(index)
        try task.memory.store(range.first, at: place)
        try task.memory.store(range.last, at: place &+ 8)
      }
      let body = 16 + 16 * UInt64(ranges.count)
      if room >= body {
        try task.memory.store(UInt64(1 | 1 << 16), at: argument &+ 40)
        try task.memory.store(UInt64(ranges.count), at: argument &+ 48)
      }
      if size >= 40 { try task.memory.store(UInt32(40), at: argument &+ 28) }

      let total = 40 + body
      info[L.capOffset] = size >= total ? 24 : 0
      info[L.argsz] = UInt32(truncatingIfNeeded: total)
      info[L.flags] = 3
      info[L.iovaPgsizes] = sizes
      try context.kernel.failures.pass(.copy, "the answer of a request")
      try info.copyOut(Int(min(size, 24)))
      return 0
    }
  }
}

extension IOPageTable {
  /// What GET_INFO calls page sizes: those of every domain, from the host's page up, and at least the
  /// alignment. `iommufd_get_pagesizes`.
  fileprivate var vfioPageSizes: UInt64 {
    var sizes = UInt64.max
    for domain in domains { sizes &= domain.pageSizes }
    if sizes & Page.mask != 0 { sizes = (sizes & ~Page.mask) | Page.size }
    return max(sizes, alignment)
  }
}
