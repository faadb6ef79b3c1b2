// SPDX-License-Identifier: GPL-3.0-or-later

/// The kinds of token. Literals are only delimited by the lexer; the parser reads their values.
public enum TokenKind: UInt8, Sendable, BitwiseCopyable {
  /// `map`, `huge-pages`: a hyphen belongs to a word when a letter follows it.
  case word
  /// `$name`
  case variable
  /// Anything that begins with a digit and is not one of the next two: `42`, `0x1f`, `64K`, `10ms`.
  case number
  /// `6.15`
  case version
  /// `2027-01-01`
  case date
  /// `"text"`
  case string
  /// `hex"de ad"`
  case hex
  /// One or more line ends, with blank lines and comment lines between them.
  case newline
  case semicolon, comma, colon, dot, question, bang
  case leftParen, rightParen, leftBracket, rightBracket, leftBrace, rightBrace
  case arrow, ellipsis
  case equal, notEqual, less, lessEqual, greater, greaterEqual
  case plus, plusPlus, minus, star, slash, percent, ampersand, pipe, caret, tilde, shiftLeft, shiftRight
  /// Bytes that are no token; the lexer has reported them.
  case invalid
  /// The end of the script, or of the part that is read.
  case end
}

/// A token is a kind and a place; its text stays in the source.
public struct Token: Sendable, BitwiseCopyable {
  public var kind: TokenKind
  public var offset: UInt32
  public var length: UInt32

  public init(_ kind: TokenKind, offset: UInt32, length: UInt32) {
    self.kind = kind
    self.offset = offset
    self.length = length
  }

  public var end: UInt32 { offset &+ length }
  public var span: Span { Span(offset, end) }
}

/// `# text`, without the line end.
public struct Comment: Sendable, BitwiseCopyable {
  public var span: Span
  /// Something else stands in front of it on its line.
  public var isTrailing: Bool
}

/// A script as tokens; the last one is always `.end`.
public struct TokenList: Sendable {
  public var tokens: [Token]
  public var comments: [Comment]
  /// Where the archive tail begins, if there is one.
  public var archiveStart: UInt32?
  /// A limit ended the reading early, so what follows the last token is unknown.
  public var isTruncated: Bool
}
