// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

// Every order of a few threads, up to a number of preemptions: a thread that could go on is made to wait at most that
// often in one schedule; changes of turn at a wait or an end are free. Bugs need few preemptions, and their number
// bounds the search as no depth does.
//
// The search is depth first over decisions. A schedule is the list of the decisions taken; the next one takes the last
// decision that has another option left differently, and the default behind it, which is to go on.

/// Decides for all schedules, one after the other.
final class Exploration: SchedulePolicy {
  /// What a thread came to, in the order of the schedule.
  struct Step {
    let thread: Int
    let event: ScheduleEvent
  }

  private struct Decision {
    let options: [Int]
    var taken = 0
  }

  /// Most points of one schedule.
  private static let stepLimit = 1 << 20

  private let bound: UInt64
  private let choices: Set<SchedulePoint>
  private var decisions: [Decision] = []
  private var depth = 0
  private var preemptions: UInt64 = 0
  private(set) var steps: [Step] = []
  /// The threads that take part, by number.
  var names: [Int: String] = [:]
  /// The same decisions led elsewhere.
  private(set) var isUnequal = false

  /// - Parameter points: those of the machine.
  init(bound: UInt64, points: [SchedulePointInfo]) {
    self.bound = bound
    choices = Set(points.filter(\.isChoice).map(\.point))
  }

  var isTooLong: Bool { steps.count >= Self.stepLimit }

  /// Begins a schedule.
  ///
  /// - Returns: the thread that goes first; nil where none can.
  func begin(_ scheduler: any ThreadScheduler) -> Int? {
    depth = 0
    preemptions = 0
    steps.removeAll(keepingCapacity: true)
    return choose(runnable(scheduler))
  }

  /// Threads besides these stay where they are.
  private func runnable(_ scheduler: any ThreadScheduler) -> [Int] {
    scheduler.runnable.filter { names[$0] != nil }
  }

  /// Whether there is another schedule.
  func advance() -> Bool {
    decisions.removeLast(decisions.count - depth)
    while var last = decisions.popLast() {
      last.taken += 1
      if last.taken < last.options.count {
        decisions.append(last)
        return true
      }
    }
    return false
  }

  func next(_ event: ScheduleEvent, of thread: Int, in scheduler: any ThreadScheduler) -> Int? {
    steps.append(Step(thread: thread, event: event))
    guard !isTooLong, !isUnequal else { return nil }
    guard case .point(let point) = event else { return choose(runnable(scheduler)) }
    guard preemptions < bound, choices.contains(point) else { return thread }
    let others = runnable(scheduler).filter { $0 != thread }
    let next = choose([thread] + others)
    if next != thread { preemptions += 1 }
    return next
  }

  private func choose(_ options: [Int]) -> Int? {
    guard options.count > 1 else { return options.first }
    defer { depth += 1 }
    if depth == decisions.count {
      decisions.append(Decision(options: options))
    } else if decisions[depth].options != options {
      isUnequal = true
      return nil
    }
    return decisions[depth].options[decisions[depth].taken]
  }

  // MARK: For people

  /// The schedule as `run` statements.
  func lines(points: [SchedulePointInfo]) -> [String] {
    var lines: [String] = []
    var start = 0
    while start < steps.count {
      let thread = steps[start].thread
      var end = start + 1
      while end < steps.count, steps[end].thread == thread { end += 1 }
      let name = names[thread] ?? "?"
      switch steps[end - 1].event {
      case .ended: lines.append("run \(name)")
      case .blocked: lines.append("run \(name) -> blocked")
      case .point(let point):
        let times = steps[start..<end].count { $0.event == .point(point) }
        let where_ = points.first { $0.point == point }?.name ?? "?"
        lines.append("run \(name) until \(where_)" + (times > 1 ? " nth=\(times)" : ""))
      }
      start = end
    }
    return lines
  }
}
