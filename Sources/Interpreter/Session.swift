// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Language
internal import UAPI

/// A conversation: one statement after the other, with bindings, procedures and the machine kept between.
///
/// Nothing is expected unless it is written; every command prints what came back.
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
  }

  private let program: Program
  private let resolver: Resolver
  private let executor: Executor
  private let printed: Printed
  private var count = 0

  /// Collects what `show` prints, since the executor outlives each statement.
  private final class Printed {
    var text = ""
  }

  public init(
    rig: Rig, loader: any ScriptLoader, options: RunOptions = RunOptions(),
    makeRig: @escaping () throws -> Rig
  ) {
    program = Program(source: SourceFile(name: "<session>", bytes: []))
    resolver = Resolver(
      program: program, environment: Environment(rig), loader: loader, defines: options.defines,
      expectsSuccess: false)
    let printed = Printed()
    var options = options
    options.output = { printed.text += $0 }
    self.printed = printed
    program.keepsRequests = true
    executor = Executor(program: program, rig: rig, options: options, makeRig: makeRig)
  }

  /// Names that are bound, the newest first.
  public var names: [String] { resolver.visibleNames }

  /// Runs a statement, or several.
  public func run(_ text: String) -> Reply {
    count += 1
    let source = SourceFile(name: "<input \(count)>", text: text)
    let (file, problems) = Parser.parse(source)
    guard problems.isEmpty else { return Reply(text: "", diagnostics: problems, outcome: nil, isGood: false) }
    resolver.begin(source)
    var header = Resolver.Header()
    let nodes = resolver.resolve(file.statements, header: &header)
    let diagnostics = resolver.takeDiagnostics()
    executor.growSlots()
    if diagnostics.contains(where: { $0.severity == .error }) {
      return Reply(text: "", diagnostics: diagnostics, outcome: nil, isGood: false)
    }
    if let reason = header.skipReason {
      return Reply(text: "does not hold: \(reason)\n", diagnostics: diagnostics, outcome: nil, isGood: true)
    }
    return carryOut(nodes, diagnostics)
  }

  private func carryOut(_ nodes: [Node], _ diagnostics: [Diagnostic]) -> Reply {
    printed.text = ""
    executor.halted = nil
    executor.report = CaseReport(name: "")
    executor.results = []
    executor.stage.scene += nodes
    var outcome: String?
    for node in nodes {
      executor.run([node])
      if case .injection(let injection) = node.kind, node.isEnabled, executor.report.failed == 0 {
        let text = "ok, " + executor.injectionText(injection.kind, executor.injectionResults)
        outcome = text
        printed.text += "\(text)\n"
      }
      if case .command(let command) = node.kind, executor.report.blocked == 0, node.isEnabled {
        if case .call = command.body { continue }
        let text = executor.outcomeText(command, ValueText(executor: executor))
        outcome = text
        switch command.body {
        case .action(.show), .action(.look(.view)), .action(.look(.graph)), .action(.look(.space)),
          .action(.look(.explain)):
          if executor.errno == 0 { continue }
        default: break
        }
        let reason = executor.reason?.reason.map { "  (\($0))" } ?? ""
        printed.text += "\(text)\(reason)\n"
      }
    }
    var report = executor.report
    let result = report.result(
      expectedFailure: nil, seconds: 0, unexpectedPass: { Executor.unexpectedPass($0, executor.noPlace) },
      halted: nil)
    for test in executor.results { printed.text += "test \"\(test.name)\": \(test.verdict)\n" }
    for note in result.notes { printed.text += note + "\n" }
    let all = diagnostics + result.diagnostics + executor.results.flatMap { $0.diagnostics }
    return Reply(
      text: printed.text, diagnostics: all, outcome: outcome,
      isGood: result.verdict.isGood && executor.results.allSatisfy { $0.verdict.isGood })
  }
}

extension Resolver {
  /// The next statement of a session has a source of its own.
  func begin(_ source: SourceFile) {
    self.source = source
    archive = []
  }
}
