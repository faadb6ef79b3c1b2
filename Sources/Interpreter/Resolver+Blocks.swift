// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

extension Resolver {
  /// What a file or a test says about itself as a whole.
  struct Header {
    var skipReason: String?
    var expectedFailure: ExpectedFailure?
  }

  func resolve(_ statements: [Statement], header: inout Header) -> [Node] {
    var nodes: [Node] = []
    for statement in statements {
      switch statement.kind {
      case .require(let condition):
        if holds(statement.condition), !holds(condition), header.skipReason == nil {
          header.skipReason = "requires " + Printer.text(condition)
        }
      case .expectedFailure(let failure):
        if holds(statement.condition) { header.expectedFailure = failure }
      default:
        if let node = resolve(statement) { nodes.append(node) }
      }
    }
    return nodes
  }

  /// The statements of a block that is neither file nor test.
  func resolve(_ block: Block) -> [Node] { block.statements.compactMap { resolve($0) } }

  private func resolve(_ statement: Statement) -> Node? {
    let isEnabled = holds(statement.condition)
    func node(_ kind: Node.Kind, _ failure: ExpectedFailure? = nil) -> Node {
      Node(kind, place(statement.span), isEnabled: isEnabled, expectedFailure: failure)
    }
    switch statement.kind {
    case .command(let command):
      return resolve(command).map { node(.command($0), command.expectedFailure) }
    case .value(let value):
      dependsOnRun = false
      let (code, kind) = resolve(value.value)
      let slot = bind(value.name, kind: kind, isConstant: !dependsOnRun)
      return node(.bind(slot: slot, code))
    case .expectTrace(let expectation):
      return resolve(expectation).map { node(.expectTrace($0), expectation.expectedFailure) }
    case .expect(let expect): return resolve(expect).map { node(.expect($0), expect.expectedFailure) }
    case .section(let name): return node(.section(name.text))
    case .test(let test): return node(.test(resolve(test)))
    case .loop(let loop): return node(.loop(resolve(loop)))
    case .definition(let definition):
      resolve(definition)
      return nil
    case .conditional(let conditional): return node(.block(resolve(conditional)))
    case .include(let include): return resolve(include, place(statement.span)).map { node(.include($0)) }
    case .export(let names):
      exports += names
      for name in names {
        if case .found(let binding) = lookUp(name.text) {
          use(binding.slot)
          notes?.note(.variable(binding.slot), name.text, place(name.span), .use, kind: binding.kind)
        }
      }
      return nil
    case .parameter(let parameter): return resolve(parameter).map { node($0) }
    case .deferred(let block): return node(.deferred(resolve(block)))
    case .thread(let thread): return node(.thread(resolve(thread)))
    case .run(let run): return resolve(run, place(statement.span)).map { node(.run($0)) }
    case .explore(let explore): return resolve(explore, place(statement.span)).map { node(.explore($0)) }
    case .parallel(let block): return node(.parallel(resolve(parallel: block)))
    case .injection(let injection):
      return resolve(injection, place(statement.span)).map { node(.injection($0)) }
    case .require, .expectedFailure: return nil
    }
  }

  private func resolve(_ conditional: ConditionalStatement) -> [Node] {
    var chosen: [Node]?
    for arm in conditional.arms {
      let isChosen = holds(arm.condition) && chosen == nil
      let nodes = resolve(arm.body)
      if isChosen { chosen = nodes }
    }
    let otherwise = conditional.otherwise.map { resolve($0) }
    return chosen ?? otherwise ?? []
  }

  private func resolve(_ loop: LoopStatement) -> LoopNode {
    dependsOnRun = false
    let (values, kind) = resolve(loop.values)
    if let kind, ![.range, .list].contains(kind) {
      report(
        .wrongKind, place(loop.values.span),
        "'for' runs over a list or a range, and this is \(kind.described)",
        help: ["for \(loop.variable.text) in 0...15 { ... }"])
    }
    let isConstant = !dependsOnRun
    pushBlock()
    defer { pop() }
    let slot = declare(loop.variable, kind: elementKind(loop.values, kind), isConstant: isConstant)
    use(slot)
    return LoopNode(name: loop.variable.text, slot: slot, values: values, body: resolve(loop.body))
  }

