// SPDX-License-Identifier: GPL-3.0-or-later

/// A half-open range of bytes of one source file: `start` is the first byte, `end` is one past the last.
///
/// Offsets are bytes, not characters; `SourceFile` turns them into lines and columns when somebody asks.
public struct Span: Hashable, Sendable, BitwiseCopyable {
  public var start: UInt32
  public var end: UInt32

  public init(_ start: UInt32, _ end: UInt32) {
    self.start = start
    self.end = end
  }

  /// An empty span at the beginning of a file, for what has no place of its own.
  public static let zero = Span(0, 0)

  public var isEmpty: Bool { end <= start }

  /// The smallest span that covers both.
  public func joined(_ other: Span) -> Span {
    Span(min(start, other.start), max(end, other.end))
  }

  public func contains(_ offset: UInt32) -> Bool { offset >= start && offset < end }
}
