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
  var fields: [(name: String, source: Source)] = []
  /// What is stored in memory before the request: the arrays and structs that its pointers lead to.
  var puts: [(offset: UInt64, width: Int, source: Source)] = []
  /// What the request cannot do without and no field names.
  var needs: [Pool] = []
  /// What holds once it has succeeded.
  var provides: Pool?
  /// The field with the IOVA of what the request maps.
  var mapped: String?

  enum Effect: Sendable {
    case command(String)
    case selftest(String)
    case open, close, fill, put, unmapMemory, memfd, read, write, poll
    case raw
    case fork, switchProcess, exitProcess, memlockLimit, armFailure, disarmFailure
    case dma(isWrite: Bool)
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

    var isDescriptor: Bool {
      switch self {
      case .context, .access, .queueFile, .buffer, .dmabuf: true
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
    /// The flags, those of `mask` only, with `flipped` bits turned round: what is usual is 0.
    case flags(flipped: UInt64, mask: UInt64)
    /// 0, or 1 in a record with a mistake.
    case reserved
    /// The value, or 1 in a record with a mistake.
    case kind(UInt64)
    /// A length that `x` selects; 0 for the length of what `y` points at.
    case length
    case part
    /// An address that `y` selects, a new one if it is 0.
    case iova
    /// The same, the newest mapping's if it is 0.
    case place
    /// The lower bits of `y`, where nothing has been mapped from.
    case freshIOVA
    /// A place in the data area that `b` selects.
    case memory
    /// A fixed place in it.
    case area(UInt64)
    /// `x` or `y` with bits turned round.
    case x(UInt64)
    case y(UInt64)
    case fixed(UInt64)
  }

  static func table(version: UInt8) -> [ByteOperation] {
    // Version 0 is version 1 without a header.
    versionOne
  }

  /// Whether its result is a dma-buf.
  var returnsDescriptor: Bool { name == "TEST.DMABUF_GET" }

  /// The operation that makes a member of a pool when a program that has none asks for one.
  static func maker(of pool: Pool) -> String {
    switch pool {
    case .ioas: "IOAS_ALLOC"
    case .hwpt, .parent: "HWPT_ALLOC"
    case .nested: "HWPT_ALLOC.nested"
    case .stdev, .idev: "TEST.MOCK_DOMAIN_FLAGS"
    case .fault, .queueFile: "FAULT_QUEUE_ALLOC"
    case .viommu: "VIOMMU_ALLOC"
    case .vdevice: "VDEVICE_ALLOC"
    case .veventq: "VEVENTQ_ALLOC"
    case .hwQueue: "HW_QUEUE_ALLOC"
    case .accessPages: "TEST.ACCESS_PAGES"
    case .context: "open"
    case .access: "TEST.CREATE_ACCESS"
    case .buffer: "memfd"
    case .dmabuf: "TEST.DMABUF_GET"
    case .pasidTable: "HWPT_ALLOC.pasid"
    case .compat: "VFIO_IOAS"
    case .tracking: "HWPT_SET_DIRTY_TRACKING"
    case .onNested: "TEST.MOCK_DOMAIN_REPLACE.nested"
    case .onPASIDTable: "TEST.MOCK_DOMAIN_REPLACE.pasid"
    case .pasid: "TEST.PASID_ATTACH"
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
      case "HWPT_ALLOC.nested": [.nested]
      default: [.hwpt]
      }
    case "out_stdev_id": [.stdev]
    case "out_idev_id": [.idev]
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
