// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import Replay
internal import Runner
internal import UAPI

/// Tries one input and tells what came of it. The fuzzer and the shrinker know no more of the model than this.
protocol Trial: AnyObject {
  /// Seconds of a processor that trials have taken elsewhere than in this process. Any thread may ask.
  var processorSeconds: Double { get }
  /// - Parameter effort: how closely to look.
  func run(_ input: [UInt8], _ effort: TrialEffort) -> TrialOutcome
  /// A finding as a script; nil where playing it comes to no end.
  func script(_ order: FindingScript.Order) -> String?
}

/// How closely an input is looked at.
enum TrialEffort: UInt8, Sendable {
  /// Broken rules are looked for once or twice, which nearly always finds them.
  case quick
  /// After every call; whether memory is lost, and whether answers depend on where it lies.
  case thorough
}

/// What came of an input.
struct TrialOutcome: Sendable {
  struct Finding: Sendable, Equatable {
    /// `RunVerdict.word`
    var verdict: String
    var signature: String
    var message: String
    var details: String
  }

  /// Features of `Coverage`, ascending.
  var features: [UInt32] = []
  var calls = 0
  /// The script, where one was asked for.
  var script = ""
  /// Nil where all is well.
  var finding: Finding?
  /// How the input ended, in one word.
  var verdict = "passed"
}

/// A trial in this very process: what traps here takes everything with it.
///
/// One thread at a time uses it.
final class LocalTrial: Trial, @unchecked Sendable {
  private let quick: InputPlayer
  private let thorough: InputPlayer
  private let scattered: InputPlayer
  private let coverage = Coverage()
  private let rigs: Rigs

  /// - Parameters:
  ///   - bug: a mistake that the driver of every IOMMU is told to make.
  ///   - mark: where each call is written down before it is made.
  init(_ rigs: Rigs, callLimit: Int = LocalTrial.callLimit, mark: UnsafeMutablePointer<UInt64>? = nil) {
    self.rigs = rigs
    var configuration = InputPlayer.Configuration()
    configuration.rigs = rigs
    configuration.callLimit = callLimit
    quick = InputPlayer(configuration, mark: mark)
    configuration.checksEveryCall = true
    configuration.looksForLeaks = true
    thorough = InputPlayer(configuration, mark: mark)
    configuration.looksForLeaks = false
    configuration.rigs = rigs.scattered
    scattered = InputPlayer(configuration, mark: mark)
    quick.observer = coverage
    thorough.observer = coverage
  }

  static let callLimit = 20_000

  var processorSeconds: Double { 0 }

  func run(_ bytes: [UInt8], _ effort: TrialEffort) -> TrialOutcome {
    coverage.begin()
    let player = effort == .thorough ? thorough : quick
    let input = ReplayInput(label: "input", name: "", bytes: bytes)
    let played = player.play(input)
    var outcome = TrialOutcome()
    outcome.features = coverage.features()
    outcome.calls = played.calls
    outcome.verdict = played.verdict.word
    if let signature = played.signature, !played.verdict.isGood {
      outcome.finding = TrialOutcome.Finding(
        verdict: played.verdict.word, signature: "\(signature)", message: played.message ?? "",
        details: played.details)
    } else if effort == .thorough {
      outcome.finding = compare(input, played.answers)
    }
    return outcome
  }

  func script(_ order: FindingScript.Order) -> String? { FindingScript.text(order, on: rigs) }

  /// What programs have where the place of memory is bound to show: they make requests for memory fail, count the leaves
  /// that became larger ones, or lay a queue on pages that have to be neighbours (`iommufd_hw_queue_alloc_phys`).
  private static let dependsOnPlaces: Set<String> = ["arm-failure", "grow", "cut", "HW_QUEUE_ALLOC"]

  /// Elsewhere, where in physical memory pages lie must not show in any answer, but for one thing: pages are pinned and
  /// given to the table in turn, by runs of neighbours (`batch_to_domain`), so where one page cannot be pinned and the
  /// table refuses another, the layout decides which comes first. That both refuse is what has to be equal.
  private func compare(_ input: ReplayInput, _ answers: [String]) -> TrialOutcome.Finding? {
    guard case .bytes(let program)? = try? ReplayProgram(input),
      Self.dependsOnPlaces.isDisjoint(with: program.names)
    else { return nil }
    let others = scattered.play(input).answers
    func isRefused(_ answer: String) -> Bool { answer.contains(" rc=-1 errno=") }
    guard
      let (one, other) = zip(answers, others).first(where: {
        $0 != $1 && !(isRefused($0) && isRefused($1))
      })
    else { return nil }
    return TrialOutcome.Finding(
      verdict: "failed", signature: "failed: an answer depends on where memory lies",
      message: "with pages that are neighbours '\(one)', with others '\(other)'", details: "")
  }
}
