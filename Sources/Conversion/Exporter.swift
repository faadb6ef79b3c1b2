// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Corpora
public import Interpreter
public import Language
internal import UAPI

/// A machine's part of a script as a syzkaller program.
public struct ExportedProgram: Sendable {
  public let program: SyzProgram
  /// What the script did and a program cannot do, once each.
  public let leftOut: [String]
  /// Calls that only this tool has a description of.
  public let ownCalls: Int

  /// With the names that syzkaller gives.
  public var text: String { SyzWriter.write(program) }
}

/// A machine's part of a script as a fuzzer's bytes.
public struct ExportedBytes: Sendable {
  public let program: ByteProgram
  /// The requests that the program makes, as the script made them.
  public let requests: [LoggedRequest]
  /// What the script did and the program does not, and how often.
  public let leftOut: [(what: String, count: Int)]
}

/// Makes programs of scripts: it runs a script on the model and writes down the calls that it made, with the
/// errnos they got as annotations.
///
/// A program is a list of calls. Loops and conditions are there as what came of them; each test of a script is a
/// program of its own. What is done to the machine and by no system call is named in a comment where it was.
public struct Exporter {
  private let makeRig: () throws -> Rig

  /// A script that cannot be exported.
  public struct Failure: Error, Sendable {
    public let diagnostics: [Diagnostic]
    /// Where there is no diagnostic: what became of it.
    public let reason: String
  }

  public init(makeRig: @escaping () throws -> Rig) { self.makeRig = makeRig }

  /// A script as programs in syzkaller's text.
  ///
  /// - Throws: `Failure` for a script that does not pass; what `makeRig` throws.
  public func programs(of source: SourceFile, loader: any ScriptLoader) throws -> [ExportedProgram] {
    try histories(of: source, loader).map { SyzExport($0).exported }.filter { !$0.program.calls.isEmpty }
  }

  /// A script as a fuzzer's bytes, a program a machine.
  ///
  /// - Throws: as `programs`.
  public func bytePrograms(of source: SourceFile, loader: any ScriptLoader) throws -> [ExportedBytes] {
    try histories(of: source, loader).compactMap { ByteExport.exported($0) }
  }

  /// What the script did, a history a machine.
  private func histories(of source: SourceFile, _ loader: any ScriptLoader) throws -> [[LoggedCall]] {
    var targets: [LoggingTarget] = []
    let result = Interpreter.run(source, loader: loader) {
      let rig = try makeRig()
      let target = LoggingTarget(rig.target)
      targets.append(target)
      return Rig(target: target, bench: rig.bench.map { LoggingBench($0, target) }, backend: rig.backend)
    }
    guard result.verdict.isGood else {
      throw Failure(
        diagnostics: result.diagnostics + result.cases.flatMap(\.diagnostics), reason: "it does not pass")
    }
    return targets.map(\.calls)
  }
}
