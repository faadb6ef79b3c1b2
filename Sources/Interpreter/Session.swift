// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Language
internal import UAPI
public import Views

/// A conversation: one statement after the other, with bindings, procedures and the machine kept between.
///
/// Nothing is expected unless it is written; every command prints what came back. What did something is kept as an
/// entry, so that the session can be made again (`Journal`) and written down as a script (`Session+Script`).
public final class Session {
  /// What one statement did.
  public struct Reply: Sendable {
    /// For people: `ok, iova=0x1000`, what `show` printed; empty when there is nothing to say.
    public let text: String
    public let diagnostics: [Diagnostic]
    /// The answer in script syntax, to be written behind `->`; nil for what is no command.
    public let outcome: String?
    /// Everything expected came true, or nothing was expected.
    public let isGood: Bool
    /// A request was refused.
    public let isRefused: Bool
    /// How many statements were carried out before Ctrl-C stopped it; nil when nothing did.
    public let cancelledStep: Int?
  }

  let program: Program
  let resolver: Resolver
  let executor: Executor
  private let loader: RememberingLoader
  private let printed: Printed
  private var count = 0
  /// See `boundNames`.
  var keptNames: [BoundName]?
  /// The command that answered in what was typed last.
  private var lastCommand: CommandNode?
  /// What did something, in the order in which it was typed.
  private(set) var entries: [SessionEntry] = []

  /// Collects what `show` prints, since the executor outlives each statement.
  private final class Printed {
    var text = ""
  }

  public init(
    rig: Rig, loader: any ScriptLoader, options: RunOptions = RunOptions(),
    makeRig: @escaping () throws -> Rig
  ) {
    self.loader = RememberingLoader(loader)
    program = Program(source: SourceFile(name: "<session>", bytes: []))
    resolver = Resolver(
      program: program, environment: Environment(rig), loader: self.loader, defines: options.defines,
      expectsSuccess: false)
    let printed = Printed()
    var options = options
    options.output = { printed.text += $0 }
    self.printed = printed
    program.keepsRequests = true
    executor = Executor(program: program, rig: rig, options: options, makeRig: makeRig)
    executor.answers = AnswerLog()
  }

  // Threads that stand somewhere must not outlive the machine.
  deinit { executor.finishThreads() }

  /// Runs a statement, or several.
  public func run(_ text: String) -> Reply {
    count += 1
    keptNames = nil
    let source = SourceFile(name: "<input \(count)>", text: text)
    let (file, problems) = Parser.parse(source)
    guard problems.isEmpty else { return Reply(failing: problems) }
    loader.begin()
    let scopes = resolver.scopes
    let (nodes, definitions, header) = resolve(file)
    let diagnostics = resolver.takeDiagnostics()
    if diagnostics.contains(where: { $0.severity == .error }) {
      // Names that it would have bound are not bound.
      resolver.scopes = scopes
      return Reply(failing: diagnostics)
    }
    if let reason = header.skipReason {
      return Reply(text: "does not hold: \(reason)\n", diagnostics: diagnostics)
    }
    return carryOut(nodes, definitions, source, diagnostics)
  }

  /// Carries an entry of another session out again, without a word.
  func repeatEntry(_ entry: SessionEntry) {
    count += 1
    keptNames = nil
    let (file, _) = Parser.parse(entry.source)
    loader.begin(remembering: entry.loads)
    var entry = entry
    (entry.nodes, entry.definitions, _) = resolve(file)
    _ = resolver.takeDiagnostics()
    executor.beginStatement(stoppingAt: entry.cancelledStep)
    executor.stage.scene += entry.nodes
    for node in entry.nodes { executor.run([node]) }
    printed.text = ""
    entries.append(entry)
  }

  private func resolve(_ file: ScriptFile) -> ([Node], [[Node]], Resolver.Header) {
    resolver.begin(file.source)
    var header = Resolver.Header()
    let nodes = resolver.resolve(file.statements, header: &header)
    executor.growSlots()
    let definitions = file.statements.compactMap { statement -> [Node]? in
      guard case .definition(let definition) = statement.kind else { return nil }
      return resolver.procedure(named: definition.name.text)?.body
    }
    return (nodes, definitions, header)
  }

