// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner

// Who stops a run (Ctrl-Z, a debugger, a batch system that makes room) stops it and its workers together, and the clock
// goes on. An input that was being played then has not taken that time.

/// Tells whether this process was stopped while it waited.
public struct StopWatch {
  private static let surplus: UInt64 = 1_000_000_000
  private var last = Watch.now()
  /// When it last went on after a stop, in nanoseconds of the same clock; 0 when it never was stopped.
  public private(set) var resumed: UInt64 = 0

  public init() {}

  /// To be told of the time whenever a wait is over.
  ///
  /// - Parameter most: how long the wait may have taken, in nanoseconds: who waited a second longer did not run.
  /// - Returns: true when it did not.
  @discardableResult
  public mutating func woke(_ now: UInt64, after most: UInt64) -> Bool {
    defer { last = now }
    guard now &- last > most + Self.surplus, now > last else { return false }
    resumed = now
    return true
  }
}
