// SPDX-License-Identifier: GPL-3.0-or-later

/// A count for each frame: a list for those that memory has handed out, which are neighbours, and a dictionary for others,
/// which only a page table that was overwritten can name.
public struct FrameCounts {
  private var counts: [Int]
  private var strays: [FrameNumber: Int] = [:]

  /// All zero; the list reaches up to the highest frame that `memory` has handed out.
  public init(of memory: PhysicalMemory) {
    counts = [Int](repeating: 0, count: memory.highestFrameEver + 1)
  }

  public mutating func add(_ frame: FrameNumber) {
    if Int(frame.raw) < counts.count { counts[Int(frame.raw)] += 1 } else { strays[frame, default: 0] += 1 }
  }

  /// Visits every frame that memory has handed out, and every other one that was counted, ascending.
  public func forEach(_ body: (FrameNumber, _ count: Int) -> Void) {
    for frame in counts.indices { body(FrameNumber(UInt32(frame)), counts[frame]) }
    for (frame, count) in strays.sorted(by: { $0.key < $1.key }) { body(frame, count) }
  }
}
