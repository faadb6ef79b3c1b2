// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

/// The threads of a file or test, and what it takes to bring another machine to where this one is.
struct ScheduleStage {
  /// The statements of the file or test.
  var scene: [Node] = []
  /// How many of them, and of those inside them, have begun.
  var position = 0
  /// The position at which a rehearsal is where its original was.
  var stopPosition = -1
  /// What a rehearsal does there.
  var atStop: ((Executor) -> Void)?

  /// Who runs the threads; nil until one runs.
  var scheduler: (any ThreadScheduler)?
  /// Threads that have run, by their declaration.
  var threads: [ObjectIdentifier: ScriptThread] = [:]
  /// Threads that the script has come to.
  var declared: Set<ObjectIdentifier> = []

  /// Called in a thread behind each of its statements.
  var afterStatement: ((Node) -> Void)?
}

/// A thread that has begun.
final class ScriptThread {
  let node: ThreadNode
  let number: Int
  let executor: Executor
  /// Its results have been taken over.
  var isCollected = false

  init(_ node: ThreadNode, number: Int, _ executor: Executor) {
    self.node = node
    self.number = number
    self.executor = executor
  }
}
