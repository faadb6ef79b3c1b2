// SPDX-License-Identifier: GPL-3.0-or-later

extension Parser {
  /// The languages this parser reads.
  static let newestVersion: UInt32 = 1

  /// The `iofd 1` line, if the script begins with one.
  mutating func parseVersion() -> UInt32? {
    if token.kind == .newline { advance() }
    guard isWord(token, Keywords.Statement.iofd.rawValue), next.kind == .number else { return nil }
    advance()
    let number = token.span
    do throws(Recover) {
      guard case .number(let literal) = try parseNumber(), literal.unit == .one, literal.value >= 1,
        literal.value <= UInt64(Self.newestVersion)
      else {
        sink.report(
          .unknownVersion, number,
          "this reads version \(Self.newestVersion) of the language, not \(excerpt(number))",
          help: ["write iofd \(Self.newestVersion), or use a newer iofd"])
        return nil
      }
      if !isAtEndOfStatement {
        throw error(.expectedEndOfStatement, "\(describedToken) after a statement that is complete")
      }
      return UInt32(literal.value)
    } catch {
      while token.kind != .newline && token.kind != .end { advance() }
      return nil
    }
  }

  /// One statement; the token behind it is left to the caller.
  mutating func parseStatement(in context: Context) throws(Recover) -> Statement {
    let start = token.offset
    let condition = token.kind == .leftBracket ? try parseBracketedCondition() : nil
    let kind = try parseStatementKind(in: context)
    return Statement(condition: condition, kind: kind, span: Span(start, previousEnd))
  }

  private mutating func parseStatementKind(in context: Context) throws(Recover) -> Statement.Kind {
    if token.kind == .word, next.kind != .equal, next.kind != .comma {
      let word = packedWord
      if let keyword = Keywords.statement(word) { return try parse(keyword, in: context) }
      if let entry = Keywords.reserved(word) { throw reservedWord(entry) }
      if isNearBlock { try refuseMisspelledBlock(in: context) }
    }
    return try parseCommandOrValue(expectedFailure: nil)
  }

  private mutating func reservedWord(_ entry: (word: String, meaning: String)) -> Recover {
    error(
      .reservedWord, "'\(entry.word)' is reserved for a later version of the language",
      help: ["it will mean \(entry.meaning)"])
  }

  private mutating func parse(_ keyword: Keywords.Statement, in context: Context) throws(Recover)
    -> Statement.Kind
  {
    let word = token
    try checkPlace(keyword, context)
    advance()
    switch keyword {
    case .expect: return try parseExpectOrTrace(expectedFailure: nil)
    case .test: return .test(try parseTest())
    case .section: return .section(try parseText("a heading"))
    case .for: return .loop(try parseLoop())
    case .def: return .definition(try parseDefinition())
    case .if: return .conditional(try parseConditional())
    case .include: return .include(try parseInclude())
    case .export: return .export(try parseExport())
    case .param: return .parameter(try parseParameter())
    case .defer: return .deferred(try parseDeferred())
    case .fail: return .injection(try parseInjection(.fail))
    case .sweep: return .injection(try parseInjection(.sweep))
    case .require: return .require(try parseCondition())
    case .xfail: return try parseExpectedFailure(keyword: word, in: context)
    case .thread: return .thread(try parseThread())
    case .run: return .run(try parseRun())
    case .explore: return .explore(try parseExplore())
    case .parallel: return .parallel(try parseBlock(in: .parallel, after: "'parallel'"))
    case .iofd:
      throw error(
        .misplacedStatement, word.span, "the version line is the first statement of a script",
        help: ["move it to the top: iofd \(Self.newestVersion)"])
    }
  }

