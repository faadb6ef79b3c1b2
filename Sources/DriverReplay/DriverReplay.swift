// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Machine
internal import Memory
internal import PageTables
public import UAPI

// What a real driver wrote, against ours: a machine with the recording's IOMMU and device gets the recording's
// requests through iommufd, on the same physical pages, and every line that the recording has must come out of the
// model's memory and queues. Only the addresses of tables differ between two runs: each of the recording's stands
// for one of the model's, and always for the same one.

/// Replays a recording of a real IOMMU driver.
public struct DriverReplay {
  /// A line that the model would have written otherwise.
  public struct Difference: Sendable, CustomStringConvertible {
    public let step: String
    public let recorded: String
    /// Nil where the model has no such line.
    public let model: String?

    public var description: String {
      "step \(step): the recording has \"\(recorded)\", the model \(model.map { "\"\($0)\"" } ?? "nothing")"
    }
  }

  /// How a replay went.
  public struct Outcome: Sendable {
    /// Lines compared and equal, by their first word: `step`, `rc`, `ctx`, `cmd`, `pte`.
    public var equal: [String: Int] = [:]
    public var total: [String: Int] = [:]
    public var differences: [Difference] = []
    /// Lines that are not compared, by the reason.
    public var leftOut: [String: Int] = [:]

    public var equalLines: Int { equal.values.reduce(0, +) }
    public var comparedLines: Int { total.values.reduce(0, +) }
  }

  /// Why a recording cannot be replayed at all.
  public enum Failure: Error, CustomStringConvertible {
    case unknownHardware
    case machine(Errno)

    public var description: String {
      switch self {
      case .unknownHardware: "the recording's registers are of no IOMMU that the model has"
      case .machine(let errno): "no machine for it: \(errno)"
      }
    }
  }

  private let stage: ReplayStage
  private let recorder: any DriverRecorder
  private var names = AddressNames()
  private var outcome = Outcome()

  /// Replays `recording`; `name` is its file name, without a folder.
  ///
  /// - Throws: `Failure`.
  public static func run(_ recording: DriverRecording, name: String) throws(Failure) -> Outcome {
    guard let hardware = RecordedHardware.of(recording) else { throw .unknownHardware }
    let stage: ReplayStage
    do throws(Errno) {
      stage = try ReplayStage(recording, hardware, name: name)
    } catch { throw .machine(error) }
    var replay = DriverReplay(
      stage: stage, recorder: hardware.makeRecorder(stage.endpoint.unit, stage.machine))
    for step in recording.steps { replay.play(step) }
    return replay.outcome
  }

  /// Whether the model has the hardware that the recording is of.
  public static func canReplay(_ recording: DriverRecording) -> Bool { RecordedHardware.of(recording) != nil }

  private init(stage: ReplayStage, recorder: any DriverRecorder) {
    self.stage = stage
    self.recorder = recorder
    _ = recorder.newCommands()
  }

  // MARK: Steps

  private mutating func play(_ step: DriverRecording.Step) {
    var label = "before the first"
    if let request = step.request {
      label = String("\(DriverRecording.Line.step(request))".dropFirst(5))
      // A request that nobody here can make is a line that the model does not reproduce.
      let isKnown = stage.knows(request)
      count("step", isEqual: isKnown)
      if !isKnown {
        outcome.differences.append(Difference(step: label, recorded: "step \(label)", model: nil))
      }
      compareResult(stage.perform(request, step.lines), step, label)
    }
    compareCommands(step, label)
    compareContexts(step, label)
    compareEntries(step, label)
    for line in step.lines {
      switch line {
      case .dma, .log: leaveOut("DMA and its log show the emulator's IOMMU, which is no reference")
      case .comment: leaveOut("comments")
      default: break
      }
    }
  }

  private mutating func count(_ word: String, isEqual: Bool) {
    outcome.total[word, default: 0] += 1
    if isEqual { outcome.equal[word, default: 0] += 1 }
  }

  private mutating func leaveOut(_ reason: String) { outcome.leftOut[reason, default: 0] += 1 }

  private mutating func compare(
    _ word: String, _ recorded: DriverRecording.Line, _ model: DriverRecording.Line?, _ label: String
  ) {
    let isEqual = model == recorded
    count(word, isEqual: isEqual)
    guard !isEqual else { return }
    outcome.differences.append(Difference(step: label, recorded: "\(recorded)", model: model.map { "\($0)" }))
  }

  private mutating func compareResult(
    _ result: (code: Int, errno: Int, rest: String), _ step: DriverRecording.Step, _ label: String
  ) {
    for line in step.lines {
      guard case .result = line else { continue }
      compare("rc", line, .result(code: result.code, errno: result.errno, rest: result.rest), label)
    }
  }

  // MARK: Commands

  private mutating func compareCommands(_ step: DriverRecording.Step, _ label: String) {
    let model = recorder.newCommands()
    let recorded = step.lines.compactMap { line in if case .command(let words) = line { words } else { nil } }
    guard !model.isEmpty || !recorded.isEmpty else { return }
    for (index, words) in recorded.enumerated() {
      let own = index < model.count ? model[index] : nil
      let renamed = own.map { own in
        own.enumerated().map { place, word in
          let mask = recorder.addressBits(ofCommand: own, word: place)
          return names.rename(word, mask, as: place < words.count ? words[place] : nil)
        }
      }
      compare("cmd", .command(words), renamed.map { .command($0) }, label)
    }
    for extra in model.dropFirst(recorded.count) {
      outcome.differences.append(
        Difference(
          step: label, recorded: "no more commands", model: "\(DriverRecording.Line.command(extra))"))
    }
  }

  // MARK: Context structures

  private mutating func compareContexts(_ step: DriverRecording.Step, _ label: String) {
    guard
      step.lines.contains(where: {
        if case .context = $0 { true } else if case .registers = $0 { true } else { false }
      })
    else { return }
    let model = recorder.contexts
    var index = 0
    for line in step.lines {
      switch line {
      case .registers(let registers):
        let own = recorder.registers
        let renamed = own.enumerated().map { place, register in
          let theirs = place < registers.count ? registers[place].value : nil
          return DriverRecording.Register(
            name: register.name,
            value: names.rename(register.value, recorder.addressBits(ofRegister: register.name), as: theirs),
            digits: register.digits)
        }
        compare("ctx", line, .registers(renamed), label)
      case .context(let name, let words):
        var own: DriverRecording.Line?
        if index < model.count {
          let mine = model[index]
          let renamed = mine.words.enumerated().map { place, word in
            names.rename(
              word, recorder.addressBits(ofContext: mine.name, word: place),
              as: mine.name == name && place < words.count ? words[place] : nil)
          }
          own = .context(name: mine.name, words: renamed)
        }
        index += 1
        compare("ctx", line, own, label)
      default: break
      }
    }
  }

  // MARK: Tables

  private mutating func compareEntries(_ step: DriverRecording.Step, _ label: String) {
    let recorded = step.lines.compactMap { line in if case .entry(let entry) = line { entry } else { nil } }
    guard !recorded.isEmpty else { return }
    var joiner = DriverRecording.RunJoiner()
    var tables: Set<[Int]> = []
    stage.domain?.forEachEntry { entry, path in
      joiner.add(level: entry.level, path: path, raw: entry.raw, isLeaf: entry.kind == .leaf)
      if entry.kind == .table { tables.insert(path) }
    }
    for (index, theirs) in recorded.enumerated() {
      var own: DriverRecording.Line?
      if index < joiner.entries.count {
        var mine = joiner.entries[index]
        if tables.contains(mine.path) {
          mine.raw = names.rename(mine.raw, recorder.tableAddressBits, as: theirs.raw)
        }
        own = .entry(mine)
      }
      compare("pte", .entry(theirs), own, label)
    }
    for extra in joiner.entries.dropFirst(recorded.count) {
      outcome.differences.append(
        Difference(step: label, recorded: "no more entries", model: "\(DriverRecording.Line.entry(extra))"))
    }
  }
}

/// Which of the recording's addresses one of the model's stands for: one to one.
struct AddressNames {
  private var recorded: [UInt64: UInt64] = [:]
  private var taken: Set<UInt64> = [0]

  /// `word` with the address in `mask` replaced by what it is called in the recording. An address that is seen for
  /// the first time is called what the recording has in that place, unless that is the name of another. 0 stays 0.
  mutating func rename(_ word: UInt64, _ mask: UInt64, as theirs: UInt64?) -> UInt64 {
    let address = word & mask
    guard mask != 0, address != 0 else { return word }
    if recorded[address] == nil, let theirs, taken.insert(theirs & mask).inserted {
      recorded[address] = theirs & mask
    }
    return word & ~mask | (recorded[address] ?? address)
  }
}
