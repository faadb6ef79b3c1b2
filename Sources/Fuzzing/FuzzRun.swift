// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Runner
internal import Synchronization

/// A run of the fuzzer: programs are changed, tried, kept when they reach what none reached before, and written out when
/// they break a rule.
///
/// Each job changes programs of one corpus that all share, and tries them in a process of its own. With one job
/// everything is a consequence of the seed and the programs that were there at the beginning.
public final class FuzzRun: Sendable {
  public struct Options: Sendable {
    public var seed: UInt64 = 1
    /// Executions; nil for no limit.
    public var executions: Int?
    /// Seconds, and seconds of a processor; nil for no limit.
    public var seconds: Double?
    public var processorSeconds: Double?
    public var jobs = 1
    /// Most records of a program.
    public var longest = 64
    /// Stops at the first finding.
    public var stopsAtFinding = false
    /// Programs made at random to begin with.
    public var randomSeeds = 1000
    /// Most trials that make one finding small.
    public var shrinkTrials = 3000
    public init() {}
  }

  /// What is known of a run so far.
  public struct Progress: Sendable {
    public var executions = 0
    public var seconds = 0.0
    public var processorSeconds = 0.0
    /// Different answers, and features in all.
    public var answers = 0
    public var features = 0
    public var corpus = 0
    public var findings = 0
    /// Inputs that showed a finding that was known.
    public var repeats = 0
  }

  private struct State {
    var corpus = FuzzCorpus()
    var progress = Progress()
    var findings: [FuzzFinding] = []
    var signatures: Set<String> = []
    /// Programs that are tried before any is changed.
    var queue: ArraySlice<ByteProgram> = []
    var isOver = false
  }

  private let state: Mutex<State>
  private let options: Options
  private let scene: ByteScene
  private let profile: UInt8
  private let store: FuzzStore
  private let begin = Watch.now()
  private let trials: [any Trial & Sendable]
  private let listener: @Sendable (FuzzEvent) -> Void

  /// - Parameters:
  ///   - scene: the machine that programs start on.
  ///   - profile: of the header: the kernel.
  ///   - programs: tried first.
  ///   - trials: one for each job.
  init(
    _ scene: ByteScene, profile: UInt8, _ options: Options, programs: [ByteProgram],
    trials: [any Trial & Sendable], store: FuzzStore,
    listener: @escaping @Sendable (FuzzEvent) -> Void
  ) {
    self.options = options
    self.scene = scene
    self.profile = profile
    self.trials = trials
    self.store = store
    self.listener = listener
    var mutator = Mutator(
      seed: options.seed, scene: scene, profile: profile, longest: options.longest)
    var initial = State()
    initial.queue = (programs + mutator.seeds(random: options.randomSeeds))[...]
    state = Mutex(initial)
  }

  public var progress: Progress {
    state.withLock { state in
      var progress = state.progress
      progress.seconds = Double(Watch.now() &- begin) / 1e9
      progress.processorSeconds = processorSeconds
      progress.answers = state.corpus.answers
      progress.features = state.corpus.features
      progress.corpus = state.corpus.living
      progress.findings = state.findings.count
      return progress
    }
  }

  /// Of this process and of its workers.
  private var processorSeconds: Double {
    Watch.processorSeconds + trials.reduce(0) { $0 + $1.processorSeconds }
  }

  public var findings: [FuzzFinding] { state.withLock { $0.findings } }

  /// Ends the run after the inputs that are being tried.
  public func stop() { state.withLock { $0.isOver = true } }

  /// Fuzzes to the end, on as many threads as there are trials.
  func run() {
    let turns = Turns(trials.count)
    Workers.run(trials.count) { [self] in
      guard let number = turns.take() else { return }
      FuzzJob(self, trials[number], number).run()
    }
  }

  // MARK: What jobs ask and tell

  fileprivate struct Order {
    var program: ByteProgram
    var other: ByteProgram
    /// It is to be tried as it is.
    var isNew: Bool
  }

  /// The next thing to do; nil when the run is over.
  fileprivate func order(_ random: inout SeededRandom) -> Order? {
    let isLate =
      (options.seconds.map { Double(Watch.now() &- begin) / 1e9 >= $0 } ?? false)
      || (options.processorSeconds.map { processorSeconds >= $0 } ?? false)
    return state.withLock { state in
      if isLate || Interrupts.isRaised { state.isOver = true }
      if let most = options.executions, state.progress.executions >= most { state.isOver = true }
      guard !state.isOver else { return nil }
      state.progress.executions += 1
      if let program = state.queue.popFirst() { return Order(program: program, other: program, isNew: true) }
      guard let seed = state.corpus.pick(&random), let other = state.corpus.other(&random) else {
        state.isOver = true
        return nil
      }
      return Order(program: seed.program, other: other.program, isNew: false)
    }
  }

  /// Counts further executions of a job: making something smaller.
  fileprivate func count(_ executions: Int) { state.withLock { $0.progress.executions += executions } }

  /// Features of an input that are new, or whether it is smaller than what has them.
  fileprivate func judge(_ features: [UInt32], size: Int) -> (fresh: [UInt32], improves: Bool) {
    state.withLock { state in
      let fresh = state.corpus.reach(features)
      return (fresh, fresh.isEmpty && state.corpus.improves(features, size: size))
    }
  }