  /// Some statements say something about the file or test they are in and so stand directly in it.
  private mutating func checkPlace(_ keyword: Keywords.Statement, _ context: Context) throws(Recover) {
    let place: String
    switch (keyword, context) {
    case (.test, .file), (.param, .file), (.export, .file): return
    case (.section, .file), (.section, .test), (.def, .file), (.def, .test): return
    case (.require, .file), (.require, .test): return
    case (.thread, .file), (.thread, .test), (.thread, .parallel): return
    case (.test, _), (.param, _), (.export, _): place = "directly in the file"
    case (.section, _), (.def, _), (.require, _): place = "directly in the file or in a test"
    case (.defer, .deferred): place = "outside other 'defer' statements"
    case (.thread, _): place = "directly in the file, in a test or in 'parallel'"
    case (.defer, .parallel), (.run, .parallel), (.explore, .parallel), (.parallel, .parallel),
      (.include, .parallel):
      place = "outside 'parallel'"
    default: return
    }
    throw error(.misplacedStatement, "'\(keyword.rawValue)' stands \(place)")
  }

  // MARK: Commands and values

  /// `[mark] [names =] command [-> ...]`, or `name = value`.
  private mutating func parseCommandOrValue(expectedFailure: ExpectedFailure?) throws(Recover)
    -> Statement.Kind
  {
    let mark = parseMark()
    try refuseOtherStarts()
    var bindings: [Symbol] = []
    if token.kind == .word && (next.kind == .equal || next.kind == .comma) {
      bindings = try parseBindings()
      if beginsValue {
        return .value(try parseNamedValue(bindings, mark: mark, expectedFailure: expectedFailure))
      }
    }
    guard token.kind == .word else {
      throw error(
        .expectedStatement,
        bindings.isEmpty
          ? "expected a command, found \(describedToken)"
          : "expected a command or a value, found \(describedToken)")
    }
    if mark != nil || !bindings.isEmpty || expectedFailure != nil { try refuseKeyword() }
    let command = try parseCommand(&bindings)
    var expectation: Expectation?
    if token.kind == .arrow {
      let parsed = try parseExpectation()
      if let mark {
        throw error(
          .markAndExpectation, mark.span,
          "'\(source.text(mark.span))' and '->' both say how the command ends",
          notes: [Diagnostic.Note("the clause is here", in: source, at: parsed.span)],
          help: ["keep one of them"])
      }
      expectation = parsed
    }
    return .command(
      CommandStatement(
        expectedFailure: expectedFailure, mark: mark, bindings: bindings, command: command,
        expectation: expectation))
  }

  private mutating func parseMark() -> Mark? {
    let span = token.span
    if skip(.bang) { return Mark(.mustFail, span: span) }
    if skip(.question) { return Mark(.mayFail, span: span) }
    return nil
  }

  /// The slips that deserve a sentence of their own at the beginning of a statement.
  private mutating func refuseOtherStarts() throws(Recover) {
    switch token.kind {
    case .variable:
      let name = text(token).dropFirst()
      if next.kind == .equal || next.kind == .comma {
        throw error(
          .sigilOnBinding, "a name is bound without '$'",
          help: ["write \(name) = ..., then use it as $\(name)"])
      }
      throw error(
        .expectedStatement, "a statement begins with a command, not with a value",
        help: ["to look at a value: expect $\(name) = ..."])
    case .arrow:
      throw error(
        .expectedStatement, "'->' belongs behind a command, on the same line",
        help: ["a line goes on after '\\' at its end"])
    case .word where next.kind == .leftParen && nextIsAdjacent:
      throw error(
        .expectedStatement, "a statement begins with a command, and '\(text(token))(...)' is a value",
        help: ["bind it: name = \(text(token))(...)", "or look at it: expect \(text(token))(...) = ..."])
    case .word where isWord(.else):
      throw error(
        .elseWithoutIf, "'else' has no 'if' in front of it", help: ["it stands behind the brace: } else {"])
    default: return
    }
  }

