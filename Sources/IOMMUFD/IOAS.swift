// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Seams

/// An I/O address space: `struct iommufd_ioas`. The IOVA space itself is its `pagetable`; this is the object
/// around it and the list of page tables that serve it.
public final class IOAS: Object, @unchecked Sendable {
  public let pagetable: IOPageTable
  /// Guards `hwpts`, and is held while an automatic page table is looked for. `ioas->mutex`.
  let hwptLock = Lock(.ioas)
  /// The HWPTs on this IOAS, in the order of their creation. Guarded by `hwptLock`.
  @exclusivity(unchecked) public internal(set) var hwpts: [PagingHWPT] = []

  init(in context: Context) {
    pagetable = IOPageTable(kernel: context.kernel)
    super.init(.ioas, in: context)
  }

  public override var details: [(name: String, value: Fact)] {
    pagetable.facts + [(name: "hwpts", value: .list(hwptLock.withLock { hwpts.map { .id($0.id) } }))]
  }

  /// Unmaps everything. Source: `iommufd_ioas_destroy`.
  public override func destroy() { pagetable.destroy() }
}
