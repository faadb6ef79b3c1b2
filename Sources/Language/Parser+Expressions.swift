// SPDX-License-Identifier: GPL-3.0-or-later

extension Parser {
  /// How values are separated where this one stands, and so what may belong to it.
  enum Separation {
    /// By spaces: the value is one unit.
    case spaces
    /// By commas or brackets: arithmetic is free.
    case commas
  }

  // MARK: Values, loosest first

  /// `a...b`, or anything tighter.
  mutating func parseValue(_ separation: Separation) throws(Recover) -> Expression {
    let first = try parseConcatenation(separation)
    guard token.kind == .ellipsis else { return first }
    let sign = token.span
    advance()
    let last = try parseConcatenation(separation)
    let span = first.span.joined(last.span)
    if case .number(let low) = first.kind, case .number(let high) = last.kind, low.value > high.value,
      low.unit != .pages, high.unit != .pages
    {
      sink.report(
        .backwardRange, span, "this range ends before it begins",
        help: ["the smaller end comes first: \(excerpt(last.span))...\(excerpt(first.span))"])
    }
    if token.kind == .ellipsis {
      throw error(
        .expectedEndOfStatement, token.span, "a range has two ends, this would be a third",
        notes: [Diagnostic.Note("the first '...' is here", in: source, at: sign)])
    }
    return Expression(.range(first, last), span: span)
  }

  /// `a ++ b`
  private mutating func parseConcatenation(_ separation: Separation) throws(Recover) -> Expression {
    let first = try parseOperation(separation)
    guard token.kind == .plusPlus else { return first }
    var parts = [first]
    while skip(.plusPlus) {
      try checkCount(parts.count)
      parts.append(try parseOperation(separation))
    }
    return Expression(.concatenation(parts), span: Span(first.span.start, previousEnd))
  }

  private mutating func parseOperation(_ separation: Separation) throws(Recover) -> Expression {
    switch separation {
    case .spaces: try parseUnit()
    case .commas: try parseComparison()
    }
  }

  // MARK: Between spaces

  /// `A|B`, `$buf+0x10`, or a single value.
  mutating func parseUnit() throws(Recover) -> Expression {
    let first = try parseOffset()
    guard token.kind == .pipe else { return first }
    return try parseUnion(first) { (parser) throws(Recover) in try parser.parseOffset() }
  }

  private mutating func parseUnion(
    _ first: Expression, _ operand: (inout Parser) throws(Recover) -> Expression
  ) throws(Recover) -> Expression {
    var parts = [first]
    while skip(.pipe) {
      try checkCount(parts.count)
      parts.append(try operand(&self))
    }
    return Expression(.union(parts), span: Span(first.span.start, previousEnd))
  }

  /// A value with `+4K` or `-4K` stuck to it.
  private mutating func parseOffset() throws(Recover) -> Expression {
    var value = try parsePrefixed()
    var height = 0
    while let sign = Self.binaryOperator(token.kind), !Self.isComparison(sign), isAdjacent, nextIsAdjacent {
      let isConstant = if case .number = value.kind { true } else { false }
      guard sign == .add || sign == .subtract, !isConstant else { throw arithmeticNeedsParentheses() }
      height += 1
      try checkDepth(height)
      advance()
      let amount = try parsePrimary()
      value = Expression(.binary(sign, value, amount), span: value.span.joined(amount.span))
    }
    return value
  }

  mutating func arithmeticNeedsParentheses() -> Recover {
    error(
      .arithmeticNeedsParentheses, "\(describedToken) where spaces separate operands",
      help: ["write arithmetic in parentheses: ($n * 4K); only $name+4K goes without"])
  }

  // MARK: Between commas

  /// `a < b`, or arithmetic.
  private mutating func parseComparison() throws(Recover) -> Expression {
    let left = try parseArithmetic()
    guard let sign = Self.binaryOperator(token.kind), Self.isComparison(sign) else { return left }
    advance()
    let right = try parseArithmetic()
    if let second = Self.binaryOperator(token.kind), Self.isComparison(second) {
      throw mixedOperators(sign, second)
    }
    return Expression(.binary(sign, left, right), span: left.span.joined(right.span))
  }

