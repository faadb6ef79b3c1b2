// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import CLinux
internal import Glibc
public import Machine
internal import Memory
internal import Seams
internal import Synchronization
public import UAPI

// A program runs under a seccomp filter (`SystemCallFilter`); the calls that could concern the model wait until
// a thread of the supervisor has looked at them. Most are let go on. What concerns the model is answered from
// it: device nodes are opened, requests run, with the calling thread as `current` and its memory where it lives.
// The program needs no privilege, no kernel support for iommufd and no other build; it may be linked statically,
// fork, exec, and share descriptors.
//
//     program ── open, ioctl, mmap, read ... ──> kernel ── notification ──> supervisor ── request ──> model
//             <── descriptor, result ─────────────────────────────────────────────┘
//
// Threads: each call is served by one thread of the supervisor from beginning to end, and there is always
// another one waiting, so a request that blocks in the model holds up nobody else.

/// Runs programs whose `/dev/iommu` is the model.
public final class Supervisor: @unchecked Sendable {
  /// What watches the requests go by.
  public struct Watchers: Sendable {
    /// Hears of each call that the model answered, as it was.
    public var observer: (any CallObserver)?
    /// Look for broken invariants after every request; requests then run one by one.
    public var check = false
    public init() {}
  }

  /// Why a program was not run.
  public struct Failure: Error {
    public let message: String
    /// As shells have it: 126 for what cannot be executed, 127 for what is not there; 2 for all else.
    public let status: Int32
  }

  public let machine: Machine
  let watchers: Watchers
  let sockets = Sockets()
  let events = EventDescriptors()
  let injection = FaultInjection()
  let frames: ForeignFrames
  let processes: RealProcesses
  let windows = MappedWindows()
  /// Requests share it; one that has to run alone has it to itself.
  let gate = ReaderWriterLock(.frontEnd)
  let journal: RequestJournal
  private let complaints: @Sendable (String) -> Void

  private let stopping = Atomic<Bool>(false)
  private let idle = Atomic<Int>(0)
  private let living = Atomic<Int>(0)
  private let threads = Mutex<[pthread_t]>([])
  /// Set once, before the first call.
  private nonisolated(unsafe) var listenerSlot: Listener?
  var listener: Listener {
    guard let listenerSlot else { preconditionFailure("nothing is served before there is a program") }
    return listenerSlot
  }

  /// - Parameters:
  ///   - machine: with memory in a file, see `Supervisor.machine(for:)`.
  ///   - complaints: takes what the person who runs it should know, a line each.
  public init(_ machine: Machine, _ watchers: Watchers, complaints: @escaping @Sendable (String) -> Void) {
    self.machine = machine
    self.watchers = watchers
    self.complaints = complaints
    journal = RequestJournal(isOn: watchers.observer?.wantsMemory ?? false)
    frames = ForeignFrames(machine.memory, journal)
    processes = RealProcesses(frames, journal) { machine.watch($0.memory, user: $0.user, of: $0.number) }
  }

  /// A machine for programs: its memory can be mapped by them, and pages of theirs are no neighbours.
  public static func machine(for kernel: Personality) -> Machine {
    iofd_fill_standard_descriptors()
    let file = iofd_memfd("iofd", 0)
    return Machine(
      Machine.Configuration(kernel: kernel, frameStride: 2, backing: file >= 0 ? file : nil))
  }

  func complain(_ message: String) { complaints(message) }

  // MARK: A program's life

  /// Runs a program until it and all its descendants have ended; returns its exit status, 128 + N for signal N.
  ///
  /// - Throws: Failure when it could not be started.
  public func run(_ arguments: [String]) throws(Failure) -> Int32 {
    guard iofd_exec_arch() != 0 else {
      throw Failure(message: "programs can be run on x86-64 only so far", status: 2)
    }
    guard machine.memory.backing != nil else {
      throw Failure(message: "this system gives no file in memory (memfd_create)", status: 2)
    }
    iofd_raise_open_files_limit()
    // Whoever the program leaves behind becomes ours, so that its memory can be read and its end seen.
    _ = iofd_subreaper()
    let (spawned, gate) = try spawn(arguments)
    defer { close(gate) }
    listenerSlot = Listener(spawned.listener)
    ForwardedSignals.prepareWakeUps()
    addThread()
    let signals = ForwardedSignals(to: spawned.pid)
    defer { signals.restore() }
    let error = iofd_release(gate)
    let status = waitForProgram(spawned.pid)
    waitForDescendants()
    stop()
    windows.releaseAll()
    sockets.releaseAll()
    injection.removeDirectory()
    if error != 0 {
      throw Failure(
        message: "\(arguments[0]): \(String(cString: strerror(error)))",
        status: error == Glibc.ENOENT ? 127 : 126)
    }
    return status
  }

