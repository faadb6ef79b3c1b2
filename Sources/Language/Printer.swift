// SPDX-License-Identifier: GPL-3.0-or-later

// The way back from the tree to script text. What it prints parses to the same tree: parentheses are put
// where the parser needs them and nowhere else. With a source at hand (the formatter) literals keep the
// spelling they were written in and long lists keep their line breaks; without (results, recorded
// expectations) everything is canonical and stands on one line.

/// Prints values and statements in script syntax.
public struct Printer {
  /// Where the tree came from; nil prints from the tree alone.
  let source: SourceFile?
  /// Columns of indentation that a broken line adds to.
  var indent: Int
  private(set) var text = ""
  private var level = 0

  init(source: SourceFile?, indent: Int = 0) {
    self.source = source
    self.indent = indent
  }

  public static func text(_ value: Expression) -> String { text { $0.put(value, .spaces) } }
  public static func text(_ pattern: Pattern) -> String { text { $0.put(pattern, .spaces) } }
  public static func text(_ check: Check) -> String { text { $0.put(check) } }
  public static func text(_ condition: Condition) -> String { text { $0.put(condition) } }
  public static func text(_ command: Command) -> String { text { $0.put(command) } }
  /// With the arrow: `-> EEXIST`.
  public static func text(_ expectation: Expectation) -> String { text { $0.put(expectation) } }
  /// One statement, with its block if it has one, without a line end behind it.
  public static func text(_ statement: Statement) -> String { Formatter.text(statement) }

  private static func text(_ body: (inout Printer) -> Void) -> String {
    var printer = Printer(source: nil)
    body(&printer)
    return printer.text
  }

  mutating func put(_ string: String) { text += string }

  // MARK: Values

  /// How values are separated around this one, as in the parser.
  enum Separation {
    case spaces, commas
  }

  mutating func put(_ value: Expression, _ separation: Separation) {
    switch value.kind {
    case .number, .duration, .version, .date, .string, .hex: putLiteral(value)
    case .word(let word): put(word)
    case .max: put(Keywords.Inner.max.rawValue)
    case .variable(let symbol): put("$" + symbol.text)
    case .member(let base, let field):
      putTight(base)
      put("." + field.text)
    case .index(let base, let index):
      putTight(base)
      put("[")
      put(index, .commas)
      put("]")
    case .call(let name, let arguments): putCall(name, arguments)
    case .reference(let kind, let value):
      put(kind.rawValue + ":")
      putTight(value)
    case .range(let first, let last):
      putLoose(first, separation)
      put("...")
      putLoose(last, separation)
    case .list(let elements):
      putSequence(elements, between: "[", "]", closing: value.span, span: { $0.span }) { $0.put($1, .commas) }
    case .record(let record): put(record)
    case .union(let parts):
      for (index, part) in parts.enumerated() {
        if index > 0 { put("|") }
        putOperand(part)
      }
    case .concatenation(let parts):
      for (index, part) in parts.enumerated() {
        if index > 0 { put(" ++ ") }
        putLoose(part, separation)
      }
    case .unary(let sign, let operand):
      put(sign.rawValue)
      putUnaryOperand(operand, sign)
    case .binary(let sign, let left, let right):
      switch separation {
      case .spaces where Self.isOffset(value):
        putOffset(value)
      case .spaces:
        put("(")
        putBinary(sign, left, right)
        put(")")
      case .commas: putBinary(sign, left, right)
      }
    }
  }

  private static func isTight(_ value: Expression) -> Bool {
    switch value.kind {
    case .range, .union, .concatenation, .unary, .binary: false
    default: true
    }
  }

  /// A value that something is stuck to.
  private mutating func putTight(_ value: Expression) {
    if Self.isTight(value) { return put(value, .spaces) }
    putInParentheses(value)
  }

  private mutating func putInParentheses(_ value: Expression) {
    put("(")
    put(value, .commas)
    put(")")
  }

  /// One side of `...` or `++`.
  private mutating func putLoose(_ value: Expression, _ separation: Separation) {
    switch value.kind {
    case .range, .concatenation: putInParentheses(value)
    default: put(value, separation)
    }
  }

  /// One side of an operator that takes single values.
  private mutating func putOperand(_ value: Expression) {
    if case .unary = value.kind { return put(value, .spaces) }
    putTight(value)
  }

  /// `--1` and `-word` would read as options, so these get parentheses.
  private mutating func putUnaryOperand(_ value: Expression, _ sign: UnaryOperator) {
    switch value.kind {
    case .unary(let inner, _) where sign == .negate && inner == .negate: putInParentheses(value)
    case .word, .max, .call, .reference:
      if sign == .negate { return putInParentheses(value) }
      put(value, .spaces)
    default: putOperand(value)
    }
  }

