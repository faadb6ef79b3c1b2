// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// Names. Each name of the script stands either for a value, which is put where the name was, or for a name of the plain
// script. Files, tests and procedures have names of their own; where two of them use the same, the second gets a number.
// A procedure's names are used again by its next call: nobody can ask for what an earlier one bound.

/// Makes plain statements of a tree.
final class Unfolder {
  /// What comes out.
  enum Item {
    case statement(Statement)
    case comment(String)
    case test(TestStatement, [Item])
  }

  enum Meaning {
    /// Put where the name is; in the plain script's names.
    case value(Expression)
    case name(String)
  }

  /// A file, a test or a procedure: what has names of its own.
  final class Frame {
    /// The plain script's names for this frame's.
    var own: [String: String] = [:]
  }

  final class Procedure {
    let definition: DefinitionStatement
    let source: SourceFile
    let archive: [ArchiveMember]
    /// How many scopes it sees.
    let depth: Int
    let frame = Frame()

    init(_ definition: DefinitionStatement, _ source: SourceFile, _ archive: [ArchiveMember], depth: Int) {
      self.definition = definition
      self.source = source
      self.archive = archive
      self.depth = depth
    }
  }

  struct Scope {
    let frame: Frame
    /// Names further out belong to another frame.
    let isOutermost: Bool
    var names: [String: Meaning] = [:]
    var procedures: [String: Procedure] = [:]
  }

  let environment: Environment
  let loader: any ScriptLoader
  var defines: [String: String]
  var scopes: [Scope] = []
  let root: SourceFile
  var source: SourceFile
  var archive: [ArchiveMember] = []
  /// Inside a file that is included.
  var isIncluded = false
  /// Names of the plain script that are in use.
  var taken: Set<String> = []
  /// Those that stand for values of the file, which its tests see.
  private var valueNames: Set<String> = []
  /// Statements that have to stand in front of the one that is being made.
  var before: [Item] = []
  /// Inside of something whose statements do not run once in their order.
  var staysOpen = 0
  /// Something was decided by the machine.
  private(set) var hasDecided = false
  /// Files that come behind the plain script.
  private(set) var members: [(name: String, content: [UInt8])] = []
  private var count = 0
  var isTooLarge: Bool { count > Expansion.limit }

  init(_ source: SourceFile, loader: any ScriptLoader, environment: Environment, defines: [String: String]) {
    root = source
    self.source = source
    self.loader = loader
    self.environment = environment
    self.defines = defines
  }

  func file(_ file: ScriptFile) -> [Item] {
    archive = file.archive
    scopes = [Scope(frame: Frame(), isOutermost: true)]
    return body(file.statements, keepsDeferred: true)
  }

  // MARK: Names

  func meaning(_ name: String) -> Meaning? {
    for scope in scopes.reversed() {
      if let meaning = scope.names[name] { return meaning }
    }
    return nil
  }

  /// The scope in which a name is bound in this frame, else the innermost.
  func scope(binding name: String) -> Int {
    for index in scopes.indices.reversed() {
      if scopes[index].names[name] != nil { return index }
      if scopes[index].isOutermost { break }
    }
    return scopes.count - 1
  }

  /// The plain script's name for one that is bound here.
  func bind(_ name: String) -> String {
    let index = scope(binding: name)
    if case .name(let own)? = scopes[index].names[name] { return own }
    let own = plainName(name, scopes[index].frame)
    scopes[index].names[name] = .name(own)
    return own
  }

  func plainName(_ name: String, _ frame: Frame) -> String {
    if let own = frame.own[name] { return own }
    var own = name
    var number = 1
    while !taken.insert(own).inserted {
      number += 1
      own = "\(name)_\(number)"
    }
    frame.own[name] = own
    return own
  }

  func set(_ name: String, _ value: Expression) { scopes[scope(binding: name)].names[name] = .value(value) }

  /// Gives a value a name in the plain script, so that a statement can speak of it.
  func keep(_ name: String) {
    guard case .value(let value)? = meaning(name) else { return }
    for index in scopes.indices.reversed() where scopes[index].names[name] != nil {
      let own = plainName(name, scopes[index].frame)
      scopes[index].names[name] = .name(own)
      valueNames.insert(own)
      before.append(.statement(Self.statement(own, value)))
      return
    }
  }

  static func statement(_ name: String, _ value: Expression) -> Statement {
    Statement(
      condition: nil, kind: .value(ValueStatement(name: symbol(name), value: value)), span: .zero)
  }

  static func symbol(_ name: String) -> Symbol { Symbol(name, span: .zero, ordinal: 0) }

  func procedure(_ name: String) -> Procedure? {
    for scope in scopes.reversed() {
      if let procedure = scope.procedures[name] { return procedure }
    }
    return nil
  }

  // MARK: Conditions

  func holds(_ condition: Condition?) -> Bool {
    guard let condition else { return true }
    hasDecided = true
    return condition.terms.allSatisfy { environment.holds($0) ?? false }
  }

