// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpose
internal import Interpreter
internal import Language
internal import Machine
internal import Runner
internal import Synchronization
internal import UAPI

// `iofd exec`: a program whose /dev/iommu is the model.

extension Subcommand {
  static let exec = Subcommand(
    name: "exec", program: "[--] PROGRAM [ARG...]",
    summary: "Runs a program, as it is, whose /dev/iommu is the model; ends with its exit status.",
    options: [
      SharedOptions.kernel,
      OptionRow("--check", help: "look for broken invariants after every request; they make the status 1"),
      OptionRow(
        "--trace", value: .optional("FILE"),
        help: "tell every call that the model answers, decoded (standard error)"),
      OptionRow(
        "--record", value: .required("FILE.iofd"),
        help: "write what the program did as a script that expects the same"),
      OptionRow(
        "--machine", value: .required("FILE.iofd"), help: "a script that runs first, on the same machine"),
      SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in try ProgramRun(arguments).run() })
}

/// A command line of `iofd exec`.
private struct ProgramRun {
  private let program: [String]
  private let kernel: Personality
  private let checks: Bool
  private let tracePath: String?
  private let recordPath: String?
  private let machineScript: String?
  private let arguments: Arguments

  init(_ arguments: Arguments) throws(UsageError) {
    self.arguments = arguments
    program = arguments.operands
    guard !program.isEmpty else {
      throw UsageError(message: "run what?", help: "iofd exec -- PROGRAM ARG...")
    }
    kernel = try arguments.choice("--kernel", Personality.self) ?? .standard
    checks = arguments.has("--check")
    tracePath = arguments.last("--trace")
    recordPath = arguments.last("--record")
    machineScript = arguments.last("--machine")
  }

  func run() throws(UsageError) -> Int32 {
    var output: ByteOutput?
    do throws(FileFailure) {
      if let tracePath { output = tracePath.isEmpty ? .standardError() : try ByteOutput(creating: tracePath) }
      // A place where nothing can be written is told before the program runs, not after.
      if let recordPath { try HostFile.replace(recordPath, with: []) }
    } catch {
      Terminal.complain(error.description)
      return ExitStatus.usage.rawValue
    }
    let recorder = recordPath.map { _ in ScriptRecorder(kernel: kernel, title: program.joined(separator: " "))
    }
    let witness = ProgramWitness(trace: output, recorder)
    var watchers = Supervisor.Watchers()
    watchers.check = checks
    watchers.observer = output != nil || checks || recorder != nil ? witness : nil
    let supervisor = Supervisor(Supervisor.machine(for: kernel), watchers) { Terminal.complain($0) }
    // What the script has opened stays open until the program has ended.
    let target = ModelTarget(supervisor.machine)
    defer { withExtendedLifetime(target) {} }
    if let machineScript, let status = try prepare(target, machineScript) { return status.rawValue }

    var status: Int32
    do throws(Supervisor.Failure) { status = try supervisor.run(program) } catch {
      Terminal.complain(error.message)
      return error.status
    }
    if checks {
      let rest = supervisor.machine.violations()
      if !rest.isEmpty { witness.broken(rest) }
    }
    witness.finish()
    if witness.violations > 0 {
      Terminal.complain("\(witness.violations) broken invariants")
      status = max(status, ExitStatus.failed.rawValue)
    }
    if let recorder, let recordPath, !save(recorder, recordPath), status == 0 {
      status = ExitStatus.usage.rawValue
    }
    if let output, status == 0 { status = Terminal.finish(output, .passed).rawValue }
    return status
  }

  /// Runs the script of `--machine`; nil when the program may run.
  private func prepare(_ target: ModelTarget, _ path: String) throws(UsageError) -> ExitStatus? {
    let errors = ByteOutput.standardError()
    let renderer = try SharedOptions.renderer(arguments, for: errors)
    let source: SourceFile
    do throws(FileFailure) { source = try ScriptTree.load(path) } catch {
      Terminal.complain(error.description)
      return .invalid
    }
    var options = RunOptions()
    options.output = { errors.write($0) }
    let rig = Rig(target: target, bench: ModelBench(target), backend: Backend.mock.name)
    let result = Interpreter.run(source, loader: DiskLoader(), options: options) { rig }
    for diagnostic in result.diagnostics + result.cases.flatMap(\.diagnostics) {
      errors.write(renderer.render(diagnostic))
    }
    errors.flush()
    switch result.verdict {
    case .passed, .skipped, .expectedFailure: return nil
    case .invalid: return .invalid
    default:
      Terminal.complain("\(path) failed, so the program is not run")
      return .failed
    }
  }

  /// Writes the recording: one script, or one that includes its parts, which lie beside it.
  private func save(_ recorder: ScriptRecorder, _ path: String) -> Bool {
    let name = path.split(separator: "/").last.map { String($0) } ?? path
    let scripts = recorder.scripts { "\(name).\($0)" }
    do throws(FileFailure) {
      for (index, script) in scripts.enumerated().reversed() {
        try HostFile.replace(index == 0 ? path : "\(path).\(index)", with: Array(script.utf8))
      }
      return true
    } catch {
      Terminal.complain(error.description)
      return false
    }
  }
}

/// Writes down what a program does.
private final class ProgramWitness: CallObserver, @unchecked Sendable {
  private let lock = Mutex<Void>(())
  private let trace: ByteOutput?
  private var last: String = "nothing"
  private(set) var violations = 0
  private static let violationLimit = 20
  private let recorder: ScriptRecorder?

  init(trace: ByteOutput?, _ recorder: ScriptRecorder?) {
    self.trace = trace
    self.recorder = recorder
  }

  var wantsMemory: Bool { recorder != nil }

  func released(file: UInt64) { recorder?.released(file: file) }

  func unmapped(address: UInt64, length: UInt64, process: Int32) {
    recorder?.unmapped(address: address, length: length, process: process)
  }

  func call(_ call: AnsweredCall, in program: any ObservedProgram) {
    recorder?.call(call, in: program)
    lock.withLock { _ in
      let place = call.descriptor >= 0 ? " fd \(call.descriptor)" : ""
      let line = "[\(call.thread)\(place)] \(call.line)"
      last = line
      guard let trace else { return }
      trace.write(line + "\n")
      trace.flush()
    }
  }

  func broken(_ violations: [Violation]) {
    lock.withLock { _ in
      for violation in violations {
        self.violations += 1
        guard self.violations <= Self.violationLimit else { return }
        Terminal.complain("broken invariant: \(violation)", help: "after \(last)")
      }
    }
  }

  func finish() { lock.withLock { _ in trace?.flush() } }
}
