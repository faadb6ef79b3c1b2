// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMU
public import Memory
internal import Seams
public import UAPI

/// An in-kernel user of an IOAS: `struct iommufd_access`. A mediated device, a software device, a hardware
/// queue: something that reads memory through IOVAs and has no IOMMU.
///
/// It has no uAPI of its own; whoever made it drives it. Its ID is visible and cannot be destroyed. `lock`
/// guards `ioas` and `ioasForUnpin` and is let go while the owner is asked to unpin: then `ioas` is nil, so
/// no new pin begins, and `ioasForUnpin` still tells where the old ones are.
/// Source: `drivers/iommu/iommufd/device.c`; reference devices-hwpt-viommu.md section 6.
public final class Access: Object, @unchecked Sendable {
  /// Asks the owner to unpin everything that meets `length` bytes at an IOVA; 0 and all ones for everything.
  public typealias Unmap = @Sendable (_ access: Access, _ iova: UInt64, _ length: UInt64) -> Void

  /// 4096 where the owner pins pages, else 1.
  public let alignment: UInt64
  /// Belongs to iommufd itself: it is not asked to unpin but forbids unmapping, and keeps no file alive.
  public let isInternal: Bool
  private let unmap: Unmap?

  private let lock = Lock(.access)
  private var ioas: IOAS?
  private var ioasForUnpin: IOAS?

  public init(in context: Context, needsPin: Bool, internal isInternal: Bool = false, unmap: Unmap? = nil) {
    alignment = needsPin || isInternal ? Page.size : 1
    self.isInternal = isInternal
    self.unmap = unmap
    super.init(.access, in: context)
  }

  public override var references: [Object] { lock.withLock { ioas.map { [$0] } ?? [] } }
  /// The owner's own reference.
  public override var externalUsers: Int { 1 }

  public override var details: [(name: String, value: Fact)] {
    [
      (name: "ioas", value: currentIOAS.map { .id($0.id) } ?? .none),
      (name: "alignment", value: .hex(alignment)),
      (name: "internal", value: .flag(isInternal)),
    ]
  }

  /// The IOAS it is attached to.
  public var currentIOAS: IOAS? { lock.withLock { ioas } }

  // MARK: Attaching

  /// `iommufd_access_attach`.
  ///
  /// - Throws: EINVAL when it is attached already, ENOENT, EADDRINUSE when the IOAS's areas are not aligned.
  public func attach(id: UInt32) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard ioas == nil, ioasForUnpin == nil else { throw .EINVAL("the access is attached already") }
      try context.objects.with(IOAS.self, id) { new throws(Errno) in try change(to: new) }
    }
  }

  /// Attaches an access of iommufd's own. `iommufd_access_attach_internal`.
  public func attach(_ new: IOAS) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard ioas == nil else { throw .EINVAL("the access is attached already") }
      try change(to: new)
    }
  }

  /// `iommufd_access_replace`. Nothing happens when it is that IOAS already.
  ///
  /// - Throws: ENOENT when it is not attached or there is no such IOAS; EBUSY during another change.
  public func replace(id: UInt32) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard ioas != nil else { throw .ENOENT("the access is not attached") }
      try context.objects.with(IOAS.self, id) { new throws(Errno) in try change(to: new) }
    }
  }

  /// `iommufd_access_detach`.
  public func detach() {
    lock.withLock { if ioas != nil { leave() } }
  }

  /// `iommufd_access_change_ioas` to another IOAS. The lock is held, and let go while the owner unpins.
  private func change(to new: IOAS) throws(Errno) {
    let old = ioas
    guard old === ioasForUnpin else { throw .EBUSY("the access is being detached") }
    if old === new { return }
    ioas = nil
    do throws(Errno) { try new.pagetable.addAccess(self) } catch {
      ioas = old
      throw error
    }
    new.addUser()
    if let old { release(old) }
    ioas = new
    ioasForUnpin = new
  }

  /// `iommufd_access_change_ioas` to none.
  private func leave() {
    guard let old = ioas else { return }
    ioas = nil
    release(old)
    ioasForUnpin = nil
  }

  private func release(_ old: IOAS) {
    if !isInternal, let unmap {
      lock.unlock()
      unmap(self, 0, .max)
      lock.lock()
    }
    old.pagetable.removeAccess(self)
    old.dropUser()
  }

  /// Source: `iommufd_access_destroy_object`.
  public override func destroy() {
    detach()
    if !isInternal { context.file.releaseFile() }
  }

  /// An unmap wants this range; the owner must have unpinned it when this returns.
  func notifyUnmap(_ span: Span64) {
    guard !isInternal, waiters > 0 else { return }
    beginCall()
    unmap?(self, span.first, span.count)
    endCall()
  }

  // MARK: Pinning

  /// Pins the pages behind an IOVA range, all or none, and returns their frames.
  /// `iommufd_access_pin_pages`; reference io-pagetable.md section 2.13.
  ///
  /// - Throws: EINVAL for length 0, for an area that is being unmapped, or that is not page aligned in its
  ///   pages; EOVERFLOW; ENOENT when not attached or not mapped; EPERM; EFAULT, ENOMEM from pinning.
  public func pin(iova: UInt64, length: UInt64, writing: Bool) throws(Errno) -> [FrameNumber] {
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: iova, length: length) else {
      throw .EOVERFLOW("iova + length wraps", iova, length)
    }
    return try lock.withLock { () throws(Errno) -> [FrameNumber] in
      guard let ioas else { throw .ENOENT("the access is not attached") }
      return try ioas.pagetable.pin(span, writing: writing, locking: isInternal)
    }
  }

  /// Undoes a `pin` of the same range. `iommufd_access_unpin_pages`.
  public func unpin(iova: UInt64, length: UInt64) {
    lock.withLock {
      guard let ioas = ioasForUnpin, let span = Span64(first: iova, length: length) else { return }
      ioas.pagetable.unpin(span, locking: isInternal)
    }
  }

  /// Copies between `buffer` and an IOVA range; what was copied before an error stays.
  /// `iommufd_access_rw`.
  ///
  /// - Parameters:
  ///   - writing: into the IOVA range.
  ///   - slow: go through page frames even where the caller's own memory is mapped.
  /// - Throws: EINVAL, EOVERFLOW, ENOENT, EPERM, EFAULT as `pin`, without the alignment rules.
  public func rw(
    iova: UInt64, buffer: UnsafeMutableRawBufferPointer, writing: Bool, slow: Bool, by task: any CallingTask
  ) throws(Errno) {
    guard buffer.count > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: iova, length: UInt64(buffer.count)) else {
      throw .EOVERFLOW("iova + length wraps", iova, UInt64(buffer.count))
    }
    try lock.withLock { () throws(Errno) in
      guard let ioas else { throw .ENOENT("the access is not attached") }
      try ioas.pagetable.rw(span, buffer, writing: writing, slow: slow, by: task)
    }
  }
}

