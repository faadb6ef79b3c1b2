// SPDX-License-Identifier: GPL-3.0-or-later

// Recursive descent, one token of look-ahead (two where a word may be a key). A statement that cannot be
// read is reported once and skipped to its end; the next line starts afresh, so one slip does not hide the
// others. Depth is counted, so no input reaches the end of the stack.
//
// Where spaces separate (operands, records) a value is one unit: `$buf+4K`, `A|B`, `a...b`, `x ++ y`.
// Where commas separate (inside parentheses and brackets) arithmetic is free.

/// Reads scripts.
public struct Parser {
  /// What a block of statements belongs to; some statements have their place.
  enum Context {
    case file, test, inner, deferred, parallel
  }

  /// Thrown after a report, to leave the statement.
  struct Recover: Error {}

  let source: SourceFile
  private let tokens: [Token]
  private let isTruncated: Bool
  private var index = 0
  /// The token that is looked at.
  private(set) var token: Token
  /// Where the token before it ended.
  private(set) var previousEnd: UInt32 = 0
  /// Line ends are skipped: the innermost open bracket is `(` or `[`.
  private var newlinesAreFree = false
  /// Indices of the brackets of the current statement that are open (blocks not counted).
  private var openers: [Int] = []
  private var depth = 0
  private(set) var symbolCount = 0
  var sink: DiagnosticSink
  /// Words and operands of the command that is being read. Commands do not nest, so one buffer serves them
  /// all and each command's own array is allocated once, at its size.
  var words: [Name] = []
  var operands: [Operand] = []
  /// Inside a pattern, where `hex"**"` may hold wildcards.
  var allowsWildcards = false

  private init(_ source: SourceFile, _ list: TokenList, _ sink: DiagnosticSink) {
    self.source = source
    self.sink = sink
    tokens = list.tokens
    isTruncated = list.isTruncated
    token = list.tokens[0]
  }

  /// Reads a script. There is always a tree: what could not be read is missing from it, and reported.
  ///
  /// - Returns: the tree and at most `Limits.diagnostics` + 1 diagnostics in the order of their places.
  public static func parse(_ source: SourceFile) -> (ScriptFile, [Diagnostic]) {
    var sink = DiagnosticSink(source)
    let list = Lexer.tokenize(source, into: &sink)
    var parser = Parser(source, list, sink)
    let version = parser.parseVersion()
    let statements = parser.parseStatements(in: .file, opener: nil)
    let archive = list.archiveStart.map { Archive.members(of: source, from: $0) } ?? []
    let file = ScriptFile(
      source: source, version: version, statements: statements, archive: archive,
      symbolCount: parser.symbolCount)
    return (file, parser.sink.sorted)
  }

  /// Whether a person who typed this is done: every block and bracket is closed and the last line does not
  /// end in `\`. A prompt goes on reading until it is.
  public static func isComplete(_ source: SourceFile) -> Bool {
    openDepth(source) == 0
  }

