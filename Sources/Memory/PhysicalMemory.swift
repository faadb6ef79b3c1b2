// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Seams
public import Synchronization
public import UAPI

// The machine's physical memory is one reserved, sparse host mapping:
//
//     base ─┬ bytes of frame 0, 1, 2 ...     physical address p is base + p
//           ├ counts: a 64-bit word a frame  pins << 32 | references
//           ├ flags: a byte a frame
//           └ the bitmap of frames in use
//
// Nothing of it costs host memory before it is touched. A frame lives as long as its word is not zero:
// whoever maps it or stores it in a page cache holds a reference, whoever lets a device at it holds pins
// (the kernel puts both into one count, a pin weighing 1024). One word means that the last of both, on
// whatever thread, is the one that frees the frame.

/// Physical frames with their reference and pin counts: `struct page` and the page allocator.
///
/// Frames are handed out zeroed, the lowest free one first, so the same requests always give the same
/// frames, and consecutive ones give contiguous memory.
/// Counting a frame that is free, or giving back more references than were taken, is a mistake of the model and traps.
public final class PhysicalMemory: @unchecked Sendable {
  public static let defaultSize: UInt64 = 64 << 30

  /// Frames that exist, counting frame 0, which is never handed out.
  public let frameCount: Int
  /// Distance between consecutive single frames: 1 hands out neighbours, more scatters them.
  public let stride: Int

  private let reservation: MemoryReservation?
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
  @usableFromInline let flags: UnsafeMutablePointer<Atomic<UInt8>>

  /// Who brings foreign frames; set once, before the first of them.
  public nonisolated(unsafe) weak var foreign: (any ForeignBytes)?
  /// A descriptor of the file behind the memory, at whose offset p physical address p lies; nil for private
  /// memory.
  public let backing: Int32?

  /// The lowest frame that is handed out.
  private let firstFrame: Int
  private let lock = Lock(.frames)
  private let used: FrameBitmap
  @exclusivity(unchecked) private var allocated = 0
  @exclusivity(unchecked) private var nextFrame: Int
  @exclusivity(unchecked) private var highestFrame = 0
  /// The highest frame that was written to while it was free.
  let highestStray = Atomic<Int>(0)
  /// Frames may have been written while they were free, without a flag that says so; see `noteWrite`.
  let distrustsFreeFrames = Atomic<Bool>(false)
  let isEnding = Atomic<Bool>(false)
  /// Pins that were to be given back and were not there, and the first few frames of them.
  private var excess: (count: Int, first: [FrameNumber]) = (0, [])

  @usableFromInline
  enum Flag {
    @inlinable static var dirty: UInt8 { 1 }
    @inlinable static var compound: UInt8 { 2 }
    /// Free, and has bytes of its last use.
    @inlinable static var stale: UInt8 { 4 }
    /// Its bytes are elsewhere, see `ForeignBytes`.
    @inlinable static var foreign: UInt8 { 8 }
    /// Part of a page table, which its owner writes without telling.
    @inlinable static var table: UInt8 { 16 }
  }

  /// - Parameters:
  ///   - size: bytes of physical memory, at most 1 TiB; less where the host does not grant so much
  ///     address space, down to none at all: then every allocation is ENOMEM.
  ///   - stride: frames between one single allocation and the next; a test that wants no two neighbours
  ///     says 2 or more.
  ///   - firstFrame: the lowest frame that is handed out, at least 1.
  ///   - backing: an empty file, which becomes the memory's, so that other processes can map parts of it.
  public init(
    size: UInt64 = PhysicalMemory.defaultSize, stride: Int = 1, firstFrame: Int = 1, backing: Int32? = nil
  ) {
    self.stride = max(1, stride)
    self.firstFrame = max(1, firstFrame)
    nextFrame = max(1, firstFrame)
    var frames = Int(min(size, 1 << 40) >> Page.shift)
    var reservation: MemoryReservation?
    self.backing = backing
    while frames > 0 {
      reservation = MemoryReservation.make(Self.reservationSize(frames), backing: backing)
      if reservation != nil { break }
      frames /= 2
    }
    self.reservation = reservation
    frameCount = frames
    // Without a single frame no address below is ever looked at.
    base = reservation?.base ?? UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    let counts = base + (frames << Int(Page.shift))
    words = counts.bindMemory(to: Atomic<UInt64>.self, capacity: frames)
    let bytes = counts + frames * 8
    flags = bytes.bindMemory(to: Atomic<UInt8>.self, capacity: frames)
    let bits = bytes + ((frames + 7) & ~7)
    used = FrameBitmap(
      storage: bits.bindMemory(to: UInt64.self, capacity: FrameBitmap.words(for: frames)), count: frames)
    if frames > 0 { used.insert(0) }
  }

  private static func reservationSize(_ frames: Int) -> Int {
    (frames << Int(Page.shift)) + frames * 8 + ((frames + 7) & ~7) + FrameBitmap.words(for: frames) * 8
  }

