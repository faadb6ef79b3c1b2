// SPDX-License-Identifier: GPL-3.0-or-later
public import Synchronization
public import UAPI

// A foreign frame has a number, reference and pin counts like any other, and its bytes are elsewhere: in a page
// of a real process, or in an object that real processes share. Who brings such frames decides what is one
// frame, as the kernel does: two mappings of one shared page are one.

/// Where the bytes of foreign frames are.
public protocol ForeignBytes: AnyObject, Sendable {
  /// Reads `buffer.count` bytes from byte `offset` of the frame. False when they cannot be reached any more.
  func read(_ frame: FrameNumber, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool
  /// Writes bytes at byte `offset` of the frame. False when they cannot be reached any more.
  func write(_ frame: FrameNumber, at offset: Int, from bytes: UnsafeRawBufferPointer) -> Bool
  /// Nobody holds the frame any more; its number will be another's.
  func forget(_ frame: FrameNumber)
}

extension PhysicalMemory {
  /// A foreign frame, with one reference, the caller's.
  ///
  /// - Throws: ENOMEM.
  public func allocateForeignFrame() throws(Errno) -> FrameNumber { try allocate(flags: Flag.foreign) }

  /// The first of the 512 foreign frames of a 2 MiB page.
  ///
  /// - Throws: ENOMEM.
  public func allocateForeignHugePage() throws(Errno) -> FrameNumber {
    try allocateRun(
      PageTree.leafSize, alignment: PageTree.leafSize, flags: Flag.foreign | Flag.compound)
  }

  /// Another reference to a frame that may be free by now: `try_get_page`. False when it is.
  public func retainIfAllocated(_ frame: FrameNumber) -> Bool {
    let index = index(frame)
    var now = words[index].load(ordering: .relaxed)
    while now != 0 {
      let (done, seen) = words[index].compareExchange(expected: now, desired: now + 1, ordering: .relaxed)
      if done { return true }
      now = seen
    }
    return false
  }

  /// Runs `body` with `count` bytes of a frame from byte `offset` on. Of a foreign frame it is a copy, which
  /// goes back when `writing`. Nil when the bytes of a foreign frame cannot be reached any more.
  @inline(__always)
  public func withBytes<Result>(
    of frame: FrameNumber, at offset: Int, count: Int, writing: Bool,
    _ body: (UnsafeMutableRawBufferPointer) -> Result
  ) -> Result? {
    let index = index(frame)
    precondition(offset >= 0 && count >= 0 && count <= Int(Page.size) - offset, "bytes of one frame")
    if isForeign(index) { return withForeignBytes(frame, offset, count, writing, body) }
    return body(UnsafeMutableRawBufferPointer(start: pointer(to: index) + offset, count: count))
  }

  @inlinable
  @inline(__always)
  func isForeign(_ frame: Int) -> Bool { flags[frame].load(ordering: .relaxed) & Flag.foreign != 0 }

  private func withForeignBytes<Result>(
    _ frame: FrameNumber, _ offset: Int, _ count: Int, _ writing: Bool,
    _ body: (UnsafeMutableRawBufferPointer) -> Result
  ) -> Result? {
    guard let foreign else { return nil }
    return withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 16) { buffer in
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      guard foreign.read(frame, at: offset, into: bytes) else { return nil }
      let result = body(bytes)
      guard !writing || foreign.write(frame, at: offset, from: UnsafeRawBufferPointer(bytes)) else {
        return nil
      }
      return result
    }
  }
}
