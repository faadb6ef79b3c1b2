// SPDX-License-Identifier: GPL-3.0-or-later

/// Writes a DEFLATE stream of stored blocks: what every reader of the format accepts, at five bytes more for each
/// 65,535.
///
/// Source: RFC 1951, section 3.2.4.
enum Deflate {
  static func stored(_ bytes: [UInt8]) -> [UInt8] {
    var stream: [UInt8] = []
    stream.reserveCapacity(bytes.count + bytes.count / 65535 * 5 + 5)
    var start = 0
    repeat {
      let end = min(start + 65535, bytes.count)
      let length = UInt16(end - start)
      stream.append(end == bytes.count ? 1 : 0)
      stream.append(number: length)
      stream.append(number: ~length)
      stream += bytes[start..<end]
      start = end
    } while start < bytes.count
    return stream
  }
}
