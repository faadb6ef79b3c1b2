// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Synchronization

/// The kinds of object that share one ID space, in the kernel's order: `enum iommufd_object_type`.
public enum ObjectKind: UInt8, CaseIterable, Sendable {
  case device = 1
  case pagingHWPT, nestedHWPT, ioas, access, fault, viommu, vdevice, veventq, hwQueue, selftest

  /// The kernel's name, for messages: `HWPT_PAGING`.
  public var name: String {
    switch self {
    case .device: "DEVICE"
    case .pagingHWPT: "HWPT_PAGING"
    case .nestedHWPT: "HWPT_NESTED"
    case .ioas: "IOAS"
    case .access: "ACCESS"
    case .fault: "FAULT"
    case .viommu: "VIOMMU"
    case .vdevice: "VDEVICE"
    case .veventq: "VEVENTQ"
    case .hwQueue: "HW_QUEUE"
    case .selftest: "SELFTEST"
    }
  }
}

/// Anything with an ID: `struct iommufd_object`.
///
/// Two counts decide its life, and both start at 1, the table's own share. `users` counts edges of the
/// object graph: whoever points at it, for as long as it does; IOMMU_DESTROY demands that only the table's
/// is left. The *wait* count is the number of calls that are using it right now; whoever destroys an object
/// on behalf of a driver waits for those. A call that looks an object up holds one of each.
///
/// The counts are the two halves of one word, so that a lookup and its end cost one atomic operation each.
/// Source: `drivers/iommu/iommufd/iommufd_private.h`, `main.c`; reference io-pagetable.md section 1.2.
open class Object: @unchecked Sendable {
  public let context: Context
  public let kind: ObjectKind
  /// 1 and up; the lowest that was free. Set when the ID is reserved.
  public internal(set) var id: UInt32 = 0

  private static let user: UInt64 = 1
  private static let waiter: UInt64 = 1 << 32
  private let counts = Atomic<UInt64>(user | waiter)

  public init(_ kind: ObjectKind, in context: Context) {
    self.kind = kind
    self.context = context
  }

  /// Long-term references, the table's included.
  public var users: Int { Int(counts.load(ordering: .acquiring) & 0xFFFF_FFFF) }
  /// Calls in flight, plus one for the table.
  public var waiters: Int { Int(counts.load(ordering: .acquiring) >> 32) }

  /// A long-term reference: an edge of the object graph (`refcount_inc(&obj->users)`).
  public func addUser() { counts.add(Self.user, ordering: .relaxed) }
  public func addUsers(_ n: Int) { counts.add(UInt64(n), ordering: .relaxed) }
  public func dropUser() { counts.subtract(Self.user, ordering: .acquiringAndReleasing) }
  public func dropUsers(_ n: Int) { counts.subtract(UInt64(n), ordering: .acquiringAndReleasing) }

  /// A reference that a destroyer waits for (`refcount_inc(&obj->wait_cnt)`).
  public func addWaiter() { counts.add(Self.waiter, ordering: .relaxed) }
  public func dropWaiter() { counts.subtract(Self.waiter, ordering: .acquiringAndReleasing) }

  /// `iommufd_lock_obj`: the table's lock is held.
  func beginCall() { counts.add(Self.user | Self.waiter, ordering: .acquiring) }
  /// `iommufd_put_object`.
  func endCall() { counts.subtract(Self.user | Self.waiter, ordering: .releasing) }

  /// Takes the table's own share of `users` if nothing else is left; the object then cannot be looked up.
  func claimForDestroy() -> Bool {
    var now = counts.load(ordering: .acquiring)
    while now & 0xFFFF_FFFF == 1 {
      let (done, seen) = counts.compareExchange(
        expected: now, desired: now - Self.user, ordering: .acquiringAndReleasing)
      if done { return true }
      now = seen
    }
    return false
  }

  /// Undoes what creation did; runs once, when nothing refers to the object any more, and cannot fail.
  /// `iommufd_object_ops[].destroy`.
  open func destroy() {}

  /// Breaks references that last as long as the object itself, before a driver's destroy waits.
  /// `iommufd_object_ops[].pre_destroy`.
  open func preDestroy() {}

  /// The objects on which this one holds a `users` reference, with repetition. The ledger behind EBUSY:
  /// `users` of every object is 1 + the times it is listed here by others + `heldByFiles` + drivers'.
  open var references: [Object] { [] }

  /// What `show` and `expect` see of this kind of object, besides what every object has.
  open var details: [(name: String, value: Fact)] { [] }

  /// References that are not edges from other objects: open files, the driver that bound a device.
  open var externalUsers: Int { 0 }
}
