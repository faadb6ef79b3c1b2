// SPDX-License-Identifier: GPL-3.0-or-later

extension Parser {
  mutating func parseTest() throws(Recover) -> TestStatement {
    let name = try parseText("the name of the test")
    let options = try parseBlockOptions()
    let body = try parseBlock(in: .test, after: "the name of the test")
    return TestStatement(name: name, options: options, body: body)
  }

  /// `key=value` in front of a block.
  private mutating func parseBlockOptions() throws(Recover) -> [Operand] {
    var options: [Operand] = []
    while token.kind == .word && next.kind == .equal {
      try checkCount(options.count)
      options.append(try parseNamed())
    }
    try checkKeys(options)
    return options
  }

  /// `fail` or `sweep`, whose word has been read. What is expected stands behind the brace.
  mutating func parseInjection(_ kind: InjectionStatement.Kind) throws(Recover) -> InjectionStatement {
    let options = try parseBlockOptions()
    let body = try parseBlock(in: .inner, after: options.isEmpty ? "'\(kind.rawValue)'" : "the options")
    let expectation = token.kind == .arrow ? try parseExpectation() : nil
    return InjectionStatement(kind: kind, options: options, body: body, expectation: expectation)
  }

  mutating func parseLoop() throws(Recover) -> LoopStatement {
    let variable = try parseBindingName("the name of the loop's variable")
    guard isWord(.in) else {
      throw error(
        .expectedName, "expected 'in', found \(describedToken)",
        help: ["for \(variable.text) in 0...15 { ... }"])
    }
    advance()
    let values = try parseValue(.spaces)
    let body = try parseBlock(in: .inner, after: "the values of the loop")
    return LoopStatement(variable: variable, values: values, body: body)
  }

  mutating func parseDefinition() throws(Recover) -> DefinitionStatement {
    guard token.kind == .word else {
      throw error(.expectedName, "expected the name of a procedure, found \(describedToken)")
    }
    let name = Name(text(token), span: token.span)
    if Keywords.statement(packedWord) != nil || Keywords.reserved(packedWord) != nil {
      throw error(.badName, "'\(name.text)' begins a statement and cannot name a procedure")
    }
    advance()
    guard token.kind == .leftParen else {
      throw error(
        .expectedName, "expected '(' and the parameters, found \(describedToken)",
        help: ["def \(name.text)(a, b=4K) { ... }"])
    }
    let opened = open()
    var parameters: [DefinitionStatement.Parameter] = []
    var seen: [String: Span] = [:]
    while token.kind != .rightParen {
      try checkCount(parameters.count)
      let parameter = try parseBindingName("the name of a parameter")
      if let first = seen[parameter.text] {
        throw error(
          .repeatedName, parameter.span, "'\(parameter.text)' is given twice",
          notes: [Diagnostic.Note("the first one is here", in: source, at: first)])
      }
      seen[parameter.text] = parameter.span
      let value = skip(.equal) ? try parseValue(.commas) : nil
      parameters.append(DefinitionStatement.Parameter(name: parameter, defaultValue: value))
      if !skip(.comma) { break }
    }
    _ = try close(opened, with: .rightParen)
    let body = try parseBlock(in: .inner, after: "the parameters")
    return DefinitionStatement(name: name, parameters: parameters, body: body)
  }

  mutating func parseConditional() throws(Recover) -> ConditionalStatement {
    var arms: [ConditionalStatement.Arm] = []
    while true {
      try checkCount(arms.count)
      let condition = try parseCondition()
      let body = try parseBlock(in: .inner, after: "the condition")
      arms.append(ConditionalStatement.Arm(condition: condition, body: body))
      guard isWord(.else) else { return ConditionalStatement(arms: arms, otherwise: nil) }
      advance()
      if isWord(token, Keywords.Statement.if.rawValue) {
        advance()
        continue
      }
      let otherwise = try parseBlock(in: .inner, after: "'else'")
      return ConditionalStatement(arms: arms, otherwise: otherwise)
    }
  }

  mutating func parseDeferred() throws(Recover) -> Block {
    if token.kind == .leftBrace { return try parseBlock(in: .deferred, after: "'defer'") }
    let statement = try nested { (parser) throws(Recover) in try parser.parseStatement(in: .deferred) }
    return Block(statements: [statement], span: statement.span)
  }

  // MARK: Conditions

  /// `[kernel>=6.15]`
  mutating func parseBracketedCondition() throws(Recover) -> Condition {
    let opened = open()
    var condition = try parseCondition()
    condition.span = try close(opened, with: .rightBracket)
    return condition
  }

  /// `kernel>=6.15, !mock`
  mutating func parseCondition() throws(Recover) -> Condition {
    var terms: [Condition.Term] = []
    repeat {
      try checkCount(terms.count)
      terms.append(try parseTerm())
    } while skip(.comma)
    let span = (terms.first?.span ?? token.span).joined(terms.last?.span ?? token.span)
    return Condition(terms: terms, span: span)
  }

  private mutating func parseTerm() throws(Recover) -> Condition.Term {
    let start = token.offset
    let isNegated = skip(.bang)
    if token.kind == .variable {
      throw error(
        .badCondition, "a condition asks about the machine and never about a result",
        help: ["so the path of a script is known before it runs; compare a result with expect or ->"])
    }
    guard token.kind == .word else {
      throw error(
        .badCondition, "expected the name of a condition, found \(describedToken)",
        help: ["kernel>=6.15, backend=mock, !mock"])
    }
    let name = Name(text(token), span: token.span)
    advance()
    var value: Expression?
    let comparison: Comparison?
    switch token.kind {
    case .equal: comparison = .equal
    case .notEqual: comparison = .notEqual
    case .less: comparison = .less
    case .lessEqual: comparison = .lessOrEqual
    case .greater: comparison = .greater
    case .greaterEqual: comparison = .greaterOrEqual
    default: comparison = nil
    }
    if comparison != nil {
      advance()
      switch token.kind {
      case .word, .number, .version, .string: value = try parsePrimary()
      default:
        throw error(
          .badCondition,
          "expected a version, number or word to compare '\(name.text)' with, found \(describedToken)")
      }
    }
    return Condition.Term(
      isNegated: isNegated, name: name, comparison: comparison, value: value, span: Span(start, previousEnd))
  }

  // MARK: Blocks nobody knows

  private static let blockWords = [
    "test", "for", "def", "if", "defer", "thread", "explore", "parallel", "fail", "sweep",
  ]

  /// The word that begins this line is no keyword, but one slip away from one that takes a block, and the
  /// line opens a block.
  var isNearBlock: Bool {
    guard next.kind == .string || next.kind == .word, token.length <= 9, lineOpensBlock else { return false }
    let word = Array(text(token).utf8)
    return Self.blockWords.contains { Suggest.distance(word, Array($0.utf8)) == 1 }
  }

  /// Reports the misspelled word and reads its block, so that what is inside is checked too.
  mutating func refuseMisspelledBlock(in context: Context) throws(Recover) -> Never {
    let word = text(token)
    sink.report(
      .unknownBlock, token.span, "no statement '\(word)' takes a block",
      help: [Suggest.help(for: word, in: Self.blockWords)].compactMap { $0 }
        + ["blocks: " + Self.blockWords.joined(separator: " ")])
    while token.kind != .leftBrace { advance() }
    _ = try parseBlock(in: context == .file ? .test : .inner, after: "'\(word)'")
    throw Recover()
  }
}
