// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Replay
internal import Runner

// `iofd replay`: corpora, in worker processes. What it does is in `ReplayRun`; here the command line becomes its
// configuration, and what it tells goes to people, to reports, or into a file that another run is compared with.

extension Subcommand {
  static let replay = Subcommand(
    name: "replay", operands: "PATH...",
    summary:
      "Plays corpora: syzkaller programs and corpus.db, fuzzers' directories and zips, recordings, scripts.",
    options: ReplayOptions.played + [
      OptionRow(
        "--jobs", "-j", value: .required("N"), help: "processes that play at a time (one for each core)"),
      OptionRow("--shard", value: .required("I/N"), help: "only the I-th of N parts of the corpus"),
      OptionRow("--time-limit", value: .required("SECONDS"), help: "for each input; 0 for none (10)"),
      OptionRow("--memory-limit", value: .required("SIZE"), help: "for each process (2G)"),
      OptionRow("--input-limit", value: .required("N"), help: "play at most N inputs"),
      OptionRow("--run-time-limit", value: .required("SECONDS"), help: "for the whole run"),
      OptionRow("--fail-fast", help: "play nothing more after the first input that is not good"),
      OptionRow("--allow-empty", help: "a corpus without inputs is no error"),
      OptionRow(
        "--xfail", value: .required("FILE"), help: "failures that are known of: HASH [until=DAY] REASON"),
      OptionRow("--resume", value: .required("LOG"), help: "write a log, or go on from where it ends"),
      OptionRow("--force", help: "go on from a log of other options or another corpus"),
      OptionRow(
        "--compare", value: .required("RUN"), help: "tell what is not as in an NDJSON report, or in answers"),
      OptionRow("--answers", value: .optional("FILE"), help: "write what every step answered"),
      OptionRow(
        "--report", value: .required("tap|junit|ndjson=FILE"),
        help: "a report for machines; - is standard output; may be repeated"),
      OptionRow("--timings", help: "tell in reports how long each input took"),
      OptionRow("--merge", help: "the paths are NDJSON reports of all parts of a corpus: tell of the whole"),
      OptionRow(
        "--random", value: .required("THEMES:SEED:COUNT"),
        help: "programs made at random; THEMES is a list with commas, or all, or classic"),
      OptionRow("--print", help: "print the random programs and play nothing"),
      OptionRow("--verbose", "-v", help: "a line for every input"),
      OptionRow("--quiet", "-q", help: "findings without their details"),
    ],
    run: { arguments throws(UsageError) in try ReplayCommand(arguments).run() })

  /// A process that `replay` starts, several of them; people have no use for it.
  static let replayWorker = Subcommand(
    name: "replay-worker", operands: "", summary: "Plays inputs for iofd replay.",
    options: ReplayOptions.played + [
      OptionRow("--log", help: "descriptor 4 is the run's log"),
      OptionRow("--with-answers", help: "send answers along"),
      OptionRow("--timings", help: "send times along"),
    ],
    run: { arguments throws(UsageError) in
      WorkerService.run(
        try ReplayOptions.player(arguments), hasLog: arguments.has("--log"),
        answers: arguments.has("--with-answers"), times: arguments.has("--timings"))
    })
}

/// What decides how an input is played: given to `replay`, and handed on to its workers as it is.
enum ReplayOptions {
  static let played = [
    SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.bug,
    OptionRow(
      "--check", help: "look for broken invariants after every call, not only before files are closed"),
    OptionRow("--call-limit", value: .required("N"), help: "for each input (100000)"),
    OptionRow("--tests", help: "every syzkaller program is a test: calls that say nothing else must succeed"),
  ]

  static func player(_ arguments: Arguments) throws(UsageError) -> InputPlayer.Configuration {
    var player = InputPlayer.Configuration()
    player.rigs = try SharedOptions.rigs(arguments)
    player.checksEveryCall = arguments.has("--check")
    player.everyProgramIsATest = arguments.has("--tests")
    if let limit = try arguments.number("--call-limit", minimum: 1) { player.callLimit = limit }
    return player
  }

  /// The words of the command line that say so.
  static func words(_ arguments: Arguments) -> [String] {
    played.flatMap { row in
      let name = row.names[0]
      return arguments.all(name).map { $0.isEmpty ? name : "\(name)=\($0)" }
    }
  }
}

/// Programs made at random, as a command line asks for them.
struct RandomPrograms {
  private let themes: [ProgramTheme]
  private let seed: UInt64
  private let count: Int

  /// Reads `THEMES:SEED:COUNT`.
  init(_ text: String) throws(UsageError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let seed = UInt64(parts[1]), let count = Int(parts[2]), count > 0 else {
      throw UsageError(message: "--random wants THEMES:SEED:COUNT, not '\(text)'")
    }
    self.seed = seed
    self.count = count
    switch parts[0] {
    case "all": themes = ProgramTheme.allCases
    case "classic": themes = ProgramTheme.allCases.filter { $0.isClassic }
    default:
      var themes: [ProgramTheme] = []
      for word in parts[0].split(separator: ",") {
        guard let theme = ProgramTheme(rawValue: String(word)) else {
          let known = ProgramTheme.allCases.map { $0.rawValue }
          throw UsageError(
            message: "there is no theme '\(word)'",
            help: "all, classic, or of: " + known.joined(separator: " "))
        }
        themes.append(theme)
      }
      self.themes = themes
    }
  }

  /// The text of the n-th, from 0; nil behind the last.
  func text(_ index: Int) -> String? {
    guard index < count else { return nil }
    return RandomProgram.make(themes[index % themes.count], seed: seed &+ UInt64(index)).text
  }
}
