// SPDX-License-Identifier: GPL-3.0-or-later

// Bytes become tokens in one pass over a raw pointer, without making a single string. The lexer decides
// where a token begins and ends and that the bytes are text at all (UTF-8, no control characters); what a
// literal is worth and what a token means is for the parser. It never gives up: whatever it
// cannot read becomes an `.invalid` token and a diagnostic.

/// Turns a script into tokens.
public enum Lexer {
  /// The tokens of a script and what is wrong with its bytes.
  public static func tokenize(_ source: SourceFile) -> (TokenList, [Diagnostic]) {
    var sink = DiagnosticSink(source)
    let list = tokenize(source, into: &sink)
    return (list, sink.sorted)
  }

  static func tokenize(_ source: SourceFile, into sink: inout DiagnosticSink) -> TokenList {
    let readable = readableBytes(of: source, into: &sink)
    return source.bytes.withUnsafeBufferPointer { buffer in
      var scanner = Scanner(buffer: buffer, end: readable, sink: sink)
      scanner.scan()
      sink = scanner.sink
      scanner.list.isTruncated = scanner.list.isTruncated || readable < buffer.count
      return scanner.list
    }
  }

  /// How much of the file respects the limits: up to its first line that is too long, nothing of a file
  /// that is too large.
  private static func readableBytes(of source: SourceFile, into sink: inout DiagnosticSink) -> Int {
    guard source.bytes.count <= Limits.fileBytes else {
      sink.report(
        .fileTooLarge, Span.zero,
        "the script has \(source.bytes.count) bytes, the limit is \(Limits.fileBytes)",
        help: ["split it, and join the parts with include"])
      return 0
    }
    var start = Int(source.lineStarts[0])
    for line in 1...source.lineCount {
      let end = line < source.lineCount ? Int(source.lineStarts[line]) : source.bytes.count
      if end - start > Limits.lineBytes + 2 {
        sink.report(
          .lineTooLong, Span(UInt32(start), UInt32(start + 1)),
          "line \(line) has \(end - start) bytes, the limit is \(Limits.lineBytes)",
          help: ["break it inside brackets, or put the data into a file and use file(\"name\")"])
        return start
      }
      start = end
    }
    return source.bytes.count
  }
}

/// The state of one pass. `base[index]` is read only for `index < end`; `at` answers 0 beyond it.
private struct Scanner {
  private let base: UnsafeBufferPointer<UInt8>
  private let end: Int
  private var index = 0
  /// Offset of the current line's first byte that is not a blank, or of its beginning.
  private var lineHasToken = false
  var sink: DiagnosticSink
  var list = TokenList(tokens: [], comments: [], archiveStart: nil, isTruncated: false)

  init(buffer: UnsafeBufferPointer<UInt8>, end: Int, sink: DiagnosticSink) {
    base = buffer
    self.end = end
    self.sink = sink
    list.tokens.reserveCapacity(end / 4 + 16)
  }

  @inline(__always) private func at(_ index: Int) -> UInt8 { index < end ? base[index] : 0 }

  private mutating func emit(_ kind: TokenKind, _ length: Int) {
    list.tokens.append(Token(kind, offset: UInt32(index), length: UInt32(length)))
    lineHasToken = true
    index += length
  }

  private func span(_ start: Int, _ end: Int) -> Span { Span(UInt32(start), UInt32(end)) }

  mutating func scan() {
    if at(0) == 0xEF && at(1) == 0xBB && at(2) == 0xBF { index = 3 }
    if beginsArchive() { return finish() }
    while index < end {
      if list.tokens.count >= Limits.tokens {
        sink.report(
          .tooManyTokens, span(index, index + 1), "the script has more than \(Limits.tokens) words and signs",
          help: ["split it, and join the parts with include"])
        list.isTruncated = true
        break
      }
      if sink.isFull {
        list.isTruncated = true
        break
      }
      let byte = base[index]
      switch byte {
      case 0x20, 0x09: index += 1
      case 0x0A:
        newline()
        if beginsArchive() { return finish() }
      case 0x0D:
        if at(index + 1) == 0x0A || index + 1 == end {
          index += 1
        } else {
          unexpected()
        }
      case UInt8(ascii: "#"): comment()
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
        word()
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number()
      case UInt8(ascii: "$"): variable()
      case UInt8(ascii: "\""): string(prefix: 0, kind: .string)
      case UInt8(ascii: "\\"): continuation()
      default: sign(byte)
      }
    }
    finish()
  }

