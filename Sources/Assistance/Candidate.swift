// SPDX-License-Identifier: GPL-3.0-or-later

/// A word that may stand at the cursor.
public struct Candidate: Sendable, Equatable {
  public enum Kind: String, CaseIterable, Sendable {
    /// A word of a verb: `map`, the `create` of `ioas create`.
    case command
    /// A word that begins a statement of its own kind: `for`, `expect`.
    case statement
    /// A command of the prompt, which no script has.
    case tool
    /// A procedure of the script.
    case procedure
    /// `iova=`, `ro`
    case option
    /// A word from a closed set: a flag, a kind, a type.
    case value
    /// `$vm`
    case name
    /// `pins(`
    case function
    /// What may stand behind `->`: `ok`, an errno.
    case outcome
    /// What a command answers, or a part of an object: `length=`, `$vm.areas`.
    case member
    /// An address that is free, or mapped.
    case address
    /// A page of the help.
    case topic
    case file
  }
  public let text: String
  public let kind: Kind
  /// What it is, in a line; empty where the word says it.
  public let summary: String
  /// The word is complete, and a space follows it; else it goes on (`iova=`, `pins(`, `dir/`).
  public let isComplete: Bool

  public init(_ text: String, _ kind: Kind, _ summary: String = "", isComplete: Bool = true) {
    self.text = text
    self.kind = kind
    self.summary = summary
    self.isComplete = isComplete
  }
}

/// What may stand at the cursor, and which part of the text it replaces.
public struct Completions: Sendable, Equatable {
  /// Where the word at the cursor begins, in UTF-8 bytes of the text before the cursor.
  public let start: Int
  /// The word as far as it is typed.
  public let word: String
  /// All that go on from the word, in the order in which they are best shown.
  public let candidates: [Candidate]

  public init(start: Int, word: String, candidates: [Candidate]) {
    self.start = start
    self.word = word
    self.candidates = candidates
  }
}
