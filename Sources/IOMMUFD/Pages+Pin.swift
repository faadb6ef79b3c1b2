// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

extension Pages {
  /// Most pages that one call pins: 8 bytes of scratch memory each.
  var pinChunk: Int { max(1, kernel.scratchLimit / 8) }

  /// Pins from the source, from `index` on, at most `frames.count` pages; returns how many.
  /// `pfn_reader_user_pin`; reference io-pagetable.md section 3.4.
  ///
  /// - Throws: EFAULT for user memory that cannot be pinned; EINVAL for a file that is no memfd or is too
  ///   short; ENOMEM.
  func pinFromSource(_ index: UInt64, into frames: UnsafeMutableBufferPointer<FrameNumber>) throws(Errno)
    -> Int
  {
    try kernel.failures.pass(.pin, "pages of the source")
    let count: Int
    switch source {
    case .user(let address):
      count = try ownerMemory.pin(address &+ (index << Page.shift), writing: writable, into: frames)
    case .file(let file, let firstPage):
      guard let file = file as? any PinnableFile else {
        throw .EINVAL("the file is neither a memfd nor on tmpfs or hugetlbfs")
      }
      count = try file.pin(firstPage: firstPage + index, into: frames)
    case .dmabuf:
      preconditionFailure("a dma-buf is never pinned")
    }
    pinned += UInt64(count)
    Tracer.tell(MachineEvent(.pagesPin, .number(UInt64(count))))
    return count
  }

  /// Unpins a run that a domain or an access used; its pages may have been written.
  func unpin(_ run: FrameRun) {
    kernel.memory.unpinRun(run.frame, count: Int(run.count), markingDirty: writable)
    pinned -= run.count
    Tracer.tell(MachineEvent(.pagesUnpin, .number(run.count)))
  }

  // MARK: Accounting

  /// Charges what has been pinned and not charged. Once an operation, after everything is pinned and mapped.
  /// `pfn_reader_user_update_pinned`; reference io-pagetable.md section 3.5.
  ///
  /// - Throws: ENOMEM when RLIMIT_MEMLOCK would be exceeded, EINVAL when the process to charge is gone.
  func charge() throws(Errno) {
    guard pinned > charged else { return }
    let delta = Int(pinned - charged)
    try kernel.failures.pass(.charge, "the pages that were pinned")
    let counters = ownerMemory.counters
    switch accounting {
    case .none: break
    case .user:
      let owner = owner
      try Self.add(
        delta, to: owner.user.lockedPages, limit: Int(clamping: owner.memlockLimit >> Page.shift))
    case .process:
      guard ownerMemory.isAlive else { throw .EINVAL("the process to charge is gone") }
      try Self.add(delta, to: counters.locked, limit: Int(clamping: owner.memlockLimit >> Page.shift))
    }
    counters.pinned.add(delta, ordering: .relaxed)
    Tracer.tell(MachineEvent(.pagesCharge, .number(UInt64(delta))))
    charged = pinned
  }

  /// Gives back what has been unpinned and is still charged. Cannot fail: the counter of a process that is
  /// gone stays as it is.
  func uncharge() {
    guard charged > pinned else { return }
    let delta = Int(charged - pinned)
    let counters = ownerMemory.counters
    switch accounting {
    case .none: break
    case .user: owner.user.lockedPages.subtract(delta, ordering: .relaxed)
    case .process:
      guard ownerMemory.isAlive else { return }
      counters.locked.subtract(delta, ordering: .relaxed)
    }
    counters.pinned.subtract(delta, ordering: .relaxed)
    Tracer.tell(MachineEvent(.pagesUncharge, .number(UInt64(delta))))
    charged = pinned
  }

  /// Adds to a counter unless it would pass its limit; without a lock, as users share it.
  static func add(_ delta: Int, to counter: borrowing Atomic<Int>, limit: Int) throws(Errno) {
    var now = counter.load(ordering: .relaxed)
    while true {
      guard now + delta <= limit else {
        throw .ENOMEM("RLIMIT_MEMLOCK would be exceeded, in pages", UInt64(now + delta), UInt64(limit))
      }
      let (done, seen) = counter.compareExchange(expected: now, desired: now + delta, ordering: .relaxed)
      if done { return }
      now = seen
    }
  }
}