  /// `a, b =`
  private mutating func parseBindings() throws(Recover) -> [Symbol] {
    var bindings: [Symbol] = []
    repeat {
      if token.kind == .variable {
        throw error(.sigilOnBinding, "a name is bound without '$'")
      }
      try checkCount(bindings.count)
      bindings.append(try parseBindingName("a name to bind"))
    } while skip(.comma)
    guard skip(.equal) else {
      throw error(
        .expectedStatement, "expected '=' after the names to bind, found \(describedToken)",
        help: ["operands are separated by spaces, not commas"])
    }
    try refuseRepeated(bindings)
    return bindings
  }

  /// A name that becomes a variable: letters, digits, `_`, and not a word of the grammar.
  mutating func parseBindingName(_ what: String) throws(Recover) -> Symbol {
    if token.kind == .variable {
      throw error(
        .sigilOnBinding, "a name is bound without '$'", help: ["write \(text(token).dropFirst())"])
    }
    guard token.kind == .word else {
      throw error(.expectedName, "expected \(what), found \(describedToken)")
    }
    let name = text(token)
    if name.utf8.contains(UInt8(ascii: "-")) {
      throw error(
        .badName, "a variable has no '-' in its name",
        help: ["write \(String(name.map { $0 == "-" ? "_" : $0 }))"])
    }
    if Keywords.statement(packedWord) != nil || Keywords.reserved(packedWord) != nil {
      throw error(.badName, "'\(name)' begins a statement and cannot name a variable")
    }
    let span = token.span
    advance()
    return symbol(name, span)
  }

  private mutating func refuseRepeated(_ names: [Symbol]) throws(Recover) {
    if names.count < 2 { return }
    var seen: [String: Span] = [:]
    for name in names {
      if let first = seen[name.text] {
        throw error(
          .repeatedName, name.span, "'\(name.text)' is given twice",
          notes: [Diagnostic.Note("the first one is here", in: source, at: first)])
      }
      seen[name.text] = name.span
    }
  }

  /// Whether what follows `name =` is a value and not a command.
  private var beginsValue: Bool {
    switch token.kind {
    case .word:
      if next.kind == .pipe || isWord(.max) { return true }
      return nextIsAdjacent && (next.kind == .leftParen || next.kind == .colon)
    case .number, .version, .date, .string, .hex, .variable, .leftParen, .leftBracket, .leftBrace, .minus,
      .tilde:
      return true
    default: return false
    }
  }

  private mutating func parseNamedValue(
    _ bindings: [Symbol], mark: Mark?, expectedFailure: ExpectedFailure?
  ) throws(Recover) -> ValueStatement {
    if bindings.count > 1 {
      throw error(.expectedStatement, bindings[1].span, "a value has one name; only commands bind several")
    }
    if let span = mark?.span ?? expectedFailure?.span {
      throw error(
        .expectedStatement, span, "'\(excerpt(span))' stands in front of commands, and this is a value")
    }
    let value = try parseValue(.spaces)
    if !isAtEndOfStatement { throw unexpectedOperand() }
    return ValueStatement(name: bindings[0], value: value)
  }

  /// After a mark, a binding or a prefix only a command can follow.
  private mutating func refuseKeyword() throws(Recover) {
    if let keyword = Keywords.statement(packedWord) {
      throw error(
        .expectedStatement, "expected a command, and '\(keyword.rawValue)' begins another kind of statement")
    }
    if let entry = Keywords.reserved(packedWord) { throw reservedWord(entry) }
  }