  private func spawn(_ arguments: [String]) throws(Failure) -> (iofd_spawned, Int32) {
    let filter = SystemCallFilter(events: events.range)
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var gate: Int32 = -1
    // A call that the supervisor has taken is not made twice because of a signal; kernels before 5.19 cannot.
    var spawned = iofd_spawned()
    for flags in [UInt(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), 0] {
      spawned = filter.withProgram { iofd_spawn(&words, $0, $1, flags, &gate) }
      guard spawned.stage == Int32(IOFD_SPAWN_FILTER.rawValue), spawned.error == Glibc.EINVAL else { break }
      var status: Int32 = 0
      waitpid(spawned.pid, &status, 0)
      close(gate)
    }
    guard spawned.stage == Int32(IOFD_SPAWNED.rawValue), spawned.listener >= 0 else {
      let reason = String(cString: strerror(spawned.error))
      let why =
        switch UInt32(bitPattern: spawned.stage) {
        case IOFD_SPAWN_FORK.rawValue: "no process could be made: \(reason)"
        case IOFD_SPAWN_PRIVILEGES.rawValue: "the kernel here refuses no_new_privs: \(reason)"
        default:
          spawned.error == Glibc.EBUSY
            ? "the kernel here refuses seccomp notification: this runs under another supervisor already"
            : "the kernel here refuses seccomp notification: \(reason)"
        }
      throw Failure(message: why, status: 2)
    }
    return (spawned, gate)
  }

  private func waitForProgram(_ pid: Int32) -> Int32 {
    // Without a descriptor for it, its end is looked for now and then.
    let process = Descriptor(iofd_pidfd_open(pid))
    var wait = pollfd(fd: process.number, events: Int16(POLLIN), revents: 0)
    while poll(&wait, 1, process.number >= 0 ? -1 : 20) < 0 {}
    var status: Int32 = 0
    while true {
      let ended = Injection.tracing.withLock { () -> Int32 in
        if let end = Injection.end(of: pid) {
          status = end
          return pid
        }
        return waitpid(pid, &status, WNOHANG)
      }
      if ended != 0 { break }
      usleep(20_000)
    }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F
  }

  /// The filter's last user is gone when the listener hangs up; the dead count until they are reaped.
  private func waitForDescendants() {
    var wait = pollfd(fd: listener.number, events: 0, revents: 0)
    while true {
      Injection.tracing.withLock {
        while iofd_reap() > 0 {}
      }
      if poll(&wait, 1, 0) > 0, Int32(wait.revents) & POLLHUP != 0 { return }
      if poll(&wait, 1, 20) > 0, Int32(wait.revents) & POLLHUP != 0 { return }
    }
  }

  // MARK: Serving

  private static let threadLimit = 256

  private func addThread() {
    idle.add(1, ordering: .relaxed)
    living.add(1, ordering: .relaxed)
    let box = Unmanaged.passRetained(self)
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Supervisor>.fromOpaque(argument).takeRetainedValue().serve()
        return nil
      }, box.toOpaque())
    guard error == 0 else {
      box.release()
      idle.subtract(1, ordering: .relaxed)
      living.subtract(1, ordering: .relaxed)
      return
    }
    threads.withLock { $0.append(thread) }
  }

  private func serve() {
    ForwardedSignals.acceptWakeUps()
    while !stopping.load(ordering: .acquiring) {
      guard let notification = listener.receive() else { continue }
      if idle.subtract(1, ordering: .relaxed).newValue == 0, threads.withLock({ $0.count }) < Self.threadLimit
      {
        addThread()
      }
      releaseClosed()
      listener.send(answer(notification), to: notification.id)
      idle.add(1, ordering: .relaxed)
    }
    living.subtract(1, ordering: .releasing)
  }

  /// What a program has closed and unmapped is released before its next call is looked at. A request that runs alone
  /// is not disturbed by it, nor is a look at the invariants.
  private func releaseClosed() {
    gate.lockShared()
    defer { gate.unlockShared() }
    if windows.areAny { windows.releaseUnmapped(machine, watchers.observer) }
    if sockets.releaseClosed({ self.watchers.observer?.released(file: $0) }) {
      frames.releaseUnusedHugePages()
    }
  }

  /// Ends the threads, which wait for calls that will not come.
  private func stop() {
    stopping.store(true, ordering: .releasing)
    while living.load(ordering: .acquiring) > 0 {
      for thread in threads.withLock({ $0 }) { pthread_kill(thread, ForwardedSignals.wakeUp) }
      usleep(200)
    }
    for thread in threads.withLock({ $0 }) { pthread_join(thread, nil) }
  }
}
