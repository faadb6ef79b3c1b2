// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
public import UAPI

/// The named places where the kernel allocates or can otherwise fail.
///
/// Every fallible step of the model passes one of these, in program order, so a sweep can make the first,
/// second, third ... of them fail and look at what is left. Disarmed, a pass costs one atomic load.
/// Source: reference io-pagetable.md section 9.
public enum FailurePoint: String, CaseIterable, Sendable {
  /// Looking up an object by ID; fails with ENOENT.
  case objectLookup
  /// Memory for an object, a tree node, an array; fails with ENOMEM.
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

  /// What a failure here looks like to the caller.
  public var errno: Errno {
    switch self {
    case .objectLookup: .ENOENT("injected failure: object lookup")
    case .allocation: .ENOMEM("injected failure: allocation")
    case .scratch: .ENOMEM("injected failure: scratch memory")
    case .pin: .EFAULT("injected failure: pinning pages")
    case .charge: .ENOMEM("injected failure: memory charge")
    case .storeFrames: .EINVAL("injected failure: storing page frames")
    case .accessRW: .EINVAL("injected failure: access to one page")
    case .reservedRegions: .EINVAL("injected failure: reserved regions")
    case .domainMap: .ENOMEM("injected failure: page table")
    }
  }
}

/// A machine's failure points: counts them while armed and makes the n-th fail.
public final class FailurePoints: Sendable {
  /// Passes left before the one that fails; 0 while disarmed.
  private let countdown = Atomic<UInt64>(0)
  private let failed = Atomic<Bool>(false)
  /// Bits of the points that are counted, by their position in `FailurePoint.allCases`.
  private let counted = Atomic<UInt32>(.max)

  public init() {}

  /// Counts only these points from now on.
  public func count(only points: Set<FailurePoint>) {
    var bits: UInt32 = 0
    for (position, point) in FailurePoint.allCases.enumerated() where points.contains(point) {
      bits |= 1 << UInt32(position)
    }
    counted.store(bits, ordering: .relaxed)
  }

  /// Makes the `n`-th pass from now fail, once; n counts from 1.
  public func arm(nth n: UInt64) {
    failed.store(false, ordering: .relaxed)
    countdown.store(n, ordering: .relaxed)
  }

  /// Passes that are left before the one that fails; 0 when it has, and while disarmed.
  public var remaining: UInt64 { countdown.load(ordering: .relaxed) }

  /// Disarms, and tells whether the armed failure happened.
  @discardableResult
  public func disarm() -> Bool {
    countdown.store(0, ordering: .relaxed)
    return failed.load(ordering: .relaxed)
  }

  /// Passes `point`.
  ///
  /// - Throws: the point's errno when it is the one to fail.
  @inlinable
  public func pass(_ point: FailurePoint) throws(Errno) {
    if isArmed { try count(point) }
  }

  @usableFromInline var isArmed: Bool { countdown.load(ordering: .relaxed) != 0 }

  /// A pass while armed.
  @usableFromInline
  @inline(never)
  func count(_ point: FailurePoint) throws(Errno) {
    let position = FailurePoint.allCases.firstIndex(of: point) ?? 0
    guard counted.load(ordering: .relaxed) >> UInt32(position) & 1 == 1 else { return }
    let (before, _) = countdown.subtract(1, ordering: .relaxed)
    guard before == 1 else { return }
    failed.store(true, ordering: .relaxed)
    throw point.errno
  }
}