  private mutating func parseCommand(_ bindings: inout [Symbol]) throws(Recover) -> Command {
    let start = token.offset
    words.removeAll(keepingCapacity: true)
    operands.removeAll(keepingCapacity: true)
    var keys = 0
    while !isAtEndOfStatement && token.kind != .arrow {
      if isWord(.as) && next.kind == .word && !words.isEmpty {
        advance()
        bindings.append(try parseBindingName("a name to bind"))
        try refuseRepeated(bindings)
      } else if operands.isEmpty && token.kind == .word && isBareWord {
        try checkCount(words.count)
        words.append(Name(text(token), span: token.span))
        advance()
      } else if words.isEmpty {
        throw error(.expectedStatement, "expected a command, found \(describedToken)")
      } else {
        try checkCount(operands.count)
        if token.kind == .word && next.kind == .equal { keys += 1 }
        operands.append(try parseOperand())
      }
    }
    if keys > 1 { try checkKeys(operands) }
    return Command(
      words: Array(words[...]), operands: Array(operands[...]), span: Span(start, previousEnd))
  }

  /// The current word is neither a key, a call, a reference, nor one flag of several.
  private var isBareWord: Bool {
    switch next.kind {
    case .equal, .pipe: return false
    case .leftParen, .colon, .dot: return !nextIsAdjacent
    default: return true
    }
  }

  private mutating func parseOperand() throws(Recover) -> Operand {
    switch token.kind {
    case .word where next.kind == .equal: return try parseNamed()
    case .comma, .question, .equal, .notEqual, .less, .lessEqual, .greater, .greaterEqual, .plusPlus, .pipe,
      .ellipsis,
      .rightParen, .rightBracket, .colon, .dot:
      throw unexpectedOperand()
    default:
      let value = try parseValue(.spaces)
      return Operand(.positional(value), span: value.span)
    }
  }

  /// The current token cannot go on with a statement in which spaces separate.
  private mutating func unexpectedOperand() -> Recover {
    switch token.kind {
    case .comma:
      error(.commaBetweenOperands, "operands are separated by spaces, not commas")
    case .plus, .minus, .star, .slash, .percent, .ampersand, .caret, .shiftLeft, .shiftRight:
      arithmeticNeedsParentheses()
    case .notEqual, .less, .lessEqual, .greater, .greaterEqual:
      error(
        .expectedEndOfStatement, "an operand is given with '=', \(describedToken) compares",
        help: ["comparisons belong behind ->, or into an expect statement"])
    case .rightParen, .rightBracket:
      error(.unopenedBracket, "\(describedToken) closes nothing")
    default:
      error(.expectedEndOfStatement, "\(describedToken) has no meaning between operands")
    }
  }

  // MARK: Expect

  /// The keyword has been read.
  private mutating func parseExpectOrTrace(expectedFailure: ExpectedFailure?) throws(Recover)
    -> Statement.Kind
  {
    guard next.kind == .leftBrace, isWord(.trace) else {
      return .expect(try parseExpect(expectedFailure: expectedFailure))
    }
    advance()
    let body = try parseBlock(in: .inner, after: "'expect trace'")
    return .expectTrace(TraceExpectation(expectedFailure: expectedFailure, body: body))
  }

  private mutating func parseExpect(expectedFailure: ExpectedFailure?) throws(Recover) -> ExpectStatement {
    if isAtEndOfStatement {
      throw error(
        .expectedValue, "expected something to look at, found \(describedToken)",
        help: ["expect refs($hw) = 1"])
    }
    let subject = try parseUnit()
    guard let comparison = parseComparisonSign() else {
      if !isAtEndOfStatement { throw unexpectedRestOfExpect() }
      return ExpectStatement(
        expectedFailure: expectedFailure, subject: subject, comparison: nil, pattern: nil)
    }
    let pattern = try parseRightSide(of: comparison)
    return ExpectStatement(
      expectedFailure: expectedFailure, subject: subject, comparison: comparison, pattern: pattern)
  }

  private mutating func unexpectedRestOfExpect() -> Recover {
    if token.kind == .arrow {
      return error(
        .expectedEndOfStatement, "an expect statement compares by itself, without '->'", help: ["write ="])
    }
    return error(
      .expectedEndOfStatement, "expected a comparison, found \(describedToken)",
      help: ["comparisons: = != < <= > >= in has ~"])
  }

