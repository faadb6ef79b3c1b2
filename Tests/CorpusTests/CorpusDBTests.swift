// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Corpora

/// Reading and writing `corpus.db`: the reference's vector, and everything that may be wrong with a file.
struct CorpusDBTests {
  /// Reference corpora.md section 6.4.
  static let vector = hex(
    """
    dbad0b00 02000000 0500000000000000
    ad1bee0f 28000000
    66643834376238386539366133326637643666393236376163373061613861663166393935343634
    0000000000000000 1f000000
    01 1a00 e5ff 636c6f73652830786666666666666666666666666666666629 0a
    """)
  static let program = Array("close(0xffffffffffffffff)\n".utf8)
  static let key = Array("fd847b88e96a32f7d6f9267ac70aa8af1f995464".utf8)

  private func values(_ database: CorpusDB) throws -> [String: [UInt8]] {
    var values: [String: [UInt8]] = [:]
    for record in database.records { values[record.name] = try database.value(of: record) }
    return values
  }

  @Test func theVectorIsRead() throws {
    let database = CorpusDB(Self.vector)
    #expect(database.format == 2 && database.userVersion == 5)
    #expect(database.damage == nil)
    #expect(database.tally == CorpusDB.Tally(values: 1))
    let record = try #require(database.records.first)
    #expect(record.key == Self.key && record.sequence == 0)
    #expect(try database.value(of: record) == Self.program)
  }

  @Test func theVectorIsWritten() throws {
    #expect(Self.vector.count == 107)
    #expect(try CorpusDB.file([CorpusDB.Entry(Self.program)]) == Self.vector)
    #expect(try CorpusDB.deletion(of: Self.key).count == 56)
  }

  @Test func compressedValues() throws {
    let stream = hex("4bcec92f4ed530a84843039a5c00")
    let head = Array(Self.vector.prefix(72))
    let database = CorpusDB(head + [UInt8(stream.count), 0, 0, 0] + stream)
    #expect(try values(database) == [String(decoding: Self.key, as: UTF8.self): Self.program])
  }

  @Test func anEmptyFileIsAnEmptyDatabase() {
    let database = CorpusDB([])
    #expect(database.damage == nil && database.records.isEmpty && database.format == 0)
  }

  @Test func formatOneHasNoUserVersion() throws {
    let record = try CorpusDB.record(CorpusDB.Entry([1, 2, 3]))
    let database = CorpusDB(hex("dbad0b0001000000") + record)
    #expect(database.damage == nil && database.format == 1 && database.userVersion == 0)
    #expect(try values(database).values.first == [1, 2, 3])
  }

  @Test(arguments: [
    "dbad0b0000000000", "dbad0b0003000000", "dbad0c0002000000", "dbad0b", "dbad0b00020000000500",
  ])
  func otherHeaders(_ header: String) {
    let database = CorpusDB(hex(header))
    #expect(database.damage != nil && database.records.isEmpty)
    #expect(database.tally.ignoredBytes == hex(header).count)
  }

  @Test func laterRecordsReplaceAndDelete() throws {
    var file = CorpusDB.header(userVersion: 0)
    file += try CorpusDB.record(CorpusDB.Entry(key: [98], sequence: 1, value: [1]))
    file += try CorpusDB.record(CorpusDB.Entry(key: [97], sequence: 2, value: []))
    file += try CorpusDB.record(CorpusDB.Entry(key: [98], sequence: 3, value: [3]))
    file += try CorpusDB.record(CorpusDB.Entry(key: [99], sequence: 4, value: [4]))
    file += try CorpusDB.deletion(of: [99])
    file += try CorpusDB.deletion(of: [100])
    let database = CorpusDB(file)
    #expect(database.damage == nil)
    #expect(database.tally == CorpusDB.Tally(values: 4, deletions: 2, duplicates: 1))
    #expect(database.records.map { $0.name } == ["a", "b"])
    #expect(database.records.map { $0.sequence } == [2, 3])
    #expect(try values(database) == ["a": [], "b": [3]])
    #expect(database.isWorthCompacting)
    let compact = CorpusDB(try CorpusDB.file([CorpusDB.Entry([1]), CorpusDB.Entry([2])]))
    #expect(!compact.isWorthCompacting)
  }

