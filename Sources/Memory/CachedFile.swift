// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

/// A file whose contents are pages of physical memory: an inode and its page cache, with one open file.
///
/// Pages are made when they are first asked for and belong to the file until it is truncated or released;
/// mappings and pins keep the frames alive beyond that. `MemoryFile` and `OrdinaryFile` are the two kinds.
///
/// Locks: an address space's lock may be held when the file's is taken, never the other way round.
public class CachedFile: OpenFile, @unchecked Sendable {
  /// Larger files are EFBIG: page indexes have 35 bits.
  public static let sizeLimit: UInt64 = 1 << 47

  let physical: PhysicalMemory
  /// Whether the pages are 2 MiB pages, as on hugetlbfs.
  public let huge: Bool

  private let lock = Lock(.pageCache)
  private let pages = PageTree()
  @exclusivity(unchecked) private var length: UInt64
  @exclusivity(unchecked) private var position: UInt64 = 0
  @exclusivity(unchecked) private var mappers: [MapperLink] = []

  init(_ physical: PhysicalMemory, size: UInt64, huge: Bool) throws(Errno) {
    self.physical = physical
    self.huge = huge
    length = size
    super.init()
    try checkSize(size)
  }

  /// Length in bytes.
  public var size: UInt64 { lock.withLock { length } }

  private var pageBytes: UInt64 { huge ? Page.hugeSize : Page.size }

  private func checkSize(_ size: UInt64) throws(Errno) {
    guard size <= Self.sizeLimit else { throw .EFBIG("the file would be too large", size) }
    guard size & (pageBytes - 1) == 0 || !huge else {
      throw .EINVAL("a file of huge pages has a length of whole huge pages", size)
    }
  }

  /// Sets the length: ftruncate. Pages wholly beyond it leave the file and every mapping of it, and what a
  /// last, partial page had beyond it becomes zeros.
  ///
  /// - Throws: EFBIG, or EINVAL for a length that is not a multiple of the huge page size.
  public func truncate(to size: UInt64) throws(Errno) {
    try checkSize(size)
    let firstGone = (size + pageBytes - 1) / pageBytes * (pageBytes >> Page.shift)
    let affected = lock.withLock { () -> [MapperLink] in
      guard size < length else {
        length = size
        return []
      }
      length = size
      pages.removeAll(firstGone, .max) { physical.release($0.frame) }
      if size & Page.mask != 0 {
        let last = pages[size >> Page.shift]
        if last.isPresent {
          let used = Int(size & Page.mask)
          (physical.bytes(of: last.frame) + used).initializeMemory(
            as: UInt8.self, repeating: 0, count: Int(Page.size) - used)
        }
      }
      mappers.removeAll { !$0.isAlive }
      return mappers
    }
    for link in affected { link.with { $0.forget(self, fromPage: firstGone) } }
  }

  /// From now on truncation also takes pages out of `memory`.
  func addMapper(_ memory: ProcessMemory) {
    lock.withLock {
      guard !mappers.contains(where: { $0 === memory.link }) else { return }
      mappers.removeAll { !$0.isAlive }
      mappers.append(memory.link)
    }
  }

  /// The first of the frames of `count` pages from `page`: one, or all of a huge page. Each comes with a
  /// reference for the caller; they are made if they are missing.
  ///
  /// - Throws: EFAULT past the last page of the file, which a program sees as SIGBUS; ENOMEM.
  func frames(atPage page: UInt64, count: Int = 1) throws(Errno) -> FrameNumber {
    try lock.withLock { () throws(Errno) -> FrameNumber in
      guard page < (length + Page.mask) >> Page.shift else {
        throw .EFAULT("the page is past the end of the file", page, length)
      }
      let first = try cachedFrame(page)
      for index in 0..<UInt32(count) { physical.retain(FrameNumber(first.raw + index)) }
      return first
    }
  }

