// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import CSeams
internal import Glibc

// Real threads that are handed a baton. A thread that comes to a point asks the policy who goes on, wakes that one,
// and sleeps until somebody wakes it; so one runs at a time, and everything here is touched only by whoever has the
// baton. A thread that is not scheduled pays one load for all of this, see `Lock`.
//
// A lock that a scheduled thread takes is also taken for real, at a moment when it is free, so that the driver can go
// on with the same machine afterwards. Which thread has which lock is kept beside it: so a thread that would have to
// wait is known to be blocked, and a circle of them is a deadlock and no hang.
//
// Deadlocked threads cannot be unwound, since nothing that takes a lock can fail. They sleep for ever, with the
// machine that they were about; whoever finds a deadlock has something better to do than to save that memory.

/// Runs the threads of a script one at a time.
public final class Scheduler: ThreadScheduler, @unchecked Sendable {
  /// A thread, or the driver.
  final class Thread {
    enum State {
      case notStarted, atPoint, running, ended
      case waiting(Wait)
    }

    /// -1 for the driver.
    let index: Int
    fileprivate let turn = Turn()
    fileprivate var body: () -> Void
    fileprivate var state = State.notStarted
    fileprivate var isInStatement = false
    /// It passes no points: it only looks.
    fileprivate var isLooking = false
    fileprivate var isCancelled = false
    fileprivate var host: HostThread?
    unowned let scheduler: Scheduler

    fileprivate init(_ index: Int, _ scheduler: Scheduler, _ body: @escaping () -> Void) {
      self.index = index
      self.scheduler = scheduler
      self.body = body
    }

    /// The scheduled thread that the caller is.
    @inline(__always)
    static var current: Thread? {
      iofd_scheduled().map { Unmanaged<Thread>.fromOpaque($0).takeUnretainedValue() }
    }
  }

  /// How a lock is held.
  enum Mode {
    case alone, shared
  }

  struct Wait {
    enum Subject {
      case lock(UInt, LockName, Mode)
      case condition(NamedPoint, () -> Bool)
    }
    let subject: Subject
  }

  private struct Holding {
    var mode: Mode
    /// With repetition, where one thread holds it twice.
    var threads: [Int]
  }

  private var threads: [Thread] = []
  private var driver: Thread!
  private var policy: (any SchedulePolicy)?
  private var held: [UInt: Holding] = [:]
  /// Locks that the driver went on without, since a deadlock would not have let it.
  private var forced: [UInt: Int] = [:]
  private let omitted: Set<LockName>

  /// - Parameter omitted: locks that threads do not take, as if somebody had forgotten to write them.
  public init(omitting omitted: Set<LockName> = []) {
    self.omitted = omitted
    driver = Thread(-1, self) {}
  }

  // MARK: Threads

  public func add(_ name: String, _ body: @escaping () -> Void) -> Int? {
    let thread = Thread(threads.count, self, body)
    guard let host = HostThread({ [self] in live(thread) }) else { return nil }
    thread.host = host
    threads.append(thread)
    return thread.index
  }

  /// The life of a thread.
  private func live(_ thread: Thread) {
    thread.turn.take()
    if thread.isCancelled { return }
    thread.state = .running
    thread.isInStatement = true
    iofd_set_scheduled(Unmanaged.passUnretained(thread).toOpaque())
    thread.body()
    iofd_set_scheduled(nil)
    // What the body holds goes now, while nobody else runs.
    thread.body = {}
    thread.isInStatement = false
    thread.state = .ended
    hand(from: thread, .ended)
  }

  public func state(of thread: Int) -> ScheduledState {
    switch threads[thread].state {
    case .notStarted: .notStarted
    case .atPoint, .running: .runnable
    case .ended: .ended
    case .waiting(let wait): isOver(wait, for: threads[thread]) ? .runnable : .blocked
    }
  }

  public var runnable: [Int] {
    threads.indices.filter {
      switch state(of: $0) {
      case .notStarted, .runnable: true
      case .blocked, .ended: false
      }
    }
  }

