// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// What happens, told while it happens, and compared with what should have happened. Requests are told by the executor
// that makes them; what they do inside the machine its bench collects, and the executor passes it on behind each
// request and each statement.

extension Executor {
  /// Has the machine, which may be a new one, collect what is to be told.
  func listen() {
    guard let traceLevel, traceLevel > .request, let bench else { return }
    bench.traceLevel = traceLevel
    _ = bench.takeEvents()
  }

  func tell(request plan: RequestPlan, _ line: String) {
    let result = errno == 0 ? "ok" : Errno(code: errno).name
    deliver(
      TraceEvent(
        statement: steps, level: .request, name: "request",
        fields: [("name", .text(plan.name)), ("result", .text(result)), ("text", .text(line))]))
    drainEvents()
  }

  /// Passes on what the machine has collected.
  func drainEvents() {
    guard let traceLevel, traceLevel > .request, let bench else { return }
    let (events, lost) = bench.takeEvents()
    for event in events {
      deliver(
        TraceEvent(
          statement: steps, level: event.kind.row.level, name: event.kind.rawValue, fields: event.fields))
    }
    if lost > 0 { report.note("trace: \(lost) events of one statement were too many") }
  }

  /// Most events that an `expect trace` looks back on.
  private static let kept = 1 << 18

  private func deliver(_ event: TraceEvent) {
    if event.level <= options.traceLevel { options.trace?.trace(event) }
    guard program.expectsTrace else { return }
    if happened.count == Self.kept { happened.removeFirst(Self.kept / 2) }
    happened.append(event)
  }

  // MARK: Expecting

  func execute(_ demands: [TraceDemand], _ node: Node) {
    guard bench != nil || demands.allSatisfy({ $0.event == "request" }) else {
      stop(.needsBench, node)
      return
    }
    let events = happened
    happened = []
    do throws(Stop) {
      let failure = try unmet(demands, events)
      settle(failure == nil, node) {
        let (demand, message) = failure ?? (demands[0], "")
        return Diagnostic(
          .wrongTrace, in: demand.place.source, at: demand.place.span, message,
          details: events.suffix(12).map { Diagnostic.Detail("event", "\($0.statement): \($0.line)") })
      }
    } catch {
      stop(error, node)
    }
  }

  /// The first line that does not hold, and why. Each line takes the first event that fits: later lines then have the
  /// most to choose from.
  private func unmet(_ demands: [TraceDemand], _ events: [TraceEvent]) throws(Stop) -> (TraceDemand, String)?
  {
    var at = events.startIndex
    var forbidden: [TraceDemand] = []
    func notBetween(_ end: Int) throws(Stop) -> (TraceDemand, String)? {
      for demand in forbidden {
        for event in events[at..<end] where try fits(event, demand) {
          return (demand, "this happened: \(event.line)")
        }
      }
      forbidden = []
      return nil
    }
    var index = demands.startIndex
    while index < demands.endIndex {
      let demand = demands[index]
      switch demand.mode {
      case .not:
        forbidden.append(demand)
        index += 1
      case .next:
        guard at < events.endIndex else { return (demand, "nothing happened after the event before") }
        guard try fits(events[at], demand) else {
          return (demand, "the next event is another one: \(events[at].line)")
        }
        at += 1
        index += 1
      case .later:
        guard let found = try first(demand, events, from: at) else {
          return (demand, "this did not happen" + (at == 0 ? "" : " after the event before"))
        }
        if let broken = try notBetween(found) { return broken }
        at = found + 1
        index += 1
      case .any:
        let group = demands[index...].prefix { $0.mode == .any }
        var taken: Set<Int> = []
        for member in group {
          var place = try first(member, events, from: at)
          while let found = place, taken.contains(found) {
            place = try first(member, events, from: found + 1)
          }
          guard let place else { return (member, "this did not happen") }
          taken.insert(place)
        }
        if let broken = try notBetween(taken.min() ?? at) { return broken }
        at = (taken.max() ?? at) + 1
        index += group.count
      }
    }
    return try notBetween(events.endIndex)
  }

  private func first(_ demand: TraceDemand, _ events: [TraceEvent], from start: Int) throws(Stop) -> Int? {
    for index in start..<max(start, events.endIndex) where try fits(events[index], demand) { return index }
    return nil
  }

  private func fits(_ event: TraceEvent, _ demand: TraceDemand) throws(Stop) -> Bool {
    guard event.name == demand.event else { return false }
    for field in demand.fields {
      guard let fact = event.fields.first(where: { $0.name == field.name })?.value else { return false }
      guard same(try value(field.value), Value(fact)) else { return false }
    }
    return true
  }
}
