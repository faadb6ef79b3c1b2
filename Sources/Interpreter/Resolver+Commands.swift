// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

extension Resolver {
  /// A command with its bindings and its expectation; nil when it could not be read.
  func resolve(_ statement: CommandStatement) -> CommandNode? {
    let words = statement.command.words.map { $0.text }
    let verb: Verb?
    let body: Body
    let results: [ResultSpec]
    if let procedure = procedure(named: words[0]) {
      notes?.note(procedure, place(statement.command.words[0].span), .use)
      guard let call = resolveProcedureCall(procedure, statement.command) else {
        bindNothing(statement.bindings)
        return nil
      }
      verb = nil
      body = call
      results = []
    } else if let (found, count) = VerbTable.find(words) {
      guard let (made, specs) = lower(found, statement.command, count) else {
        bindUnknown(statement, found.results)
        return nil
      }
      verb = found
      body = made
      results = specs
    } else {
      reportUnknownVerb(statement.command)
      bindNothing(statement.bindings)
      return nil
    }
    // What is expected is read before the names are bound: `vm = ... -> id=$vm` speaks of the old one.
    let visible = keepsVisible ? visibleSlots : []
    let demand = resolveDemand(statement, results: results, isCall: verb == nil)
    var bindings: [(slot: Int, result: Int)] = []
    for (index, symbol) in statement.bindings.enumerated() {
      guard index < results.count else {
        report(
          .tooManyBindings, place(symbol.span),
          results.isEmpty
            ? "'\(words.joined(separator: " "))' answers nothing that could be bound"
            : "'\(verb?.name ?? words[0])' has \(results.count) result\(results.count == 1 ? "" : "s")",
          help: results.isEmpty ? [] : ["results: " + results.map { $0.name }.joined(separator: " ")])
        _ = bind(symbol, kind: nil, isConstant: false)
        continue
      }
      bindings.append((bind(symbol, kind: results[index].shape.kind, isConstant: false), index))
    }
    if let verb, let name = verb.namesResult, let symbol = Self.named(by: name, verb, statement.command) {
      let slot = bind(symbol, kind: results.first?.shape.kind, isConstant: false)
      use(slot)
      bindings.append((slot, 0))
    }
    return CommandNode(
      verb: verb, body: body, demand: demand, bindings: bindings, command: statement.command,
      demandSpan: statement.expectation?.span ?? statement.mark?.span ?? statement.command.span,
      visible: visible)
  }

  /// The word in the place of an operand, as the name that it binds.
  static func named(by operand: String, _ verb: Verb, _ command: Command) -> Symbol? {
    guard let position = verb.operands.firstIndex(where: { $0.name == operand }) else { return nil }
    var seen = 0
    for given in command.operands(after: verb.words.count) {
      guard case .positional(let value) = given.kind else { continue }
      // An option's word is no operand.
      if case .word(let word) = value.kind,
        verb.options.contains(where: { ($0.isWord || $0.isPreposition) && $0.name == word })
      {
        continue
      }
      if seen == position, case .word(let word) = value.kind {
        return Symbol(word, span: value.span, ordinal: 0)
      }
      seen += 1
    }
    return nil
  }

  /// Names of a command that could not be read are bound all the same, or every use would be reported too.
  private func bindNothing(_ symbols: [Symbol]) {
    for symbol in symbols { _ = bind(symbol, kind: nil, isConstant: false) }
  }

  private func bindUnknown(_ statement: CommandStatement, _ results: [ResultSpec]) {
    for (index, symbol) in statement.bindings.enumerated() {
      _ = bind(symbol, kind: index < results.count ? results[index].shape.kind : nil, isConstant: false)
    }
    if let expectation = statement.expectation {
      for check in expectation.checks { bindNothing(Self.bindings(in: check.pattern)) }
    }
  }

  /// The names that a pattern binds.
  static func bindings(in pattern: Pattern) -> [Symbol] {
    switch pattern.kind {
    case .binding(let symbol): [symbol]
    case .ordered(let parts), .unordered(let parts): parts.flatMap { bindings(in: $0) }
    case .record(let checks): checks.flatMap { bindings(in: $0.pattern) }
    case .value, .none, .gap: []
    }
  }

