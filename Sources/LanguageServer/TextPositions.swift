// SPDX-License-Identifier: GPL-3.0-or-later

/// What a position's `character` counts.
///
/// Source: Language Server Protocol 3.17, `PositionEncodingKind`. UTF-16 is what every client knows.
enum PositionEncoding: String {
  case utf8 = "utf-8"
  case utf16 = "utf-16"

  /// How many units the scalar has that begins with this byte; none for the bytes inside of a scalar.
  func units(_ byte: UInt8) -> Int {
    switch self {
    case .utf8: 1
    case .utf16: byte & 0xC0 == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1
    }
  }
}

/// A place as the protocol counts: both from 0.
struct TextPosition: Equatable {
  var line: Int
  var character: Int
}

/// Bytes of a text, and where they are in lines and characters.
///
/// Lines end with `\n`, `\r\n` or `\r`. A place that does not exist is the nearest one that does: the protocol says so
/// of characters beyond the end of a line.
struct TextPositions {
  let bytes: [UInt8]
  /// Offset of the first byte of every line; never empty.
  private let starts: [Int]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var starts = [0]
    bytes.withUnsafeBufferPointer { bytes in
      for index in bytes.indices {
        let isEnd =
          bytes[index] == 0x0A
          || bytes[index] == 0x0D && !(index + 1 < bytes.count && bytes[index + 1] == 0x0A)
        if isEnd { starts.append(index + 1) }
      }
    }
    self.starts = starts
  }

  var lineCount: Int { starts.count }

  /// The bytes of a line, without its end.
  func line(_ line: Int) -> Range<Int> {
    guard starts.indices.contains(line) else { return bytes.count..<bytes.count }
    var end = line + 1 < starts.count ? starts[line + 1] : bytes.count
    while end > starts[line], bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
    return starts[line]..<end
  }

  func position(of offset: Int, _ encoding: PositionEncoding) -> TextPosition {
    let offset = max(0, min(offset, bytes.count))
    var low = 0
    var high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    let units = bytes[starts[low]..<offset].reduce(0) { $0 + encoding.units($1) }
    return TextPosition(line: low, character: units)
  }

  func offset(of position: TextPosition, _ encoding: PositionEncoding) -> Int {
    guard position.line >= 0 else { return 0 }
    guard position.line < starts.count else { return bytes.count }
    let line = line(position.line)
    var offset = line.lowerBound
    var units = 0
    while offset < line.upperBound {
      // A scalar is taken whole or not at all.
      var next = offset + 1
      while next < line.upperBound, bytes[next] & 0xC0 == 0x80 { next += 1 }
      units += bytes[offset..<next].reduce(0) { $0 + encoding.units($1) }
      if units > position.character { break }
      offset = next
    }
    return offset
  }
}
