// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import UAPI

/// A stage that tells a `CallWatch` of every action, and is otherwise the one behind it.
final class WatchedStage {
  private let stage: BenchStage
  private let rig: Rig
  private let watch: CallWatch

  /// - Parameters:
  ///   - rig: with its target watched.
  ///   - target: that target itself: what is done at the end is no call of the program.
  init(_ rig: Rig, _ target: any IoctlTarget, _ scene: ByteScene, _ watch: CallWatch) {
    self.rig = rig
    self.watch = watch
    stage = BenchStage(rig.bench, target, scene)
    stage.onAccess = { function, request, outcome in
      watch.observer?.accessed(.dma, request, by: function, outcome, on: rig)
    }
  }

  /// Does it; the answer in words.
  func perform(_ action: BenchAction, _ value: BenchStage.Value) -> String {
    let call = CallName.action(action)
    var word: String
    do throws(Errno) {
      try watch.begin(call)
      word = stage.perform(action, value)
    } catch { word = BenchStage.word(for: error) }
    watch.observer?.acted(call, word)
    watch.end(rig)
    return word
  }

  /// Nothing of the program is left afterwards.
  func clear() {
    stage.clear()
    watch.checkAgain(rig)
  }

  /// Frames of physical memory in use.
  var frames: UInt64 { stage.frames }

  /// Files that no closing closes, as in the kernel.
  var rings: UInt64 { stage.rings }
}
