// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Foundation
import Interpreter
import Language
import Machine
import Testing
import UAPI

enum Project {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let golden = root.appending(path: "Tests/InterpreterTests/Golden")
}

/// A machine of its own, as a script gets it.
func modelRig(_ kernel: Personality = .standard) -> Rig {
  let target = ModelTarget(Machine.Configuration(kernel: kernel))
  return Rig(target: target, bench: ModelBench(target), backend: "mock")
}

let mock = Environment(kernel: KernelVersion(7, 2), backend: "mock", hasBench: true)

/// Runs a script on the model, with the invariants looked at after every statement.
func run(
  _ text: String, kernel: Personality = .standard, files: [String: String] = [:],
  configure: (inout RunOptions) -> Void = { _ in }
) -> ScriptResult {
  var options = RunOptions()
  options.check = true
  configure(&options)
  return Interpreter.run(
    SourceFile(name: "test.iofd", text: text), loader: MemoryLoader(texts: files), options: options
  ) { modelRig(kernel) }
}

/// Runs a script that must pass.
func passes(
  _ text: String, kernel: Personality = .standard, files: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let result = run(text, kernel: kernel, files: files)
  let report = DiagnosticRenderer().render(result.allDiagnostics)
  #expect(result.verdict == .passed, "\(report)", sourceLocation: sourceLocation)
  #expect(result.counts.blocked == 0, sourceLocation: sourceLocation)
}

/// The codes of everything that is said about a script.
func codes(_ text: String, files: [String: String] = [:]) -> [String] {
  run(text, files: files).allDiagnostics.map { $0.code.code }
}

/// SplitMix64: the same numbers in every run.
struct Random: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