  // MARK: Declarations

  /// `"text"` as a name for people.
  mutating func parseText(_ what: String) throws(Recover) -> TextLiteral {
    guard token.kind == .string else {
      throw error(
        .expectedText, "expected \(what) in quotes, found \(describedToken)",
        help: token.kind == .word ? ["write it between \" and \""] : [])
    }
    let span = token.span
    let bytes = try parseStringBytes()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error(.expectedText, span, "this text is shown to people and must be UTF-8")
    }
    return TextLiteral(text, span: span)
  }

  /// `xfail "reason" until=2027-01-01`, alone or in front of a statement; the keyword has been read.
  private mutating func parseExpectedFailure(keyword: Token, in context: Context) throws(Recover)
    -> Statement.Kind
  {
    let reason = try parseText("the reason")
    var until: DateLiteral?
    if isWord(.until) && next.kind == .equal {
      advance()
      advance()
      guard token.kind == .date else {
        throw error(.malformedDate, "expected a day, found \(describedToken)", help: ["until=2027-01-01"])
      }
      until = try parseDate(token: token)
      advance()
    }
    let failure = ExpectedFailure(reason: reason, until: until, span: Span(keyword.offset, previousEnd))
    if isAtEndOfStatement {
      guard context == .file || context == .test else {
        throw error(
          .misplacedStatement, keyword.span,
          "'xfail' on a line of its own stands directly in the file or in a test",
          help: ["in front of a statement it speaks of that statement"])
      }
      return .expectedFailure(failure)
    }
    if isWord(token, Keywords.Statement.expect.rawValue) && next.kind != .equal {
      advance()
      return try parseExpectOrTrace(expectedFailure: failure)
    }
    return try parseCommandOrValue(expectedFailure: failure)
  }

  private mutating func parseInclude() throws(Recover) -> IncludeStatement {
    let path = try parseText("the path of a script")
    var arguments: [Operand] = []
    if isWord(.with) {
      advance()
      repeat {
        try checkCount(arguments.count)
        guard token.kind == .word, next.kind == .equal else {
          throw error(.expectedName, "expected name=value after 'with', found \(describedToken)")
        }
        arguments.append(try parseNamed())
      } while skip(.comma)
      try checkKeys(arguments)
    }
    if !isAtEndOfStatement {
      throw error(
        .expectedEndOfStatement, "expected 'with' or the end of the line, found \(describedToken)",
        help: ["include \"x.iofd\" with vm=$vm, depth=4"])
    }
    return IncludeStatement(path: path, arguments: arguments)
  }

  private mutating func parseExport() throws(Recover) -> [Symbol] {
    var names: [Symbol] = []
    repeat {
      try checkCount(names.count)
      names.append(try parseBindingName("a name to export"))
    } while skip(.comma)
    try refuseRepeated(names)
    return names
  }

  private mutating func parseParameter() throws(Recover) -> ParameterStatement {
    let name = try parseBindingName("the name of a parameter")
    let types = ParameterStatement.ValueType.allCases.map { $0.rawValue }
    guard skip(.colon), token.kind == .word else {
      throw error(
        .unknownParameterType, "expected ':' and a type, found \(describedToken)",
        help: ["types: " + types.joined(separator: " ")])
    }
    guard let type = ParameterStatement.ValueType(rawValue: text(token)) else {
      let word = text(token)
      throw error(
        .unknownParameterType, "there is no type '\(word)'",
        help: [Suggest.help(for: word, in: types)].compactMap { $0 } + [
          "types: " + types.joined(separator: " ")
        ])
    }
    advance()
    var domain: Expression?
    if isWord(.in) {
      advance()
      domain = try parseValue(.spaces)
    }
    var value: Expression?
    if skip(.equal) { value = try parseValue(.spaces) }
    return ParameterStatement(name: name, type: type, domain: domain, defaultValue: value)
  }
}