  public var waits: [ScheduleWait] {
    threads.compactMap { thread in
      guard case .waiting(let wait) = thread.state, !isOver(wait, for: thread) else { return nil }
      switch wait.subject {
      case .lock(let lock, let name, _):
        return ScheduleWait(thread: thread.index, name: name.text.name, holders: blockers(lock, thread))
      case .condition(let point, _):
        return ScheduleWait(thread: thread.index, name: point.text.name, holders: [])
      }
    }
  }

  public var isQuiescent: Bool { !threads.contains { $0.isInStatement } }

  public func close() {
    for thread in threads {
      switch thread.state {
      case .notStarted:
        thread.isCancelled = true
        thread.turn.give()
        thread.host?.join()
      case .ended: thread.host?.join()
      case .atPoint, .running, .waiting:
        // It needs what it refers to for ever.
        _ = Unmanaged.passRetained(self)
        thread.host?.detach()
      }
    }
    threads = []
  }

  // MARK: Turns

  public func run(_ first: Int, _ policy: any SchedulePolicy) {
    let outer = self.policy
    self.policy = policy
    threads[first].turn.give()
    driver.turn.take()
    self.policy = outer
  }

  /// `thread` came to something; comes back when it has the turn again, if it will.
  private func hand(from thread: Thread, _ event: ScheduleEvent) {
    let next = policy?.next(event, of: thread.index, in: self)
    if next == thread.index { return }
    (next.map { threads[$0] } ?? driver).turn.give()
    if event != .ended { thread.turn.take() }
  }

  private func pass(_ point: SchedulePoint, _ thread: Thread) {
    // The driver is not held up; it waits for nobody but who has what it needs.
    guard thread !== driver else { return }
    thread.state = .atPoint
    hand(from: thread, .point(point))
    thread.state = .running
  }

  /// A point besides those of locks.
  func pass(_ point: NamedPoint, _ thread: Thread) {
    if !thread.isLooking { pass(point.point, thread) }
  }

  public func betweenStatements(whenQuiescent body: () -> Void) {
    guard let thread = Thread.current, thread.scheduler === self else { return }
    thread.isInStatement = false
    if isQuiescent {
      thread.isLooking = true
      body()
      thread.isLooking = false
    }
    pass(NamedPoint.statement.point, thread)
    thread.isInStatement = true
  }

  public func asDriver(_ body: () -> Void) {
    driver.state = .running
    let outer = iofd_scheduled()
    iofd_set_scheduled(Unmanaged.passUnretained(driver).toOpaque())
    defer { iofd_set_scheduled(outer) }
    body()
  }

  // MARK: Locks

  /// Called in front of a lock. Comes back when the thread may have it.
  ///
  /// - Returns: false when it is not to be taken for real.
  func willTake(_ lock: UInt, _ name: LockName, _ mode: Mode, _ thread: Thread) -> Bool {
    if thread.isLooking { return true }
    if omitted.contains(name) { return false }
    pass(SchedulePoint(name, .before), thread)
    let wait = Wait(subject: .lock(lock, name, mode))
    guard waitUntilOver(wait, thread) else {
      forced[lock, default: 0] += 1
      return false
    }
    held[lock, default: Holding(mode: mode, threads: [])].threads.append(thread.index)
    return true
  }

  /// Called behind a lock that has been taken.
  func hasTaken(_ name: LockName, _ mode: Mode, _ thread: Thread) {
    if thread.isLooking { return }
    pass(SchedulePoint(name, mode == .shared ? .shared : .taken), thread)
  }

  /// Called before a lock is released.
  ///
  /// - Returns: whether it was taken for real.
  func willRelease(_ lock: UInt, _ name: LockName, _ thread: Thread) -> Bool {
    if thread.isLooking { return true }
    if omitted.contains(name) { return false }
    if let count = forced[lock] {
      forced[lock] = count == 1 ? nil : count - 1
      return false
    }
    // One that is not there was taken before there was a scheduler.
    guard var holding = held[lock], let place = holding.threads.firstIndex(of: thread.index) else {
      return true
    }
    holding.threads.remove(at: place)
    held[lock] = holding.threads.isEmpty ? nil : holding
    return true
  }

