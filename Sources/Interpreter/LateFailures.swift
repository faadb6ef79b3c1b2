// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

// Some failures cannot be made in rounds, since the call cannot be made again as if nothing had happened: the answer of
// a command that stays done, memory that the kernel can do without, and everything that fails inside what nobody can
// refuse: a device's access to memory, the end of a file. Each has a run of the script for itself:
//
//     survey   the whole script, nothing fails; which calls pass such points, and how each leaves the machine
//     rest     up to one of these calls, nothing fails; then everything is closed: what is left of the machine
//     strike   up to the same call, its n-th point fails; as it was, or as it is without a failure? then everything is
//              closed: is more left than without a failure?
//
// A run of one test makes only the calls of that test, and those outside of tests, which have another machine.

/// What such a run looks for, and what it has found.
final class LateFailures {
  /// A call that passes such points.
  struct Site {
    /// The number of its test in the script, 0 outside of tests, and its own number there; both count from 1.
    let test: Int
    let number: Int
    let call: SweptCall
    let place: Place
    /// Points that it passes.
    let passes: UInt64
    /// How it ends by itself: nil for success.
    let errno: Errno?
    /// What it leaves behind.
    let after: Fact
  }

  enum Task {
    case survey
    /// Nothing fails where `nth` is 0.
    case strike(Site, nth: UInt64)
  }

  let task: Task
  private(set) var sites: [Site] = []
  /// What is wrong with the call.
  private(set) var findings: [FailureSweep.Finding.Kind] = []
  /// The run has come where it was to come.
  private(set) var isOver = false
  private(set) var failure: InjectedFailure?
  /// What is left once everything has been closed, and how many pages are not free.
  private(set) var remains: (state: Fact, frames: Int) = (.none, 0)

  private var tests = 0
  private var test = 0
  private var numbers: [Int: Int] = [:]

  init(_ task: Task) { self.task = task }

  /// A test of the script begins; false when the run has no business with it.
  func enterTest() -> Bool {
    tests += 1
    if case .strike(let site, _) = task, site.test != tests { return false }
    test = tests
    return true
  }

  func leaveTest() { test = 0 }

  /// Makes a call, and looks at it if it is the one.
  ///
  /// - Throws: what the call does.
  func make<Result>(
    _ call: SweptCall, at place: Place, on bench: any Bench, _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    let number = numbers[test, default: 0] + 1
    numbers[test] = number
    switch task {
    case .survey: return try survey(call, number, place, bench, body)
    case .strike(let site, let nth):
      guard !isOver, site.test == test, site.number == number else { return try body() }
      return try strike(site, nth, bench, body)
    }
  }

  private func survey<Result>(
    _ call: SweptCall, _ number: Int, _ place: Place, _ bench: any Bench,
    _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    bench.armFailure(nth: .max, kinds: call.lateKinds(of: bench))
    var answer: Result?
    var errno: Errno?
    do throws(Errno) { answer = try body() } catch { errno = error }
    _ = bench.disarmFailure()
    let passes = bench.lastArming.passes
    if passes > 0 {
      sites.append(
        Site(
          test: test, number: number, call: call, place: place, passes: passes, errno: errno,
          after: bench.restingState()))
    }
    if let answer { return answer }
    throw errno ?? .EINVAL
  }

  private func strike<Result>(
    _ site: Site, _ nth: UInt64, _ bench: any Bench, _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    isOver = true
    let call = site.call
    let before = bench.restingState()
    if nth > 0 { bench.armFailure(nth: nth, kinds: call.lateKinds(of: bench)) }
    var answer: Result?
    var errno: Errno?
    do throws(Errno) { answer = try body() } catch { errno = error }
    if nth > 0, bench.disarmFailure() { failure = bench.lastArming.failure }
    if let failure {
      let broken = bench.violations()
      let after = bench.restingState()
      let isUndone = FactText.difference(before, after).isEmpty
      let changes = FactText.difference(site.after, after)
      if !broken.isEmpty { findings.append(.broken(broken)) }
      if answer != nil, site.errno == nil, !call.mayGoOn(without: failure) { findings.append(.swallowed) }
      if let errno, errno != failure.errno, errno != site.errno, !call.mayAnswer(errno, for: failure) {
        findings.append(.otherErrno(errno))
      }
      if broken.isEmpty, !isUndone, !changes.isEmpty, !call.mayLeave(changes, without: failure) {
        findings.append(.changed(changes))
      }
      if broken.isEmpty, isUndone, errno != nil { again(site, body) }
    }
    bench.endProcesses()
    remains = (bench.restingState(), bench.framesInUse)
    if let answer { return answer }
    throw errno ?? .EINVAL
  }

  /// A call that was refused ends now as it does without a failure.
  private func again<Result>(_ site: Site, _ body: () throws(Errno) -> Result) {
    var errno: Errno?
    do throws(Errno) { _ = try body() } catch { errno = error }
    if errno != site.errno { findings.append(.stuck(errno)) }
  }
}

extension Interpreter {
  /// Makes each such failure of a script that has been swept, and tells the executor's report and ledger of it.
  static func makeLateFailures(of executor: Executor, makeRig: @escaping () throws -> Rig) {
    guard let sweep = executor.sweep, let survey = run(.survey, executor, makeRig) else { return }
    for site in survey.sites {
      guard let rest = run(.strike(site, nth: 0), executor, makeRig) else { return }
      for nth in 1...site.passes {
        guard let strike = run(.strike(site, nth: nth), executor, makeRig) else { return }
        // A run that had no time came nowhere.
        if executor.isOutOfTime { return executor.giveUp(at: site.place) }
        sweep.countLate(site.call)
        var findings = strike.findings
        if let failure = strike.failure, rest.isOver {
          let left = FactText.difference(rest.remains.state, strike.remains.state)
          if !left.isEmpty, !site.call.mayLeave(left, without: failure) { findings.append(.changed(left)) }
          if strike.remains.frames > rest.remains.frames { findings.append(.leaks) }
        } else {
          findings.append(.gone)
        }
        let failure = strike.failure ?? InjectedFailure(kind: "none", what: "none", errno: .EINVAL)
        for kind in findings {
          let finding = FailureSweep.Finding(kind: kind, call: site.call, nth: nth, failure: failure)
          executor.fail(Executor.unclean(finding, site.place))
        }
      }
    }
  }

  /// Runs the script once more; nil when there is no machine for it.
  private static func run(_ task: LateFailures.Task, _ first: Executor, _ makeRig: @escaping () throws -> Rig)
    -> LateFailures?
  {
    var options = first.options
    options.sweeps = false
    options.check = false
    options.trace = nil
    options.observer = nil
    options.output = nil
    let rig: Rig
    do { rig = try makeRig() } catch { return nil }
    let executor = Executor(program: first.program, rig: rig, options: options, makeRig: makeRig)
    let late = LateFailures(task)
    executor.late = late
    executor.runFrame(first.program.body)
    return late
  }
}

extension Executor {
  /// There is no time for all that is to be made to fail.
  fileprivate func giveUp(at place: Place) {
    if let cancellation, cancellation.isCancelled {
      halted = .cancelled
    } else {
      halted = .timedOut
      problem(.timeOut, place, "the script took longer than it may")
    }
  }
}
