// SPDX-License-Identifier: GPL-3.0-or-later

/// What came of asking for a line.
public enum LineInput: Equatable, Sendable {
  /// A line without its line end. One that is recalled, or pasted, may be several.
  case line(String)
  /// The input is over: end of file, Ctrl-D on an empty line.
  case end
  /// Ctrl-C: the line is to be forgotten.
  case interrupted
}

/// A word that could stand where the cursor is.
public struct CompletionWord: Equatable, Sendable {
  public let text: String
  /// What it is, in a line; shown where there is room.
  public let summary: String
  /// A space follows it when it is the only one.
  public let isComplete: Bool

  public init(_ text: String, summary: String = "", isComplete: Bool = true) {
    self.text = text
    self.summary = summary
    self.isComplete = isComplete
  }
}

/// Who knows what may be typed.
public protocol LineAssistant: AnyObject {
  /// The words that may stand at the end of `line`, which is what stands in front of the cursor, and where in it, in
  /// UTF-8 bytes, the word that they replace begins.
  func completions(_ line: String) -> (start: Int, words: [CompletionWord])
  /// What to show behind a line, as what may follow; empty for nothing.
  func hint(_ line: String) -> String
}

/// Where a person's lines come from. History and completion live above it, so tests need no terminal.
public protocol LineEditor: AnyObject {
  /// Asks for one line.
  func readLine(prompt: String) -> LineInput
  /// Remembers what a person may want to recall, which can be several lines.
  func addHistory(_ entry: String)
}
