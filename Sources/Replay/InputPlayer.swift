// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import DriverReplay
internal import Interpreter
public import Runner
internal import UAPI

/// Plays one input on a machine that nobody has touched yet, and tells what it showed.
///
/// On the model the outcome is a function of the input and the configuration: no clock, no number of a process and nothing
/// that an earlier input did is in it. So an input that did not come to its verdict (its process died, somebody pressed
/// Ctrl-C) can be played again anywhere, and a rule that was found broken at an input's end is found again at the very
/// call, by playing it once more with a look after each.
///
/// What this does not guard against is the input that traps the model or never ends: see `WorkerPool`.
public final class InputPlayer {
  public struct Configuration: Sendable {
    public var rigs = Rigs()
    /// Look for broken rules after every call. Otherwise once or twice an input, and after every call when one is found.
    public var checksEveryCall = false
    /// Play a program in bytes several times on one machine, to see whether more of it is used each time.
    public var looksForLeaks = false
    /// Most calls of one input.
    public var callLimit = 100_000
    /// Every syzkaller program is a test: calls that say nothing else have to succeed.
    public var everyProgramIsATest = false
    public init() {}
  }

  let configuration: Configuration
  /// Hears of every call of what is played.
  public var observer: (any PlayObserver)?
  /// Where calls are written down for whoever finds this process dead.
  private let mark: UnsafeMutablePointer<UInt64>?

  /// - Parameter mark: outlives the player.
  public init(_ configuration: Configuration, mark: UnsafeMutablePointer<UInt64>? = nil) {
    self.configuration = configuration
    self.mark = mark
  }

  /// Reads and plays an input.
  public func play(_ input: ReplayInput) -> ReplayOutcome {
    let program: ReplayProgram
    do throws(ReplayProgram.Invalid) { program = try ReplayProgram(input) } catch {
      return ReplayOutcome(.invalid, rule: "\(input.format): \(error)", "\(error)")
    }
    return play(program, of: input)
  }

  /// Plays a program again, or one that was changed since; `input` says what it is called.
  public func play(_ program: ReplayProgram, of input: ReplayInput) -> ReplayOutcome {
    if configuration.checksEveryCall { return perform(program, input, .afterEveryCall) }
    let outcome = perform(program, input, .beforeItGoes)
    guard outcome.verdict == .violated else { return outcome }
    let again = perform(program, input, .afterEveryCall)
    return again.verdict == .violated ? again : outcome
  }

  private func perform(_ program: ReplayProgram, _ input: ReplayInput, _ checks: CallWatch.Checks)
    -> ReplayOutcome
  {
    mark?.pointee = CallName.none.raw
    let watch = CallWatch(limit: configuration.callLimit, checks: checks, mark: mark)
    watch.observer = observer
    var outcome: ReplayOutcome
    do throws(Errno) {
      switch program {
      case .syzkaller(let image): outcome = try play(image, isTest: isTest(image, input), watch)
      case .recorded(let recorded): outcome = try play(recorded, watch)
      case .bytes(let bytes): outcome = try play(bytes, watch)
      case .script(let source): outcome = play(source, watch)
      case .driver(let recording): outcome = play(recording, name: input.name)
      }
    } catch {
      let reason = "\(error)" + (error.reason.map { ": \($0)" } ?? "")
      if watch.hasMachine {
        // A program that takes away the memory it runs on.
        outcome = ReplayOutcome(.invalid, call: watch.last, rule: reason, "it cannot go on: \(reason)")
      } else {
        // Hardware that the input's kernel has no driver for.
        outcome = ReplayOutcome(.unsupported("there is no machine for it: \(reason)"))
      }
    }
    return judged(outcome, watch, program, input)
  }

  /// What the watch saw comes before what the front end made of it.
  private func judged(
    _ outcome: ReplayOutcome, _ watch: CallWatch, _ program: ReplayProgram, _ input: ReplayInput
  ) -> ReplayOutcome {
    var result = outcome
    switch watch.stop {
    case nil: break
    case .violation(let violations):
      result = ReplayOutcome(
        .violated, call: watch.last, rule: violations[0].invariant, "\(violations[0])",
        details: violations.prefix(Self.shown).map { "\($0)\n" }.joined())
    case .divergence(let divergence):
      let answers = divergence.answers.map { "\($0.target): \($0.answer)" }.joined(separator: "; ")
      result = ReplayOutcome(.failed, call: watch.last, rule: answers, "\(divergence)")
    case .limit(let limit):
      result = ReplayOutcome(.timedOut, call: watch.last, rule: "calls", "it makes more than \(limit) calls")
    }
    result.calls = max(watch.calls, outcome.calls)
    result.answers = outcome.answers
    result.note = outcome.note
    result.unsupported = outcome.unsupported
    result.repairs = outcome.repairs
    if !result.verdict.isGood {
      // The step behind which it ended; a test is played to its end whatever fails.
      let last = watch.stop == nil ? nil : result.answers.count - 1
      result.details += program.listing(of: input, marking: last, line: outcome.line)
    }
    return result
  }

  static let shown = 8

  var rigs: Rigs { configuration.rigs }
  var everyProgramIsATest: Bool { configuration.everyProgramIsATest }
}
