// SPDX-License-Identifier: GPL-3.0-or-later

// The VFIO type1 requests that `/dev/iommu` answers on its compatibility IOAS.

extension Layout {
  /// `struct vfio_iommu_type1_info`, 24 bytes, followed by a capability chain.
  public enum VFIOInfo {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var iovaPgsizes: Slot<UInt64> { Slot(8) }
    @inlinable public static var capOffset: Slot<UInt32> { Slot(16) }
    @inlinable public static var pad: Slot<UInt32> { Slot(20) }
  }

  /// `struct vfio_iommu_type1_dma_map`, 32 bytes.
  public enum VFIOMapDMA {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var vaddr: Slot<UInt64> { Slot(8) }
    @inlinable public static var iova: Slot<UInt64> { Slot(16) }
    @inlinable public static var size: Slot<UInt64> { Slot(24) }
  }

  /// `struct vfio_iommu_type1_dma_unmap`, 24 bytes.
  public enum VFIOUnmapDMA {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var iova: Slot<UInt64> { Slot(8) }
    @inlinable public static var size: Slot<UInt64> { Slot(16) }
  }
}

extension CommandTable {
  static let vfioRows: [CommandRow] = [
    CommandRow(
      "VFIO_GET_API_VERSION", 0x3B64, .vfio, minimum: 0,
      sizes: [],
      fields: [],
      "Returns the VFIO API version, 0."),
    CommandRow(
      "VFIO_CHECK_EXTENSION", 0x3B65, .vfio, minimum: 0,
      sizes: [],
      fields: [],
      "Asks whether an extension, passed by value, is there."),
    CommandRow(
      "VFIO_SET_IOMMU", 0x3B66, .vfio, minimum: 0,
      sizes: [],
      fields: [],
      "Chooses type1 or type1v2, passed by value."),
    CommandRow(
      "VFIO_IOMMU_GET_INFO", 0x3B70, .vfio, minimum: 16,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("argsz", Layout.VFIOInfo.argsz, .both, .length),
        Field("flags", Layout.VFIOInfo.flags, .output, .flags(Names.vfioInfoFlags)),
        Field("iova_pgsizes", Layout.VFIOInfo.iovaPgsizes, .output),
        Field("cap_offset", Layout.VFIOInfo.capOffset, .output),
        Field("pad", Layout.VFIOInfo.pad, .output),
      ],
      "Reads page sizes and the capability chain."),
    CommandRow(
      "VFIO_IOMMU_MAP_DMA", 0x3B71, .vfio, minimum: 32,
      sizes: [(KernelVersion(6, 2), 32)],
      fields: [
        Field("argsz", Layout.VFIOMapDMA.argsz, .input, .length),
        Field("flags", Layout.VFIOMapDMA.flags, .input, .flags(Names.vfioMapFlags)),
        Field("vaddr", Layout.VFIOMapDMA.vaddr, .input, .userPointer),
        Field("iova", Layout.VFIOMapDMA.iova, .input, .iova),
        Field("size", Layout.VFIOMapDMA.size, .input, .length),
      ],
      "Maps memory into the compatibility IOAS."),
    CommandRow(
      "VFIO_IOMMU_UNMAP_DMA", 0x3B72, .vfio, minimum: 24,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("argsz", Layout.VFIOUnmapDMA.argsz, .input, .length),
        Field("flags", Layout.VFIOUnmapDMA.flags, .input, .flags(Names.vfioUnmapFlags)),
        Field("iova", Layout.VFIOUnmapDMA.iova, .input, .iova),
        Field("size", Layout.VFIOUnmapDMA.size, .both, .length),
      ],
      "Unmaps from the compatibility IOAS."),
  ]
}
