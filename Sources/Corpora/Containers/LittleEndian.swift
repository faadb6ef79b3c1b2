// SPDX-License-Identifier: GPL-3.0-or-later

// Little-endian numbers of the containers' headers; nothing is aligned in any of them.

extension [UInt8] {
  /// The number at `offset`, or nil where the bytes end before it does.
  func number<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int, as: Value.Type) -> Value? {
    let width = Value.bitWidth / 8
    guard offset >= 0, count >= width, offset <= count - width else { return nil }
    var value: Value = 0
    for index in 0..<width { value |= Value(self[offset + index]) << Value(8 * index) }
    return value
  }

  mutating func append<Value: FixedWidthInteger & UnsignedInteger>(number value: Value) {
    for index in 0..<Value.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
  }
}
