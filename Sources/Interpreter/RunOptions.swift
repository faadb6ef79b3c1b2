public import Bench
// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Language
internal import Synchronization
internal import Views

/// Ends a run at its next statement; for Ctrl-C. Clean-up of `defer` still happens.
public final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  public init() {}
  public var isCancelled: Bool { flag.load(ordering: .relaxed) }
  /// Safe to call from a signal handler.
  public func cancel() { flag.store(true, ordering: .relaxed) }
  /// A session goes on after a statement that was cancelled.
  public func reset() { flag.store(false, ordering: .relaxed) }
}

/// Something that happened, for a trace.
public struct TraceEvent: Sendable {
  /// Number of the statement that made it happen, counted through the run.
  public let statement: Int
  public let level: TraceLevel
  /// `request`, or the name of a `MachineEvent.Kind`.
  public let name: String
  /// What there is to know of it. Of a request `name`, `result` (`ok` or an errno) and `text`, the decoded line.
  public let fields: [(name: String, value: Fact)]

  /// For people: `IOAS_MAP size=40 flags=... -> ok iova=0x1000`, `area-add iova=0x1000 ...`, without a line end.
  public var line: String {
    if level == .request { return fields.first { $0.name == "text" }?.value.text ?? name }
    return ([name] + fields.map { "\($0.name)=\(FactText.line($0.value))" }).joined(separator: " ")
  }

  /// For tools: one JSON object. `line` is not in it, what it is made of is.
  public var json: String {
    FactJSON.line(
      .record(
        [
          ("statement", .number(UInt64(statement))), ("level", .text(level.rawValue)), ("event", .text(name)),
        ] + fields))
  }
}

/// Takes the trace of a run.
public protocol TraceSink: AnyObject {
  func trace(_ event: TraceEvent)
}

/// Hears of a run while it goes on.
public protocol RunObserver: AnyObject {
  /// A test, or at the end the file itself, is over.
  func finished(_ result: CaseResult)
}

/// How to run a script.
public struct RunOptions {
  /// Look for broken invariants after every statement.
  public var check = false
  /// Make every call fail at each of its failure points before it succeeds, as if the script were one `sweep`.
  public var sweeps = false
  /// Carry out nothing beyond this line of the script.
  public var until: Int?
  /// Values for `param`: name to text as on a command line.
  public var defines: [String: String] = [:]
  public var trace: (any TraceSink)?
  /// How much it is told.
  public var traceLevel = TraceLevel.request
  public var observer: (any RunObserver)?
  /// Takes what is alive when the file or one of its tests is over.
  public var atEnd: ((FrameEnd) -> Void)?
  /// Takes what `show` prints.
  public var output: ((String) -> Void)?
  public var cancellation: Cancellation?
  /// Which tests to run, by name and labels; nil for all.
  public var filter: ((String, [String]) -> Bool)?
  /// Most statements to carry out.
  public var statementLimit = Limits.statementsRun
  /// Longest the run may take.
  public var secondsLimit: Double?
  /// Today, for announced failures with a date; nil takes none for stale.
  public var today: DateLiteral?

  public init() {}

  /// Takes what would have to stand in the script's clauses.
  var clauses: ClauseLog?
  /// In the clock's nanoseconds; set when a run begins.
  var deadline: UInt64?
}

/// The monotonic clock.
enum Clock {
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  static func seconds(since start: UInt64) -> Double { Double(now() &- start) / 1e9 }
}
