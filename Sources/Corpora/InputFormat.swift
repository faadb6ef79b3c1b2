// SPDX-License-Identifier: GPL-3.0-or-later

/// What an input is, by its content. Users do not say it, and names are wrong too often; only an `.iofd` script that
/// begins with a comment is told by its name.
///
/// Source: reference corpora.md section 3.4.
public enum InputFormat: String, Sendable, CaseIterable {
  /// A program in syzkaller's text.
  case syzkallerProgram
  /// A console log with `executing program` lines, each with a program behind it.
  case syzkallerLog
  case corpusDB
  case zip
  /// A script of the tool's language.
  case script
  /// Programs of raw ioctls, `RecordedProgram`.
  case recordedPrograms
  /// What a real driver wrote, `DriverRecording`.
  case driverRecording
  /// A program as bytes with a header, `ByteProgram`.
  case byteProgram
  /// Anything else: bytes of a fuzzer, which mean a `ByteProgram` too.
  case bytes

  /// As far into a file as is looked for the first line that says something.
  private static let horizon = 1 << 16

  /// The format of a file's content; `name` is the file's, if it has one.
  public static func of(_ bytes: [UInt8], name: String = "") -> InputFormat {
    if CorpusDB.isOne(bytes) { return .corpusDB }
    if ZipReader.isOne(bytes) { return .zip }
    if ByteProgram.isOne(bytes) { return .byteProgram }
    let head = bytes.prefix(horizon)
    guard !bytes.isEmpty, isText(head) else { return .bytes }
    if name.hasSuffix(".iofd") { return .script }
    if DriverRecording.isOne(bytes) { return .driverRecording }
    let lines = head.split(separator: UInt8(ascii: "\n"))
    if lines.contains(where: { contains("executing program", $0) }) { return .syzkallerLog }
    guard let line = lines.first(where: { !isBlank($0) }) else {
      return lines.contains { $0.contains(UInt8(ascii: "#")) } ? .syzkallerProgram : .bytes
    }
    let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    if words[0].elementsEqual("prog".utf8) && words.count == 2 { return .recordedPrograms }
    if words[0].elementsEqual("iofd".utf8) && words.count == 2 && words[1].allSatisfy(isDigit) {
      return .script
    }
    return isCall(line) ? .syzkallerProgram : .bytes
  }

  /// No control characters but those of lines, and UTF-8 but for what the horizon cuts.
  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) else {
      return false
    }
    return (0...min(3, bytes.count)).contains { String(validating: bytes.dropLast($0), as: UTF8.self) != nil }
  }

  /// Nothing but blanks, or a comment.
  private static func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
    let first = line.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }
    return first == nil || first == UInt8(ascii: "#")
  }

  /// `r0 = name$variant(` or `name(`, as syzkaller writes a call.
  private static func isCall(_ line: ArraySlice<UInt8>) -> Bool {
    var rest = line.drop { $0 == 0x20 || $0 == 0x09 }
    let variable = rest.prefix(while: isIdentifier)
    let tail = rest[variable.endIndex...]
    // Where a variable is used it has to begin with an r, so it does where it is bound.
    if variable.count > 1, variable.first == UInt8(ascii: "r"), tail.starts(with: " = ".utf8) {
      rest = tail.dropFirst(3)
    }
    let name = rest.prefix(while: isIdentifier)
    guard let first = name.first, isLetter(first) || first == UInt8(ascii: "_") else { return false }
    return rest[name.endIndex...].first == UInt8(ascii: "(")
  }

  private static func isIdentifier(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

  private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 }

  private static func contains(_ phrase: StaticString, _ line: ArraySlice<UInt8>) -> Bool {
    phrase.withUTF8Buffer { phrase in
      var rest = line
      while let start = rest.firstIndex(of: phrase[0]) {
        rest = rest[start...]
        if rest.starts(with: phrase) { return true }
        rest = rest.dropFirst()
      }
      return false
    }
  }
}