  /// The kind of what a loop runs over.
  private func elementKind(_ values: Expression, _ kind: Kind?) -> Kind? {
    if kind == .range { return .number }
    guard case .list(let elements) = values.kind else { return nil }
    var common: Kind?
    for element in elements {
      let kind: Kind?
      switch element.kind {
      case .number: kind = .number
      case .word: kind = .text
      case .string, .hex: kind = .bytes
      case .range: kind = .range
      default: return nil
      }
      if common != nil && common != kind { return nil }
      common = kind
    }
    return common
  }

  private func resolve(_ test: TestStatement) -> TestNode {
    var labels: [String] = []
    for option in test.options {
      guard case .named(let key, let value) = option.kind else { continue }
      switch (key.text, value.kind) {
      case ("label", .word(let word)): labels.append(word)
      case ("label", .string(let bytes)): labels.append(String(decoding: bytes, as: UTF8.self))
      case ("label", .list(let items)):
        for case .word(let word) in items.map({ $0.kind }) { labels.append(word) }
      default:
        report(
          .unknownOption, place(key.span), "a test has no option '\(key.text)'",
          help: [Suggest.help(for: key.text, in: ["label"])].compactMap { $0 } + ["options: label="])
      }
    }
    pushFrame(.test)
    defer { pop() }
    var header = Header()
    let body = resolve(test.body.statements, header: &header)
    return TestNode(
      name: test.name.text, labels: labels, body: body, skipReason: header.skipReason,
      expectedFailure: header.expectedFailure)
  }

  // MARK: Procedures

  func procedure(named name: String) -> Procedure? {
    for scope in scopes.reversed() {
      if let procedure = scope.procedures[name] { return procedure }
    }
    return nil
  }

  private func resolve(_ definition: DefinitionStatement) {
    let name = definition.name.text
    let here = place(definition.name.span)
    if VerbTable.all.contains(where: { $0.words[0] == name }) {
      report(.shadowedVerb, here, "'\(name)' is a command already", help: ["choose another name"])
    } else if let other = scopes[scopes.count - 1].procedures[name] {
      report(
        .shadowedVerb, here, "'\(name)' is defined twice",
        notes: [Diagnostic.Note("the first one is here", in: other.place.source, at: other.place.span)])
    }
    let procedure = Procedure(name: name, place: here)
    notes?.note(procedure, here, .binding)
    // Defaults see what surrounds the definition; they must not depend on the run either.
    let defaults = definition.parameters.map { parameter -> Code? in
      dependsOnRun = false
      guard let value = parameter.defaultValue else { return nil }
      let code = resolve(value).code
      if dependsOnRun {
        report(.outerBinding, place(value.span), "the default of a parameter cannot depend on a request")
      }
      return code
    }
    scopes[scopes.count - 1].procedures[name] = procedure
    pushFrame(.procedure)
    defer { pop() }
    for (parameter, value) in zip(definition.parameters, defaults) {
      let slot = declare(parameter.name, kind: nil, isConstant: false)
      procedure.parameters.append((parameter.name.text, slot, value))
    }
    open.append(procedure)
    procedure.body = resolve(definition.body)
    open.removeLast()
  }

