// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Runner
internal import Synchronization

/// A process of this program that may die: two pipes to it, a page that it shares, and its last words.
public final class WorkerProcess: @unchecked Sendable {
  private let process: pid_t
  /// Ends of the two pipes that are the parent's.
  public let input: Int32
  public let output: Int32
  /// What it writes to standard error.
  private let errors: Int32
  public let mark: WorkerMark
  private(set) var isInputOpen = true
  /// What it had used of processors when it was buried, in nanoseconds.
  private var finalTime: UInt64?

  /// Starts a process.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - log: the run's log, which it appends to.
  ///   - blocks: the parent waits for its ends of the pipes.
  /// - Throws: when the host has no more processes, descriptors or memory.
  public init(_ command: [String], log: Int32? = nil, blocks: Bool) throws(FileFailure) {
    Self.starting._unsafeLock()
    defer { Self.starting._unsafeUnlock() }
    guard let errors = NamelessFile.make() else { throw FileFailure("start", command[0], errno) }
    self.errors = errors
    guard let page = WorkerMark.makeFile() else {
      let code = errno
      close(errors)
      throw FileFailure("start", command[0], code)
    }
    defer { close(page) }
    guard let mark = WorkerMark(page), let down = Self.pipe(), let up = Self.pipe() else {
      let code = errno
      close(errors)
      throw FileFailure("start", command[0], code)
    }
    self.mark = mark
    (input, output) = (down.writing, up.reading)
    defer {
      close(down.reading)
      close(up.writing)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let log = log ?? -1
    // First out of the way of the numbers that they are to have.
    let places: [(from: Int32, to: Int32)] =
      [(down.reading, 0), (up.writing, 1), (errors, 2), (page, WorkerMark.descriptor)]
      + (log >= 0 ? [(log, WorkerService.logDescriptor)] : [])
    for (index, place) in places.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, place.from, 100 + Int32(index))
    }
    for (index, place) in places.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, 100 + Int32(index), place.to)
      posix_spawn_file_actions_addclose(&actions, 100 + Int32(index))
    }
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = WorkerEnvironment.words().map { strdup($0) } + [nil]
    defer { for word in words + environment { free(word) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, command[0], &actions, nil, &words, &environment)
    self.process = process
    if !blocks { for end in [input, output] { _ = fcntl(end, F_SETFL, O_NONBLOCK) } }
    if code != 0 {
      for end in [input, output, errors] { close(end) }
      throw FileFailure("start", command[0], code)
    }
  }

  /// A process that another thread starts while the pipes of this one are made would keep them open.
  private static let starting = Mutex<Void>(())

  private static func pipe() -> (reading: Int32, writing: Int32)? {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// There is no more for it.
  public func closeInput() {
    guard isInputOpen else { return }
    isInputOpen = false
    close(input)
  }

  /// Ends it at once.
  public func kill() { _ = Glibc.kill(process, SIGKILL) }

  /// How it ended.
  public enum Death: Sendable {
    case exited(Int32)
    case signal(Int32)
  }

  /// Waits until the host has let go of it; once.
  public func bury() -> Death {
    closeInput()
    close(output)
    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0 && errno == EINTR {}
    finalTime = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 &+ UInt64($1.tv_sec) &* 1_000_000_000 &+ UInt64($1.tv_usec) &* 1000
    }
    return status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signal(status & 0x7F)
  }

  /// The first line that it wrote to standard error; once.
  public func lastWords() -> String {
    defer { close(errors) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = pread(errors, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return text.split(separator: "\n").map(String.init).first { !$0.allSatisfy(\.isWhitespace) } ?? ""
  }

  /// Bytes of memory that it occupies.
  public var residentBytes: Int { Watch.residentBytes(of: process) }

  /// Nanoseconds of processors that it has used; after `bury`, in all.
  public var processorTime: UInt64 {
    if let finalTime { return finalTime }
    var clock = clockid_t()
    var time = timespec()
    guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
