// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import DriverReplay
internal import Interpreter
internal import Language
internal import Runner
internal import UAPI

// How each kind of program is played, and what it has to say of itself. What the machine has to say, `CallWatch` hears.

extension InputPlayer {
  /// A list of raw requests. It expects nothing: its answers are to be compared with those of another run.
  func play(_ program: RecordedProgram, _ watch: CallWatch) throws(Errno) -> ReplayOutcome {
    let rig = WatchedTarget.watching(try rigs.makeForReplay(), watch)
    let replay = try RecordedReplay(rig.target)
    replay.mayGoOn = { watch.stop == nil }
    var outcome = ReplayOutcome(.passed)
    outcome.answers = try replay.run(program)
    watch.check(rig)
    return outcome
  }

  /// A fuzzer's bytes. They expect nothing but that the model keeps its rules, and that nothing is left at the end.
  func play(_ program: ByteProgram, _ watch: CallWatch) throws(Errno) -> ReplayOutcome {
    let plain = try rigs.preferring(program.kernel).preferring(program.scene).make()
    let rig = WatchedTarget.watching(plain, watch)
    let replay = try RecordedReplay(rig.target)
    replay.mayGoOn = { watch.stop == nil }
    let stage = WatchedStage(rig, plain.target, program.scene, watch)
    var outcome = ReplayOutcome(.passed)
    outcome.answers = try replay.run(program) { action, value in stage.perform(action, value) }
    watch.observer?.ended(on: rig)
    stage.clear()
    if configuration.looksForLeaks, watch.stop == nil { try lookForLeaks(program, replay, stage, watch) }
    return outcome
  }

  /// Structures that a driver makes at first use and keeps are no leak; what more of is there after each further play of
  /// the same program is one. What a file that maps itself holds is lost in the kernel, too.
  private func lookForLeaks(
    _ program: ByteProgram, _ replay: RecordedReplay, _ stage: WatchedStage, _ watch: CallWatch
  ) throws(Errno) {
    watch.observer = nil
    guard stage.rings == 0 else { return }
    var before: UInt64?
    for _ in 0..<Self.furtherPlays {
      _ = try replay.run(program) { action, value in stage.perform(action, value) }
      stage.clear()
      let now = stage.frames
      if let before, now <= before || watch.stop != nil { return }
      before = now
    }
    watch.find(
      Violation(
        "what a program used is free when it is over",
        "\(stage.frames) frames are in use, more after each play"))
  }

  private static let furtherPlays = 4

  // MARK: syzkaller

  /// A program of a corpus expects nothing; a test's comments say what each call answers.
  func play(_ image: SyzImage, isTest: Bool, _ watch: CallWatch) throws(Errno) -> ReplayOutcome {
    if isTest, let unmet = SyzRequirements.unmet(of: image) {
      return ReplayOutcome(.skipped("it requires \(unmet)"))
    }
    let rig = WatchedTarget.watching(try rigs.make(), watch)
    let replay = SyzReplay(rig.target)
    replay.mayGoOn = { watch.stop == nil }
    if let bench = rig.bench {
      replay.injectFailure = { nth, call in
        bench.armFailure(nth: nth)
        call()
        _ = bench.disarmFailure()
      }
    }
    let answers = try replay.run(image)
    watch.check(rig)
    var outcome = ReplayOutcome(.passed)
    let known = answers.count { $0.outcome != .unsupported }
    if known == 0, let first = image.calls.first {
      let others = image.calls.count > 1 ? " and \(image.calls.count - 1) more" : ""
      outcome.verdict = .unsupported("no call of it is known: \(first.name)\(others)")
    } else if isTest, known < answers.count {
      outcome.verdict = .unsupported("\(answers.count - known) of its \(answers.count) calls are not known")
    } else if isTest, let difference = image.differences(answers).first {
      // `NAME: expected EINVAL, got success`
      let parts = difference.message.split(separator: ": ", maxSplits: 1).map(String.init)
      outcome = ReplayOutcome(
        .failed, call: parts.count > 1 ? parts[0] : "", rule: parts[parts.count - 1], "\(difference)",
        details: image.differences(answers).dropFirst().map { "\($0)\n" }.joined())
      outcome.line = difference.line
    }
    outcome.answers = answers.enumerated().map { index, answer in "\(index) \(answer)" }
    outcome.calls = known
    outcome.unsupported = replay.unsupported
    outcome.repairs = image.repairs.count
    return outcome
  }

  /// Tests are told by what only they have: a comment that is an expectation, a line of requirements; or by where
  /// syzkaller keeps them, a directory called `test`.
  func isTest(_ image: SyzImage, _ input: ReplayInput) -> Bool {
    if everyProgramIsATest || input.label.contains("/test/") || input.label.hasPrefix("test/") { return true }
    return image.calls.contains { call in
      guard let comment = call.comment, !comment.isEmpty else { return false }
      return comment.hasPrefix("requires:") || SyzExpectation(comment: comment) != nil
    }
  }

  // MARK: Scripts

  /// A script says itself what it expects. Each of its tests has a machine of its own.
  func play(_ source: SourceFile, _ watch: CallWatch) -> ReplayOutcome {
    var options = RunOptions()
    let cancellation = Cancellation()
    watch.onStop = { cancellation.cancel() }
    options.cancellation = cancellation
    let result = Interpreter.run(source, loader: DiskLoader(), options: options) { [rigs] in
      WatchedTarget.watching(try rigs.make(), watch)
    }
    let verdict = RunVerdict(result.verdict)
    let errors = result.allDiagnostics.filter { $0.severity == .error }
    guard !verdict.isGood, let first = errors.first else { return ReplayOutcome(verdict) }
    let rule = first.code == .brokenInvariant ? first.details.first { $0.label == "rule" }?.text : nil
    let place = first.source.position(of: first.span.start)
    return ReplayOutcome(
      rule == nil ? verdict : .violated, call: watch.last,
      rule: rule ?? "\(first.code.code) \(first.message)",
      "\(place.line):\(place.column): \(first.message)",
      details: DiagnosticRenderer().render(Array(errors.prefix(Self.shown))))
  }

  // MARK: Recordings of drivers

  /// What a real IOMMU driver wrote: the model's writes the same, line by line.
  func play(_ recording: DriverRecording, name: String) -> ReplayOutcome {
    let played: DriverReplay.Outcome
    do throws(DriverReplay.Failure) { played = try DriverReplay.run(recording, name: name) } catch {
      guard case .unknownHardware = error else {
        return ReplayOutcome(.invalid, rule: "\(error)", "\(error)")
      }
      return ReplayOutcome(.unsupported("\(error)"))
    }
    var outcome = ReplayOutcome(.passed)
    if let first = played.differences.first {
      let word = first.recorded.split(separator: " ").first.map(String.init) ?? ""
      outcome = ReplayOutcome(
        .failed, rule: "the driver writes another \(word)", "\(first)",
        details: played.differences.prefix(Self.differencesShown).map { "\($0)\n" }.joined())
    }
    outcome.calls = played.total["step", default: 0]
    let parts = ["step", "rc", "ctx", "cmd", "pte"].map {
      "\($0) \(played.equal[$0, default: 0])/\(played.total[$0, default: 0])"
    }
    outcome.answers = [
      "\(played.equalLines) of \(played.comparedLines) lines equal (\(parts.joined(separator: ", ")))"
    ]
    outcome.note = outcome.answers[0]
    for (reason, lines) in played.leftOut.sorted(by: { $0.key < $1.key }) {
      outcome.answers.append("left out \(lines): \(reason)")
    }
    return outcome
  }

  private static let differencesShown = 20
}