  func resolveProcedureCall(_ procedure: Procedure, _ command: Command) -> Body? {
    let here = place(command.span)
    if let first = open.firstIndex(where: { $0 === procedure }) {
      let chain = open[first...].map { $0.name } + [procedure.name]
      report(
        .recursion, here, "a procedure cannot run inside itself: " + chain.joined(separator: " calls "),
        notes: [Diagnostic.Note("defined here", in: procedure.place.source, at: procedure.place.span)],
        help: ["use for to repeat something"])
      return nil
    }
    let names = procedure.parameters.map { $0.name }
    let signature = "\(procedure.name) " + names.map { "$\($0)" }.joined(separator: " ")
    var values: [Code?] = Array(repeating: nil, count: names.count)
    var next = 0
    for operand in command.operands(after: 1) {
      let position: Int?
      switch operand.kind {
      case .named(let key, _):
        position = names.firstIndex(of: key.text)
        if let position {
          let slot = procedure.parameters[position].slot
          notes?.note(.variable(slot), key.text, place(key.span), .use)
        }
      default:
        position = next < names.count ? next : nil
        next += 1
      }
      let code = resolve(operand.value).code
      guard let position, values[position] == nil else {
        report(
          .badArguments, place(operand.span), "'\(procedure.name)' has no place for this argument",
          notes: [Diagnostic.Note("defined here", in: procedure.place.source, at: procedure.place.span)],
          help: [signature])
        continue
      }
      values[position] = code
    }
    for (index, parameter) in procedure.parameters.enumerated() where values[index] == nil {
      guard let value = parameter.defaultValue else {
        report(
          .badArguments, here, "'\(procedure.name)' needs '\(parameter.name)'",
          notes: [Diagnostic.Note("defined here", in: procedure.place.source, at: procedure.place.span)],
          help: [signature])
        return nil
      }
      values[index] = value
    }
    return .call(procedure, values.compactMap { $0 }, here)
  }

  // MARK: Files

  /// Most inclusions of one script; without a limit, files that include each other twice would multiply.
  private static let inclusionLimit = 1024

  private func resolve(_ include: IncludeStatement, _ here: Place) -> IncludeNode? {
    let path = include.path.text
    let at = place(include.path.span)
    let file: SourceFile
    var archived: Span?
    if let member = archive.first(where: { $0.name.text == path }) {
      let bytes = Array(source.bytes[Int(member.content.start)..<Int(member.content.end)])
      file = SourceFile(name: "\(source.name)/\(path)", bytes: bytes)
      archived = member.content
    } else {
      do throws(LoadError) {
        file = try loader.load(path, from: source.name)
      } catch {
        report(
          .fileNotFound, at, "cannot read '\(path)': \(error.reason)",
          help: [Suggest.help(for: path, in: archive.map { $0.name.text })].compactMap { $0 })
        return nil
      }
    }
    if including.contains(file.name) || file.name == program.source.name {
      let chain = ([program.source.name] + including + [file.name]).joined(separator: " includes ")
      report(.includeLoop, at, "a script cannot include itself: \(chain)")
      return nil
    }
    inclusions += 1
    guard inclusions <= Self.inclusionLimit else {
      report(.includeLoop, at, "more than \(Self.inclusionLimit) files are included")
      return nil
    }
    guard including.count < Limits.callDepth else {
      report(.includeLoop, at, "includes are nested more than \(Limits.callDepth) deep")
      return nil
    }
    notes?.note(
      ScriptIndex.Inclusion(source: source, span: include.path.span, included: file, archived: archived))
    let given = include.arguments.compactMap { operand -> (Name, Code, Kind?, Bool)? in
      guard case .named(let name, let value) = operand.kind else { return nil }
      dependsOnRun = false
      let (code, kind) = resolve(value)
      return (name, code, kind, !dependsOnRun)
    }
    let (tree, problems) = Parser.parse(file)
    for problem in problems { adopt(problem, from: at) }

    let saved = (source, archive, exports, scopes)
    source = file
    archive = tree.archive
    exports = []
    scopes = []
    including.append(file.name)
    pushFrame(.file)
    var arguments: [(slot: Int, value: Code)] = []
    for (name, code, kind, isConstant) in given {
      let slot = declare(
        Symbol(name.text, span: Span.zero, ordinal: 0), kind: kind, isConstant: isConstant)
      arguments.append((slot, code))
    }
    var header = Header()
    let body = resolve(tree.statements, header: &header)
    let exported = exports.compactMap { symbol -> (Symbol, Binding)? in
      if case .found(let binding) = lookUp(symbol.text) { return (symbol, binding) }
      report(.unknownName, place(symbol.span), "'\(symbol.text)' is exported and never bound")
      return nil
    }
    including.removeLast()
    (source, archive, exports, scopes) = saved
    let slots = exported.map { (symbol, binding) in
      let own = Symbol(symbol.text, span: include.path.span, ordinal: 0)
      let slot = bind(own, kind: binding.kind, isConstant: binding.isConstant)
      use(slot)
      notes?.noteExport(from: binding.slot, to: slot)
      return (from: binding.slot, to: slot)
    }
    return IncludeNode(
      path: path, arguments: arguments, body: body, exports: slots, skipReason: header.skipReason)
  }

