// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

extension RecordedProgram {
  /// The lines of each program of a file, from its `prog` line to the next one's, without looking at its steps.
  ///
  /// What stands before the first of them belongs to it.
  public static func parts(_ bytes: [UInt8]) -> [(name: String, bytes: ArraySlice<UInt8>)] {
    var parts: [(name: String, bytes: ArraySlice<UInt8>)] = []
    bytes.withUnsafeBufferPointer { text in
      var name: String?
      var start = 0
      var position = 0
      while let found = nextName(in: text, from: position) {
        if let name {
          parts.append((name, bytes[start..<found.line]))
          start = found.line
        }
        name = found.name
        position = found.end
      }
      if let name { parts.append((name, bytes[start...])) }
    }
    return parts
  }

  /// The name of the first program of a file; nil where there is none.
  public static func firstName(_ bytes: [UInt8]) -> String? {
    bytes.withUnsafeBufferPointer { nextName(in: $0, from: 0)?.name }
  }

  /// The first `prog` line at or behind `position`, where a line begins: where it begins, what it says, and where the next
  /// line begins.
  private static func nextName(in text: UnsafeBufferPointer<UInt8>, from position: Int) -> (
    line: Int, name: String, end: Int
  )? {
    guard let base = text.baseAddress else { return nil }
    var line = position
    while line < text.count {
      let rest = text.count - line
      let end =
        memchr(base + line, 0x0A, rest).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? text.count
      if rest >= 5, memcmp(base + line, "prog ", 5) == 0 {
        let word = text[line + 5..<max(line + 5, end)].prefix(longestName)
        return (line, String(decoding: word, as: UTF8.self), end + 1)
      }
      line = end + 1
    }
    return nil
  }

  private static let longestName = 200
}
