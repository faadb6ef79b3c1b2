// SPDX-License-Identifier: GPL-3.0-or-later

// The operations of version 1. Frozen: see ByteOperation.

extension ByteOperation {
  private static let mapFlags = Source.flags(flipped: 7, mask: 7)
  private static let pageTables: [Pool] = [.hwpt, .ioas, .nested]
  private static let pasidTables: [Pool] = [.pasidTable, .hwpt, .ioas, .nested]

  static func command(
    _ row: String, _ variant: String = "", file: Pool? = nil,
    _ fields: [(name: String, source: Source)] = [],
    puts: [(offset: UInt64, width: Int, source: Source)] = [], needs: [Pool] = [],
    needsOnVIOMMU: [Pool] = [], provides: Pool? = nil, mapped: String? = nil
  ) -> ByteOperation {
    ByteOperation(
      name: row + variant, effect: .command(row), file: file, fields: fields, puts: puts, needs: needs,
      needsOnVIOMMU: needsOnVIOMMU, provides: provides, mapped: mapped)
  }

  private static func test(
    _ op: String, _ variant: String = "", _ fields: [(name: String, source: Source)],
    puts: [(offset: UInt64, width: Int, source: Source)] = [], needs: [Pool] = [], provides: Pool? = nil
  ) -> ByteOperation {
    ByteOperation(
      name: "TEST." + op + variant, effect: .selftest(op), fields: fields, puts: puts, needs: needs,
      provides: provides)
  }

  private static let iommufd: [ByteOperation] = [
    command("DESTROY", "", [("id", .a(Pool.objects))]),
    command("IOAS_ALLOC", "", [("flags", .reserved)]),
    command(
      "IOAS_ALLOW_IOVAS", "",
      [
        ("ioas_id", .a([.ioas])), ("num_iovas", .flags(flipped: 1, mask: 3)), ("__reserved", .reserved),
        ("allowed_iovas", .area(Area.ranges)),
      ],
      puts: [
        (Area.ranges, 8, .scene { 0x80_0000 + $0.iovaOffset }), (Area.ranges + 8, 8, .x(0xFFF_FFFF)),
        (Area.ranges + 16, 8, .y(0x4000_0000)), (Area.ranges + 24, 8, .y(0x4FFF_FFFF)),
      ]),
    command(
      "IOAS_COPY", "",
      [
        ("flags", mapFlags), ("dst_ioas_id", .a([.ioas])), ("src_ioas_id", .b([.ioas])), ("length", .part),
        ("dst_iova", .freshIOVA), ("src_iova", .place),
      ], mapped: "dst_iova"),
    command(
      "IOAS_IOVA_RANGES", "",
      [
        ("ioas_id", .a([.ioas])), ("num_iovas", .flags(flipped: 4, mask: 7)), ("__reserved", .reserved),
        ("allowed_iovas", .area(Area.ranges)),
      ]),
    command(
      "IOAS_MAP", "",
      [
        ("flags", mapFlags), ("ioas_id", .a([.ioas])), ("__reserved", .reserved), ("user_va", .memory),
        ("length", .length), ("iova", .iova),
      ], mapped: "iova"),
    command("IOAS_UNMAP", "", [("ioas_id", .a([.ioas])), ("iova", .place), ("length", .part)]),
    command(
      "OPTION", "",
      [
        ("option_id", .kind(0)), ("op", .flags(flipped: 1, mask: 1)), ("__reserved", .reserved),
        ("val64", .y(0)),
      ]),
    command(
      "OPTION", ".huge-pages",
      [
        ("option_id", .kind(1)), ("op", .flags(flipped: 0, mask: 1)), ("object_id", .a([.ioas])),
        ("val64", .x(0)),
      ]),
    command(
      "VFIO_IOAS", "",
      [("ioas_id", .a([.ioas])), ("op", .flags(flipped: 1, mask: 3)), ("__reserved", .reserved)],
      provides: .compat),
    command(
      "HWPT_ALLOC", "",
      [
        ("flags", .parentFlags), ("dev_id", .b([.idev])), ("pt_id", .a([.ioas, .parent])),
        ("__reserved", .reserved),
      ]),
    command(
      "HWPT_ALLOC", ".fault",
      [
        ("flags", .flags(flipped: 4, mask: 15)), ("dev_id", .b([.idev])), ("pt_id", .a([.ioas])),
        ("fault_id", .a([.fault])),
      ]),
    command(
      "HWPT_ALLOC", ".pasid",
      [("flags", .flags(flipped: 8, mask: 15)), ("dev_id", .b([.idev])), ("pt_id", .a([.ioas]))]),
    command(
      "HWPT_ALLOC", ".nested",
      [
        ("flags", .flags(flipped: 0, mask: 4)), ("dev_id", .b([.idev])), ("pt_id", .a([.viommu, .parent])),
        ("data_type", .kind(0xDEAD)), ("data_len", .x(4)), ("data_uptr", .area(Area.hwptData)),
        ("fault_id", .a([.fault])),
      ],
      puts: [(Area.hwptData, 4, .y(0xBADBEEF))]),
    command(
      "GET_HW_INFO", "",
      [
        ("flags", .flags(flipped: 0, mask: 1)), ("dev_id", .a([.idev])), ("data_len", .x(8)),
        ("data_uptr", .area(Area.hwInfo)), ("data_type", .y(0)),
      ]),
    command(
      "HWPT_SET_DIRTY_TRACKING", "",
      [("flags", .flags(flipped: 1, mask: 1)), ("hwpt_id", .a([.hwpt])), ("__reserved", .reserved)],
      provides: .tracking),
    command(
      "HWPT_GET_DIRTY_BITMAP", "",
      [
        ("hwpt_id", .a([.hwpt])), ("flags", .flags(flipped: 0, mask: 1)), ("__reserved", .reserved),
        ("iova", .place), ("length", .part), ("page_size", .kind(4096)), ("data", .area(Area.bitmap)),
      ]),
    command(
      "HWPT_INVALIDATE", "",
      [
        ("hwpt_id", .a([.nested, .viommu])), ("data_uptr", .area(Area.invalidations)),
        ("data_type", .kind(0xDEAD_BEEF)), ("entry_len", .x(8)), ("entry_num", .flags(flipped: 1, mask: 3)),
        ("__reserved", .reserved),
      ],
      puts: [(Area.invalidations, 8, .y(1)), (Area.invalidations + 8, 8, .y(0))]),
    command("FAULT_QUEUE_ALLOC", "", [("flags", .reserved)]),
    command(
      "IOAS_MAP_FILE", "",
      [
        ("flags", mapFlags), ("ioas_id", .a([.ioas])), ("fd", .b([.buffer, .dmabuf])), ("start", .reserved),
        ("length", .length), ("iova", .iova),
      ], mapped: "iova"),
    command(
      "VIOMMU_ALLOC", "",
      [
        ("flags", .reserved), ("type", .scene { $0.viommuType }), ("dev_id", .b([.idev])),
        ("hwpt_id", .a([.parent])), ("data_len", .scene { $0.viommuDataLength }),
        ("data_uptr", .area(Area.viommuData)),
      ],
      puts: [(Area.viommuData, 8, .y(0))]),
    command(
      "VDEVICE_ALLOC", "", [("viommu_id", .a([.viommu])), ("dev_id", .b([.idev])), ("virt_id", .y(0x99))]),
    command("IOAS_CHANGE_PROCESS", "", [("__reserved", .reserved)]),
    command(
      "VEVENTQ_ALLOC", "",
      [
        ("flags", .reserved), ("viommu_id", .a([.viommu])), ("type", .scene { $0.eventQueueType }),
        ("veventq_depth", .x(2)), ("__reserved", .reserved),
      ]),
    command(
      "HW_QUEUE_ALLOC", "",
      [
        ("flags", .reserved), ("viommu_id", .a([.viommu])), ("type", .scene { $0.hardwareQueueType }),
        ("index", .flags(flipped: 0, mask: 3)), ("nesting_parent_iova", .place), ("length", .part),
      ]),
    command(
      "IOAS_NOIOMMU_GET_PA", "",
      [("flags", .reserved), ("ioas_id", .a([.ioas])), ("iova", .place), ("length", .part)]),
  ]

