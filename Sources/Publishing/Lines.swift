// SPDX-License-Identifier: GPL-3.0-or-later

/// Words in lines.
enum Lines {
  /// As many words on each line as fit; the first line begins with `first`, the others with `next`.
  static func filled(_ words: [String], width: Int, first: String, next: String) -> [String] {
    var lines: [String] = []
    var line = first
    var isEmpty = true
    for word in words {
      if !isEmpty, line.count + word.count + 1 > width {
        lines.append(line)
        line = next
        isEmpty = true
      }
      line += isEmpty ? word : " " + word
      isEmpty = false
    }
    if !isEmpty { lines.append(line) }
    return lines
  }
}
