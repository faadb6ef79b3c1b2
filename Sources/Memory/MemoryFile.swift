// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// A file whose pages can be pinned without a mapping: what IOAS_MAP_FILE accepts.
public protocol PinnableFile: AnyObject, Sendable {
  /// Length in bytes.
  var size: UInt64 { get }

  /// Pins `frames.count` whole pages from page `firstPage`, once each, all or none; missing ones are made.
  ///
  /// Source: `memfd_pin_folios`; reference io-pagetable.md section 3.4.
  ///
  /// - Returns: `frames.count`.
  /// - Throws: EINVAL when the last byte asked for is at or past the end of the file, so for a partial last
  ///   page too; ENOMEM.
  func pin(firstPage: UInt64, into frames: UnsafeMutableBufferPointer<FrameNumber>) throws(Errno) -> Int
}

/// A memfd, or any file on tmpfs or hugetlbfs: its page cache is all there is.
public final class MemoryFile: CachedFile, PinnableFile, @unchecked Sendable {
  private let label: String

  /// - Parameters:
  ///   - size: length in bytes; whole huge pages where `huge`.
  ///   - name: what follows `/memfd:` in /proc.
  /// - Throws: EFBIG, EINVAL.
  public init(_ physical: PhysicalMemory, size: UInt64 = 0, huge: Bool = false, name: String = "iofd")
    throws(Errno)
  {
    label = name
    try super.init(physical, size: size, huge: huge)
  }

  public override var name: String { "/memfd:\(label) (deleted)" }

  public func pin(firstPage: UInt64, into frames: UnsafeMutableBufferPointer<FrameNumber>) throws(Errno)
    -> Int
  {
    try pinPages(firstPage, frames)
  }
}

/// A regular file on a file system that writes pages back: it can be mapped, but a shared mapping of it
/// cannot be pinned to be written, and the file itself cannot be pinned at all.
public final class OrdinaryFile: CachedFile, @unchecked Sendable {
  private let path: String

  /// - Throws: EFBIG.
  public init(_ physical: PhysicalMemory, size: UInt64 = 0, path: String = "/file") throws(Errno) {
    self.path = path
    try super.init(physical, size: size, huge: false)
  }

  public override var name: String { path }
}