  /// `$buf+4K`: fits between spaces without parentheses.
  private static func isOffset(_ value: Expression) -> Bool {
    guard case .binary(let sign, let left, let right) = value.kind, sign == .add || sign == .subtract,
      isTight(right)
    else { return false }
    switch left.kind {
    case .number: return false
    case .binary: return isOffset(left)
    case .unary: return true
    default: return isTight(left)
    }
  }

  private mutating func putOffset(_ value: Expression) {
    guard case .binary(let sign, let left, let right) = value.kind else { return put(value, .spaces) }
    putOffset(left)
    put(sign.rawValue)
    put(right, .spaces)
  }

  private enum Precedence {
    case product, sum, bitwise, comparison
  }

  private static func precedence(_ sign: BinaryOperator) -> Precedence {
    switch sign {
    case .multiply, .divide, .remainder: .product
    case .add, .subtract: .sum
    case .and, .exclusiveOr, .shiftLeft, .shiftRight: .bitwise
    default: .comparison
    }
  }

  private mutating func putBinary(_ sign: BinaryOperator, _ left: Expression, _ right: Expression) {
    putSide(left, of: sign, isLeft: true)
    put(" " + sign.rawValue + " ")
    putSide(right, of: sign, isLeft: false)
  }

  private mutating func putSide(_ value: Expression, of sign: BinaryOperator, isLeft: Bool) {
    let outer = Self.precedence(sign)
    let isFree =
      switch value.kind {
      case .binary(let inner, _, _):
        switch (outer, Self.precedence(inner)) {
        case (.comparison, .comparison): false
        case (.comparison, _), (.sum, .product): true
        case (.sum, .sum), (.product, .product): isLeft
        case (.bitwise, .bitwise): isLeft && inner == sign && (sign == .and || sign == .exclusiveOr)
        default: false
        }
      case .union: outer == .comparison
      case .range, .concatenation: false
      default: true
      }
    if isFree { put(value, .commas) } else { putInParentheses(value) }
  }

  private mutating func putCall(_ name: Name, _ arguments: [Operand]) {
    put(name.text)
    let span = Span(arguments.first?.span.start ?? 0, arguments.last?.span.end ?? 0)
    putSequence(arguments, between: "(", ")", closing: span, span: { $0.span }) { printer, argument in
      switch argument.kind {
      case .named(let key, let value):
        printer.put(key.text + "=")
        printer.put(value, .commas)
      case .positional(let value), .mapped(_, let value):
        // `a = b` alone would read as an argument with a name.
        if case .binary(.equal, _, _) = value.kind { return printer.putInParentheses(value) }
        printer.put(value, .commas)
      }
    }
  }

  // MARK: Records and lists

  mutating func put(_ record: Record) {
    let isSimple = record.entries.allSatisfy { $0.operands.count == 1 }
    let isTight = record.fields != nil && isSimple
    putSequence(
      record.entries, between: "{", "}", closing: record.span, span: { $0.span },
      separator: isSimple ? "," : ";", padding: isTight ? "" : " "
    ) { printer, entry in
      for (index, operand) in entry.operands.enumerated() {
        if index > 0 { printer.put(" ") }
        printer.put(operand)
      }
    }
  }

  mutating func put(_ operand: Operand) {
    switch operand.kind {
    case .positional(let value): put(value, .spaces)
    case .named(let key, let value):
      put(key.text + "=")
      put(value, .spaces)
    case .mapped(let key, let value):
      put(key, .spaces)
      put(" = ")
      put(value, .spaces)
    }
  }

  /// Elements between brackets. Where the source broke the line between two of them, so does the print.
  private mutating func putSequence<Element>(
    _ elements: [Element], between open: String, _ close: String, closing: Span, span: (Element) -> Span,
    separator: String = ",", padding: String = "", _ element: (inout Printer, Element) -> Void
  ) {
    put(open)
    guard let first = elements.first, let last = elements.last else { return put(close) }
    level += 1
    let breaksFirst = breaks(closing.start, span(first).start)
    if breaksFirst { newLine() } else { put(padding) }
    var previous = first
    for (index, current) in elements.enumerated() {
      if index > 0 {
        put(separator)
        if breaks(span(previous).end, span(current).start) { newLine() } else { put(" ") }
      }
      element(&self, current)
      previous = current
    }
    level -= 1
    if breaks(span(last).end, closing.end) { newLine() } else { put(padding) }
    put(close)
  }

  /// Whether the source has a line end between two offsets.
  func breaks(_ first: UInt32, _ second: UInt32) -> Bool {
    guard let source, first < second else { return false }
    return source.line(of: first) != source.line(of: second)
  }

  private mutating func newLine() {
    put("\n" + String(repeating: " ", count: indent + 2 * level))
  }

  // MARK: Expectations

