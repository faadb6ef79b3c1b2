// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams

/// How a file finds an address space that maps it, without keeping it alive. A weak reference would do the
/// same and make every other reference to the address space slow; this one is cut when the memory goes.
final class MapperLink: @unchecked Sendable {
  private let lock = Lock("mapper link")
  private unowned(unsafe) var memory: ProcessMemory?

  /// Ties the link to its address space, once.
  func tie(_ memory: ProcessMemory) { self.memory = memory }

  /// The memory goes. Waits for who is using it through the link.
  func cut() { lock.withLock { memory = nil } }

  var isAlive: Bool { lock.withLock { memory != nil } }

  /// Runs `body` with the memory, if it is still there; it stays meanwhile.
  func with(_ body: (ProcessMemory) -> Void) {
    lock.withLock { if let memory { body(memory) } }
  }
}
