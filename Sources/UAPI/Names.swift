// SPDX-License-Identifier: GPL-3.0-or-later

private func v(_ major: UInt16, _ minor: UInt16) -> KernelVersion { KernelVersion(major, minor) }

/// The enumerations and flag sets of the uAPI by name. Source: `include/uapi/linux/iommufd.h`, `vfio.h`
/// and `drivers/iommu/iommufd/iommufd_test.h`; releases from reference uapi.md.
public enum Names {
  public static let mapFlags = NamedValues(
    "iommufd_ioas_map_flags",
    [("FIXED_IOVA", 1, v(6, 2)), ("WRITEABLE", 2, v(6, 2)), ("READABLE", 4, v(6, 2))])
  public static let options = NamedValues(
    "iommufd_option", [("RLIMIT_MODE", 0, v(6, 2)), ("HUGE_PAGES", 1, v(6, 2))])
  public static let optionOps = NamedValues(
    "iommufd_option_ops", [("SET", 0, v(6, 2)), ("GET", 1, v(6, 2))])
  public static let vfioIOASOps = NamedValues(
    "iommufd_vfio_ioas_op", [("GET", 0, v(6, 2)), ("SET", 1, v(6, 2)), ("CLEAR", 2, v(6, 2))])
  public static let hwptFlags = NamedValues(
    "iommufd_hwpt_alloc_flags",
    [
      ("NEST_PARENT", 1, v(6, 7)), ("DIRTY_TRACKING", 2, v(6, 7)), ("FAULT_ID_VALID", 4, v(6, 11)),
      ("PASID", 8, v(6, 15)),
    ])
  public static let hwptData = NamedValues(
    "iommu_hwpt_data_type",
    [
      ("NONE", 0, v(6, 7)), ("VTD_S1", 1, v(6, 7)), ("ARM_SMMUV3", 2, v(6, 13)), ("AMD_GUEST", 3, v(7, 0)),
      ("SELFTEST", 0xDEAD, v(6, 7)),
    ])
  public static let hwInfoFlags = NamedValues(
    "iommufd_hw_info_flags", [("INPUT_TYPE", 1, v(6, 17))])
  public static let hwInfoTypes = NamedValues(
    "iommu_hw_info_type",
    [
      ("NONE", 0, v(6, 6)), ("INTEL_VTD", 1, v(6, 6)), ("ARM_SMMUV3", 2, v(6, 13)),
      ("TEGRA241_CMDQV", 3, v(6, 17)), ("AMD", 4, v(6, 19)), ("SELFTEST", 0xFEED_BEEF, v(6, 6)),
    ])
  public static let hwCapabilities = NamedValues(
    "iommufd_hw_capabilities",
    [
      ("DIRTY_TRACKING", 1, v(6, 7)), ("PCI_PASID_EXEC", 2, v(6, 15)), ("PCI_PASID_PRIV", 4, v(6, 15)),
      ("PCI_ATS_NOT_SUPPORTED", 8, v(7, 1)),
    ])
  public static let setDirtyFlags = NamedValues(
    "iommufd_hwpt_set_dirty_tracking_flags", [("ENABLE", 1, v(6, 7))])
  public static let getDirtyFlags = NamedValues(
    "iommufd_hwpt_get_dirty_bitmap_flags", [("NO_CLEAR", 1, v(6, 7))])
  public static let invalidateData = NamedValues(
    "iommu_hwpt_invalidate_data_type",
    [
      ("VTD_S1", 0, v(6, 8)), ("ARM_SMMUV3", 1, v(6, 13)), ("SELFTEST", 0xDEAD_BEEF, v(6, 8)),
      ("SELFTEST_INVALID", 0x0DAD_BEEF, v(6, 8)),
    ])
  public static let viommuTypes = NamedValues(
    "iommu_viommu_type",
    [
      ("DEFAULT", 0, v(6, 13)), ("ARM_SMMUV3", 1, v(6, 13)), ("TEGRA241_CMDQV", 2, v(6, 17)),
      ("SELFTEST", 0xDEAD_BEEF, v(6, 13)),
    ])
  public static let veventqTypes = NamedValues(
    "iommu_veventq_type",
    [
      ("DEFAULT", 0, v(6, 15)), ("ARM_SMMUV3", 1, v(6, 15)), ("TEGRA241_CMDQV", 2, v(6, 17)),
      ("SELFTEST", 0xBEEF_BEEF, v(6, 15)),
    ])
  public static let hwQueueTypes = NamedValues(
    "iommu_hw_queue_type",
    [("DEFAULT", 0, v(6, 17)), ("TEGRA241_CMDQV", 1, v(6, 17)), ("SELFTEST", 0xDEAD_BEEF, v(6, 17))])
  public static let pageFaultFlags = NamedValues(
    "iommu_hwpt_pgfault_flags", [("PASID_VALID", 1, v(6, 11)), ("LAST_PAGE", 2, v(6, 11))])
  public static let pageFaultPermissions = NamedValues(
    "iommu_hwpt_pgfault_perm",
    [("READ", 1, v(6, 11)), ("WRITE", 2, v(6, 11)), ("EXEC", 4, v(6, 11)), ("PRIV", 8, v(6, 11))])
  public static let pageResponses = NamedValues(
    "iommufd_page_response_code", [("SUCCESS", 0, v(6, 11)), ("INVALID", 1, v(6, 11))])
  public static let veventFlags = NamedValues("iommu_veventq_flag", [("LOST_EVENTS", 1, v(6, 15))])
  public static let vfioMapFlags = NamedValues(
    "VFIO_DMA_MAP_FLAG", [("READ", 1, v(6, 2)), ("WRITE", 2, v(6, 2)), ("VADDR", 4, v(6, 2))])
  public static let vfioUnmapFlags = NamedValues(
    "VFIO_DMA_UNMAP_FLAG", [("GET_DIRTY_BITMAP", 1, v(6, 2)), ("ALL", 2, v(6, 2)), ("VADDR", 4, v(6, 2))])
  public static let vfioInfoFlags = NamedValues(
    "VFIO_IOMMU_INFO", [("PGSIZES", 1, v(6, 2)), ("CAPS", 2, v(6, 2))])
  public static let vfioBindFlags = NamedValues("VFIO_DEVICE_BIND_FLAG", [("TOKEN", 1, v(6, 17))])
  public static let vfioAttachFlags = NamedValues("VFIO_DEVICE_ATTACH", [("PASID", 1, v(6, 15))])
  public static let vfioDetachFlags = NamedValues("VFIO_DEVICE_DETACH", [("PASID", 1, v(6, 15))])
  public static let vfioDeviceFlags = NamedValues(
    "VFIO_DEVICE_FLAGS",
    [
      ("RESET", 1, v(6, 2)), ("PCI", 2, v(6, 2)), ("PLATFORM", 4, v(6, 2)), ("AMBA", 8, v(6, 2)),
      ("CCW", 16, v(6, 2)), ("AP", 32, v(6, 2)), ("FSL_MC", 64, v(6, 2)), ("CAPS", 128, v(6, 2)),
      ("CDX", 256, v(6, 6)),
    ])
  public static let vfioExtensions = NamedValues(
    "VFIO extension",
    [
      ("TYPE1", 1, v(6, 2)), ("SPAPR_TCE", 2, v(6, 2)), ("TYPE1v2", 3, v(6, 2)), ("DMA_CC", 4, v(6, 2)),
      ("EEH", 5, v(6, 2)), ("NESTING", 6, v(6, 2)), ("SPAPR_TCE_v2", 7, v(6, 2)), ("NOIOMMU", 8, v(6, 2)),
      ("UNMAP_ALL", 9, v(6, 2)), ("UPDATE_VADDR", 10, v(6, 2)),
    ])
  public static let mockDeviceFlags = NamedValues(
    "MOCK_FLAGS_DEVICE", [("NO_DIRTY", 1, v(6, 7)), ("HUGE_IOVA", 2, v(6, 8)), ("PASID", 4, v(6, 15))])
  public static let accessCreateFlags = NamedValues(
    "MOCK_FLAGS_ACCESS_CREATE", [("NEEDS_PIN_PAGES", 1, v(6, 2))])
  public static let accessFlags = NamedValues(
    "MOCK_FLAGS_ACCESS", [("WRITE", 1, v(6, 2)), ("SYZ", 0x10000, v(6, 2))])
  public static let accessRWFlags = NamedValues(
    "MOCK_ACCESS_RW", [("WRITE", 1, v(6, 2)), ("SLOW_PATH", 4, v(6, 2)), ("SYZ", 0x10000, v(6, 2))])
}

/// The flag bits of `IOMMU_IOAS_MAP`, `_MAP_FILE` and `_COPY`.
public enum MapFlag {
  public static let fixedIOVA: UInt32 = 1
  public static let writeable: UInt32 = 2
  public static let readable: UInt32 = 4
  public static let all: UInt32 = 7
}

/// The flag bits of `IOMMU_HWPT_ALLOC`.
public enum HWPTFlag {
  public static let nestParent: UInt32 = 1
  public static let dirtyTracking: UInt32 = 2
  public static let faultIDValid: UInt32 = 4
  public static let pasid: UInt32 = 8
}
