// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Interpreter
internal import Language
internal import Synchronization
internal import UAPI

/// Runs scripts, side by side, and tells what happened as one ordered stream of events.
///
/// Each script, and each test in it, has a machine of its own, so the order and the number of threads make
/// no difference to what is told.
public final class Runner: Sendable {
  /// How scripts are run.
  public struct Configuration: Sendable {
    public var rigs = Rigs()
    /// Scripts that run at a time; nil for as many as there are cores.
    public var jobs: Int?
    /// Run only scripts whose path, and tests whose name or label, contains one of these; all if empty.
    public var filter: [String] = []
    /// Look for broken invariants after every statement.
    public var check = false
    /// Make every call fail at each of its failure points first.
    public var sweeps = false
    /// Carry out nothing beyond this line.
    public var until: Int?
    /// What to do about clauses that do not hold.
    public var update = UpdateMode.no
    /// Asks a person about a change, for `UpdateMode.review`: the script, the change, its number and their count.
    public var review: (@Sendable (String, ScriptUpdate.Change, Int, Int) -> ReviewAnswer)?
    /// Tell every request, and what else happens; nil for nothing.
    public var trace: TraceLevel?
    /// Values for `param`.
    public var defines: [String: String] = [:]
    /// After the first case that is not good, the scripts behind it are not run.
    public var failFast = false
    /// Seconds each script may take; nil for as long as it likes.
    public var secondsLimit: Double? = 60
    /// Statements each script may carry out; nil for the language's own limit.
    public var statementLimit: Int?
    /// Bytes the process may occupy; nil for three quarters of the host's memory.
    public var memoryLimit: Int?

    public init() {}
  }

  private let configuration: Configuration

  public init(_ configuration: Configuration) { self.configuration = configuration }

  /// Runs scripts to their ends, or until Ctrl-C.
  ///
  /// - Parameter mayGoOn: asked after each case; false ends the run, for when nobody can hear of it any more. What
  ///   that means for the exit status is the business of who owns the output.
  public func run(
    _ entries: [ScriptTree.Entry], sinks: [any RunEventSink], mayGoOn: @escaping () -> Bool = { true }
  ) -> RunTotals {
    let audience = Audience(sinks, failFast: configuration.failFast, mayGoOn: mayGoOn)
    let rigs = configuration.rigs
    audience.tell(
      .began(kernel: rigs.kernel.rawValue, backend: rigs.backend.name, scripts: entries.count))
    let watch = Watch(
      Watch.Limits(
        seconds: configuration.secondsLimit, memory: configuration.memoryLimit ?? Watch.defaultMemory))
    watch.start()
    let events = OrderedEvents { audience.hear($0) }
    let turns = Turns(entries.count)
    let jobs =
      rigs.canRunSideBySide && configuration.update != .review ? configuration.jobs ?? Workers.cores : 1
    Workers.run(min(jobs, entries.count)) { [self] in
      while let script = turns.take() {
        let voice = Voice(script, events)
        voice.say(.scriptBegan(entries[script].path))
        if !audience.isStopped { run(entries[script], voice, watch) }
        events.end(script)
      }
    }
    watch.stop()
    return audience.finish()
  }

  private func run(_ entry: ScriptTree.Entry, _ voice: Voice, _ watch: Watch) {
    let path = entry.path
    guard !Interrupts.isRaised else {
      voice.say(.caseEnded(RunCase(script: path, .notRun("interrupted"))))
      return
    }
    if let problem = entry.problem {
      voice.say(.caseEnded(RunCase(script: path, .invalid, notes: [problem])))
      return
    }
    var source: SourceFile
    do throws(FileFailure) {
      source = try ScriptTree.load(path)
    } catch {
      let isInterrupted = Interrupts.isRaised
      voice.say(
        .caseEnded(
          RunCase(
            script: path, isInterrupted ? .interrupted : .invalid,
            notes: isInterrupted ? [] : ["cannot read it: \(error.reason)"])))
      return
    }
    let onlyTests = !configuration.filter.isEmpty && !isChosen(path)
    CrashReport.enter(voice.script, path)
    if configuration.update != .no, let changed = update(source, path, voice, watch, onlyTests) {
      source = changed
    }
    let result = Interpreter.run(
      source, loader: DiskLoader(),
      options: options(voice, watch.begin(voice.script, path: path), onlyTests: onlyTests)
    ) { [rigs = configuration.rigs] in try rigs.make() }
    let reason = watch.end(voice.script)
    CrashReport.leave(voice.script)
    for diagnostic in result.diagnostics where !result.cases.isEmpty { voice.say(.warning(diagnostic)) }
    for part in RunCase.cases(of: result, script: path, endedFor: reason, onlyTests: onlyTests) {
      voice.say(.caseEnded(part))
    }
    if configuration.sweeps { voice.say(.swept(result.swept)) }
  }

  /// Writes clauses anew; what the script says now, if that is something else.
  private func update(
    _ source: SourceFile, _ path: String, _ voice: Voice, _ watch: Watch, _ onlyTests: Bool
  ) -> SourceFile? {
    let updater = ScriptUpdater(mode: configuration.update, review: configuration.review)
    let (changed, outcome) = updater.update(source, path: path) { source in
      // Each run has the time of a script; what a person takes to answer is nobody's.
      let cancellation = watch.begin(voice.script, path: path)
      defer { _ = watch.end(voice.script) }
      return Interpreter.update(
        source, loader: DiskLoader(), options: options(voice, cancellation, onlyTests: onlyTests)
      ) { [rigs = configuration.rigs] in try rigs.make() }
    }
    voice.say(.updated(outcome))
    return changed
  }

  private func options(_ voice: Voice, _ cancellation: Cancellation, onlyTests: Bool) -> RunOptions {
    var options = RunOptions()
    options.check = configuration.check
    options.sweeps = configuration.sweeps
    options.until = configuration.until
    options.defines = configuration.defines
    options.cancellation = cancellation
    options.output = { voice.say(.output($0)) }
    if let level = configuration.trace {
      options.trace = voice
      options.traceLevel = level
    }
    if let limit = configuration.statementLimit { options.statementLimit = limit }
    if onlyTests {
      options.filter = { [self] name, labels in isChosen(name) || labels.contains { isChosen($0) } }
    }
    return options
  }

  private func isChosen(_ name: String) -> Bool { configuration.filter.contains { name.contains($0) } }
}

/// What one script says goes into the stream under its number.
private final class Voice: TraceSink {
  let script: Int
  private let events: OrderedEvents

  init(_ script: Int, _ events: OrderedEvents) {
    self.script = script
    self.events = events
  }

  func say(_ event: RunEvent) { events.add(event, of: script) }
  func trace(_ event: TraceEvent) { say(.trace(event)) }
}
