// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// How much memory a pointer of a struct leads to. The table of requests knows which fields are pointers; how long
/// what they point to is depends on other fields, request by request.
///
/// Source: `include/uapi/linux/iommufd.h`, `drivers/iommu/iommufd/iommufd_test.h`.
enum PayloadRule {
  /// More than this is not kept, in bytes.
  static let longest: UInt64 = 64 << 10

  /// Each pointer with its length in bytes. Memory that is mapped is not there: it is the program's and nothing is
  /// copied.
  static func payloads(_ structure: RequestStruct, _ sent: [UInt8]) -> [(field: Field, length: UInt64)] {
    func value(_ name: String) -> UInt64 {
      structure.fields.first { $0.name == name }.map { LoggedRequest.word(sent, $0.offset, $0.size) } ?? 0
    }
    func rule(_ name: String, _ length: UInt64) -> [(field: Field, length: UInt64)] {
      guard let field = structure.fields.first(where: { $0.name == name }) else { return [] }
      return [(field, length)]
    }
    switch structure.name {
    case "IOAS_ALLOW_IOVAS", "IOAS_IOVA_RANGES": return rule("allowed_iovas", value("num_iovas") &* 16)
    case "HWPT_ALLOC", "GET_HW_INFO", "VIOMMU_ALLOC": return rule("data_uptr", value("data_len"))
    case "HWPT_INVALIDATE": return rule("data_uptr", value("entry_len") &* value("entry_num"))
    case "HWPT_GET_DIRTY_BITMAP": return rule("data", bitmap(value("length"), value("page_size")))
    case "TEST_DIRTY": return rule("uptr", bitmap(value("length"), value("page_size")))
    case "TEST_ACCESS_RW": return rule("uptr", value("length"))
    default: return []
    }
  }

  /// The bytes of a bitmap with a bit a page, in words of 64.
  private static func bitmap(_ length: UInt64, _ page: UInt64) -> UInt64 {
    guard page > 0 else { return 0 }
    let bits = length / page &+ (length % page == 0 ? 0 : 1)
    return (bits / 64 &+ (bits % 64 == 0 ? 0 : 1)) &* 8
  }
}
