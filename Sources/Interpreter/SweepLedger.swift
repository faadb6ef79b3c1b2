// SPDX-License-Identifier: GPL-3.0-or-later

/// How often a call was made under a sweep, and how many failures it was made to have.
public struct SweepCount: Sendable, Equatable {
  public var calls: UInt64 = 0
  /// Calls that ended without an errno, once nothing of them was made to fail.
  public var done: UInt64 = 0
  /// Failures that were made; those of `late` are among them.
  public var points: UInt64 = 0
  /// Failures behind which the call cannot be made again, each in a run of its own. See `LateFailures`.
  public var late: UInt64 = 0

  public init() {}

  static func += (sum: inout SweepCount, part: SweepCount) {
    sum.calls += part.calls
    sum.done += part.done
    sum.points += part.points
    sum.late += part.late
  }
}

/// What a sweep has counted.
public struct SweepLedger: Sendable, Equatable {
  /// By the call's name: `IOAS_MAP`, `TEST MD_CHECK_MAP`, `dma read`.
  public private(set) var calls: [String: SweepCount] = [:]
  /// The same for each named value that a field of a request had: `HWPT_ALLOC data_type=VTD_S1`.
  public private(set) var values: [String: SweepCount] = [:]

  public init() {}

  /// Counts for a call, and for each of its named values.
  mutating func count(_ call: SweptCall, _ change: (inout SweepCount) -> Void) {
    change(&calls[call.name, default: SweepCount()])
    for value in call.values { change(&values["\(call.name) \(value)", default: SweepCount()]) }
  }

  /// Adds what another script has counted.
  public mutating func add(_ other: SweepLedger) {
    for (name, count) in other.calls { calls[name, default: SweepCount()] += count }
    for (name, count) in other.values { values[name, default: SweepCount()] += count }
  }

  /// All calls together.
  public var total: SweepCount { calls.values.reduce(into: SweepCount()) { $0 += $1 } }
}
