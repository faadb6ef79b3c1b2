// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// What an operation of a `ByteProgram` does: a request and where the values of its fields come from, a step of a
/// program that is none, or something done to the machine.
///
/// The list of a version is frozen: it neither grows nor is reordered, and no row's meaning changes. What is new goes
/// into a new version. Fields are given by name, since names and offsets in the uAPI do not change either.
struct ByteOperation: Sendable {
  let name: String
  let effect: Effect
  /// What of a VFIO device's open files the request goes to, selected by `a`; nil for a `/dev/iommu`.
  var file: Pool?
  var fields: [(name: String, source: Source)] = []
  /// What is stored in memory before the request: the arrays and structs that its pointers lead to.
  var puts: [(offset: UInt64, width: Int, source: Source)] = []
  /// What the request cannot do without and no field names.
  var needs: [Pool] = []
  /// The same where a guest's page tables are on a vIOMMU.
  var needsOnVIOMMU: [Pool] = []
  /// What holds once it has succeeded.
  var provides: Pool?
  /// The field with the IOVA of what the request maps.
  var mapped: String?

  enum Effect: Sendable {
    case command(String)
    case selftest(String)
    case open, openDevice, close, fill, put, unmapMemory, memfd, read, write, poll
    case answerFault
    case raw
    case fork, switchProcess, exitProcess, memlockLimit, capability, armFailure, disarmFailure
    case dma(isWrite: Bool)
    case translationRequest, pageRequest, finished, interrupt, plug, unplug
    case cut, grow, guestTable
  }

  /// What a register holds.
  enum Pool: Int, Sendable, CaseIterable {
    case ioas, hwpt, parent, nested, stdev, idev, fault, viommu, vdevice, veventq, hwQueue, accessPages
    /// An HWPT that a PASID may be attached to.
    case pasidTable
    /// No objects, but what holds in the machine: VFIO requests have an IOAS, dirty pages are tracked, a device is on a
    /// nested HWPT, on one that lets it have PASIDs, has one.
    case compat, tracking, onNested, onPASIDTable, pasid
    case context, access, queueFile, buffer, dmabuf
    /// Files of VFIO devices: all, and those that are bound.
    case deviceFile, boundFile
    /// The same of VFIO devices: one is attached, to a guest's table, to one that lets it have PASIDs, has one; a guest
    /// has memory, and a page table in it.
    case attached, onGuest, onPASIDTableVFIO, pasidVFIO, guestMemory, guestTable

    var isDescriptor: Bool {
      switch self {
      case .context, .access, .queueFile, .buffer, .dmabuf, .deviceFile, .boundFile: true
      default: false
      }
    }

    static let objects: [Pool] = [
      .ioas, .hwpt, .nested, .stdev, .idev, .fault, .viommu, .vdevice, .veventq, .hwQueue,
    ]
  }

  /// Where the value of a field comes from.
  enum Source: Sendable {
    /// An object that `a` or `b` selects.
    case a([Pool])
    case b([Pool])
    /// What a guest's page table stands on, selected by `a`, and what its caches belong to: a vIOMMU, or the parent and
    /// the table itself.
    case nestingBase
    case nestingCaches
    /// The flags, those of `mask` only, with `flipped` bits turned round: what is usual is 0.
    case flags(flipped: UInt64, mask: UInt64)
    /// The same for a parent of what a guest owns.
    case parentFlags
    /// 0, or 1 in a record with a mistake.
    case reserved
    /// The value, or 1 in a record with a mistake.
    case kind(UInt64)
    /// The same, of a value that differs between IOMMUs.
    case scene(@Sendable (ByteScene) -> UInt64)
    /// A length that `x` selects; 0 for the length of what `y` points at.
    case length
    case part
    /// An address that `y` selects, a new one if it is 0.
    case iova
    /// The same, the newest mapping's if it is 0.
    case place
    /// The lower bits of `y`, where nothing has been mapped from.
    case freshIOVA
    /// Where a guest sees its memory.
    case guestMemory
    /// A place in the data area that `b` selects.
    case memory
    /// A fixed place in it.
    case area(UInt64)
    /// `x` or `y` with bits turned round.
    case x(UInt64)
    case y(UInt64)
    case fixed(UInt64)
    /// `y` where it is not 0; memory stays as it is where it is.
    case patch
    /// A word of what a guest tells its IOMMU to forget.
    case guestCommand(Int)
  }

