// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// How values are written in the language.
public enum ScriptText {
  public static func hex(_ value: UInt64) -> String {
    value < 10 ? String(value) : "0x" + String(value, radix: 16)
  }

  /// Bytes as a value of the language.
  public static func bytes(_ bytes: some Collection<UInt8>) -> String {
    if let first = bytes.first, bytes.count > 8, bytes.allSatisfy({ $0 == first }) {
      return first == 0 ? "zero(\(bytes.count))" : "fill(0x\(String(first, radix: 16)), \(bytes.count))"
    }
    // Four readable bytes may be a number; more are meant to be read.
    if bytes.count > 4, bytes.allSatisfy({ 0x20...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }) {
      return "\"\(String(decoding: bytes, as: UTF8.self))\""
    }
    var text = "hex\""
    text.reserveCapacity(bytes.count * 2 + 5)
    for byte in bytes {
      if byte < 16 { text += "0" }
      text += String(byte, radix: 16)
    }
    return text + "\""
  }

  /// A field's value by the names that it has.
  public static func value(_ field: Field, _ value: UInt64) -> String {
    switch field.meaning {
    case .flags(let names):
      let text = names.flagNames(value)
      return text.contains("0x") ? hex(value) : text
    case .choice(let names): return names.name(of: value) ?? hex(value)
    default: return hex(value)
    }
  }

  public static func rights(read: Bool, write: Bool) -> String {
    switch (read, write) {
    case (true, true): ""
    case (true, false): " ro"
    case (false, true): " wo"
    case (false, false): " none"
    }
  }
}
