// SPDX-License-Identifier: GPL-3.0-or-later

// The type1 requests of VFIO, which `/dev/iommu` answers too: once by each name that syzkaller has for them.
// Source: syzkaller `sys/linux/dev_vfio.txt`, `dev_iommu.txt` and `auto.txt`; reference corpora.md section 4.

extension SyzCalls {
  static let vfio: [SyzCallRow] =
    type1("IOMMU_", information: .both) + type1("", information: .input) + generated

  private static func type1(_ prefix: String, information: SyzDirection) -> [SyzCallRow] {
    [
      .ioctl(prefix + "VFIO_GET_API_VERSION", 0x3B64, number: nil),
      .ioctl(prefix + "VFIO_CHECK_EXTENSION", 0x3B65, number: .u64("arg")),
      .ioctl(prefix + "VFIO_SET_IOMMU", 0x3B66, number: .u64("arg")),
      .ioctl(
        prefix + "VFIO_IOMMU_GET_INFO", 0x3B70, direction: information,
        [
          argsz, .is32("flags", 0), .out64("iova_pgsizes"), .out32("cap_offset"),
          SyzField("cap1", .structure(SyzStructure([header, .u32("avail")])), .output),
          SyzField(
            "cap2",
            .structure(
              SyzStructure([
                header, .u32("nr_iovs"), .u32("reserved"),
                SyzField("iova_ranges", .array(.structure(SyzStructure([.u64("start"), .u64("end")])))),
              ])), .output),
        ]),
      .ioctl(
        prefix + "VFIO_IOMMU_MAP_DMA", 0x3B71,
        [argsz, .u32("flags"), .pointer("user_va", .buffer), .u64("iova"), .u64("size")]),
      .ioctl(
        prefix + "VFIO_IOMMU_UNMAP_DMA", 0x3B72,
        [argsz, .u32("flags"), .u64("iova"), .u64("size"), SyzField("data", .buffer)]),
    ]
  }

  private static let argsz = SyzField("argsz", .length(of: "parent", width: 4))

  /// A capability header as syzkaller describes it, with a `next` of 16 bits; the ABI has 32. The kernel writes
  /// it and nothing reads it back by this layout.
  private static let header = SyzField(
    "header", .structure(SyzStructure([.u16("id"), .u16("version"), .u16("next")])))

  /// Descriptions that syzkaller generates, with an argument of 0.
  private static let generated: [SyzCallRow] = [
    ("CHECK_EXTENSION", 0x3B65), ("GET_API_VERSION", 0x3B64), ("SET_IOMMU", 0x3B66),
    ("IOMMU_DIRTY_PAGES", 0x3B75),
    ("IOMMU_GET_INFO", 0x3B70), ("IOMMU_MAP_DMA", 0x3B71), ("IOMMU_UNMAP_DMA", 0x3B72),
  ].map { .ioctl("auto_VFIO_" + $0.0, $0.1, number: .is64("arg", 0)) }
}
