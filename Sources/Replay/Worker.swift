// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// A worker process, as its parent sees it.
final class Worker {
  /// Why the parent ended it.
  enum EndReason {
    case time, memory, interrupt
  }

  private let process: WorkerProcess
  private let reader: PipeReader

  /// Bytes that are on their way to it.
  private(set) var outgoing: [UInt8] = []
  private var sent = 0
  private var incoming: [UInt8] = []
  /// Inputs that it has and whose results have not come, by their numbers, the oldest first.
  private(set) var given: ArraySlice<(number: UInt64, input: ReplayInput)> = []
  private(set) var givenBytes = 0
  private(set) var hasAnswered = false
  private(set) var ended: (reason: EndReason, input: UInt64)?

  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - log: the run's log, which it appends to.
  /// - Throws: when the host has no more processes, descriptors or memory.
  init(_ command: [String], log: Int32?) throws(FileFailure) {
    process = try WorkerProcess(command, log: log, blocks: false)
    reader = PipeReader(process.output)
  }

  var input: Int32 { process.input }
  var output: Int32 { process.output }
  var mark: WorkerMark { process.mark }

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

  var hasOutgoing: Bool { process.isInputOpen && sent < outgoing.count }

  /// Sends what the pipe takes. A worker that is gone takes nothing, and its output says so.
  func send() {
    while hasOutgoing {
      let count = outgoing.withUnsafeBytes { write(input, $0.baseAddress! + sent, $0.count - sent) }
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { process.closeInput() }
        return
      }
      sent += count
    }
  }

  /// Reads the results that are there; false when it is gone.
  func receive(_ deliver: (ReplayResult) -> Void) -> Bool {
    while true {
      switch reader.read(into: &incoming) {
      case .some: takeLines(deliver)
      case .end: return false
      case .failure(let code): return code == EAGAIN
      }
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
    process.kill()
  }

  /// Waits until the host has let go of it.
  func bury() -> WorkerProcess.Death { process.bury() }

  /// The first line that it wrote to standard error; once.
  func lastWords() -> String { process.lastWords() }

  /// Bytes of memory that it occupies.
  var residentBytes: Int { process.residentBytes }
}
