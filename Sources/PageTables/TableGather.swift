// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory

/// What calls left to be done: IOVAs to invalidate, and tables that may be freed once hardware cannot reach them.
/// The kernel's `struct iommu_iotlb_gather`.
///
/// The driver flushes what the gather names and then calls `release`, which frees the tables. Dropping a gather
/// that has tables in it would leak them, and traps: it is a driver that forgot its flush. (One that forgets on
/// purpose releases without flushing.)
public struct TableGather: ~Copyable {
  /// Consecutive leaves of one size that were cleared, or one table that was unlinked.
  public struct Piece: Hashable, Sendable {
    public let first: UInt64
    public var last: UInt64
    public let sizeLg2: Int
    public let isTable: Bool
  }

  private struct FreedTable {
    let frame: FrameNumber
    let count: Int
  }

  /// The smallest range that covers everything that was unmapped or changed; nil for nothing.
  public var range: Span64? { first <= last ? Span64(first, last) : nil }
  private var first = UInt64.max
  private var last: UInt64 = 0

  /// Levels at which leaves were cleared and tables unlinked, as bit sets: what RISC-V's driver asks for.
  public internal(set) var leafLevels: UInt8 = 0
  public internal(set) var tableLevels: UInt8 = 0

  private var earlier: [Piece] = []
  private var latest: Piece?

  private var freed: [FreedTable] = []
  private var memory: PhysicalMemory?

  public init() {}

  deinit { precondition(freed.isEmpty, "a gather was dropped with tables in it") }

  /// The unmapped ranges in the order of the work, only for Arm's tables: its driver flushes whenever the size
  /// changes, and each table by itself.
  public var pieces: [Piece] { latest.map { earlier + [$0] } ?? earlier }

  /// Tables that wait to be freed, and their frames.
  public var tableCount: Int { freed.count }
  public var frameCount: Int { freed.reduce(0) { $0 + $1.count } }
  /// Whether a cached walk may lead into a table that is no more.
  public var hasTables: Bool { !freed.isEmpty }

  /// Frees the tables and forgets everything; what the gather named has been flushed.
  public mutating func release() {
    if let memory {
      for table in freed {
        for offset in 0..<UInt32(table.count) {
          memory.release(FrameNumber(table.frame.raw + offset))
        }
      }
      freed = []
      self.memory = nil
    }
    first = .max
    last = 0
    leafLevels = 0
    tableLevels = 0
    earlier = []
    latest = nil
  }

  @inline(__always)
  mutating func add(first: UInt64, last: UInt64) {
    if first < self.first { self.first = first }
    if last > self.last { self.last = last }
  }

  mutating func add(table frame: FrameNumber, count: Int, of memory: PhysicalMemory) {
    freed.append(FreedTable(frame: frame, count: count))
    self.memory = memory
  }

  /// Leaves that follow on the last ones of the same size join them.
  @inline(__always)
  mutating func note(_ first: UInt64, _ last: UInt64, sizeLg2: Int, isTable: Bool) {
    if let before = latest {
      if !isTable, !before.isTable, before.sizeLg2 == sizeLg2, before.last &+ 1 == first {
        latest?.last = last
        return
      }
      earlier.append(before)
    }
    latest = Piece(first: first, last: last, sizeLg2: sizeLg2, isTable: isTable)
  }
}
