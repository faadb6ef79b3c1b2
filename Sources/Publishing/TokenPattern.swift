// SPDX-License-Identifier: GPL-3.0-or-later

/// The shapes of the lexer's tokens as regular expressions that Oniguruma, ICU and JavaScript read alike: no
/// look-behind of variable length, nothing possessive, no named groups.
///
/// Tests read every example with these and with the lexer, and the classes must agree.
enum TokenPattern {
  /// `map`, `huge-pages`: a hyphen belongs to a word when a letter follows it.
  static let word = #"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z][A-Za-z0-9_]*)*"#
  static let name = #"[A-Za-z_][A-Za-z0-9_]*"#
  static let variable = #"\$[A-Za-z_][A-Za-z0-9_]*"#
  static let comment = #"#.*"#
  static let string = #""(?:[^"\\\n]|\\.)*""#
  static let hex = #"hex"[^"\n]*""#
  /// What a text may have behind a backslash.
  static let escape = #"\\(?:[ntr0\\"]|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]{1,6}\})"#
  static let date = #"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![A-Za-z0-9_])"#
  static let version = #"[0-9][A-Za-z0-9_]*(?:\.[0-9][A-Za-z0-9_]*)+"#
  /// Anything that begins with a digit.
  static let digits = #"[0-9][A-Za-z0-9_]*"#
  static let archiveHeader = #"-- [!-~]+ --"#

  /// Numbers that the parser takes, with the units of its tables.
  static func number(_ words: Vocabulary) -> String {
    let letters = words.sizeUnits.filter { $0.utf8.count == 1 }.joined()
    let long = words.sizeUnits.filter { $0.utf8.count > 1 }.joined(separator: "|")
    let sizes = "(?:[\(letters)](?:iB)?|\(long))?"
    let integer = "(?:0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)"
    return "\(integer)\(sizes)(?![A-Za-z0-9_])|\(duration(words))"
  }

  /// `10ms`
  static func duration(_ words: Vocabulary) -> String {
    "[0-9][0-9_]*(?:\(words.timeUnits.joined(separator: "|")))(?![A-Za-z0-9_])"
  }

  /// One of these words, and no part of a longer one.
  static func one(of words: [String]) -> String {
    let longestFirst = words.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
    return "(?:\(longestFirst.joined(separator: "|")))(?![A-Za-z0-9_]|-[A-Za-z])"
  }
}
