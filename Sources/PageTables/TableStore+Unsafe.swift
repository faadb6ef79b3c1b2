// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// An entry in simulated memory.
typealias Slot = UnsafeMutablePointer<Atomic<UInt64>>

/// The frames of one page table, and its root.
///
/// All that is not of a format: allocation, ownership, and the one place where a physical address becomes a
/// pointer. Frames are found again by number in `owned`, not by walking, so giving them back cannot fail and does
/// not depend on what the tables hold.
public class TableStore: @unchecked Sendable {
  final let memory: PhysicalMemory
  final let failures: FailurePoints
  public final let geometry: TableGeometry

  /// Whether the tables are somebody else's.
  final let isView: Bool

  /// Where physical address 0 is, and bytes of physical memory.
  final let base: UnsafeMutableRawPointer
  final let limit: UInt64

  /// Address of the root | its level: one word, so that a thread without a lock sees both of one moment.
  final let top: Atomic<UInt64>
  /// Held while the root is replaced. `get_top_lock` of the kernel.
  final let topLock = Lock(.tableRoot)
  /// Told of a new root, with `topLock` held, before any other thread uses it: `change_top`.
  private final let onNewRoot: (@Sendable (TableRoot) -> Void)?

  private final let ownership = Lock(.tableFrames)
  /// First frame of a table to its number of frames. Guarded by `ownership`.
  private final var owned: [UInt32: Int] = [:]
  private final var frames = 0

  /// A table with an empty root.
  ///
  /// - Parameter emptyWord: what its entries are in memory while they are empty.
  /// - Throws: ENOMEM.
  init(
    _ memory: PhysicalMemory, _ failures: FailurePoints, _ geometry: TableGeometry, emptyWord: UInt64,
    onNewRoot: (@Sendable (TableRoot) -> Void)? = nil
  ) throws(Errno) {
    try failures.pass(.domainMap, "the root of a page table")
    let bytes = 8 << geometry.rootIndexLg2
    let root = try Self.allocate(memory, bytes: bytes)
    self.memory = memory
    self.failures = failures
    self.geometry = geometry
    self.onNewRoot = onNewRoot
    isView = false
    base = memory.bytes(of: root) - Int(root.address.raw)
    limit = UInt64(memory.frameCount) << Page.shift
    top = Atomic(root.address.raw | UInt64(geometry.topLevel))
    let count = max(1, bytes >> Int(Page.shift))
    owned[root.raw] = count
    frames = count
    fill(slots(root.address.raw), bytes: bytes, emptyWord)
  }

  /// A look at tables that somebody else made; nothing of them is ever freed. Tables that are added through it
  /// are freed with it.
  ///
  /// - Throws: EFAULT when no memory is there.
  init(_ memory: PhysicalMemory, viewing root: PhysAddr, _ geometry: TableGeometry) throws(Errno) {
    let limit = UInt64(memory.frameCount) << Page.shift
    let bytes = UInt64(8) << UInt64(geometry.rootIndexLg2)
    guard root.raw & Page.mask == 0, limit >= bytes, root.raw <= limit - bytes else {
      throw .EFAULT("the root lies outside of memory", root.raw)
    }
    self.memory = memory
    self.failures = FailurePoints()
    self.geometry = geometry
    self.onNewRoot = nil
    isView = true
    base = memory.bytes(of: root.frame) - Int(root.raw)
    self.limit = limit
    top = Atomic(root.raw | UInt64(geometry.topLevel))
  }

  deinit {
    for (frame, count) in owned { Self.free(memory, FrameNumber(frame), count) }
  }

  private static func allocate(_ memory: PhysicalMemory, bytes: Int) throws(Errno) -> FrameNumber {
    try memory.allocateTable(frames: bytes >> Int(Page.shift))
  }

  private static func free(_ memory: PhysicalMemory, _ frame: FrameNumber, _ count: Int) {
    for offset in 0..<UInt32(count) { memory.release(FrameNumber(frame.raw + offset)) }
  }

  // MARK: Tables

  @inline(__always)
  final func slots(_ address: UInt64) -> Slot {
    (base + Int(address)).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The entries at an address that a table entry holds; nil outside of memory.
  @inline(__always)
  final func slots(checking address: UInt64, bytes: UInt64) -> Slot? {
    // The address is a multiple of the table's size or of 2 KiB, so it cannot reach past the end by less.
    guard address < limit, limit - address >= bytes else { return nil }
    return slots(address)
  }

  final func address(of slot: Slot) -> UInt64 { UInt64(UnsafeRawPointer(slot) - UnsafeRawPointer(base)) }

  private final func fill(_ table: Slot, bytes: Int, _ word: UInt64) {
    guard word != 0 else { return }
    UnsafeMutableRawPointer(table).initializeMemory(as: UInt64.self, repeating: word, count: bytes / 8)
  }

  /// A table of empty entries, which this store owns.
  ///
  /// - Throws: ENOMEM.
  final func allocateTable(bytes: Int, emptyWord: UInt64) throws(Errno) -> UInt64 {
    try failures.pass(.domainMap, "a page-table page")
    let frame = try Self.allocate(memory, bytes: bytes)
    let count = max(1, bytes >> Int(Page.shift))
    ownership.withLock {
      owned[frame.raw] = count
      frames += count
    }
    fill(slots(frame.address.raw), bytes: bytes, emptyWord)
    return frame.address.raw
  }

  /// Frees a table that nobody has seen.
  final func freeTable(_ address: UInt64) {
    if let (frame, count) = disown(address) { Self.free(memory, frame, count) }
  }

  /// Hands a table that was unlinked over to a gather. False for memory that is no table of ours, or no more, and
  /// for the root, which an entry that was overwritten may point to.
  final func retire(_ address: UInt64, to gather: inout TableGather) -> Bool {
    guard address != top.load(ordering: .relaxed) & ~Page.mask, let (frame, count) = disown(address) else {
      return false
    }
    gather.add(table: frame, count: count, of: memory)
    return true
  }

  private final func disown(_ address: UInt64) -> (FrameNumber, Int)? {
    let frame = PhysAddr(address).frame
    return ownership.withLock {
      guard let count = owned.removeValue(forKey: frame.raw) else { return nil }
      frames -= count
      return (frame, count)
    }
  }

  /// Frames that the tables occupy, without those that wait in a gather.
  public final var frameCount: Int { ownership.withLock { frames } }
  /// Tables in use, the root included.
  public final var tableCount: Int { ownership.withLock { owned.count } }

  /// Where hardware begins, and at which level.
  public final var root: TableRoot { Self.root(top.load(ordering: .acquiring)) }

  private static func root(_ word: UInt64) -> TableRoot {
    TableRoot(address: PhysAddr(word & ~Page.mask), level: Int(word & 7))
  }

  /// Replaces the root, unless another thread did since `seen`.
  final func replaceRoot(_ seen: UInt64, _ new: UInt64) -> Bool {
    topLock.withLock {
      guard top.load(ordering: .acquiring) == seen else { return false }
      onNewRoot?(Self.root(new))
      top.store(new, ordering: .releasing)
      return true
    }
  }
}