  fileprivate func keep(_ program: ByteProgram, _ features: [UInt32]) {
    let retired = state.withLock { $0.corpus.add(program, features) }
    store.keep(program.bytes)
    for seed in retired { store.retire(seed.bytes) }
  }

  /// Whether a finding is the first of its signature.
  fileprivate func isFirst(_ signature: String) -> Bool {
    state.withLock { state in
      let isFirst = state.signatures.insert(signature).inserted
      if !isFirst { state.progress.repeats += 1 }
      return isFirst
    }
  }

  fileprivate func report(_ finding: FuzzFinding) {
    state.withLock { state in
      state.findings.append(finding)
      if options.stopsAtFinding { state.isOver = true }
    }
    store.write(finding)
    listener(.found(finding))
  }

  fileprivate func tick() { listener(.tick) }

  fileprivate var setup: (Options, ByteScene, UInt8) { (options, scene, profile) }
}

/// What a run tells of itself.
enum FuzzEvent: Sendable {
  case found(FuzzFinding)
  /// Something was tried.
  case tick
}

/// One thread of a run.
private struct FuzzJob {
  private let fuzz: FuzzRun
  private let trial: any Trial
  private var random: SeededRandom
  private var mutator: Mutator
  private let options: FuzzRun.Options

  init(_ run: FuzzRun, _ trial: any Trial, _ number: Int) {
    fuzz = run
    self.trial = trial
    let (options, scene, profile) = run.setup
    self.options = options
    let seed = options.seed &* 0x9E37_79B9 &+ UInt64(number)
    random = SeededRandom(seed: seed)
    mutator = Mutator(seed: seed &+ 0x1234_5678, scene: scene, profile: profile, longest: options.longest)
  }

  func run() {
    var job = self
    while let order = job.fuzz.order(&job.random) {
      job.attempt(order.isNew ? order.program : job.next(order))
      job.fuzz.tick()
    }
  }

  /// A mutant; and now and then a program of its own, for what no mutant of what is known leads to.
  private mutating func next(_ order: FuzzRun.Order) -> ByteProgram {
    random.chance(Self.fresh) ? mutator.fresh() : mutator.mutate(order.program, order.other)
  }

  /// Of a hundred.
  private static let fresh = 12

  private func attempt(_ program: ByteProgram) {
    let outcome = trial.run(program.bytes, .quick)
    if let finding = outcome.finding {
      if finding.verdict != "invalid" { found(finding, program, .quick) }
      return
    }
    let (fresh, improves) = fuzz.judge(outcome.features, size: program.records.count)
    guard !fresh.isEmpty || improves else { return }
    guard !fresh.isEmpty else { return fuzz.keep(program, outcome.features) }
    // What goes a new way is looked at more closely.
    fuzz.count(1)
    let again = trial.run(program.bytes, .thorough)
    if let finding = again.finding {
      if finding.verdict != "invalid" { found(finding, program, .thorough) }
      return
    }
    // New answers are worth a small program. New orders of known ones come by the thousand, and what is too large for them
    // is replaced in time by what is smaller.
    guard fresh.contains(where: { Coverage.Tier($0) == .answer || Coverage.Tier($0) == .detail }) else {
      return fuzz.keep(program, outcome.features)
    }
    let (smaller, features) = trimmed(program, outcome.features, keeping: fresh)
    fuzz.keep(smaller, features)
  }

  /// Drops records that the new features do not need.
  private func trimmed(_ program: ByteProgram, _ features: [UInt32], keeping fresh: [UInt32]) -> (
    ByteProgram, [UInt32]
  ) {
    guard program.records.count > 1 else { return (program, features) }
    var best = (program, features)
    // Features stand in ascending order.
    let wanted = Set(fresh)
    let trials = min(Self.mostTrims, 2 * program.records.count)
    var used = 0
    var shrinker = Shrinker<ByteProgram.Record>(budget: trials) { [trial] records in
      used += 1
      let candidate = ByteProgram(
        version: program.version, profile: program.profile, flags: program.flags, records: records)
      let outcome = trial.run(candidate.bytes, .quick)
      guard outcome.finding == nil, wanted.isSubset(of: outcome.features) else { return false }
      best = (candidate, outcome.features)
      return true
    }
    _ = shrinker.shrink(program.records)
    fuzz.count(used)
    return best
  }

  private static let mostTrims = 24

  private func found(_ finding: TrialOutcome.Finding, _ program: ByteProgram, _ effort: TrialEffort) {
    guard fuzz.isFirst(finding.signature) else { return }
    let execution = fuzz.progress.executions
    var used = 0
    var last = finding
    let smallest = ProgramShrinker.shrink(program, trials: options.shrinkTrials) { [trial] candidate in
      used += 1
      guard let now = trial.run(candidate.bytes, effort).finding, now.signature == finding.signature else {
        return false
      }
      last = now
      return true
    }
    fuzz.count(used)
    fuzz.report(
      FuzzFinding(
        signature: finding.signature, verdict: finding.verdict, message: last.message, details: last.details,
        input: program.bytes, smallest: smallest.bytes, execution: execution,
        records: smallest.records.count, script: FindingScript.text(smallest, last, in: trial)))
  }
}
