// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// Plays inputs in processes that may die.
///
/// Each worker plays one input after another, each on a fresh machine, so an input costs no process. A worker that traps,
/// takes too long or too much memory ends alone: the mark says which input it was at, that input gets its verdict, and a
/// new worker plays what the dead one had been given besides. Since playing is a function of the input, nothing is lost and
/// nothing counted twice.
///
/// The parent is one thread that waits for pipes. It keeps each worker a little ahead, by count and by bytes, so that the
/// memory of a run does not depend on its length, and none waits.
final class WorkerPool {
  struct Limits: Sendable {
    /// Seconds and bytes of one input; nil for none.
    var seconds: Double? = 10
    var memory: Int?
  }

  /// What there is for a worker.
  enum Supply {
    case input(UInt64, ReplayInput)
    /// Nothing before some results have come.
    case later
    case none
  }

  private let command: [String]
  private let limits: Limits
  private let log: Int32?
  private let count: Int
  private var workers: [Worker] = []
  private var stops = StopWatch()
  /// What dead workers had been given and did not play.
  private var again: [(number: UInt64, input: ReplayInput)] = []
  /// Inputs that were given and not played to their end, when a run was ended early.
  private(set) var abandoned: [ReplayInput] = []
  /// Workers in a row that died without having answered or begun anything.
  private var stillborn = 0

  /// How far ahead: some ten milliseconds of work for which the bytes stand, so that none waits for the parent, and at the
  /// end of a corpus none for the others.
  private static let mostGiven = 256
  private static let mostGivenBytes = 64 << 10
  /// Inputs that a worker gets before the next one gets some.
  private static let handful = 8
  private static let mostStillborn = 3
  private static let tick: Int32 = 50
  /// Younger inputs are not asked for their memory.
  private static let settling: UInt64 = 20_000_000

  init(_ command: [String], count: Int, limits: Limits, log: Int32?) {
    self.command = command
    self.count = count
    self.limits = limits
    self.log = log
  }

  /// Plays what `supply` gives until there is no more, or `mayGoOn` says so; then inputs that were given are not played.
  ///
  /// - Parameters:
  ///   - deliver: takes each result once, in the order in which they come.
  ///   - mayGoOn: asked many times a second.
  /// - Throws: when workers cannot be started.
  func run(
    supply: () -> Supply, deliver: (ReplayResult) -> Void, mayGoOn: () -> Bool
  ) throws(FileFailure) {
    defer { endAll() }
    var lastLook = Watch.now()
    stops = StopWatch()
    while mayGoOn() {
      try feed(supply)
      // What could be given was: where nobody has anything, there is nothing more.
      guard workers.contains(where: { !$0.given.isEmpty }) else { return }
      try wait(deliver)
      let now = Watch.now()
      stops.woke(now, after: UInt64(Self.tick) * 1_000_000)
      if now &- lastLook >= UInt64(Self.tick) * 1_000_000 {
        lastLook = now
        look(now)
      }
    }
  }

  // MARK: Feeding

  /// Gives every worker what it can hold, a handful at a time. A worker is started when there is something for it.
  private func feed(_ supply: () -> Supply) throws(FileFailure) {
    var isHungry = true
    while isHungry {
      isHungry = false
      for index in 0..<count {
        if index == workers.count {
          guard let next = take(supply) else { return }
          let worker = try Worker(command, log: log)
          workers.append(worker)
          worker.give(next.input, number: next.number)
        }
        let worker = workers[index]
        var given = 0
        while given < Self.handful, worker.given.count < Self.mostGiven,
          worker.givenBytes < Self.mostGivenBytes
        {
          guard let next = take(supply) else { return }
          worker.give(next.input, number: next.number)
          given += 1
        }
        isHungry = isHungry || given == Self.handful
      }
    }
  }

  private func take(_ supply: () -> Supply) -> (number: UInt64, input: ReplayInput)? {
    if !again.isEmpty { return again.removeFirst() }
    guard case .input(let number, let input) = supply() else { return nil }
    return (number, input)
  }

  // MARK: Waiting

  private func wait(_ deliver: (ReplayResult) -> Void) throws(FileFailure) {
    for worker in workers { worker.send() }
    var polled = [pollfd(fd: Interrupts.descriptor, events: Int16(POLLIN), revents: 0)]
    for worker in workers {
      polled.append(pollfd(fd: worker.output, events: Int16(POLLIN), revents: 0))
      // A negative descriptor is not looked at.
      polled.append(pollfd(fd: worker.hasOutgoing ? worker.input : -1, events: Int16(POLLOUT), revents: 0))
    }
    guard poll(&polled, nfds_t(polled.count), Self.tick) > 0 else { return }
    var dead: [Worker] = []
    for (index, worker) in workers.enumerated() where polled[1 + 2 * index].revents != 0 {
      if !worker.receive(deliver) { dead.append(worker) }
    }
    for worker in dead { try bury(worker, deliver) }
  }

  // MARK: Ending

  /// Ends workers whose input takes too much.
  private func look(_ now: UInt64) {
    for worker in workers where worker.mark.input != 0 {
      let age = now &- max(worker.mark.began, stops.resumed)
      // A mark may be read in the middle of being written.
      guard age < UInt64(Int64.max) else { continue }
      if let seconds = limits.seconds, Double(age) / 1e9 > seconds {
        worker.end(.time)
      } else if let memory = limits.memory, age > Self.settling, worker.residentBytes > memory {
        worker.end(.memory)
      }
    }
  }

  private func bury(_ worker: Worker, _ deliver: (ReplayResult) -> Void) throws(FileFailure) {
    workers.removeAll { $0 === worker }
    let death = worker.bury()
    let words = worker.lastWords()
    let call = CallName(raw: worker.mark.call.pointee)
    let current = worker.mark.input
    again = worker.given.filter { $0.number != current } + again
    if let culprit = worker.given.first(where: { $0.number == current }) {
      stillborn = 0
      let outcome: ReplayOutcome
      if let ended = worker.ended, ended.input != current {
        // It had come to the next one by the time it was ended.
        again.insert(culprit, at: 0)
        return
      }
      switch (worker.ended?.reason, death) {
      case (.time, _):
        outcome = .dead(
          .timedOut, call: call, "it takes more than \(limits.seconds.map { "\($0)" } ?? "?") seconds")
      case (.memory, _):
        outcome = .dead(
          .outOfMemory, call: call, "it takes more than \((limits.memory ?? 0) >> 20) MiB of memory")
      case (_, .signal(SIGKILL)):
        outcome = .dead(
          .outOfMemory, call: call,
          "its process was killed from outside, as a host does that is short of memory")
      case (_, .signal(let signal)):
        let name = SignalName.of(signal)
        outcome = .dead(.trapped, call: call, words.isEmpty ? name : "\(name): \(words)")
      case (_, .exited(let status)):
        outcome = .dead(.trapped, call: call, "its process ended with status \(status)")
      }
      deliver(ReplayResult(current, culprit.input, outcome))
      return
    }
    stillborn = worker.hasAnswered ? 0 : stillborn + 1
    if stillborn >= Self.mostStillborn {
      throw FileFailure("keep alive", command[0] + (words.isEmpty ? "" : " (\(words))"), ECHILD)
    }
  }

  private func endAll() {
    for worker in workers {
      if !worker.given.isEmpty { worker.end(.interrupt) }
      _ = worker.bury()
      _ = worker.lastWords()
      abandoned += worker.given.map(\.input)
    }
    abandoned += again.map(\.input)
    workers = []
  }
}
