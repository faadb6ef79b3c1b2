// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Glibc
internal import Language
public import Runner

/// What a run is, for the heads of reports.
public struct ReplayHead: Sendable, Equatable {
  public var tool: String
  public var kernel: String
  public var backend: String
  public var target: String
  /// Everything else that outcomes depend on.
  public var options: String
  public var shard: InputStream.Shard

  public init(
    tool: String, kernel: String, backend: String, target: String, options: String, shard: InputStream.Shard
  ) {
    self.tool = tool
    self.kernel = kernel
    self.backend = backend
    self.target = target
    self.options = options
    self.shard = shard
  }

  /// All that outcomes depend on, in words.
  var identity: String {
    "kernel=\(kernel) backend=\(backend) target=\(target) shard=\(shard.index)/\(shard.count)"
      + (options.isEmpty ? "" : " \(options)")
  }
}

/// Hears of a run: results in the order of the corpus, however many workers play.
public protocol ReplaySink: AnyObject {
  func began(_ head: ReplayHead)
  /// - Parameter isNew: nothing before showed the same finding.
  func ended(_ result: ReplayResult, isNew: Bool)
  func finished(_ totals: ReplayTotals)
}

/// Plays a corpus: what is behind some paths, part of it, in worker processes, and tells sinks in order.
public final class ReplayRun {
  public struct Configuration: Sendable {
    public var paths: [String] = []
    /// Inputs that are no files, see `InputStream`.
    public var made: (@Sendable (Int) -> ReplayInput?)?
    public var head: ReplayHead
    /// How a worker is started.
    public var worker: [String]
    /// Workers at a time.
    public var jobs = Workers.cores
    /// Seconds and bytes of one input; nil for none.
    public var secondsLimit: Double? = 10
    public var memoryLimit: Int?
    /// Most inputs, and seconds, of the run.
    public var inputLimit: Int?
    public var runSecondsLimit: Double?
    public var failFast = false
    /// A run of no inputs is in order.
    public var allowsNone = false
    public var known = KnownFailures()
    /// The log to write, and to go on with; and whether it may be of another run.
    public var log: String?
    public var isForced = false

    public init(head: ReplayHead, worker: [String]) {
      self.head = head
      self.worker = worker
    }
  }

  /// A run that cannot begin, or cannot go on.
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let status: ExitStatus
    public let description: String
  }

  private let configuration: Configuration
  private let sinks: [any ReplaySink]
  private let mayGoOn: () -> Bool
  private var stream: InputStream
  private var log: RunLog?
  private var totals = ReplayTotals()
  private let deadline: UInt64?

  /// Numbers of what was handed out and not told yet, in order, and what is known of them.
  private var order: ArraySlice<UInt64> = []
  private var waiting: [UInt64: ReplayResult] = [:]
  private var isOver = false
  private var isExhausted = false
  /// The first bad input was told, and nothing further is.
  private var isMuted = false
  private var handedOut = 0

  /// Results that may wait for one that takes long.
  private static let window = 1 << 16

  /// - Parameter mayGoOn: false when nobody can hear of the run any more.
  public init(
    _ configuration: Configuration, sinks: [any ReplaySink], mayGoOn: @escaping () -> Bool = { true }
  ) {
    self.configuration = configuration
    self.sinks = sinks
    self.mayGoOn = mayGoOn
    stream = InputStream(configuration.paths, made: configuration.made, shard: configuration.head.shard)
    deadline = configuration.runSecondsLimit.map { Watch.now() &+ UInt64(max(0, min($0, 1e9)) * 1e9) }
  }

  /// How much of `files` files has been handed out.
  public func done(of files: Int) -> Double { stream.done(of: files) }

  /// Plays all there is, or as much as may be.
  ///
  /// - Throws: when the log is no log of this run, or workers cannot be started.
  public func run() throws(Failure) -> ReplayTotals {
    if let path = configuration.log {
      let corpus = CorpusDirectory.survey(configuration.paths.map { HostPath($0) })
      let identity = RunLog.Identity(
        tool: configuration.head.tool, options: configuration.head.identity,
        corpus: "\(corpus.files) files \(String(corpus.fingerprint, radix: 16))")
      do throws(RunLog.Refusal) {
        log = try RunLog(path, identity, isForced: configuration.isForced)
      } catch { throw Failure(status: .usage, description: "\(error)") }
    }
    for sink in sinks { sink.began(configuration.head) }
    let pool = WorkerPool(
      configuration.worker, count: configuration.jobs,
      limits: WorkerPool.Limits(seconds: configuration.secondsLimit, memory: configuration.memoryLimit),
      log: log?.descriptor)
    var failure: FileFailure?
    do throws(FileFailure) {
      try pool.run(
        supply: { supply() }, deliver: { deliver($0) },
        mayGoOn: {
          if Interrupts.isRaised { end("interrupted", .interrupted) }
          if let deadline, Watch.now() > deadline { end("the run's time is over", .timeOut) }
          if let failure = log?.failure { end("\(failure)", .usage) }
          if !mayGoOn() { end("nobody reads the output", .passed) }
          return !isOver
        })
    } catch { failure = error }
    log?.drop(pool.abandoned)
    // What came in before the run was ended and waits for others that will not come.
    for index in order { if let result = waiting[index] { tell(configuration.known.judged(result)) } }
    totals.duplicates = stream.duplicates
    if totals.played == 0, !configuration.allowsNone { totals.raise(.nothingRan) }
    if let failure { throw Failure(status: .usage, description: "\(failure)") }
    for sink in sinks { sink.finished(totals) }
    return totals
  }

  private func end(_ reason: String, _ status: ExitStatus) {
    guard !isOver else { return }
    isOver = true
    totals.endedEarly = reason
    totals.raise(status)
  }

  // MARK: Inputs

  private func supply() -> WorkerPool.Supply {
    while !isOver {
      guard order.count < Self.window else { return .later }
      guard !isExhausted else { return .none }
      guard let item = stream.next() else {
        isExhausted = true
        return .none
      }
      if let limit = configuration.inputLimit, handedOut >= limit {
        isExhausted = true
        totals.endedEarly = "\(limit) inputs were played, and there are more"
        return .none
      }
      let index = stream.index
      handedOut += 1
      order.append(index)
      switch item {
      case .unreadable(let path, let reason): deliver(ReplayResult(index, unreadable: path, reason))
      case .input(let input):
        guard let result = log?.result(of: input, index: index) else { return .input(index, input) }
        deliver(result)
      }
    }
    return .none
  }

  // MARK: Results

  private func deliver(_ result: ReplayResult) {
    if order.first == result.index {
      // Nearly always with one worker, and often with more.
      order.removeFirst()
      tell(configuration.known.judged(result))
    } else {
      waiting[result.index] = result
    }
    while !waiting.isEmpty, let first = order.first, let next = waiting.removeValue(forKey: first) {
      order.removeFirst()
      tell(configuration.known.judged(next))
    }
  }

  private func tell(_ result: ReplayResult) {
    guard !isMuted else { return }
    let isNew = !totals.add(result)
    for sink in sinks { sink.ended(result, isNew: isNew) }
    if configuration.failFast, !result.outcome.verdict.isGood {
      isMuted = true
      end("an input failed", .passed)
    }
  }
}
