// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

extension Unfolder {
  // MARK: Commands

  func items(of statement: CommandStatement) -> [Item] {
    if let procedure = procedure(statement.command.words[0].text) {
      return items(calling: procedure, statement.command)
    }
    var made = statement
    made.command = fold(statement.command)
    // What is expected is read before names are bound.
    made.expectation = statement.expectation.flatMap { fold($0) }
    made.bindings = statement.bindings.map { Self.symbol(bind($0.text)) }
    nameWord(of: statement.command, in: &made.command)
    return [.statement(Self.wrapped(.command(made)))]
  }

  /// `device add nic`, `iommu io kind=vtd`: the word is the name that is bound.
  private func nameWord(of written: Command, in made: inout Command) {
    guard let symbol = written.namedWord else { return }
    let own = bind(symbol.text)
    for index in written.words.indices where written.words[index].span == symbol.span {
      made.words[index] = Name(own, span: .zero)
    }
    for (index, given) in written.operands.enumerated() where given.value.span == symbol.span {
      made.operands[index] = Operand(.positional(Expression(.word(own), span: .zero)), span: .zero)
    }
  }

  private func items(calling procedure: Procedure, _ command: Command) -> [Item] {
    let parameters = procedure.definition.parameters
    var given: [Expression?] = Array(repeating: nil, count: parameters.count)
    var next = 0
    for operand in command.operands(after: 1) {
      switch operand.kind {
      case .named(let key, let value):
        if let index = parameters.firstIndex(where: { $0.name.text == key.text }) {
          given[index] = fold(value)
        }
      case .positional(let value), .mapped(_, let value):
        if next < given.count { given[next] = fold(value) }
        next += 1
      }
    }
    let call = Printer.text(fold(operandsOf: command))
    let saved = (source, archive, scopes)
    (source, archive) = (procedure.source, procedure.archive)
    scopes = Array(scopes.prefix(procedure.depth))
    let defaults = parameters.map { $0.defaultValue.map { fold($0) } }
    scopes.append(Scope(frame: procedure.frame, isOutermost: true))
    for (index, parameter) in parameters.enumerated() {
      guard let value = given[index] ?? defaults[index] else { continue }
      scopes[scopes.count - 1].names[parameter.name.text] = .value(value)
      if !Self.isVariable(value), !Self.isPlainValue(value) { keep(parameter.name.text) }
    }
    let inFront = before
    before = []
    let items = body(procedure.definition.body.statements)
    (source, archive, scopes) = saved
    before = []
    return [.comment(call)] + inFront + items
  }

  // MARK: Loops

  func items(of loop: LoopStatement) -> [Item] {
    let values = fold(loop.values)
    let bound = Self.names(boundIn: loop.body.statements)
    guard let rounds = Self.rounds(values),
      !rounds.contains(where: {
        if case .variable(let symbol) = $0.kind { bound.contains(symbol.text) } else { false }
      })
    else { return items(keeping: loop, values) }
    let inFront = before
    before = []
    defer { before = [] }
    // One scope for all rounds: a name that the first one binds is the second one's, too.
    scopes.append(Scope(frame: scopes[scopes.count - 1].frame, isOutermost: false))
    defer { scopes.removeLast() }
    var items = inFront
    for value in rounds where !isTooLarge {
      scopes[scopes.count - 1].names[loop.variable.text] = .value(value)
      items.append(.comment("\(loop.variable.text)=\(Printer.text(value))"))
      items += body(loop.body.statements)
    }
    return items
  }

  /// A loop over what only a run knows.
  private func items(keeping loop: LoopStatement, _ values: Expression) -> [Item] {
    scopes.append(Scope(frame: Frame(), isOutermost: false))
    let own = plainName(loop.variable.text, Frame())
    scopes[scopes.count - 1].names[loop.variable.text] = .name(own)
    defer { scopes.removeLast() }
    let inner = kept(loop.body)
    let made = LoopStatement(variable: Self.symbol(own), values: values, body: Self.block(inner))
    return [.statement(Self.wrapped(.loop(made)))]
  }

  /// The values of a loop's rounds, as far as they are known.
  private static func rounds(_ values: Expression) -> [Expression]? {
    switch values.kind {
    case .list(let elements):
      return elements.allSatisfy { isVariable($0) || isPlainValue($0) } ? elements : nil
    case .range(let first, let last):
      guard case .number(let low) = first.kind, case .number(let high) = last.kind, low.unit != .pages,
        high.unit != .pages, low.value <= high.value,
        high.value - low.value < UInt64(Limits.loopRounds)
      else { return nil }
      return (low.value...high.value).map {
        Expression(.number(NumberLiteral($0, radix: low.radix)), span: .zero)
      }
    default: return nil
    }
  }

  // MARK: Names in blocks

  /// The names that statements bind, those of blocks inside too.
  static func names(boundIn statements: [Statement]) -> Set<String> {
    var names: Set<String> = []
    statements.forEachNested { statement in
      switch statement.kind {
      case .value(let value): names.insert(value.name.text)
      case .command(let command):
        for symbol in command.bindings { names.insert(symbol.text) }
        if let word = command.command.namedWord { names.insert(word.text) }
      default: break
      }
      for check in statement.expectation?.checks ?? [] {
        for symbol in Resolver.bindings(in: check.pattern) { names.insert(symbol.text) }
      }
      if case .expect(let expect) = statement.kind, let pattern = expect.pattern {
        for symbol in Resolver.bindings(in: pattern) { names.insert(symbol.text) }
      }
    }
    return names
  }
}
