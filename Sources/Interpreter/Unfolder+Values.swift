// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// Values in the plain script's names, with what can be worked out worked out.

extension Unfolder {
  func fold(_ value: Expression) -> Expression {
    func made(_ kind: Expression.Kind) -> Expression { Expression(kind, span: .zero) }
    switch value.kind {
    case .number, .duration, .version, .date, .string, .hex, .word, .max: return made(value.kind)
    case .variable(let symbol):
      switch meaning(symbol.text) {
      case .value(let known): return known
      case .name(let own): return made(.variable(Self.symbol(own)))
      case nil: return made(value.kind)
      }
    case .member(let base, let name):
      keepBase(base)
      return made(.member(fold(base), name))
    case .index(let base, let index):
      let index = fold(index)
      let whole = fold(base)
      if case .list(let elements) = whole.kind, case .number(let number) = index.kind, number.unit != .pages,
        number.value < UInt64(elements.count)
      {
        return elements[Int(number.value)]
      }
      keepBase(base)
      return made(.index(fold(base), index))
    case .call(let name, let arguments):
      if name.text == Function.file.rawValue, arguments.count == 1,
        case .string(let bytes) = arguments[0].value.kind
      {
        let own = fileName(String(decoding: bytes, as: UTF8.self))
        return made(
          .call(name, [Operand(.positional(made(.string(Array(own.utf8)))), span: .zero)]))
      }
      return made(.call(name, arguments.map { fold($0) }))
    case .reference(let kind, let inner): return made(.reference(kind, fold(inner)))
    case .range(let first, let last): return made(.range(fold(first), fold(last)))
    case .list(let elements): return made(.list(elements.map { fold($0) }))
    case .record(let record):
      let entries = record.entries.map {
        Record.Entry(operands: $0.operands.map { fold($0) }, span: .zero)
      }
      return made(.record(Record(entries: entries, span: .zero)))
    case .union(let parts): return made(.union(parts.map { fold($0) }))
    case .concatenation(let parts): return made(.concatenation(parts.map { fold($0) }))
    case .unary(let sign, let inner): return made(.unary(sign, fold(inner)))
    case .binary(let sign, let left, let right):
      let (left, right) = (fold(left), fold(right))
      return Self.result(sign, left, right) ?? made(.binary(sign, left, right))
    }
  }

  /// What `.` or `[` follows has to be a name.
  private func keepBase(_ base: Expression) {
    guard case .variable(let symbol) = base.kind, case .value(let value)? = meaning(symbol.text),
      !Self.isVariable(value)
    else { return }
    keep(symbol.text)
  }

  func fold(_ operand: Operand) -> Operand {
    let kind: Operand.Kind =
      switch operand.kind {
      case .positional(let value): .positional(fold(value))
      case .named(let name, let value): .named(name, fold(value))
      case .mapped(let key, let value): .mapped(fold(key), fold(value))
      }
    return Operand(kind, span: .zero)
  }

  func fold(_ command: Command) -> Command { fold(operandsOf: command) }

  func fold(operandsOf command: Command) -> Command {
    Command(words: command.words, operands: command.operands.map { fold($0) }, span: .zero)
  }

  // MARK: Expectations

  /// The clause as it counts on this machine; nil where success is all that it says.
  func fold(_ clause: Expectation) -> Expectation? {
    var alternatives: [Expectation.Alternative] = []
    let conditional = clause.alternatives.filter { $0.condition != nil }
    if let chosen = conditional.first(where: { holds($0.condition) }) {
      alternatives = [chosen]
    } else {
      alternatives = clause.alternatives.filter { $0.condition == nil }
    }
    alternatives = alternatives.map {
      Expectation.Alternative(outcome: $0.outcome, condition: nil, span: .zero)
    }
    let checks = clause.checks.map { fold($0) }
    if alternatives.isEmpty, checks.isEmpty, !clause.isOpen { return nil }
    return Expectation(alternatives: alternatives, checks: checks, span: .zero)
  }

  private func fold(_ check: Check) -> Check {
    let path = check.path.map { step -> PathStep in
      if case .index(let value) = step { .index(fold(value)) } else { step }
    }
    return Check(path: path, comparison: check.comparison, pattern: fold(check.pattern), span: .zero)
  }

  func fold(_ pattern: Pattern) -> Pattern {
    let kind: Pattern.Kind =
      switch pattern.kind {
      case .value(let value): .value(fold(value))
      case .binding(let symbol): .binding(Self.symbol(bind(symbol.text)))
      case .none: .none
      case .gap: .gap
      case .ordered(let parts): .ordered(parts.map { fold($0) })
      case .unordered(let parts): .unordered(parts.map { fold($0) })
      case .record(let checks): .record(checks.map { fold($0) })
      }
    return Pattern(kind, span: .zero)
  }

  // MARK: What is known

  static func isVariable(_ value: Expression) -> Bool {
    if case .variable = value.kind { true } else { false }
  }

  /// A value that says the same wherever it is put: numbers, words, short bytes and what is made of them.
  static func isPlainValue(_ value: Expression) -> Bool {
    switch value.kind {
    case .number, .duration, .version, .date, .word, .max: return true
    case .string(let bytes): return bytes.count <= 64
    case .hex(let literal): return literal.bytes.count <= 64
    case .range(let first, let last): return isPlainValue(first) && isPlainValue(last)
    case .list(let parts): return parts.count <= 64 && parts.allSatisfy { isPlainValue($0) }
    case .union(let parts), .concatenation(let parts):
      return parts.count <= 8 && parts.allSatisfy { isPlainValue($0) }
    case .unary(_, let inner): return isPlainValue(inner)
    case .binary(_, let left, let right): return isPlainValue(left) && isPlainValue(right)
    case .call(let name, let arguments):
      guard let function = Function(rawValue: name.text) else { return false }
      switch function {
      case .fill, .seq, .random, .zero, .le16, .le32, .le64, .raw, .iova, .va:
        return arguments.count <= 8 && arguments.allSatisfy { isPlainValue($0.value) }
      default: return false
      }
    case .variable, .member, .index, .reference, .record: return false
    }
  }

  /// The number that two numbers come to; nil where they come to none, or where only the host knows.
  private static func result(_ sign: BinaryOperator, _ left: Expression, _ right: Expression) -> Expression? {
    guard case .number(let a) = left.kind, case .number(let b) = right.kind, a.unit != .pages,
      b.unit != .pages
    else { return nil }
    func checked(_ result: (partialValue: UInt64, overflow: Bool)) -> UInt64? {
      result.overflow ? nil : result.partialValue
    }
    let value: UInt64? =
      switch sign {
      case .add: checked(a.value.addingReportingOverflow(b.value))
      case .subtract: checked(a.value.subtractingReportingOverflow(b.value))
      case .multiply: checked(a.value.multipliedReportingOverflow(by: b.value))
      case .divide: b.value == 0 ? nil : a.value / b.value
      case .remainder: b.value == 0 ? nil : a.value % b.value
      case .and: a.value & b.value
      case .exclusiveOr: a.value ^ b.value
      case .shiftLeft:
        b.value < UInt64(a.value.leadingZeroBitCount) || b.value == 0 ? a.value << b.value : nil
      case .shiftRight: b.value < 64 ? a.value >> b.value : nil
      case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: nil
      }
    guard let value else { return nil }
    let isDecimal = a.radix == .decimal && b.radix == .decimal && a.unit == .one && b.unit == .one
    return Expression(
      .number(NumberLiteral(value, radix: isDecimal && value <= 0xFFFF ? .decimal : .hexadecimal)),
      span: .zero)
  }
}
