// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Seams

// A reservation is cheap, and what is touched of it is not: the host zeroes and maps page after page, and takes them
// back one by one. A corpus of small programs with a machine each would spend a third of its time there. So a memory
// that used little leaves its reservation, zeroed, to the next one.

/// Host memory for simulated physical memory: sparse, all zeros when it is handed out.
struct MemoryReservation: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let length: Int

  /// Address space of `length` bytes, or nil where the host does not grant so much.
  ///
  /// - Parameter backing: a file that is made this long and becomes the memory.
  static func make(_ length: Int, backing: Int32?) -> MemoryReservation? {
    if backing == nil, let left = spare.take(length) { return left }
    let file = backing ?? -1
    let kind = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
    let isLongEnough = file < 0 || ftruncate(file, length) == 0
    guard isLongEnough,
      let base = mmap(nil, length, PROT_READ | PROT_WRITE, kind | Int32(MAP_NORESERVE), file, 0),
      base != MAP_FAILED
    else { return nil }
    return MemoryReservation(base: base, length: length)
  }

  /// Gives the memory back to the host.
  func release() { munmap(base, length) }

  /// Leaves the memory to whoever makes the next one of this length. All of it is zero again.
  func recycle() { if !Self.spare.put(self) { release() } }

  private static let spare = Spare()

  /// A few that wait.
  private final class Spare: @unchecked Sendable {
    private static let limit = 8
    private let lock = Lock(.spareMemory)
    private var waiting: [MemoryReservation] = []

    func take(_ length: Int) -> MemoryReservation? {
      lock.withLock {
        guard let index = waiting.lastIndex(where: { $0.length == length }) else { return nil }
        return waiting.remove(at: index)
      }
    }

    func put(_ reservation: MemoryReservation) -> Bool {
      lock.withLock {
        guard waiting.count < Self.limit else { return false }
        waiting.append(reservation)
        return true
      }
    }
  }
}