  // MARK: Statements

  /// The plain statements of a body.
  ///
  /// - Parameter keepsDeferred: clean-up stays where it is; else it comes at the end of the body, as it runs.
  func body(_ statements: [Statement], keepsDeferred: Bool = false) -> [Item] {
    var items: [Item] = []
    var deferred: [Block] = []
    for statement in statements where !isTooLarge {
      if case .deferred(let block) = statement.kind {
        guard holds(statement.condition) else { continue }
        guard keepsDeferred else {
          deferred.append(block)
          continue
        }
        let inner = plain(body(block.statements))
        items.append(contentsOf: before)
        before = []
        if !inner.isEmpty { items.append(.statement(Self.wrapped(.deferred(Self.block(inner))))) }
        continue
      }
      items += unfolded(statement)
      count += 1
    }
    while let block = deferred.popLast() { items += body(block.statements) }
    return items
  }

  private func unfolded(_ statement: Statement) -> [Item] {
    // The file and its tests say themselves where they run; what else is not for this machine is gone.
    guard holds(statement.condition) else { return [] }
    let made = items(of: statement)
    defer { before = [] }
    return before + made
  }

  private func items(of statement: Statement) -> [Item] {
    func one(_ kind: Statement.Kind) -> [Item] { [.statement(Self.wrapped(kind))] }
    switch statement.kind {
    case .command(let command): return items(of: command)
    case .value(let value): return items(of: value)
    case .expect(let expect):
      return one(
        .expect(
          ExpectStatement(
            expectedFailure: expect.expectedFailure, subject: fold(expect.subject),
            comparison: expect.comparison, pattern: expect.pattern.map { fold($0) })))
    case .expectTrace(let expectation):
      let lines = expectation.body.statements.map { line -> Statement in
        guard case .command(var command) = line.kind else { return line }
        command.command = fold(operandsOf: command.command)
        return Self.wrapped(.command(command))
      }
      return one(
        .expectTrace(
          TraceExpectation(expectedFailure: expectation.expectedFailure, body: Self.block(lines))))
    case .section, .expectedFailure: return one(statement.kind)
    case .require: return isIncluded ? [] : one(statement.kind)
    case .test(let test): return [items(of: test)]
    case .loop(let loop): return items(of: loop)
    case .definition(let definition):
      scopes[scopes.count - 1].procedures[definition.name.text] = Procedure(
        definition, source, archive, depth: scopes.count)
      return []
    case .conditional(let conditional):
      // All are asked, so that it is known that something was.
      let arm = conditional.arms.first { holds($0.condition) }
      return body((arm?.body ?? conditional.otherwise)?.statements ?? [])
    case .include(let include): return items(of: include)
    case .export, .deferred: return []
    case .parameter(let parameter): return items(of: parameter)
    case .injection(let injection):
      let options = injection.options.map { fold($0) }
      let inner = plain(body(injection.body.statements))
      return one(
        .injection(
          InjectionStatement(
            kind: injection.kind, options: options, body: Self.block(inner),
            expectation: injection.expectation.map { fold($0) } ?? nil)))
    case .thread(let thread):
      return one(.thread(ThreadStatement(name: thread.name, body: Self.block(kept(thread.body)))))
    case .run(let run):
      return one(
        .run(
          RunStatement(
            thread: run.thread, point: run.point, options: run.options.map { fold($0) },
            expectation: run.expectation.map { fold($0) } ?? nil)))
    case .explore(let explore):
      let options = explore.options.map { fold($0) }
      return one(
        .explore(
          ExploreStatement(
            options: options, body: Self.block(kept(explore.body)),
            expectation: explore.expectation.map { fold($0) } ?? nil)))
    case .parallel(let block): return one(.parallel(parallel(block)))
    }
  }

  static func wrapped(_ kind: Statement.Kind) -> Statement {
    Statement(condition: nil, kind: kind, span: .zero)
  }

  static func block(_ statements: [Statement]) -> Block { Block(statements: statements, span: .zero) }

  /// Without comments; tests never stand in a block.
  func plain(_ items: [Item]) -> [Statement] {
    items.compactMap { if case .statement(let statement) = $0 { statement } else { nil } }
  }

  /// The statements of a block that does not run once in its order: values that change in it stay names.
  func kept(_ block: Block) -> [Statement] {
    for name in Self.names(boundIn: block.statements) { keep(name) }
    // What has to stand in front stands in front of the block.
    let outer = before
    before = []
    defer { before = outer }
    staysOpen += 1
    scopes.append(Scope(frame: scopes[scopes.count - 1].frame, isOutermost: false))
    defer {
      staysOpen -= 1
      scopes.removeLast()
    }
    return plain(body(block.statements))
  }