  /// With the lock held; the reference is the cache's.
  private func cachedFrame(_ page: UInt64) throws(Errno) -> FrameNumber {
    let entry = pages[page]
    if entry.isPresent { return entry.frame }
    guard huge else {
      let frame = try physical.allocateFrame()
      pages.set(page, PageEntry(frame))
      return frame
    }
    let head = try physical.allocateHugePage()
    let leaf = pages.makeLeaf(of: page)
    for index in 0..<PageTree.leafSize {
      leaf[index] = PageEntry(FrameNumber(head.raw + UInt32(index)))
    }
    return leaf[Int(page & 511)].frame
  }

  /// Pins pages from `firstPage`, missing ones made: `memfd_pin_folios`, see `PinnableFile`.
  func pinPages(_ firstPage: UInt64, _ frames: UnsafeMutableBufferPointer<FrameNumber>) throws(Errno) -> Int {
    try lock.withLock { () throws(Errno) -> Int in
      let whole = length >> Page.shift
      guard !frames.isEmpty, firstPage < whole, UInt64(frames.count) <= whole - firstPage else {
        throw .EINVAL("the pages reach past the end of the file", firstPage, UInt64(frames.count), length)
      }
      for index in 0..<frames.count {
        do throws(Errno) {
          let frame = try cachedFrame(firstPage + UInt64(index))
          physical.pin(frame)
          frames[index] = frame
        } catch {
          for pinned in frames[..<index] { physical.unpin(pinned) }
          throw error
        }
      }
      return frames.count
    }
  }

  // MARK: The open file

  public override func poll() -> PollEvents { .always }

  /// Reads at the file's position and moves it.
  public override func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    let start = lock.withLock { position }
    let limit = size
    guard count > 0, start < limit else { return 0 }
    let wanted = Int(min(UInt64(count), limit - start))
    let done = try eachPiece(start, wanted) { (frame, offset, done, length) throws(Errno) in
      let bytes = UnsafeRawBufferPointer(start: physical.bytes(of: frame) + offset, count: length)
      return task.memory.copyOut(address &+ UInt64(done), from: bytes)
    }
    guard done > 0 else { throw .EFAULT("the buffer is not writable", address) }
    lock.withLock { position = start + UInt64(done) }
    return done
  }

  /// Writes at the file's position, moves it, and lengthens the file where needed.
  ///
  /// - Throws: EINVAL on huge pages, EFBIG, EFAULT, ENOMEM.
  public override func write(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    guard !huge else { throw .EINVAL("a file of huge pages cannot be written") }
    guard count > 0 else { return 0 }
    let start = lock.withLock { position }
    let (end, overflow) = start.addingReportingOverflow(UInt64(count))
    guard !overflow, end <= Self.sizeLimit else { throw .EFBIG("the file would be too large", end) }
    let before = size
    if end > before { try truncate(to: end) }
    let done = try eachPiece(start, count) { (frame, offset, done, length) throws(Errno) in
      let bytes = UnsafeMutableRawBufferPointer(start: physical.bytes(of: frame) + offset, count: length)
      return task.memory.copyIn(address &+ UInt64(done), into: bytes)
    }
    if start + UInt64(done) < end, end > before { try truncate(to: max(before, start + UInt64(done))) }
    guard done > 0 else { throw .EFAULT("the buffer is not readable", address) }
    lock.withLock { position = start + UInt64(done) }
    return done
  }

  /// Moves `count` bytes from `start` page by page, until `body` moves less than it was asked to.
  private func eachPiece(
    _ start: UInt64, _ count: Int, _ body: (FrameNumber, Int, Int, Int) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    var done = 0
    while done < count {
      let place = start + UInt64(done)
      let offset = Int(place & Page.mask)
      let length = min(count - done, Int(Page.size) - offset)
      let frame: FrameNumber
      do throws(Errno) { frame = try frames(atPage: place >> Page.shift) } catch {
        if done > 0 { return done }
        throw error
      }
      defer { physical.release(frame) }
      let moved = try body(frame, offset, done, length)
      done += moved
      if moved < length { break }
    }
    return done
  }

  public override func release() {
    lock.withLock {
      pages.removeAll(0, .max) { physical.release($0.frame) }
      length = 0
    }
  }
}
