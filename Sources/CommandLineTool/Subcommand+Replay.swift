// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import DriverReplay
internal import Runner
internal import UAPI

// `iofd replay`: recorded programs of raw ioctls, with the answers printed as the recordings hold them, so that
// the outputs of two targets can be compared with `diff`. With --random the programs are made here, and printed
// instead of run when --print says so: that is what another kernel is asked.

extension Subcommand {
  static let replay = Subcommand(
    name: "replay", operands: "FILE...",
    summary: "Runs programs of raw ioctls, or compares IOMMU drivers with recordings of real ones.",
    options: [
      SharedOptions.kernel, SharedOptions.target,
      OptionRow(
        "--random", value: .required("THEMES:SEED:COUNT"),
        help: "programs made at random instead of a file's; THEMES is a list with commas, or all, or classic"),
      OptionRow("--print", help: "print the programs and run nothing"),
    ],
    run: { arguments throws(UsageError) in try Replay(arguments).run() })
}

/// A command line of `iofd replay`.
private struct Replay {
  private let rigs: Rigs
  private let random: (themes: [ProgramTheme], seed: UInt64, count: Int)?
  private let prints: Bool
  private let paths: [String]

  init(_ arguments: Arguments) throws(UsageError) {
    rigs = try SharedOptions.rigs(arguments)
    paths = arguments.operands
    prints = arguments.has("--print")
    random = try arguments.last("--random").map { text throws(UsageError) in try Self.random(text) }
    guard paths.isEmpty != (random == nil) else {
      throw UsageError(message: "replay what?", help: "iofd replay FILE...")
    }
  }

  private static func random(_ text: String) throws(UsageError) -> ([ProgramTheme], UInt64, Int) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, let seed = UInt64(parts[1]), let count = Int(parts[2]), count > 0 else {
      throw UsageError(message: "--random wants THEMES:SEED:COUNT, not '\(text)'")
    }
    switch parts[0] {
    case "all": return (ProgramTheme.allCases, seed, count)
    case "classic": return (ProgramTheme.allCases.filter { $0.isClassic }, seed, count)
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
      return (themes, seed, count)
    }
  }

  func run() throws(UsageError) -> ExitStatus {
    let output = ByteOutput.standardOutput()
    let player = Player(rigs, prints: prints, output)
    do {
      if let random {
        for index in 0..<random.count where player.mayGoOn {
          let theme = random.themes[index % random.themes.count]
          try player.play(RandomProgram.make(theme, seed: random.seed &+ UInt64(index)))
        }
      }
      for path in paths where player.mayGoOn {
        let bytes = try HostFile.read(path, limit: Self.longestFile)
        if DriverRecording.isOne(bytes) {
          if try !replay(DriverRecording(bytes), path, output) { player.status = .failed }
          continue
        }
        let programs = try RecordedProgram.parse(bytes)
        for program in programs where player.mayGoOn { try player.play(program) }
      }
    } catch let error as FileFailure {
      Terminal.complain(error.description)
      player.status = .invalid
    } catch let error as RecordedProgram.Malformed {
      Terminal.complain(error.description)
      player.status = .invalid
    } catch let error as DriverRecording.Malformed {
      Terminal.complain(error.description)
      player.status = .invalid
    } catch let error as DriverReplay.Failure {
      Terminal.complain(error.description)
      player.status = .invalid
    } catch {
      let errno = error as? Errno
      Terminal.complain(
        rigs.target == .model ? "\(error)" : "cannot open /dev/iommu: \(error)",
        help: rigs.target == .model ? nil : errno.flatMap { SharedOptions.help(for: $0) })
      player.status = .nothingRan
    }
    return Terminal.finish(output, Interrupts.isRaised ? .interrupted : player.status)
  }

  /// Replays what a real IOMMU driver wrote, and says how many lines the model's writes as well.
  private func replay(_ recording: DriverRecording, _ path: String, _ output: ByteOutput) throws -> Bool {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let outcome = try DriverReplay.run(recording, name: name)
    let parts = ["step", "rc", "ctx", "cmd", "pte"].map { word in
      "\(word) \(outcome.equal[word, default: 0])/\(outcome.total[word, default: 0])"
    }
    output.write(
      "\(path): \(outcome.equalLines) of \(outcome.comparedLines) lines equal (\(parts.joined(separator: ", ")))\n"
    )
    for (reason, lines) in outcome.leftOut.sorted(by: { $0.key < $1.key }) {
      output.write("  left out \(lines): \(reason)\n")
    }
    for difference in outcome.differences.prefix(Self.differencesShown) { output.write("  \(difference)\n") }
    if outcome.differences.count > Self.differencesShown {
      output.write("  and \(outcome.differences.count - Self.differencesShown) more differences\n")
    }
    return outcome.differences.isEmpty
  }

  private static let differencesShown = 20

  /// Files of programs are read whole.
  private static let longestFile = 1 << 30
}

/// Runs programs one after the other on one target, as when they were recorded.
private final class Player {
  private let rigs: Rigs
  private let prints: Bool
  private let output: ByteOutput
  private var running: (target: any IoctlTarget, replay: RecordedReplay)?
  var status = ExitStatus.passed

  init(_ rigs: Rigs, prints: Bool, _ output: ByteOutput) {
    self.rigs = rigs
    self.prints = prints
    self.output = output
  }

  var mayGoOn: Bool { output.failure == nil && !Interrupts.isRaised }

  func play(_ program: RecordedProgram) throws {
    guard !prints else {
      output.write(program.text)
      return
    }
    let (target, replay) = try machine()
    output.write("prog \(program.name)\n")
    for line in try replay.run(program) { output.write(line + "\n") }
    guard let divergence = (target as? any ComparingTarget)?.divergence else { return }
    Terminal.complain("\(program.name): \(divergence)")
    status = .failed
    running = nil
  }

  /// The target; a new one behind a divergence.
  private func machine() throws(Errno) -> (any IoctlTarget, RecordedReplay) {
    if let running { return running }
    let target = try rigs.makeForReplay().target
    let made = (target, try RecordedReplay(target))
    running = made
    return made
  }
}