  private static let vfio: [ByteOperation] = [
    command("VFIO_GET_API_VERSION"),
    command("VFIO_CHECK_EXTENSION"),
    command("VFIO_SET_IOMMU"),
    command("VFIO_IOMMU_GET_INFO", needs: [.compat]),
    command(
      "VFIO_IOMMU_MAP_DMA", "",
      [("flags", .flags(flipped: 3, mask: 3)), ("vaddr", .memory), ("iova", .iova), ("size", .length)],
      needs: [.compat], mapped: "iova"),
    command(
      "VFIO_IOMMU_UNMAP_DMA", "",
      [("flags", .flags(flipped: 0, mask: 2)), ("iova", .place), ("size", .part)], needs: [.compat]),
  ]

  private static let selftest: [ByteOperation] = [
    test("ADD_RESERVED", "", [("id", .a([.ioas])), ("start", .freshIOVA), ("length", .length)]),
    test("MOCK_DOMAIN", "", [("id", .a([.ioas, .hwpt]))]),
    test("MD_CHECK_MAP", "", [("id", .a([.hwpt])), ("iova", .place), ("length", .part), ("uptr", .memory)]),
    test(
      "MD_CHECK_REFS", "", [("length", .length), ("uptr", .memory), ("refs", .flags(flipped: 0, mask: 3))]),
    test("CREATE_ACCESS", "", [("id", .a([.ioas])), ("flags", .flags(flipped: 1, mask: 1))]),
    test("DESTROY_ACCESS_PAGES", "", [("id", .a([.access])), ("access_pages_id", .b([.accessPages]))]),
    test(
      "ACCESS_PAGES", "",
      [
        ("id", .a([.access])), ("flags", .flags(flipped: 0, mask: 1)), ("iova", .place), ("length", .part),
        ("uptr", .memory),
      ]),
    test(
      "ACCESS_RW", "",
      [
        ("id", .a([.access])), ("iova", .place), ("length", .x(16)), ("uptr", .area(Area.buffer)),
        ("flags", .flags(flipped: 0, mask: 5)),
      ]),
    test("SET_TEMP_MEMORY_LIMIT", "", [("limit", .x(65536))]),
    test("MOCK_DOMAIN_REPLACE", "", [("id", .a([.stdev])), ("pt_id", .b(pageTables))]),
    test(
      "MOCK_DOMAIN_REPLACE", ".nested", [("id", .a([.stdev])), ("pt_id", .b([.nested]))],
      needs: [.vdevice], provides: .onNested),
    test(
      "MOCK_DOMAIN_REPLACE", ".pasid", [("id", .a([.stdev])), ("pt_id", .b([.pasidTable]))],
      provides: .onPASIDTable),
    test("ACCESS_REPLACE_IOAS", "", [("id", .a([.access])), ("ioas_id", .b([.ioas]))]),
    test("MOCK_DOMAIN_FLAGS", "", [("id", .a([.ioas, .hwpt])), ("dev_flags", .flags(flipped: 4, mask: 7))]),
    test(
      "DIRTY", "",
      [
        ("id", .a([.hwpt])), ("iova", .place), ("length", .part), ("page_size", .kind(4096)),
        ("uptr", .area(Area.bitmap)),
      ],
      puts: [(Area.bitmap, 8, .x(0xFF))], needs: [.tracking]),
    test(
      "MD_CHECK_IOTLB", "",
      [("id", .a([.nested])), ("number", .flags(flipped: 0, mask: 7)), ("iotlb", .y(0xBADBEEF))]),
    test(
      "TRIGGER_IOPF", "",
      [
        ("dev_id", .a([.idev])), ("pasid", .x(0)), ("grpid", .b([])), ("perm", .flags(flipped: 1, mask: 15)),
        ("addr", .iova),
      ]),
    test(
      "DEV_CHECK_CACHE", "",
      [("id", .a([.idev])), ("number", .flags(flipped: 0, mask: 7)), ("cache", .y(0xBADDAD))]),
    test("TRIGGER_VEVENT", "", [("dev_id", .a([.idev]))], needs: [.veventq, .onNested]),
    test(
      "PASID_ATTACH", "", [("id", .a([.stdev])), ("pasid", .x(100)), ("pt_id", .b(pasidTables))],
      needs: [.onPASIDTable], provides: .pasid),
    test(
      "PASID_REPLACE", "", [("id", .a([.stdev])), ("pasid", .x(100)), ("pt_id", .b(pasidTables))],
      needs: [.pasid]),
    test("PASID_DETACH", "", [("id", .a([.stdev])), ("pasid", .x(100))], needs: [.pasid]),
    test(
      "PASID_CHECK_HWPT", "",
      [("id", .a([.stdev])), ("pasid", .x(100)), ("hwpt_id", .b([.pasidTable, .hwpt, .nested]))],
      needs: [.pasid]),
    test("DMABUF_GET", "", [("length", .length), ("open_flags", .reserved)]),
    test("DMABUF_REVOKE", "", [("dmabuf_fd", .a([.dmabuf])), ("revoked", .flags(flipped: 1, mask: 1))]),
  ]

