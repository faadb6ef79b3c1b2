// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// Reference counts, pins and flags of frames.

extension PhysicalMemory {
  func index(_ frame: FrameNumber) -> Int {
    let index = Int(frame.raw)
    precondition(index < frameCount, "not a frame of this memory")
    return index
  }

  /// Another reference to a frame that the caller knows to be alive.
  public func retain(_ frame: FrameNumber) {
    let (before, _) = words[index(frame)].add(1, ordering: .relaxed)
    precondition(before != 0, "retaining a free frame")
  }

  /// Gives up a reference; the last one, if nothing is pinned, frees the frame.
  public func release(_ frame: FrameNumber) { drop(frame, 1) }

  /// `pins` more pins on a frame that the caller knows to be alive. A pin keeps it alive like a reference.
  public func pin(_ frame: FrameNumber, pins: Int = 1) {
    let (before, _) = words[index(frame)].add(UInt64(pins) << 32, ordering: .relaxed)
    precondition(before != 0, "pinning a free frame")
  }

  /// Gives up `pins` pins; with the last pin and the last reference the frame is freed.
  public func unpin(_ frame: FrameNumber, pins: Int = 1) { drop(frame, UInt64(pins) << 32) }

  /// Gives up one pin on each of `count` frames from `first`, after marking them dirty if asked:
  /// `unpin_user_page_range_dirty_lock`.
  public func unpinRun(_ first: FrameNumber, count: Int, markingDirty: Bool) {
    for raw in first.raw..<first.raw + UInt32(count) {
      if markingDirty { setDirty(FrameNumber(raw)) }
      unpin(FrameNumber(raw))
    }
  }

  private func drop(_ frame: FrameNumber, _ weight: UInt64) {
    let index = index(frame)
    let (before, after) = words[index].subtract(weight, ordering: .acquiringAndReleasing)
    precondition(
      before >> 32 >= weight >> 32
        && UInt32(truncatingIfNeeded: before) >= UInt32(truncatingIfNeeded: weight),
      "a frame was given back more often than taken")
    if after == 0 { free(index) }
  }

  /// Longterm pins on the frame: the kernel's `page_ref_count / GUP_PIN_COUNTING_BIAS`.
  public func pinCount(of frame: FrameNumber) -> Int {
    Int(words[index(frame)].load(ordering: .relaxed) >> 32)
  }

  /// Mappings and page caches that hold the frame; pins are not in it.
  public func referenceCount(of frame: FrameNumber) -> Int {
    Int(UInt32(truncatingIfNeeded: words[index(frame)].load(ordering: .acquiring)))
  }

  /// Whether somebody holds the frame.
  public func isAllocated(_ frame: FrameNumber) -> Bool {
    Int(frame.raw) < frameCount && words[index(frame)].load(ordering: .relaxed) != 0
  }

  /// Whether the frame is part of a large page: `PageCompound`. Each of its frames is counted by itself.
  public func isCompound(_ frame: FrameNumber) -> Bool {
    flags[index(frame)].load(ordering: .relaxed) & Flag.compound != 0
  }

  /// Whether a device may have written to it: `PageDirty`, as unpinning sets it.
  public func isDirty(_ frame: FrameNumber) -> Bool {
    flags[index(frame)].load(ordering: .relaxed) & Flag.dirty != 0
  }

  public func setDirty(_ frame: FrameNumber, _ dirty: Bool = true) {
    if dirty {
      flags[index(frame)].bitwiseOr(Flag.dirty, ordering: .relaxed)
    } else {
      flags[index(frame)].bitwiseAnd(~Flag.dirty, ordering: .relaxed)
    }
  }
}
