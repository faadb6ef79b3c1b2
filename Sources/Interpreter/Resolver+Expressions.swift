// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

extension Resolver {
  /// A value, and what is known of its kind. `names` says what words mean where it stands.
  func resolve(_ expression: Expression, names: NamedValues? = nil) -> (code: Code, kind: Kind?) {
    let here = place(expression.span)
    switch expression.kind {
    case .number(let literal):
      if literal.unit == .pages {
        let (bytes, overflow) = literal.value.multipliedReportingOverflow(by: 4096)
        if overflow { report(.arithmetic, here, "so many pages are more than 64 bits can count") }
        return (.number(bytes), .number)
      }
      if let names { notes?.note(literal.value, here, names) }
      return (.number(literal.value), .number)
    case .duration(let literal): return (.number(literal.nanoseconds), .number)
    case .version(let literal):
      return (.constant(.text(literal.parts.map { String($0) }.joined(separator: "."))), .text)
    case .date: return (.constant(.text(source.text(expression.span))), .text)
    case .string(let bytes): return (.constant(.bytes(bytes)), .bytes)
    case .hex(let literal):
      return (.constant(literal.hasWildcards ? .pattern(literal) : .bytes(literal.bytes)), .bytes)
    case .word(let word): return resolveWord(word, here, names)
    case .max: return (.number(.max), .number)
    case .variable(let symbol): return resolveVariable(symbol)
    case .member(let base, let name):
      let (code, kind) = resolve(base)
      return (.member(code, name.text, place(name.span)), memberKind(kind, name))
    case .index(let base, let index):
      let (code, kind) = resolve(base)
      let (position, positionKind) = resolve(index)
      let result: Kind? = kind == .memory ? .memory : kind == .bytes && positionKind == .range ? .bytes : nil
      return (.index(code, position, here), result)
    case .call(let name, let arguments): return resolveCall(name, arguments, here)
    case .reference(_, let value):
      let code = resolve(value).code
      return (code.constant == nil ? .bare(code, here) : code, nil)
    case .range(let first, let last):
      return (.range(resolve(first).code, resolve(last).code, here), .range)
    case .list(let elements):
      return (.list(elements.map { resolve($0, names: names).code }), .list)
    case .record(let record): return (resolve(record, here), .record)
    case .union(let parts):
      let codes = parts.map { resolve($0, names: names).code }
      var bits: UInt64 = 0
      for code in codes {
        guard let value = code.constant else { return (.union(codes, here), .number) }
        bits |= value
      }
      return (.number(bits), .number)
    case .concatenation(let parts):
      return (.concatenation(parts.map { resolve($0).code }, here), .bytes)
    case .unary(let sign, let value):
      let (code, _) = resolve(value, names: names)
      guard let number = code.constant else { return (.unary(sign, code, here), .number) }
      return (.number(Arithmetic.apply(sign, number)), .number)
    case .binary(let sign, let left, let right):
      let (a, kind) = resolve(left)
      let (b, otherKind) = resolve(right)
      if let x = a.constant, let y = b.constant {
        do throws(ArithmeticError) {
          return (.number(try Arithmetic.apply(sign, x, y)), .number)
        } catch {
          report(.arithmetic, here, error.message)
          return (.number(0), .number)
        }
      }
      let isMemory = (kind == .memory) != (otherKind == .memory) && (sign == .add || sign == .subtract)
      return (.binary(sign, a, b, here), isMemory ? .memory : kind == nil || otherKind == nil ? nil : .number)
    }
  }

  private func resolveWord(_ word: String, _ here: Place, _ names: NamedValues?) -> (Code, Kind?) {
    guard let names else {
      if case .found = lookUp(word) { reportUnknownWord(word, here, "a value", candidates: []) }
      return (.constant(.text(word)), .text)
    }
    if let value = names.value(named: String(word.map { $0 == "-" ? "_" : $0 })) {
      return (.number(value), .number)
    }
    let known = names.entries.map { $0.name }
    if case .found = lookUp(word) {
      reportUnknownWord(word, here, "one of " + known.joined(separator: " "), candidates: known)
    } else {
      report(
        .unknownValue, here, "\(names.type) has no value '\(word)'",
        help: [Suggest.help(for: word, in: known)].compactMap { $0 } + [
          "values: " + known.joined(separator: " ")
        ])
    }
    return (.number(0), .number)
  }

  private func memberKind(_ kind: Kind?, _ name: Name) -> Kind? {
    switch (kind, name.text) {
    case (.device, "hwpt"): return .hwpt
    case (.device, "id"), (.device, "stdev"), (.device, "device"), (_, "id"), (_, "length"), (_, "count"):
      return .number
    case (_, "fd"): return .fd
    default: return nil
    }
  }

  private func resolve(_ record: Record, _ here: Place) -> Code {
    var members: [(name: String, value: Code)] = []
    guard let fields = record.fields else {
      report(.badRecord, here, "a record as a value has named fields", help: ["{a=1, b=2}"])
      return .constant(.none)
    }
    for field in fields { members.append((field.name.text, resolve(field.value).code)) }
    return .record(members)
  }

