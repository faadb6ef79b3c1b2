// SPDX-License-Identifier: GPL-3.0-or-later
import Machine
import Testing
import UAPI

extension RequestTable {
  /// Every table.
  static let all: [RequestTable] = [
    destroy, destroyNesting, destroyVIOMMU, ioasAlloc, iovaRanges, allowIOVAs, ioasUnmap, ioasUnmapLocked,
    ioasMap, ioasMapPinned, mapFile, mapFilePinned, copy, copyPinned, rlimitMode, hugePages, vfioIOAS,
    changeProcess, noIOMMU, testCommand, hwptOnIOAS, hwptOnParent, hwptOnVIOMMU, hwInfo, setDirty, getDirty,
    invalidateHWPT, invalidateVIOMMU, faultQueue, viommuAlloc, vdeviceAlloc, veventqAlloc, hwQueueAlloc,
    vfioVersion, vfioExtension, vfioSetIOMMU, vfioMap, vfioUnmap, vfioInfo,
    addReserved, mockDomain, checkMap, checkRefs, createAccess, destroyAccessPages, accessPages, accessRW,
    memoryLimit, mockDomainReplace, accessReplaceIOAS, mockDomainFlags, dirty, checkIOTLB, triggerIOPF,
    checkCache, triggerVEvent, pasidAttach, pasidReplace, pasidDetach, pasidCheck, dmabufGet, dmabufRevoke,
  ]
}

/// Holds the tables to the command table: nothing that exists goes without cases.
@Suite("Coverage of the uAPI")
struct CoverageTests {
  /// The errnos that the reference names for each request, beyond those of every struct (its size, its tail,
  /// a pointer to nowhere) and ENOMEM of the kernel's own memory, which the failure sweep covers.
  static let documented: [String: Set<String>] = [
    "DESTROY": ["ENOENT", "EBUSY"],
    "IOAS_ALLOC": ["EOPNOTSUPP"],
    "IOAS_ALLOW_IOVAS": ["EOPNOTSUPP", "ENOENT", "EFAULT", "EINVAL", "EADDRINUSE"],
    "IOAS_COPY": [
      "EOPNOTSUPP", "EOVERFLOW", "EINVAL", "ENOENT", "EPERM", "EEXIST", "ENOSPC", "EFAULT", "ENOMEM",
    ],
    "IOAS_IOVA_RANGES": ["EOPNOTSUPP", "ENOENT", "EFAULT", "EMSGSIZE"],
    "IOAS_MAP": ["EOPNOTSUPP", "EOVERFLOW", "EINVAL", "ENOENT", "ENOSPC", "EEXIST", "EFAULT", "ENOMEM"],
    "IOAS_UNMAP": ["ENOENT", "EOVERFLOW", "EINVAL", "EBUSY"],
    "OPTION": ["EOPNOTSUPP", "EPERM", "EBUSY", "EINVAL", "ENOENT", "EADDRINUSE"],
    "VFIO_IOAS": ["EOPNOTSUPP", "ENODEV", "ENOENT"],
    "HWPT_ALLOC": ["EOPNOTSUPP", "EINVAL", "ENOENT", "EADDRINUSE", "EFAULT", "ENOMEM"],
    "GET_HW_INFO": ["EOPNOTSUPP", "ENOENT", "EFAULT"],
    "HWPT_SET_DIRTY_TRACKING": ["EOPNOTSUPP", "ENOENT"],
    "HWPT_GET_DIRTY_BITMAP": ["EOPNOTSUPP", "ENOENT", "EOVERFLOW", "EINVAL"],
    "HWPT_INVALIDATE": ["EOPNOTSUPP", "EINVAL", "ENOENT", "EFAULT", "E2BIG"],
    "FAULT_QUEUE_ALLOC": ["EOPNOTSUPP", "EMFILE"],
    "IOAS_MAP_FILE": [
      "EOPNOTSUPP", "EOVERFLOW", "EINVAL", "ENOENT", "EBADF", "ENODEV", "ENOSPC", "EEXIST", "ENOMEM",
    ],
    "VIOMMU_ALLOC": ["EOPNOTSUPP", "ENOENT", "EINVAL", "EFAULT"],
    "VDEVICE_ALLOC": ["ENOENT", "EEXIST"],
    "IOAS_CHANGE_PROCESS": ["EOPNOTSUPP", "EINVAL", "ENOMEM"],
    "VEVENTQ_ALLOC": ["EOPNOTSUPP", "EINVAL", "ENOENT", "EEXIST", "EMFILE"],
    "HW_QUEUE_ALLOC": [
      "EOPNOTSUPP", "EINVAL", "EOVERFLOW", "ENOENT", "ERANGE", "ENOMEM", "EADDRINUSE", "EPERM", "EFAULT",
      "EEXIST", "EIO",
    ],
    "IOAS_NOIOMMU_GET_PA": [],
    "TEST_CMD": ["EOPNOTSUPP"],
    "VFIO_GET_API_VERSION": [],
    "VFIO_CHECK_EXTENSION": ["ENODEV"],
    "VFIO_SET_IOMMU": ["EINVAL", "ENODEV", "EADDRINUSE"],
    "VFIO_IOMMU_GET_INFO": ["EINVAL", "ENODEV"],
    "VFIO_IOMMU_MAP_DMA": ["EINVAL", "ENODEV", "EOVERFLOW", "EEXIST", "EFAULT", "ENOMEM"],
    "VFIO_IOMMU_UNMAP_DMA": ["EINVAL", "ENODEV", "EOVERFLOW", "ENOENT", "EOPNOTSUPP"],
    "ADD_RESERVED": ["EINVAL", "EOVERFLOW", "ENOENT", "EADDRINUSE"],
    "MOCK_DOMAIN": ["ENOENT", "EINVAL", "EADDRINUSE", "EFAULT", "ENOMEM"],
    "MD_CHECK_MAP": ["ENOENT", "EINVAL", "EFAULT"],
    "MD_CHECK_REFS": ["EINVAL", "EFAULT", "EIO"],
    "CREATE_ACCESS": ["EOPNOTSUPP", "ENOENT", "EADDRINUSE", "ENOMEM"],
    "DESTROY_ACCESS_PAGES": ["EBADFD", "ENOENT"],
    "ACCESS_PAGES": [
      "ENOMEM", "EOPNOTSUPP", "EBADFD", "EINVAL", "EOVERFLOW", "ENOENT", "EPERM", "EFAULT", "EBADE",
    ],
    "ACCESS_RW": ["ENOMEM", "EOPNOTSUPP", "EBADFD", "EFAULT", "EINVAL", "EOVERFLOW", "ENOENT", "EPERM"],
    "SET_TEMP_MEMORY_LIMIT": ["EINVAL"],
    "MOCK_DOMAIN_REPLACE": ["ENOENT", "EINVAL", "EADDRINUSE", "EFAULT", "ENOMEM"],
    "ACCESS_REPLACE_IOAS": ["EBADFD", "ENOENT", "EADDRINUSE"],
    "MOCK_DOMAIN_FLAGS": ["EINVAL", "ENOENT", "EADDRINUSE", "EFAULT", "ENOMEM"],
    "DIRTY": ["EINVAL", "EOVERFLOW", "ENOENT", "EFAULT"],
    "MD_CHECK_IOTLB": ["ENOENT", "EINVAL"],
    "TRIGGER_IOPF": ["ENOENT"],
    "DEV_CHECK_CACHE": ["ENOENT", "EINVAL"],
    "TRIGGER_VEVENT": ["ENOENT", "EOPNOTSUPP"],
    "PASID_ATTACH": ["ENOENT", "EINVAL", "EBUSY"],
    "PASID_REPLACE": ["ENOENT", "EINVAL", "ENOMEM"],
    "PASID_DETACH": ["ENOENT"],
    "PASID_CHECK_HWPT": ["ENOENT", "EINVAL"],
    "DMABUF_GET": ["EINVAL"],
    "DMABUF_REVOKE": ["EBADF", "EINVAL"],
  ]

