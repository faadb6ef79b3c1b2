// SPDX-License-Identifier: GPL-3.0-or-later

/// A request in words: every field of its row, flags and choices by name. What stands behind object numbers and
/// addresses the caller can name.
///
///     IOAS_MAP size=40 flags=FIXED_IOVA|READABLE ioas_id=1 user_va=0x7f0000 length=0x2000 iova=0x1000 -> ok
public struct RequestText {
  /// `IOAS_MAP`, `TEST_MOCK_DOMAIN`.
  public let name: String
  /// All fields of the struct that a trace shows.
  public let fields: [Field]
  /// The request is an operation of the selftest command, and the name says which.
  public let isOperation: Bool
  /// A name to add to an object's number.
  public var objectName: (UInt32) -> String? = { _ in nil }
  /// A name in place of an address.
  public var placeName: (UInt64) -> String? = { _ in nil }

  public init(name: String, fields: [Field], isOperation: Bool) {
    self.name = name
    self.fields = fields
    self.isOperation = isOperation
  }

  /// A request as it comes.
  public init(_ structure: RequestStruct) {
    self.init(name: structure.name, fields: structure.fields, isOperation: structure.operation != nil)
  }

  // MARK: Texts

  /// What is sent: fields that only answer, and reserved ones that are zero as they should be, say nothing.
  public func request(_ sent: [UInt8]) -> String {
    let shown = fields.filter { field in
      guard field.offset + field.size <= sent.count, field.direction != .output else { return false }
      if Self.word(sent, field.offset, field.size) == 0, field.name.hasPrefix("__") { return false }
      return !(isOperation && field.name == "op")
    }
    return ([name] + shown.map { "\($0.name)=\(text($0, Self.word(sent, $0.offset, $0.size)))" })
      .joined(separator: " ")
  }

  /// What came back in the struct: the fields that answer.
  public func reply(_ received: [UInt8]) -> String {
    fields.filter { $0.direction != .input && $0.offset + $0.size <= received.count }
      .map { "\($0.name)=\(text($0, Self.word(received, $0.offset, $0.size)))" }.joined(separator: " ")
  }

  /// One line for a trace: the request, `->`, the outcome and what came back, or why not.
  public func line(_ sent: [UInt8], _ result: Result<Int32, Errno>, _ received: [UInt8]) -> String {
    request(sent) + " -> " + Self.outcome(result, reply: reply(received))
  }

  /// `ok rc=8 iova=0x1000`, `EINVAL: length is 0`
  public static func outcome(_ result: Result<Int32, Errno>, reply: String) -> String {
    switch result {
    case .success(let value):
      return (["ok"] + (value != 0 ? ["rc=\(value)"] : []) + (reply.isEmpty ? [] : [reply])).joined(
        separator: " ")
    case .failure(let errno): return errno.name + (errno.reason.map { ": \($0)" } ?? "")
    }
  }

  /// A field's value.
  public func text(_ field: Field, _ value: UInt64) -> String {
    switch field.meaning {
    case .flags(let names): names.flagNames(value)
    case .choice(let names): names.name(of: value) ?? Self.hex(value)
    case .objectID: "\(value)" + (objectName(UInt32(truncatingIfNeeded: value)).map { "(\($0))" } ?? "")
    case .fileDescriptor: String(Int32(truncatingIfNeeded: value))
    case .userPointer: placeName(value) ?? Self.hex(value)
    case .iova: Self.hex(value)
    case .length, .number, .reserved: value < 4096 ? String(value) : Self.hex(value)
    }
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// A little-endian number of `size` bytes; bytes that are not there are zeros.
  private static func word(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<size where offset + index < bytes.count {
      value |= UInt64(bytes[offset + index]) << UInt64(8 * index)
    }
    return value
  }
}
