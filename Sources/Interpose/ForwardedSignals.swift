// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Synchronization

/// Signals while a program runs: what the terminal sends reaches the program by itself, and the supervisor stays to
/// tell how it ended; what is sent to the supervisor alone is passed on.
struct ForwardedSignals {
  private static let program = Atomic<Int32>(0)
  private static let ignored = [SIGINT, SIGQUIT, SIGPIPE]
  private static let passedOn = [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2]
  /// Takes a thread out of a call that waits: the first signal that nobody has a name for.
  static let wakeUp = __libc_current_sigrtmin()

  private var former: [(Int32, sigaction)] = []

  init(to pid: Int32) {
    Self.program.store(pid, ordering: .relaxed)
    for signal in Self.ignored { set(signal, SIG_IGN) }
    Self.unblock(Self.passedOn)
    for signal in Self.passedOn {
      set(signal) { number in kill(ForwardedSignals.program.load(ordering: .relaxed), number) }
    }
  }

  private mutating func set(_ signal: Int32, _ handler: __sighandler_t?) {
    var action = sigaction()
    var before = sigaction()
    action.__sigaction_handler.sa_handler = handler
    sigaction(signal, &action, &before)
    former.append((signal, before))
  }

  /// From now on `wakeUp` does nothing but interrupt a thread that accepts it. Called before there are threads.
  static func prepareWakeUps() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(wakeUp, &action, nil)
  }

  /// The calling thread can be woken, whatever the starter has blocked.
  static func acceptWakeUps() { unblock([wakeUp]) }

  private static func unblock(_ signals: [Int32]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  func restore() {
    for (signal, action) in former {
      var action = action
      sigaction(signal, &action, nil)
    }
  }
}
