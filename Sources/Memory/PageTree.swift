// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// What stands behind one page of an address space or of a file, in 32 bits, as a page-table entry does;
/// zero for nothing.
struct PageEntry: BitwiseCopyable, Equatable {
  var raw: UInt32 = 0

  /// May be written without asking.
  static let writable: UInt32 = 1 << 31
  /// May be read without asking.
  static let accessible: UInt32 = 1 << 30
  /// The page belongs to this address space, and to those it was forked from or to: an anonymous page.
  static let anonymous: UInt32 = 1 << 29
  /// The page is a driver's: not counted here, and cannot be pinned.
  static let special: UInt32 = 1 << 28
  private static let frameMask: UInt32 = (1 << 28) - 1

  init() {}
  init(_ frame: FrameNumber, _ flags: UInt32 = 0) { raw = frame.raw | flags }

  var frame: FrameNumber { FrameNumber(raw & Self.frameMask) }
  var isPresent: Bool { raw != 0 }
  func has(_ flags: UInt32) -> Bool { raw & flags == flags }

  mutating func set(_ flag: UInt32, _ value: Bool) {
    if value { raw |= flag } else { raw &= ~flag }
  }
}

/// A sparse map from page numbers below 2^36 to entries: the radix tree that is a page table, and a page
/// cache. Four levels of 512; a leaf covers 2 MiB and costs 2 KiB.
///
/// Not locked; leaves are memory of the tree and valid until `removeAll` covers them whole.
struct PageTree: ~Copyable {
  typealias Leaf = UnsafeMutablePointer<PageEntry>

  static let pageLimit: UInt64 = 1 << 36
  static let leafSize = 512

  private let root = PageTreeNode()

  deinit {
    root.takeChildren { second in
      PageTreeNode(second).takeChildren { third in
        PageTreeNode(third).takeChildren { $0.deallocate() }
        PageTreeNode(third).recycle()
      }
      PageTreeNode(second).recycle()
    }
    root.recycle()
  }

  /// The entry of a page; empty when there is none.
  @inline(__always)
  subscript(page: UInt64) -> PageEntry {
    guard let leaf = leaf(of: page) else { return PageEntry() }
    return leaf[Int(page & 511)]
  }

  /// The entries of the 512 pages that `page` is one of.
  @inline(__always)
  func leaf(of page: UInt64) -> Leaf? {
    guard page < Self.pageLimit,
      let second = root[Int(page >> 27)],
      let third = PageTreeNode(second)[Int((page >> 18) & 511)],
      let leaf = PageTreeNode(third)[Int((page >> 9) & 511)]
    else { return nil }
    return leaf.assumingMemoryBound(to: PageEntry.self)
  }

  /// The same, made where it is missing.
  ///
  /// - Precondition: `page` is below `pageLimit`.
  func makeLeaf(of page: UInt64) -> Leaf {
    precondition(page < Self.pageLimit)
    let second = root.child(Int(page >> 27))
    let third = second.child(Int((page >> 18) & 511))
    let slot = Int((page >> 9) & 511)
    if let leaf = third[slot] { return leaf.assumingMemoryBound(to: PageEntry.self) }
    let leaf = Leaf.allocate(capacity: Self.leafSize)
    leaf.initialize(repeating: PageEntry(), count: Self.leafSize)
    third.set(slot, UnsafeMutableRawPointer(leaf))
    return leaf
  }

  func set(_ page: UInt64, _ entry: PageEntry) { makeLeaf(of: page)[Int(page & 511)] = entry }

