// SPDX-License-Identifier: GPL-3.0-or-later

// The requests of `/dev/iommu`. Source: syzkaller `sys/linux/dev_iommu.txt`; reference corpora.md sections 4.2 and 4.3.

extension SyzCalls {
  static let iommufd: [SyzCallRow] = [
    .ioctl("IOMMU_DESTROY$ioas", 0x3B80, destroy),
    .ioctl("IOMMU_DESTROY$stdev", 0x3B80, destroy),
    .ioctl("IOMMU_DESTROY$hwpt", 0x3B80, destroy),
    .ioctl("IOMMU_IOAS_ALLOC", 0x3B81, [.size, .is32("flags", 0), .outID("out_ioas_id")]),
    .ioctl("IOMMU_IOAS_ALLOW_IOVAS", 0x3B82, ranges(.input)),
    .ioctl("IOMMU_IOAS_COPY", 0x3B83, copyHead + [.u64("length"), .both64("dst_iova"), .u64("src_iova")]),
    .ioctl(
      "IOMMU_IOAS_COPY$syz", 0x3B83,
      copyHead + [.u64("length"), .both64("dst_iova"), .u32("nth_area"), .u32("offset")]),
    .ioctl("IOMMU_IOAS_IOVA_RANGES", 0x3B84, ranges(.output) + [.out64("out_iova_alignment")]),
    .ioctl("IOMMU_IOAS_MAP", 0x3B85, map(.pointer("user_va", .buffer))),
    .ioctl("IOMMU_IOAS_MAP$PAGES", 0x3B85, map(SyzField("user_va", .pages))),
    .ioctl("IOMMU_IOAS_UNMAP", 0x3B86, [.size, .id("ioas_id"), .u64("iova"), .u64("length")]),
    .ioctl("IOMMU_IOAS_UNMAP$ALL", 0x3B86, [.size, .id("ioas_id"), .is64("iova", 0), .is64("length", .max)]),
    .ioctl("IOMMU_OPTION$IOMMU_OPTION_RLIMIT_MODE", 0x3B87, option(0, .is32("object_id", 0))),
    .ioctl("IOMMU_OPTION$IOMMU_OPTION_HUGE_PAGES", 0x3B87, option(1, .id("object_id"))),
    .ioctl("IOMMU_VFIO_IOAS$GET", 0x3B88, vfioIOAS(.outID("ioas_id"), 0)),
    .ioctl("IOMMU_VFIO_IOAS$SET", 0x3B88, vfioIOAS(.id("ioas_id"), 1)),
    .ioctl("IOMMU_VFIO_IOAS$CLEAR", 0x3B88, vfioIOAS(.is32("ioas_id", 0), 2)),
    .ioctl("IOMMU_HWPT_ALLOC$NONE", 0x3B89, hwptAlloc(0, .buffer)),
    .ioctl(
      "IOMMU_HWPT_ALLOC$TEST", 0x3B89,
      hwptAlloc(0xDEAD, .structure(SyzStructure([.is32("iotlb", 0xBAD_BEEF)])))),
    .ioctl(
      "IOMMU_GET_HW_INFO", 0x3B8A,
      [
        .size, .is32("flags", 0), .id("dev_id"), .count32("data_len", of: "data_uptr"),
        .pointer("data_uptr", .buffer, .output), .out32("out_data_type"), .reserved,
        .out64("out_capabilities"),
      ]),
    .ioctl("IOMMU_HWPT_SET_DIRTY_TRACKING", 0x3B8B, [.size, .u32("flags"), .id("hwpt_id"), .reserved]),
    .ioctl(
      "IOMMU_HWPT_GET_DIRTY_BITMAP", 0x3B8C,
      [
        .size, .id("hwpt_id"), .u32("flags"), .reserved, .u64("iova"), .u64("length"), .u64("page_size"),
        .pointer("data", .buffer, .output),
      ]),
    .ioctl(
      "IOMMU_HWPT_INVALIDATE$TEST", 0x3B8D,
      [
        .size, .id("hwpt_id"),
        .pointer("data_uptr", .array(.structure(SyzStructure([.u32("flags"), .u32("iotlb_id")])))),
        .is32("data_type", 0xDEAD_BEEF), .is32("entry_len", 8), .count32("entry_num", of: "data_uptr"),
        .reserved,
      ]),
  ]

  private static let destroy: [SyzField] = [.size, .id("id")]

  private static func ranges(_ direction: SyzDirection) -> [SyzField] {
    [
      .size, .id("ioas_id"), .count32("num_iovas", of: "allowed_iovas"), .reserved,
      .pointer("allowed_iovas", .array(.structure(SyzStructure([.u64("start"), .u64("last")]))), direction),
    ]
  }

  private static let copyHead: [SyzField] = [.size, .u32("flags"), .id("dst_ioas_id"), .id("src_ioas_id")]

  private static func map(_ user: SyzField) -> [SyzField] {
    [
      .size, .u32("flags"), .id("ioas_id"), .reserved, user, .count64("length", of: "user_va"),
      .both64("iova"),
    ]
  }

  private static func option(_ id: UInt64, _ object: SyzField) -> [SyzField] {
    [.size, .is32("option_id", id), .u16("op"), .is16("__reserved", 0), object, .both64("val64")]
  }

  private static func vfioIOAS(_ id: SyzField, _ op: UInt64) -> [SyzField] {
    [.size, id, .is16("op", op), .is16("__reserved", 0)]
  }

  private static func hwptAlloc(_ type: UInt64, _ data: SyzType) -> [SyzField] {
    [
      .size, .u32("flags"), .id("dev_id"), .id("pt_id"), .outID("out_hwpt_id"), .reserved,
      .is32("data_type", type),
      .count32("data_len", of: "data_uptr"), .pointer("data_uptr", data),
    ]
  }
}
