// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Seams
internal import Synchronization

/// How a file finds an address space that maps it, without keeping it alive. A weak reference would do the
/// same and make every other reference to the address space slow; this one is cut when the memory goes.
///
/// While a body runs in `with`, the thread may well hold the last reference to the memory: another thread let
/// go of its own meanwhile. Then the memory ends right there, inside the link's lock, and `cut` must not wait
/// for the thread that it runs on.
final class MapperLink: @unchecked Sendable {
  private let lock = Lock(.mapperLink)
  private unowned(unsafe) var memory: ProcessMemory?
  private let alive = Atomic<Bool>(true)
  /// The thread inside `with`, or 0.
  private let user = Atomic<UInt>(0)

  /// Ties the link to its address space, once.
  func tie(_ memory: ProcessMemory) { self.memory = memory }

  /// The memory goes. Waits for another thread that is using it through the link.
  func cut() {
    alive.store(false, ordering: .relaxed)
    if user.load(ordering: .relaxed) == pthread_self() {
      memory = nil
    } else {
      lock.withLock { memory = nil }
    }
  }

  /// Takes no lock: a file asks while an address space's lock is held, and `with` takes that one inside its own.
  var isAlive: Bool { alive.load(ordering: .relaxed) }

  /// Runs `body` with the memory, if it is still there; it stays meanwhile.
  func with(_ body: (ProcessMemory) -> Void) {
    lock.withLock {
      user.store(pthread_self(), ordering: .relaxed)
      lend(to: body)
      user.store(0, ordering: .relaxed)
    }
  }

  /// Whatever reference this takes is given back before it returns.
  @inline(never)
  private func lend(to body: (ProcessMemory) -> Void) {
    if let memory { body(memory) }
  }
}
