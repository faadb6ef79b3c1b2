// SPDX-License-Identifier: GPL-3.0-or-later

// `IOMMU_TEST_CMD`: one struct of 72 bytes, one call an op, two where an op also takes an area by its number.
// Source: syzkaller `sys/linux/dev_iommu.txt`; reference corpora.md section 4.4.

extension SyzCalls {
  static let selftest: [SyzCallRow] = [
    op("ADD_RESERVED", 1, .id("id"), [.u64("start"), .u64("length")]),
    op("MOCK_DOMAIN", 2, .id("id"), mockDomain),
    // syzkaller encodes op 2 here, not 12: the kernel does not look at the flags.
    op("MOCK_DOMAIN_FLAGS", 2, .id("id"), mockDomain + [.u32("dev_flags")]),
    op(
      "MD_CHECK_MAP", 3, .id("id"), [.u64("iova"), .count64("length", of: "uptr"), .pointer("uptr", .buffer)]),
    op(
      "MD_CHECK_REFS", 4, .is32("id", 0),
      [.count64("length", of: "uptr"), .pointer("uptr", .buffer), .u32("refs")]),
    op("CREATE_ACCESS", 5, .id("id"), [.outDescriptor("out_access_fd"), .u32("flags")]),
    op("DESTROY_ACCESS_PAGES", 6, .id("id"), [.id("access_pages_id")]),
    op(
      "ACCESS_PAGES", 7, .descriptor("id"),
      [.u32("flags"), .outID("out_access_pages_id"), .u64("iova"), .u64("length"), .is64("uptr", 0)]),
    op(
      "ACCESS_PAGES$syz", 7, .descriptor("id"),
      [
        .u32("flags"), .outID("out_access_pages_id"), .u32("nth_area"), .u32("offset"), .u64("length"),
        .is64("uptr", 0),
      ]),
    op(
      "ACCESS_RW", 8, .descriptor("id"),
      [.u64("iova"), .count64("length", of: "uptr"), .pointer("uptr", .buffer), .u32("flags")]),
    op(
      "ACCESS_RW$syz", 8, .descriptor("id"),
      [
        .u32("nth_area"), .u32("offset"), .count64("length", of: "uptr"), .pointer("uptr", .buffer),
        .u32("flags"),
      ]),
    op("SET_TEMP_MEMORY_LIMIT", 9, .is32("id", 0), [.u32("limit")]),
    op("MOCK_DOMAIN_REPLACE", 10, .id("id"), [.id("pt_id")]),
    op("ACCESS_REPLACE_IOAS", 11, .descriptor("id"), [.id("ioas_id")]),
  ]

  private static let mockDomain: [SyzField] = [
    .outID("out_stdev_id"), .outID("out_hwpt_id"), .outID("out_idev_id"),
  ]

  private static func op(_ name: String, _ number: UInt64, _ id: SyzField, _ fields: [SyzField]) -> SyzCallRow
  {
    .ioctl("IOMMU_TEST_OP_" + name, 0x3BA0, size: 72, [.size, .is32("op", number), id, .reserved] + fields)
  }
}
