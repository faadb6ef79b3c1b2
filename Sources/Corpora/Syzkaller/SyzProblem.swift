// SPDX-License-Identifier: GPL-3.0-or-later

/// What is wrong with a syzkaller program, and where: an error, or a repair that was made instead of one.
public struct SyzProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  /// From 1, in bytes.
  public let column: Int
  public let message: String

  public init(line: Int, column: Int, _ message: String) {
    self.line = line
    self.column = column
    self.message = message
  }

  public var description: String { "\(line):\(column): \(message)" }
}
