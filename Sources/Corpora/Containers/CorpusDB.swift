// SPDX-License-Identifier: GPL-3.0-or-later

/// A syzkaller `corpus.db`: programs by key, in a file that a manager appends to.
///
///     db ad 0b 00  format:u32  [user version:u64, in format 2]
///     ad 1b ee 0f  length:u32  key  sequence:u64  length:u32  DEFLATE stream     a program
///     ad 1b ee 0f  length:u32  key  ff ff ff ff ff ff ff ff                      its key is taken back
///
/// The process that writes it may die at any byte. So what stands before the damage is always kept, and the damage is
/// told beside it. Opening indexes the records; a value is inflated when it is asked for, so the memory is the file's
/// and one value's, whatever the file claims. Of a key's records the last one counts.
///
/// Source: syzkaller `pkg/db/db.go`; reference corpora.md section 6.
public struct CorpusDB: Sendable {
  public static let magic: UInt32 = 0x000B_ADDB
  static let recordMagic: UInt32 = 0x0FEE_1BAD
  static let deleted = UInt64.max
  /// Source: syzkaller `pkg/db/db.go`, deserializeRecord.
  public static let longestKey = 65536
  public static let longestValue = 16 << 20
  /// What the index of a file may take; a real corpus has some 100,000.
  public static let mostRecords = 1 << 20

  /// What ends the reading, or keeps a value from being read.
  public struct Damage: Error, Sendable, Equatable, CustomStringConvertible {
    public let offset: Int
    public let reason: String
    public var description: String { "byte \(offset): \(reason)" }
  }

  /// A program in the file.
  public struct Record: Sendable {
    /// Mostly 40 hexadecimal digits, the SHA-1 of the value; but nobody checks.
    public let key: [UInt8]
    public let sequence: UInt64
    /// Where its DEFLATE stream lies in the file.
    let stream: Range<Int>
    /// The key as text; what is not UTF-8 in it is replaced.
    public var name: String { String(decoding: key, as: UTF8.self) }
  }

  /// What was met in the file.
  public struct Tally: Sendable, Equatable {
    /// Records with a value, those with one that a later record replaced or deleted among them.
    public var values = 0
    public var deletions = 0
    /// Values for a key that had one.
    public var duplicates = 0
    /// Bytes from the damage on.
    public var ignoredBytes = 0
  }

  public private(set) var format: UInt32 = 0
  /// What the manager calls the version of its corpus; 0 in format 1.
  public private(set) var userVersion: UInt64 = 0
  /// What there is in the end, in the order of the keys.
  public private(set) var records: [Record] = []
  public private(set) var tally = Tally()
  /// Why not everything was read; nil when the file ended where a record does.
  public private(set) var damage: Damage?

  private let bytes: [UInt8]

  /// Whether a file begins like a database.
  public static func isOne(_ bytes: [UInt8]) -> Bool { bytes.number(at: 0, as: UInt32.self) == magic }

  /// Reads what can be read; an empty file is an empty database.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    guard !bytes.isEmpty else { return }
    var position = 0
    do throws(Damage) {
      position = try readHeader()
    } catch {
      damage = error
      tally.ignoredBytes = bytes.count
      return
    }
    var live: [ArraySlice<UInt8>: Record] = [:]
    while position < bytes.count {
      do throws(Damage) {
        position = try readRecord(at: position, into: &live)
      } catch {
        damage = error
        tally.ignoredBytes = bytes.count - position
        break
      }
    }
    records = live.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }

  private mutating func readHeader() throws(Damage) -> Int {
    guard let magic = bytes.number(at: 0, as: UInt32.self),
      let format = bytes.number(at: 4, as: UInt32.self)
    else { throw Damage(offset: 0, reason: "the file ends in its header") }
    guard magic == Self.magic else { throw Damage(offset: 0, reason: "it does not begin like a corpus.db") }
    guard format == 1 || format == 2 else { throw Damage(offset: 4, reason: "format \(format) is not known") }
    self.format = format
    guard format == 2 else { return 8 }
    guard let version = bytes.number(at: 8, as: UInt64.self) else {
      throw Damage(offset: 8, reason: "the file ends in its header")
    }
    userVersion = version
    return 16
  }

  private mutating func readRecord(at start: Int, into live: inout [ArraySlice<UInt8>: Record]) throws(Damage)
    -> Int
  {
    let cut = Damage(offset: start, reason: "the file ends in a record")
    guard let magic = bytes.number(at: start, as: UInt32.self) else { throw cut }
    guard magic == Self.recordMagic else { throw Damage(offset: start, reason: "here should be a record") }
    guard let keyLength = bytes.number(at: start + 4, as: UInt32.self).map({ Int($0) }) else { throw cut }
    guard keyLength <= Self.longestKey else {
      throw Damage(offset: start + 4, reason: "a key of \(keyLength) bytes")
    }
    let key = start + 8
    guard let sequence = bytes.number(at: key + keyLength, as: UInt64.self) else { throw cut }
    let slice = bytes[key..<key + keyLength]
    guard tally.values + tally.deletions < Self.mostRecords else {
      throw Damage(offset: start, reason: "more than \(Self.mostRecords) records")
    }
    if sequence == Self.deleted {
      live[slice] = nil
      tally.deletions += 1
      return key + keyLength + 8
    }
    guard let length = bytes.number(at: key + keyLength + 8, as: UInt32.self).map({ Int($0) }) else {
      throw cut
    }
    let stream = key + keyLength + 12
    guard length <= bytes.count - stream else { throw cut }
    let record = Record(key: Array(slice), sequence: sequence, stream: stream..<stream + length)
    tally.values += 1
    if live.updateValue(record, forKey: slice) != nil { tally.duplicates += 1 }
    return stream + length
  }

  /// The program of a record of this database.
  ///
  /// - Throws: when its stream is damaged or inflates to more than `longestValue`.
  public func value(of record: Record) throws(Damage) -> [UInt8] {
    guard !record.stream.isEmpty else { return [] }
    do throws(Inflate.Failure) {
      return try Inflate.bytes(bytes[record.stream], limit: Self.longestValue)
    } catch {
      throw Damage(offset: record.stream.lowerBound, reason: "\(error)")
    }
  }

  /// Whether writing the file anew is worth it: a tenth of its records say nothing any more.
  ///
  /// Source: syzkaller `pkg/db/db.go`, needCompact.
  public var isWorthCompacting: Bool { (tally.values + tally.deletions) * 9 / 10 >= records.count }
}
