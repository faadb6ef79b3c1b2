// SPDX-License-Identifier: GPL-3.0-or-later
internal import CSeams
internal import Glibc
internal import Synchronization

// Every lock of the model is of one of the two types of this file, so that a scheduler that wants to decide
// who runs next has one place to take over. They are the kernel's two kinds: a mutex and a reader-writer
// semaphore. Uncontended, each operation is one atomic read-modify-write, and a load that asks whether a
// scheduler decides; contended, the thread sleeps on a condition variable. They are values without copies, so
// that a lock lies inside the object that it guards and costs no allocation.

/// A mutual-exclusion lock, `struct mutex`. Not recursive.
public struct Lock: ~Copyable, Sendable {
  /// 0 free, 1 held, 2 held and somebody sleeps.
  private let state = Atomic<UInt32>(0)
  private let sleepers = Sleepers()
  public let name: LockName

  public init(_ name: LockName) { self.name = name }

  public func lock() {
    if iofd_scheduled() != nil { return lockScheduled() }
    takeForReal()
  }

  public func unlock() {
    if iofd_scheduled() != nil { return unlockScheduled() }
    releaseForReal()
  }

  @inline(__always)
  private func takeForReal() {
    if state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return }
    lockSlowly()
  }

  @inline(__always)
  private func releaseForReal() {
    if state.exchange(0, ordering: .releasing) == 2 { sleepers.wakeAll() }
  }

  @inline(never)
  private func lockScheduled() {
    guard let thread = Scheduler.Thread.current else { return }
    guard thread.scheduler.willTake(place(of: self), name, .alone, thread) else { return }
    takeForReal()
    thread.scheduler.hasTaken(name, .alone, thread)
  }

  @inline(never)
  private func unlockScheduled() {
    guard let thread = Scheduler.Thread.current else { return }
    guard thread.scheduler.willRelease(place(of: self), name, thread) else { return }
    releaseForReal()
    thread.scheduler.hasReleased(name, thread)
  }

  @inline(never)
  private func lockSlowly() {
    for _ in 0..<spinLimit {
      // A look does not take the line away from whoever holds the lock.
      if state.load(ordering: .relaxed) == 0,
        state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
      {
        return
      }
      iofd_relax()
    }
    while state.exchange(2, ordering: .acquiring) != 0 {
      sleepers.sleep(while: { state.load(ordering: .relaxed) == 2 })
    }
  }

  /// Runs `body` with the lock held.
  @inlinable
  public func withLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// A lock that many may hold to read or one to change, `struct rw_semaphore`. A waiting writer keeps new
/// readers out, so it cannot starve.
public struct ReaderWriterLock: ~Copyable, Sendable {
  private static let writer: UInt32 = 1 << 31
  private static let writerWaits: UInt32 = 1 << 30
  private static let sleeping: UInt32 = 1 << 29
  private static let readers: UInt32 = (1 << 29) - 1

  /// Number of readers in the low bits, and the three flags.
  private let state = Atomic<UInt32>(0)
  private let sleepers = Sleepers()
  public let name: LockName

  public init(_ name: LockName) { self.name = name }

  public func lockShared() {
    if iofd_scheduled() != nil { return lockScheduled(.shared) }
    takeShared()
  }

  public func unlockShared() {
    if iofd_scheduled() != nil { return unlockScheduled(.shared) }
    releaseShared()
  }

  public func lockExclusive() {
    if iofd_scheduled() != nil { return lockScheduled(.alone) }
    takeExclusive()
  }

  public func unlockExclusive() {
    if iofd_scheduled() != nil { return unlockScheduled(.alone) }
    releaseExclusive()
  }

  @inline(__always)
  private func takeShared() {
    let now = state.load(ordering: .relaxed)
    if now & ~Self.readers == 0,
      state.compareExchange(expected: now, desired: now + 1, ordering: .acquiring).exchanged
    {
      return
    }
    wait(blockedBy: Self.writer | Self.writerWaits, announce: 0) { $0 + 1 }
  }

