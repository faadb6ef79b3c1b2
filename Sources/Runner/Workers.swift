// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Synchronization

/// Threads that share work.
public enum Workers {
  /// As many as the process may use at a time.
  public static var cores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Runs `body` on that many threads at once, one of them the caller's, and waits for all. Where the
  /// host grants fewer threads, fewer share the work.
  public static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [HostThread] = []
    for _ in 1..<max(1, count) {
      guard let thread = HostThread(body) else { break }
      threads.append(thread)
    }
    body()
    for thread in threads { thread.join() }
  }
}

/// Hands out numbers from 0, each once, in order.
public final class Turns: Sendable {
  private let next = Atomic<Int>(0)
  private let count: Int

  public init(_ count: Int) { self.count = count }

  public func take() -> Int? {
    let turn = next.add(1, ordering: .relaxed).oldValue
    return turn < count ? turn : nil
  }
}
