// SPDX-License-Identifier: GPL-3.0-or-later

/// Literals in their canonical spelling.
enum LiteralText {
  /// The unit is kept while it divides the value.
  static func number(_ literal: NumberLiteral) -> String {
    let scale = UInt64(1) << UInt64(literal.unit.scaleLg2)
    let divides = literal.value % scale == 0
    let value = divides ? literal.value / scale : literal.value
    let unit = divides ? literal.unit.rawValue : ""
    let prefix =
      switch literal.radix {
      case .binary: "0b"
      case .octal: "0o"
      case .decimal: ""
      case .hexadecimal: "0x"
      }
    // In hexadecimal an E would be read as a digit.
    if literal.radix == .hexadecimal && unit == NumberLiteral.Unit.exbi.rawValue {
      return prefix + String(literal.value, radix: 16)
    }
    return prefix + String(value, radix: Int(literal.radix.rawValue)) + unit
  }

  static func duration(_ literal: DurationLiteral) -> String {
    let scale = literal.unit.nanoseconds
    if literal.nanoseconds % scale == 0 { return String(literal.nanoseconds / scale) + literal.unit.rawValue }
    return String(literal.nanoseconds) + DurationLiteral.Unit.nanoseconds.rawValue
  }

  static func date(_ date: DateLiteral) -> String {
    func padded(_ value: Int, _ width: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    return padded(Int(date.year), 4) + "-" + padded(Int(date.month), 2) + "-" + padded(Int(date.day), 2)
  }

  /// In quotes. Bytes that are UTF-8 stand as they are, all others as `\xHH`.
  static func string(_ bytes: [UInt8]) -> String {
    var result = "\""
    var index = 0
    while index < bytes.count {
      let step = UTF8Reader.step(bytes, at: index, end: bytes.count)
      switch step.scalar {
      case 0x0A: result += "\\n"
      case 0x09: result += "\\t"
      case 0x0D: result += "\\r"
      case 0x22: result += "\\\""
      case 0x5C: result += "\\\\"
      case .some(let scalar) where scalar >= 0x20 && scalar != 0x7F:
        result += String(decoding: bytes[index..<index + step.length], as: UTF8.self)
      default: result += "\\x" + hexByte(bytes[index])
      }
      index += step.length
    }
    return result + "\""
  }

  static func hex(_ literal: HexLiteral) -> String {
    var result = "hex\""
    for (byte, mask) in zip(literal.bytes, literal.mask) {
      let digits = Array(hexByte(byte))
      result.append(mask & 0xF0 == 0 ? "*" : digits[0])
      result.append(mask & 0x0F == 0 ? "*" : digits[1])
    }
    return result + "\""
  }

  static func hexByte(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