  /// What `/dev/iommu` answers; the requests of VFIO devices have tests of their own.
  static let rows =
    CommandTable.all.filter { $0.family != .vfioDevice }.map(\.name) + CommandTable.selftestOps.map(\.name)

  @Test("has a good path and each documented errno", arguments: rows)
  func isCovered(_ row: String) throws {
    let documented = try #require(Self.documented[row], "no list of errnos")
    let tables = RequestTable.all.filter { $0.row == row }
    try #require(!tables.isEmpty, "no table")
    for kernel in Personality.allCases where tables.contains(where: { $0.exists(on: kernel) }) {
      let cases = tables.filter { $0.runs(on: kernel) }.flatMap(\.cases).filter {
        $0.kernels.contains(kernel)
      }
      #expect(cases.contains { $0.answer == "ok" })
    }
    let answers = Set(tables.flatMap(\.cases).map(\.answer))
    #expect(
      answers.subtracting(["ok"]).isSuperset(of: documented), "missing: \(documented.subtracting(answers))")
    #expect(
      answers.subtracting(["ok"]).isSubset(of: documented), "undocumented: \(answers.subtracting(documented))"
    )
  }

  @Test func titlesTellCasesApart() {
    for table in RequestTable.all {
      for kernel in Personality.allCases {
        let titles = table.cases.filter { $0.kernels.contains(kernel) }.map { "\($0.answer) \($0.title)" }
        #expect(titles.count == Set(titles).count, "\(table.name)")
      }
    }
  }

  @Test func fieldsExist() {
    for table in RequestTable.all {
      let op = SelftestOp.named(table.row)
      let known = Set(
        (op?.fields ?? CommandTable.row(named: table.row)?.fields ?? []).map(\.name)
          + (op == nil ? ["argument", "result"] : ["object", "result"]))
      for wanted in table.cases {
        for (name, _) in wanted.fields { #expect(known.contains(name), "\(table.name): \(name)") }
        for (name, _) in wanted.outputs { #expect(known.contains(name), "\(table.name): \(name)") }
      }
    }
  }
}
