// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpose
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
    ],
    run: { arguments throws(UsageError) in try ProgramRun(arguments).run() })
}

/// A command line of `iofd exec`.
private struct ProgramRun {
  private let program: [String]
  private let kernel: Personality
  private let checks: Bool
  private let trace: String?

  init(_ arguments: Arguments) throws(UsageError) {
    program = arguments.operands
    guard !program.isEmpty else {
      throw UsageError(message: "run what?", help: "iofd exec -- PROGRAM ARG...")
    }
    kernel = try arguments.choice("--kernel", Personality.self) ?? .standard
    checks = arguments.has("--check")
    trace = arguments.last("--trace")
  }

  func run() throws(UsageError) -> Int32 {
    var output: ByteOutput?
    if let trace {
      do throws(FileFailure) {
        output = trace.isEmpty ? ByteOutput.standardError() : try ByteOutput(creating: trace)
      } catch {
        Terminal.complain(error.description)
        return ExitStatus.usage.rawValue
      }
    }
    let witness = ProgramWitness(trace: output)
    var watchers = Supervisor.Watchers()
    watchers.check = checks
    watchers.observer = output != nil || checks ? witness : nil
    let supervisor = Supervisor(Supervisor.machine(for: kernel), watchers) { Terminal.complain($0) }
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
    if let output, status == 0 { status = Terminal.finish(output, .passed).rawValue }
    return status
  }
}

/// Writes down what a program does.
private final class ProgramWitness: CallObserver, @unchecked Sendable {
  private let lock = Mutex<Void>(())
  private let trace: ByteOutput?
  private var last: String = "nothing"
  private(set) var violations = 0
  private static let violationLimit = 20

  init(trace: ByteOutput?) { self.trace = trace }

  var wantsMemory: Bool { false }

  func call(_ call: AnsweredCall) {
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