  mutating func put(_ expectation: Expectation) {
    put(expectation.isOpen ? "-> ?" : "-> ")
    for (index, alternative) in expectation.alternatives.enumerated() {
      if index > 0 { put(" | ") }
      put(alternative.outcome.spelling)
      if let condition = alternative.condition {
        put(" [")
        put(condition)
        put("]")
      }
    }
    for (index, check) in expectation.checks.enumerated() {
      if index > 0 || !expectation.alternatives.isEmpty { put(", ") }
      put(check)
    }
  }

  mutating func put(_ check: Check) {
    for (index, step) in check.path.enumerated() {
      switch step {
      case .field(let name): put((index > 0 ? "." : "") + name.text)
      case .index(let value):
        put("[")
        put(value, .commas)
        put("]")
      }
    }
    if !check.path.isEmpty { put(check.comparison) }
    put(check.pattern, .spaces)
  }

  private mutating func put(_ comparison: Comparison) {
    switch comparison {
    case .within, .has: put(" " + comparison.rawValue + " ")
    default: put(comparison.rawValue)
    }
  }

  mutating func put(_ pattern: Pattern, _ separation: Separation) {
    switch pattern.kind {
    case .value(let value): put(value, separation)
    case .binding(let symbol): put("?" + symbol.text)
    case .none: put(Keywords.Inner.none.rawValue)
    case .gap: put("...")
    case .ordered(let elements):
      putSequence(elements, between: "[", "]", closing: pattern.span, span: { $0.span }) {
        $0.put($1, .commas)
      }
    case .unordered(let elements):
      putSequence(elements, between: "{", "}", closing: pattern.span, span: { $0.span }, padding: " ") {
        $0.put($1, .spaces)
      }
    case .record(let checks):
      putSequence(checks, between: "{", "}", closing: pattern.span, span: { $0.span }) { $0.put($1) }
    }
  }

  // MARK: Statements without blocks

  mutating func put(_ condition: Condition) {
    for (index, term) in condition.terms.enumerated() {
      if index > 0 { put(", ") }
      put((term.isNegated ? "!" : "") + term.name.text)
      if let comparison = term.comparison, let value = term.value {
        put(comparison.rawValue)
        put(value, .spaces)
      }
    }
  }

  mutating func put(_ command: Command) {
    for (index, word) in command.words.enumerated() {
      if index > 0 { put(" ") }
      put(word.text)
    }
    var previous = command.words.last?.span.end ?? 0
    for (index, operand) in command.operands.enumerated() {
      if breaks(previous, operand.span.start) {
        put(" \\\n" + String(repeating: " ", count: indent + 4))
      } else {
        put(" ")
      }
      putOperand(operand, isFirst: index == 0)
      previous = operand.span.end
    }
  }

  /// A bare word right behind the words of the command would join them, and `as` would bind the word
  /// behind it; in parentheses both are operands.
  private mutating func putOperand(_ operand: Operand, isFirst: Bool) {
    guard case .positional(let value) = operand.kind else { return put(operand) }
    switch value.kind {
    case .word(let word) where isFirst || word == Keywords.Inner.as.rawValue: putInParentheses(value)
    case .max where isFirst: putInParentheses(value)
    default: put(operand)
    }
  }

  mutating func put(_ failure: ExpectedFailure) {
    put("xfail ")
    put(failure.reason)
    if let until = failure.until { put(" until=" + LiteralText.date(until)) }
  }

  mutating func put(_ literal: TextLiteral) {
    put(spelling(literal.span) ?? LiteralText.string(Array(literal.text.utf8)))
  }

  mutating func putBindings(_ symbols: [Symbol]) { put(symbols.map { $0.text }.joined(separator: ", ")) }

  mutating func put(_ expect: ExpectStatement) {
    put("expect ")
    put(expect.subject, .spaces)
    if let comparison = expect.comparison, let pattern = expect.pattern {
      put(" " + comparison.rawValue + " ")
      put(pattern, .spaces)
    }
  }

  mutating func put(_ run: RunStatement) {
    put("run " + run.thread.text)
    if let point = run.point { put(" until " + point.text) }
    for option in run.options {
      put(" ")
      put(option)
    }
  }

  // MARK: Literals

  private mutating func putLiteral(_ value: Expression) {
    if let spelling = spelling(value.span) { return put(spelling) }
    switch value.kind {
    case .number(let literal): put(LiteralText.number(literal))
    case .duration(let literal): put(LiteralText.duration(literal))
    case .version(let literal): put(literal.parts.map { String($0) }.joined(separator: "."))
    case .date(let literal): put(LiteralText.date(literal))
    case .string(let bytes): put(LiteralText.string(bytes))
    case .hex(let literal): put(LiteralText.hex(literal))
    default: break
    }
  }

  /// A literal as its author wrote it; nil without a source, or when the span is that of parentheses.
  private func spelling(_ span: Span) -> String? {
    guard let source, !span.isEmpty, source.bytes[Int(span.start)] != UInt8(ascii: "(") else { return nil }
    return source.text(span)
  }
}
