// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// A program as a fuzzer's bytes.
///
///     0x89 'I' 'O' 'F'  version:u8  profile:u8  flags:u16       a header, which may be missing
///     op:u8  a:u8  b:u8  flags:u8  x:u32  y:u64                 a record, repeated to the end
///
/// Numbers are little-endian. Every byte string is a program: `op` counts round the operations of the version, a last
/// record that is cut off is filled with zeros, and what an operand selects counts round what there is. Records have one
/// size, so a mutation of one is no mutation of the next. Bytes without a header are version 0, which is
/// version 1, so the inputs of any fuzzer can be read.
///
/// An input must mean next year what it means today. So a version's operations are a list that does not change
/// (`ByteOperation`), a header with a version that is not known is refused and not guessed at, and `text` is where
/// an input is taken from one version to the next. `bytes` is the inverse of reading for every program.
///
/// Source: reference corpora.md section 8.4.
public struct ByteProgram: Sendable, Equatable {
  public struct Record: Sendable, Hashable {
    /// An index into the operations of the version.
    public var operation: Int
    /// Mostly an object to act on, the newest being 0; from 0xE0 on an ID that is taken as it is.
    public var a: UInt8
    /// A second object, or where in memory.
    public var b: UInt8
    /// The request's flags in the lower 5 bits; above them, 5 to 7 are mistakes in the request's form.
    public var flags: UInt8
    /// Mostly a length.
    public var x: UInt32
    /// Mostly an IOVA.
    public var y: UInt64

    public init(
      operation: Int, a: UInt8 = 0, b: UInt8 = 0, flags: UInt8 = 0, x: UInt32 = 0, y: UInt64 = 0
    ) {
      self.operation = operation
      self.a = a
      self.b = b
      self.flags = flags
      self.x = x
      self.y = y
    }
  }

  /// A header of a version that this program cannot read.
  public struct UnknownVersion: Error, Sendable, CustomStringConvertible {
    public let version: UInt8
    public var description: String { "version \(version) of a program in bytes is not known" }
  }

  /// 0 without a header.
  public let version: UInt8
  /// The kernel that it is meant for: 1 is Linux 6.12, 2 is 7.2, anything else whichever is asked.
  public let profile: UInt8
  /// Which scene, from version 2 on; of no meaning before.
  public let flags: UInt16
  public let records: [Record]

  public static let newestVersion: UInt8 = 2
  static let versions: ClosedRange<UInt8> = 0...newestVersion
  /// Further records are not read: no input may run for long.
  public static let mostRecords = 4096
  public static let headerLength = 8
  public static let recordLength = 16
  private static let magic: [UInt8] = [0x89, 0x49, 0x4F, 0x46]

  /// The machine that it starts on.
  public var scene: ByteScene { ByteScene(flags: version < 2 ? 0 : flags) }

  public var kernel: KernelVersion? {
    switch profile {
    case 1: KernelVersion(6, 12)
    case 2: KernelVersion(7, 2)
    default: nil
    }
  }

  /// - Precondition: a known version, its operations, no more than `mostRecords`, and without a header nothing in it.
  public init(version: UInt8 = newestVersion, profile: UInt8 = 0, flags: UInt16 = 0, records: [Record]) {
    precondition(records.count <= Self.mostRecords && Self.versions.contains(version))
    precondition(records.allSatisfy { ByteOperation.table(version: version).indices.contains($0.operation) })
    precondition(version > 0 || profile == 0 && flags == 0)
    self.version = version
    self.profile = profile
    self.flags = flags
    self.records = records
  }

  /// Whether the bytes have a header, of whatever version.
  public static func isOne(_ bytes: [UInt8]) -> Bool {
    bytes.count >= headerLength && bytes.starts(with: magic)
  }

  /// The program that any bytes are.
  public init(_ bytes: [UInt8]) throws(UnknownVersion) {
    let hasHeader = Self.isOne(bytes)
    let version = hasHeader ? bytes[4] : 0
    guard Self.versions.contains(version), !hasHeader || version > 0 else {
      throw UnknownVersion(version: version)
    }
    self.version = version
    profile = hasHeader ? bytes[5] : 0
    flags = hasHeader ? UInt16(bytes[6]) | UInt16(bytes[7]) << 8 : 0
    let body = bytes.dropFirst(hasHeader ? Self.headerLength : 0)
    let count = ByteOperation.table(version: version).count
    var records: [Record] = []
    var start = body.startIndex
    while start < body.endIndex && records.count < Self.mostRecords {
      records.append(Self.record(body[start...].prefix(Self.recordLength), count))
      start += Self.recordLength
    }
    self.records = records
  }

  private static func record(_ slice: ArraySlice<UInt8>, _ count: Int) -> Record {
    var bytes = Array(slice)
    bytes += repeatElement(0, count: recordLength - bytes.count)
    var x: UInt32 = 0
    var y: UInt64 = 0
    for index in 0..<4 { x |= UInt32(bytes[4 + index]) << UInt32(8 * index) }
    for index in 0..<8 { y |= UInt64(bytes[8 + index]) << UInt64(8 * index) }
    return Record(operation: Int(bytes[0]) % count, a: bytes[1], b: bytes[2], flags: bytes[3], x: x, y: y)
  }

  /// The bytes that mean this program.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    if version > 0 {
      bytes += Self.magic + [version, profile]
      bytes.append(number: flags)
    }
    for record in records {
      bytes += [UInt8(record.operation), record.a, record.b, record.flags]
      bytes.append(number: record.x)
      bytes.append(number: record.y)
    }
    return bytes
  }
}
