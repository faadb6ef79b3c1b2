// SPDX-License-Identifier: GPL-3.0-or-later

/// The constants of `drivers/iommu/iommufd/iommufd_test.h` that the mock driver knows.
enum MockABI {
  static let hwInfoType: UInt32 = 0xFEED_BEEF
  static let hwInfoRegister: UInt32 = 0xDEAD_BEEF
  static let hwptDataType: UInt32 = 0xDEAD
  static let invalidateType: UInt32 = 0xDEAD_BEEF
  static let invalidateAll: UInt32 = 1
  static let viommuType: UInt32 = 0xDEAD_BEEF
  static let queueType: UInt32 = 0xDEAD_BEEF
  static let queueCount = 2
  static let cacheDefault: UInt32 = 0xBADDAD
  static let aperture: ClosedRange<UInt64> = 0x100_0000...0x7FFF_FFFF
  /// MOCK_IOMMUPT_DEFAULT and _HUGE.
  static let defaultTable: UInt32 = 0
  static let hugeTable: UInt32 = 1
  static let hugePageSize: UInt64 = 512 * 2048
  static let pasidWidth: UInt32 = 20
  /// The PASID whose every second attachment fails, so that roll-back can be seen.
  static let failingPASID: UInt32 = 1024
}

extension [UInt8] {
  /// The little-endian word at a byte offset.
  func word(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << UInt32(8 * $1) }
  }

  static func words(_ values: UInt32...) -> [UInt8] {
    values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) } }
  }

  static func long(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }
}
