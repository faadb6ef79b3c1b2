// SPDX-License-Identifier: GPL-3.0-or-later

/// What came of asking for a line.
public enum LineInput: Equatable, Sendable {
  /// A line without its line end.
  case line(String)
  /// The input is over: end of file, Ctrl-D on an empty line.
  case end
  /// Ctrl-C: the line is to be forgotten.
  case interrupted
}

/// Words that could stand where the cursor is.
///
/// Called with the line, the offset of the word in UTF-8 bytes, and the word; answers whole words.
public typealias Completer = (_ line: String, _ start: Int, _ word: String) -> [String]

/// Where a person's lines come from. History and completion live above it, so tests need no terminal.
public protocol LineEditor: AnyObject {
  /// Asks for one line.
  func readLine(prompt: String) -> LineInput
  /// Remembers what a person may want to recall, which can be several lines.
  func addHistory(_ entry: String)
}
