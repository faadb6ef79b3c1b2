// SPDX-License-Identifier: GPL-3.0-or-later

/// What a random program is about: which calls it makes, how often, and what is there when it begins.
public enum ProgramTheme: String, CaseIterable, Sendable {
  case ioas, domain, access, hwpt, dirty, viommu, pasid, vfio
  /// Memfds and dma-bufs in an IOAS, and the process that is charged.
  case file
  /// I/O page faults: raised, read, answered.
  case fault
  /// Events of a vIOMMU and its hardware queues.
  case queue

  /// One kind of step.
  enum Move {
    /// A command of `CommandTable`, by name.
    case command(String)
    /// An operation of the selftest command, by name.
    case op(String)
    case open, closeFile, unmapMemory, fillMemory
    case memfd, readQueue, writeQueue, pollQueue
    /// A nested HWPT with nothing wrong, and a device's move to the newest HWPT.
    case nest, attachNewest
  }

  /// What there is before the random part, without a mistake in it.
  var preamble: [Move] {
    let base: [Move] = [.open, .command("IOAS_ALLOC")]
    switch self {
    case .ioas: return base
    case .domain: return base + [.op("MOCK_DOMAIN"), .command("IOAS_MAP")]
    case .access: return base + [.op("CREATE_ACCESS"), .command("IOAS_MAP")]
    case .hwpt: return base + [.op("MOCK_DOMAIN"), .command("HWPT_ALLOC")]
    case .dirty:
      return base + [
        .op("MOCK_DOMAIN_FLAGS"), .command("HWPT_ALLOC"), .op("MOCK_DOMAIN_REPLACE"), .command("IOAS_MAP"),
        .command("HWPT_SET_DIRTY_TRACKING"),
      ]
    case .viommu: return base + [.op("MOCK_DOMAIN"), .command("HWPT_ALLOC"), .command("VIOMMU_ALLOC")]
    case .pasid: return base + [.op("MOCK_DOMAIN"), .op("MOCK_DOMAIN_FLAGS"), .command("HWPT_ALLOC")]
    case .vfio: return base + [.op("MOCK_DOMAIN"), .command("VFIO_IOAS")]
    case .file: return base + [.memfd, .command("IOAS_MAP_FILE"), .op("DMABUF_GET")]
    case .fault:
      return base + [
        .op("MOCK_DOMAIN_FLAGS"), .command("FAULT_QUEUE_ALLOC"), .command("HWPT_ALLOC"), .attachNewest,
      ]
    case .queue:
      return base + [
        .op("MOCK_DOMAIN"), .command("HWPT_ALLOC"), .command("VIOMMU_ALLOC"), .command("VDEVICE_ALLOC"),
        .command("VEVENTQ_ALLOC"), .nest, .attachNewest, .command("IOAS_MAP"),
      ]
    }
  }

