// SPDX-License-Identifier: GPL-3.0-or-later

// Hardware page tables, device information and fault queues, 0x89...0x8E.

extension Layout {
  /// `struct iommu_hwpt_alloc`, 48 bytes (24, 40 in older releases).
  public enum HWPTAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var devID: Slot<UInt32> { Slot(8) }
    @inlinable public static var ptID: Slot<UInt32> { Slot(12) }
    @inlinable public static var outHWPTID: Slot<UInt32> { Slot(16) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(20) }
    @inlinable public static var dataType: Slot<UInt32> { Slot(24) }
    @inlinable public static var dataLen: Slot<UInt32> { Slot(28) }
    @inlinable public static var dataUptr: Slot<UInt64> { Slot(32) }
    @inlinable public static var faultID: Slot<UInt32> { Slot(40) }
    @inlinable public static var reserved2: Slot<UInt32> { Slot(44) }
  }

  /// `struct iommu_hw_info`, 40 bytes (32 in 6.6).
  public enum GetHWInfo {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var devID: Slot<UInt32> { Slot(8) }
    @inlinable public static var dataLen: Slot<UInt32> { Slot(12) }
    @inlinable public static var dataUptr: Slot<UInt64> { Slot(16) }
    @inlinable public static var dataType: Slot<UInt32> { Slot(24) }
    @inlinable public static var outMaxPASIDLg2: Slot<UInt8> { Slot(28) }
    @inlinable public static var reserved0: Slot<UInt8> { Slot(29) }
    @inlinable public static var reserved1: Slot<UInt16> { Slot(30) }
    @inlinable public static var outCapabilities: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_hwpt_set_dirty_tracking`, 16 bytes.
  public enum SetDirtyTracking {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var hwptID: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
  }

  /// `struct iommu_hwpt_get_dirty_bitmap`, 48 bytes.
  public enum GetDirtyBitmap {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var hwptID: Slot<UInt32> { Slot(4) }
    @inlinable public static var flags: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var iova: Slot<UInt64> { Slot(16) }
    @inlinable public static var length: Slot<UInt64> { Slot(24) }
    @inlinable public static var pageSize: Slot<UInt64> { Slot(32) }
    @inlinable public static var data: Slot<UInt64> { Slot(40) }
  }

  /// `struct iommu_hwpt_invalidate`, 32 bytes.
  public enum Invalidate {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var hwptID: Slot<UInt32> { Slot(4) }
    @inlinable public static var dataUptr: Slot<UInt64> { Slot(8) }
    @inlinable public static var dataType: Slot<UInt32> { Slot(16) }
    @inlinable public static var entryLen: Slot<UInt32> { Slot(20) }
    @inlinable public static var entryNum: Slot<UInt32> { Slot(24) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(28) }
  }

  /// `struct iommu_fault_alloc`, 16 bytes.
  public enum FaultQueueAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var outFaultID: Slot<UInt32> { Slot(8) }
    @inlinable public static var outFaultFD: Slot<UInt32> { Slot(12) }
  }
}

extension CommandTable {
  static let hwptRows: [CommandRow] = [
    CommandRow(
      "HWPT_ALLOC", 0x3B89, minimum: 24,
      sizes: [(KernelVersion(6, 6), 24), (KernelVersion(6, 7), 40), (KernelVersion(6, 11), 48)],
      fields: [
        Field("size", Layout.HWPTAlloc.size, .input, .length),
        Field("flags", Layout.HWPTAlloc.flags, .input, .flags(Names.hwptFlags)),
        Field("dev_id", Layout.HWPTAlloc.devID, .input, .objectID),
        Field("pt_id", Layout.HWPTAlloc.ptID, .input, .objectID),
        Field("out_hwpt_id", Layout.HWPTAlloc.outHWPTID, .output, .objectID),
        Field("__reserved", Layout.HWPTAlloc.reserved, .input, .reserved),
        Field("data_type", Layout.HWPTAlloc.dataType, .input, .choice(Names.hwptData)),
        Field("data_len", Layout.HWPTAlloc.dataLen, .input, .length),
        Field("data_uptr", Layout.HWPTAlloc.dataUptr, .input, .userPointer),
        Field("fault_id", Layout.HWPTAlloc.faultID, .input, .objectID),
        Field("__reserved2", Layout.HWPTAlloc.reserved2),
      ],
      "Creates a hardware page table on an IOAS, a parent HWPT or a vIOMMU."),
    CommandRow(
      "GET_HW_INFO", 0x3B8A, minimum: 32,
      sizes: [(KernelVersion(6, 6), 32), (KernelVersion(6, 7), 40)],
      fields: [
        Field("size", Layout.GetHWInfo.size, .input, .length),
        Field("flags", Layout.GetHWInfo.flags, .input, .flags(Names.hwInfoFlags)),
        Field("dev_id", Layout.GetHWInfo.devID, .input, .objectID),
        Field("data_len", Layout.GetHWInfo.dataLen, .both, .length),
        Field("data_uptr", Layout.GetHWInfo.dataUptr, .input, .userPointer),
        Field("data_type", Layout.GetHWInfo.dataType, .both, .choice(Names.hwInfoTypes)),
        Field("out_max_pasid_log2", Layout.GetHWInfo.outMaxPASIDLg2, .output),
        Field("__reserved[0]", Layout.GetHWInfo.reserved0, .input, .reserved),
        Field("__reserved[1]", Layout.GetHWInfo.reserved1, .input, .reserved),
        Field("out_capabilities", Layout.GetHWInfo.outCapabilities, .output, .flags(Names.hwCapabilities)),
      ],
      "Reads what the IOMMU in front of a device reports of itself."),
    CommandRow(
      "HWPT_SET_DIRTY_TRACKING", 0x3B8B, minimum: 16,
      sizes: [(KernelVersion(6, 7), 16)],
      fields: [
        Field("size", Layout.SetDirtyTracking.size, .input, .length),
        Field("flags", Layout.SetDirtyTracking.flags, .input, .flags(Names.setDirtyFlags)),
        Field("hwpt_id", Layout.SetDirtyTracking.hwptID, .input, .objectID),
        Field("__reserved", Layout.SetDirtyTracking.reserved),
      ],
      "Turns dirty tracking of an HWPT on or off."),
    CommandRow(
      "HWPT_GET_DIRTY_BITMAP", 0x3B8C, minimum: 48,
      sizes: [(KernelVersion(6, 7), 48)],
      fields: [
        Field("size", Layout.GetDirtyBitmap.size, .input, .length),
        Field("hwpt_id", Layout.GetDirtyBitmap.hwptID, .input, .objectID),
        Field("flags", Layout.GetDirtyBitmap.flags, .input, .flags(Names.getDirtyFlags)),
        Field("__reserved", Layout.GetDirtyBitmap.reserved, .input, .reserved),
        Field("iova", Layout.GetDirtyBitmap.iova, .input, .iova),
        Field("length", Layout.GetDirtyBitmap.length, .input, .length),
        Field("page_size", Layout.GetDirtyBitmap.pageSize, .input, .length),
        Field("data", Layout.GetDirtyBitmap.data, .input, .userPointer),
      ],
      "Reads, and unless told otherwise clears, which pages a device wrote."),
    CommandRow(
      "HWPT_INVALIDATE", 0x3B8D, minimum: 32,
      sizes: [(KernelVersion(6, 8), 32)],
      fields: [
        Field("size", Layout.Invalidate.size, .input, .length),
        Field("hwpt_id", Layout.Invalidate.hwptID, .input, .objectID),
        Field("data_uptr", Layout.Invalidate.dataUptr, .input, .userPointer),
        Field("data_type", Layout.Invalidate.dataType, .input, .choice(Names.invalidateData)),
        Field("entry_len", Layout.Invalidate.entryLen, .input, .length),
        Field("entry_num", Layout.Invalidate.entryNum, .both),
        Field("__reserved", Layout.Invalidate.reserved, .input, .reserved),
      ],
      "Flushes caches of a nested HWPT or of a vIOMMU."),
    CommandRow(
      "FAULT_QUEUE_ALLOC", 0x3B8E, minimum: 16,
      sizes: [(KernelVersion(6, 11), 16)],
      fields: [
        Field("size", Layout.FaultQueueAlloc.size, .input, .length),
        Field("flags", Layout.FaultQueueAlloc.flags, .input, .reserved),
        Field("out_fault_id", Layout.FaultQueueAlloc.outFaultID, .output, .objectID),
        Field("out_fault_fd", Layout.FaultQueueAlloc.outFaultFD, .output, .fileDescriptor),
      ],
      "Creates a queue of I/O page faults with a file descriptor to read and answer them."),
  ]
}
