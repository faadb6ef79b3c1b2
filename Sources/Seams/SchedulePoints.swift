// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import CSeams
internal import Glibc

/// Points that are no lock's: where something has just become true that others can run into, or a wait.
public enum NamedPoint: UInt16, CaseIterable, Sendable {
  /// Between two statements of a thread.
  case statement
  case pagesPinned
  case areaFilled
  case areaHidden
  case objectFound
  case objectWait

  /// Its name in scripts, and what is true there.
  public var text: (name: String, meaning: String) {
    switch self {
    case .statement: ("statement", "between two statements of the thread")
    case .pagesPinned: ("pages.pinned", "pages are pinned for a mapping, and no page table has them yet")
    case .areaFilled: ("area.filled", "every page table has a new mapping, and no request finds it yet")
    case .areaHidden: ("area.hidden", "no request finds a mapping any more, and page tables still have it")
    case .objectFound: ("object.found", "a request has found an object by its ID")
    case .objectWait: ("object.wait", "a driver waits for the requests that use its object")
    }
  }

  var point: SchedulePoint { SchedulePoint(code: Self.firstCode + rawValue) }

  static let firstCode: UInt16 = 1024

  /// Passes it; nothing where no scheduler decides.
  @inlinable
  public func pass() {
    if isScheduled { passScheduled() }
  }

  @usableFromInline var isScheduled: Bool { iofd_scheduled() != nil }

  @usableFromInline
  @inline(never)
  func passScheduled() {
    if let thread = Scheduler.Thread.current { thread.scheduler.pass(self, thread) }
  }

  /// Waits here until `condition` holds, which another thread will make true.
  public func wait(until condition: () -> Bool) {
    if let thread = Scheduler.Thread.current {
      thread.scheduler.wait(self, thread, until: condition)
    } else {
      while !condition() { sched_yield() }
    }
  }
}

extension SchedulePoint {
  /// Where a thread stands with a lock.
  enum Moment: UInt16, CaseIterable {
    /// It is about to take it.
    case before
    case taken, shared
    case released
  }

  init(_ lock: LockName, _ moment: Moment) {
    self.init(code: UInt16(lock.rawValue) << 2 | moment.rawValue)
  }

  /// Every point, named ones first, then those of locks.
  public static let all: [SchedulePointInfo] =
    NamedPoint.allCases.map { SchedulePointInfo($0.point, $0.text.name, $0.text.meaning, isChoice: true) }
    + LockName.allCases.filter { $0 != .frontEnd }.flatMap { lock in
      let (name, guards) = lock.text
      func info(_ moment: Moment, _ word: String, _ summary: String, isChoice: Bool) -> SchedulePointInfo {
        SchedulePointInfo(
          SchedulePoint(lock, moment), "\(name).\(word)", "\(summary): \(guards)", isChoice: isChoice)
      }
      let before = info(.before, "lock", "about to take the lock of", isChoice: true)
      let after = info(.released, "unlocked", "has released it", isChoice: true)
      if lock.isReaderWriter {
        return [
          before, info(.shared, "shared", "has it together with others", isChoice: false),
          info(.taken, "exclusive", "has it alone", isChoice: false), after,
        ]
      }
      return [before, info(.taken, "locked", "has it", isChoice: false), after]
    }
}