  /// Sums of products as everybody knows them; `& ^ | << >>` only among themselves, since languages differ
  /// in how tightly they bind.
  private mutating func parseArithmetic() throws(Recover) -> Expression {
    let first = try parsePrefixed()
    if token.kind == .pipe {
      let union = try parseUnion(first) { (parser) throws(Recover) in try parser.parsePrefixed() }
      if let sign = Self.binaryOperator(token.kind), !Self.isComparison(sign) {
        throw mixedOperators(nil, sign)
      }
      return union
    }
    guard let sign = Self.binaryOperator(token.kind), !Self.isComparison(sign) else { return first }
    var value = first
    switch sign {
    case .and, .exclusiveOr:
      var height = 0
      while Self.binaryOperator(token.kind) == sign {
        height += 1
        value = try parseRight(of: value, sign, height) { (parser) throws(Recover) in
          try parser.parsePrefixed()
        }
      }
    case .shiftLeft, .shiftRight:
      value = try parseRight(of: value, sign, 1) { (parser) throws(Recover) in try parser.parsePrefixed() }
    default:
      value = try parseProduct(first)
      var height = 0
      while let sign = Self.binaryOperator(token.kind), sign == .add || sign == .subtract {
        height += 1
        value = try parseRight(of: value, sign, height) { (parser) throws(Recover) in
          try parser.parseProduct(try parser.parsePrefixed())
        }
      }
    }
    if token.kind == .pipe { throw mixedOperators(sign, nil) }
    if let second = Self.binaryOperator(token.kind), !Self.isComparison(second) {
      throw mixedOperators(sign, second)
    }
    return value
  }

  private mutating func parseProduct(_ first: Expression) throws(Recover) -> Expression {
    var value = first
    var height = 0
    while let sign = Self.binaryOperator(token.kind),
      sign == .multiply || sign == .divide || sign == .remainder
    {
      height += 1
      value = try parseRight(of: value, sign, height) { (parser) throws(Recover) in try parser.parsePrefixed()
      }
    }
    return value
  }

  private mutating func parseRight(
    of left: Expression, _ sign: BinaryOperator, _ height: Int,
    _ operand: (inout Parser) throws(Recover) -> Expression
  ) throws(Recover) -> Expression {
    try checkDepth(height)
    advance()
    let right = try operand(&self)
    return Expression(.binary(sign, left, right), span: left.span.joined(right.span))
  }

  private mutating func mixedOperators(_ first: BinaryOperator?, _ second: BinaryOperator?) -> Recover {
    let left = first?.rawValue ?? "|"
    let right = second?.rawValue ?? "|"
    return error(
      .mixedOperators, "'\(left)' and '\(right)' side by side: languages differ in which goes first",
      help: ["put one of them in parentheses"])
  }

  static func isComparison(_ sign: BinaryOperator) -> Bool {
    switch sign {
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: true
    default: false
    }
  }

  static func binaryOperator(_ kind: TokenKind) -> BinaryOperator? {
    switch kind {
    case .plus: .add
    case .minus: .subtract
    case .star: .multiply
    case .slash: .divide
    case .percent: .remainder
    case .ampersand: .and
    case .caret: .exclusiveOr
    case .shiftLeft: .shiftLeft
    case .shiftRight: .shiftRight
    case .equal: .equal
    case .notEqual: .notEqual
    case .less: .less
    case .lessEqual: .lessOrEqual
    case .greater: .greater
    case .greaterEqual: .greaterOrEqual
    default: nil
    }
  }

  // MARK: Units

  /// `-1`, `~$mask`, or a primary.
  private mutating func parsePrefixed() throws(Recover) -> Expression {
    let sign: UnaryOperator
    switch token.kind {
    case .minus: sign = .negate
    case .tilde: sign = .complement
    default: return try parsePrimary()
    }
    let start = token
    if sign == .negate && nextIsAdjacent && (next.kind == .word || next.kind == .minus) {
      throw error(
        .leadingDash, Span(start.offset, next.end), "options have no leading dashes",
        help: ["write the option as a word, or as key=value"])
    }
    guard nextIsAdjacent else { throw arithmeticNeedsParentheses() }
    advance()
    return try nested { (parser) throws(Recover) in
      let value = try parser.parsePrefixed()
      return Expression(.unary(sign, value), span: start.span.joined(value.span))
    }
  }

