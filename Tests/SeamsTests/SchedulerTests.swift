// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Seams
import Testing

/// Locks under a scheduler, and a scheduler under locks.
@Suite("Scheduler")
struct SchedulerTests {
  /// A policy that is a closure.
  final class Policy: SchedulePolicy {
    private let body: (ScheduleEvent, Int, any ThreadScheduler) -> Int?
    init(_ body: @escaping (ScheduleEvent, Int, any ThreadScheduler) -> Int?) { self.body = body }
    func next(_ event: ScheduleEvent, of thread: Int, in scheduler: any ThreadScheduler) -> Int? {
      body(event, thread, scheduler)
    }
  }

  static func point(_ name: String) -> SchedulePoint {
    SchedulePoint.all.first { $0.name == name }?.point ?? SchedulePoint(code: .max)
  }

  /// Two mutexes, a reader-writer lock and a list of what happened.
  final class Shared: @unchecked Sendable {
    let one = Lock(.pages)
    let two = Lock(.group)
    let table = ReaderWriterLock(.domains)
    var log: [String] = []
    var isReady = false
  }

  /// Runs a thread up to a point by name, or as far as it gets.
  private func run(_ scheduler: Scheduler, _ thread: Int, until name: String? = nil) -> ScheduleEvent? {
    var last: ScheduleEvent?
    let point = name.map { Self.point($0) }
    scheduler.run(
      thread,
      Policy { event, thread, _ in
        last = event
        guard case .point(let here) = event, here != point else { return nil }
        return thread
      })
    return last
  }

