// SPDX-License-Identifier: GPL-3.0-or-later

/// A number that is known when a call is about to be made: a literal, or what an earlier call stored.
public enum SyzOperand: Sendable, Equatable {
  case constant(UInt64)
  /// The value in a slot, divided and added to; `absent` where the slot was never filled, and then nothing is done
  /// to it.
  case result(slot: Int, SyzArithmetic, absent: UInt64)
}

/// How a number is written to memory. Source: reference corpora.md sections 1.9 and 2.2.
public enum SyzNotation: Sendable, Equatable {
  /// Little-endian, in 1, 2, 4 or 8 bytes.
  case binary(width: Int)
  /// 20 digits.
  case decimal
  /// `0x` and 16 digits.
  case hexadecimal
  /// 23 digits.
  case octal

  var size: Int {
    switch self {
    case .binary(let width): width
    case .decimal: 20
    case .hexadecimal: 18
    case .octal: 23
    }
  }

  /// The bytes of `value`.
  public func bytes(_ value: UInt64) -> [UInt8] {
    switch self {
    case .binary(let width): (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * min($0, 7))) }
    case .decimal: Self.padded(String(value), to: 20)
    case .hexadecimal: Array("0x".utf8) + Self.padded(String(value, radix: 16), to: 16)
    case .octal: Self.padded(String(value, radix: 8), to: 23)
    }
  }

  private static func padded(_ digits: String, to count: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(ascii: "0"), count: max(0, count - digits.utf8.count)) + Array(digits.utf8)
  }
}
