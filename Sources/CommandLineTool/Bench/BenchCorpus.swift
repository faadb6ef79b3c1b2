// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Glibc
internal import Replay
internal import Runner

/// Programs in memory that `iofd replay`'s own machinery plays: worker processes, checks of the invariants, results that come
/// back and are counted. Only the reading of files and the writing of reports is left out.
struct BenchCorpus: Sendable {
  private let inputs: [ReplayInput]
  let calls: Int

  /// Programs of the generator that the recorded ones come from, whole or cut behind a call.
  ///
  /// - Parameters:
  ///   - count: about how many.
  ///   - lengths: each program is cut behind so many calls, in turn; nil for whole ones.
  init(count: Int, lengths: ClosedRange<Int>? = nil) {
    let themes = ProgramTheme.allCases.filter { $0.isClassic }
    var inputs: [ReplayInput] = []
    var calls = 0
    for seed in 0..<max(1, count / (lengths?.count ?? 1)) {
      let whole = RandomProgram.make(themes[seed % themes.count], seed: UInt64(seed))
      for length in lengths.map(Array.init) ?? [Int.max] {
        let program = Self.cut(whole, behind: length)
        calls += program.steps.count { $0.isCall }
        inputs.append(
          ReplayInput(
            label: "bench/\(inputs.count)", name: "", bytes: Array(program.text.utf8),
            format: .recordedPrograms))
      }
    }
    self.inputs = inputs
    self.calls = calls
  }

  var count: Int { inputs.count }

  private static func cut(_ program: RecordedProgram, behind length: Int) -> RecordedProgram {
    var calls = 0
    var steps: [RecordedProgram.Step] = []
    for step in program.steps where calls < length {
      steps.append(step)
      if step.isCall { calls += 1 }
    }
    return RecordedProgram(name: "\(program.name)-\(length)", steps: steps)
  }

  /// What a run takes.
  struct Cost {
    /// Processor time of the workers and of this process, in nanoseconds.
    var processor: Double
    /// From start to end.
    var wall: Double
  }

  /// Plays all of them; nil when one does not pass.
  func play(workers: Int) -> Cost? {
    let head = ReplayHead(
      tool: CommandLineTool.version, kernel: "", backend: "", target: "", options: "", shard: .whole)
    var configuration = ReplayRun.Configuration(
      head: head, worker: ["/proc/self/exe", Subcommand.replayWorker.name])
    configuration.made = { [inputs] in $0 < inputs.count ? inputs[$0] : nil }
    configuration.jobs = workers
    let before = Self.processorTime()
    let start = BenchClock.now()
    do throws(ReplayRun.Failure) {
      let totals = try ReplayRun(configuration, sinks: []).run()
      guard totals.count("passed") == inputs.count else { return nil }
    } catch { return nil }
    return Cost(
      processor: Self.processorTime() - before, wall: Double(BenchClock.now() &- start))
  }

  /// Of this process and of those that it has waited for.
  private static func processorTime() -> Double {
    var sum = 0.0
    for who in [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue] {
      var usage = rusage()
      getrusage(__rusage_who_t(who), &usage)
      for time in [usage.ru_utime, usage.ru_stime] {
        sum += Double(time.tv_sec) * 1e9 + Double(time.tv_usec) * 1e3
      }
    }
    return sum
  }
}

extension RecordedProgram.Step {
  /// A system call on the model, and not only an access of the program's own memory.
  fileprivate var isCall: Bool {
    switch self {
    case .fill, .put, .unmap, .dump: false
    default: true
    }
  }
}