  deinit {
    if let reservation {
      if backing == nil && wipe() { reservation.recycle() } else { reservation.release() }
    } else {
      base.deallocate()
    }
    if let backing { close(backing) }
  }

  /// Frames up to which it is cheaper to zero what was used than to give it back: 16 MiB.
  private static let wipedFrames = 4096

  /// Makes everything zero again: frames, counts, flags, the bitmap. False if too much was used, or nobody knows what.
  private func wipe() -> Bool {
    let end = max(highestFrame, highestStray.load(ordering: .relaxed)) + 1
    guard end <= Self.wipedFrames, end <= frameCount, !distrustsFreeFrames.load(ordering: .relaxed) else {
      return false
    }
    // A frame in use has a count, one that was in use or written to while it was free has a flag.
    var first = 0
    while first < end {
      var next = first
      while next < end, words[next].load(ordering: .relaxed) != 0 || flags[next].load(ordering: .relaxed) != 0
      {
        words[next].store(0, ordering: .relaxed)
        flags[next].store(0, ordering: .relaxed)
        next += 1
      }
      if next > first { zero(first, next - first) }
      first = next + 1
    }
    used.clear(below: end)
    return true
  }

  /// Frames from which on it is cheaper to give a run back: most of it was never touched, as with the queues of an SMMU.
  private static let longRun = 64

  private func zero(_ first: Int, _ count: Int) {
    let bytes = count * Int(Page.size)
    guard count < Self.longRun || madvise(pointer(to: first), bytes, MADV_DONTNEED) != 0 else { return }
    memset(pointer(to: first), 0, bytes)
  }

  // MARK: Allocation

  /// One zeroed frame, with one reference, the caller's.
  ///
  /// - Throws: ENOMEM.
  public func allocateFrame() throws(Errno) -> FrameNumber { try allocate(flags: 0) }

  func allocate(flags: UInt8) throws(Errno) -> FrameNumber {
    let frame = lock.withLock { () -> Int? in
      let start = stride == 1 ? firstFrame : nextFrame
      guard let frame = used.firstFree(from: start) ?? used.firstFree(from: firstFrame) else { return nil }
      nextFrame = frame + stride
      take(frame)
      return frame
    }
    guard let frame else { throw .ENOMEM("no free frame", UInt64(frameCount)) }
    prepare(frame, flags: flags)
    return FrameNumber(UInt32(frame))
  }

  /// `count` zeroed frames in a row, each with one reference, the caller's; the first number is a multiple
  /// of `alignment`, a power of two. With `compound` they are one large page: see `isCompound`.
  ///
  /// - Throws: ENOMEM.
  public func allocateContiguous(_ count: Int, alignment: Int = 1, compound: Bool = false) throws(Errno)
    -> FrameNumber
  {
    try allocateRun(count, alignment: alignment, flags: compound ? Flag.compound : 0)
  }

  func allocateRun(_ count: Int, alignment: Int, flags: UInt8) throws(Errno) -> FrameNumber {
    guard count > 0, alignment > 0, alignment & (alignment - 1) == 0 else {
      throw .EINVAL("a run of frames needs a length and a power of two")
    }
    let first = lock.withLock { () -> Int? in
      var from = firstFrame
      while let free = used.firstFree(from: from) {
        let first = (free + alignment - 1) & ~(alignment - 1)
        guard count <= frameCount - first else { return nil }
        if let taken = used.firstUsed(in: first..<first + count) {
          from = taken + 1
          continue
        }
        for frame in first..<first + count { take(frame) }
        return first
      }
      return nil
    }
    guard let first else { throw .ENOMEM("no run of free frames is long enough", UInt64(count)) }
    for frame in first..<first + count { prepare(frame, flags: flags) }
    return FrameNumber(UInt32(first))
  }

  /// Zeroed frames in a row for a page table: as many, a power of two, as their number is a multiple of.
  ///
  /// - Throws: ENOMEM.
  public func allocateTable(frames count: Int) throws(Errno) -> FrameNumber {
    count > 1 ? try allocateRun(count, alignment: count, flags: Flag.table) : try allocate(flags: Flag.table)
  }

  /// The first of the 512 frames of a 2 MiB page.
  ///
  /// - Throws: ENOMEM.
  public func allocateHugePage() throws(Errno) -> FrameNumber {
    try allocateContiguous(PageTree.leafSize, alignment: PageTree.leafSize, compound: true)
  }