  private func carryOut(
    _ nodes: [Node], _ definitions: [[Node]], _ source: SourceFile, _ diagnostics: [Diagnostic]
  ) -> Reply {
    printed.text = ""
    lastCommand = nil
    executor.beginStatement()
    executor.stage.scene += nodes
    let refusedBefore = executor.refused?.node
    var outcome: String?
    var answers: [[String]] = []
    var failures: [SessionEntry.Failure?] = []
    for node in nodes {
      let (failed, stopped) = (executor.report.failed, executor.report.blocked + executor.report.skipped)
      executor.run([node])
      let answer = self.answer(of: node, isRun: executor.report.blocked + executor.report.skipped == stopped)
      if let answer {
        let text = answer.joined(separator: ", ")
        outcome = text
        if !Self.isShow(node) || executor.errno != 0 {
          let reason = executor.reason?.reason.map { "  (\($0))" } ?? ""
          printed.text += "\(text)\(isCommand(node) ? reason : "")\n"
        }
      }
      if answer != nil, case .command(let command) = node.kind { lastCommand = command }
      answers.append(answer ?? [])
      failures.append(
        executor.report.blocked + executor.report.skipped > stopped && node.isEnabled && answer == nil
          ? .notRun : executor.report.failed > failed ? failure(of: node, answer) : nil)
    }
    var report = executor.report
    let result = report.result(
      expectedFailure: nil, seconds: 0, unexpectedPass: { Executor.unexpectedPass($0, executor.noPlace) },
      halted: nil)
    for test in executor.results { printed.text += "test \"\(test.name)\": \(test.verdict)\n" }
    for note in result.notes { printed.text += note + "\n" }
    let isCancelled = executor.halted == .cancelled
    entries.append(
      SessionEntry(
        source: source, nodes: nodes, definitions: definitions, answers: answers, failures: failures,
        loads: loader.loads, cancelledStep: executor.cancelledStep,
        obstacle: isCancelled && executor.cancelledStep == nil
          ? "it was interrupted in the middle of a step" : nil,
        isLook: definitions.isEmpty && !nodes.isEmpty && nodes.allSatisfy { Self.isLook($0) }))
    let all = diagnostics + result.diagnostics + executor.results.flatMap { $0.diagnostics }
    let refused = executor.refused.map { $0.node !== refusedBefore } ?? false
    return Reply(
      text: printed.text, diagnostics: all, outcome: outcome,
      isGood: result.verdict.isGood && executor.results.allSatisfy { $0.verdict.isGood },
      isRefused: refused, cancelledStep: isCancelled ? max(0, executor.steps - 1) : nil)
  }

  // MARK: Answers

  /// What a node answered, in parts; nil for what answers nothing or was not carried out.
  private func answer(of node: Node, isRun: Bool) -> [String]? {
    guard node.isEnabled, isRun else { return nil }
    switch node.kind {
    case .injection(let injection):
      guard executor.report.failed == 0 else { return nil }
      return ["ok", executor.injectionText(injection.kind, executor.injectionResults)]
    case .command(let command):
      if case .call = command.body { return nil }
      // What evaluation kept from being asked has no answer.
      guard executor.halted == nil, executor.answers?.answer(of: command) != nil else { return nil }
      return executor.outcomeParts(command, ValueText(executor: executor))
    default: return nil
    }
  }

  private func isCommand(_ node: Node) -> Bool { if case .command = node.kind { true } else { false } }

  static func isShow(_ node: Node) -> Bool {
    guard case .command(let command) = node.kind else { return false }
    switch command.body {
    case .action(.show), .action(.look(.view)), .action(.look(.graph)), .action(.look(.space)),
      .action(.look(.explain)):
      return true
    default: return false
    }
  }

