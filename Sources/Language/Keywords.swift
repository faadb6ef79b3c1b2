// SPDX-License-Identifier: GPL-3.0-or-later

/// The words the grammar itself knows. Verbs, options and enum values are not among them.
public enum Keywords {
  /// Words that begin a statement of their own kind.
  public enum Statement: String, CaseIterable, Sendable {
    case expect, test, section, `for`, def, `if`, include, export, param, `defer`, require, xfail, iofd
    case thread, run, explore, parallel
    case fail, sweep
  }

  /// The keyword a packed word is.
  static func statement(_ word: PackedWord) -> Statement? {
    for entry in packedStatements where entry.word == word { return entry.statement }
    return nil
  }

  /// The reserved word a packed word is.
  static func reserved(_ word: PackedWord) -> (word: String, meaning: String)? {
    for index in 0..<packedReserved.count where packedReserved[index] == word { return reserved[index] }
    return nil
  }

  private static let packedStatements = Statement.allCases.map {
    (word: PackedWord($0.rawValue.utf8), statement: $0)
  }
  private static let packedReserved = reserved.map { PackedWord($0.word.utf8) }

  /// Words that begin a statement in a later version of the language, and what they will do.
  public static let reserved: [(word: String, meaning: String)] = [
    ("atomic", "statements that no thread interrupts"),
    ("checkpoint", "naming a state to come back to"),
    ("rollback", "going back to a named state"),
  ]

  /// Words with a meaning inside statements.
  public enum Inner: String, CaseIterable, Sendable {
    case `in`, with, `as`, until, `else`, max, none, has, trace
  }

  /// What may stand after `->` besides errno names.
  public static let outcomes: [String] = ["ok"] + Outcome.Class.allCases.map { $0.rawValue }

  /// Every word of every table above, and the parameter types and reference kinds.
  public static let all: [String] =
    Statement.allCases.map { $0.rawValue } + reserved.map { $0.word } + Inner.allCases.map { $0.rawValue }
    + outcomes + ParameterStatement.ValueType.allCases.map { $0.rawValue }
    + ReferenceKind.allCases.map { $0.rawValue }

  /// `EEXIST`: E and capitals or digits.
  static func looksLikeErrno(_ word: String) -> Bool { looksLikeErrno(word.utf8) }

  static func looksLikeErrno(_ bytes: some Collection<UInt8>) -> Bool {
    guard bytes.count >= 3, bytes.first == UInt8(ascii: "E") else { return false }
    return bytes.allSatisfy {
      ($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z"))
        || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
    }
  }

  /// Whether the first word of a trailing comment makes it look like an expectation. Short capitals that
  /// begin with E are mostly not errnos (EPT, EOF, ECAM), so of those only EIO and EDOM count.
  static func looksLikeOutcome(_ word: String) -> Bool {
    switch word {
    case "ok", "blocked", "unfinished", "EIO", "EDOM": true
    default: word.utf8.count >= 5 && looksLikeErrno(word)
    }
  }
}

/// A word of up to sixteen bytes as one number, so that looking it up costs a few comparisons and no
/// string; longer words are all alike and equal no keyword.
struct PackedWord: Hashable {
  private let raw: UInt128

  init(_ bytes: some Collection<UInt8>) {
    guard bytes.count <= 16 else {
      raw = 0
      return
    }
    var packed: UInt128 = 0
    for byte in bytes { packed = packed << 8 | UInt128(byte) }
    raw = packed
  }
}