  /// Called behind a lock that has been released.
  func hasReleased(_ name: LockName, _ thread: Thread) {
    if thread.isLooking { return }
    pass(SchedulePoint(name, .released), thread)
  }

  /// Waits until a condition holds that another thread will make true.
  func wait(_ point: NamedPoint, _ thread: Thread, until condition: () -> Bool) {
    pass(point, thread)
    withoutActuallyEscaping(condition) { condition in
      let wait = Wait(subject: .condition(point, condition))
      _ = waitUntilOver(wait, thread)
      thread.state = .running
    }
  }

  /// - Returns: false for the driver, if no thread can make it true.
  private func waitUntilOver(_ wait: Wait, _ thread: Thread) -> Bool {
    while !isOver(wait, for: thread) {
      thread.state = .waiting(wait)
      if thread === driver {
        guard letHoldersGoOn() else {
          thread.state = .running
          return false
        }
      } else {
        hand(from: thread, .blocked)
      }
    }
    thread.state = .running
    return true
  }

  // MARK: Who waits for whom

  private func isOver(_ wait: Wait, for thread: Thread) -> Bool {
    switch wait.subject {
    case .condition(_, let condition): condition()
    case .lock(let lock, _, let mode): isFree(lock, mode, for: thread)
    }
  }

  private func isFree(_ lock: UInt, _ mode: Mode, for thread: Thread) -> Bool {
    if let holding = held[lock] {
      guard mode == .shared, holding.mode == .shared else { return false }
    }
    return mode == .alone || !waitsAlone(for: lock, besides: thread)
  }

  /// Whether a writer waits, which keeps new readers out.
  private func waitsAlone(for lock: UInt, besides thread: Thread) -> Bool {
    waitersAlone(for: lock, besides: thread).isEmpty == false
  }

  private func waitersAlone(for lock: UInt, besides thread: Thread) -> [Thread] {
    // A writer that could go on has been let through in the model's own locks as well.
    guard held[lock] != nil else { return [] }
    return (threads + [driver]).filter { other in
      guard other !== thread, case .waiting(let wait) = other.state,
        case .lock(lock, _, .alone) = wait.subject
      else { return false }
      return true
    }
  }

  /// Threads that keep `thread` from having a lock.
  private func blockers(_ lock: UInt, _ thread: Thread) -> [Int] {
    var found = Set(held[lock]?.threads ?? [])
    for waiter in waitersAlone(for: lock, besides: thread) { found.insert(waiter.index) }
    return found.sorted()
  }

  /// Lets the threads that keep the driver from going on do so until they do not any more.
  private func letHoldersGoOn() -> Bool {
    guard let next = threadToFree(driver) else { return false }
    run(next, UntilDriverMay(self))
    return true
  }

  fileprivate var mayDriverGoOn: Bool {
    if case .waiting(let wait) = driver.state { isOver(wait, for: driver) } else { true }
  }

  /// A thread that can run and stands, perhaps through others, in the way of `thread`.
  private func threadToFree(_ thread: Thread) -> Int? {
    var seen: Set<Int> = []
    var open = [thread]
    while let blocked = open.popLast() {
      guard case .waiting(let wait) = blocked.state else { continue }
      guard case .lock(let lock, _, _) = wait.subject else { return runnable.first }
      for index in blockers(lock, blocked) where index >= 0 && seen.insert(index).inserted {
        if state(of: index) == .runnable { return index }
        open.append(threads[index])
      }
    }
    return nil
  }
}

/// One thread goes on until the driver can.
private final class UntilDriverMay: SchedulePolicy {
  private let scheduler: Scheduler

  init(_ scheduler: Scheduler) { self.scheduler = scheduler }

  func next(_ event: ScheduleEvent, of thread: Int, in _: any ThreadScheduler) -> Int? {
    guard case .point = event, !scheduler.mayDriverGoOn else { return nil }
    return thread
  }
}

/// A baton that one thread waits for and another hands over.
private final class Turn: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func give() { sem_post(semaphore) }

  func take() {
    while sem_wait(semaphore) != 0 {}
  }
}
