// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import UAPI

/// One promise of the design, and how to measure it.
struct BenchRow: Sendable {
  enum Budget: Sendable {
    case atMost(Double)
    case atLeast(Double)

    func holds(_ value: Double) -> Bool {
      switch self {
      case .atMost(let limit): value <= limit
      case .atLeast(let limit): value >= limit
      }
    }
  }
  enum Unit: Sendable {
    case nanoseconds, milliseconds, perSecond, bytes, times
  }
  /// What came out, and what the same machine does in the same run with something else.
  struct Outcome: Sendable {
    /// Nil where it could not be measured; the comparison says why.
    let value: Double?
    let comparison: String

    init(value: Double?, comparison: String = "") {
      self.value = value
      self.comparison = comparison
    }

    /// The model refused a request that it must not refuse.
    init(_ error: Errno) { self.init(value: nil, comparison: "a request failed: \(error.name)") }
  }
  let name: String
  let unit: Unit
  /// Nil for a row that is there to be compared with.
  let budget: Budget?
  let measure: @Sendable (BenchEffort) -> Outcome

  /// Memory comes first: what later rows leave behind in the allocator would hide what it takes.
  static let all: [BenchRow] =
    memoryRows + waistRows + tableRows + pageTableRows + hardwareRows + interpreterRows + corpusRows
    + syzkallerRows + startRows + promptRows
}

/// How long to measure.
struct BenchEffort: Sendable {
  let isQuick: Bool

  /// Runs of which the median counts.
  var runs: Int { isQuick ? 3 : 9 }

  /// A number of rounds for one run.
  func rounds(_ full: Int) -> Int { isQuick ? max(1, full / 8) : full }

  /// The median over the runs of what `body` answers; one more run before them warms up.
  func median<Failure: Error>(_ body: () throws(Failure) -> Double) throws(Failure) -> Double {
    var values: [Double] = []
    for _ in 0...runs { values.append(try body()) }
    values.removeFirst()
    values.sort()
    return values[values.count / 2]
  }

  /// The median time of one of `rounds` rounds, in nanoseconds.
  func nanoseconds<Failure: Error>(rounds full: Int, _ body: (Int) throws(Failure) -> Void) throws(Failure)
    -> Double
  {
    let rounds = rounds(full)
    return try median { () throws(Failure) in
      Double(try BenchClock.nanoseconds { () throws(Failure) in try body(rounds) }) / Double(rounds)
    }
  }
}

enum BenchClock {
  /// How long `body` takes.
  static func nanoseconds<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) -> UInt64 {
    let start = now()
    try body()
    return now() &- start
  }

  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}

/// Rows as text in columns.
enum BenchTable {
  private static let widths = (name: 52, measured: 14, budget: 16, verdict: 6)

  static var heading: String { columns("what", "measured", "budget", "", "beside it, in this run") }

  static func line(_ row: BenchRow, _ outcome: BenchRow.Outcome) -> String {
    let budget =
      switch row.budget {
      case .atMost(let limit): "<= " + text(limit, row.unit)
      case .atLeast(let limit): ">= " + text(limit, row.unit)
      case nil: ""
      }
    guard let value = outcome.value else {
      return columns(row.name, "-", budget, "", outcome.comparison)
    }
    let verdict = row.budget.map { $0.holds(value) ? "ok" : "over" } ?? ""
    return columns(row.name, text(value, row.unit), budget, verdict, outcome.comparison)
  }

  private static func columns(_ a: String, _ b: String, _ c: String, _ d: String, _ e: String) -> String {
    var line = padded(a, widths.name) + padded(b, widths.measured) + padded(c, widths.budget)
    line += padded(d, widths.verdict) + e
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  static func text(_ value: Double, _ unit: BenchRow.Unit) -> String {
    switch unit {
    case .nanoseconds: value >= 10_000 ? fixed(value / 1000) + " us" : fixed(value) + " ns"
    case .milliseconds: fixed(value) + " ms"
    case .perSecond: value >= 100_000 ? fixed(value / 1e6, places: 2) + " M/s" : fixed(value / 1e3) + " k/s"
    case .bytes: fixed(value) + " bytes"
    case .times: fixed(value, places: 2) + " x"
    }
  }

  /// A number with a few decimal places.
  private static func fixed(_ value: Double, places: Int = 1) -> String {
    let scale = places == 1 ? 10.0 : 100.0
    let scaled = UInt64(max(0, min(value * scale + 0.5, 1e18)))
    let fraction = String(scaled % UInt64(scale))
    return "\(scaled / UInt64(scale))." + String(repeating: "0", count: places - fraction.count) + fraction
  }
}
