// SPDX-License-Identifier: GPL-3.0-or-later

/// Which frames are in use: a bitmap with summaries, so that the lowest free frame is found in a step per
/// level, four for 64 GiB.
///
/// A set bit of level 0 is a frame in use; a set bit of level n+1 is a full word of level n. The storage is
/// the caller's, and starts as zeros.
struct FrameBitmap: ~Copyable {
  private let storage: UnsafeMutablePointer<UInt64>
  /// Per level: where its words start in the storage, and how many they are.
  private let levels: [(start: Int, words: Int)]
  let count: Int

  /// Words of storage that `count` frames need.
  static func words(for count: Int) -> Int {
    shape(count).reduce(0) { $0 + $1.words }
  }

  private static func shape(_ count: Int) -> [(start: Int, words: Int)] {
    var levels: [(start: Int, words: Int)] = []
    var start = 0
    var bits = count
    repeat {
      let words = max(1, (bits + 63) / 64)
      levels.append((start, words))
      start += words
      bits = words
    } while bits > 1
    return levels
  }

  init(storage: UnsafeMutablePointer<UInt64>, count: Int) {
    self.storage = storage
    self.count = count
    levels = Self.shape(count)
  }

  /// The lowest free frame at or above `start`, or nil.
  func firstFree(from start: Int) -> Int? {
    var level = 0
    var index = start
    // Up, until a word has a free bit at or after the place we look for.
    while true {
      let word = index >> 6
      guard word < levels[level].words else { return nil }
      let free = ~storage[levels[level].start + word] & (UInt64.max << UInt64(index & 63))
      if free != 0 {
        index = (word << 6) | free.trailingZeroBitCount
        break
      }
      level += 1
      guard level < levels.count else { return nil }
      index = word + 1
    }
    // And down again to that bit's lowest free frame.
    while level > 0 {
      level -= 1
      guard index < levels[level].words else { return nil }
      index = (index << 6) | (~storage[levels[level].start + index]).trailingZeroBitCount
    }
    return index < count ? index : nil
  }

  /// The lowest frame in use in `range`, or nil.
  func firstUsed(in range: Range<Int>) -> Int? {
    var index = range.lowerBound
    while index < range.upperBound {
      let used = storage[index >> 6] & (UInt64.max << UInt64(index & 63))
      if used != 0 {
        let found = (index & ~63) | used.trailingZeroBitCount
        return found < range.upperBound ? found : nil
      }
      index = (index | 63) + 1
    }
    return nil
  }

  func contains(_ frame: Int) -> Bool {
    storage[frame >> 6] & (1 << UInt64(frame & 63)) != 0
  }

  func insert(_ frame: Int) {
    var index = frame
    for level in levels {
      let word = level.start + (index >> 6)
      storage[word] |= 1 << UInt64(index & 63)
      guard storage[word] == .max else { return }
      index >>= 6
    }
  }

  /// Makes all frames below `end` free, where none above is in use.
  func clear(below end: Int) {
    var end = end
    for level in levels {
      end = (end + 63) >> 6
      for word in level.start..<level.start + end { storage[word] = 0 }
    }
  }

  func remove(_ frame: Int) {
    var index = frame
    for level in levels {
      let word = level.start + (index >> 6)
      let wasFull = storage[word] == .max
      storage[word] &= ~(1 << UInt64(index & 63))
      guard wasFull else { return }
      index >>= 6
    }
  }
}
