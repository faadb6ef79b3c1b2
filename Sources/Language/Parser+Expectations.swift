// SPDX-License-Identifier: GPL-3.0-or-later

extension Parser {
  /// The `-> ...` clause; the current token is the arrow.
  mutating func parseExpectation() throws(Recover) -> Expectation {
    let arrow = token
    advance()
    if isAtEndOfStatement {
      throw error(
        .emptyExpectation, arrow.span, "'->' expects nothing",
        help: ["write an errno, ok, or a check such as iova=0x1000"])
    }
    var alternatives: [Expectation.Alternative] = []
    var checks: [Check] = []
    if token.kind == .question, !(next.kind == .word && nextIsAdjacent) {
      advance()
      if !isAtEndOfStatement { throw unexpectedRestOfExpectation() }
      return Expectation(alternatives: [], checks: [], span: Span(arrow.offset, previousEnd))
    }
    if beginsOutcome { alternatives = try parseAlternatives() }
    if alternatives.isEmpty || skip(.comma) {
      repeat {
        try checkCount(checks.count)
        if beginsOutcome {
          throw error(
            .unknownOutcome, "\(describedToken) stands among the checks, and outcomes come first",
            help: ["outcomes are joined with |, and checks follow after a comma", Self.knownOutcomes])
        }
        checks.append(try parseCheck(.spaces))
      } while skip(.comma)
    }
    if !isAtEndOfStatement { throw unexpectedRestOfExpectation() }
    return Expectation(
      alternatives: alternatives, checks: checks, span: Span(arrow.offset, previousEnd))
  }

  private mutating func unexpectedRestOfExpectation() -> Recover {
    switch token.kind {
    case .arrow:
      error(.secondExpectation, "a command has one '->' clause", help: ["join several checks with commas"])
    case .plus, .minus, .star, .slash, .percent, .ampersand, .caret, .shiftLeft, .shiftRight:
      arithmeticNeedsParentheses()
    case .leftBracket:
      error(
        .badCondition, "a condition belongs behind an outcome",
        help: ["-> EOPNOTSUPP [kernel<6.13] | ok"])
    case .word, .leftBrace, .string, .hex, .number, .question, .variable:
      error(
        .missingComma, "\(describedToken) needs a comma in front of it",
        help: ["checks are separated by commas"])
    default:
      error(.expectedEndOfStatement, "\(describedToken) has no meaning in an expectation")
    }
  }

  // MARK: Outcomes

  /// A word stands here that is no path, no `none` and no flag.
  private var beginsOutcome: Bool {
    guard token.kind == .word, !beginsPath, !isWord(.none), !isWord(.max) else { return false }
    if nextIsAdjacent && (next.kind == .leftParen || next.kind == .colon) { return false }
    // Flags are written in capitals; a word in small letters can only be meant as an outcome.
    let bytes = source.bytes[Int(token.offset)..<Int(token.end)]
    return source.bytes[Int(token.offset)] >= UInt8(ascii: "a") || Keywords.looksLikeErrno(bytes)
  }

  private mutating func parseAlternatives() throws(Recover) -> [Expectation.Alternative] {
    var alternatives: [Expectation.Alternative] = []
    repeat {
      try checkCount(alternatives.count)
      let start = token.span
      let outcome = try parseOutcome()
      let condition = token.kind == .leftBracket ? try parseBracketedCondition() : nil
      alternatives.append(
        Expectation.Alternative(
          outcome: outcome, condition: condition, span: Span(start.start, previousEnd)))
    } while skip(.pipe)
    return alternatives
  }

  private mutating func parseOutcome() throws(Recover) -> Outcome {
    guard token.kind == .word else {
      throw error(
        .unknownOutcome, "expected an outcome, found \(describedToken)", help: [Self.knownOutcomes])
    }
    let word = text(token)
    let outcome: Outcome
    if Keywords.looksLikeErrno(word) {
      outcome = .errno(word)
    } else if word == Keywords.outcomes[0] {
      outcome = .ok
    } else if let kind = Outcome.Class(rawValue: word) {
      outcome = .kind(kind)
    } else {
      let upper = word.uppercased()
      let help =
        Suggest.help(for: word, in: Keywords.outcomes)
        ?? (Keywords.looksLikeErrno(upper) ? "an errno is written in capitals: \(upper)" : nil)
      throw error(
        .unknownOutcome, "'\(word)' is not an outcome", help: [help].compactMap { $0 } + [Self.knownOutcomes])
    }
    advance()
    return outcome
  }

  private static let knownOutcomes =
    "an outcome is an errno, or " + Keywords.outcomes.joined(separator: ", ")

  // MARK: Checks

  /// The current word begins a path with a comparison behind it.
  private var beginsPath: Bool {
    guard token.kind == .word else { return false }
    switch next.kind {
    case .equal, .notEqual, .less, .lessEqual, .greater, .greaterEqual, .tilde: return true
    case .dot, .leftBracket: return nextIsAdjacent
    case .word:
      return isWord(next, Comparison.within.rawValue) || isWord(next, Comparison.has.rawValue)
    default: return false
    }
  }

