// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Memory
internal import Seams
internal import Synchronization
public import UAPI

/// A paging domain of the selftest's mock IOMMU: `struct mock_iommu_domain`.
public class MockDomain: PagingDomain, PASIDDomain, @unchecked Sendable {
  public let mock: MockDriver
  public var faultHandler: (any PageFaultHandler)?
  fileprivate let table: any MockTable

  init(_ table: any MockTable, of mock: MockDriver) {
    self.table = table
    self.mock = mock
  }

  public var driver: any IOMMUDriver { mock }
  public var aperture: Span64 { table.aperture }
  public var pageSizes: UInt64 { table.pageSizes }

  public final func map(_ iova: IOVA, to physical: PhysAddr, length: UInt64, protection: Protection)
    throws(Errno)
  {
    try table.map(iova.raw, to: physical.raw, length: length, protection: protection)
  }

  @discardableResult
  public final func unmap(_ iova: IOVA, length: UInt64) -> UInt64 {
    table.unmap(iova.raw, length: length)
  }

  public final func translate(_ iova: IOVA) -> PhysAddr? { table.translate(iova.raw).map { PhysAddr($0) } }

  public final func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {
    table.forEachLeaf(in: range, body)
  }

  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try mock.attach(device, to: self)
  }

  public func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try mock.setPASID(pasid, of: device, to: self, from: old)
  }
}

/// One that was allocated with DIRTY_TRACKING.
public final class MockDirtyDomain: MockDomain, DirtyTrackingDomain, @unchecked Sendable {
  private let tracking = Atomic<Bool>(false)

  /// MOCK_DIRTY_TRACK. On 7.2 only marking asks for it.
  public var isTracking: Bool { tracking.load(ordering: .relaxed) }

  public func setDirtyTracking(_ enabled: Bool) throws(Errno) {
    tracking.store(enabled, ordering: .relaxed)
  }

  public func readDirty(_ iova: IOVA, length: UInt64, clearing: Bool, report: ((IOVA, UInt64) -> Void)?)
    throws(Errno)
  {
    try table.readDirty(
      iova.raw, length: length, clearing: clearing, isTracking: isTracking, report: report)
  }

  /// Marks what a device would have written at `iova`; returns whether the selftest counts it.
  public func markDirty(_ iova: IOVA, pageSize: UInt64) -> Bool {
    table.markDirty(iova.raw, pageSize: pageSize)
  }
}

/// The mock's blocked domain, which is also its default one.
final class MockBlockedDomain: PASIDDomain, @unchecked Sendable {
  unowned let mock: MockDriver
  var faultHandler: (any PageFaultHandler)?

  init(_ mock: MockDriver) { self.mock = mock }

  var driver: any IOMMUDriver { mock }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) { try mock.attach(device, to: self) }

  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try mock.setPASID(pasid, of: device, to: self, from: old)
  }
}

/// The mock's guest-managed domain: four words that stand for a translation cache.
/// `struct mock_iommu_domain_nested`.
public final class MockNestedDomain: InvalidatableDomain, PASIDDomain, @unchecked Sendable {
  public static let wordCount = 4

  let mock: MockDriver
  public var faultHandler: (any PageFaultHandler)?
  /// Through which vIOMMU it was made.
  let viommu: MockVIOMMU?
  private let lock = Lock(.mockCache)
  private var words: [UInt32]

  init(_ mock: MockDriver, word: UInt32, viommu: MockVIOMMU?) {
    self.mock = mock
    self.viommu = viommu
    words = Array(repeating: word, count: Self.wordCount)
  }

  public var driver: any IOMMUDriver { mock }

  /// The cache word, nil past the last.
  public func word(_ index: UInt32) -> UInt32? {
    lock.withLock { index < words.count ? words[Int(index)] : nil }
  }

  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try mock.attach(device, to: self)
  }

  public func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try mock.setPASID(pasid, of: device, to: self, from: old)
  }

  /// Source: `mock_domain_cache_invalidate_user`; reference devices-hwpt-viommu.md section 7.4.
  public func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno) {
    guard entries.type == MockABI.invalidateType else {
      throw .EINVAL("entries of another type", UInt64(entries.type))
    }
    while done < entries.count {
      let entry = try entries.copyIn(done, type: MockABI.invalidateType, minimum: 8, kernelSize: 8)
      let flags = entry.word(0)
      let index = entry.word(4)
      guard flags & ~MockABI.invalidateAll == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
      guard index < Self.wordCount else { throw .EINVAL("no such cache word", UInt64(index)) }
      lock.withLock {
        if flags & MockABI.invalidateAll != 0 {
          words = Array(repeating: 0, count: Self.wordCount)
        } else {
          words[Int(index)] = 0
        }
      }
      done += 1
    }
  }
}