  /// What stands before the end of a file that is cut off anywhere is read.
  @Test func truncationAtEveryByte() throws {
    let records = try [[1], [2, 3], []].map { try CorpusDB.record(CorpusDB.Entry($0)) }
    var file = CorpusDB.header()
    var ends = [file.count]
    for record in records {
      file += record
      ends.append(file.count)
    }
    for count in 1..<file.count {
      let database = CorpusDB(Array(file.prefix(count)))
      let whole = ends.count { $0 <= count }
      #expect(database.records.count == max(0, whole - 1), "\(count) bytes")
      #expect((database.damage == nil) == ends.contains(count), "\(count) bytes")
      #expect(database.tally.ignoredBytes == (whole == 0 ? count : count - ends[whole - 1]))
    }
  }

  @Test func lengthsOverTheLimits() throws {
    let start = CorpusDB.header() + hex("ad1bee0f")
    for length in ["01000100", "ffffffff"] {
      let database = CorpusDB(start + hex(length) + [UInt8](repeating: 0, count: 70000))
      #expect(database.damage?.reason.contains("a key of") == true)
    }
    #expect(CorpusDB(start + hex("00000000 0000000000000000 ffffffff")).damage != nil)
    #expect(throws: CorpusDB.Damage.self) {
      try CorpusDB.deletion(of: [UInt8](repeating: 0, count: CorpusDB.longestKey + 1))
    }
    #expect(throws: CorpusDB.Damage.self) {
      try CorpusDB.record(
        CorpusDB.Entry(key: [], value: [UInt8](repeating: 0, count: CorpusDB.longestValue + 1)))
    }
    #expect(throws: CorpusDB.Damage.self) {
      try CorpusDB.record(CorpusDB.Entry(key: [], sequence: .max, value: []))
    }
    // The longest of both are read.
    let longest = CorpusDB.Entry(
      key: [UInt8](repeating: 0, count: CorpusDB.longestKey),
      value: [UInt8](repeating: 9, count: CorpusDB.longestValue))
    let database = CorpusDB(try CorpusDB.file([longest]))
    #expect(try database.value(of: try #require(database.records.first)) == longest.value)
  }

  /// A value that inflates to more than 16 MiB is damaged; its neighbours are not.
  @Test func aBombIsNotInflated() throws {
    // A byte, and a copy of 258 bytes at distance 1 for every 13 bits: a third of a percent of what it makes.
    var bits: [UInt8] = [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0]
    for _ in 0..<66_000 { bits += [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0] }
    bits += [UInt8](repeating: 0, count: 7)
    var stream: [UInt8] = []
    for start in stride(from: 0, to: bits.count, by: 8) {
      stream.append(bits[start..<min(start + 8, bits.count)].reversed().reduce(0) { $0 << 1 | $1 })
    }
    #expect(try Inflate.bytes(stream[...], limit: 66_000 * 258 + 1).count == 66_000 * 258 + 1)
    var file = CorpusDB.header() + hex("ad1bee0f 01000000 61 0000000000000000")
    file.append(number: UInt32(stream.count))
    file += stream
    file += try CorpusDB.record(CorpusDB.Entry(key: [98], value: [5]))
    let database = CorpusDB(file)
    #expect(database.damage == nil && database.records.count == 2)
    #expect(throws: CorpusDB.Damage.self) { try database.value(of: database.records[0]) }
    #expect(try database.value(of: database.records[1]) == [5])
  }

  @Test func randomDatabasesComeBack() throws {
    var dice = Dice(3)
    for _ in 0..<50 {
      var entries: [String: CorpusDB.Entry] = [:]
      for _ in 0..<dice.below(20) {
        let entry = CorpusDB.Entry(dice.bytes(dice.below(500)), sequence: UInt64(dice.below(9)))
        entries[String(decoding: entry.key, as: UTF8.self)] = entry
      }
      let database = CorpusDB(try CorpusDB.file(Array(entries.values), userVersion: dice.next()))
      #expect(database.damage == nil)
      #expect(try values(database) == entries.mapValues { $0.value })
      #expect(database.records.map { $0.name } == entries.keys.sorted())
    }
  }

  @Test func garbage() throws {
    var dice = Dice(4)
    let file = try CorpusDB.file((0..<5).map { CorpusDB.Entry([UInt8](repeating: $0, count: Int($0) * 9)) })
    var damaged = 0
    for _ in 0..<5000 {
      let bytes = dice.mutate(file)
      let database = CorpusDB(bytes)
      if database.damage != nil { damaged += 1 }
      #expect(database.tally.ignoredBytes <= bytes.count)
      for record in database.records {
        do throws(CorpusDB.Damage) { _ = try database.value(of: record) } catch { damaged += 1 }
      }
    }
    #expect(damaged > 1000)
  }
}