  /// Each statement is a thread, and one that comes to be several stays one.
  private func parallel(_ block: Block) -> Block {
    for name in Self.names(boundIn: block.statements) { keep(name) }
    let outer = before
    defer { before = outer }
    var threads: [Statement] = []
    for statement in block.statements {
      before = []
      if case .thread = statement.kind {
        threads += plain(unfolded(statement))
        continue
      }
      let inner = kept(Block(statements: [statement], span: statement.span))
      if inner.count == 1 {
        threads += inner
      } else if !inner.isEmpty {
        let name = plainName("strand", Frame())
        threads.append(
          Self.wrapped(
            .thread(ThreadStatement(name: Name(name, span: .zero), body: Self.block(inner)))))
      }
    }
    return Self.block(threads)
  }

  private func items(of value: ValueStatement) -> [Item] {
    let folded = fold(value.value)
    if staysOpen == 0, Self.isPlainValue(folded) {
      set(value.name.text, folded)
      return []
    }
    let own = bind(value.name.text)
    valueNames.insert(own)
    return [.statement(Self.statement(own, folded))]
  }

  private func items(of test: TestStatement) -> Item {
    let outer = (taken, valueNames)
    taken = valueNames
    scopes.append(Scope(frame: Frame(), isOutermost: true))
    defer {
      scopes.removeLast()
      (taken, valueNames) = outer
    }
    // What `require` says in a test is about the test alone.
    let wasIncluded = isIncluded
    isIncluded = false
    defer { isIncluded = wasIncluded }
    return .test(test, body(test.body.statements, keepsDeferred: true))
  }

  private func items(of parameter: ParameterStatement) -> [Item] {
    let name = parameter.name.text
    // An include gave it.
    if isIncluded, scopes.last?.names[name] != nil { return [] }
    var value: Expression?
    if !isIncluded, let text = defines.removeValue(forKey: name) {
      value = Self.value(text, parameter.type)
    } else {
      value = parameter.defaultValue.map { fold($0) }
    }
    guard let value else { return [] }
    set(name, value)
    if !Self.isPlainValue(value) { keep(name) }
    return []
  }

  /// A value from the command line, which has been found good.
  private static func value(_ text: String, _ type: ParameterStatement.ValueType) -> Expression? {
    if type == .text { return Expression(.string(Array(text.utf8)), span: .zero) }
    let file = SourceFile(name: "-D", text: "value = (\(text))")
    guard case .value(let statement)? = Parser.parse(file).0.statements.first?.kind else { return nil }
    if type == .flag, case .word(let word) = statement.value.kind {
      let isOn = ["on", "yes", "true"].contains(word)
      return Expression(.number(NumberLiteral(isOn ? 1 : 0)), span: .zero)
    }
    return Expression(statement.value.kind, span: .zero)
  }

  // MARK: Files

  private func items(of include: IncludeStatement) -> [Item] {
    let path = include.path.text
    let file: SourceFile
    if let member = archive.first(where: { $0.name.text == path }) {
      file = SourceFile(
        name: "\(source.name)/\(path)",
        bytes: Array(source.bytes[Int(member.content.start)..<Int(member.content.end)]))
    } else {
      do throws(LoadError) { file = try loader.load(path, from: source.name) } catch { return [] }
    }
    let (tree, _) = Parser.parse(file)
    for statement in tree.statements {
      if case .require(let condition) = statement.kind, holds(statement.condition), !holds(condition) {
        return [.comment("include \"\(path)\": it requires \(Printer.text(condition))")]
      }
    }
    let given = include.arguments.compactMap { operand -> (String, Expression)? in
      guard case .named(let name, let value) = operand.kind else { return nil }
      return (name.text, fold(value))
    }
    let saved = (source, archive, scopes, isIncluded, before)
    (source, archive, isIncluded, before) = (file, tree.archive, true, [])
    scopes = [Scope(frame: Frame(), isOutermost: true)]
    var items: [Item] = [.comment("include \"\(path)\"")]
    for (name, value) in given {
      set(name, value)
      if !Self.isVariable(value), !Self.isPlainValue(value) { keep(name) }
    }
    items += before
    before = []
    items += body(tree.statements)
    var exported: [(String, Meaning)] = []
    for statement in tree.statements {
      guard case .export(let names) = statement.kind else { continue }
      for name in names { if let meaning = meaning(name.text) { exported.append((name.text, meaning)) } }
    }
    (source, archive, scopes, isIncluded, before) = saved
    for (name, meaning) in exported { scopes[scope(binding: name)].names[name] = meaning }
    return items
  }

  /// What `file(name)` is called in the plain script.
  func fileName(_ name: String) -> String {
    guard let member = archive.first(where: { $0.name.text == name }) else {
      guard source !== root, !name.hasPrefix("/"), let slash = source.name.lastIndex(of: "/") else {
        return name
      }
      return String(source.name[...slash]) + name
    }
    let content = Array(source.bytes[Int(member.content.start)..<Int(member.content.end)])
    var own = name
    var number = 1
    while let known = members.first(where: { $0.name == own }), known.content != content {
      number += 1
      own = "\(number)-\(name)"
    }
    if !members.contains(where: { $0.name == own }) { members.append((own, content)) }
    return own
  }
}
