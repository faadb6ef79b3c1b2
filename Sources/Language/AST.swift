// SPDX-License-Identifier: GPL-3.0-or-later

// The tree a script becomes. It holds what was written and where, nothing about what it means: verbs,
// options, errno names and functions are words here, and tables outside this module say which exist.
//
//   ScriptFile ─ Statement* ─┬ CommandStatement   vm = ioas create    -> ok
//                            ├ ValueStatement     size = 64K
//                            ├ ExpectStatement    expect refs($hw) = 1
//                            └ blocks and declarations (AST+Statement.swift)
//
// Every node has a span. Nodes that bind or use a variable hold a `Symbol`, whose `ordinal` counts these
// places through the file: a resolver can keep its answer (a slot) in one flat array beside the tree.

/// A word of the source: a verb, an option, an enum value, a field.
public struct Name: Sendable {
  public var text: String
  public var span: Span

  public init(_ text: String, span: Span) {
    self.text = text
    self.span = span
  }
}

/// A place where a variable is used (`$vm`) or bound (`vm = ...`, `?c`, `for p in`, a parameter).
///
/// `text` has no sigil; `span` covers the sigil where there is one.
public struct Symbol: Sendable {
  public var text: String
  public var span: Span
  /// 0, 1, 2, ... in the order the parser met the places; less than `ScriptFile.symbolCount`.
  public var ordinal: UInt32

  public init(_ text: String, span: Span, ordinal: UInt32) {
    self.text = text
    self.span = span
    self.ordinal = ordinal
  }
}

/// A whole script.
public struct ScriptFile: Sendable {
  public var source: SourceFile
  /// The number of the `iofd N` line; nil when the script has none and so means the newest language.
  public var version: UInt32?
  public var statements: [Statement]
  /// The files of the archive tail (`-- name --` lines), for `file("name")` and `include "name"`.
  public var archive: [ArchiveMember]
  /// How many `Symbol`s the tree holds.
  public var symbolCount: Int

  public init(
    source: SourceFile, version: UInt32?, statements: [Statement], archive: [ArchiveMember], symbolCount: Int
  ) {
    self.source = source
    self.version = version
    self.statements = statements
    self.archive = archive
    self.symbolCount = symbolCount
  }
}

/// One file of the archive tail: everything between its header line and the next one, byte for byte.
public struct ArchiveMember: Sendable {
  public var name: Name
  public var content: Span

  public init(name: Name, content: Span) {
    self.name = name
    self.content = content
  }
}

/// Statements between braces.
public struct Block: Sendable {
  public var statements: [Statement]
  /// From `{` to `}`, both included.
  public var span: Span

  public init(statements: [Statement], span: Span) {
    self.statements = statements
    self.span = span
  }
}