  func needs(in scene: ByteScene) -> [Pool] {
    scene.nesting.isOnVIOMMU && !needsOnVIOMMU.isEmpty ? needs + needsOnVIOMMU : needs
  }

  static func table(version: UInt8) -> [ByteOperation] {
    // Version 0 is version 1 without a header.
    version < 2 ? versionOne : versionTwo
  }

  /// Whether its result is a dma-buf.
  var returnsDescriptor: Bool { name == "TEST.DMABUF_GET" }

  /// The operation that makes a member of a pool when a program that has none asks for one.
  static func maker(of pool: Pool, in scene: ByteScene) -> String {
    let isMock = scene.family == .mock
    switch pool {
    case .ioas: return "IOAS_ALLOC"
    case .hwpt, .parent: return "HWPT_ALLOC"
    case .nested: return isMock ? "HWPT_ALLOC.nested" : "HWPT_ALLOC.guest"
    case .stdev: return "TEST.MOCK_DOMAIN_FLAGS"
    case .idev: return isMock ? "TEST.MOCK_DOMAIN_FLAGS" : "VFIO_DEVICE_BIND_IOMMUFD"
    case .fault, .queueFile: return "FAULT_QUEUE_ALLOC"
    case .viommu: return "VIOMMU_ALLOC"
    case .vdevice: return "VDEVICE_ALLOC"
    case .veventq: return "VEVENTQ_ALLOC"
    case .hwQueue: return "HW_QUEUE_ALLOC"
    case .accessPages: return "TEST.ACCESS_PAGES"
    case .context: return "open"
    case .access: return "TEST.CREATE_ACCESS"
    case .buffer: return "memfd"
    case .dmabuf: return "TEST.DMABUF_GET"
    case .pasidTable: return "HWPT_ALLOC.pasid"
    case .compat: return "VFIO_IOAS"
    case .tracking: return "HWPT_SET_DIRTY_TRACKING"
    case .onNested: return isMock ? "TEST.MOCK_DOMAIN_REPLACE.nested" : "VFIO_DEVICE_ATTACH_IOMMUFD_PT.guest"
    case .onPASIDTable: return "TEST.MOCK_DOMAIN_REPLACE.pasid"
    case .pasid: return "TEST.PASID_ATTACH"
    case .deviceFile: return "open-device"
    case .boundFile: return "VFIO_DEVICE_BIND_IOMMUFD"
    case .attached: return "VFIO_DEVICE_ATTACH_IOMMUFD_PT"
    case .onGuest: return "VFIO_DEVICE_ATTACH_IOMMUFD_PT.guest"
    case .onPASIDTableVFIO: return "VFIO_DEVICE_ATTACH_IOMMUFD_PT.table"
    case .pasidVFIO: return "VFIO_DEVICE_ATTACH_IOMMUFD_PT.pasid"
    case .guestMemory: return "IOAS_MAP.guest"
    case .guestTable: return "guest-table"
    }
  }

  /// Where the answer in an output field goes.
  func pools(ofOutput field: String) -> [Pool] {
    switch field {
    case "out_ioas_id": [.ioas]
    case "out_hwpt_id":
      switch name {
      case "HWPT_ALLOC", "HWPT_ALLOC.fault": [.hwpt, .parent]
      case "HWPT_ALLOC.pasid": [.hwpt, .pasidTable]
      case "HWPT_ALLOC.nested", "HWPT_ALLOC.guest": [.nested]
      default: [.hwpt]
      }
    case "pt_id": name == "VFIO_DEVICE_ATTACH_IOMMUFD_PT" ? [.hwpt] : []
    case "out_stdev_id": [.stdev]
    case "out_idev_id", "out_devid": [.idev]
    case "out_fault_id": [.fault]
    case "out_viommu_id": [.viommu]
    case "out_vdevice_id": [.vdevice]
    case "out_veventq_id": [.veventq]
    case "out_hw_queue_id": [.hwQueue]
    case "out_access_pages_id": [.accessPages]
    case "out_access_fd": [.access]
    case "out_fault_fd", "out_veventq_fd": [.queueFile]
    default: []
    }
  }
}