  private mutating func parseCheck(_ separation: Separation) throws(Recover) -> Check {
    let start = token.offset
    guard beginsPath else {
      let pattern = try parsePattern(separation)
      return Check(path: [], comparison: .equal, pattern: pattern, span: pattern.span)
    }
    let path = try parsePath()
    guard let comparison = parseComparisonSign() else {
      throw error(
        .expectedValue, "expected a comparison, found \(describedToken)",
        help: ["comparisons: = != < <= > >= in has ~"])
    }
    let pattern = try parseRightSide(of: comparison)
    return Check(path: path, comparison: comparison, pattern: pattern, span: Span(start, previousEnd))
  }

  private mutating func parsePath() throws(Recover) -> [PathStep] {
    var path: [PathStep] = [.field(Name(text(token), span: token.span))]
    advance()
    while isAdjacent {
      try checkCount(path.count)
      if token.kind == .dot {
        advance()
        guard token.kind == .word, isAdjacent else {
          throw error(.expectedName, "expected the name of a field after '.', found \(describedToken)")
        }
        path.append(.field(Name(text(token), span: token.span)))
        advance()
      } else if token.kind == .leftBracket {
        let step = try nested { (parser) throws(Recover) in
          let opened = parser.open()
          let index = try parser.parseValue(.commas)
          _ = try parser.close(opened, with: .rightBracket)
          return index
        }
        path.append(.index(step))
      } else {
        break
      }
    }
    return path
  }

  /// A comparison, if one stands here; it is read.
  mutating func parseComparisonSign() -> Comparison? {
    let comparison: Comparison
    switch token.kind {
    case .equal: comparison = .equal
    case .notEqual: comparison = .notEqual
    case .less: comparison = .less
    case .lessEqual: comparison = .lessOrEqual
    case .greater: comparison = .greater
    case .greaterEqual: comparison = .greaterOrEqual
    case .tilde: comparison = .matches
    case .word where isWord(.in): comparison = .within
    case .word where isWord(.has): comparison = .has
    default: return nil
    }
    advance()
    return comparison
  }

  /// What a comparison compares with: a pattern for `=` and `!=`, a value for the others.
  mutating func parseRightSide(of comparison: Comparison) throws(Recover) -> Pattern {
    if comparison == .equal || comparison == .notEqual { return try parsePattern(.spaces) }
    let value = try parseValue(.spaces)
    return Pattern(.value(value), span: value.span)
  }

  // MARK: Patterns

  private mutating func parsePattern(_ separation: Separation) throws(Recover) -> Pattern {
    let before = allowsWildcards
    allowsWildcards = true
    defer { allowsWildcards = before }
    switch token.kind {
    case .question: return try parseBindingPattern()
    case .leftBracket: return try parseOrdered()
    case .leftBrace: return try parseBraced()
    case .word where isWord(.none):
      let span = token.span
      advance()
      return Pattern(.none, span: span)
    default:
      let value = try parseValue(separation)
      return Pattern(.value(value), span: value.span)
    }
  }

  /// `?name`
  private mutating func parseBindingPattern() throws(Recover) -> Pattern {
    let sign = token
    advance()
    guard token.kind == .word, isAdjacent else {
      throw error(
        .expectedName, "expected a name right behind '?', found \(describedToken)",
        help: ["?name binds what comes back to $name"])
    }
    var name = try parseBindingName("a name to bind")
    name.span = sign.span.joined(name.span)
    return Pattern(.binding(name), span: name.span)
  }

  /// `[a, ..., c]`
  private mutating func parseOrdered() throws(Recover) -> Pattern {
    try nested { (parser) throws(Recover) in
      let opened = parser.open()
      var elements: [Pattern] = []
      while parser.token.kind != .rightBracket {
        try parser.checkCount(elements.count)
        if parser.token.kind == .ellipsis {
          elements.append(Pattern(.gap, span: parser.token.span))
          parser.advance()
        } else {
          elements.append(try parser.parsePattern(.commas))
        }
        if !parser.skip(.comma) { break }
      }
      let span = try parser.close(opened, with: .rightBracket)
      return Pattern(.ordered(elements), span: span)
    }
  }

  /// `{ a, b }` in any order, or `{dev=$d, cookie=?c}`: a record when its entries are checks of fields.
  private mutating func parseBraced() throws(Recover) -> Pattern {
    try nested { (parser) throws(Recover) in
      let opened = parser.open()
      var checks: [Check] = []
      while true {
        while parser.isSeparator { parser.advance() }
        if parser.token.kind == .rightBrace || parser.token.kind == .end { break }
        try parser.checkCount(checks.count)
        checks.append(try parser.parseCheck(.spaces))
        if !parser.isSeparator && parser.token.kind != .rightBrace && parser.token.kind != .end {
          throw parser.error(
            .missingComma, "\(parser.describedToken) needs a comma in front of it",
            help: ["elements are separated by commas"])
        }
      }
      let span = try parser.close(opened, with: .rightBrace)
      let fields = checks.filter { !$0.path.isEmpty }
      if fields.isEmpty { return Pattern(.unordered(checks.map { $0.pattern }), span: span) }
      if let stray = checks.first(where: { $0.path.isEmpty }) {
        throw parser.error(
          .mixedBraces, stray.span, "fields and elements do not mix between braces",
          help: ["{a=1, b=2} is a record; { x, y } are elements in any order"])
      }
      return Pattern(.record(checks), span: span)
    }
  }
}
