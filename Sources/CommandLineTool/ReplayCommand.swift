// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Glibc
internal import Replay
internal import Runner
internal import UAPI

/// A command line of `iofd replay`.
struct ReplayCommand {
  private let arguments: Arguments
  private let rigs: Rigs
  private let shard: InputStream.Shard
  private let random: RandomPrograms?
  private let paths: [String]

  init(_ arguments: Arguments) throws(UsageError) {
    self.arguments = arguments
    paths = arguments.operands
    rigs = try ReplayOptions.player(arguments).rigs
    var shard = InputStream.Shard.whole
    if let text = arguments.last("--shard") {
      guard let part = InputStream.Shard(text) else {
        throw UsageError(message: "--shard wants a part like 3/16, not '\(text)'")
      }
      shard = part
    }
    self.shard = shard
    random = try arguments.last("--random").map { text throws(UsageError) in try RandomPrograms(text) }
    guard paths.isEmpty != (random == nil) else {
      throw UsageError(message: "replay what?", help: "iofd replay PATH...")
    }
    guard random != nil || !arguments.has("--print") else {
      throw UsageError(message: "--print is for --random")
    }
  }

  func run() throws(UsageError) -> ExitStatus {
    let standardOutput = ByteOutput.standardOutput()
    if let random, arguments.has("--print") { return print(random, standardOutput) }
    if rigs.target != .model {
      // One message instead of one for each input.
      do throws(Errno) { _ = try rigs.make() } catch {
        Terminal.complain("cannot open /dev/iommu: \(error.name)", help: SharedOptions.help(for: error))
        return .nothingRan
      }
    }
    do {
      return arguments.has("--merge") ? try merge(standardOutput) : try replay(standardOutput)
    } catch let error as UsageError {
      throw error
    } catch {
      // Each of them says in a sentence what is wrong.
      Terminal.complain("\(error)")
      return .usage
    }
  }

  private func print(_ random: RandomPrograms, _ output: ByteOutput) -> ExitStatus {
    var index = 0
    while let text = random.text(index), output.failure == nil, !Interrupts.isRaised {
      output.write(text)
      index += 1
    }
    return Terminal.finish(output, Interrupts.isRaised ? .interrupted : .passed)
  }

  // MARK: Who hears of it

  private struct Audience {
    let people: ByteOutput
    var sinks: [any ReplaySink] = []
    var reports: [ReplayReport] = []
    var answers: AnswersWriter?
    var recorded: RecordedRun?
    var progress: ReplayProgress?
  }

  /// - Parameter done: the part of the corpus that is done, for a line on a terminal; nil where nobody needs it.
  private func audience(_ standardOutput: ByteOutput, done: (() -> Double?)?) throws -> Audience {
    var reports: [ReplayReport] = []
    for text in arguments.all("--report") {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let format = Report.Format(rawValue: parts[0]) else {
        throw UsageError(message: "--report wants tap=FILE, junit=FILE or ndjson=FILE, not '\(text)'")
      }
      reports.append(try ReplayReport(format, path: parts[1], times: arguments.has("--timings")))
    }
    let answersPath = arguments.last("--answers")
    let onOutput = reports.count { $0.isStandardOutput } + (answersPath == "" || answersPath == "-" ? 1 : 0)
    guard onOutput <= 1 else { throw UsageError(message: "only one thing can go to standard output") }
    // Where something for machines goes to standard output, people read standard error.
    let people = onOutput > 0 ? ByteOutput.standardError() : standardOutput
    let errors = ByteOutput.standardError()
    let progress = done.flatMap { done in
      errors.isTerminal && !arguments.has("--quiet") ? ReplayProgress(errors, done: done) : nil
    }
    var audience = Audience(people: people, reports: reports)
    if let path = answersPath {
      let output = path.isEmpty || path == "-" ? standardOutput : try ByteOutput(creating: path)
      audience.answers = AnswersWriter(output)
    }
    if let path = arguments.last("--compare") {
      audience.recorded = try RecordedRun(path, output: people, progress: progress, isPart: shard != .whole)
    }
    audience.sinks = reports
    if let answers = audience.answers { audience.sinks.append(answers) }
    audience.sinks.append(
      ReplayText(
        people, progress: progress, isVerbose: arguments.has("--verbose"), isQuiet: arguments.has("--quiet"),
        usesColour: Terminal.usesColour(people)))
    if let recorded = audience.recorded { audience.sinks.append(recorded) }
    if let progress { audience.sinks.append(progress) }
    audience.progress = progress
    return audience
  }

