// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// The statement that is being typed, up to the cursor: taken apart into units, of which the last is not finished.
///
///     map $vm $buf iova=0x1000 le|
///     ^^^ ^^^ ^^^^ ^^^^^^^^^^^ ^^
///     units                    word
///
/// Reading never fails: what cannot be understood simply has no candidates.
struct CursorStatement {
  /// A run of characters without a space outside of brackets.
  struct Unit {
    let text: String
    /// The part in front of a `=` inside the unit.
    let key: String?

    /// A word as verbs have them.
    var isWord: Bool { key == nil && text.utf8.allSatisfy { Self.isWordByte($0) } }

    private static func isWordByte(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
  enum Place {
    /// Inside a statement, in front of any `->`.
    case statement
    /// Inside the `{ ... }` of an operand.
    case record
    /// Behind `->`.
    case expectation
    /// Inside the brackets of a condition, `[kernel>=6.15]`.
    case condition
    /// Inside a text.
    case text
    /// Inside a comment, or where nothing can be said.
    case nowhere
  }

  /// Where the statement begins, in bytes.
  private(set) var start = 0
  /// Where the word at the cursor begins, in bytes.
  private(set) var wordStart = 0
  private(set) var word = ""
  private(set) var place = Place.statement
  /// Complete units in front of the cursor; marks, bindings and conditions at the beginning are left out.
  private(set) var units: [Unit] = []
  /// The beginning of the unit at the cursor, in front of the word: `iova=`, `flags=READABLE|`, `threads=[a, `.
  private(set) var lead = ""
  /// A name is bound in front: `vm =`.
  private(set) var isBinding = false
  /// There is a mark, a condition or a binding in front, so nothing but a command can follow.
  private(set) var isMarked = false
  /// Blocks around the cursor.
  private(set) var depth = 0

  /// The key of the unit at the cursor: `iova` of `iova=0x`.
  var key: String? {
    guard let sign = lead.firstIndex(of: "="), !lead[..<sign].isEmpty,
      lead[..<sign].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == "." })
    else { return nil }
    return String(lead[..<sign])
  }

  /// Bytes that a word at the cursor cannot have.
  private static let breaks = Set(" \t\n=,[](){}|;<>\"!?".utf8)

  init(_ text: String) {
    let bytes = Array(text.utf8)
    let source = SourceFile(name: "<cursor>", bytes: bytes)
    let (list, _) = Lexer.tokenize(source)
    wordStart = bytes.count
    if let comment = list.comments.last, !bytes[Int(comment.span.end)...].contains(0x0A),
      bytes.last != 0x0A
    {
      place = .nowhere
      start = bytes.count
      return
    }
    wordStart = Self.wordStart(bytes)
    let isInText = Self.isInText(list, bytes)
    if isInText {
      // A path may have spaces.
      wordStart = (bytes.lastIndex(of: UInt8(ascii: "\"")) ?? bytes.count - 1) + 1
    }
    word = String(decoding: bytes[wordStart...], as: UTF8.self)
    let limit = UInt32(wordStart)
    let given = list.tokens.filter { $0.end <= limit && $0.kind != .end }
    read(given, source)
    if isInText { place = .text }
  }

  /// Where the word at the end begins. An index in it, `$vm.areas[0].`, is a part of it.
  private static func wordStart(_ bytes: [UInt8]) -> Int {
    var start = bytes.count
    while start > 0 {
      if !breaks.contains(bytes[start - 1]) {
        start -= 1
        continue
      }
      guard bytes[start - 1] == UInt8(ascii: "]"), start < bytes.count, bytes[start] == UInt8(ascii: "."),
        let open = bytes[..<start].lastIndex(of: UInt8(ascii: "[")), open > 0,
        !breaks.contains(bytes[open - 1]),
        bytes[(open + 1)..<(start - 1)].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
      else { return start }
      start = open
    }
    return start
  }

