// SPDX-License-Identifier: GPL-3.0-or-later

/// The archive tail of a script: files carried inside it, each after a line `-- name --`.
///
/// Everything from the first such line on is data, whatever its bytes; of the script's rules only the limits
/// on file size and line length hold there. The format is txtar's.
enum Archive {
  /// Whether the line at `index` is `-- name --`.
  static func isHeader(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int, end: Int) -> Bool {
    name(bytes, at: index, end: end) != nil
  }

  /// The range of the name in the header line at `index`.
  private static func name(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int, end: Int) -> Range<Int>? {
    guard index + 7 <= end, bytes[index] == 0x2D, bytes[index + 1] == 0x2D, bytes[index + 2] == 0x20 else {
      return nil
    }
    var stop = index
    while stop < end && bytes[stop] != 0x0A { stop += 1 }
    if bytes[stop - 1] == 0x0D { stop -= 1 }
    guard stop - index >= 7, bytes[stop - 1] == 0x2D, bytes[stop - 2] == 0x2D, bytes[stop - 3] == 0x20 else {
      return nil
    }
    let name = index + 3..<stop - 3
    return bytes[name].allSatisfy({ $0 > 0x20 && $0 < 0x7F }) ? name : nil
  }

  /// The members of the tail that begins at `start`.
  static func members(of source: SourceFile, from start: UInt32) -> [ArchiveMember] {
    var members: [ArchiveMember] = []
    source.bytes.withUnsafeBufferPointer { bytes in
      var line = source.line(of: start)
      while line <= source.lineCount {
        let begin = max(start, source.lineStarts[line - 1])
        let next = line < source.lineCount ? source.lineStarts[line] : UInt32(bytes.count)
        if let name = name(bytes, at: Int(begin), end: bytes.count) {
          let text = String(decoding: bytes[name], as: UTF8.self)
          let span = Span(UInt32(name.lowerBound), UInt32(name.upperBound))
          members.append(ArchiveMember(name: Name(text, span: span), content: Span(next, next)))
        } else if !members.isEmpty {
          members[members.count - 1].content.end = next
        }
        line += 1
      }
    }
    return members
  }
}