  // MARK: Calls

  private func resolveCall(_ name: Name, _ arguments: [Operand], _ here: Place) -> (Code, Kind?) {
    guard let function = Function(rawValue: name.text) else {
      let known = Function.allCases.map { $0.rawValue }
      report(
        .unknownFunction, place(name.span), "there is no function '\(name.text)'",
        help: [Suggest.help(for: name.text, in: known)].compactMap { $0 } + [
          "functions: " + known.joined(separator: " ")
        ])
      return (.constant(.unset), nil)
    }
    let (names, required) = function.parameters
    var values: [Code?] = Array(repeating: nil, count: function.isVariadic ? arguments.count : names.count)
    var next = 0
    for argument in arguments {
      var position = next
      if case .named(let key, _) = argument.kind {
        guard let index = names.firstIndex(of: key.text), !function.isVariadic else {
          report(
            .badArguments, place(key.span), "'\(name.text)' has no argument '\(key.text)'",
            help: [function.signature])
          continue
        }
        position = index
      } else {
        next += 1
      }
      guard position < values.count, values[position] == nil else {
        report(
          .badArguments, place(argument.span), "'\(name.text)' has no place for this argument",
          help: [function.signature])
        continue
      }
      values[position] = resolve(argument.value).code
    }
    guard values.prefix(max(required, function.isVariadic ? 1 : 0)).allSatisfy({ $0 != nil }),
      !(function.isVariadic && values.isEmpty)
    else {
      report(.badArguments, here, "'\(name.text)' needs more arguments", help: [function.signature])
      return (.constant(.unset), function.kind)
    }
    var codes = values.compactMap { $0 }
    if function == .seq && values.count == 2 && values[1] == nil { codes.append(.number(0)) }
    if function == .random && values[1] == nil { codes.append(.number(1)) }
    if function.needsBench { dependsOnRun = true }
    switch function {
    case .file: return (fileBytes(arguments, here), .bytes)
    case .raw, .iova, .va: return (codes[0], .number)
    case .length: return (.length(codes[0], here), .number)
    default: return (.function(function, codes, here), function.kind)
    }
  }

  /// `file("name")`: from the archive tail, else beside the script.
  private func fileBytes(_ arguments: [Operand], _ here: Place) -> Code {
    guard case .string(let bytes)? = arguments.first?.value.kind else {
      report(.badArguments, here, "the name of a file is a text", help: [Function.file.signature])
      return .constant(.bytes([]))
    }
    let name = String(decoding: bytes, as: UTF8.self)
    if let member = archive.first(where: { $0.name.text == name }) {
      return .constant(.bytes(Array(source.bytes[Int(member.content.start)..<Int(member.content.end)])))
    }
    do throws(LoadError) {
      let data = try loader.load(name, from: source.name)
      guard data.bytes.count <= Limits.valueBytes else {
        report(.valueTooLarge, here, "'\(name)' has more than \(Limits.valueBytes >> 20) MiB")
        return .constant(.bytes([]))
      }
      return .constant(.bytes(data.bytes))
    } catch {
      report(
        .fileNotFound, here, "cannot read '\(name)': \(error.reason)",
        help: [Suggest.help(for: name, in: archive.map { $0.name.text })].compactMap { $0 })
      return .constant(.bytes([]))
    }
  }
}

/// Why a sum has no value.
struct ArithmeticError: Error {
  let message: String
}

/// 64-bit arithmetic that says so when it does not fit.
enum Arithmetic {
  static func apply(_ sign: UnaryOperator, _ value: UInt64) -> UInt64 {
    switch sign {
    case .negate: 0 &- value
    case .complement: ~value
    }
  }

  static func apply(_ sign: BinaryOperator, _ a: UInt64, _ b: UInt64) throws(ArithmeticError) -> UInt64 {
    switch sign {
    case .add: return try checked(a.addingReportingOverflow(b), "the sum does not fit into 64 bits")
    case .subtract: return try checked(a.subtractingReportingOverflow(b), "the difference is below zero")
    case .multiply:
      return try checked(a.multipliedReportingOverflow(by: b), "the product does not fit into 64 bits")
    case .divide, .remainder:
      guard b != 0 else { throw ArithmeticError(message: "division by zero") }
      return sign == .divide ? a / b : a % b
    case .and: return a & b
    case .exclusiveOr: return a ^ b
    case .shiftLeft:
      guard b < 64 else { throw ArithmeticError(message: "a shift by 64 or more") }
      return a << b
    case .shiftRight: return a >> b
    case .equal: return a == b ? 1 : 0
    case .notEqual: return a != b ? 1 : 0
    case .less: return a < b ? 1 : 0
    case .lessOrEqual: return a <= b ? 1 : 0
    case .greater: return a > b ? 1 : 0
    case .greaterOrEqual: return a >= b ? 1 : 0
    }
  }

  private static func checked(_ result: (partialValue: UInt64, overflow: Bool), _ message: String)
    throws(ArithmeticError) -> UInt64
  {
    if result.overflow { throw ArithmeticError(message: message) }
    return result.partialValue
  }
}