  /// A literal, name, call, bracketed value, with `.field` and `[index]` stuck to it.
  mutating func parsePrimary() throws(Recover) -> Expression {
    var value = try parseAtom()
    var height = 0
    while isAdjacent {
      if token.kind == .dot {
        height += 1
        try checkDepth(height)
        advance()
        guard token.kind == .word, isAdjacent else {
          throw error(.expectedName, "expected the name of a field after '.', found \(describedToken)")
        }
        let field = Name(text(token), span: token.span)
        advance()
        if case .word(let word) = value.kind {
          throw error(
            .expectedValue, value.span, "'\(word)' is a bare word and has no fields",
            help: ["a variable is written $\(word)"])
        }
        value = Expression(.member(value, field), span: value.span.joined(field.span))
      } else if token.kind == .leftBracket, Self.canBeIndexed(value) {
        height += 1
        try checkDepth(height)
        let base = value
        value = try nested { (parser) throws(Recover) in
          let opened = parser.open()
          let index = try parser.parseValue(.commas)
          let span = try parser.close(opened, with: .rightBracket)
          return Expression(.index(base, index), span: base.span.joined(span))
        }
      } else {
        break
      }
    }
    return value
  }

  private static func canBeIndexed(_ value: Expression) -> Bool {
    switch value.kind {
    case .variable, .member, .index, .call: true
    default: false
    }
  }

  private mutating func parseAtom() throws(Recover) -> Expression {
    let start = token
    func made(_ kind: Expression.Kind) -> Expression { Expression(kind, span: start.span) }
    switch token.kind {
    case .number: return made(try parseNumber())
    case .version:
      let version = try parseVersion(token: token)
      advance()
      return made(.version(version))
    case .date:
      let date = try parseDate(token: token)
      advance()
      return made(.date(date))
    case .string: return made(.string(try parseStringBytes()))
    case .hex: return made(.hex(try parseHex()))
    case .variable:
      let name = source.text(Span(start.offset + 1, start.end))
      advance()
      return made(.variable(symbol(name, start.span)))
    case .word: return try parseWord()
    case .leftParen:
      return try nested { (parser) throws(Recover) in
        let opened = parser.open()
        var value = try parser.parseValue(.commas)
        value.span = try parser.close(opened, with: .rightParen)
        return value
      }
    case .leftBracket: return try parseList()
    case .leftBrace: return try parseRecord()
    case .plus, .star, .slash, .percent, .ampersand, .caret, .shiftLeft, .shiftRight:
      throw arithmeticNeedsParentheses()
    default:
      throw error(.expectedValue, "expected a value, found \(describedToken)")
    }
  }

  /// A bare word, `max`, a call, or a reference such as `id:3`.
  private mutating func parseWord() throws(Recover) -> Expression {
    let name = Name(text(token), span: token.span)
    if next.kind == .leftParen && nextIsAdjacent {
      advance()
      return try parseCall(name)
    }
    if next.kind == .colon && nextIsAdjacent {
      advance()
      guard let kind = ReferenceKind(rawValue: name.text) else {
        throw error(
          .expectedValue, name.span.joined(token.span), "'\(name.text):' introduces nothing",
          help: ["an object is named by its number as id:3, or any:3 without a check of its type"])
      }
      advance()
      guard isAdjacent else {
        throw error(.expectedValue, "expected a number right behind '\(name.text):'")
      }
      let value = try nested { (parser) throws(Recover) in try parser.parsePrimary() }
      return Expression(.reference(kind, value), span: name.span.joined(value.span))
    }
    let isMax = isWord(.max)
    advance()
    return Expression(isMax ? .max : .word(name.text), span: name.span)
  }

  /// `(a, key=b)` behind the name of a function.
  private mutating func parseCall(_ name: Name) throws(Recover) -> Expression {
    try nested { (parser) throws(Recover) in
      let opened = parser.open()
      var arguments: [Operand] = []
      while parser.token.kind != .rightParen {
        try parser.checkCount(arguments.count)
        arguments.append(try parser.parseArgument())
        if !parser.skip(.comma) { break }
      }
      let span = try parser.close(opened, with: .rightParen)
      try parser.checkKeys(arguments)
      return Expression(.call(name, arguments), span: name.span.joined(span))
    }
  }

