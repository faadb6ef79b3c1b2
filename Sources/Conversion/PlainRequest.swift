// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// A request by the name of its row and with its fields by theirs: `request IOAS_MAP flags=... ioas_id=...`.
///
/// Every request whose bytes are its fields' can be written so; it is the form that verbs are shorthands of. Whoever
/// writes it down says what descriptors, objects and addresses are called.
public struct PlainRequest {
  public let structure: RequestStruct
  private let row: CommandRow
  private let sent: [UInt8]

  /// A field with its value, under the name that the language has for it.
  public struct Value {
    public let name: String
    public let field: Field
    public let value: UInt64
  }

  /// Nil for a request that the table does not have, or one with bytes that are no field's and not zero.
  ///
  /// - Parameter sent: the struct, as long as it says it is.
  public init?(_ request: UInt32, sent: [UInt8]) {
    guard sent.count >= 4, let row = CommandTable.row(request: request), !row.sizes.isEmpty,
      let structure = RequestStruct(request, head: sent),
      row.family != .selftest || structure.operation != nil
    else { return nil }
    var isField = [Bool](repeating: false, count: sent.count)
    for field in structure.fields where field.offset + field.size <= sent.count {
      for index in field.offset..<field.offset + field.size { isField[index] = true }
    }
    guard sent.indices.allSatisfy({ isField[$0] || sent[$0] == 0 }) else { return nil }
    self.structure = structure
    self.row = row
    self.sent = sent
  }

  /// `request IOAS_MAP`, `selftest ACCESS_RW`
  public var words: String {
    structure.operation.map { "selftest \($0.name)" } ?? "request \(structure.name)"
  }

  /// The fields that have to be said: those that the kernel reads and that are not 0, and all descriptors, since no
  /// descriptor is nothing. The size is among them where it is not the one that `kernel` knows.
  public func inputs(_ kernel: KernelVersion) -> [Value] {
    var values: [Value] = []
    for (index, (name, field)) in structure.namedFields.enumerated() {
      if index == 0 {
        let size = LoggedRequest.word(sent, 0, 4)
        if size != UInt64(row.fullSize(kernel)) {
          values.append(Value(name: name, field: field, value: size))
        }
        continue
      }
      guard field.direction != .output, field.offset + field.size <= sent.count,
        structure.operation == nil || name != "op"
      else { continue }
      let value = LoggedRequest.word(sent, field.offset, field.size)
      if case .fileDescriptor = field.meaning {
        values.append(Value(name: name, field: field, value: value))
      } else if value != 0 {
        values.append(Value(name: name, field: field, value: value))
      }
    }
    return values
  }

  /// What came back in the fields that the kernel writes.
  public func outputs(_ received: [UInt8]) -> [Value] {
    structure.namedFields.compactMap { name, field in
      guard field.direction != .input, field.offset + field.size <= received.count else { return nil }
      if case .userPointer = field.meaning { return nil }
      return Value(name: name, field: field, value: LoggedRequest.word(received, field.offset, field.size))
    }
  }

  /// The bytes of a struct for `ioctl`: `u32 8; u32 99`.
  public static func numbers(_ bytes: [UInt8]) -> String {
    var words: [String] = []
    var index = 0
    while index + 4 <= bytes.count {
      words.append("u32 \(ScriptText.hex(LoggedRequest.word(bytes, index, 4)))")
      index += 4
    }
    for byte in bytes[index...] { words.append("u8 \(byte)") }
    return words.joined(separator: "; ")
  }
}

extension PlainRequest.Value {
  /// How the language says the name; an underscore in front goes without saying.
  public var option: String { String(name.drop { $0 == "_" }) }
}

extension RequestStruct {
  /// The fields by the names that the language has for them: one of an operation that is called as a common one is
  /// has a 2 behind it.
  var namedFields: [(name: String, field: Field)] {
    var named: [(name: String, field: Field)] = []
    for field in fields {
      let isTaken = named.contains { $0.name == field.name }
      named.append((isTaken ? field.name + "2" : field.name, field))
    }
    return named
  }
}
