// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// Memory of the process under test for the bytes of requests. It is taken once and used again by every
// statement; a statement that needs more gets a larger piece. Answers of the kernel are read back from it,
// so nothing of a request ever lies in memory that the script owns.

/// Scratch memory in the process that makes the requests.
struct Arena {
  private var base: UInt64 = 0
  private var capacity: UInt64 = 0
  private var cursor: UInt64 = 0

  /// What is handed out starts again; called before every statement.
  mutating func reset() { cursor = 0 }

  /// `count` bytes, aligned.
  ///
  /// - Throws: what the target says when there is no memory.
  mutating func take(_ count: Int, alignment: UInt64, from target: any IoctlTarget) throws(Errno) -> UInt64 {
    let start = (cursor &+ alignment &- 1) & ~(alignment &- 1)
    let need = UInt64(count)
    if start &+ need > capacity {
      let room = max(64 << 10, capacity &* 2, (need &+ 8191) & ~4095)
      base = try target.userSpace.allocate(length: room, at: nil, mode: [.read, .write], huge: false)
      capacity = room
      cursor = need
      return base
    }
    cursor = start &+ need
    return base &+ start
  }

  /// Forgets the memory: the process lost it.
  mutating func forget() {
    base = 0
    capacity = 0
    cursor = 0
  }
}
