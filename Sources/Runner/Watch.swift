// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Interpreter
internal import Synchronization

/// Ends scripts that may not go on: Ctrl-C, too long, too much memory.
///
/// One thread looks every few milliseconds and cancels; a script notices at its next statement. A statement
/// that does not come to its end within `patience` ends the process, since nothing else could.
public final class Watch: Sendable {
  enum Reason {
    case interrupt, time, memory
  }
  struct Limits {
    /// Seconds for each script; nil for no limit.
    var seconds: Double?
    /// Bytes that the process may occupy while scripts run; nil for no limit. Scripts share a process, so
    /// all that run at the time are ended.
    var memory: Int?
  }

  private struct Job {
    let path: String
    let cancellation: Cancellation
    let deadline: UInt64
    var reason: Reason?
    var cancelledAt: UInt64 = 0
  }
  private struct State {
    var jobs: [Int: Job] = [:]
    var isOver = false
  }
  private let state = Mutex(State())
  private let limits: Limits
  private static let tick: useconds_t = 10_000
  private static let patience: UInt64 = 10_000_000_000

  init(_ limits: Limits) { self.limits = limits }

  func start() {
    // Without the thread there are no limits, and still all scripts run.
    let thread = HostThread { [self] in
      while !state.withLock({ $0.isOver }) {
        usleep(Self.tick)
        look()
      }
    }
    thread?.detach()
  }

  func stop() { state.withLock { $0.isOver = true } }

  /// A script begins; what it gets is cancelled when it must end.
  func begin(_ script: Int, path: String) -> Cancellation {
    let cancellation = Cancellation()
    let limit = limits.seconds.map { UInt64(max(0, min($0, 1e9)) * 1e9) }
    let deadline = limit.map { Self.now() &+ $0 } ?? .max
    state.withLock {
      $0.jobs[script] = Job(path: path, cancellation: cancellation, deadline: deadline)
    }
    return cancellation
  }

  /// A script is over; why it had to end, if it had to.
  func end(_ script: Int) -> Reason? {
    state.withLock { $0.jobs.removeValue(forKey: script)?.reason }
  }

  private func look() {
    let now = Self.now()
    let isOutOfMemory = limits.memory.map { Self.residentBytes() > $0 } ?? false
    state.withLock { state in
      for (script, job) in state.jobs {
        if job.reason == nil {
          let reason: Reason? =
            Interrupts.isRaised ? .interrupt : isOutOfMemory ? .memory : now > job.deadline ? .time : nil
          guard let reason else { continue }
          state.jobs[script]?.reason = reason
          state.jobs[script]?.cancelledAt = now
          job.cancellation.cancel()
        } else if now > job.cancelledAt &+ Self.patience {
          giveUp(job)
        }
      }
    }
  }

  private func giveUp(_ job: Job) {
    let message = "iofd: \(job.path): a statement does not come to its end\n"
    message.utf8CString.withUnsafeBytes { _ = write(2, $0.baseAddress, $0.count - 1) }
    let status: ExitStatus =
      switch job.reason {
      case .interrupt: .interrupted
      case .memory: .outOfMemory
      case .time, nil: .timeOut
      }
    _exit(status.rawValue)
  }

  /// Monotonic, in nanoseconds.
  public static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// Seconds of a processor that this process has used.
  public static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// What the process occupies now.
  public static func residentBytes() -> Int { residentBytes(of: "self") }

  /// What another process occupies now; 0 for one that is gone.
  public static func residentBytes(of process: Int32) -> Int { residentBytes(of: "\(process)") }

  private static func residentBytes(of process: String) -> Int {
    do throws(FileFailure) {
      let text = String(decoding: try HostFile.read("/proc/\(process)/statm", limit: 4096), as: UTF8.self)
      let words = text.split(separator: " ")
      return words.count > 1 ? (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    } catch { return 0 }
  }

  /// Three quarters of the host's memory: beyond it the host would begin to end processes.
  public static var defaultMemory: Int {
    Int(sysconf(Int32(_SC_PHYS_PAGES))) / 4 * 3 * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
