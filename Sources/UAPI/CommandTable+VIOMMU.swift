// SPDX-License-Identifier: GPL-3.0-or-later

// What came after 6.12, 0x8F...0x95: file mappings, virtual IOMMUs and their queues.

extension Layout {
  /// `struct iommu_ioas_map_file`, 40 bytes.
  public enum IOASMapFile {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(8) }
    @inlinable public static var fd: Slot<UInt32> { Slot(12) }
    @inlinable public static var start: Slot<UInt64> { Slot(16) }
    @inlinable public static var length: Slot<UInt64> { Slot(24) }
    @inlinable public static var iova: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_viommu_alloc`, 40 bytes (24 before 6.17).
  public enum VIOMMUAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var type: Slot<UInt32> { Slot(8) }
    @inlinable public static var devID: Slot<UInt32> { Slot(12) }
    @inlinable public static var hwptID: Slot<UInt32> { Slot(16) }
    @inlinable public static var outVIOMMUID: Slot<UInt32> { Slot(20) }
    @inlinable public static var dataLen: Slot<UInt32> { Slot(24) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(28) }
    @inlinable public static var dataUptr: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_vdevice_alloc`, 24 bytes.
  public enum VDeviceAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var viommuID: Slot<UInt32> { Slot(4) }
    @inlinable public static var devID: Slot<UInt32> { Slot(8) }
    @inlinable public static var outVDeviceID: Slot<UInt32> { Slot(12) }
    @inlinable public static var virtID: Slot<UInt64> { Slot(16) }
  }

  /// `struct iommu_ioas_change_process`, 8 bytes.
  public enum IOASChangeProcess {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(4) }
  }

  /// `struct iommu_veventq_alloc`, 32 bytes.
  public enum VEventQAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var viommuID: Slot<UInt32> { Slot(8) }
    @inlinable public static var type: Slot<UInt32> { Slot(12) }
    @inlinable public static var depth: Slot<UInt32> { Slot(16) }
    @inlinable public static var outVEventQID: Slot<UInt32> { Slot(20) }
    @inlinable public static var outVEventQFD: Slot<UInt32> { Slot(24) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(28) }
  }

  /// `struct iommu_hw_queue_alloc`, 40 bytes.
  public enum HWQueueAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var viommuID: Slot<UInt32> { Slot(8) }
    @inlinable public static var type: Slot<UInt32> { Slot(12) }
    @inlinable public static var index: Slot<UInt32> { Slot(16) }
    @inlinable public static var outHWQueueID: Slot<UInt32> { Slot(20) }
    @inlinable public static var nestingParentIOVA: Slot<UInt64> { Slot(24) }
    @inlinable public static var length: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_ioas_noiommu_get_pa`, 40 bytes.
  public enum NoIOMMUGetPA {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var iova: Slot<UInt64> { Slot(16) }
    @inlinable public static var length: Slot<UInt64> { Slot(24) }
    @inlinable public static var outPhys: Slot<UInt64> { Slot(32) }
  }
}

extension CommandTable {
  static let viommuRows: [CommandRow] = [
    CommandRow(
      "IOAS_MAP_FILE", 0x3B8F, minimum: 40,
      sizes: [(KernelVersion(6, 13), 40)],
      fields: [
        Field("size", Layout.IOASMapFile.size, .input, .length),
        Field("flags", Layout.IOASMapFile.flags, .input, .flags(Names.mapFlags)),
        Field("ioas_id", Layout.IOASMapFile.ioasID, .input, .objectID),
        Field("fd", Layout.IOASMapFile.fd, .input, .fileDescriptor),
        Field("start", Layout.IOASMapFile.start, .input, .length),
        Field("length", Layout.IOASMapFile.length, .input, .length),
        Field("iova", Layout.IOASMapFile.iova, .both, .iova),
      ],
      "Maps a range of a memfd or of a dma-buf at an IOVA."),
    CommandRow(
      "VIOMMU_ALLOC", 0x3B90, minimum: 24,
      sizes: [(KernelVersion(6, 13), 24), (KernelVersion(6, 17), 40)],
      fields: [
        Field("size", Layout.VIOMMUAlloc.size, .input, .length),
        Field("flags", Layout.VIOMMUAlloc.flags, .input, .reserved),
        Field("type", Layout.VIOMMUAlloc.type, .input, .choice(Names.viommuTypes)),
        Field("dev_id", Layout.VIOMMUAlloc.devID, .input, .objectID),
        Field("hwpt_id", Layout.VIOMMUAlloc.hwptID, .input, .objectID),
        Field("out_viommu_id", Layout.VIOMMUAlloc.outVIOMMUID, .output, .objectID),
        Field("data_len", Layout.VIOMMUAlloc.dataLen, .input, .length),
        Field("__reserved", Layout.VIOMMUAlloc.reserved),
        Field("data_uptr", Layout.VIOMMUAlloc.dataUptr, .input, .userPointer),
      ],
      "Creates a guest's share of a physical IOMMU on a nesting parent."),
    CommandRow(
      "VDEVICE_ALLOC", 0x3B91, minimum: 24,
      sizes: [(KernelVersion(6, 13), 24)],
      fields: [
        Field("size", Layout.VDeviceAlloc.size, .input, .length),
        Field("viommu_id", Layout.VDeviceAlloc.viommuID, .input, .objectID),
        Field("dev_id", Layout.VDeviceAlloc.devID, .input, .objectID),
        Field("out_vdevice_id", Layout.VDeviceAlloc.outVDeviceID, .output, .objectID),
        Field("virt_id", Layout.VDeviceAlloc.virtID),
      ],
      "Gives a device its virtual ID on a vIOMMU."),
    CommandRow(
      "IOAS_CHANGE_PROCESS", 0x3B92, minimum: 8,
      sizes: [(KernelVersion(6, 13), 8)],
      fields: [
        Field("size", Layout.IOASChangeProcess.size, .input, .length),
        Field("__reserved", Layout.IOASChangeProcess.reserved, .input, .reserved),
      ],
      "Moves the charge for pinned memory to the calling process."),
    CommandRow(
      "VEVENTQ_ALLOC", 0x3B93, minimum: 28,
      sizes: [(KernelVersion(6, 15), 32)],
      fields: [
        Field("size", Layout.VEventQAlloc.size, .input, .length),
        Field("flags", Layout.VEventQAlloc.flags, .input, .reserved),
        Field("viommu_id", Layout.VEventQAlloc.viommuID, .input, .objectID),
        Field("type", Layout.VEventQAlloc.type, .input, .choice(Names.veventqTypes)),
        Field("veventq_depth", Layout.VEventQAlloc.depth),
        Field("out_veventq_id", Layout.VEventQAlloc.outVEventQID, .output, .objectID),
        Field("out_veventq_fd", Layout.VEventQAlloc.outVEventQFD, .output, .fileDescriptor),
        Field("__reserved", Layout.VEventQAlloc.reserved, .input, .reserved),
      ],
      "Creates a queue for the events of a vIOMMU."),
    CommandRow(
      "HW_QUEUE_ALLOC", 0x3B94, minimum: 40,
      sizes: [(KernelVersion(6, 17), 40)],
      fields: [
        Field("size", Layout.HWQueueAlloc.size, .input, .length),
        Field("flags", Layout.HWQueueAlloc.flags, .input, .reserved),
        Field("viommu_id", Layout.HWQueueAlloc.viommuID, .input, .objectID),
        Field("type", Layout.HWQueueAlloc.type, .input, .choice(Names.hwQueueTypes)),
        Field("index", Layout.HWQueueAlloc.index),
        Field("out_hw_queue_id", Layout.HWQueueAlloc.outHWQueueID, .output, .objectID),
        Field("nesting_parent_iova", Layout.HWQueueAlloc.nestingParentIOVA, .input, .iova),
        Field("length", Layout.HWQueueAlloc.length, .input, .length),
      ],
      "Hands guest memory to a vIOMMU as a queue that the hardware reads itself."),
    CommandRow(
      "IOAS_NOIOMMU_GET_PA", 0x3B95, minimum: 40,
      sizes: [(KernelVersion(7, 3), 40)],
      fields: [
        Field("size", Layout.NoIOMMUGetPA.size, .input, .length),
        Field("flags", Layout.NoIOMMUGetPA.flags, .input, .reserved),
        Field("ioas_id", Layout.NoIOMMUGetPA.ioasID, .input, .objectID),
        Field("__reserved", Layout.NoIOMMUGetPA.reserved, .input, .reserved),
        Field("iova", Layout.NoIOMMUGetPA.iova, .input, .iova),
        Field("length", Layout.NoIOMMUGetPA.length, .both, .length),
        Field("out_phys", Layout.NoIOMMUGetPA.outPhys, .output),
      ],
      "Reads the physical address behind an IOVA of a device without an IOMMU."),
  ]
}
