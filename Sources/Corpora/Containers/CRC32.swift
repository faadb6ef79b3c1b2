// SPDX-License-Identifier: GPL-3.0-or-later

/// The checksum of a zip file's members: CRC-32 with the reflected polynomial 0xEDB88320.
///
/// Source: PKWARE APPNOTE.TXT 6.3.10, section 4.4.7.
enum CRC32 {
  static func of(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = .max
    for byte in bytes { sum = sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] }
    return ~sum
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { word, _ in word & 1 == 0 ? word >> 1 : word >> 1 ^ 0xEDB8_8320 }
  }
}
