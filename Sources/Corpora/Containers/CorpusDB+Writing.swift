// SPDX-License-Identifier: GPL-3.0-or-later

// The bytes of a `corpus.db`. Whoever writes them gives a whole file its name only when it is complete, and appends
// a record in one write.

extension CorpusDB {
  /// The user version that syzkaller's manager gives a database now.
  public static let currentUserVersion: UInt64 = 5

  /// A program to be written.
  public struct Entry: Sendable {
    public let key: [UInt8]
    public let sequence: UInt64
    public let value: [UInt8]

    public init(key: [UInt8], sequence: UInt64 = 0, value: [UInt8]) {
      self.key = key
      self.sequence = sequence
      self.value = value
    }

    /// A program under the key that syzkaller gives it: its SHA-1.
    public init(_ value: [UInt8], sequence: UInt64 = 0) {
      self.init(key: Array("\(SHA1.of(value))".utf8), sequence: sequence, value: value)
    }
  }

  /// The beginning of a file of format 2.
  public static func header(userVersion: UInt64 = currentUserVersion) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: magic)
    bytes.append(number: UInt32(2))
    bytes.append(number: userVersion)
    return bytes
  }

  /// A record, to be appended to a file.
  ///
  /// - Throws: for a key or a value that no reader takes, and the sequence number that means deletion.
  public static func record(_ entry: Entry) throws(Damage) -> [UInt8] {
    guard entry.value.count <= longestValue else {
      throw Damage(offset: 0, reason: "a value of \(entry.value.count) bytes")
    }
    guard entry.sequence != deleted else {
      throw Damage(offset: 0, reason: "the sequence number of a deletion")
    }
    var bytes = try start(of: entry.key)
    bytes.append(number: entry.sequence)
    let stream = entry.value.isEmpty ? [] : Deflate.stored(entry.value)
    bytes.append(number: UInt32(stream.count))
    return bytes + stream
  }

  /// A record that takes a key back.
  ///
  /// - Throws: for a key that no reader takes.
  public static func deletion(of key: [UInt8]) throws(Damage) -> [UInt8] {
    var bytes = try start(of: key)
    bytes.append(number: deleted)
    return bytes
  }

  /// A compact file: one record a key, in the order of the keys. Of two entries with one key the later counts.
  ///
  /// - Throws: for a key or a value that no reader takes.
  public static func file(_ entries: [Entry], userVersion: UInt64 = currentUserVersion) throws(Damage)
    -> [UInt8]
  {
    var byKey: [[UInt8]: Entry] = [:]
    for entry in entries { byKey[entry.key] = entry }
    var bytes = header(userVersion: userVersion)
    for entry in byKey.values.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      bytes += try record(entry)
    }
    return bytes
  }

  private static func start(of key: [UInt8]) throws(Damage) -> [UInt8] {
    guard key.count <= longestKey else { throw Damage(offset: 0, reason: "a key of \(key.count) bytes") }
    var bytes: [UInt8] = []
    bytes.append(number: recordMagic)
    bytes.append(number: UInt32(key.count))
    return bytes + key
  }
}
