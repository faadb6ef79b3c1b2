// SPDX-License-Identifier: GPL-3.0-or-later
internal import JSON

/// Something to read, as `iofd explain` prints it: the heading, prose, and tables that depend on their columns.
struct Page {
  let text: String

  init(_ text: String) { self.text = text }

  /// The heading as code, the first paragraph as prose, the rest as it is.
  var markdown: String {
    let parts = text.split(separator: "\n\n", maxSplits: 2, omittingEmptySubsequences: false)
    var result = Self.fenced(parts[0], "iofd")
    if parts.count > 1 { result += "\n" + Self.escaped(parts[1]) + "\n" }
    if parts.count > 2 { result += "\n" + Self.fenced(parts[2], "text") }
    return result
  }

  static func fenced(_ text: some StringProtocol, _ language: String) -> String {
    var text = String(text)
    while text.last == "\n" { text.removeLast() }
    // A fence is longer than any in the text.
    var fence = "```"
    while text.contains(fence) { fence += "`" }
    return "\(fence)\(language)\n\(text)\n\(fence)\n"
  }

  private static func escaped(_ text: some StringProtocol) -> String {
    var result = ""
    for character in text {
      if "\\`*_{}[]<>#|~".contains(character) { result.append("\\") }
      result.append(character)
    }
    return result
  }
}

extension LanguageServer {
  /// `MarkupContent`, as the client reads it.
  func markup(_ page: Page) -> JSONValue {
    client.readsMarkdown
      ? ["kind": "markdown", "value": .text(page.markdown)]
      : ["kind": "plaintext", "value": .text(page.text)]
  }
}
