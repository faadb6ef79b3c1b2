// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A thread of the host, with a stack that deep scripts fit into.
public struct HostThread: @unchecked Sendable {
  private let handle: pthread_t
  private static let stackSize = 16 << 20

  private final class Job {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Starts it; nil when the host grants none.
  ///
  /// - Parameter body: what it does, and what it refers to is for the caller to share safely.
  public init?(_ body: @escaping () -> Void) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackSize)
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, job.toOpaque())
    guard code == 0 else {
      job.release()
      return nil
    }
    handle = thread
  }

  /// Waits for its end; once, and not after `detach`.
  public func join() { pthread_join(handle, nil) }

  /// Nobody waits for its end.
  public func detach() { pthread_detach(handle) }
}
