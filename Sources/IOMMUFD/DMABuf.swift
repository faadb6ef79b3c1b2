// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
public import Memory
internal import Seams
public import UAPI

/// A dma-buf of one physical range that its exporter may take away: what IOAS_MAP_FILE accepts besides files.
///
/// Taking it away (*revoking*) removes its translations from every domain at once; the areas stay, occupy
/// their IOVA and map nothing, even when the buffer comes back. New mappings are refused meanwhile.
/// Source: `iommufd_test_dma_buf` in `selftest.c`, `iopt_dmabuf_*` in `pages.c`.
public final class DMABuf: OpenFile, @unchecked Sendable {
  public let firstFrame: FrameNumber
  public let pageCount: UInt64
  private let memory: PhysicalMemory
  /// The reservation lock: outside the lock of a pages object.
  private let lock = Lock(.dmabuf)
  private var isRevoked = false
  private var users: [WeakPages] = []

  private struct WeakPages {
    weak var pages: Pages?
  }

  /// A zeroed buffer of `length` bytes, rounded up to pages.
  ///
  /// - Throws: ENOMEM.
  public init(kernel: Kernel, length: UInt64) throws(Errno) {
    try kernel.failures.pass(.allocation, "a dma-buf")
    try kernel.failures.pass(.allocation, "the memory of a dma-buf")
    pageCount = (length + Page.mask) >> Page.shift
    memory = kernel.memory
    firstFrame = try memory.allocateContiguous(Int(pageCount))
    super.init()
  }

  public override var name: String { "/dmabuf:" }

  public var size: UInt64 { pageCount << Page.shift }

  /// Lets a pages object use the buffer.
  ///
  /// - Throws: ENODEV while it is revoked.
  func attach(_ pages: Pages) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard !isRevoked else { throw .ENODEV("the dma-buf is revoked") }
      users.removeAll { $0.pages == nil }
      users.append(WeakPages(pages: pages))
    }
  }

  /// Takes the buffer away, or gives it back.
  public func setRevoked(_ revoked: Bool) {
    lock.withLock {
      guard revoked != isRevoked else { return }
      isRevoked = revoked
      guard revoked else { return }
      for user in users { user.pages?.revoke() }
    }
  }

  public override func release() {
    for index in 0..<UInt32(pageCount) { memory.release(FrameNumber(firstFrame.raw + index)) }
  }
}

extension Pages {
  /// Unmaps every area of the buffer from every domain. `iopt_revoke_notify`.
  fileprivate func revoke() {
    lock.withLock {
      isRevoked = true
      for (area, domain) in bufferMappings {
        domain.unmap(IOVA(area.iova.first), length: area.length)
      }
    }
  }
}