  /// Puts everything where it belongs; what cannot be written makes the status worse.
  private func finish(_ audience: Audience, _ totals: ReplayTotals, _ standardOutput: ByteOutput)
    -> ExitStatus
  {
    var status = totals.status
    if let recorded = audience.recorded, !recorded.isSame { status = max(status, .failed) }
    if totals.status == .nothingRan {
      Terminal.complain(
        "nothing was played: there is " + (totals.inputs == 0 ? "no input" : "none that can be"))
    }
    for report in audience.reports {
      do throws(FileFailure) { try report.save(standardOutput: standardOutput) } catch {
        status = max(status, error.isClosedPipe ? .interrupted : .usage)
        if !error.isClosedPipe { Terminal.complain(error.description) }
      }
    }
    if let answers = audience.answers { status = Terminal.finish(answers.output, status) }
    return Terminal.finish(audience.people, status)
  }

  private func knownFailures() throws -> KnownFailures {
    guard let path = arguments.last("--xfail") else { return KnownFailures() }
    let text = String(decoding: try HostFile.read(path, limit: Self.longestList), as: UTF8.self)
    do throws(KnownFailures.Malformed) {
      let known = try KnownFailures(text, today: Self.today)
      for (key, entry) in known.stale {
        Terminal.complain("\(path): \(key) is past its day, \(entry.until ?? ""): \(entry.reason)")
      }
      return known
    } catch { throw UsageError(message: "\(path): \(error)") }
  }

  private static let longestList = 16 << 20

  /// `2026-05-06`
  private static var today: String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
  }

  // MARK: Runs

  private func merge(_ standardOutput: ByteOutput) throws -> ExitStatus {
    let merge = try ReportMerge(paths, allowsGaps: arguments.has("--force"))
    let audience = try audience(standardOutput, done: nil)
    let totals = try merge.run(try knownFailures(), sinks: audience.sinks)
    return finish(audience, totals, standardOutput)
  }

  private func replay(_ standardOutput: ByteOutput) throws -> ExitStatus {
    // On a terminal the files are counted first, to say how much is left.
    let files =
      ByteOutput.standardError().isTerminal && random == nil
      ? CorpusDirectory.survey(paths.map { HostPath($0) }).files : 0
    var run: ReplayRun?
    let audience = try audience(standardOutput) { files > 0 ? run?.done(of: files) : nil }
    let started = ReplayRun(try configuration(audience), sinks: audience.sinks) {
      audience.progress?.tick()
      return audience.people.failure == nil && audience.answers?.output.failure == nil
    }
    run = started
    let totals = try started.run()
    return finish(audience, totals, standardOutput)
  }

  private func configuration(_ audience: Audience) throws -> ReplayRun.Configuration {
    let seconds = try arguments.number("--time-limit", minimum: 0) ?? 10
    let memory = try arguments.size("--memory-limit") ?? 2 << 30
    var words = ReplayOptions.words(arguments)
    let identity =
      words.filter { word in !["--kernel", "--backend", "--target"].contains { word.hasPrefix($0) } }
      + ["--time-limit=\(seconds)", "--memory-limit=\(memory >> 20)M"]
    let head = ReplayHead(
      tool: CommandLineTool.version, kernel: rigs.kernel.rawValue,
      backend: arguments.last("--backend") ?? rigs.backend.name, target: rigs.target.rawValue,
      options: identity.joined(separator: " "), shard: shard)
    if arguments.has("--resume") { words.append("--log") }
    if audience.answers != nil || audience.recorded?.needsAnswers ?? false { words.append("--with-answers") }
    if arguments.has("--timings") { words.append("--timings") }
    var configuration = ReplayRun.Configuration(
      head: head, worker: ["/proc/self/exe", Subcommand.replayWorker.name] + words)
    configuration.paths = paths
    if let random {
      configuration.made = { index in
        random.text(index).map { ReplayInput(label: "random/\(index)", name: "", bytes: Array($0.utf8)) }
      }
    }
    configuration.jobs = min(try arguments.number("--jobs", minimum: 1) ?? Workers.cores, 256)
    // A process has only one kernel to talk to, and that kernel keeps accounts.
    if !rigs.canRunSideBySide { configuration.jobs = 1 }
    configuration.secondsLimit = seconds == 0 ? nil : Double(seconds)
    configuration.memoryLimit = memory
    configuration.inputLimit = try arguments.number("--input-limit", minimum: 1)
    configuration.runSecondsLimit = try arguments.number("--run-time-limit", minimum: 1).map { Double($0) }
    configuration.failFast = arguments.has("--fail-fast")
    configuration.allowsNone = arguments.has("--allow-empty")
    configuration.known = try knownFailures()
    configuration.log = arguments.last("--resume")
    configuration.isForced = arguments.has("--force")
    return configuration
  }
}
