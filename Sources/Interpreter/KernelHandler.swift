// SPDX-License-Identifier: GPL-3.0-or-later

/// The function of Linux that a request comes to first, for those who want to read on there.
///
/// Source: the tables `iommufd_ioctl_ops` in `drivers/iommu/iommufd/main.c`, the switches of `vfio_compat.c` there, and
/// of `drivers/vfio/vfio_main.c`.
public enum KernelHandler {
  /// `iommufd_ioas_map() in drivers/iommu/iommufd/ioas.c`; nil for a row without a handler of its own.
  public static func of(_ row: String) -> String? {
    handlers[row].map { "\($0.function)() in \($0.file)" }
  }

  private static let handlers: [String: (function: String, file: String)] = {
    var table: [String: (function: String, file: String)] = [:]
    for (file, rows) in files {
      for (row, function) in rows { table[row] = (function, file) }
    }
    return table
  }()

  private static let files: [(String, [(row: String, function: String)])] = [
    ("drivers/iommu/iommufd/main.c", [("DESTROY", "iommufd_destroy"), ("OPTION", "iommufd_option")]),
    (
      "drivers/iommu/iommufd/ioas.c",
      [
        ("IOAS_ALLOC", "iommufd_ioas_alloc_ioctl"), ("IOAS_ALLOW_IOVAS", "iommufd_ioas_allow_iovas"),
        ("IOAS_COPY", "iommufd_ioas_copy"), ("IOAS_IOVA_RANGES", "iommufd_ioas_iova_ranges"),
        ("IOAS_MAP", "iommufd_ioas_map"), ("IOAS_MAP_FILE", "iommufd_ioas_map_file"),
        ("IOAS_UNMAP", "iommufd_ioas_unmap"), ("IOAS_CHANGE_PROCESS", "iommufd_ioas_change_process"),
      ]
    ),
    (
      "drivers/iommu/iommufd/hw_pagetable.c",
      [
        ("HWPT_ALLOC", "iommufd_hwpt_alloc"), ("HWPT_SET_DIRTY_TRACKING", "iommufd_hwpt_set_dirty_tracking"),
        ("HWPT_GET_DIRTY_BITMAP", "iommufd_hwpt_get_dirty_bitmap"),
        ("HWPT_INVALIDATE", "iommufd_hwpt_invalidate"),
      ]
    ),
    ("drivers/iommu/iommufd/device.c", [("GET_HW_INFO", "iommufd_get_hw_info")]),
    (
      "drivers/iommu/iommufd/eventq.c",
      [("FAULT_QUEUE_ALLOC", "iommufd_fault_alloc"), ("VEVENTQ_ALLOC", "iommufd_veventq_alloc")]
    ),
    (
      "drivers/iommu/iommufd/viommu.c",
      [
        ("VIOMMU_ALLOC", "iommufd_viommu_alloc_ioctl"), ("VDEVICE_ALLOC", "iommufd_vdevice_alloc_ioctl"),
        ("HW_QUEUE_ALLOC", "iommufd_hw_queue_alloc_ioctl"),
      ]
    ),
    ("drivers/iommu/iommufd/selftest.c", [("TEST_CMD", "iommufd_test")]),
    (
      "drivers/iommu/iommufd/vfio_compat.c",
      [
        ("VFIO_IOAS", "iommufd_vfio_ioas"), ("VFIO_CHECK_EXTENSION", "iommufd_vfio_check_extension"),
        ("VFIO_SET_IOMMU", "iommufd_vfio_set_iommu"), ("VFIO_IOMMU_MAP_DMA", "iommufd_vfio_map_dma"),
        ("VFIO_IOMMU_UNMAP_DMA", "iommufd_vfio_unmap_dma"),
        ("VFIO_IOMMU_GET_INFO", "iommufd_vfio_iommu_get_info"),
      ]
    ),
  ]

  /// Every row that has one, for tests.
  static var rows: [String] { handlers.keys.sorted() }
}
