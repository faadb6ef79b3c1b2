// SPDX-License-Identifier: GPL-3.0-or-later

// The base protocol: messages with a header each, as HTTP has them, on a stream of bytes.
//
//     Content-Length: 52\r\n
//     \r\n
//     {"jsonrpc":"2.0","method":"initialized","params":{}}
//
// Source: Language Server Protocol 3.17, "Base Protocol".

/// Cuts a stream into the contents of its messages.
///
/// Nothing is ever trusted: a header block has 8 KiB, a content 64 MiB. What is larger is passed over and reported, so
/// that the messages behind it are read; only where the next one begins cannot be told, the stream is over.
struct MessageReader {
  enum Item: Equatable {
    case content([UInt8])
    /// A message that cannot be read, and why; the stream goes on behind it.
    case unreadable(String)
    /// The stream cannot be read any further.
    case lost(String)
  }
  static let headerLimit = 8 << 10
  static let contentLimit = 64 << 20

  private var buffer: [UInt8] = []
  /// Bytes of a content that is too large, still to pass over.
  private var skipped = 0
  private var isLost = false

  /// The messages that end in these bytes.
  mutating func receive(_ bytes: some Collection<UInt8>) -> [Item] {
    guard !isLost else { return [] }
    buffer.append(contentsOf: bytes)
    var items: [Item] = []
    var position = 0
    reading: while true {
      let dropped = min(skipped, buffer.count - position)
      skipped -= dropped
      position += dropped
      guard skipped == 0 else { break }
      guard let body = headerEnd(from: position) else {
        if buffer.count - position > Self.headerLimit {
          isLost = true
          items.append(.lost("a header of more than \(Self.headerLimit) bytes"))
        }
        break
      }
      switch length(buffer[position..<body]) {
      case .failure(let problem):
        items.append(.unreadable(problem.text))
        position = body
      case .success(let length) where length > Self.contentLimit:
        items.append(.unreadable("a message of \(length) bytes; the most are \(Self.contentLimit)"))
        skipped = length
        position = body
      case .success(let length):
        guard buffer.count - body >= length else { break reading }
        items.append(.content(Array(buffer[body..<(body + length)])))
        position = body + length
      }
    }
    buffer.removeFirst(position)
    return items
  }

  /// The stream has ended in the middle of a message.
  var isInside: Bool { !buffer.isEmpty || skipped > 0 }

  /// The place behind the empty line that ends a header.
  private func headerEnd(from start: Int) -> Int? {
    let end = min(buffer.count, start + Self.headerLimit)
    var index = start
    while index + 3 < end {
      if buffer[index] == 0x0D, buffer[index + 1] == 0x0A, buffer[index + 2] == 0x0D,
        buffer[index + 3] == 0x0A
      {
        return index + 4
      }
      index += 1
    }
    return nil
  }

  private struct Problem: Error { let text: String }

  /// The length that a header gives, with the `\r\n\r\n` at its end.
  private func length(_ header: ArraySlice<UInt8>) -> Result<Int, Problem> {
    var length: Int?
    for line in header.split(separator: 0x0A) {
      let text = String(decoding: line.prefix { $0 != 0x0D }, as: UTF8.self)
      guard !text.isEmpty else { continue }
      let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { return .failure(Problem(text: "a header line without a colon")) }
      let value = parts[1].drop { $0 == " " || $0 == "\t" }
      switch parts[0].lowercased() {
      case "content-length":
        guard value.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = Int(value),
          length == nil
        else { return .failure(Problem(text: "a Content-Length that is no number, or two of them")) }
        length = number
      case "content-type":
        let kind = value.lowercased()
        guard !kind.contains("charset") || kind.contains("utf-8") || kind.contains("utf8") else {
          return .failure(Problem(text: "a message that is not UTF-8"))
        }
      default: continue
      }
    }
    return length.map { .success($0) } ?? .failure(Problem(text: "a header without Content-Length"))
  }

  /// A message as it is sent.
  static func framed(_ content: [UInt8]) -> [UInt8] {
    Array("Content-Length: \(content.count)\r\n\r\n".utf8) + content
  }
}
