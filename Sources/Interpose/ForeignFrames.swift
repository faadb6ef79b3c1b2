// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Memory
internal import Seams
internal import UAPI

// Identity follows the kernel's. A private page is a process's memory and an address; a shared one is an
// object and an offset, whoever maps it and wherever. What the model holds of such a page is a frame; as long
// as it is held, the same page is the same frame, with one pin count. A page that nothing holds has no frame,
// and one that is looked at gets a number for that moment.

/// The frames that stand for pages of real processes.
final class ForeignFrames: ForeignBytes, @unchecked Sendable {
  /// Whose page it is, and which: a number of pages from the start of the address space, or of the object.
  struct Key: Hashable {
    enum Owner: Hashable {
      case memory(ObjectIdentifier)
      case object(FileIdentity)
    }
    var owner: Owner
    var page: UInt64
  }

  /// Where the page is.
  enum Place {
    case memory(RealMemory)
    case object(SharedObject)

    var owner: PageOwner {
      switch self {
      case .memory(let memory): .process(memory.process)
      case .object(let object): .object(object.identity)
      }
    }
  }

  private struct Entry {
    var key: Key
    var place: Place
  }

  let physical: PhysicalMemory
  private let journal: any MemoryJournal
  private let lock = Lock(.frontEnd)
  private var frames: [Key: FrameNumber] = [:]
  private var pages: [FrameNumber: Entry] = [:]
  /// First frames of large pages, by the page they begin with. They are held whole while a part is pinned.
  private var hugePages: [Key: FrameNumber] = [:]

  init(_ physical: PhysicalMemory, _ journal: any MemoryJournal) {
    self.physical = physical
    self.journal = journal
    physical.foreign = self
  }

  /// The frame of a page with one pin more.
  ///
  /// - Throws: ENOMEM.
  func pin(_ key: Key, at place: Place, huge: Bool) throws(Errno) -> FrameNumber {
    if huge { releaseUnusedHugePages() }
    return try lock.withLock { () throws(Errno) -> FrameNumber in
      let frame = try hold(key, place, huge)
      physical.pin(frame)
      physical.release(frame)
      return frame
    }
  }

  /// The frame of a page, good for comparisons at this moment.
  ///
  /// - Throws: ENOMEM.
  func find(_ key: Key, at place: Place, huge: Bool) throws(Errno) -> FrameNumber {
    if huge { releaseUnusedHugePages() }
    let frame = try lock.withLock { () throws(Errno) -> FrameNumber in try hold(key, place, huge) }
    physical.release(frame)
    return frame
  }

  /// The frame with a reference for the caller; the lock is held.
  private func hold(_ key: Key, _ place: Place, _ huge: Bool) throws(Errno) -> FrameNumber {
    if let frame = frames[key], physical.retainIfAllocated(frame) { return frame }
    guard huge else {
      let frame = try physical.allocateForeignFrame()
      enter(frame, key, place)
      return frame
    }
    let first = try physical.allocateForeignHugePage()
    var part = key
    part.page = key.page & ~511
    hugePages[part] = first
    for index in 0..<UInt32(512) {
      enter(FrameNumber(first.raw + index), part, place)
      part.page += 1
    }
    let frame = FrameNumber(first.raw + UInt32(key.page & 511))
    physical.retain(frame)
    return frame
  }

  private func enter(_ frame: FrameNumber, _ key: Key, _ place: Place) {
    frames[key] = frame
    pages[frame] = Entry(key: key, place: place)
  }

  /// Large pages of which nothing is pinned give their frames back, and what is behind them goes. Called when
  /// files close, and before another large page comes.
  func releaseUnusedHugePages() {
    let unused = lock.withLock { () -> [FrameNumber] in
      let unused = hugePages.filter { _, first in
        (0..<UInt32(512)).allSatisfy { physical.pinCount(of: FrameNumber(first.raw + $0)) == 0 }
      }
      for key in unused.keys { hugePages[key] = nil }
      return Array(unused.values)
    }
    for first in unused {
      for index in 0..<UInt32(512) { physical.release(FrameNumber(first.raw + index)) }
    }
  }

  // MARK: ForeignBytes

  func forget(_ frame: FrameNumber) {
    lock.withLock {
      guard let page = pages.removeValue(forKey: frame) else { return }
      if frames[page.key] == frame { frames[page.key] = nil }
    }
  }

  private func page(_ frame: FrameNumber) -> Entry? { lock.withLock { pages[frame] } }

  func read(_ frame: FrameNumber, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard let page = page(frame) else { return false }
    let address = page.key.page << 12 + UInt64(offset)
    let done =
      switch page.place {
      case .memory(let memory): memory.readPinned(address, into: buffer)
      case .object(let object): object.read(address, into: buffer)
      }
    if done, journal.isOn { journal.readPage(page.place.owner, address, UnsafeRawBufferPointer(buffer)) }
    return done
  }

  func write(_ frame: FrameNumber, at offset: Int, from bytes: UnsafeRawBufferPointer) -> Bool {
    guard let page = page(frame) else { return false }
    let address = page.key.page << 12 + UInt64(offset)
    let done =
      switch page.place {
      case .memory(let memory): memory.writePinned(address, from: bytes)
      case .object(let object): object.write(address, from: bytes)
      }
    if done, journal.isOn { journal.wrotePage(page.place.owner, address, bytes) }
    return done
  }
}
