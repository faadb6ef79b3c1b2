// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
public import UAPI

/// The kinds of places where the kernel allocates or can otherwise fail.
///
/// Every fallible step of the model passes one of these, in program order, so a sweep can make the first,
/// second, third ... of them fail and look at what is left. Disarmed, a pass costs one atomic load.
/// Source: reference io-pagetable.md section 9.
public enum FailurePoint: UInt8, CaseIterable, Sendable {
  /// Looking up an object by ID; fails with ENOENT.
  case objectLookup
  /// Memory for an object, a tree node, an array, and whatever number it gets; fails with ENOMEM.
  case allocation
  /// Scratch memory of fill: the batch, the list of user pages; fails with ENOMEM.
  case scratch
  /// Before each call that pins source pages; fails with EFAULT.
  case pin
  /// Before charging a positive number of pages; fails with ENOMEM.
  case charge
  /// Half way through storing page frames for an access; fails with EINVAL.
  case storeFrames
  /// The one-page path of an access from another process; fails with EINVAL.
  case accessRW
  /// Reserving a device's regions on attach; fails with EINVAL.
  case reservedRegions
  /// Memory for page-table nodes, or the driver's map call; fails with ENOMEM.
  case domainMap
  /// Copying from the process, or to it before anything is done for good; fails with EFAULT.
  case copy
  /// Memory for what can be done without, or be lost: a larger queue, a page request, an event. Fails with ENOMEM,
  /// where anybody is told.
  case spare
  /// Telling the process what has been done and will not be undone; fails with EFAULT.
  case answer

  /// What people call it: `alloc`.
  public var name: String { text.name }
  /// What fails there, in a sentence.
  public var summary: String { text.summary }

  private var text: (name: String, summary: String) {
    switch self {
    case .objectLookup: ("lookup", "an object is not found by its ID: ENOENT")
    case .allocation: ("alloc", "no memory for an object, a table or a queue of a driver, an array: ENOMEM")
    case .scratch: ("scratch", "no memory to collect page frames in: ENOMEM")
    case .pin: ("pin", "pages cannot be pinned: EFAULT")
    case .charge: ("charge", "pinned pages cannot be charged: ENOMEM")
    case .storeFrames: ("store", "page frames of an access cannot be stored: EINVAL")
    case .accessRW: ("access", "a page of another process cannot be reached: EINVAL")
    case .reservedRegions: ("regions", "a device's regions cannot be reserved: EINVAL")
    case .domainMap: ("table", "no memory for a page of a page table, or the driver does not map: ENOMEM")
    case .copy:
      ("copy", "the process's memory cannot be read, or an answer that is undone not written: EFAULT")
    case .spare:
      ("spare", "no memory for a larger queue, or a page request or event is lost: ENOMEM, if anything")
    case .answer: ("answer", "the answer of a command that stays done cannot be written: EFAULT")
    }
  }

  /// What a failure here looks like to the caller.
  public var errno: Errno {
    switch self {
    case .objectLookup: .ENOENT("an object lookup was made to fail")
    case .allocation: .ENOMEM("an allocation was made to fail")
    case .scratch: .ENOMEM("scratch memory was made to fail")
    case .pin: .EFAULT("pinning was made to fail")
    case .charge: .ENOMEM("a memory charge was made to fail")
    case .storeFrames: .EINVAL("storing page frames was made to fail")
    case .accessRW: .EINVAL("the access to one page was made to fail")
    case .reservedRegions: .EINVAL("reserving regions was made to fail")
    case .domainMap: .ENOMEM("a page table was made to fail")
    case .copy: .EFAULT("copying was made to fail")
    case .spare: .ENOMEM("a spare allocation was made to fail")
    case .answer: .EFAULT("the answer was made to fail")
    }
  }

  fileprivate var bit: UInt32 { 1 << UInt32(rawValue) }
}

/// A machine's failure points: counts them while armed and makes the n-th fail.
public final class FailurePoints: Sendable {
  /// A point that was made to fail.
  public struct Failure: Sendable {
    public let point: FailurePoint
    /// What was to be had there.
    public let what: StaticString
    /// What the caller gets, unless somebody on the way says something else.
    public let errno: Errno
  }

  /// Passes left before the one that fails; 0 while disarmed.
  private let countdown = Atomic<UInt64>(0)
  /// Passes that were asked for when it was armed; when it is disarmed, those that there were.
  private let armed = Atomic<UInt64>(0)
  /// Bits of the points that are counted.
  private let counted = Atomic<UInt32>(.max)
  /// No `Lock`: it guards nothing of the kernel's, so a scheduler has no business with it.
  private let record = Mutex<Failure?>(nil)

  public init() {}

  /// Makes the `n`-th pass from now fail, once; n counts from 1. Only `points` count, nil for all.
  public func arm(nth n: UInt64, only points: Set<FailurePoint>? = nil) {
    record.withLock { $0 = nil }
    counted.store(points.map { $0.reduce(0) { $0 | $1.bit } } ?? .max, ordering: .relaxed)
    armed.store(n, ordering: .relaxed)
    countdown.store(n, ordering: .relaxed)
  }

  /// Passes that are left before the one that fails; 0 when it has, and while disarmed.
  public var remaining: UInt64 { countdown.load(ordering: .relaxed) }

  /// Disarms, and tells whether the armed failure happened.
  @discardableResult
  public func disarm() -> Bool {
    let left = countdown.exchange(0, ordering: .relaxed)
    armed.subtract(left, ordering: .relaxed)
    return failure != nil
  }

  /// What was made to fail since it was armed last.
  public var failure: Failure? { record.withLock { $0 } }

  /// Passes that were counted between the last arming and disarming, the one that failed included.
  public var passes: UInt64 { armed.load(ordering: .relaxed) }

  /// Passes `point`, where `what` is to be had: an area, a page of a page table.
  ///
  /// - Throws: the point's errno, or `errno` where the caller would see that, when it is the one to fail.
  @inlinable
  public func pass(_ point: FailurePoint, _ what: StaticString, as errno: Errno? = nil) throws(Errno) {
    if isArmed { try count(point, what, errno) }
  }

  @usableFromInline var isArmed: Bool { countdown.load(ordering: .relaxed) != 0 }

  /// A pass while armed.
  @usableFromInline
  @inline(never)
  func count(_ point: FailurePoint, _ what: StaticString, _ errno: Errno?) throws(Errno) {
    guard counted.load(ordering: .relaxed) & point.bit != 0 else { return }
    // Another thread may have had the last pass.
    var left = countdown.load(ordering: .relaxed)
    while left > 0 {
      let (done, seen) = countdown.compareExchange(expected: left, desired: left - 1, ordering: .relaxed)
      if done { break }
      left = seen
    }
    guard left == 1 else { return }
    let failure = Failure(point: point, what: what, errno: errno ?? point.errno)
    record.withLock { $0 = failure }
    throw failure.errno
  }
}
