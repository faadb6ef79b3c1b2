// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
internal import Synchronization

/// How a file finds an address space that maps it, without keeping it alive. A weak reference would do the
/// same and make every other reference to the address space slow; this one is cut when the memory goes.
final class MapperLink: @unchecked Sendable {
  private let lock = Lock("mapper link")
  private unowned(unsafe) var memory: ProcessMemory?
  private let alive = Atomic<Bool>(true)

  /// Ties the link to its address space, once.
  func tie(_ memory: ProcessMemory) { self.memory = memory }

  /// The memory goes. Waits for who is using it through the link.
  func cut() {
    alive.store(false, ordering: .relaxed)
    lock.withLock { memory = nil }
  }

  /// Takes no lock: a file asks while an address space's lock is held, and `with` takes that one inside its own.
  var isAlive: Bool { alive.load(ordering: .relaxed) }

  /// Runs `body` with the memory, if it is still there; it stays meanwhile.
  func with(_ body: (ProcessMemory) -> Void) {
    lock.withLock { if let memory { body(memory) } }
  }
}