  /// Visits the leaves that exist for pages `first...last`: the leaf's first page, its entries, and which of
  /// them lie in the range. Steps over what is missing, so an empty terabyte costs nothing.
  func forEachLeaf<Failure: Error>(
    _ first: UInt64, _ last: UInt64, _ body: (UInt64, Leaf, ClosedRange<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var page = first
    let last = min(last, Self.pageLimit - 1)
    while page <= last {
      guard let a = root.slot(from: Int(page >> 27)), let second = root[a] else { return }
      if a > Int(page >> 27) { page = UInt64(a) << 27 }
      guard let b = PageTreeNode(second).slot(from: Int((page >> 18) & 511)),
        let third = PageTreeNode(second)[b]
      else {
        page = (UInt64(a) + 1) << 27
        continue
      }
      if b > Int((page >> 18) & 511) { page = UInt64(a) << 27 | UInt64(b) << 18 }
      guard let c = PageTreeNode(third).slot(from: Int((page >> 9) & 511)),
        let leaf = PageTreeNode(third)[c]
      else {
        page = ((page >> 18) + 1) << 18
        continue
      }
      let leafFirst = (page >> 18) << 18 | UInt64(c) << 9
      page = max(page, leafFirst)
      guard page <= last else { return }
      try body(
        leafFirst, leaf.assumingMemoryBound(to: PageEntry.self),
        Int(page - leafFirst)...Int(min(last - leafFirst, 511)))
      page = leafFirst + 512
    }
  }

  /// Visits every page that has an entry, ascending.
  @inline(__always)
  func forEachEntry(_ body: (_ page: UInt64, PageEntry) -> Void) {
    forEachLeaf(0, .max) { start, leaf, indexes in
      Self.forEachPresent(leaf, indexes) { body(start + UInt64($0), leaf[$0]) }
    }
  }

  @inline(__always)
  private static func forEachPresent(_ leaf: Leaf, _ indexes: ClosedRange<Int>, _ body: (Int) -> Void) {
    var index = indexes.lowerBound
    while index <= indexes.upperBound {
      if index & 15 == 0, index + 15 <= indexes.upperBound, isEmptyRow(leaf + index) {
        index += 16
        continue
      }
      if leaf[index].isPresent { body(index) }
      index += 1
    }
  }

  /// Empties pages `first...last`; `body` gets each entry that there was. Leaves inside are given back.
  func removeAll(_ first: UInt64, _ last: UInt64, _ body: (PageEntry) -> Void) {
    forEachLeaf(first, last) { start, leaf, indexes in
      Self.forEachPresent(leaf, indexes) { index in
        body(leaf[index])
        leaf[index] = PageEntry()
      }
      if indexes.count == Self.leafSize { freeLeaf(of: start) }
    }
  }

  /// Whether 16 entries in a row are empty, as most of most leaves are.
  @inline(__always)
  private static func isEmptyRow(_ entries: Leaf) -> Bool {
    UnsafeRawPointer(entries).loadUnaligned(as: SIMD16<UInt32>.self) == SIMD16<UInt32>.zero
  }

  private func freeLeaf(of page: UInt64) {
    guard let second = root[Int(page >> 27)], let third = PageTreeNode(second)[Int((page >> 18) & 511)] else {
      return
    }
    let node = PageTreeNode(third)
    let slot = Int((page >> 9) & 511)
    node[slot]?.deallocate()
    node.set(slot, nil)
  }
}

/// A node of a `PageTree`: 512 slots, and behind them a bit for each that is not empty, so that a sparse node is
/// gone through in a few steps.
private struct PageTreeNode {
  let address: UnsafeMutableRawPointer

  private static let slots = 512
  private static let bytes = slots * 8 + slots / 8

  init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// An empty one.
  init() {
    if let spare = Self.spare.withLock({ $0.nodes.popLast() }) {
      address = spare
    } else {
      address = .allocate(byteCount: Self.bytes, alignment: 8)
      address.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes)
    }
  }

  /// Nodes that are empty and wait for the next tree: a machine of a small program has ten, and would spend more on zeroing
  /// 4 KiB for each of them than on all its system calls' copies. No `Lock`: it guards nothing of the kernel's, so a
  /// scheduler has no business with it.
  private struct Spare: @unchecked Sendable {
    var nodes: [UnsafeMutableRawPointer] = []
  }
  private static let spare = Mutex(Spare())
  private static let mostSpare = 64

  /// Gives back a node that is empty.
  func recycle() {
    let isKept = Self.spare.withLock { spare in
      guard spare.nodes.count < Self.mostSpare else { return false }
      spare.nodes.append(address)
      return true
    }
    if !isKept { address.deallocate() }
  }

  /// What is in a slot.
  @inline(__always)
  subscript(slot: Int) -> UnsafeMutableRawPointer? {
    address.load(fromByteOffset: slot * 8, as: UnsafeMutableRawPointer?.self)
  }

  func set(_ slot: Int, _ child: UnsafeMutableRawPointer?) {
    address.storeBytes(of: child, toByteOffset: slot * 8, as: UnsafeMutableRawPointer?.self)
    let bit = UInt64(1) << UInt64(slot & 63)
    let word = occupied(slot >> 6)
    address.storeBytes(
      of: child == nil ? word & ~bit : word | bit, toByteOffset: Self.slots * 8 + (slot >> 6) * 8,
      as: UInt64.self)
  }

  /// The node in a slot, made where it is missing.
  func child(_ slot: Int) -> PageTreeNode {
    if let child = self[slot] { return PageTreeNode(child) }
    let child = PageTreeNode()
    set(slot, child.address)
    return child
  }

  private func occupied(_ word: Int) -> UInt64 {
    address.load(fromByteOffset: Self.slots * 8 + word * 8, as: UInt64.self)
  }

  /// The first slot from `start` on that is not empty.
  func slot(from start: Int) -> Int? {
    var word = start >> 6
    var bits = occupied(word) & UInt64.max << UInt64(start & 63)
    while bits == 0 {
      word += 1
      guard word < Self.slots / 64 else { return nil }
      bits = occupied(word)
    }
    return word << 6 | bits.trailingZeroBitCount
  }

  /// Empties the node; `body` gets what was in each slot.
  func takeChildren(_ body: (UnsafeMutableRawPointer) -> Void) {
    var start = 0
    while start < Self.slots, let slot = slot(from: start) {
      if let child = self[slot] {
        set(slot, nil)
        body(child)
      }
      start = slot + 1
    }
  }
}
