// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// The tables behind a mock domain: three levels of 512 eight-byte items, for 38 bits of IOVA.
///
///     level 2   an item covers 2^29 bytes ─┐
///     level 1                  2^20        │  item: 0, a leaf, or a pointer to the table below
///     level 0                  2^11        ┘
///
/// Threads may map and unmap disjoint ranges at once, and others read, without a lock: items are atomic, a
/// table is linked by compare-and-exchange, and a table that was unlinked is kept for reuse *as a table*. So
/// a reader that is late sees a stale item, never memory that is something else. All tables are given back
/// when the domain goes. A table costs 4 KiB: 16 bytes for each 4 KiB page at worst.
class MockTree: @unchecked Sendable {
  typealias Table = UnsafeMutablePointer<Atomic<UInt64>>

  static let granuleLg2: UInt64 = 11
  static let addressBits: UInt64 = 38
  static let topLevel = 2
  static let items = 512

  enum Item {
    static let present: UInt64 = 1 << 0
    static let dirty: UInt64 = 1 << 6
    static let levelShift: UInt64 = 9
    static let levelMask: UInt64 = 7 << levelShift
    static let pointerMask: UInt64 = 0x000F_FFFF_FFFF_F000
  }

  let root: Table
  private let failures: FailurePoints
  private let lock = Lock(.mockTables)
  // Guarded by `lock`. Tables come from the host in slabs that double up to 64: one by one, the allocator
  // would put a page between each two of them.
  private var slabs: [UnsafeMutableRawPointer] = []
  /// How many tables were ever handed out, and how many the newest slab still has.
  private var made = 0
  private var fresh = 0
  /// Tables that were handed out and are in no use.
  private var spare: [Table] = []

  init(_ failures: FailurePoints) {
    self.failures = failures
    root = Self.clear(Self.allocate(1))
  }

  deinit {
    for slab in slabs { free(slab) }
    free(root)
  }

  private static func allocate(_ count: Int) -> UnsafeMutableRawPointer {
    guard let memory = aligned_alloc(4096, count * 4096) else { fatalError("the host has no 4 KiB left") }
    return memory
  }

  private static func clear(_ memory: UnsafeMutableRawPointer) -> Table {
    memset(memory, 0, 4096)
    return memory.bindMemory(to: Atomic<UInt64>.self, capacity: items)
  }

  /// A table that is in no use. The lock is held.
  private func take() -> Table {
    if let old = spare.popLast() { return old }
    if fresh == 0 {
      fresh = min(max(made, 4), 64)
      slabs.append(Self.allocate(fresh))
    }
    made += 1
    fresh -= 1
    return Self.clear(slabs[slabs.count - 1] + fresh * 4096)
  }

  /// Tables in use, the root included.
  var tableCount: Int { lock.withLock { 1 + made - spare.count } }

  /// Bytes that an item of a level covers, as a power of two.
  @inline(__always)
  static func itemLg2(_ level: Int) -> UInt64 { granuleLg2 + 9 * UInt64(level) }

  @inline(__always)
  static func index(_ iova: UInt64, _ level: Int) -> Int { Int(iova >> itemLg2(level) & 511) }

  /// The table that an item points to, nil for a leaf and for nothing.
  @inline(__always)
  static func child(_ item: UInt64) -> Table? {
    let level = (item & Item.levelMask) >> Item.levelShift
    guard item & Item.present != 0, level == 1 || level == 2 else { return nil }
    return Table(bitPattern: UInt(item & Item.pointerMask))
  }

  /// The table of `level` around an IOVA; nil where a level above has a leaf or nothing.
  @inline(__always)
  func find(_ iova: UInt64, level: Int) -> Table? {
    var table = root
    var at = Self.topLevel
    while at > level {
      guard let next = Self.child(table[Self.index(iova, at)].load(ordering: .acquiring)) else { return nil }
      table = next
      at -= 1
    }
    return table
  }

  /// The table of `level` around an IOVA, made where there is none.
  ///
  /// - Throws: EADDRINUSE when a larger leaf is there, ENOMEM.
  @inline(__always)
  func make(_ iova: UInt64, level: Int) throws(Errno) -> Table {
    var table = root
    var at = Self.topLevel
    while at > level {
      let item = table[Self.index(iova, at)].load(ordering: .acquiring)
      if let next = Self.child(item) {
        table = next
      } else {
        guard item & Item.present == 0 else { throw .EADDRINUSE("the IOVA is mapped", iova) }
        table = try link(below: table, Self.index(iova, at), level: at)
      }
      at -= 1
    }
    return table
  }

  @inline(never)
  private func link(below table: Table, _ index: Int, level: Int) throws(Errno) -> Table {
    try failures.pass(.domainMap, "a page-table page")
    let new = lock.withLock { take() }
    let item = UInt64(UInt(bitPattern: new)) | UInt64(level) << Item.levelShift | Item.present
    let (done, seen) = table[index].compareExchange(
      expected: 0, desired: item, ordering: .acquiringAndReleasing)
    if done { return new }
    // Another thread was first.
    lock.withLock { spare.append(new) }
    guard let theirs = Self.child(seen) else { throw .EADDRINUSE("the IOVA is mapped") }
    return theirs
  }

  /// Takes the table at an item out, for reuse; it and what is below must be empty of leaves.
  func unlink(_ table: Table, _ index: Int) {
    guard let child = Self.child(table[index].load(ordering: .relaxed)) else { return }
    table[index].store(0, ordering: .releasing)
    for below in 0..<Self.items { unlink(child, below) }
    lock.withLock { spare.append(child) }
  }

  /// Whether no leaf is below `table`.
  func isEmpty(_ table: Table) -> Bool {
    for index in 0..<Self.items {
      let item = table[index].load(ordering: .acquiring)
      guard item & Item.present != 0 else { continue }
      guard let child = Self.child(item), isEmpty(child) else { return false }
    }
    return true
  }
}

/// What a mock domain's translations are kept in. Two formats, one for each personality.
protocol MockTable: AnyObject, Sendable {
  var aperture: Span64 { get }
  var pageSizes: UInt64 { get }
  func map(_ iova: UInt64, to physical: UInt64, length: UInt64, protection: Protection) throws(Errno)
  func unmap(_ iova: UInt64, length: UInt64) -> UInt64
  func translate(_ iova: UInt64) -> UInt64?
  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void)
  /// - Parameter isTracking: whether tracking is on, which one of the formats asks about.
  func readDirty(
    _ iova: UInt64, length: UInt64, clearing: Bool, isTracking: Bool, report: ((IOVA, UInt64) -> Void)?
  ) throws(Errno)
  /// Marks what the device would have written at `iova`; returns whether the selftest counts it.
  func markDirty(_ iova: UInt64, pageSize: UInt64) -> Bool
}