  private mutating func finish() {
    list.tokens.append(Token(.end, offset: UInt32(index), length: 0))
  }

  private mutating func newline() {
    if let last = list.tokens.last, last.kind != .newline {
      list.tokens.append(Token(.newline, offset: UInt32(index), length: 1))
    }
    index += 1
    lineHasToken = false
  }

  // MARK: Words, numbers, variables

  @inline(__always) private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- UInt8(ascii: "a") < 26
  }

  @inline(__always) private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  @inline(__always) private static func isName(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_")
  }

  private func nameEnd(from start: Int) -> Int {
    var cursor = start
    while cursor < end && Self.isName(base[cursor]) { cursor += 1 }
    return cursor
  }

  private mutating func word() {
    var cursor = nameEnd(from: index)
    while at(cursor) == UInt8(ascii: "-") && Self.isLetter(at(cursor + 1)) {
      cursor = nameEnd(from: cursor + 1)
    }
    if at(cursor) == UInt8(ascii: "\"") && cursor - index == 3 && at(index) == UInt8(ascii: "h")
      && at(index + 1) == UInt8(ascii: "e") && at(index + 2) == UInt8(ascii: "x")
    {
      return string(prefix: 3, kind: .hex)
    }
    emit(.word, cursor - index)
  }

  private mutating func variable() {
    let cursor = nameEnd(from: index + 1)
    if cursor == index + 1 || Self.isDigit(at(index + 1)) {
      sink.report(
        .sigilWithoutName, span(index, max(cursor, index + 1)),
        "'$' needs the name of a variable right behind it",
        help: ["a name begins with a letter or '_': $vm"])
      return emit(.invalid, max(cursor - index, 1))
    }
    emit(.variable, cursor - index)
  }

  /// A run of letters and digits, with `.5` for versions and `-01-01` for dates.
  private mutating func number() {
    var cursor = nameEnd(from: index)
    var kind = TokenKind.number
    if at(cursor) == UInt8(ascii: ".") && Self.isDigit(at(cursor + 1)) {
      kind = .version
      while at(cursor) == UInt8(ascii: ".") && Self.isDigit(at(cursor + 1)) {
        cursor = nameEnd(from: cursor + 1)
      }
    } else if cursor - index == 4 && at(cursor) == UInt8(ascii: "-") && digits(cursor + 1, 2)
      && at(cursor + 3) == UInt8(ascii: "-") && digits(cursor + 4, 2) && !Self.isName(at(cursor + 6))
    {
      kind = .date
      cursor += 6
    }
    emit(kind, cursor - index)
  }

  private func digits(_ start: Int, _ count: Int) -> Bool {
    (start..<start + count).allSatisfy { Self.isDigit(at($0)) }
  }

  // MARK: Text

  /// A quoted literal on one line; `prefix` bytes stand in front of the quote.
  private mutating func string(prefix: Int, kind: TokenKind) {
    var cursor = index + prefix + 1
    while cursor < end {
      let byte = base[cursor]
      if byte == UInt8(ascii: "\"") { return emit(kind, cursor + 1 - index) }
      if byte == 0x0A { break }
      if byte == UInt8(ascii: "\\") && cursor + 1 < end && base[cursor + 1] >= 0x20 && base[cursor + 1] < 0x7F
      {
        cursor += 2
      } else if byte >= 0x20 && byte < 0x7F {
        cursor += 1
      } else {
        cursor = text(at: cursor)
      }
    }
    if cursor > index && at(cursor - 1) == 0x0D { cursor -= 1 }
    sink.report(
      .unterminatedString, span(index, cursor), "this text has no closing quote on its line",
      help: ["write \\n for a line end inside a text, and join texts with ++"])
    emit(.invalid, cursor - index)
  }

  private mutating func comment() {
    var cursor = index
    while cursor < end && base[cursor] != 0x0A {
      if base[cursor] >= 0x20 && base[cursor] < 0x7F {
        cursor += 1
      } else {
        cursor = text(at: cursor)
      }
    }
    let next = cursor
    while cursor > index && (at(cursor - 1) == 0x0D || at(cursor - 1) == 0x20 || at(cursor - 1) == 0x09) {
      cursor -= 1
    }
    list.comments.append(Comment(span: span(index, cursor), isTrailing: lineHasToken))
    if lineHasToken { checkComment(span(index, cursor)) }
    index = next
  }

  /// A trailing comment that reads like an expectation would silently check nothing.
  private mutating func checkComment(_ comment: Span) {
    var start = Int(comment.start) + 1
    while at(start) == 0x20 || at(start) == 0x09 { start += 1 }
    let stop = min(nameEnd(from: start), Int(comment.end))
    guard start < stop else { return }
    let word = String(decoding: base[start..<stop], as: UTF8.self)
    guard Keywords.looksLikeOutcome(word) else { return }
    sink.report(
      .commentLooksLikeExpectation, comment,
      "this comment looks like an expectation, and comments are not checked",
      help: [
        word == "unfinished"
          ? "a request that waits is written -> blocked" : "write -> \(word) in front of any comment",
        "to keep it a comment, begin it with another word",
      ])
  }

  /// Steps over one byte sequence that is not printable ASCII inside a text or comment, and reports what
  /// is not text. Returns where it ends.
  private mutating func text(at cursor: Int) -> Int {
    let byte = base[cursor]
    if byte == 0x09 { return cursor + 1 }
    if byte == 0x0D && (at(cursor + 1) == 0x0A || cursor + 1 == end) { return cursor + 1 }
    if byte < 0x80 {
      reportControl(cursor)
      return cursor + 1
    }
    let length = utf8Length(at: cursor)
    if let length { return cursor + length }
    var stop = cursor + 1
    while stop < end && base[stop] >= 0x80 && utf8Length(at: stop) == nil { stop += 1 }
    reportUTF8(cursor, stop)
    return stop
  }

  /// The length of the well-formed multi-byte sequence at `cursor`; nil when there is none.
  private func utf8Length(at cursor: Int) -> Int? {
    let step = UTF8Reader.step(base, at: cursor, end: end)
    return step.scalar == nil ? nil : step.length
  }

  private mutating func reportControl(_ cursor: Int) {
    let name = base[cursor] == 0 ? "a NUL byte" : "the control character 0x" + String(base[cursor], radix: 16)
    sink.report(
      .controlCharacter, span(cursor, cursor + 1), "\(name) is not text",
      help: ["inside a text, write it as an escape such as \\x00"])
  }

  private mutating func reportUTF8(_ start: Int, _ stop: Int) {
    sink.report(
      .invalidUTF8, span(start, stop), "\(stop - start == 1 ? "this byte is" : "these bytes are") not UTF-8",
      help: ["save the script as UTF-8; write arbitrary bytes as \\xff or hex\"ff\""])
  }

  // MARK: Signs

  private mutating func continuation() {
    var cursor = index + 1
    while at(cursor) == 0x20 || at(cursor) == 0x09 || at(cursor) == 0x0D { cursor += 1 }
    if at(cursor) == 0x0A && cursor < end {
      index = cursor + 1
      return
    }
    sink.report(
      .strayBackslash, span(index, index + 1), "'\\' continues a statement only as the last thing on a line")
    emit(.invalid, 1)
  }

  private mutating func sign(_ byte: UInt8) {
    let next = at(index + 1)
    switch byte {
    case UInt8(ascii: ";"): emit(.semicolon, 1)
    case UInt8(ascii: ","): emit(.comma, 1)
    case UInt8(ascii: ":"): emit(.colon, 1)
    case UInt8(ascii: "?"): emit(.question, 1)
    case UInt8(ascii: "("): emit(.leftParen, 1)
    case UInt8(ascii: ")"): emit(.rightParen, 1)
    case UInt8(ascii: "["): emit(.leftBracket, 1)
    case UInt8(ascii: "]"): emit(.rightBracket, 1)
    case UInt8(ascii: "{"): emit(.leftBrace, 1)
    case UInt8(ascii: "}"): emit(.rightBrace, 1)
    case UInt8(ascii: "*"): emit(.star, 1)
    case UInt8(ascii: "/"): emit(.slash, 1)
    case UInt8(ascii: "%"): emit(.percent, 1)
    case UInt8(ascii: "^"): emit(.caret, 1)
    case UInt8(ascii: "~"): emit(.tilde, 1)
    case UInt8(ascii: "+"): next == byte ? emit(.plusPlus, 2) : emit(.plus, 1)
    case UInt8(ascii: "-"): next == UInt8(ascii: ">") ? emit(.arrow, 2) : emit(.minus, 1)
    case UInt8(ascii: "."): dots()
    case UInt8(ascii: "!"): next == UInt8(ascii: "=") ? emit(.notEqual, 2) : emit(.bang, 1)
    case UInt8(ascii: "="): next == byte ? foreign(.equal, "==", "=") : emit(.equal, 1)
    case UInt8(ascii: "&"): next == byte ? foreign(.ampersand, "&&", "&") : emit(.ampersand, 1)
    case UInt8(ascii: "|"): next == byte ? foreign(.pipe, "||", "|") : emit(.pipe, 1)
    case UInt8(ascii: "<"):
      if next == byte { return emit(.shiftLeft, 2) }
      next == UInt8(ascii: "=") ? emit(.lessEqual, 2) : emit(.less, 1)
    case UInt8(ascii: ">"):
      if next == byte { return emit(.shiftRight, 2) }
      next == UInt8(ascii: "=") ? emit(.greaterEqual, 2) : emit(.greater, 1)
    default: unexpected()
    }
  }

  /// `.`, `...`, and the half-open ranges of other languages.
  private mutating func dots() {
    guard at(index + 1) == UInt8(ascii: ".") else { return emit(.dot, 1) }
    if at(index + 2) == UInt8(ascii: ".") { return emit(.ellipsis, 3) }
    var length = 2
    if at(index + 2) == UInt8(ascii: "<") || at(index + 2) == UInt8(ascii: "=") { length = 3 }
    let spelling = String(decoding: base[index..<index + length], as: UTF8.self)
    sink.report(
      .halfOpenRange, span(index, index + length), "there is no range '\(spelling)'; ranges are closed",
      help: ["write first...last: both ends belong to it, so that the top address can be said"])
    emit(.ellipsis, length)
  }

  /// An operator of another language; it is read as the nearest one here.
  private mutating func foreign(_ kind: TokenKind, _ written: String, _ nearest: String) {
    sink.report(
      .foreignOperator, span(index, index + 2), "there is no operator '\(written)'",
      help: [
        kind == .equal
          ? "equality is written '='" : "'\(nearest)' works on bits; conditions are joined with commas"
      ])
    emit(kind, 2)
  }

  /// A run of bytes that begin no token.
  private mutating func unexpected() {
    let start = index
    let byte = base[start]
    if byte < 0x20 || byte == 0x7F {
      reportControl(start)
      return emit(.invalid, 1)
    }
    if byte < 0x80 {
      sink.report(
        .unexpectedCharacter, span(start, start + 1),
        "'\(Character(UnicodeScalar(byte)))' has no meaning here",
        help: byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`") ? ["texts are quoted with \"\""] : [])
      return emit(.invalid, 1)
    }
    var cursor = start
    while cursor < end, base[cursor] >= 0x80, let length = utf8Length(at: cursor) { cursor += length }
    if cursor > start {
      let characters = String(decoding: base[start..<min(cursor, start + 64)], as: UTF8.self)
      sink.report(
        .unexpectedCharacter, span(start, cursor),
        "'\(characters)' has no meaning outside texts and comments")
    } else {
      cursor = start + 1
      while cursor < end && base[cursor] >= 0x80 && utf8Length(at: cursor) == nil { cursor += 1 }
      reportUTF8(start, cursor)
    }
    emit(.invalid, cursor - start)
  }

  // MARK: Archive

  /// At the start of a line: does `-- name --` begin the archive tail here?
  private mutating func beginsArchive() -> Bool {
    guard at(index) == UInt8(ascii: "-"), Archive.isHeader(base, at: index, end: end) else { return false }
    list.archiveStart = UInt32(index)
    return true
  }
}
