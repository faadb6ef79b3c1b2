// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Replay
public import Runner
internal import Synchronization
internal import UAPI

/// `iofd fuzz`, without a command line.
public struct Fuzzer: Sendable {
  public struct Plan: Sendable {
    public var rigs: Rigs
    public var run = FuzzRun.Options()
    /// Files and directories with programs to begin with.
    public var inputs: [String] = []
    /// Where what is kept and what is found is written; nil for nowhere.
    public var corpus: String?
    public var findings: String?
    /// The words that start a worker, the program first; nil tries everything in this process.
    public var worker: [String]?
    /// Seconds for one input, and bytes for one worker.
    public var timeout = 10.0
    public var memory = 2 << 30

    public init(_ rigs: Rigs) { self.rigs = rigs }
  }

  /// What a run came to.
  public struct Summary: Sendable {
    public let progress: FuzzRun.Progress
    public let findings: [FuzzFinding]
    /// Inputs that are no programs in bytes.
    public let ignored: Int
    /// The first file that could not be written.
    public let failure: FileFailure?

    public var status: ExitStatus {
      let worst = findings.map { Fuzzer.status($0.verdict) }.max() ?? .passed
      return failure == nil ? worst : max(worst, .usage)
    }
  }

  private let plan: Plan
  private let engine: FuzzRun
  private let store: FuzzStore
  private let ignored: Int

  /// - Parameter listener: hears of every finding when it is written, and of progress twice a second.
  /// - Throws: a directory that cannot be made, a worker that cannot be started.
  public init(
    _ plan: Plan, found: @escaping @Sendable (FuzzFinding) -> Void,
    progress: @escaping @Sendable (FuzzRun.Progress) -> Void
  ) throws(FileFailure) {
    self.plan = plan
    store = try FuzzStore(corpus: plan.corpus, findings: plan.findings)
    let scene = plan.rigs.scene ?? ByteScene(.mock)
    let profile = Self.profile(plan.rigs)
    let (programs, ignored) = Self.programs(plan.inputs + [plan.corpus].compactMap { $0 }, scene, profile)
    self.ignored = ignored
    var trials: [any Trial & Sendable] = []
    for _ in 0..<plan.run.jobs {
      guard let worker = plan.worker else {
        trials.append(LocalTrial(plan.rigs))
        continue
      }
      trials.append(
        try TrialProcess(worker, TrialProcess.Limits(seconds: plan.timeout, memory: plan.memory)))
    }
    let reporter = Reporter(progress)
    let box = Box()
    engine = FuzzRun(scene, profile: profile, plan.run, programs: programs, trials: trials, store: store) {
      event in
      switch event {
      case .found(let finding): found(finding)
      case .tick: if let run = box.run { reporter.tick(run) }
      }
    }
    box.run = engine
  }

  /// Fuzzes to the end.
  public func run() -> Summary {
    engine.run()
    return Summary(
      progress: engine.progress, findings: engine.findings, ignored: ignored, failure: store.failure)
  }

  /// The run that its own listener asks for progress.
  private final class Box: @unchecked Sendable {
    // Set before the run begins.
    weak var run: FuzzRun?
  }

  /// Tells progress twice a second.
  private final class Reporter: Sendable {
    private let last = Atomic<UInt64>(0)
    private let tell: @Sendable (FuzzRun.Progress) -> Void
    private static let interval: UInt64 = 500_000_000

    init(_ tell: @escaping @Sendable (FuzzRun.Progress) -> Void) { self.tell = tell }

    func tick(_ run: FuzzRun) {
      let now = Watch.now()
      let before = last.load(ordering: .relaxed)
      guard now &- before >= Self.interval,
        last.compareExchange(expected: before, desired: now, ordering: .relaxed).exchanged
      else { return }
      tell(run.progress)
    }
  }

  static func status(_ verdict: String) -> ExitStatus {
    switch verdict {
    case "trapped": .trap
    case "timeout": .timeOut
    case "out-of-memory": .outOfMemory
    case "invalid": .invalid
    default: .failed
    }
  }

  private static func profile(_ rigs: Rigs) -> UInt8 { rigs.kernel == .v6_12 ? 1 : 2 }

  /// Programs of a corpus, put onto this scene.
  private static func programs(_ paths: [String], _ scene: ByteScene, _ profile: UInt8) -> (
    [ByteProgram], ignored: Int
  ) {
    var programs: [ByteProgram] = []
    var ignored = 0
    for item in CorpusDirectory(paths.map { HostPath($0) }) {
      guard case .input(let input) = item else {
        ignored += 1
        continue
      }
      guard let program = program(input.bytes, scene, profile) else {
        ignored += 1
        continue
      }
      programs.append(program)
    }
    return (programs, ignored)
  }

  private static func program(_ bytes: [UInt8], _ scene: ByteScene, _ profile: UInt8) -> ByteProgram? {
    switch InputFormat.of(bytes) {
    case .byteProgram, .bytes: break
    default: return nil
    }
    return scene.adopt(bytes, profile: profile)
  }
}