  private static let steps: [ByteOperation] = [
    ByteOperation(name: "open", effect: .open),
    ByteOperation(name: "close", effect: .close),
    ByteOperation(name: "fill", effect: .fill),
    ByteOperation(name: "put", effect: .put),
    ByteOperation(name: "unmap-memory", effect: .unmapMemory),
    ByteOperation(name: "memfd", effect: .memfd),
    ByteOperation(name: "read", effect: .read),
    ByteOperation(name: "write", effect: .write),
    ByteOperation(name: "poll", effect: .poll),
    ByteOperation(name: "raw", effect: .raw),
    ByteOperation(name: "fork", effect: .fork),
    ByteOperation(name: "switch-process", effect: .switchProcess),
    ByteOperation(name: "exit-process", effect: .exitProcess),
    ByteOperation(name: "memlock-limit", effect: .memlockLimit),
    ByteOperation(name: "arm-failure", effect: .armFailure),
    ByteOperation(name: "disarm-failure", effect: .disarmFailure),
    ByteOperation(name: "dma-read", effect: .dma(isWrite: false)),
    ByteOperation(name: "dma-write", effect: .dma(isWrite: true)),
  ]

  /// What can be done with the mock's devices.
  static let versionOne: [ByteOperation] = iommufd + vfio + selftest + steps
  /// And with those of real hardware.
  static let versionTwo: [ByteOperation] = versionOne + devices + guests
}
