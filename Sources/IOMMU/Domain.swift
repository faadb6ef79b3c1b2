// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import UAPI

/// One hardware page table as iommufd sees it: `struct iommu_domain`.
///
/// What a domain can do is what protocols it conforms to; an operation that its driver lacks is a protocol
/// that the domain does not have, and the errno for that is decided by iommufd.
public protocol Domain: AnyObject, Sendable {
  /// Whose domain it is: a domain works only with devices of the same driver (`domain->owner`).
  var driver: any IOMMUDriver { get }

  /// Who takes the page faults of devices on this domain; nil for a domain that cannot fault. Set once,
  /// before the domain is attached to anything, and only stored by the domain.
  var faultHandler: (any PageFaultHandler)? { get set }

  /// Makes DMA without PASID of `device`, which is on `old`, go through this domain. Source: `attach_dev`.
  ///
  /// - Throws: EINVAL when this domain does not suit the device and another might, which includes a device
  ///   of another driver; anything else is final. A failed call leaves the device on `old`.
  func attach(_ device: Device, from old: (any Domain)?) throws(Errno)
}

/// A domain that can serve a single PASID of a device: `set_dev_pasid`.
public protocol PASIDDomain: Domain {
  /// Makes DMA of `device` with `pasid` go through this domain; `old` is nil when nothing was attached. To
  /// the driver's blocked domain, this is a detach and cannot fail.
  ///
  /// - Throws: as `attach`.
  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno)
}

/// What a mapping allows and how the bus treats it: IOMMU_READ, _WRITE, _CACHE, _MMIO.
public struct Protection: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let read = Protection(rawValue: 1)
  public static let write = Protection(rawValue: 2)
  public static let cache = Protection(rawValue: 4)
  public static let mmio = Protection(rawValue: 16)
}

/// A domain that mirrors an IOAS: `IOMMU_DOMAIN_UNMANAGED`.
///
/// Map and unmap of disjoint ranges may run on different threads at once; the table must take that.
public protocol PagingDomain: Domain {
  /// The IOVAs that it can translate: `domain->geometry`.
  var aperture: Span64 { get }
  /// Leaf sizes as a bit set: bit n for 2^n bytes. `domain->pgsize_bitmap`.
  var pageSizes: UInt64 { get }

  /// Maps `length` bytes at `iova` to the contiguous physical range at `physical`, all or nothing.
  /// Source: `iommu_map`; reference io-pagetable.md section 3.6.
  ///
  /// - Throws: EINVAL when `iova`, `physical` or `length` is not a multiple of the smallest leaf; EADDRINUSE
  ///   over something that is mapped; ENOMEM; what else the driver refuses.
  func map(_ iova: IOVA, to physical: PhysAddr, length: UInt64, protection: Protection) throws(Errno)

  /// Removes the translations of `length` bytes at `iova`; returns how many bytes were mapped. Leaves are
  /// never split: a range that ends inside one is refused by removing nothing of it. Never fails.
  /// Source: `iommu_unmap`.
  @discardableResult
  func unmap(_ iova: IOVA, length: UInt64) -> UInt64

  /// The physical address behind one byte, or nil. Source: `iommu_iova_to_phys`.
  func translate(_ iova: IOVA) -> PhysAddr?

  /// Every leaf, ascending: for invariants and for showing the table.
  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void)
}

/// One translation entry as far as a reader of any format cares.
public struct Leaf: Hashable, Sendable {
  public let iova: IOVA
  public let physical: PhysAddr
  /// The entry covers 2^sizeLg2 bytes.
  public let sizeLg2: Int
  public let protection: Protection
  public let dirty: Bool
  public init(iova: IOVA, physical: PhysAddr, sizeLg2: Int, protection: Protection, dirty: Bool) {
    self.iova = iova
    self.physical = physical
    self.sizeLg2 = sizeLg2
    self.protection = protection
    self.dirty = dirty
  }
}

/// A paging domain whose entries remember that the device wrote: `iommu_dirty_ops`.
public protocol DirtyTrackingDomain: PagingDomain {
  /// - Throws: what the driver refuses.
  func setDirtyTracking(_ enabled: Bool) throws(Errno)
  /// Reports every dirty leaf inside `length` bytes at `iova` through `report(first IOVA, bytes)` and, with
  /// `clearing`, makes it clean. What is reported may reach past the range where a leaf does. Without a
  /// `report` the leaves are only made clean, which every driver does even while tracking is off.
  /// Source: `read_and_clear_dirty`; reference io-pagetable.md section 4.
  ///
  /// - Throws: EINVAL where the driver refuses to report while tracking is off.
  func readDirty(_ iova: IOVA, length: UInt64, clearing: Bool, report: ((IOVA, UInt64) -> Void)?)
    throws(Errno)
}

/// A paging domain that can promise coherent DMA: `enforce_cache_coherency`.
public protocol CoherencyEnforcingDomain: PagingDomain {
  /// Whether every mapping from now on is coherent. Called before anything is mapped.
  func enforceCacheCoherency() -> Bool
}

/// A guest-managed first stage: `IOMMU_DOMAIN_NESTED`.
public protocol NestedDomain: Domain {
  /// The second stage below it, where the driver knows one.
  var parentDomain: (any PagingDomain)? { get }
}

extension NestedDomain {
  public var parentDomain: (any PagingDomain)? { nil }
}

/// A nested domain whose caches user space may flush: `cache_invalidate_user`.
public protocol InvalidatableDomain: NestedDomain {
  /// Handles the entries in order; `done` is the number handled fully, also when it throws.
  func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno)
}
