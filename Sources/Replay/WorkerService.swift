// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Runner

/// What a worker process does: inputs come in on standard input, results go out on standard output, and before an input
/// begins its number stands in the mark.
///
/// A worker holds nothing that would be missed. Results go out when there is no further input to play, so a worker that
/// dies takes some along that nobody has seen; their inputs are played again.
public enum WorkerService {
  /// The descriptor that the parent prepares for the log, beside the standard ones and the mark's.
  static let logDescriptor: Int32 = 4

  /// Results are told when there are so many bytes of them, or when the last were told so long ago, in nanoseconds: the
  /// parent has to hear of them in time to send more inputs before this worker runs out of them.
  private static let flushAt = 8 << 10
  private static let flushAfter: UInt64 = 2_000_000

  /// Serves until there are no more inputs.
  ///
  /// - Parameters:
  ///   - hasLog: inputs are written into a run's log before they begin and when they end.
  ///   - answers: send the answers along.
  ///   - times: send along how long each took.
  public static func run(
    _ configuration: InputPlayer.Configuration, hasLog: Bool, answers: Bool, times: Bool
  ) -> ExitStatus {
    guard let mark = WorkerMark.ofThisProcess() else { return .usage }
    prepare(leavesWithParent: configuration.rigs.canRunSideBySide)
    let player = InputPlayer(configuration, mark: mark.call)
    let reader = PipeReader(takeInput())
    var incoming: [UInt8] = []
    var position = 0
    var outgoing: [UInt8] = []
    // What the log has not been told yet.
    var pending: [UInt8] = []
    var lastFlush = Watch.now()
    while true {
      while let (number, input) = WorkerFrame.next(in: incoming, at: &position) {
        if hasLog {
          pending += RunLog.start(of: input)
          guard write(pending, to: logDescriptor) else { return .usage }
        }
        let now = Watch.now()
        if outgoing.count > flushAt || !outgoing.isEmpty && now &- lastFlush > flushAfter {
          guard flush(&outgoing) else { return .interrupted }
          lastFlush = now
        }
        mark.began = now
        mark.input = number
        var result = ReplayResult(number, input, player.play(input))
        if times { result.seconds = Double(Watch.now() &- mark.began) / 1e9 }
        mark.input = 0
        if hasLog { pending = result.line(answers: answers, times: times) }
        outgoing += result.line(answers: answers, times: times, isReply: true)
      }
      if hasLog {
        guard write(pending, to: logDescriptor) else { return .usage }
        pending = []
      }
      guard flush(&outgoing) else { return .interrupted }
      incoming.removeFirst(position)
      position = 0
      guard case .some = reader.read(into: &incoming) else { return .passed }
    }
  }

  private static func flush(_ bytes: inout [UInt8]) -> Bool {
    defer { bytes.removeAll(keepingCapacity: true) }
    return write(bytes, to: 1)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    do throws(FileFailure) { try HostFile.writeAll(bytes, to: descriptor, name: "worker") } catch {
      return false
    }
    return true
  }

  /// A program on a real kernel may close descriptor 0, as on any other: what inputs come through is moved out of its way.
  ///
  /// - Returns: where they come now; 0 still when the host has no more descriptors.
  public static func takeInput() -> Int32 {
    let own = fcntl(0, F_DUPFD_CLOEXEC, 100)
    let nothing = open("/dev/null", O_RDONLY)
    defer { if nothing > 0 { close(nothing) } }
    guard own > 0, nothing > 0, dup2(nothing, 0) == 0 else { return 0 }
    return own
  }

  /// The parent, to notice that it is gone.
  private nonisolated(unsafe) static var parent: pid_t = 0

  /// Makes this process one that may die: quietly, before others, and with its parent.
  public static func prepare(leavesWithParent: Bool) {
    // Ctrl-C reaches the whole group; what becomes of workers is the parent's business.
    signal(SIGINT, SIG_IGN)
    signal(SIGTERM, SIG_DFL)
    // A trap ends the process as the host would have it, for the parent to see, and leaves no core file.
    for trap in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] { signal(trap, SIG_DFL) }
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    // A host that is short of memory ends workers first.
    if let file = fopen("/proc/self/oom_score_adj", "w") {
      fputs("1000\n", file)
      fclose(file)
    }
    guard leavesWithParent else { return }
    // An input that never ends would outlive a parent that was killed. (On a real kernel a signal could end a request
    // with EINTR, so there it is not looked for.)
    parent = getppid()
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in if getppid() != WorkerService.parent { _exit(0) } }
    action.sa_flags = SA_RESTART
    sigaction(SIGALRM, &action, nil)
    var second = itimerval(
      it_interval: timeval(tv_sec: 1, tv_usec: 0), it_value: timeval(tv_sec: 1, tv_usec: 0))
    setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &second, nil)
  }
}
