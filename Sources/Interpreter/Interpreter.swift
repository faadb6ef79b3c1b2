// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Language
internal import UAPI

/// Runs scripts: reads, resolves names to slots and commands to requests, and carries them out on a rig.
///
///     let result = Interpreter.run(source, loader: loader, makeRig: { try Machine.rig() })
public enum Interpreter {
  /// Reads and resolves a script without running it.
  ///
  /// - Returns: errors and warnings, in the order of their places within each file.
  public static func check(
    _ source: SourceFile, loader: any ScriptLoader, environment: Environment, defines: [String: String] = [:]
  ) -> [Diagnostic] {
    ScriptIndex(source, loader: loader, environment: environment, defines: defines).diagnostics
  }

  /// Runs a script.
  ///
  /// `makeRig` is called once for the file and once for each of its tests, so each has a machine of its own.
  /// A script with errors is not run at all.
  public static func run(
    _ source: SourceFile, loader: any ScriptLoader, options: RunOptions = RunOptions(),
    makeRig: @escaping () throws -> Rig
  ) -> ScriptResult {
    let begin = Clock.now()
    var options = options
    if let limit = options.secondsLimit { options.deadline = begin &+ UInt64(max(0, min(limit, 1e9)) * 1e9) }
    var swept = SweepLedger()
    func over(_ verdict: Verdict, _ cases: [CaseResult], _ diagnostics: [Diagnostic]) -> ScriptResult {
      ScriptResult(
        name: source.name, verdict: verdict, cases: cases, diagnostics: diagnostics,
        seconds: Clock.seconds(since: begin), swept: swept)
    }
    let (file, problems) = Parser.parse(source)
    let rig: Rig
    do {
      rig = try makeRig()
    } catch {
      return over(
        .failed, [],
        problems + [Diagnostic(.noMachine, in: source, at: Span.zero, "cannot make a machine: \(error)")])
    }
    let (program, resolver) = resolve(
      file, loader, Environment(rig), options.defines, keepsVisible: options.clauses != nil)
    let diagnostics = problems + resolver.diagnostics
    if diagnostics.contains(where: { $0.severity == .error }) { return over(.invalid, [], diagnostics) }
    if let reason = program.skipReason { return over(.skipped(reason), [], diagnostics) }

    let executor = Executor(program: program, rig: rig, options: options, makeRig: makeRig)
    executor.runFrame(program.body)
    executor.finish(Place(source: source, span: source.lineSpan(source.lineCount)))
    if let sweep = executor.sweep {
      makeLateFailures(of: executor, makeRig: makeRig)
      swept = sweep.ledger
      executor.report.note(
        "sweep: \(swept.total.calls) calls were made to fail \(swept.total.points) times")
    }
    var cases = executor.results
    let own = executor.report.result(
      expectedFailure: nil, seconds: Clock.seconds(since: begin),
      unexpectedPass: { Executor.unexpectedPass($0, executor.noPlace) }, halted: executor.halted)
    if own.counts.total > 0 || !own.diagnostics.isEmpty || cases.isEmpty {
      cases.append(own)
      options.observer?.finished(own)
    }
    return over(
      verdict(cases, executor, program, options), cases, diagnostics + staleness(program, options))
  }

  private static func resolve(
    _ file: ScriptFile, _ loader: any ScriptLoader, _ environment: Environment, _ defines: [String: String],
    keepsVisible: Bool = false
  ) -> (Program, Resolver) {
    let program = Program(source: file.source)
    let resolver = Resolver(
      program: program, environment: environment, loader: loader, defines: defines, expectsSuccess: true,
      keepsVisible: keepsVisible)
    resolver.resolve(file)
    return (program, resolver)
  }

  /// The worst of the cases, seen in the light of the file's own `xfail`.
  private static func verdict(
    _ cases: [CaseResult], _ executor: Executor, _ program: Program, _ options: RunOptions
  ) -> Verdict {
    switch executor.halted {
    case .cancelled: return .interrupted
    case .timedOut, .limit: return .timedOut
    default: break
    }
    let isBad = cases.contains { !$0.verdict.isGood }
    if let failure = program.expectedFailure {
      if isBad { return .expectedFailure(failure.reason.text) }
      return executor.halted == nil ? .unexpectedPass(failure.reason.text) : .passed
    }
    if isBad { return .failed }
    if !cases.isEmpty, cases.allSatisfy({ if case .skipped = $0.verdict { true } else { false } }) {
      return cases[0].verdict
    }
    return .passed
  }

  private static func staleness(_ program: Program, _ options: RunOptions) -> [Diagnostic] {
    guard let failure = program.expectedFailure, let until = failure.until, let today = options.today,
      until < today
    else { return [] }
    return [
      Diagnostic(
        .staleExpectedFailure, in: program.source, at: failure.span, "this announced failure is past its day")
    ]
  }
}

extension Environment {
  /// What conditions see of a rig.
  public init(_ rig: Rig) {
    self.init(kernel: rig.target.kernel, backend: rig.backend, hasBench: rig.bench != nil)
  }
}

extension Resolver {
  /// A whole script.
  func resolve(_ file: ScriptFile) {
    archive = file.archive
    var header = Header()
    program.body = resolve(file.statements, header: &header)
    program.skipReason = header.skipReason
    program.expectedFailure = header.expectedFailure
    for name in exports {
      if case .missing = lookUp(name.text) {
        report(.unknownName, place(name.span), "'\(name.text)' is exported and never bound")
      }
    }
    for name in defines.keys.sorted() {
      add(
        Diagnostic(
          .unknownParameter, in: file.source, at: Span.zero, "the script has no parameter '\(name)'",
          help: [
            Suggest.help(for: name, in: program.slots.map { $0.name })
              ?? "declare it: param \(name): int = ..."
          ]))
    }
  }
}