  private func reportUnknownVerb(_ command: Command) {
    let first = command.words[0]
    let family = VerbTable.beginning(with: first.text)
    let procedures = scopes.flatMap { Array($0.procedures.keys) }.sorted()
    if !family.isEmpty {
      let second = command.words.count > 1 ? command.words[1] : nil
      let choices = family.compactMap { $0.words.count > 1 ? $0.words[1] : nil }
      report(
        .unknownVerb, place(second?.span ?? first.span),
        second.map { "'\(first.text)' has no command '\($0.text)'" } ?? "'\(first.text)' is half a command",
        help: [second.flatMap { Suggest.help(for: $0.text, in: choices) }].compactMap { $0 }
          + ["commands: " + family.map { $0.name }.joined(separator: ", ")])
      return
    }
    if case .found = lookUp(first.text) {
      report(
        .unknownVerb, place(first.span), "'\(first.text)' is a binding, not a command",
        help: ["to look at it: expect $\(first.text) = ..."])
      return
    }
    let verbs = Array(Set(VerbTable.all.map { $0.words[0] })).sorted()
    let whole = command.words.prefix(2).map { $0.text }.joined(separator: " ")
    report(
      .unknownVerb, place(first.span), "there is no command '\(first.text)'",
      help: [
        Suggest.help(for: first.text, in: verbs + procedures)
          ?? Suggest.help(for: whole, in: VerbTable.all.map { $0.name })
      ].compactMap { $0 })
  }

  // MARK: Operands

