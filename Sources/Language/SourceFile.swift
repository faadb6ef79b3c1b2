// SPDX-License-Identifier: GPL-3.0-or-later

/// A script's name and bytes, and where its lines begin.
///
/// Everything the front end keeps about places are byte offsets (`Span`); a line and a column are worked
/// out here, when a person has to see them. The object never changes, so diagnostics, journals and
/// threads share it freely.
public final class SourceFile: Sendable {
  /// What messages call the file: the path as given, or `<stdin>`, `<repl>`.
  public let name: String
  public let bytes: [UInt8]
  /// Offset of the first byte of every line; never empty. Line `n` (from 1) begins at `lineStarts[n - 1]`.
  public let lineStarts: [UInt32]

  /// A place as people count: both from 1; the column is in terminal cells.
  public struct Position: Hashable, Sendable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
      self.line = line
      self.column = column
    }
  }

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    var starts: [UInt32] = [0]
    if bytes.count <= Limits.fileBytes {
      bytes.withUnsafeBufferPointer { buffer in
        for index in 0..<buffer.count where buffer[index] == 0x0A { starts.append(UInt32(index + 1)) }
      }
    }
    lineStarts = starts
  }

  public convenience init(name: String, text: String) {
    self.init(name: name, bytes: Array(text.utf8))
  }

  public var lineCount: Int { lineStarts.count }

  /// The span of the whole file.
  public var span: Span { Span(0, UInt32(clamping: bytes.count)) }

  /// The line (from 1) that holds a byte offset; an offset beyond the end belongs to the last line.
  public func line(of offset: UInt32) -> Int {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset {
        low = middle
      } else {
        high = middle
      }
    }
    return low + 1
  }

  /// Line and column of a byte offset. Tabs go to the next multiple of eight, wide characters count two
  /// cells, bytes that are not UTF-8 count one.
  public func position(of offset: UInt32) -> Position {
    let line = line(of: offset)
    var column = 0
    var index = Int(lineStarts[line - 1])
    let end = min(Int(offset), bytes.count)
    while index < end {
      let step = UTF8Reader.step(bytes, at: index, end: bytes.count)
      column = DisplayWidth.advance(column, over: step.scalar ?? 0x3F)
      index += step.length
    }
    return Position(line: line, column: column + 1)
  }

  /// The bytes of a line (from 1), without its line end (`\n` or `\r\n`). Empty for a line that does not exist.
  public func lineSpan(_ line: Int) -> Span {
    guard line >= 1 && line <= lineStarts.count else { return Span.zero }
    let start = lineStarts[line - 1]
    var end = line < lineStarts.count ? lineStarts[line] - 1 : UInt32(clamping: bytes.count)
    if end > start && bytes[Int(end) - 1] == 0x0D { end -= 1 }
    return Span(start, max(start, end))
  }

  /// The text of a span, with a replacement character for what is not UTF-8. Clamped to the file.
  public func text(_ span: Span) -> String {
    let start = min(Int(span.start), bytes.count)
    let end = min(max(Int(span.end), start), bytes.count)
    return bytes.withUnsafeBufferPointer { String(decoding: $0[start..<end], as: UTF8.self) }
  }
}
