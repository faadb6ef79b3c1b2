// SPDX-License-Identifier: GPL-3.0-or-later

/// Where an integer lives in a struct of the uAPI: its byte offset, and its type by `Value`.
public struct Slot<Value: FixedWidthInteger & Sendable>: Sendable {
  public let offset: Int
  @inlinable
  public init(_ offset: Int) { self.offset = offset }
}

/// One field of a uAPI struct, as help, tracing, fuzz decoding and the size tests need it.
public struct Field: Sendable {
  /// The name in the kernel's header.
  public let name: String
  /// Byte offset from the start of the struct.
  public let offset: Int
  /// 1, 2, 4 or 8 bytes.
  public let size: Int
  public let direction: Direction
  public let meaning: Meaning

  public enum Direction: String, Sendable {
    case input, output, both
    public var isInput: Bool { self != .output }
    public var isOutput: Bool { self != .input }
  }

  /// What the bits of a field say. It picks how a trace prints the field and what a fuzzer puts into it.
  public enum Meaning: Sendable {
    case number
    case flags(NamedValues)
    case choice(NamedValues)
    case objectID
    case iova
    case length
    /// An address in the calling process.
    case userPointer
    case fileDescriptor
    /// Must be zero where the kernel looks.
    case reserved
  }

  public init<Value>(
    _ name: String, _ slot: Slot<Value>, _ direction: Direction = .input, _ meaning: Meaning = .number
  ) {
    self.name = name
    self.offset = slot.offset
    self.size = Value.bitWidth / 8
    self.direction = direction
    self.meaning = meaning
  }

  /// All ones in the width of the field.
  public var mask: UInt64 { size == 8 ? .max : (1 << UInt64(size * 8)) - 1 }
}

/// The names of an enumeration or of flag bits, without the prefix that C needs.
public struct NamedValues: Sendable {
  public struct Entry: Sendable {
    public let name: String
    public let value: UInt64
    /// First release that knows the value.
    public let since: KernelVersion
  }
  /// The C type's name, for help.
  public let type: String
  public let entries: [Entry]

  public init(_ type: String, _ entries: [(String, UInt64, KernelVersion)]) {
    self.type = type
    self.entries = entries.map { Entry(name: $0.0, value: $0.1, since: $0.2) }
  }

  /// The value called `name`; case does not matter.
  public func value(named name: String) -> UInt64? {
    entries.first { $0.name == name || $0.name == name.uppercased() }?.value
  }

  public func name(of value: UInt64) -> String? { entries.first { $0.value == value }?.name }

  /// `A|B|0x80`: the bits that have names by name, the rest as a number; `0` for none.
  public func flagNames(_ value: UInt64) -> String {
    var rest = value
    var parts: [String] = []
    for entry in entries where entry.value != 0 && rest & entry.value == entry.value {
      parts.append(entry.name)
      rest &= ~entry.value
    }
    if rest != 0 || parts.isEmpty { parts.append(rest == 0 ? "0" : "0x" + String(rest, radix: 16)) }
    return parts.joined(separator: "|")
  }
}