  /// Gives every operand its parameter, and the verb its request.
  private func lower(_ verb: Verb, _ command: Command, _ count: Int) -> (Body, [ResultSpec])? {
    let before = diagnostics.count
    var arguments: [String: Argument] = [:]
    var rest: [Argument] = []
    var raw: [(name: Name, argument: Argument)] = []
    var extra: [(name: Name, value: Argument?)] = []
    var descriptor: Code?
    var positionals = verb.operands[...]
    // The option whose value comes next.
    var awaited: Parameter?
    for operand in command.operands(after: count) {
      switch operand.kind {
      case .positional(let value):
        if let option = awaited {
          awaited = nil
          arguments[option.name] = resolveArgument(value, option, verb)
          continue
        }
        if case .word(let word) = value.kind,
          let option = verb.options.first(where: { $0.isPreposition && $0.name == word })
        {
          if arguments[option.name] != nil {
            report(.conflictingOptions, place(value.span), "'\(word)' is given twice")
          }
          awaited = option
          continue
        }
        if case .word(let word) = value.kind,
          let option = verb.options.first(where: { $0.isWord && $0.name == word })
        {
          if arguments[option.name] != nil {
            report(.conflictingOptions, place(value.span), "'\(word)' is given twice")
          }
          arguments[option.name] = Argument(
            code: .number(1), kind: nil, expression: nil, place: place(value.span))
          continue
        }
        guard let parameter = positionals.first else {
          if verb.takesAnyOption, case .word(let word) = value.kind {
            extra.append((Name(word, span: value.span), nil))
          } else if case .word(let word) = value.kind {
            reportUnknownWord(
              word, place(value.span), "an option of '\(verb.name)'", candidates: verb.options.map { $0.name }
            )
          } else {
            report(
              .tooManyOperands, place(value.span), "'\(verb.name)' has no place for this",
              help: [verb.synopsis])
          }
          continue
        }
        let argument = resolveArgument(value, parameter, verb)
        if parameter.use == .repeated {
          rest.append(argument)
        } else {
          positionals.removeFirst()
          arguments[parameter.name] = argument
        }
      case .named(let key, let value):
        if key.text == "on" {
          let (code, kind) = resolve(value)
          if let kind, ![.context, .fd, .number].contains(kind) {
            reportKind(kind, "an open file", place(value.span), verb)
          }
          descriptor = code
        } else if let option = verb.options.first(where: { $0.name == key.text && $0.takesValue }) {
          if arguments[key.text] != nil {
            report(.conflictingOptions, place(key.span), "'\(key.text)' is given twice")
          }
          arguments[key.text] = resolveArgument(value, option, verb)
        } else if verb.options.contains(where: { $0.name == key.text && $0.isWord }),
          case .number(let literal) = value.kind, literal.value <= 1
        {
          if literal.value == 1 {
            arguments[key.text] = Argument(
              code: .number(1), kind: nil, expression: nil, place: place(key.span))
          }
        } else if let operand = verb.operands.first(where: { $0.name == key.text }),
          arguments[key.text] == nil
        {
          positionals.removeAll { $0.name == key.text }
          arguments[key.text] = resolveArgument(value, operand, verb)
        } else if verb.takesAnyOption {
          let (code, kind) = resolve(value)
          extra.append(
            (key, Argument(code: code, kind: kind, expression: value, place: place(value.span))))
        } else if !isField(key.text) {
          reportUnknownOption(key, verb, fields: (verb.row?.fields ?? []).map { $0.name })
        } else {
          let names = fieldNames(key.text, verb, (arguments["name"] ?? arguments["op"])?.word)
          let (code, kind) = resolve(value, names: names)
          raw.append((key, Argument(code: code, kind: kind, expression: value, place: place(value.span))))
        }
      case .mapped(let address, _):
        report(
          .tooManyOperands, place(address.span), "'\(verb.name)' has no place for this", help: [verb.synopsis]
        )
      }
    }
    if let awaited {
      report(
        .missingOperand, place(command.span), "'\(awaited.name)' needs \(awaited.accepts.described)",
        help: [verb.synopsis])
    }
    // After an option that nobody knows, a missing one is most likely the same.
    for parameter in verb.operands + verb.options
    where parameter.use == .required && arguments[parameter.name] == nil && diagnostics.count == before {
      if case .field(let field) = parameter.target,
        raw.contains(where: { Lowering.normalized($0.name.text) == Lowering.normalized(field) })
      {
        continue
      }
      report(
        .missingOperand, place(command.span),
        "'\(verb.name)' needs '\(parameter.name)', \(parameter.accepts.described)",
        help: [verb.synopsis])
    }
    // A lowering that misses operands would only report the same again.
    guard diagnostics.count == before || !isMissing(verb, arguments) else { return nil }
    var lowering = Lowering(
      verb, self, place(command.span), arguments: arguments, rest: rest, raw: raw, extra: extra,
      descriptor: descriptor)
    verb.lower(&lowering)
    let body = lowering.makeBody()
    if body != nil, lowering.body != nil, !lowering.isRawIoctl, let stray = raw.first {
      reportUnknownOption(stray.name, verb, fields: [])
    }
    guard let body, diagnostics.count == before else { return nil }
    return (body, lowering.results)
  }

  private func isMissing(_ verb: Verb, _ arguments: [String: Argument]) -> Bool {
    (verb.operands + verb.options).contains { $0.use == .required && arguments[$0.name] == nil }
  }

  /// Some request has a field of this name.
  private func isField(_ key: String) -> Bool { Self.fieldNames.contains(Lowering.normalized(key)) }

  private static let fieldNames = Set(
    (CommandTable.all.flatMap { $0.fields } + CommandTable.selftestOps.flatMap { $0.fields }).map {
      Lowering.normalized($0.name)
    } + ["id2"])

  /// What words mean in a field given by its C name. `request` and `selftest` name their row in an operand.
  private func fieldNames(_ key: String, _ verb: Verb, _ named: String?) -> NamedValues? {
    let wanted = Lowering.normalized(key)
    let row = verb.row ?? named.flatMap { CommandTable.row(named: $0) }
    let op = verb.selftestOp ?? named.flatMap { SelftestOp.named($0) }
    let field = ((row?.fields ?? []) + (op?.fields ?? [])).first { Lowering.normalized($0.name) == wanted }
    return field.flatMap { Shape($0.meaning).names }
  }