  /// The random part, by weight. Every theme also does a little of everything.
  var moves: [(Move, Int)] {
    let mapping: [(Move, Int)] = [
      (.command("IOAS_MAP"), 12), (.command("IOAS_UNMAP"), 6), (.command("IOAS_COPY"), 4),
    ]
    let devices: [(Move, Int)] = [
      (.op("MOCK_DOMAIN"), 5), (.op("MOCK_DOMAIN_FLAGS"), 3), (.op("MOCK_DOMAIN_REPLACE"), 6),
    ]
    let looking: [(Move, Int)] = [(.op("MD_CHECK_MAP"), 6), (.op("MD_CHECK_REFS"), 4)]
    let own: [(Move, Int)]
    switch self {
    case .ioas:
      own =
        mapping + [
          (.command("IOAS_ALLOC"), 6), (.command("IOAS_ALLOW_IOVAS"), 6), (.command("IOAS_IOVA_RANGES"), 8),
          (.command("OPTION"), 6), (.op("ADD_RESERVED"), 5), (.unmapMemory, 2), (.command("DESTROY"), 3),
          (.op("MOCK_DOMAIN"), 2), (.op("CREATE_ACCESS"), 2),
        ]
    case .domain:
      own = mapping + devices + looking + [(.command("IOAS_ALLOC"), 3), (.op("ADD_RESERVED"), 3)]
    case .access:
      own =
        mapping + looking + [
          (.op("CREATE_ACCESS"), 4), (.op("ACCESS_PAGES"), 12), (.op("DESTROY_ACCESS_PAGES"), 6),
          (.op("ACCESS_RW"), 12), (.op("ACCESS_REPLACE_IOAS"), 5), (.op("MOCK_DOMAIN"), 3),
          (.command("IOAS_ALLOC"), 2), (.fillMemory, 3), (.closeFile, 2), (.unmapMemory, 1),
        ]
    case .hwpt:
      own =
        devices + looking + [
          (.command("HWPT_ALLOC"), 14), (.command("HWPT_INVALIDATE"), 8), (.command("GET_HW_INFO"), 4),
          (.op("MD_CHECK_IOTLB"), 6), (.command("FAULT_QUEUE_ALLOC"), 4), (.command("IOAS_MAP"), 6),
          (.command("IOAS_UNMAP"), 2), (.command("DESTROY"), 6),
        ]
    case .dirty:
      own =
        devices + [
          (.command("HWPT_ALLOC"), 6), (.command("IOAS_MAP"), 10), (.command("IOAS_UNMAP"), 4),
          (.command("HWPT_SET_DIRTY_TRACKING"), 8), (.command("HWPT_GET_DIRTY_BITMAP"), 14),
          (.op("DIRTY"), 14),
        ]
    case .viommu:
      own =
        devices + [
          (.command("HWPT_ALLOC"), 10), (.command("VIOMMU_ALLOC"), 8), (.command("VDEVICE_ALLOC"), 10),
          (.command("VEVENTQ_ALLOC"), 5), (.op("TRIGGER_VEVENT"), 5), (.command("HWPT_INVALIDATE"), 8),
          (.op("DEV_CHECK_CACHE"), 5), (.op("MD_CHECK_IOTLB"), 3), (.command("DESTROY"), 10), (.nest, 4),
          (.attachNewest, 4),
        ]
    case .pasid:
      own =
        devices + [
          (.command("HWPT_ALLOC"), 12), (.op("PASID_ATTACH"), 14), (.op("PASID_REPLACE"), 8),
          (.op("PASID_DETACH"), 8), (.op("PASID_CHECK_HWPT"), 12), (.command("DESTROY"), 6),
          (.command("IOAS_ALLOC"), 3), (.command("FAULT_QUEUE_ALLOC"), 2),
        ]
    case .vfio:
      own =
        mapping + devices + looking + [
          (.command("VFIO_IOAS"), 8), (.command("VFIO_IOMMU_GET_INFO"), 5),
          (.command("VFIO_IOMMU_MAP_DMA"), 16),
          (.command("VFIO_IOMMU_UNMAP_DMA"), 12), (.command("VFIO_GET_API_VERSION"), 2),
          (.command("VFIO_CHECK_EXTENSION"), 2), (.command("VFIO_SET_IOMMU"), 3),
          (.command("IOAS_IOVA_RANGES"), 3),
        ]
    case .file:
      own =
        mapping + devices + looking + [
          (.memfd, 4), (.command("IOAS_MAP_FILE"), 18), (.command("IOAS_CHANGE_PROCESS"), 6),
          (.op("DMABUF_GET"), 5), (.op("DMABUF_REVOKE"), 8), (.op("CREATE_ACCESS"), 4), (.op("ACCESS_RW"), 8),
          (.op("ACCESS_PAGES"), 5), (.op("ACCESS_REPLACE_IOAS"), 2), (.command("OPTION"), 4), (.closeFile, 4),
          (.fillMemory, 2), (.command("IOAS_ALLOC"), 2),
        ]
    case .fault:
      own =
        devices + [
          (.command("FAULT_QUEUE_ALLOC"), 4), (.command("HWPT_ALLOC"), 8), (.op("TRIGGER_IOPF"), 24),
          (.nest, 2), (.attachNewest, 5),
          (.readQueue, 14), (.writeQueue, 12), (.pollQueue, 4), (.closeFile, 3), (.command("DESTROY"), 5),
          (.op("PASID_ATTACH"), 4), (.op("PASID_DETACH"), 2), (.op("PASID_REPLACE"), 2),
        ]
    case .queue:
      own =
        devices + [
          (.nest, 5), (.attachNewest, 6), (.command("VIOMMU_ALLOC"), 4), (.command("VDEVICE_ALLOC"), 6),
          (.command("VEVENTQ_ALLOC"), 7), (.op("TRIGGER_VEVENT"), 18), (.readQueue, 12), (.writeQueue, 2),
          (.pollQueue, 4), (.command("HW_QUEUE_ALLOC"), 14), (.command("IOAS_MAP"), 5),
          (.command("IOAS_UNMAP"), 5), (.command("DESTROY"), 8), (.closeFile, 2),
        ]
    }
    return own + Self.anything
  }

  private static let anything: [(Move, Int)] = [
    (.command("DESTROY"), 3), (.command("IOAS_ALLOC"), 1), (.command("IOAS_IOVA_RANGES"), 1),
    (.command("HWPT_ALLOC"), 1), (.command("GET_HW_INFO"), 1), (.command("OPTION"), 1),
    (.op("MOCK_DOMAIN"), 1), (.op("ADD_RESERVED"), 1), (.op("ACCESS_RW"), 1), (.op("PASID_ATTACH"), 1),
    (.command("IOAS_NOIOMMU_GET_PA"), 1), (.op("TRIGGER_IOPF"), 1), (.command("VFIO_IOMMU_UNMAP_DMA"), 1),
    (.command("IOAS_CHANGE_PROCESS"), 1), (.command("HW_QUEUE_ALLOC"), 1), (.open, 1),
  ]

  /// Whether the programs stay within the steps of the first recordings.
  public var isClassic: Bool {
    switch self {
    case .file, .fault, .queue: false
    default: true
    }
  }
}
