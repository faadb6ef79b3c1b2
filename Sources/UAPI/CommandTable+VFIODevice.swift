// SPDX-License-Identifier: GPL-3.0-or-later

// The requests of a VFIO device file, `/dev/vfio/devices/vfioN`, through which programs bind a device to an
// iommufd and attach it. Source: `include/uapi/linux/vfio.h`; reference uapi.md section 6.

extension Layout {
  /// `struct vfio_device_bind_iommufd`, 24 bytes; 16 until 6.17.
  public enum VFIOBind {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var iommufd: Slot<Int32> { Slot(8) }
    @inlinable public static var outDevID: Slot<UInt32> { Slot(12) }
    @inlinable public static var tokenUUIDPtr: Slot<UInt64> { Slot(16) }
  }

  /// `struct vfio_device_attach_iommufd_pt`, 16 bytes; 12 until 6.15.
  public enum VFIOAttach {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var ptID: Slot<UInt32> { Slot(8) }
    @inlinable public static var pasid: Slot<UInt32> { Slot(12) }
  }

  /// `struct vfio_device_detach_iommufd_pt`, 12 bytes; 8 until 6.15.
  public enum VFIODetach {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var pasid: Slot<UInt32> { Slot(8) }
  }

  /// `struct vfio_device_info`, 24 bytes, followed by a capability chain.
  public enum VFIODeviceInfo {
    @inlinable public static var argsz: Slot<UInt32> { Slot(0) }
    @inlinable public static var flags: Slot<UInt32> { Slot(4) }
    @inlinable public static var numRegions: Slot<UInt32> { Slot(8) }
    @inlinable public static var numIRQs: Slot<UInt32> { Slot(12) }
    @inlinable public static var capOffset: Slot<UInt32> { Slot(16) }
    @inlinable public static var pad: Slot<UInt32> { Slot(20) }
  }
}

extension CommandTable {
  static let vfioDeviceRows: [CommandRow] = [
    CommandRow(
      "VFIO_DEVICE_GET_INFO", 0x3B6B, .vfioDevice, minimum: 16,
      sizes: [(KernelVersion(6, 2), 24)],
      fields: [
        Field("argsz", Layout.VFIODeviceInfo.argsz, .both, .length),
        Field("flags", Layout.VFIODeviceInfo.flags, .output, .flags(Names.vfioDeviceFlags)),
        Field("num_regions", Layout.VFIODeviceInfo.numRegions, .output),
        Field("num_irqs", Layout.VFIODeviceInfo.numIRQs, .output),
        Field("cap_offset", Layout.VFIODeviceInfo.capOffset, .output),
        Field("pad", Layout.VFIODeviceInfo.pad, .output),
      ],
      "Reads what kind of device it is, and how many regions and interrupts it has."),
    CommandRow(
      "VFIO_DEVICE_RESET", 0x3B6F, .vfioDevice, minimum: 0,
      sizes: [],
      fields: [],
      "Resets the device."),
    CommandRow(
      "VFIO_DEVICE_BIND_IOMMUFD", 0x3B76, .vfioDevice, minimum: 16,
      sizes: [(KernelVersion(6, 6), 16), (KernelVersion(6, 17), 24)],
      fields: [
        Field("argsz", Layout.VFIOBind.argsz, .input, .length),
        Field("flags", Layout.VFIOBind.flags, .input, .flags(Names.vfioBindFlags)),
        Field("iommufd", Layout.VFIOBind.iommufd, .input, .fileDescriptor),
        Field("out_devid", Layout.VFIOBind.outDevID, .output, .objectID),
        Field("token_uuid_ptr", Layout.VFIOBind.tokenUUIDPtr, .input, .userPointer),
      ],
      "Binds the device to an open /dev/iommu; it stays bound until the device's file is closed."),
    CommandRow(
      "VFIO_DEVICE_ATTACH_IOMMUFD_PT", 0x3B77, .vfioDevice, minimum: 12,
      sizes: [(KernelVersion(6, 6), 12), (KernelVersion(6, 15), 16)],
      fields: [
        Field("argsz", Layout.VFIOAttach.argsz, .input, .length),
        Field("flags", Layout.VFIOAttach.flags, .input, .flags(Names.vfioAttachFlags)),
        Field("pt_id", Layout.VFIOAttach.ptID, .both, .objectID),
        Field("pasid", Layout.VFIOAttach.pasid, .input),
      ],
      "Attaches the device, or one PASID of it, to an HWPT or an IOAS, or moves it to another."),
    CommandRow(
      "VFIO_DEVICE_DETACH_IOMMUFD_PT", 0x3B78, .vfioDevice, minimum: 8,
      sizes: [(KernelVersion(6, 6), 8), (KernelVersion(6, 15), 12)],
      fields: [
        Field("argsz", Layout.VFIODetach.argsz, .input, .length),
        Field("flags", Layout.VFIODetach.flags, .input, .flags(Names.vfioDetachFlags)),
        Field("pasid", Layout.VFIODetach.pasid, .input),
      ],
      "Detaches the device, or one PASID of it."),
  ]
}
