// SPDX-License-Identifier: GPL-3.0-or-later

/// A program with a call or a step on each line, taken apart and put together again. The first line of a recorded
/// program is its name, and comments are no part of what happens.
struct LineText {
  private let head: String
  let lines: [String]

  init(_ bytes: [UInt8]) {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    // What a test of syzkaller demands decides whether it is played at all.
    let demands = lines.filter { $0.hasPrefix("# requires:") }
    lines.removeAll { $0.hasPrefix("#") }
    var head = demands.map { $0 + "\n\n" }.joined()
    if let first = lines.first, first.hasPrefix("prog ") {
      head += first + "\n"
      lines.removeFirst()
    }
    self.head = head
    self.lines = lines
  }

  func bytes(_ lines: [String]) -> [UInt8] { Array((head + lines.map { $0 + "\n" }.joined()).utf8) }

  /// The line with one of its numbers 0.
  static func simpler(_ line: String) -> [String] {
    let bytes = Array(line.utf8)
    var forms: [String] = []
    var index = 0
    while index < bytes.count {
      let start = index
      guard isDigit(bytes[index]) else {
        index += 1
        continue
      }
      while index < bytes.count, isWord(bytes[index]) { index += 1 }
      // The digits of a name, or a register.
      if start > 0, isWord(bytes[start - 1]) || bytes[start - 1] == UInt8(ascii: "$") { continue }
      let number = String(decoding: bytes[start..<index], as: UTF8.self)
      let zero = number.hasPrefix("0x") ? "0x0" : "0"
      guard number != zero else { continue }
      forms.append(
        String(decoding: bytes[..<start], as: UTF8.self) + zero
          + String(decoding: bytes[index...], as: UTF8.self))
    }
    return forms
  }

  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
  private static func isWord(_ byte: UInt8) -> Bool {
    isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "_")
  }
}
