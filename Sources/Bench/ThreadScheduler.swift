// SPDX-License-Identifier: GPL-3.0-or-later

// The part of a bench that decides who runs. A scheduler has threads of its own, of which one runs at a time; whoever
// called it (the *driver*) waits meanwhile. Where a thread comes to a point, a policy says who goes on. So the same
// decisions give the same run, every time, and all decisions can be tried one after the other.

/// A place in the model where another thread may be given the turn: `pages.lock`, `domains.exclusive`.
public struct SchedulePoint: Hashable, Sendable {
  /// The bench's number of it; see `Bench.schedulePoints`.
  public let code: UInt16

  public init(code: UInt16) { self.code = code }
}

/// A point for people.
public struct SchedulePointInfo: Sendable {
  public let point: SchedulePoint
  public let name: String
  public let summary: String
  /// Whether what has happened so far differs from what had happened at the point before: a thread that has just
  /// taken a lock can as well be held up in front of it, as far as other threads can tell.
  public let isChoice: Bool

  public init(_ point: SchedulePoint, _ name: String, _ summary: String, isChoice: Bool) {
    self.point = point
    self.name = name
    self.summary = summary
    self.isChoice = isChoice
  }
}

/// What a thread came to.
public enum ScheduleEvent: Sendable, Equatable {
  case point(SchedulePoint)
  /// It has to wait for something that another thread has.
  case blocked
  case ended
}

/// How a thread stands.
public enum ScheduledState: Sendable, Equatable {
  case notStarted
  /// At a point, or in front of something that it may have now.
  case runnable
  case blocked
  case ended
}

/// Why a thread cannot go on.
public struct ScheduleWait: Sendable, Equatable {
  public let thread: Int
  /// What it waits for: the name of a lock or of a wait.
  public let name: String
  /// Threads that have it, or wait to have it alone and so go first, ascending; the driver's number is -1.
  public let holders: [Int]

  public init(thread: Int, name: String, holders: [Int]) {
    self.thread = thread
    self.name = name
    self.holders = holders
  }
}

/// Decides who runs.
public protocol SchedulePolicy: AnyObject {
  /// A thread came to something. Called by that thread, while no other runs.
  ///
  /// - Returns: the thread that goes on, which must be able to; nil gives the turn back to the driver.
  func next(_ event: ScheduleEvent, of thread: Int, in scheduler: any ThreadScheduler) -> Int?
}

/// Threads that run one at a time.
///
/// Used by one driver, which is no thread of it; threads are numbered from 0.
public protocol ThreadScheduler: AnyObject {
  /// Adds a thread that will run `body`; it starts when it first gets the turn.
  ///
  /// - Returns: its number; nil when the host has no thread for it.
  func add(_ name: String, _ body: @escaping () -> Void) -> Int?
  func state(of thread: Int) -> ScheduledState
  /// Threads that could go on, ascending: those at a point, those not started, those whose wait is over.
  var runnable: [Int] { get }
  /// Threads that cannot go on, and why.
  var waits: [ScheduleWait] { get }
  /// No thread is inside a statement.
  var isQuiescent: Bool { get }

  /// Gives the turn to a thread that can go on, and waits until the policy gives it back.
  func run(_ first: Int, _ policy: any SchedulePolicy)
  /// Runs the driver's own statement: where it needs something that a thread has, that thread goes on until it lets
  /// go of it.
  func asDriver(_ body: () -> Void)
  /// Called by a thread between two of its statements; `body` runs if no thread is inside a statement, and passes
  /// no points.
  func betweenStatements(whenQuiescent body: () -> Void)
  /// Lets go of the threads. Those that have not ended are never given a turn again.
  func close()
}
