// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// A hardware page table: `struct iommufd_hw_pagetable`. What it was made with never changes.
public class HWPT: Object, @unchecked Sendable {
  public let domain: any Domain
  /// May serve a PASID, and the RID of a device that has PASIDs attached.
  public let isForPASIDs: Bool
  /// Who hears of page faults of devices on it; set before the HWPT is visible.
  public internal(set) var fault: FaultQueue?

  init(_ kind: ObjectKind, _ domain: any Domain, flags: UInt32, in context: Context) {
    self.domain = domain
    isForPASIDs = flags & HWPTFlag.pasid != 0
    super.init(kind, in: context)
  }

  public override var details: [(name: String, value: Fact)] {
    [
      ("driver", .text(domain.driver.name)),
      ("pasid", .flag(isForPASIDs)),
      ("fault", fault.map { .id($0.id) } ?? .none),
    ]
  }

  /// The HWPT that mirrors an IOAS: this one, or what it is nested on. `find_hwpt_paging`.
  public var paging: PagingHWPT? { nil }

  /// Drops a reference that an attachment held. `iommufd_hw_pagetable_put`.
  func giveBack() { dropUser() }

  /// Undoes a creation that failed, while the locks of the creation are held.
  func abort() {
    context.objects.abandon(self)
    destroy()
  }

  /// Lets `queue` hear of the faults.
  func connect(_ queue: FaultQueue) {
    fault = queue
    queue.addUser()
    domain.faultHandler = queue
  }
}