  @inline(__always)
  private func releaseShared() {
    let (_, now) = state.subtract(1, ordering: .releasing)
    if now & Self.readers == 0, now & Self.sleeping != 0 { wake() }
  }

  @inline(__always)
  private func takeExclusive() {
    if state.compareExchange(expected: 0, desired: Self.writer, ordering: .acquiring).exchanged { return }
    wait(blockedBy: Self.writer | Self.readers, announce: Self.writerWaits) {
      ($0 | Self.writer) & ~Self.writerWaits
    }
  }

  @inline(__always)
  private func releaseExclusive() {
    let (_, now) = state.bitwiseAnd(~Self.writer, ordering: .releasing)
    if now & Self.sleeping != 0 { wake() }
  }

  @inline(never)
  private func lockScheduled(_ mode: Scheduler.Mode) {
    guard let thread = Scheduler.Thread.current else { return }
    guard thread.scheduler.willTake(place(of: self), name, mode, thread) else { return }
    if mode == .shared { takeShared() } else { takeExclusive() }
    thread.scheduler.hasTaken(name, mode, thread)
  }

  @inline(never)
  private func unlockScheduled(_ mode: Scheduler.Mode) {
    guard let thread = Scheduler.Thread.current else { return }
    guard thread.scheduler.willRelease(place(of: self), name, thread) else { return }
    if mode == .shared { releaseShared() } else { releaseExclusive() }
    thread.scheduler.hasReleased(name, thread)
  }

  private func wake() {
    state.bitwiseAnd(~Self.sleeping, ordering: .relaxed)
    sleepers.wakeAll()
  }

  @inline(never)
  private func wait(blockedBy mask: UInt32, announce: UInt32, take: (UInt32) -> UInt32) {
    var spins = 0
    while true {
      let now = state.load(ordering: .relaxed)
      if now & mask == 0 {
        if state.compareExchange(expected: now, desired: take(now), ordering: .acquiring).exchanged { return }
        continue
      }
      if spins < spinLimit {
        spins += 1
        iofd_relax()
        continue
      }
      let marked = now | Self.sleeping | announce
      if marked == now || state.compareExchange(expected: now, desired: marked, ordering: .relaxed).exchanged
      {
        sleepers.sleep(while: {
          let current = state.load(ordering: .relaxed)
          return current & mask != 0 && current & Self.sleeping != 0
        })
      }
    }
  }

  @inlinable
  public func withShared<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lockShared()
    defer { unlockShared() }
    return try body()
  }

  @inlinable
  public func withExclusive<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lockExclusive()
    defer { unlockExclusive() }
    return try body()
  }
}

/// How often a thread looks before it sleeps: a few microseconds, as long as what is done under a lock mostly takes;
/// to sleep and be woken costs more.
private let spinLimit = 200

/// Where a lock lies: what tells it from others. It never moves, since it lies in an object.
private func place<Lock: ~Copyable>(of lock: borrowing Lock) -> UInt {
  withUnsafePointer(to: lock) { UInt(bitPattern: $0) }
}

/// Threads that wait for a lock, on one process-wide condition variable: contention is rare, and a lock per
/// mapped area must stay small.
private struct Sleepers: Sendable {
  func sleep(while blocked: () -> Bool) {
    WaitingRoom.shared.sleep(while: blocked)
  }
  func wakeAll() { WaitingRoom.shared.wakeAll() }
}

private final class WaitingRoom: @unchecked Sendable {
  static let shared = WaitingRoom()
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  private init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  func sleep(while blocked: () -> Bool) {
    pthread_mutex_lock(mutex)
    while blocked() { pthread_cond_wait(condition, mutex) }
    pthread_mutex_unlock(mutex)
  }

  func wakeAll() {
    // Taking the mutex orders this wake-up after the sleeper's last look.
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