  /// Whether the quotation mark before the cursor is open.
  private static func isInText(_ list: TokenList, _ bytes: [UInt8]) -> Bool {
    var quotes = 0
    var index = Int(list.tokens.last { $0.kind == .newline }?.end ?? 0)
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "\\"), quotes % 2 == 1 { index += 1 }
      if index < bytes.count, bytes[index] == UInt8(ascii: "\"") { quotes += 1 }
      index += 1
    }
    return quotes % 2 == 1
  }

  // MARK: Where

  private struct Bracket {
    enum Kind { case block, record, round }
    let kind: Kind
    /// The first token of the statement around it.
    let first: Int
  }

  /// Finds the statement among the tokens in front of the word, and takes it apart.
  private mutating func read(_ tokens: [Token], _ source: SourceFile) {
    var stack: [Bracket] = []
    var first = 0
    for (index, token) in tokens.enumerated() {
      switch token.kind {
      case .newline, .semicolon: if stack.last?.kind != .round { first = index + 1 }
      case .leftParen, .leftBracket: stack.append(Bracket(kind: .round, first: first))
      case .rightParen, .rightBracket:
        if stack.last?.kind == .round { stack.removeLast() }
      case .leftBrace:
        let isBlock = Self.opensBlock(tokens[min(first, index)..<index], source) && stack.last?.kind != .round
        stack.append(Bracket(kind: isBlock ? .block : .record, first: first))
        first = index + 1
      case .rightBrace:
        while let last = stack.popLast() {
          first = last.first
          if last.kind != .round { break }
        }
      default: break
      }
    }
    depth = stack.filter { $0.kind == .block }.count
    if let record = stack.last(where: { $0.kind != .round }), record.kind == .record {
      place = .record
      // The verb is in front of the brace; entries in front of this one say nothing about it.
      let head = Array(tokens[record.first..<max(record.first, first)])
      let entry = Array(tokens[max(record.first, first)...])
      begin(head + entry, source)
      return
    }
    begin(Array(tokens[min(first, tokens.count)...]), source)
  }

  private static let blockWords: Set<String> = [
    "test", "for", "def", "if", "thread", "explore", "parallel", "fail", "sweep", "defer",
  ]

  /// Whether a `{` behind these tokens begins a block of statements.
  private static func opensBlock(_ head: ArraySlice<Token>, _ source: SourceFile) -> Bool {
    var depth = 0
    for token in head {
      switch token.kind {
      case .leftBracket: depth += 1
      case .rightBracket: depth -= 1
      case .word where depth == 0: return blockWords.contains(source.text(token.span))
      default: break
      }
    }
    return false
  }

  // MARK: Units

  private mutating func begin(_ tokens: [Token], _ source: SourceFile) {
    start = tokens.first.map { Int($0.offset) } ?? wordStart
    var rest = tokens[...]
    dropMarks(&rest, source)
    var opened: [TokenKind] = []
    var unit: ArraySlice<Token> = []
    var units: [ArraySlice<Token>] = []
    for (index, token) in zip(rest.indices, rest) {
      if token.kind == .arrow, opened.isEmpty, place == .statement {
        if !unit.isEmpty { units.append(unit) }
        place = .expectation
        unit = []
        continue
      }
      if opened.isEmpty, let last = unit.last, last.end < token.offset || token.kind == .comma {
        units.append(unit)
        unit = []
        if token.kind == .comma { continue }
      }
      unit = unit.isEmpty ? rest[index...index] : rest[unit.startIndex...index]
      switch token.kind {
      case .leftParen, .leftBracket, .leftBrace: opened.append(token.kind)
      case .rightParen, .rightBracket, .rightBrace: _ = opened.popLast()
      default: break
      }
    }
    // A record's own brace is open by its nature.
    let isOpen = !opened.isEmpty && !(place == .record && opened == [.leftBrace])
    if let last = unit.last, isOpen || Int(last.end) == wordStart && !Self.closes(last.kind) {
      lead = source.text(Span(unit[unit.startIndex].offset, UInt32(wordStart)))
    } else if !unit.isEmpty {
      units.append(unit)
    }
    self.units = units.filter { !$0.isEmpty }.map { tokens in
      let text = source.text(Span(tokens[tokens.startIndex].offset, tokens[tokens.endIndex - 1].end))
      let hasKey =
        tokens.count > 1 && tokens[tokens.startIndex].kind == .word
        && tokens[tokens.startIndex + 1].kind == .equal
      return Unit(text: text, key: hasKey ? source.text(tokens[tokens.startIndex].span) : nil)
    }
  }

  private static func closes(_ kind: TokenKind) -> Bool {
    kind == .rightParen || kind == .rightBracket || kind == .rightBrace || kind == .newline
  }

  /// Takes away what may stand in front of a command: `[condition]`, `xfail "reason"`, `!`, `?`, `a, b =`.
  private mutating func dropMarks(_ rest: inout ArraySlice<Token>, _ source: SourceFile) {
    if rest.first?.kind == .leftBracket {
      guard let end = rest.firstIndex(where: { $0.kind == .rightBracket }) else {
        place = .condition
        rest = rest.dropFirst()
        return
      }
      rest = rest[(end + 1)...]
      isMarked = true
    }
    if rest.count >= 2, rest.first?.kind == .word, rest.first.map({ source.text($0.span) }) == "xfail",
      rest[rest.startIndex + 1].kind == .string
    {
      rest = rest.dropFirst(2)
      isMarked = true
    }
    if let kind = rest.first?.kind, kind == .bang || kind == .question {
      rest = rest.dropFirst()
      isMarked = true
    }
    var index = rest.startIndex
    while index + 1 < rest.endIndex, rest[index].kind == .word {
      switch rest[index + 1].kind {
      case .comma: index += 2
      case .equal:
        rest = rest[(index + 2)...]
        isBinding = true
        isMarked = true
        return
      default: return
      }
    }
  }
}
