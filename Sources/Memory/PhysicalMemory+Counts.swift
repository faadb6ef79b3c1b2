// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// Reference counts, pins and flags of frames. References are never wrong: a mistake with one is the model's, and traps.
// Pins may be taken back wrongly, see `unpin`.

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

  /// The machine goes, and its memory with it: from now on nobody's references have to be counted back one by one.
  public func end() { isEnding.store(true, ordering: .relaxed) }

  /// Gives up a reference; the last one, if nothing is pinned, frees the frame.
  ///
  /// Processes, files and page tables know by themselves which references are theirs; none is ever read from memory.
  public func release(_ frame: FrameNumber) {
    guard !isEnding.load(ordering: .relaxed) else { return }
    let index = index(frame)
    let (before, after) = words[index].subtract(1, ordering: .acquiringAndReleasing)
    precondition(UInt32(truncatingIfNeeded: before) > 0, "a reference was given back more often than taken")
    if after == 0 { free(index) }
  }

  /// `pins` more pins on a frame that the caller knows to be alive. A pin keeps it alive like a reference.
  public func pin(_ frame: FrameNumber, pins: Int = 1) {
    let (before, _) = words[index(frame)].add(UInt64(pins) << 32, ordering: .relaxed)
    precondition(before != 0, "pinning a free frame")
  }

  /// Gives up `pins` pins; with the last pin and the last reference the frame is freed.
  ///
  /// Which frames a mapping unpins is read from page tables, which anybody may have overwritten. So a frame that does
  /// not exist, or has fewer pins, stays as it is, and the mistake is counted: see `checkInvariants`.
  public func unpin(_ frame: FrameNumber, pins: Int = 1) {
    guard Int(frame.raw) < frameCount else {
      noteExcess(frame)
      return
    }
    let index = Int(frame.raw)
    var now = words[index].load(ordering: .relaxed)
    while now >> 32 >= UInt64(pins) {
      let after = now - UInt64(pins) << 32
      let (done, seen) = words[index].weakCompareExchange(
        expected: now, desired: after, ordering: .acquiringAndReleasing)
      if done {
        if after == 0 { free(index) }
        return
      }
      now = seen
    }
    noteExcess(frame)
  }

  /// Gives up one pin on each of `count` frames from `first`, after marking them dirty if asked:
  /// `unpin_user_page_range_dirty_lock`.
  ///
  /// Frame 0, which is nobody's, stands for a page that could not be found.
  public func unpinRun(_ first: FrameNumber, count: Int, markingDirty: Bool) {
    let end = min(Int(first.raw) + count, frameCount)
    for number in min(max(1, Int(first.raw)), end)..<end {
      let frame = FrameNumber(UInt32(number))
      if markingDirty { setDirty(frame) }
      unpin(frame)
    }
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
