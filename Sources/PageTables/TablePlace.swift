// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// What the algorithms carry from step to step, on the stack: the kernel's `struct pt_state`.

/// A table that a walk has reached.
struct TablePlace<Format: PageTableFormat> {
  var slots: Slot
  var level: Int
  /// Items of the table, as a power of two.
  var indexLg2: Int

  /// Where an IOVA is in the table.
  @inline(__always)
  func index(_ iova: UInt64) -> Int {
    Int(truncatingIfNeeded: iova >> UInt64(Format.itemLg2(level))) & ((1 << indexLg2) - 1)
  }
}

/// A leaf that a walk has found.
struct FoundLeaf {
  /// The slot by which it was found.
  var slot: Slot
  var level: Int
  var entry: UInt64
  var sizeLg2: Int
  /// Its first IOVA.
  var iova: UInt64
}

/// A leaf that is cut: where it is, what it maps, and where no new leaf may cross.
struct Cutting {
  var iova: UInt64
  var physical: UInt64
  var cut: UInt64
  var bits: UInt64
}

/// What slots that are merged amount to.
struct Merged {
  var physical: UInt64
  var bits: UInt64
}
