// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

/// Guest memory that the hardware reads by itself, by physical address: `struct iommufd_hw_queue`.
///
/// Its pages are pinned by an access of its own, with an ID of its own, which forbids unmapping them for as
/// long as the queue lives.
/// Source: `drivers/iommu/iommufd/viommu.c`; reference devices-hwpt-viommu.md section 5.5.
public final class HWQueue: Object, HardwareQueueCore, @unchecked Sendable {
  public let type: UInt32
  public let iova: UInt64
  public let length: UInt64
  public let viommu: VIOMMU
  private var driver: (any HardwareQueueDriver)?
  private var access: Access?
  /// The pinned pages, set while `access` is.
  private var pinned: (iova: UInt64, length: UInt64) = (0, 0)
  private let lock = Lock(.hardwareQueue)
  /// Queues that must outlive this one. Guarded by `lock`.
  private var dependencies: [HWQueue] = []

  init(type: UInt32, iova: UInt64, length: UInt64, on viommu: VIOMMU) {
    self.type = type
    self.iova = iova
    self.length = length
    self.viommu = viommu
    super.init(.hwQueue, in: viommu.context)
    viommu.addUser()
  }

  public override var references: [Object] { [viommu] + lock.withLock { dependencies } }

  public override var details: [(name: String, value: Fact)] {
    [
      ("queue-type", .hex(UInt64(type))),
      ("viommu", .id(viommu.id)),
      ("access", access.map { .id($0.id) } ?? .none),
      ("iova", .hex(iova)),
      ("length", .hex(length)),
      ("depends-on", .list(lock.withLock { dependencies.map { .id($0.id) } })),
    ]
  }

  /// Most page frames that the kernel makes room for in one array: `kvmalloc` ends at 2 GiB.
  private static let maximumPages: UInt64 = (1 << 28) - 1

  /// Pins the queue's pages, which must be neighbours; returns where its first byte is.
  /// `iommufd_hw_queue_alloc_phys`.
  ///
  /// - Throws: ERANGE, ENOMEM; EADDRINUSE, ENOENT, EINVAL, EPERM from pinning; EFAULT for scattered pages.
  func pin() throws(Errno) -> PhysAddr {
    let offset = iova & Page.mask
    let (size, tooLong) = offset.addingReportingOverflow(length)
    let (padded, tooLongInPages) = size.addingReportingOverflow(Page.mask)
    guard !tooLong, !tooLongInPages else { throw .ERANGE("rounded to pages the length wraps", iova, length) }
    let pages = padded >> Page.shift
    guard pages <= Self.maximumPages else { throw .ENOMEM("too many pages for one array", pages) }
    try context.kernel.failures.pass(.allocation, "the pages of a hardware queue")
    let access = try context.createAccess(needsPin: true, internal: true, unmap: nil)
    let span = (iova: iova - offset, length: pages << Page.shift)
    do throws(Errno) {
      try access.attach(viommu.parent.ioas)
      let frames = try access.pin(iova: span.iova, length: span.length, writing: false)
      guard let first = frames.first,
        frames.enumerated().allSatisfy({ $1.raw == first.raw &+ UInt32($0) })
      else {
        access.unpin(iova: span.iova, length: span.length)
        throw .EFAULT("the pages of the queue are not neighbours in physical memory", iova, length)
      }
      self.access = access
      pinned = span
      return PhysAddr(first.address.raw + offset)
    } catch {
      access.detach()
      context.destroyAccess(access)
      throw error
    }
  }

  /// Hands the queue to the driver. `hw_queue_init_phys`.
  func start(_ provider: any VIOMMUQueues, index: UInt32, physical: PhysAddr) throws(Errno) {
    driver = try provider.makeQueue(
      type: type, index: index, iova: IOVA(iova), length: length, physical: physical, core: self)
  }

  /// `iommufd_hw_queue_destroy`.
  public override func destroy() {
    driver?.destroy()
    if let access {
      access.unpin(iova: pinned.iova, length: pinned.length)
      access.detach()
      context.destroyAccess(access)
    }
    viommu.dropUser()
  }

  public func depend(on other: any HardwareQueueCore) throws(Errno) {
    guard let other = other as? HWQueue, other !== self else {
      throw .EINVAL("a queue cannot depend on itself, nor on anything but a queue")
    }
    other.addUser()
    lock.withLock { dependencies.append(other) }
  }

  public func undepend(from other: any HardwareQueueCore) {
    guard let other = other as? HWQueue else { return }
    let found = lock.withLock { () -> Bool in
      guard let index = dependencies.firstIndex(where: { $0 === other }) else { return false }
      dependencies.remove(at: index)
      return true
    }
    if found { other.dropUser() }
  }
}
