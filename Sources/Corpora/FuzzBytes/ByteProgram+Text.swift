// SPDX-License-Identifier: GPL-3.0-or-later

// A program in bytes as lines that can be read, edited and compared:
//
//     bytes 2 profile=2
//     IOAS_MAP b=1 x=0x2 y=0x1000
//     TEST.MOCK_DOMAIN a=1
//
// An operation by its name, then the operands that are not 0.

extension ByteProgram {
  /// A line that is not of the format.
  public struct Malformed: Error, Sendable, CustomStringConvertible {
    public let line: Int
    public let text: String
    public var description: String { "line \(line) is not a record of a program in bytes: \(text)" }
  }

  /// The names of its operations, in their order.
  public var names: [String] {
    let operations = ByteOperation.table(version: version)
    return records.map { operations[$0.operation].name }
  }

  public var text: String {
    var text =
      "bytes \(version)" + Self.operands([("profile", UInt64(profile)), ("flags", UInt64(flags))]) + "\n"
    let operations = ByteOperation.table(version: version)
    for record in records {
      text += operations[record.operation].name
      text += Self.operands([
        ("a", UInt64(record.a)), ("b", UInt64(record.b)), ("flags", UInt64(record.flags)),
        ("x", UInt64(record.x)), ("y", record.y),
      ])
      text += "\n"
    }
    return text
  }

  private static func operands(_ operands: [(String, UInt64)]) -> String {
    operands.filter { $0.1 != 0 }.map { " \($0.0)=0x\(String($0.1, radix: 16))" }.joined()
  }

  /// Reads what `text` writes; blank lines and lines that begin with `#` are left out.
  ///
  /// - Throws: `Malformed` for the first line that is not understood.
  public init(text: String) throws(Malformed) {
    var header: [String: UInt64]?
    var version: UInt8 = 0
    var records: [Record] = []
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let first = words.first, first.first != "#" else { continue }
      let malformed = Malformed(line: number, text: String(line))
      guard header != nil else {
        guard first == "bytes", words.count > 1, let known = UInt8(words[1]), Self.versions.contains(known),
          let operands = Self.operands(words[2...], known == 0 ? [:] : ["profile": 0xFF, "flags": 0xFFFF])
        else { throw malformed }
        (header, version) = (operands, known)
        continue
      }
      let limits: [String: UInt64] = [
        "a": 0xFF, "b": 0xFF, "flags": 0xFF, "x": UInt64(UInt32.max), "y": .max,
      ]
      guard records.count < Self.mostRecords,
        let operation = ByteOperation.table(version: version).firstIndex(where: { $0.name == first }),
        let operands = Self.operands(words[1...], limits)
      else { throw malformed }
      records.append(
        Record(
          operation: operation, a: UInt8(operands["a"] ?? 0), b: UInt8(operands["b"] ?? 0),
          flags: UInt8(operands["flags"] ?? 0), x: UInt32(operands["x"] ?? 0), y: operands["y"] ?? 0))
    }
    guard let header else { throw Malformed(line: number, text: "there is no first line `bytes VERSION`") }
    self.init(
      version: version, profile: UInt8(header["profile"] ?? 0), flags: UInt16(header["flags"] ?? 0),
      records: records)
  }

  /// `name=value` words, each name once and no value above its limit; nil for others.
  private static func operands(_ words: ArraySlice<Substring>, _ limits: [String: UInt64]) -> [String:
    UInt64]?
  {
    var operands: [String: UInt64] = [:]
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let limit = limits[String(parts[0])], let value = number(parts[1]),
        value <= limit,
        operands.updateValue(value, forKey: String(parts[0])) == nil
      else { return nil }
    }
    return operands
  }

  private static func number(_ word: Substring) -> UInt64? {
    word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
  }
}
