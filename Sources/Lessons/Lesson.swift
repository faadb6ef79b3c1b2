// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// A lesson is an ordinary script: it runs, passes and is tested as every example. What makes it a lesson are its
// comments, which read as comments and are three things:
//
//     # An I/O address space is a set of mappings. ...   what there is to know, in paragraphs
//     # Try: make an IOAS, and call it vm.               what a person is to do: the next statement
//     # Hint: vm = ioas create                           help with it, one hint after the other
//     vm = ioas create
//
// A statement without `Try:` is done by the lesson. The first comment is the head, `Lesson 1: what an IOAS is.`; what
// follows `On your own:` is for the end.

/// A guided script.
public struct Lesson: Sendable {
  /// A statement, and what is said in front of it.
  public struct Step: Sendable {
    /// Paragraphs.
    public let prose: [String]
    /// What the person is to do; nil for what the lesson does itself.
    public let task: String?
    public let hints: [String]
    /// The statement as the lesson has it.
    public let statement: String
    /// The statement without its clause, unless that binds a name: as a person would type it.
    public let typed: String
    /// Names that it binds.
    public let names: [String]
  }

  public let number: Int
  /// `what an IOAS is`
  public let title: String
  /// `an I/O address space, its ID, the first mapping`
  public let summary: String
  public let steps: [Step]
  /// Paragraphs behind the last step.
  public let closing: [String]
  /// What to try when it is over.
  public let exercise: String
  public let source: SourceFile

  /// All names that its statements bind.
  public var names: Set<String> { Set(steps.flatMap(\.names)) }
}
