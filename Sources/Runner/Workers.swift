// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Synchronization

/// Threads of the host, with a stack that deep scripts fit into.
public enum Workers {
  private static let stackSize = 16 << 20

  /// As many as the process may use at a time.
  public static var cores: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  private final class Job {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on that many threads at once, one of them the caller's, and waits for all. Where the
  /// host grants fewer threads, fewer share the work.
  public static func run(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    var threads: [pthread_t] = []
    for _ in 1..<max(1, count) {
      guard let thread = start(body) else { break }
      threads.append(thread)
    }
    body()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Starts a thread; nil when the host grants none.
  static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackSize)
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, job.toOpaque())
    if code != 0 {
      job.release()
      return nil
    }
    return thread
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
