// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Fuzzing
internal import Runner
internal import UAPI

// `iofd fuzz`: looks for programs that break a rule of the model. The options are those of libFuzzer where it has the
// same ones, with two dashes.

extension Subcommand {
  static let fuzz = Subcommand(
    name: "fuzz", operands: "[CORPUS...]",
    summary: """
      Makes programs up, guided by what they reach, and looks for one that breaks a rule, traps or never ends.
      Programs of all CORPUS directories are tried first; what reaches more is written to the first one.
      """,
    options: [
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.bug,
      OptionRow(
        "--time", "--max-total-time", value: .required("DURATION"), help: "how long: 60s, 24m, 2h (for ever)"),
      OptionRow(
        "--cpu-time", value: .required("DURATION"), help: "how much of a processor, of all processes together"
      ),
      OptionRow("--runs", value: .required("N"), help: "how many executions (no limit)"),
      OptionRow("--seed", value: .required("N"), help: "with one job, a seed is one run (1)"),
      OptionRow("--jobs", "-j", value: .required("N"), help: "processes that try programs (1)"),
      OptionRow(
        "--corpus", value: .required("PATH"), help: "further programs to begin with; repeat for more"),
      OptionRow(
        "--out", value: .required("DIR"), help: "where programs that reach more go (the first CORPUS)"),
      OptionRow(
        "--findings", "--artifacts", value: .required("DIR"), help: "where findings go (findings)"),
      OptionRow("--timeout", value: .required("DURATION"), help: "longest time for one input (10s)"),
      OptionRow("--memory", value: .required("SIZE"), help: "most memory of a process (2G)"),
      OptionRow("--max-len", value: .required("BYTES"), help: "longest program, 16 bytes a record (1024)"),
      OptionRow("--stop", help: "stop at the first finding"),
      OptionRow("--quiet", "-q", help: "say what was found and nothing else"),
    ],
    run: { arguments throws(UsageError) in try Fuzz(arguments).run() })

  /// The processes of `iofd fuzz` and `iofd minimize`.
  static let trialWorker = Subcommand(
    name: "trial-worker", operands: "", summary: "Tries the inputs that come through standard input.",
    options: [SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.bug],
    run: { arguments throws(UsageError) in TrialWorker.run(try SharedOptions.rigs(arguments)) })
}

/// The words that start a worker for the same rigs.
enum TrialCommand {
  static func words(_ arguments: Arguments) -> [String] {
    var words = [HostFile.resolved("/proc/self/exe"), Subcommand.trialWorker.name]
    for name in ["--kernel", "--backend", "--target", "--bug"] {
      for value in arguments.all(name) { words.append("\(name)=\(value)") }
    }
    return words
  }
}

private struct Fuzz {
  private var plan: Fuzzer.Plan
  private let isQuiet: Bool
  private let scene: ByteScene

  init(_ arguments: Arguments) throws(UsageError) {
    let rigs = try SharedOptions.rigs(arguments)
    guard let scene = rigs.scene else {
      throw UsageError(
        message: "no program in bytes starts on \(rigs.backend.text)",
        help: "one of: "
          + ByteScene.Family.allCases.flatMap { ByteScene.variants($0) }.joined(separator: " "))
    }
    self.scene = scene
    plan = Fuzzer.Plan(rigs)
    plan.worker = TrialCommand.words(arguments)
    plan.run.seconds = try arguments.duration("--time")
    plan.run.processorSeconds = try arguments.duration("--cpu-time")
    plan.run.executions = try arguments.number("--runs", minimum: 0)
    plan.run.jobs = try arguments.number("--jobs", minimum: 1) ?? 1
    plan.run.stopsAtFinding = arguments.has("--stop")
    if let seed = try arguments.number("--seed", minimum: 0) { plan.run.seed = UInt64(seed) }
    if let length = try arguments.number("--max-len", minimum: ByteProgram.recordLength) {
      plan.run.longest = length / ByteProgram.recordLength
    }
    plan.inputs = arguments.operands + arguments.all("--corpus")
    plan.corpus = arguments.last("--out") ?? arguments.operands.first
    plan.findings = arguments.last("--findings") ?? "findings"
    if let seconds = try arguments.duration("--timeout") { plan.timeout = seconds }
    if let size = try arguments.size("--memory") { plan.memory = size }
    guard rigs.canRunSideBySide || plan.run.jobs == 1 else {
      throw UsageError(
        message: "there is one kernel to talk to: --jobs is 1 with --target \(rigs.target.rawValue)")
    }
    isQuiet = arguments.has("--quiet")
  }

  func run() throws(UsageError) -> ExitStatus {
    let view = FuzzView(isQuiet: isQuiet)
    if !isQuiet {
      view.say("fuzzing \(scene.backend) of Linux \(plan.rigs.kernel.rawValue), seed \(plan.run.seed)")
    }
    let fuzzer: Fuzzer
    do throws(FileFailure) {
      fuzzer = try Fuzzer(plan, found: { view.found($0) }, progress: { view.progress($0) })
    } catch {
      Terminal.complain("\(error)")
      return .usage
    }
    let summary = fuzzer.run()
    view.end(summary, findings: plan.findings)
    if let failure = summary.failure { Terminal.complain("\(failure)") }
    return max(summary.status, view.status)
  }
}