  /// `value` or `key=value` between commas.
  mutating func parseArgument() throws(Recover) -> Operand {
    if token.kind == .word && next.kind == .equal {
      let key = Name(text(token), span: token.span)
      advance()
      advance()
      let value = try parseValue(.commas)
      return Operand(.named(key, value), span: key.span.joined(value.span))
    }
    let value = try parseValue(.commas)
    return Operand(.positional(value), span: value.span)
  }

  private mutating func parseList() throws(Recover) -> Expression {
    try nested { (parser) throws(Recover) in
      let opened = parser.open()
      var elements: [Expression] = []
      while parser.token.kind != .rightBracket {
        try parser.checkCount(elements.count)
        elements.append(try parser.parseValue(.commas))
        if !parser.skip(.comma) { break }
      }
      let span = try parser.close(opened, with: .rightBracket)
      return Expression(.list(elements), span: span)
    }
  }

  private mutating func parseRecord() throws(Recover) -> Expression {
    try nested { (parser) throws(Recover) in
      let opened = parser.open()
      var entries: [Record.Entry] = []
      while true {
        while parser.isSeparator { parser.advance() }
        if parser.token.kind == .rightBrace || parser.token.kind == .end { break }
        try parser.checkCount(entries.count)
        var operands: [Operand] = []
        while !parser.isSeparator && parser.token.kind != .rightBrace && parser.token.kind != .end {
          if parser.token.kind == .arrow {
            throw parser.error(
              .statementInRecord, opened.token.span,
              "'{' begins a record here, and its lines read like statements",
              help: ["blocks belong to test, for, if, def and defer only"])
          }
          try parser.checkCount(operands.count)
          operands.append(try parser.parseItem())
        }
        if let first = operands.first, let last = operands.last {
          entries.append(Record.Entry(operands: operands, span: first.span.joined(last.span)))
        }
      }
      let span = try parser.close(opened, with: .rightBrace)
      return Expression(.record(Record(entries: entries, span: span)), span: span)
    }
  }

  /// Between the entries of a record.
  var isSeparator: Bool {
    switch token.kind {
    case .newline, .semicolon, .comma: true
    default: false
    }
  }

  /// `value`, `key=value` or `value = value` between spaces.
  private mutating func parseItem() throws(Recover) -> Operand {
    if token.kind == .word && next.kind == .equal { return try parseNamed() }
    let value = try parseValue(.spaces)
    guard token.kind == .equal else { return Operand(.positional(value), span: value.span) }
    advance()
    let target = try parseValue(.spaces)
    let span = value.span.joined(target.span)
    if case .word(let word) = value.kind {
      return Operand(.named(Name(word, span: value.span), target), span: span)
    }
    return Operand(.mapped(value, target), span: span)
  }

  /// `key=value` between spaces; the current token is the key and the next one `=`.
  mutating func parseNamed() throws(Recover) -> Operand {
    let key = Name(text(token), span: token.span)
    advance()
    advance()
    if token.kind == .question {
      throw error(
        .expectedValue, "'?' binds what a command answers, so it belongs behind ->",
        help: ["-> \(key.text)=?name"])
    }
    let value = try parseValue(.spaces)
    return Operand(.named(key, value), span: key.span.joined(value.span))
  }

  /// Refuses a key that occurs twice.
  mutating func checkKeys(_ operands: [Operand]) throws(Recover) {
    if operands.count < 2 { return }
    var seen: [String: Span] = [:]
    // A handful of keys is compared faster than it is hashed.
    let few = operands.count <= 8
    for index in operands.indices {
      guard case .named(let key, _) = operands[index].kind else { continue }
      let first = few ? Self.span(of: key.text, in: operands[..<index]) : seen[key.text]
      if let first {
        throw error(
          .repeatedName, key.span, "'\(key.text)' is given twice",
          notes: [Diagnostic.Note("the first one is here", in: source, at: first)])
      }
      if !few { seen[key.text] = key.span }
    }
  }

  /// Where a key is given.
  private static func span(of key: String, in operands: ArraySlice<Operand>) -> Span? {
    for operand in operands {
      if case .named(let name, _) = operand.kind, name.text == key { return name.span }
    }
    return nil
  }
}