  /// A value for a parameter, with its kind checked as far as the script tells it.
  private func resolveArgument(_ value: Expression, _ parameter: Parameter, _ verb: Verb) -> Argument {
    let here = place(value.span)
    if case .word(let word) = value.kind { return wordArgument(word, value, parameter, verb) }
    if case .record = value.kind {
      if case .records = parameter.accepts {
        return Argument(code: .constant(.none), kind: .record, expression: value, place: here)
      }
      report(.tooManyOperands, here, "'\(verb.name)' has no place for a record here", help: [verb.synopsis])
      return Argument(code: .constant(.unset), kind: nil, expression: value, place: here)
    }
    let names: NamedValues? = if case .choice(let names) = parameter.accepts { names } else { nil }
    var (code, kind) = resolve(value, names: names)
    if case .reference = value.kind {
      return Argument(code: code, kind: kind, expression: value, place: here)
    }
    if let allowed = Self.kinds(parameter.accepts) {
      if let kind {
        if !allowed.contains(kind) { reportKind(kind, parameter, here, verb) }
      } else {
        code = .checked(code, allowed, here)
      }
    }
    return Argument(code: code, kind: kind, expression: value, place: here)
  }

  private func wordArgument(_ word: String, _ value: Expression, _ parameter: Parameter, _ verb: Verb)
    -> Argument
  {
    let here = place(value.span)
    func unknown(_ expected: String, _ candidates: [String]) -> Argument {
      reportUnknownWord(word, here, expected, candidates: candidates)
      return Argument(code: .constant(.unset), kind: nil, expression: value, place: here)
    }
    switch parameter.accepts {
    case .choice(let names):
      let (code, kind) = resolve(value, names: names)
      return Argument(code: code, kind: kind, expression: value, place: here)
    case .words(let words):
      guard words.contains(word) else { return unknown(parameter.accepts.described, words) }
      return Argument(code: .constant(.text(word)), kind: .text, expression: value, place: here)
    case .any:
      if verb.namesResult != parameter.name, case .found = lookUp(word) { return unknown("a value", []) }
      return Argument(code: .constant(.text(word)), kind: .text, expression: value, place: here)
    default:
      return unknown(parameter.accepts.described, verb.options.map { $0.name })
    }
  }

  /// The kinds that a parameter takes; nil for any.
  static func kinds(_ accepts: Accepts) -> Set<Kind>? {
    switch accepts {
    case .object(let kinds): kinds
    case .descriptor(let kinds): kinds.union([.number])
    case .number: [.number, .item, .process, .physical]
    case .iova, .length: [.number]
    case .address: [.memory, .number]
    case .bytes: [.bytes, .text]
    case .range: [.range, .list]
    case .choice: [.number]
    case .words: [.text]
    case .list: [.list]
    case .records: [.record]
    case .any: nil
    }
  }

  private func reportKind(_ kind: Kind, _ parameter: Parameter, _ here: Place, _ verb: Verb) {
    reportKind(
      kind, parameter.accepts.described, here, verb,
      isObject: {
        if case .object = parameter.accepts { true } else { false }
      }())
  }

  private func reportKind(
    _ kind: Kind, _ expected: String, _ here: Place, _ verb: Verb, isObject: Bool = true
  ) {
    let text = here.source.text(here.span)
    var help: [String] = []
    if kind == .number && isObject {
      help = ["an object is named by its number as id:\(text)"]
    } else if isObject || kind != .text {
      help = ["to send its number all the same: any:\(text)"]
    }
    var notes: [Diagnostic.Note] = []
    if text.hasPrefix("$"), case .found(let binding) = lookUp(String(text.dropFirst())) {
      notes = [Diagnostic.Note("'\(text)' is bound here", in: binding.place.source, at: binding.place.span)]
    }
    report(
      .wrongKind, here, "'\(verb.name)' takes \(expected) here, and this is \(kind.described)", notes: notes,
      help: help)
  }
}
