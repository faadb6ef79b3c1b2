// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Interpreter
internal import Synchronization

/// Ctrl-C and closed pipes, as things that are asked about instead of ending the process.
///
/// A signal handler may do next to nothing: this one counts, and writes a byte to a pipe for those who
/// wait on descriptors. A third Ctrl-C, while the first is not yet taken, ends the process at once.
public enum Interrupts {
  private static let count = Atomic<Int>(0)
  private static let pipe: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    return (ends[0], ends[1])
  }()

  /// What Ctrl-C cancels, besides being counted. Set once, before anything runs.
  private nonisolated(unsafe) static var listener: Cancellation?

  /// From now on Ctrl-C cancels this, too.
  public static func forward(to cancellation: Cancellation) { listener = cancellation }

  /// Takes over SIGINT and SIGTERM, and makes writing to a closed pipe, or beyond a limit of file sizes, an
  /// error like any other.
  public static func install() {
    _ = pipe
    _ = count.load(ordering: .relaxed)
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Interrupts.raise() }
    // Not restarted: a read from a terminal or a pipe comes back.
    action.sa_flags = 0
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    // Who started the process may have kept them off, as threads of a pool do.
    var both = sigset_t()
    sigemptyset(&both)
    sigaddset(&both, SIGINT)
    sigaddset(&both, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
  }

  /// What the handler does; for tests too.
  static func raise() {
    let saved = errno
    if count.add(1, ordering: .sequentiallyConsistent).newValue > 2 {
      _exit(ExitStatus.interrupted.rawValue)
    }
    listener?.cancel()
    var byte: UInt8 = 1
    _ = write(pipe.writing, &byte, 1)
    errno = saved
  }

  /// Someone wants the process to stop what it does.
  public static var isRaised: Bool { count.load(ordering: .relaxed) > 0 }

  /// The wish was granted; the next Ctrl-C is a new one.
  public static func clear() {
    var byte: UInt8 = 0
    while read(pipe.reading, &byte, 1) == 1 {}
    count.store(0, ordering: .relaxed)
    listener?.reset()
  }

  /// Becomes readable when the wish is there.
  public static var descriptor: Int32 { pipe.reading }
}