  /// `param depth: int in 1...64 = 4`
  private func resolve(_ parameter: ParameterStatement) -> Node.Kind? {
    let here = place(parameter.name.span)
    let name = parameter.name.text
    if case .found(let binding) = lookUp(name), !including.isEmpty, scopes.count == 1 {
      // An include gave it.
      use(binding.slot)
      return nil
    }
    var value: Code?
    var kind: Kind? = parameter.type.kind
    if including.isEmpty, let text = defines.removeValue(forKey: name) {
      value = read(text, parameter, here)
      if value == nil {
        _ = declare(parameter.name, kind: kind, isConstant: true)
        return nil
      }
    } else if let expression = parameter.defaultValue {
      let (code, found) = resolve(expression)
      value = code
      kind = found ?? kind
    }
    guard let value else {
      report(
        .missingParameter, here, "parameter '\(name)' has no value",
        help: [
          including.isEmpty ? "give it with -D \(name)=..." : "give it with: include ... with \(name)=..."
        ])
      _ = declare(parameter.name, kind: kind, isConstant: true)
      return nil
    }
    if let domain = parameter.domain, !isInside(value, resolve(domain).code) {
      report(
        .badParameter, here, "the value of '\(name)' is not in \(Printer.text(domain))")
    }
    return .bind(slot: declare(parameter.name, kind: kind, isConstant: true), value)
  }

  /// A value from the command line.
  private func read(_ text: String, _ parameter: ParameterStatement, _ here: Place) -> Code? {
    let quoted = parameter.type == .text
    if quoted { return .constant(.bytes(Array(text.utf8))) }
    let file = SourceFile(name: "-D \(parameter.name.text)", text: "value = (\(text))")
    let (tree, problems) = Parser.parse(file)
    guard problems.isEmpty, tree.statements.count == 1, case .value(let statement) = tree.statements[0].kind
    else {
      report(.badParameter, here, "'\(text)' is not a value for '\(parameter.name.text)'")
      return nil
    }
    switch (parameter.type, statement.value.kind) {
    case (.word, .word(let word)): return .constant(.text(word))
    case (.flag, .word(let word)) where ["on", "yes", "true"].contains(word): return .number(1)
    case (.flag, .word(let word)) where ["off", "no", "false"].contains(word): return .number(0)
    case (.int, _), (.size, _), (.time, _), (.flag, _):
      let (code, _) = resolve(statement.value)
      if code.constant != nil { return code }
    default: break
    }
    report(
      .badParameter, here,
      "'\(text)' is not a value for '\(parameter.name.text)', which is a \(parameter.type.rawValue)")
    return nil
  }

  private func isInside(_ value: Code, _ domain: Code) -> Bool {
    switch domain {
    case .range(let first, let last, _):
      guard let value = value.constant, let first = first.constant, let last = last.constant else {
        return true
      }
      return value >= first && value <= last
    case .list(let items):
      return items.contains { item in
        switch (item, value) {
        case (.number(let a), .number(let b)): a == b
        case (.constant(let a), .constant(let b)): Value.same(a, b)
        default: false
        }
      }
    default: return true
    }
  }

  /// Reports of another file's parser, with a note on how that file was reached.
  private func adopt(_ diagnostic: Diagnostic, from place: Place) {
    var diagnostic = diagnostic
    diagnostic.notes.append(Diagnostic.Note("included here", in: place.source, at: place.span))
    add(diagnostic)
  }
}

extension ParameterStatement.ValueType {
  var kind: Kind {
    switch self {
    case .int, .size, .time, .flag: .number
    case .text: .bytes
    case .word: .text
    }
  }
}
