// SPDX-License-Identifier: GPL-3.0-or-later

/// The struct of a request as it lies in user memory, for those who look at requests from outside: they trace,
/// compare or clean up, and know neither who sends nor who answers.
public struct RequestStruct: Sendable {
  /// `IOAS_MAP`, `TEST_ACCESS_RW`
  public let name: String
  /// The fields of the struct; of the selftest's union those of the operation.
  public let fields: [Field]
  /// Bytes that the caller says the struct has, at most a page; 0 for a request that takes none.
  public let count: Int
  /// The operation, of a request of the selftest.
  public let operation: SelftestOp?

  /// The result is a new descriptor.
  public var returnsDescriptor: Bool { operation?.name == "DMABUF_GET" }

  /// Nil for a request that the table does not have.
  public init?(_ request: UInt32, at argument: UInt64, in memory: any UserMemory) {
    self.init(request) { memory.copyIn(argument, into: $0) }
  }

  /// A struct of which the first bytes are given; it takes 8 to know an operation.
  public init?(_ request: UInt32, head: some Collection<UInt8>) {
    self.init(request) { buffer in
      let first = Array(head.prefix(buffer.count))
      buffer.copyBytes(from: first)
      return first.count
    }
  }

  private init?(_ request: UInt32, read: (UnsafeMutableRawBufferPointer) -> Int) {
    guard let row = CommandTable.row(request: request) else { return nil }
    var head: (UInt32, UInt32) = (0, 0)
    let known = row.sizes.isEmpty ? 0 : withUnsafeMutableBytes(of: &head) { read($0) }
    count = known >= 4 ? min(Int(UInt32(littleEndian: head.0)), 4096) : 0
    let number = UInt32(littleEndian: head.1)
    operation =
      row.family == .selftest && known == 8
      ? CommandTable.selftestOps.first { $0.number == number } : nil
    guard let operation else {
      name = row.name
      fields = row.fields
      return
    }
    name = "TEST_\(operation.name)"
    let isAccess = if case .access = operation.id { true } else { false }
    // An access is named by its descriptor.
    let id = Field("id", Layout.Selftest.id, .input, isAccess ? .fileDescriptor : .objectID)
    fields = row.fields.map { $0.name == "id" ? id : $0 } + operation.fields
  }

  /// The fields that the caller's struct reaches.
  public var present: [Field] { fields.filter { $0.offset + $0.size <= count } }
}

extension Field {
  /// The field's value in a struct at `argument`; nil where it cannot be read.
  public func value(at argument: UInt64, in memory: any UserMemory) -> UInt64? {
    var value: UInt64 = 0
    let done = withUnsafeMutableBytes(of: &value) {
      memory.copyIn(argument &+ UInt64(offset), into: UnsafeMutableRawBufferPointer(rebasing: $0[..<size]))
    }
    return done == size ? UInt64(littleEndian: value) : nil
  }

  /// Writes the field of a struct at `argument`; false where it cannot be written.
  public func store(_ value: UInt64, at argument: UInt64, in memory: any UserMemory) -> Bool {
    withUnsafeBytes(of: value.littleEndian) {
      memory.copyOut(argument &+ UInt64(offset), from: UnsafeRawBufferPointer(rebasing: $0[..<size])) == size
    }
  }
}