  /// Exactly these frames, zeroed, each with one reference, the caller's; all of them or none.
  ///
  /// For whoever rebuilds a memory that was: a recording names its frames.
  ///
  /// - Throws: EINVAL for a frame that the memory does not have, EBUSY for one that is in use, or named twice.
  public func claim(_ frames: [FrameNumber]) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      for (done, frame) in frames.enumerated() {
        do throws(Errno) {
          guard Int(frame.raw) < frameCount else {
            throw .EINVAL("no frame of this memory", UInt64(frame.raw), UInt64(frameCount))
          }
          guard !used.contains(Int(frame.raw)) else {
            throw .EBUSY("the frame is in use", UInt64(frame.raw))
          }
        } catch {
          for taken in frames[..<done] { untake(Int(taken.raw)) }
          throw error
        }
        take(Int(frame.raw))
      }
    }
    for frame in frames { prepare(Int(frame.raw), flags: 0) }
  }

  /// With the lock held.
  private func take(_ frame: Int) {
    used.insert(frame)
    allocated += 1
    highestFrame = max(highestFrame, frame)
    words[frame].store(1, ordering: .relaxed)
  }

  /// Gives back a frame that nobody has seen yet, with the lock held.
  private func untake(_ frame: Int) {
    words[frame].store(0, ordering: .relaxed)
    used.remove(frame)
    allocated -= 1
  }

  private func prepare(_ frame: Int, flags new: UInt8) {
    if new & Flag.foreign == 0 {
      let isStale = flags[frame].load(ordering: .relaxed) & Flag.stale != 0
      if isStale || distrustsFreeFrames.load(ordering: .relaxed) && !isZero(frame) {
        memset(pointer(to: frame), 0, Int(Page.size))
      }
    }
    flags[frame].store(new, ordering: .relaxed)
  }

  /// Whether all of a frame is zero. Looking commits no host memory, as zeroing would.
  private func isZero(_ frame: Int) -> Bool {
    let bytes = UnsafeRawBufferPointer(start: pointer(to: frame), count: Int(Page.size))
    return bytes.bindMemory(to: UInt64.self).allSatisfy { $0 == 0 }
  }

  func free(_ frame: Int) {
    if isForeign(frame) { foreign?.forget(FrameNumber(UInt32(frame))) }
    flags[frame].store(Flag.stale, ordering: .relaxed)
    lock.withLock {
      used.remove(frame)
      allocated -= 1
      // Empty memory is as good as new: the same requests get the same frames again.
      if allocated == 0 { nextFrame = 1 }
    }
  }

  /// A pin was to be given back that nobody has.
  @inline(never)
  func noteExcess(_ frame: FrameNumber) {
    lock.withLock {
      excess.count += 1
      if excess.first.count < 8 { excess.first.append(frame) }
    }
  }

  // MARK: Totals

  /// Frames that are in use.
  public var allocatedFrames: Int { lock.withLock { allocated } }

  /// The highest frame that has been handed out since the memory was made.
  public var highestFrameEver: Int { min(lock.withLock { highestFrame }, max(0, frameCount - 1)) }

  /// Frames with at least one pin, and the pins on them. Looks at every frame that was ever in use.
  public var pinTotals: (frames: Int, pins: Int) {
    let highest = lock.withLock { highestFrame }
    var frames = 0
    var pins = 0
    for frame in 0..<min(highest + 1, frameCount) {
      let count = Int(words[frame].load(ordering: .relaxed) >> 32)
      pins += count
      if count > 0 { frames += 1 }
    }
    return (frames, pins)
  }

  /// A number that frames in use, their counts and their bytes decide: two memories that hold the same have the same,
  /// two that do not have, most likely, different ones. FNV-1a over words. Bytes that are elsewhere do not count.
  public var digest: UInt64 {
    let highest = lock.withLock { highestFrame }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for frame in 0..<min(highest + 1, frameCount) {
      let counts = words[frame].load(ordering: .relaxed)
      guard counts != 0 else { continue }
      for word in [UInt64(frame), counts] { hash = (hash ^ word) &* 0x100_0000_01B3 }
      if isForeign(frame) || isZero(frame) { continue }
      let bytes = UnsafeRawBufferPointer(start: pointer(to: frame), count: Int(Page.size))
      for word in bytes.bindMemory(to: UInt64.self) { hash = (hash ^ word) &* 0x100_0000_01B3 }
    }
    return hash
  }

  /// What is wrong with the counts while nothing runs; empty when all is well.
  public func checkInvariants() -> [String] {
    lock.withLock {
      var broken: [String] = []
      var inUse = 0
      for frame in 1..<max(1, min(highestFrame + 1, frameCount)) {
        let word = words[frame].load(ordering: .relaxed)
        if used.contains(frame) {
          inUse += 1
          if word == 0 { broken.append("frame \(frame) is in use and nobody holds it") }
        } else if word != 0 {
          broken.append(
            "frame \(frame) is free, with \(UInt32(truncatingIfNeeded: word)) references, \(word >> 32) pins")
        }
      }
      if inUse != allocated { broken.append("\(inUse) frames are in use, counted \(allocated)") }
      if excess.count > 0 {
        let frames = excess.first.map { "frame \($0.raw)" }.joined(separator: ", ")
        let rest = excess.count > excess.first.count ? ", ..." : ""
        broken.append("pins were given back \(excess.count) times that nobody had: \(frames)\(rest)")
      }
      return broken
    }
  }
}
