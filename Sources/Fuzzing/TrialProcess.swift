// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Replay
internal import Runner
internal import Synchronization

/// A trial in a process of its own: an input that traps, never ends or takes all memory is a finding, and the next one
/// gets a new process.
///
/// One thread at a time uses it.
final class TrialProcess: Trial, @unchecked Sendable {
  struct Limits: Sendable {
    /// Seconds for one input.
    var seconds = 10.0
    /// Bytes that the worker may occupy.
    var memory = 2 << 30
  }

  private let command: [String]
  private let limits: Limits
  private var worker: WorkerProcess?
  private var trials = 0
  /// What workers that are gone have used of processors, in nanoseconds; and the one that is there, which any thread asks.
  private let times = Mutex((gone: UInt64(0), current: WorkerProcess?.none))
  /// A worker is replaced after so many inputs, so that nothing it keeps matters.
  private static let mostTrials = 200_000

  /// - Parameter command: the worker's words, the program first.
  /// - Throws: what starting it fails with.
  init(_ command: [String], _ limits: Limits) throws(FileFailure) {
    self.command = command
    self.limits = limits
    _ = try start()
  }

  deinit { stop() }

  func run(_ bytes: [UInt8], _ effort: TrialEffort) -> TrialOutcome {
    ask(
      TrialMessage.request(bytes, effort), seconds: effort == .thorough ? 6 * limits.seconds : limits.seconds)
  }

  func script(_ order: FindingScript.Order) -> String? {
    let script = ask(TrialMessage.request(order), seconds: limits.seconds).script
    return script.isEmpty ? nil : script
  }

  private func ask(_ request: [UInt8], seconds: Double) -> TrialOutcome {
    if trials >= Self.mostTrials { stop() }
    let worker: WorkerProcess
    do throws(FileFailure) {
      if let running = self.worker { worker = running } else { worker = try start() }
    } catch { return Self.lost("\(error)") }
    trials += 1
    worker.mark.clear()
    // A worker that is gone takes no request; what became of it is found out below.
    _ = send(request, to: worker)
    var body: [UInt8] = []
    switch receive(UInt64(seconds * 1e9), from: worker, into: &body) {
    case .done: return TrialMessage.outcome(body) ?? dead(worker)
    case .gone: return dead(worker)
    case .late: return ended(worker, "timeout", "it is not over after \(limits.seconds) seconds")
    case .large: return ended(worker, "out-of-memory", "it takes more than \(limits.memory >> 20) MiB")
    }
  }

  var processorSeconds: Double {
    times.withLock { Double($0.gone &+ ($0.current?.processorTime ?? 0)) / 1e9 }
  }

  // MARK: Outcomes without an answer

  /// The worker itself cannot be had.
  private static func lost(_ message: String) -> TrialOutcome {
    var outcome = TrialOutcome()
    outcome.verdict = "not-run"
    outcome.finding = TrialOutcome.Finding(
      verdict: "not-run", signature: "not-run: \(message)", message: message, details: "")
    return outcome
  }

  private func ended(_ worker: WorkerProcess, _ verdict: String, _ message: String) -> TrialOutcome {
    let call = CallName(raw: worker.mark.call.pointee)
    stop()
    return finding(verdict, message, during: call, place: "")
  }

  private func dead(_ worker: WorkerProcess) -> TrialOutcome {
    let call = CallName(raw: worker.mark.call.pointee)
    let (signal, address) = (worker.mark.trap[0], worker.mark.trap[1])
    let death = bury(worker)
    guard signal != 0 else {
      let end =
        switch death {
        case .exited(let status): "its process ended with status \(status)"
        case .signal(let signal): "its process ended with \(SignalName.of(signal))"
        }
      return finding("trapped", end, during: call, place: "")
    }
    let place = "0x" + String(address, radix: 16)
    return finding(
      "trapped", "\(SignalName.of(Int32(truncatingIfNeeded: signal))) at \(place) of the program",
      during: call,
      place: " at \(place)")
  }

  private func finding(_ verdict: String, _ message: String, during call: CallName, place: String)
    -> TrialOutcome
  {
    var outcome = TrialOutcome()
    outcome.verdict = verdict
    let during = "\(call)".isEmpty ? "" : " \(call)"
    outcome.finding = TrialOutcome.Finding(
      verdict: verdict, signature: verdict + during + place,
      message: message + (during.isEmpty ? "" : ", during\(during)"), details: "")
    return outcome
  }

  // MARK: The process

  private func start() throws(FileFailure) -> WorkerProcess {
    trials = 0
    let worker = try WorkerProcess(command, blocks: true)
    self.worker = worker
    times.withLock { $0.current = worker }
    return worker
  }

  private func stop() {
    guard let worker else { return }
    worker.kill()
    _ = bury(worker)
  }

  private func bury(_ worker: WorkerProcess) -> WorkerProcess.Death {
    self.worker = nil
    defer { _ = worker.lastWords() }
    return times.withLock { times in
      let death = worker.bury()
      times.gone += worker.processorTime
      times.current = nil
      return death
    }
  }

  private func send(_ bytes: [UInt8], to worker: WorkerProcess) -> Bool {
    var done = 0
    while done < bytes.count {
      let now = bytes.withUnsafeBytes { write(worker.input, $0.baseAddress! + done, bytes.count - done) }
      if now < 0, errno == EINTR { continue }
      guard now > 0 else { return false }
      done += now
    }
    return true
  }

  private enum Receipt { case done, gone, late, large }

  /// A whole answer: its length, and what is that long.
  private func receive(_ limit: UInt64, from worker: WorkerProcess, into body: inout [UInt8]) -> Receipt {
    var deadline = Watch.now() &+ limit
    var head: [UInt8] = []
    let receipt = receive(4, from: worker, limit, until: &deadline, into: &head)
    guard receipt == .done else { return receipt }
    var rest = head[...]
    let count = Int(TrialMessage.number(&rest) ?? 0)
    guard count <= TrialMessage.longest else { return .gone }
    return receive(count, from: worker, limit, until: &deadline, into: &body)
  }

  private func receive(
    _ count: Int, from worker: WorkerProcess, _ limit: UInt64, until deadline: inout UInt64,
    into bytes: inout [UInt8]
  ) -> Receipt {
    var done = 0
    var receipt = Receipt.done
    bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.initialize(repeating: 0)
      while done < count {
        receipt = wait(for: worker, limit, until: &deadline)
        guard receipt == .done else { break }
        let now = read(worker.output, buffer.baseAddress! + done, count - done)
        if now < 0, errno == EINTR { continue }
        guard now > 0 else {
          receipt = .gone
          break
        }
        done += now
      }
      initialized = done
    }
    return receipt
  }

  private static let tick: UInt64 = 200_000_000

  /// Waits for something to read, and looks now and then at what the worker takes. Who was stopped meanwhile waits anew.
  private func wait(for worker: WorkerProcess, _ limit: UInt64, until deadline: inout UInt64) -> Receipt {
    var stops = StopWatch()
    while true {
      var descriptor = pollfd(fd: worker.output, events: Int16(POLLIN), revents: 0)
      let ready = poll(&descriptor, 1, Int32(Self.tick / 1_000_000))
      if ready > 0 { return .done }
      let now = Watch.now()
      if stops.woke(now, after: Self.tick) { deadline = now &+ limit }
      guard now < deadline else { return .late }
      if ready == 0, worker.residentBytes > limits.memory { return .large }
    }
  }
}
