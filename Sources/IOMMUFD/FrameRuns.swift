// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory

/// Consecutive page frames: `count` of them from `frame`.
struct FrameRun {
  var frame: FrameNumber
  var count: UInt64

  /// Whether `other` is the frame after the last one.
  func continues(with other: FrameNumber) -> Bool { UInt64(frame.raw) + count == UInt64(other.raw) }
}

/// Page frames as maximal runs, in the order in which they came: `struct pfn_batch` without its bound.
///
/// The first run lies in the value itself: a one-page or contiguous request allocates nothing.
struct FrameRuns {
  private(set) var head = FrameRun(frame: FrameNumber(0), count: 0)
  private(set) var tail: [FrameRun] = []

  var isEmpty: Bool { head.count == 0 }

  mutating func append(_ frame: FrameNumber) {
    if head.count == 0 {
      head = FrameRun(frame: frame, count: 1)
    } else if let last = tail.indices.last {
      if tail[last].continues(with: frame) {
        tail[last].count += 1
      } else {
        tail.append(FrameRun(frame: frame, count: 1))
      }
    } else if head.continues(with: frame) {
      head.count += 1
    } else {
      tail.append(FrameRun(frame: frame, count: 1))
    }
  }

  func forEach(_ body: (FrameRun) -> Void) {
    guard head.count > 0 else { return }
    body(head)
    for run in tail { body(run) }
  }
}
