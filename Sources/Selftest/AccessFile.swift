// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

/// The file of an access: an in-kernel user of an IOAS that user space drives. `struct selftest_access`.
///
/// What it pins are *items*, numbered from 0. When the IOAS unmaps something, items that meet it go.
final class AccessFile: OpenFile, @unchecked Sendable {
  private struct Item {
    let id: UInt32
    let span: Span64
  }

  let needsPin: Bool
  private let contextFile: ContextFile
  private let lock = Lock(.selftestAccess)
  // Guarded by `lock`.
  private var items: [Item] = []
  private var nextID: UInt32 = 0
  private var current: Access?

  init(_ contextFile: ContextFile, needsPin: Bool) {
    self.contextFile = contextFile
    self.needsPin = needsPin
    super.init()
  }

  override var name: String { "anon_inode:[iommufd_test_staccess]" }
  override var keptFile: OpenFile? { contextFile }

  /// nil until the request that makes it has succeeded.
  var access: Access? {
    get { lock.withLock { current } }
    set { lock.withLock { current = newValue } }
  }

  /// Lets go of the items that meet a range. `iommufd_test_access_unmap`.
  func unpin(_ access: Access, meeting span: Span64) {
    lock.withLock {
      for item in items where item.span.overlaps(span) {
        access.unpin(iova: item.span.first, length: item.span.count)
      }
      items.removeAll { $0.span.overlaps(span) }
    }
  }

  /// Lets go of one item.
  ///
  /// - Throws: ENOENT.
  func unpin(_ access: Access, item id: UInt32) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard let index = items.firstIndex(where: { $0.id == id }) else {
        throw .ENOENT("no item has this number", UInt64(id))
      }
      let item = items.remove(at: index)
      access.unpin(iova: item.span.first, length: item.span.count)
    }
  }

  /// Pins a range as a new item, which `accept` may look at; if it throws, nothing stays.
  func pin(
    _ access: Access, iova: UInt64, length: UInt64, writing: Bool,
    _ accept: (UInt32, [FrameNumber]) throws(Errno) -> Void
  ) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      let frames = try access.pin(iova: iova, length: length, writing: writing)
      let id = nextID
      do throws(Errno) {
        try accept(id, frames)
      } catch {
        access.unpin(iova: iova, length: length)
        throw error
      }
      if let span = Span64(first: iova, length: length) { items.append(Item(id: id, span: span)) }
    }
  }

  /// Takes the next item's number, which a failing answer does not give back.
  func takeNumber() { nextID &+= 1 }

  /// `iommufd_test_staccess_release`.
  override func release() {
    guard let access else { return }
    unpin(access, meeting: .everything)
    contextFile.context.destroyAccess(access)
  }
}
