// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

// A sweep makes every failure point of every call fail, one after the other:
//
//     call, point 1 fails ──> refused? as it was? nothing broken, nothing leaked?
//     call, point 2 fails ──> the same
//     ...
//     call, nothing fails ──> this answer is what the script sees
//
// A call is what the script asks of the machine once: a request, another system call, an action of the bench. Since a
// call that failed has left everything as it was, the next round begins in the state in which the first one did, and a
// block of several statements needs no way back.
//
// A driver may keep a table that it made for a call which then failed. That is seen as pages in use, and the round with
// the same number is made again: the table is there now, so it fails further on. What goes on growing is a leak.

/// A sweep in progress, and what it has counted.
final class FailureSweep {
  /// Kinds of points that are made to fail; nil for all but those after which a call stays done.
  let kinds: Set<String>?
  /// Failures that were made.
  private(set) var points: UInt64 = 0
  /// Those that left behind what is documented.
  private(set) var partial: UInt64 = 0
  /// The call of the statement that is carried out was not clean, and has been told of.
  var hasGivenUp = false
  /// Counts by the name of the call, for who wants to know.
  var ledger = SweepLedger()

  init(kinds: Set<String>?) { self.kinds = kinds }

  /// Most failures that one call is made to have: more than any call of the model has.
  private static let roundLimit: UInt64 = 20_000
  /// How often the same failure may leave more pages in use than before.
  private static let growthLimit = 512

  /// What is wrong with a call.
  struct Finding {
    enum Kind {
      /// It said that it succeeded.
      case swallowed
      /// It failed with an errno that says nothing of the failure.
      case otherErrno(Errno)
      case changed([String])
      case broken([Violation])
      case leaks
      case endless
      /// A failure point that was there is gone when the script is run once more.
      case gone
      /// It left everything as it was, and made again it ends otherwise than it did.
      case stuck(Errno?)
    }
    let kind: Kind
    let call: SweptCall
    let nth: UInt64
    let failure: InjectedFailure
  }

  /// Makes the call until nothing of it is left to fail, and returns its last answer.
  ///
  /// - Parameters:
  ///   - isOver: the run is to end, so there is no time for further rounds.
  ///   - report: takes what is wrong. After anything but an errno nothing more is tried, and `hasGivenUp` is set.
  /// - Throws: what the call does by itself; after a finding, what it answered then.
  func rounds<Result>(
    _ call: SweptCall, on bench: any Bench, isOver: () -> Bool, report: (Finding) -> Void,
    _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    var nth: UInt64 = 1
    var growth = 0
    var before = bench.restingState()
    var frames = bench.framesInUse
    let repeatable = Set(bench.failurePoints.map(\.name)).subtracting(call.unrepeatable)
    while !isOver() {
      bench.armFailure(nth: nth, kinds: kinds ?? repeatable)
      var answer: Result?
      var errno: Errno?
      do throws(Errno) { answer = try body() } catch { errno = error }
      guard bench.disarmFailure(), let failure = bench.lastArming.failure else {
        ledger.count(call) {
          $0.calls += 1
          $0.done += answer == nil ? 0 : 1
        }
        if let answer { return answer }
        throw errno ?? .EINVAL
      }
      points += 1
      ledger.count(call) { $0.points += 1 }
      func find(_ kind: Finding.Kind) { report(Finding(kind: kind, call: call, nth: nth, failure: failure)) }
      let broken = bench.violations()
      if !broken.isEmpty { find(.broken(broken)) }
      if let answer {
        if broken.isEmpty { find(.swallowed) }
        hasGivenUp = true
        return answer
      }
      if let errno, errno != failure.errno, !call.mayAnswer(errno, for: failure) { find(.otherErrno(errno)) }
      let after = bench.restingState()
      let changes = FactText.difference(before, after)
      if !broken.isEmpty || !changes.isEmpty && !call.mayChange(changes, answering: errno, for: failure) {
        if broken.isEmpty { find(.changed(changes)) }
        hasGivenUp = true
        throw errno ?? .EINVAL
      }
      if !changes.isEmpty {
        partial += 1
        before = after
      }
      let now = bench.framesInUse
      growth = now > frames ? growth + 1 : 0
      if now <= frames { nth += 1 }
      frames = now
      if growth > Self.growthLimit || nth > Self.roundLimit {
        find(growth > Self.growthLimit ? .leaks : .endless)
        hasGivenUp = true
        throw errno ?? .EINVAL
      }
    }
    return try body()
  }

  /// A failure of this call was made in a run of its own.
  func countLate(_ call: SweptCall) {
    points += 1
    ledger.count(call) {
      $0.points += 1
      $0.late += 1
    }
  }

  /// Makes a call of which nothing is made to fail here.
  func pass<Result>(_ call: SweptCall, _ body: () throws(Errno) -> Result) throws(Errno) -> Result {
    ledger.count(call) { $0.calls += 1 }
    let answer = try body()
    ledger.count(call) { $0.done += 1 }
    return answer
  }
}
