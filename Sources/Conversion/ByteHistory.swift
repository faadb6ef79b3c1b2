// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Corpora
public import UAPI

/// What a program in bytes does on a machine, and how its script begins: with the machine of its scene.
public struct ByteHistory {
  public let calls: [LoggedCall]
  private let scene: ByteScene
  private let kernel: KernelVersion

  /// Plays a program.
  ///
  /// - Parameters:
  ///   - rig: a machine of the program's scene that nobody has touched yet.
  ///   - steps: so many are made; the one behind them is in the history as a call that never comes back. Nil makes all.
  ///   - keepsEnd: what is closed at the end is in the history as well.
  /// - Throws: what the program's memory throws.
  public init(_ program: ByteProgram, on rig: Rig, steps: Int? = nil, keepsEnd: Bool = false) throws(Errno) {
    let target = LoggingTarget(rig.target)
    target.isOn = false
    let replay = try RecordedReplay(target)
    target.isOn = true
    let bench = rig.bench.map { LoggingBench($0, target) }
    let stage = BenchStage(bench, target, program.scene)
    let count = ByteHistory.stepCount(of: program)
    var begun = 0
    replay.mayGoOn = { steps.map { begun <= $0 } ?? true }
    replay.onStep = { index in
      begun += 1
      if index == count {
        target.performs = true
        bench?.endArming()
        target.isOn = keepsEnd
      } else if index == steps {
        target.performs = false
      }
    }
    _ = try replay.run(program) { action, value in stage.perform(action, value) }
    // The machine is taken apart with its target, of which the stage knows no more than the front.
    calls = withExtendedLifetime(rig.target) { target.calls }
    scene = program.scene
    kernel = target.kernel
  }

  /// How many steps a program has.
  public static func stepCount(of program: ByteProgram) -> Int { ByteDecoder.actions(of: program).count }

  /// The history as a script.
  ///
  /// - Parameters:
  ///   - title: lines for a comment at its head.
  ///   - ending: statements behind the last one.
  public func script(title: [String], ending: [String] = [], style: ScriptWriter.Style = .readable) -> String
  {
    var frame = ScriptWriter.Frame(title: title)
    if scene.family != .mock { frame.requirements = ["backend=\(scene.family)"] }
    frame.ending = ending
    return ScriptWriter.write(calls, kernel: kernel, frame, checksLoads: true, style: style)
  }
}
