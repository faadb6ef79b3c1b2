// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Language
public import Runner

/// `iofd minimize`, without a command line: the smallest input that shows the same finding.
///
/// What an input is made of depends on its format: records, lines of a program, statements of a script. They are dropped,
/// then their numbers are replaced by simpler ones, as long as the signature of the finding stays.
public struct Minimizer: Sendable {
  public struct Plan: Sendable {
    public var rigs: Rigs
    /// As in `Fuzzer.Plan`.
    public var worker: [String]?
    public var timeout = 10.0
    public var memory = 2 << 30
    /// Most inputs to try.
    public var trials = 10_000

    public init(_ rigs: Rigs) { self.rigs = rigs }

    /// What tries inputs.
    func trial() throws(FileFailure) -> any Trial {
      guard let worker else { return LocalTrial(rigs) }
      return try TrialProcess(worker, TrialProcess.Limits(seconds: timeout, memory: memory))
    }
  }

  public struct Result: Sendable {
    /// The smallest input.
    public let bytes: [UInt8]
    public let signature: String
    public let message: String
    /// `records`, `lines` or `statements`: what was counted, before and after.
    public let unit: String
    public let before: Int
    public let after: Int
    public let trials: Int
    /// What the finding means for an exit status.
    public let status: ExitStatus
  }

  public enum Failure: Error, Sendable, CustomStringConvertible {
    /// Nothing is wrong with the input, or nothing that can be made smaller.
    case passes
    case invalid(String)
    case unsupported(String)
    case worker(FileFailure)

    public var description: String {
      switch self {
      case .passes: "nothing is wrong with it: there is no finding that could stay"
      case .invalid(let message): "it is no valid input: \(message)"
      case .unsupported(let format): "inputs of format \(format) are not made smaller"
      case .worker(let failure): "\(failure)"
      }
    }
  }

  private let plan: Plan

  public init(_ plan: Plan) { self.plan = plan }

  public func minimize(_ bytes: [UInt8], name: String) throws(Failure) -> Result {
    let trial: any Trial
    do throws(FileFailure) { trial = try plan.trial() } catch { throw .worker(error) }
    // What a closer look finds first may be something else.
    var effort = TrialEffort.quick
    var first = trial.run(bytes, effort)
    if first.finding == nil {
      effort = .thorough
      first = trial.run(bytes, effort)
    }
    guard let finding = first.finding else { throw .passes }
    guard finding.verdict != "invalid" else { throw .invalid(finding.message) }
    var session = Session(trial, effort, finding)
    let (smallest, unit, before, after) = try shrink(bytes, name, &session)
    return Result(
      bytes: smallest, signature: finding.signature, message: session.last.message, unit: unit,
      before: before, after: after, trials: session.trials, status: Fuzzer.status(finding.verdict))
  }

  /// Tries inputs, and remembers what the last one that showed the finding said.
  private final class Session {
    private let trial: any Trial
    private let effort: TrialEffort
    private(set) var last: TrialOutcome.Finding
    private(set) var trials = 0

    init(_ trial: any Trial, _ effort: TrialEffort, _ finding: TrialOutcome.Finding) {
      self.trial = trial
      self.effort = effort
      last = finding
    }

    func holds(_ bytes: [UInt8]) -> Bool {
      trials += 1
      guard let now = trial.run(bytes, effort).finding, now.signature == last.signature else { return false }
      last = now
      return true
    }
  }

  private func shrink(_ bytes: [UInt8], _ name: String, _ session: inout Session) throws(Failure) -> (
    [UInt8], unit: String, before: Int, after: Int
  ) {
    let holder = session
    switch InputFormat.of(bytes, name: name) {
    case .byteProgram, .bytes:
      let program: ByteProgram
      do throws(ByteProgram.UnknownVersion) { program = try ByteProgram(bytes) } catch {
        throw .invalid("\(error)")
      }
      let smallest = ProgramShrinker.shrink(program, trials: plan.trials) { holder.holds($0.bytes) }
      return (smallest.bytes, "records", program.records.count, smallest.records.count)
    case .syzkallerProgram, .recordedPrograms:
      let text = LineText(bytes)
      var shrinker = Shrinker<String>(budget: plan.trials, simpler: LineText.simpler) {
        holder.holds(text.bytes($0))
      }
      let lines = shrinker.shrink(text.lines)
      return (text.bytes(lines), "lines", text.lines.count, lines.count)
    case .script:
      let script = ScriptText(bytes, name: name)
      var shrinker = Shrinker<Int>(budget: plan.trials) { holder.holds(script.bytes(keeping: $0)) }
      let kept = shrinker.shrink(Array(script.statements.indices))
      return (script.bytes(keeping: kept), "statements", script.statements.count, script.count(keeping: kept))
    case .syzkallerLog: throw .unsupported("console log")
    case .corpusDB: throw .unsupported("corpus.db")
    case .zip: throw .unsupported("zip")
    case .driverRecording: throw .unsupported("driver recording")
    }
  }
}
