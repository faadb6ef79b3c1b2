// SPDX-License-Identifier: GPL-3.0-or-later

// The IOAS commands, 0x80...0x88.

/// The byte layout of every struct that crosses the waist. Offsets and sizes were verified by compiling
/// the uAPI headers. Source: `include/uapi/linux/iommufd.h`, `vfio.h`; reference uapi.md sections 2 to 7.
public enum Layout {}

extension Layout {
  /// `struct iommu_destroy`, 8 bytes.
  public enum Destroy {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var id: Slot<UInt32> { Slot(4) }
  }

  /// `struct iommu_ioas_alloc`, 12 bytes.
  public enum IOASAlloc {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var outIOASID: Slot<UInt32> { Slot(8) }
  }

  /// `struct iommu_ioas_allow_iovas`, 24 bytes.
  public enum IOASAllowIOVAs {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(4) }
    @inlinable public static var numIOVAs: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var allowedIOVAs: Slot<UInt64> { Slot(16) }
  }

  /// `struct iommu_ioas_copy`, 40 bytes.
  public enum IOASCopy {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var dstIOASID: Slot<UInt32> { Slot(8) }
    @inlinable public static var srcIOASID: Slot<UInt32> { Slot(12) }
    @inlinable public static var length: Slot<UInt64> { Slot(16) }
    @inlinable public static var dstIOVA: Slot<UInt64> { Slot(24) }
    @inlinable public static var srcIOVA: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_ioas_iova_ranges`, 32 bytes.
  public enum IOASIOVARanges {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(4) }
    @inlinable public static var numIOVAs: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var allowedIOVAs: Slot<UInt64> { Slot(16) }
    @inlinable public static var outAlignment: Slot<UInt64> { Slot(24) }
  }

  /// `struct iommu_ioas_map`, 40 bytes.
  public enum IOASMap {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt32> { Slot(12) }
    @inlinable public static var userVA: Slot<UInt64> { Slot(16) }
    @inlinable public static var length: Slot<UInt64> { Slot(24) }
    @inlinable public static var iova: Slot<UInt64> { Slot(32) }
  }

  /// `struct iommu_ioas_unmap`, 24 bytes.
  public enum IOASUnmap {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(4) }
    @inlinable public static var iova: Slot<UInt64> { Slot(8) }
    @inlinable public static var length: Slot<UInt64> { Slot(16) }
  }

  /// `struct iommu_option`, 24 bytes.
  public enum Option {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var optionID: Slot<UInt32> { Slot(4) }
    @inlinable public static var op: Slot<UInt16> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt16> { Slot(10) }
    @inlinable public static var objectID: Slot<UInt32> { Slot(12) }
    @inlinable public static var val64: Slot<UInt64> { Slot(16) }
  }

  /// `struct iommu_vfio_ioas`, 12 bytes.
  public enum VFIOIOAS {
    @inlinable public static var size: Slot<UInt32> { Slot(0) }
    @inlinable public static var ioasID: Slot<UInt32> { Slot(4) }
    @inlinable public static var op: Slot<UInt16> { Slot(8) }
    @inlinable public static var reserved: Slot<UInt16> { Slot(10) }
  }
}

extension CommandTable {
  static let coreRows: [CommandRow] = [
    CommandRow(
      "DESTROY", 0x3B80, minimum: 8,
      sizes: [(KernelVersion(6, 2), 8)],
      fields: [
        Field("size", Layout.Destroy.size, .input, .length),
        Field("id", Layout.Destroy.id, .input, .objectID),
      ],
      "Destroys the object with this ID."),
    CommandRow(
      "IOAS_ALLOC", 0x3B81, minimum: 12,
      sizes: [(KernelVersion(6, 2), 12)],
      fields: [
        Field("size", Layout.IOASAlloc.size, .input, .length),
        Field("flags", Layout.IOASAlloc.flags, .input, .reserved),
        Field("out_ioas_id", Layout.IOASAlloc.outIOASID, .output, .objectID),
      ],
      "Creates an I/O address space."),
    CommandRow(
      "IOAS_ALLOW_IOVAS", 0x3B82, minimum: 24,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("size", Layout.IOASAllowIOVAs.size, .input, .length),
        Field("ioas_id", Layout.IOASAllowIOVAs.ioasID, .input, .objectID),
        Field("num_iovas", Layout.IOASAllowIOVAs.numIOVAs),
        Field("__reserved", Layout.IOASAllowIOVAs.reserved, .input, .reserved),
        Field("allowed_iovas", Layout.IOASAllowIOVAs.allowedIOVAs, .input, .userPointer),
      ],
      "Confines automatic placement to a list of IOVA ranges."),
    CommandRow(
      "IOAS_COPY", 0x3B83, minimum: 40,
      sizes: [(KernelVersion(6, 2), 40)],
      fields: [
        Field("size", Layout.IOASCopy.size, .input, .length),
        Field("flags", Layout.IOASCopy.flags, .input, .flags(Names.mapFlags)),
        Field("dst_ioas_id", Layout.IOASCopy.dstIOASID, .input, .objectID),
        Field("src_ioas_id", Layout.IOASCopy.srcIOASID, .input, .objectID),
        Field("length", Layout.IOASCopy.length, .input, .length),
        Field("dst_iova", Layout.IOASCopy.dstIOVA, .both, .iova),
        Field("src_iova", Layout.IOASCopy.srcIOVA, .input, .iova),
      ],
      "Maps what another range maps, sharing its pinned pages."),
    CommandRow(
      "IOAS_IOVA_RANGES", 0x3B84, minimum: 32,
      sizes: [(KernelVersion(6, 2), 32)],
      fields: [
        Field("size", Layout.IOASIOVARanges.size, .input, .length),
        Field("ioas_id", Layout.IOASIOVARanges.ioasID, .input, .objectID),
        Field("num_iovas", Layout.IOASIOVARanges.numIOVAs, .both),
        Field("__reserved", Layout.IOASIOVARanges.reserved, .input, .reserved),
        Field("allowed_iovas", Layout.IOASIOVARanges.allowedIOVAs, .input, .userPointer),
        Field("out_iova_alignment", Layout.IOASIOVARanges.outAlignment, .output),
      ],
      "Lists the IOVA ranges that are not reserved."),
    CommandRow(
      "IOAS_MAP", 0x3B85, minimum: 40,
      sizes: [(KernelVersion(6, 2), 40)],
      fields: [
        Field("size", Layout.IOASMap.size, .input, .length),
        Field("flags", Layout.IOASMap.flags, .input, .flags(Names.mapFlags)),
        Field("ioas_id", Layout.IOASMap.ioasID, .input, .objectID),
        Field("__reserved", Layout.IOASMap.reserved, .input, .reserved),
        Field("user_va", Layout.IOASMap.userVA, .input, .userPointer),
        Field("length", Layout.IOASMap.length, .input, .length),
        Field("iova", Layout.IOASMap.iova, .both, .iova),
      ],
      "Maps the caller's memory at an IOVA."),
    CommandRow(
      "IOAS_UNMAP", 0x3B86, minimum: 24,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("size", Layout.IOASUnmap.size, .input, .length),
        Field("ioas_id", Layout.IOASUnmap.ioasID, .input, .objectID),
        Field("iova", Layout.IOASUnmap.iova, .input, .iova),
        Field("length", Layout.IOASUnmap.length, .both, .length),
      ],
      "Removes the mappings that lie inside a range."),
    CommandRow(
      "OPTION", 0x3B87, minimum: 24,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("size", Layout.Option.size, .input, .length),
        Field("option_id", Layout.Option.optionID, .input, .choice(Names.options)),
        Field("op", Layout.Option.op, .input, .choice(Names.optionOps)),
        Field("__reserved", Layout.Option.reserved, .input, .reserved),
        Field("object_id", Layout.Option.objectID, .input, .objectID),
        Field("val64", Layout.Option.val64, .both),
      ],
      "Reads or sets an option of the file or of an IOAS."),
    CommandRow(
      "VFIO_IOAS", 0x3B88, minimum: 12,
      sizes: [(KernelVersion(6, 2), 12)],
      fields: [
        Field("size", Layout.VFIOIOAS.size, .input, .length),
        Field("ioas_id", Layout.VFIOIOAS.ioasID, .both, .objectID),
        Field("op", Layout.VFIOIOAS.op, .input, .choice(Names.vfioIOASOps)),
        Field("__reserved", Layout.VFIOIOAS.reserved, .input, .reserved),
      ],
      "Reads, sets or clears the IOAS that VFIO type1 requests act on."),
  ]
}
