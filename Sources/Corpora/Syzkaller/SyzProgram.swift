// SPDX-License-Identifier: GPL-3.0-or-later

/// A syzkaller program as its text says it: calls in their order, and comments.
///
/// The text alone does not say what an argument means: `0x0` is an integer, a missing resource or a null pointer,
/// depending on the call. So this tree has the text's forms and no types; `SyzBinder` reads it against the table
/// of calls. `SyzParser` and `SyzWriter` are inverse to each other.
///
/// Source: syzkaller `prog/encoding.go`; reference corpora.md section 1.
public struct SyzProgram: Sendable, Equatable {
  public var calls: [SyzCall]
  /// Comments that belong to no call, in their order.
  public var comments: [Comment]

  public init(calls: [SyzCall] = [], comments: [Comment] = []) {
    self.calls = calls
    self.comments = comments
  }

  /// A comment that belongs to no call.
  public struct Comment: Sendable, Equatable {
    /// The call that it stands before: an index, or the number of calls.
    public var before: Int
    public var text: String

    public init(before: Int, _ text: String) {
      self.before = before
      self.text = text
    }
  }

  /// What a test program demands of the machine that runs it: the words after `# requires:`, of all such lines.
  ///
  /// Source: syzkaller `pkg/runtest`; reference corpora.md section 3.2.
  public var requirements: [String] {
    let texts = comments.map(\.text) + calls.compactMap(\.comment)
    return texts.filter { $0.hasPrefix("requires:") }.flatMap {
      $0.dropFirst(9).split(separator: " ").map(String.init)
    }
  }
}
