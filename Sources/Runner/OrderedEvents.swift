// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// Puts the events of scripts that run side by side into the order of the scripts.
///
/// The first script that is not over is heard at once, those behind it are written down until it is their
/// turn. So the stream is the same for any number of threads, and a single thread keeps nothing.
final class OrderedEvents: Sendable {
  private struct State {
    var first = 0
    var waiting: [Int: [RunEvent]] = [:]
    var isOver: Set<Int> = []
  }
  private let state = Mutex(State())
  /// Only called with the lock held, one event after the other.
  private let deliver: @Sendable (RunEvent) -> Void

  init(_ deliver: @escaping @Sendable (RunEvent) -> Void) { self.deliver = deliver }

  func add(_ event: RunEvent, of script: Int) {
    state.withLock { state in
      if script == state.first {
        deliver(event)
      } else {
        state.waiting[script, default: []].append(event)
      }
    }
  }

  /// A script has nothing more to say.
  func end(_ script: Int) {
    state.withLock { state in
      state.isOver.insert(script)
      while state.isOver.remove(state.first) != nil {
        state.first += 1
        for event in state.waiting.removeValue(forKey: state.first) ?? [] { deliver(event) }
      }
    }
  }
}
