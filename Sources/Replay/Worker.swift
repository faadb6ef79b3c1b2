// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// A worker process, as its parent sees it.
final class Worker {
  /// Why the parent ended it.
  enum EndReason {
    case time, memory, interrupt
  }

  let process: pid_t
  /// Ends of the two pipes that are the parent's, neither of which blocks.
  let input: Int32
  let output: Int32
  /// What it writes to standard error: last words.
  private let errors: Int32
  let mark: WorkerMark

  /// Bytes that are on their way to it.
  private(set) var outgoing: [UInt8] = []
  private var sent = 0
  private var incoming: [UInt8] = []
  /// Inputs that it has and whose results have not come, by their numbers, the oldest first.
  private(set) var given: ArraySlice<(number: UInt64, input: ReplayInput)> = []
  private(set) var givenBytes = 0
  private(set) var hasAnswered = false
  private var isInputOpen = true
  private(set) var ended: (reason: EndReason, input: UInt64)?

  /// Starts a process.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - log: the run's log, which it appends to.
  /// - Throws: when the host has no more processes, descriptors or memory.
  init(_ command: [String], log: Int32?) throws(FileFailure) {
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
      [(down.reading, 0), (up.writing, 1), (errors, 2), (page, WorkerService.markDescriptor)]
      + (log >= 0 ? [(log, WorkerService.logDescriptor)] : [])
    for (index, place) in places.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, place.from, 100 + Int32(index))
    }
    for (index, place) in places.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, 100 + Int32(index), place.to)
      posix_spawn_file_actions_addclose(&actions, 100 + Int32(index))
    }
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, command[0], &actions, nil, &words, environ)
    self.process = process
    for end in [input, output] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    if code != 0 {
      for end in [input, output, errors] { close(end) }
      throw FileFailure("start", command[0], code)
    }
  }

  private static func pipe() -> (reading: Int32, writing: Int32)? {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  // MARK: Talking

  func give(_ input: ReplayInput, number: UInt64) {
    if sent == outgoing.count {
      outgoing.removeAll(keepingCapacity: true)
      sent = 0
    }
    WorkerFrame.append(input, number: number, to: &outgoing)
    given.append((number, input))
    givenBytes += input.bytes.count
  }

  var hasOutgoing: Bool { isInputOpen && sent < outgoing.count }

  /// Sends what the pipe takes. A worker that is gone takes nothing, and its output says so.
  func send() {
    while hasOutgoing {
      let count = outgoing.withUnsafeBytes { write(input, $0.baseAddress! + sent, $0.count - sent) }
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { closeInput() }
        return
      }
      sent += count
    }
  }

  /// There are no more inputs for it.
  func closeInput() {
    guard isInputOpen else { return }
    isInputOpen = false
    close(input)
  }

  /// Reads the results that are there; false when it is gone.
  func receive(_ deliver: (ReplayResult) -> Void) -> Bool {
    while true {
      var count = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initialized in
        count = read(output, buffer.baseAddress, buffer.count)
        initialized = max(0, count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        return errno == EAGAIN
      }
      if count == 0 { return false }
      incoming += chunk
      takeLines(deliver)
    }
  }

  private func takeLines(_ deliver: (ReplayResult) -> Void) {
    var start = 0
    while let end = incoming[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let line = incoming[start..<end]
      start = end + 1
      var place: Int?
      let result = ReplayResult(reply: line) { number in
        // Nearly always the first, which costs nothing.
        place = given.firstIndex { $0.number == number }
        return place.map { given[$0].input }
      }
      guard let result, let index = place else { continue }
      givenBytes -= given[index].input.bytes.count
      if index == given.startIndex { given.removeFirst() } else { given.remove(at: index) }
      hasAnswered = true
      deliver(result)
    }
    incoming.removeFirst(start)
  }

  // MARK: Ending

  /// Ends it at once, because of the input that it is at.
  func end(_ reason: EndReason) {
    guard ended == nil else { return }
    ended = (reason, mark.input)
    kill(process, SIGKILL)
  }

  /// How it ended, when it has.
  enum Death {
    case exited(Int32)
    case signal(Int32)
  }

  /// Waits until the host has let go of it.
  func bury() -> Death {
    closeInput()
    close(output)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signal(status & 0x7F)
  }

  /// The first line that it wrote to standard error; once.
  func lastWords() -> String {
    defer { close(errors) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = pread(errors, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return text.split(separator: "\n").map(String.init).first { !$0.allSatisfy(\.isWhitespace) } ?? ""
  }

  /// Bytes of memory that it occupies.
  var residentBytes: Int { Watch.residentBytes(of: process) }
}