  @Test func oneThreadRunsAtATimeAndStopsWhereItIsTold() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let a = try #require(
      scheduler.add("a") {
        shared.one.withLock { shared.log.append("a in") }
        shared.log.append("a out")
      })
    let b = try #require(scheduler.add("b") { shared.log.append("b") })
    #expect(scheduler.state(of: a) == .notStarted)
    #expect(run(scheduler, a, until: "pages.locked") == .point(Self.point("pages.locked")))
    #expect(shared.log == [])
    #expect(run(scheduler, b) == .ended)
    #expect(run(scheduler, a, until: "pages.unlocked") == .point(Self.point("pages.unlocked")))
    #expect(shared.log == ["b", "a in"])
    #expect(run(scheduler, a) == .ended)
    #expect(shared.log == ["b", "a in", "a out"])
    #expect(scheduler.runnable == [])
    scheduler.close()
  }

  @Test func whoWaitsForALockIsKnownAndGoesOnWhenItIsFree() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let a = try #require(scheduler.add("a") { shared.one.withLock { shared.log.append("a") } })
    let b = try #require(scheduler.add("b") { shared.one.withLock { shared.log.append("b") } })
    _ = run(scheduler, a, until: "pages.locked")
    #expect(run(scheduler, b) == .blocked)
    #expect(scheduler.state(of: b) == .blocked)
    #expect(scheduler.waits == [ScheduleWait(thread: b, name: "pages", holders: [a])])
    #expect(scheduler.runnable == [a])
    #expect(run(scheduler, a) == .ended)
    #expect(scheduler.state(of: b) == .runnable)
    #expect(run(scheduler, b) == .ended)
    #expect(shared.log == ["a", "b"])
    scheduler.close()
  }

  @Test func aCircleOfWaitsIsADeadlockAndNoHang() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let a = try #require(scheduler.add("a") { shared.one.withLock { shared.two.withLock {} } })
    let b = try #require(scheduler.add("b") { shared.two.withLock { shared.one.withLock {} } })
    _ = run(scheduler, a, until: "group.lock")
    #expect(run(scheduler, b) == .blocked)
    #expect(run(scheduler, a) == .blocked)
    #expect(scheduler.runnable == [])
    #expect(
      scheduler.waits == [
        ScheduleWait(thread: a, name: "group", holders: [b]),
        ScheduleWait(thread: b, name: "pages", holders: [a]),
      ])
    // The driver is no part of it, and goes on without what nobody will give back.
    scheduler.asDriver { shared.one.withLock { shared.log.append("script") } }
    #expect(shared.log == ["script"])
    scheduler.close()
  }

  @Test func readersShareAndAWaitingWriterKeepsNewOnesOut() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let reader = try #require(scheduler.add("reader") { shared.table.withShared { shared.log.append("r") } })
    let other = try #require(scheduler.add("other") { shared.table.withShared { shared.log.append("o") } })
    let writer = try #require(
      scheduler.add("writer") { shared.table.withExclusive { shared.log.append("w") } })
    let late = try #require(scheduler.add("late") { shared.table.withShared { shared.log.append("l") } })
    _ = run(scheduler, reader, until: "domains.shared")
    _ = run(scheduler, other, until: "domains.shared")
    #expect(run(scheduler, writer) == .blocked)
    #expect(run(scheduler, late) == .blocked)
    #expect(
      scheduler.waits.last == ScheduleWait(thread: late, name: "domains", holders: [reader, other, writer]))
    #expect(run(scheduler, reader) == .ended)
    #expect(scheduler.state(of: writer) == .blocked)
    #expect(run(scheduler, other) == .ended)
    #expect(run(scheduler, writer) == .ended)
    #expect(run(scheduler, late) == .ended)
    #expect(shared.log == ["r", "o", "w", "l"])
    scheduler.close()
  }

  @Test func theDriverLetsAThreadFinishWithWhatItNeeds() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let a = try #require(
      scheduler.add("a") {
        shared.one.withLock { shared.log.append("a in") }
        shared.two.withLock { shared.log.append("a later") }
      })
    _ = run(scheduler, a, until: "pages.locked")
    scheduler.asDriver { shared.one.withLock { shared.log.append("script") } }
    // No further than it had to.
    #expect(shared.log == ["a in", "script"])
    #expect(run(scheduler, a) == .ended)
    #expect(shared.log == ["a in", "script", "a later"])
    scheduler.close()
  }

  @Test func aWaitForAConditionIsAWait() throws {
    let shared = Shared()
    let scheduler = Scheduler()
    let a = try #require(
      scheduler.add("a") {
        NamedPoint.objectWait.wait { shared.isReady }
        shared.log.append("a")
      })
    let b = try #require(scheduler.add("b") { shared.isReady = true })
    #expect(run(scheduler, a) == .blocked)
    #expect(scheduler.waits == [ScheduleWait(thread: a, name: "object.wait", holders: [])])
    #expect(run(scheduler, b) == .ended)
    #expect(scheduler.state(of: a) == .runnable)
    #expect(run(scheduler, a) == .ended)
    #expect(shared.log == ["a"])
    scheduler.close()
  }

  @Test func aForgottenLockKeepsNobodyOut() throws {
    let shared = Shared()
    let scheduler = Scheduler(omitting: [.pages])
    let a = try #require(
      scheduler.add("a") {
        shared.one.withLock {
          NamedPoint.objectFound.pass()
          shared.log.append("a")
        }
      })
    let b = try #require(scheduler.add("b") { shared.one.withLock { shared.log.append("b") } })
    _ = run(scheduler, a, until: "object.found")
    #expect(run(scheduler, b) == .ended)
    #expect(run(scheduler, a) == .ended)
    #expect(shared.log == ["b", "a"])
    // It was not left locked, or unlocked by one that did not have it.
    shared.one.withLock { shared.log.append("after") }
    scheduler.close()
  }

  @Test func pointsHaveNamesOfTheirOwn() {
    let names = SchedulePoint.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Set(SchedulePoint.all.map(\.point)).count == names.count)
    #expect(SchedulePoint.all.allSatisfy { !$0.summary.isEmpty && $0.name.split(separator: ".").count <= 2 })
    for name in ["pages.pinned", "ioas.locked", "domains.exclusive", "areas.lock", "statement"] {
      #expect(names.contains(name), "\(name)")
    }
  }
}
