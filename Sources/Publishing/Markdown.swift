// SPDX-License-Identifier: GPL-3.0-or-later

/// Pieces of Markdown pages.
enum Markdown {
  static func table(_ head: [String], _ rows: [[String]]) -> String {
    guard !rows.isEmpty else { return "" }
    let lines = [head, head.map { _ in "---" }] + rows
    return lines.map { "| " + $0.map { cell($0) }.joined(separator: " | ") + " |\n" }.joined() + "\n"
  }

  /// Text in a table: what would end the cell is escaped, and a line end is a space.
  private static func cell(_ text: String) -> String {
    text.replacing("\n", with: " ").replacing("|", with: #"\|"#)
  }

  static func code(_ text: String) -> String { "`\(text)`" }

  /// Text as it is, without spaces at the ends of its lines.
  static func block(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var line = line
      while line.hasSuffix(" ") { line.removeLast() }
      return String(line)
    }
    return "```\n" + lines.joined(separator: "\n") + "\n```\n\n"
  }

  /// Where a heading can be linked to, as GitHub makes it.
  static func anchor(_ heading: String) -> String {
    String(
      heading.lowercased().compactMap { character -> Character? in
        if character == " " { return "-" }
        return character.isLetter || character.isNumber || character == "-" || character == "_"
          ? character : nil
      })
  }

  /// Prose in which words in single quotes are code, as the help writes them.
  static func prose(_ text: String) -> String {
    text.replacing("<", with: "&lt;")
  }
}
