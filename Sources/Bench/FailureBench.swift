// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

// The part of a bench that makes things fail. Every fallible step of a model is a failure point; armed, the n-th of
// those that are passed from then on fails, once. What a call that was refused has to leave as it was is told as one
// fact, so whoever makes a call fail can compare.

/// A failure that was injected.
public struct InjectedFailure: Sendable {
  /// The kind of the failure point, one of `Bench.failurePoints`.
  public let kind: String
  /// What was to be had there: "a page-table page".
  public let what: String
  /// What it gives the caller.
  public let errno: Errno

  public init(kind: String, what: String, errno: Errno) {
    self.kind = kind
    self.what = what
    self.errno = errno
  }
}

public protocol FailureBench: AnyObject {
  /// The kinds of failure points, and what fails there.
  var failurePoints: [(name: String, summary: String)] { get }
  /// Makes the n-th failure point from now fail, once; n counts from 1. Only points of `kinds` count, nil for all.
  func armFailure(nth: UInt64, kinds: Set<String>?)
  /// Disarms; tells whether the armed failure happened.
  func disarmFailure() -> Bool
  /// Failure points that were counted between the last arming and disarming, the one that failed included, and which
  /// that was.
  var lastArming: (passes: UInt64, failure: InjectedFailure?) { get }

  /// Everything that a call which is refused leaves as it was: the objects of every open file, descriptors, pins and
  /// charges, what devices are attached to and reach, the numbers that drivers have given out. Not caches, queues and
  /// logs of hardware, and not memory: of that `framesInUse` tells.
  func restingState() -> Fact
  /// Physical pages that are not free. A failure may leave some in use, where tables are kept for the next time;
  /// the same failure does not do so for ever.
  var framesInUse: Int { get }
  /// Ends every process, the current one with them: what is left of the machine then is what nobody gave back.
  func endProcesses()
}

extension FailureBench {
  /// Makes the n-th failure point fail of those that a kernel's fault injection counts: copies are none unless
  /// `fail_usercopy` is asked for.
  public func armFailure(nth: UInt64) {
    armFailure(nth: nth, kinds: Set(failurePoints.map(\.name)).subtracting(["copy", "answer"]))
  }
}
