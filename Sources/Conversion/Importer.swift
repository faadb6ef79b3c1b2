// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Corpora
internal import Interpreter
internal import Language
public import UAPI

/// A program as a script.
public struct ImportedScript: Sendable {
  public let text: String
  /// Why it had to be written call by call and store by store; nil where it is in verbs.
  public let reasonForExact: String?
  /// What the reader of the program mended.
  public let repairs: [String]
  /// Where an annotated program says something else than the model answers.
  public let disagreements: [String]
}

/// Makes scripts of programs: it runs a program on the model, writes what it did and saw as a script, and runs that.
///
/// A script is handed out only when it passes with every invariant checked after every statement, and when it made the
/// very requests of the program and got the very answers. If the readable form does not, the exact one is tried.
public struct Importer {
  private let kernel: Personality
  private let isStrict: Bool
  private let makeRig: () throws -> Rig

  /// - Parameters:
  ///   - isStrict: what does not fit its type in a syzkaller program refuses the program, as for syzkaller's own tests;
  ///     otherwise it is mended and told.
  ///   - makeRig: makes a machine of that kernel, with a bench.
  public init(kernel: Personality, isStrict: Bool = false, makeRig: @escaping () throws -> Rig) {
    self.kernel = kernel
    self.isStrict = isStrict
    self.makeRig = makeRig
  }

  /// - Throws: `ImportSource.Refusal` for a program that cannot be made into a script that passes; what `makeRig`
  ///   throws.
  public func script(of source: ImportSource) throws -> ImportedScript {
    let history = try History(source, try makeRig(), isStrict: isStrict)
    var reasons: [String] = []
    for style in [ScriptWriter.Style.readable, .exact] {
      let text = ScriptWriter.write(
        history.calls, kernel: kernel,
        title: ["Made from \(source.label)."]
          + reasons.map { "Call by call, since in verbs it is not the same: \($0)." },
        checksLoads: history.looksAtMemory, style: style)
      guard let reason = difference(text, history.calls) else {
        return ImportedScript(
          text: text, reasonForExact: reasons.first, repairs: history.repairs,
          disagreements: history.disagreements)
      }
      reasons.append(reason)
    }
    throw ImportSource.Refusal(label: source.label, reason: reasons.joined(separator: "; "))
  }

  /// Why a script is not what it was made from; nil when it is.
  private func difference(_ text: String, _ calls: [LoggedCall]) -> String? {
    var target: LoggingTarget?
    var options = RunOptions()
    options.check = true
    let result = Interpreter.run(
      SourceFile(name: "imported.iofd", text: text), loader: MemoryLoader(), options: options
    ) {
      let rig = try makeRig()
      let logging = LoggingTarget(rig.target)
      target = logging
      return Rig(target: logging, bench: rig.bench, backend: rig.backend)
    }
    guard result.verdict == .passed else {
      let diagnostic = (result.diagnostics + result.cases.flatMap(\.diagnostics)).first
      return diagnostic.map { Self.text($0) } ?? "it does not pass"
    }
    return RequestComparison.difference(calls, target?.calls ?? [])
  }

  /// A diagnostic in one line, with the statement.
  private static func text(_ diagnostic: Diagnostic) -> String {
    let line = diagnostic.source.text(
      diagnostic.source.lineSpan(diagnostic.source.line(of: diagnostic.span.start)))
    let details = diagnostic.details.prefix(2).map { "\($0.label) \($0.text)" }.joined(separator: ", ")
    return "\(diagnostic.message): '\(line)'" + (details.isEmpty ? "" : " (\(details))")
  }
}

/// What a program did on a machine.
private struct History {
  let calls: [LoggedCall]
  var repairs: [String] = []
  var disagreements: [String] = []
  /// The program's loads are its own, and not its front end's.
  var looksAtMemory = false

  init(_ source: ImportSource, _ rig: Rig, isStrict: Bool) throws {
    let target = LoggingTarget(rig.target)
    switch source.program {
    case .syzkaller(let program):
      let image: SyzImage
      do throws(SyzProblem) { image = try SyzImage(program, isStrict: isStrict) } catch {
        throw ImportSource.Refusal(label: source.label, reason: "\(error)")
      }
      let replay = SyzReplay(target)
      replay.onCall = { index in
        target.note(.step(index))
        if index == image.calls.count {
          target.isOn = false
        } else {
          Self.announce(image.calls[index], target)
        }
      }
      let answers = try replay.run(image)
      repairs = image.repairs.map(\.description)
      // A program without annotations promises nothing.
      if image.calls.contains(where: { $0.comment != nil }) {
        disagreements = image.differences(answers).map(\.description)
      }
    case .recorded(let program):
      looksAtMemory = true
      target.isOn = false
      let replay = try RecordedReplay(target)
      target.isOn = true
      replay.onStep = { if $0 == program.steps.count { target.isOn = false } }
      _ = try replay.run(program)
    case .bytes(let program):
      looksAtMemory = true
      target.isOn = false
      let replay = try RecordedReplay(target)
      target.isOn = true
      let count = ByteDecoder.actions(of: program).count
      replay.onStep = { if $0 == count { target.isOn = false } }
      let performer = BenchPerformer(rig.bench, target)
      _ = try replay.run(program) { action, _ throws(Errno) in try performer.perform(action) }
    }
    calls = target.calls
  }

  /// What a script cannot repeat is said where it was.
  private static func announce(_ call: SyzImage.Call, _ target: LoggingTarget) {
    if call.row == nil { target.note(.note("left out: \(call.name), which is not known")) }
    if call.properties.failNth > 0 {
      target.note(.note("left out: a failure at point \(call.properties.failNth) of the next call"))
    }
  }
}

/// Does for a program in bytes what is no request.
private final class BenchPerformer {
  private let bench: (any Bench)?
  private let target: LoggingTarget
  private var processes: [Int32] = []

  init(_ bench: (any Bench)?, _ target: LoggingTarget) {
    self.bench = bench.map { LoggingBench($0, target) }
    self.target = target
    if let bench { processes = [bench.currentProcess] }
  }

  func perform(_ action: BenchAction) throws(Errno) -> String {
    guard let bench else { return "none" }
    switch action {
    case .fork: processes.append(try bench.fork())
    case .switchProcess(let number):
      let process = processes[number % processes.count]
      guard process != bench.currentProcess else { return "same" }
      try bench.switchProcess(process)
    case .exitProcess(let number):
      let others = processes.filter { $0 != bench.currentProcess }
      guard !others.isEmpty else { return "none" }
      let process = others[number % others.count]
      try bench.exit(process)
      processes.removeAll { $0 == process }
    case .setMemlockLimit(let bytes): bench.setMemlockLimit(bytes)
    case .setCapability(let number, let held):
      try bench.setCapability(BenchAction.capabilities[number % BenchAction.capabilities.count], held)
    case .armFailure, .disarmFailure, .dma, .requestTranslation, .requestPage, .takeFinished, .interrupt,
      .plug,
      .unplug, .cut, .grow, .guestTable:
      target.note(.note("left out: \(action)"))
    }
    return "ok"
  }
}
