// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Corpora
internal import Interpreter
internal import Language
internal import UAPI

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
  private let isStrict: Bool
  private let makeRig: (ByteProgram?) throws -> Rig

  /// - Parameters:
  ///   - isStrict: what does not fit its type in a syzkaller program refuses the program, as for syzkaller's own tests;
  ///     otherwise it is mended and told.
  ///   - makeRig: makes a machine, with a bench; a program in bytes says which it starts on.
  public init(isStrict: Bool = false, makeRig: @escaping (ByteProgram?) throws -> Rig) {
    self.isStrict = isStrict
    self.makeRig = makeRig
  }

  /// - Throws: `ImportSource.Refusal` for a program that cannot be made into a script that passes; what `makeRig`
  ///   throws.
  public func script(of source: ImportSource) throws -> ImportedScript {
    let history = try History(source, isStrict: isStrict, makeRig)
    var reasons: [String] = []
    for style in [ScriptWriter.Style.readable, .exact] {
      let text = history.script(
        ["Made from \(source.label)."]
          + reasons.map { "Call by call, since in verbs it is not the same: \($0)." }, style)
      guard let reason = difference(text, history.calls, source) else {
        return ImportedScript(
          text: text, reasonForExact: reasons.first, repairs: history.repairs,
          disagreements: history.disagreements)
      }
      reasons.append(reason)
    }
    throw ImportSource.Refusal(label: source.label, reason: reasons.joined(separator: "; "))
  }

  /// Why a script is not what it was made from; nil when it is.
  private func difference(_ text: String, _ calls: [LoggedCall], _ source: ImportSource) -> String? {
    var target: LoggingTarget?
    var options = RunOptions()
    options.check = true
    let result = Interpreter.run(
      SourceFile(name: "imported.iofd", text: text), loader: MemoryLoader(), options: options
    ) {
      let rig = try makeRig(source.program.bytes)
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
  /// The history as a script, with a title.
  let script: ([String], ScriptWriter.Style) -> String

  init(_ source: ImportSource, isStrict: Bool, _ makeRig: (ByteProgram?) throws -> Rig) throws {
    let rig = try makeRig(source.program.bytes)
    if case .bytes(let program) = source.program {
      let history = try ByteHistory(program, on: rig)
      calls = history.calls
      let scene = program.scene
      let hint = scene.family == .mock ? [] : ["Run it with --backend \(scene.backend)."]
      script = { title, style in history.script(title: title + hint, style: style) }
      return
    }
    // The program's loads are its own, and not its front end's.
    var looksAtMemory = false
    let target = LoggingTarget(rig.target)
    switch source.program {
    case .syzkaller(let program):
      let image: SyzImage
      do throws(SyzProblem) { image = try SyzImage(program, isStrict: isStrict) } catch {
        throw ImportSource.Refusal(label: source.label, reason: "\(error)")
      }
      let replay = SyzReplay(target)
      if let bench = rig.bench.map({ LoggingBench($0, target) }) {
        replay.injectFailure = { nth, call in
          bench.armFailure(nth: nth)
          call()
          _ = bench.disarmFailure()
        }
      }
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
    case .bytes: break
    }
    let (calls, kernel) = (target.calls, target.kernel)
    self.calls = calls
    script = { [looksAtMemory] title, style in
      ScriptWriter.write(
        calls, kernel: kernel, ScriptWriter.Frame(title: title), checksLoads: looksAtMemory, style: style)
    }
  }

  /// What a script cannot repeat is said where it was.
  private static func announce(_ call: SyzImage.Call, _ target: LoggingTarget) {
    if call.row == nil { target.note(.note("left out: \(call.name), which is not known")) }
  }
}