  /// What to write instead of a statement whose demand did not hold.
  private func failure(of node: Node, _ answer: [String]?) -> SessionEntry.Failure {
    switch node.kind {
    case .command where answer == nil: return .notRun
    case .command: return node.expectedFailure == nil ? .replaced("") : .unmendable
    case .expect(let expect):
      guard expect.comparison == .equal, let code = expect.subject, node.expectedFailure == nil else {
        return .unmendable
      }
      do throws(Stop) {
        let value = try executor.value(code)
        return .replaced("expect \(expect.text) = \(ValueText(executor: executor).text(value, .any))")
      } catch { return .notRun }
    case .bind: return .notRun
    default: return .unmendable
    }
  }

  /// Whether a node does nothing that could be taken back.
  private static func isLook(_ node: Node) -> Bool {
    switch node.kind {
    case .expect(let expect): !binds(expect.pattern)
    case .command(let command):
      switch command.body {
      case .action(.show), .action(.hardware(.walk)):
        command.bindings.isEmpty && !command.demand.checks.contains { binds($0.pattern) }
      default: false
      }
    default: false
    }
  }

  private static func binds(_ pattern: PatternCode) -> Bool {
    switch pattern {
    case .binding: true
    case .ordered(let parts), .unordered(let parts): parts.contains { binds($0) }
    case .record(let members): members.contains { binds($0.pattern) }
    case .value, .none, .gap: false
    }
  }

  // MARK: Asking

  /// Why the last request that was refused was refused; nil when none was.
  public var refusal: Refusal? { executor.refused.map { executor.explain($0) } }

  /// What the last command answered, without names, so that it can be compared with what another session answered; nil
  /// where what was typed last answers nothing.
  public var lastAnswer: (verb: String, text: String)? {
    guard let lastCommand, let verb = lastCommand.verb else { return nil }
    return (verb.name, executor.outcomeText(lastCommand, ValueText(executor: executor, slots: [])))
  }

  /// What a name stands for, without names; nil for one that is not bound.
  public func plainValue(of name: String) -> String? {
    guard case .found(let binding) = resolver.lookUp(name), binding.slot < executor.slots.count else {
      return nil
    }
    let value = executor.slots[binding.slot]
    if case .unset = value { return nil }
    if case .memory(let address, let length) = value {
      let printer = ValueText(executor: executor, slots: [])
      return "memory at \(printer.hex(address)), \(length) bytes, sum \(printer.hex(sum(address, length)))"
    }
    return "\(value.kind.described) \(ValueText(executor: executor, slots: []).text(value, .any))"
  }

  /// A sum of the first bytes of memory (FNV-1a), by which other contents show.
  private func sum(_ address: UInt64, _ length: UInt64) -> UInt64 {
    let bytes = (try? executor.target.memory.bytes(at: address, count: Int(min(length, 1 << 16)))) ?? []
    return bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// The whole state behind the waist; nil for a target that has no bench.
  public var state: Fact? { executor.bench?.restingState() }

  /// What is alive, and what it holds, for drawing and comparing.
  public var snapshot: Snapshot { executor.snapshot(withContents: true) }

  /// Bound names with their values, as `show names` prints them.
  public var namesText: String {
    var text = ""
    let printer = ValueText(executor: executor)
    for (index, slot) in program.slots.enumerated() {
      if case .unset = executor.slots[index] { continue }
      text += "\(slot.name) = \(printer.text(executor.slots[index], .any))\n"
    }
    return text
  }
}

extension Session.Reply {
  /// Nothing was carried out.
  init(failing diagnostics: [Diagnostic]) {
    self.init(
      text: "", diagnostics: diagnostics, outcome: nil, isGood: false, isRefused: false, cancelledStep: nil)
  }

  init(text: String, diagnostics: [Diagnostic]) {
    self.init(
      text: text, diagnostics: diagnostics, outcome: nil, isGood: true, isRefused: false, cancelledStep: nil)
  }
}

extension Resolver {
  /// The next statement of a session has a source of its own.
  func begin(_ source: SourceFile) {
    self.source = source
    archive = []
  }
}