  /// How many blocks and brackets are open at the end, and one more when the last line ends in `\`.
  public static func openDepth(_ source: SourceFile) -> Int {
    var sink = DiagnosticSink(source)
    let list = Lexer.tokenize(source, into: &sink)
    var depth = 0
    for token in list.tokens {
      switch token.kind {
      case .leftParen, .leftBracket, .leftBrace: depth += 1
      case .rightParen, .rightBracket, .rightBrace: depth = max(0, depth - 1)
      default: break
      }
    }
    let last = source.bytes.last { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
    let inComment = list.comments.last.map { Int($0.span.end) >= source.bytes.count - 1 } ?? false
    return last == UInt8(ascii: "\\") && !inComment ? depth + 1 : depth
  }

  // MARK: Tokens

  mutating func advance() {
    previousEnd = token.end
    move(to: index + 1)
  }

  private mutating func move(to next: Int) {
    index = min(next, tokens.count - 1)
    if newlinesAreFree {
      while tokens[index].kind == .newline && index < tokens.count - 1 { index += 1 }
    }
    token = tokens[index]
  }

  /// The token after the current one, line ends included.
  var next: Token { tokens[min(index + 1, tokens.count - 1)] }
  /// The token after `next`.
  var afterNext: Token { tokens[min(index + 2, tokens.count - 1)] }

  /// Nothing stands between the current token and the one before it.
  var isAdjacent: Bool { token.offset == previousEnd }
  /// Nothing stands between the current token and the next one.
  var nextIsAdjacent: Bool { next.offset == token.end }

  var isAtEndOfStatement: Bool {
    switch token.kind {
    case .newline, .semicolon, .rightBrace, .end: true
    default: false
    }
  }

  /// Whether a `{` is the last token of the current line. Looks no further than the current statement can
  /// reach, so that asking at every statement of a long line costs no more than reading it.
  var lineOpensBlock: Bool {
    var cursor = index
    while true {
      switch tokens[cursor].kind {
      case .newline, .end: return cursor > index && tokens[cursor - 1].kind == .leftBrace
      case .semicolon, .rightBrace: return false
      default: cursor += 1
      }
    }
  }

  func text(_ token: Token) -> String { source.text(token.span) }

  /// The current token is this word.
  func isWord(_ word: Keywords.Inner) -> Bool {
    isWord(token, word.rawValue)
  }

  /// A token is this word; no string is made.
  func isWord(_ token: Token, _ word: String) -> Bool {
    let word = word.utf8
    guard token.kind == .word, Int(token.length) == word.count else { return false }
    return word.elementsEqual(source.bytes[Int(token.offset)..<Int(token.end)])
  }

  /// The current word, to be looked up among keywords.
  var packedWord: PackedWord { PackedWord(source.bytes[Int(token.offset)..<Int(token.end)]) }

  mutating func skip(_ kind: TokenKind) -> Bool {
    guard token.kind == kind else { return false }
    advance()
    return true
  }

  mutating func symbol(_ text: String, _ span: Span) -> Symbol {
    defer { symbolCount += 1 }
    return Symbol(text, span: span, ordinal: UInt32(symbolCount))
  }

  /// What a message calls the current token.
  var describedToken: String {
    switch token.kind {
    case .newline: "the end of the line"
    case .end: "the end of the script"
    default: "'\(excerpt(token.span))'"
    }
  }

  /// The text of a span, shortened for a message.
  func excerpt(_ span: Span) -> String {
    let limit: UInt32 = 40
    if span.end - span.start <= limit { return source.text(span) }
    return source.text(Span(span.start, span.start + limit)) + "..."
  }

  // MARK: Reports

  /// Reports at a span, for `throw error(...)`. Where the lexer has reported the current token already,
  /// the second report would only repeat it and is left out.
  mutating func error(
    _ code: DiagnosticCode, _ span: Span, _ message: String, notes: [Diagnostic.Note] = [],
    help: [String] = []
  ) -> Recover {
    if token.kind != .invalid { sink.report(code, span, message, notes: notes, help: help) }
    return Recover()
  }

  /// Reports at the current token.
  mutating func error(_ code: DiagnosticCode, _ message: String, help: [String] = []) -> Recover {
    error(code, token.span, message, help: help)
  }

  // MARK: Nesting

  /// Runs `body` one level deeper; beyond the limit it reports instead.
  mutating func nested<Value>(_ body: (inout Parser) throws(Recover) -> Value) throws(Recover) -> Value {
    try checkDepth(1)
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }

  /// Refuses a tree that would be `more` levels higher than the limit.
  mutating func checkDepth(_ more: Int) throws(Recover) {
    if depth + more > Limits.nesting {
      throw error(
        .nestingTooDeep, "this is nested more than \(Limits.nesting) levels deep",
        help: ["give inner parts a name with name = value"])
    }
  }

  /// Refuses one element too many.
  mutating func checkCount(_ count: Int) throws(Recover) {
    if count >= Limits.elements {
      throw error(.tooManyElements, "this has more than \(Limits.elements) elements")
    }
  }

  /// Steps over an opening bracket; `close` must follow unless an error is thrown.
  mutating func open() -> Opened {
    let opened = Opened(token: token, newlinesWereFree: newlinesAreFree)
    openers.append(index)
    newlinesAreFree = token.kind != .leftBrace
    advance()
    return opened
  }

  struct Opened {
    let token: Token
    fileprivate let newlinesWereFree: Bool
  }

  /// Steps over the closing bracket that belongs to `opened`. Returns the span of both and all between.
  mutating func close(_ opened: Opened, with kind: TokenKind) throws(Recover) -> Span {
    guard token.kind == kind else {
      let sign = source.text(opened.token.span)
      throw error(
        .unclosedBracket, token.span, "\(describedToken) where '\(sign)' is not closed yet",
        notes: [Diagnostic.Note("'\(sign)' was opened here", in: source, at: opened.token.span)],
        help: kind == .rightBrace ? [] : ["inside ( ) and [ ], values are separated by commas"])
    }
    let span = Span(opened.token.offset, token.end)
    if !openers.isEmpty { openers.removeLast() }
    newlinesAreFree = opened.newlinesWereFree
    advance()
    return span
  }

  // MARK: Statements and recovery

  /// The statements of a file (`opener` nil) or of a block, up to its `}`, which is left to the caller.
  mutating func parseStatements(in context: Context, opener: Token?) -> [Statement] {
    var statements: [Statement] = []
    while true {
      while token.kind == .newline || token.kind == .semicolon { advance() }
      if token.kind == .end || sink.isFull { return statements }
      if token.kind == .rightBrace {
        if opener != nil { return statements }
        sink.report(.unopenedBracket, token.span, "'}' closes nothing")
        advance()
        continue
      }
      do throws(Recover) {
        statements.append(try parseStatement(in: context))
        if !isAtEndOfStatement { throw unexpectedRest() }
      } catch {
        recover()
      }
    }
  }

  private mutating func unexpectedRest() -> Recover {
    switch token.kind {
    case .rightParen, .rightBracket:
      error(.unopenedBracket, "\(describedToken) closes nothing")
    default:
      error(
        .expectedEndOfStatement, "\(describedToken) after a statement that is complete",
        help: ["begin a new line, or separate statements with ;"])
    }
  }

  /// Skips the rest of a statement that could not be read: to the end of the line on which its open
  /// brackets close, or, when they do not, of the line it stopped at.
  private mutating func recover() {
    newlinesAreFree = false
    let open = openers.map { tokens[$0].kind }
    openers.removeAll()
    // The error may lie beyond line ends that were skipped inside brackets: go on from where it was met.
    if !open.isEmpty, let closed = closingIndex(of: open) { move(to: closed) }
    var braces = 0
    while true {
      switch token.kind {
      case .end: return
      case .newline where braces == 0, .semicolon where braces == 0: return
      case .leftBrace: braces += 1
      case .rightBrace:
        if braces == 0 { return }
        braces -= 1
      default: break
      }
      advance()
    }
  }

  /// The index behind the bracket that closes the outermost of `open`; nil when brackets do not match.
  private func closingIndex(of open: [TokenKind]) -> Int? {
    var stack = open
    var cursor = index
    while cursor < tokens.count {
      let kind = tokens[cursor].kind
      switch kind {
      case .leftParen, .leftBracket, .leftBrace: stack.append(kind)
      case .rightParen, .rightBracket, .rightBrace:
        guard let last = stack.popLast(), Self.closer(of: last) == kind else { return nil }
        if stack.isEmpty { return cursor + 1 }
      case .end: return nil
      default: break
      }
      cursor += 1
    }
    return nil
  }

  private static func closer(of kind: TokenKind) -> TokenKind {
    switch kind {
    case .leftParen: .rightParen
    case .leftBracket: .rightBracket
    default: .rightBrace
    }
  }

  /// `{ statements }`. Blocks inside keep their own line ends, whatever bracket is open outside.
  mutating func parseBlock(in context: Context, after what: String) throws(Recover) -> Block {
    guard token.kind == .leftBrace else {
      throw error(
        .expectedBlock, "expected '{' after \(what), found \(describedToken)",
        help: ["the '{' of a block stands on the line that begins it"])
    }
    let opener = token
    return try nested { (parser) throws(Recover) in
      parser.advance()
      let statements = parser.parseStatements(in: context, opener: opener)
      guard parser.token.kind == .rightBrace else {
        if !parser.isTruncated && !parser.sink.isFull {
          parser.sink.report(
            .unclosedBlock, opener.span, "this block is not closed before the end of the script",
            help: ["close it with '}'"])
        }
        throw Recover()
      }
      parser.advance()
      return Block(statements: statements, span: Span(opener.offset, parser.previousEnd))
    }
  }
}