extension IOPageTable {
  /// Pins a range for an access, area by area.
  func pin(_ span: Span64, writing: Bool, locking: Bool) throws(Errno) -> [FrameNumber] {
    try areasLock.withShared { () throws(Errno) -> [FrameNumber] in
      var frames: [FrameNumber] = []
      var pinned: [(Area, Span64)] = []
      do throws(Errno) {
        try forEachContiguous(span, gap: .ENOENT("the range is not fully mapped", span.first, span.last)) {
          area, piece throws(Errno) in
          try checkAccess(area, piece, through: span.last, writing: writing, pinning: true)
          let index = Span64(
            area.startByte(piece.first) >> Page.shift, area.startByte(piece.last) >> Page.shift)
          frames += try area.pages.addAccess(area, index, writing: writing, locking: locking)
          pinned.append((area, index))
        }
      } catch {
        for (area, index) in pinned { area.pages.removeAccess(area, index, locking: locking) }
        throw error
      }
      return frames
    }
  }

  func unpin(_ span: Span64, locking: Bool) {
    areasLock.withShared {
      var position = areas.position(atOrAbove: span.first)
      while let at = position, areas[at].iova.first <= span.last {
        let area = areas[at]
        let first = area.startByte(max(area.iova.first, span.first))
        let last = area.startByte(min(area.iova.last, span.last))
        area.pages.removeAccess(area, Span64(first >> Page.shift, last >> Page.shift), locking: locking)
        position = areas.next(at)
      }
    }
  }

  func rw(
    _ span: Span64, _ buffer: UnsafeMutableRawBufferPointer, writing: Bool, slow: Bool,
    by task: any CallingTask
  ) throws(Errno) {
    try areasLock.withShared { () throws(Errno) in
      try forEachContiguous(span, gap: .ENOENT("the range is not fully mapped", span.first, span.last)) {
        area, piece throws(Errno) in
        try checkAccess(area, piece, through: span.last, writing: writing, pinning: false)
        let start = Int(piece.first - span.first)
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + Int(piece.count))])
        try area.pages.rw(area.startByte(piece.first), part, writing: writing, slow: slow, by: task)
      }
    }
  }

  /// `check_area_prot` and `iopt_area_contig_is_aligned`.
  private func checkAccess(
    _ area: Area, _ piece: Span64, through last: UInt64, writing: Bool, pinning: Bool
  ) throws(Errno) {
    if area.preventAccess {
      throw .EINVAL("the mapping is being unmapped", area.iova.first, area.iova.last)
    }
    if pinning {
      guard area.startByte(piece.first) & Page.mask == 0 else {
        throw .EINVAL("the range does not begin on a page of the mapped memory", piece.first)
      }
      if piece.last < last, (area.startByte(piece.last) + 1) & Page.mask != 0 {
        throw .EINVAL("a mapping ends inside a page and the range goes on", piece.last)
      }
    }
    guard area.protection.contains(writing ? .write : .read) else {
      throw .EPERM(writing ? "the mapping is not writeable" : "the mapping is not readable", area.iova.first)
    }
  }
}

extension Context {
  /// Makes an access, published, with its owner's reference; it keeps the file open. `iommufd_access_create`.
  ///
  /// - Throws: ENOMEM.
  public func createAccess(
    needsPin: Bool, internal isInternal: Bool = false, unmap: Access.Unmap? = nil
  ) throws(Errno) -> Access {
    let access = Access(in: self, needsPin: needsPin, internal: isInternal, unmap: unmap)
    try objects.reserve(access)
    access.addUser()
    if !isInternal { file.retainFile() }
    objects.publish(access)
    return access
  }

  /// `iommufd_access_destroy`.
  public func destroyAccess(_ access: Access) {
    if objects.removeForDriver(access) { access.destroy() }
  }
}
