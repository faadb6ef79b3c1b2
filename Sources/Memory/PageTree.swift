// SPDX-License-Identifier: GPL-3.0-or-later

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
  private typealias Node = UnsafeMutablePointer<UnsafeMutableRawPointer?>

  static let pageLimit: UInt64 = 1 << 36
  static let leafSize = 512

  private let root: Node

  init() { root = Self.makeNode() }

  deinit {
    for a in 0..<512 {
      guard let second = root[a] else { continue }
      for b in 0..<512 {
        guard let third = Self.node(second)[b] else { continue }
        for c in 0..<512 { Self.node(third)[c]?.deallocate() }
        third.deallocate()
      }
      second.deallocate()
    }
    root.deallocate()
  }

  private static func makeNode() -> Node {
    let node = Node.allocate(capacity: 512)
    node.initialize(repeating: nil, count: 512)
    return node
  }

  private static func node(_ raw: UnsafeMutableRawPointer) -> Node {
    raw.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
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
      let third = Self.node(second)[Int((page >> 18) & 511)],
      let leaf = Self.node(third)[Int((page >> 9) & 511)]
    else { return nil }
    return leaf.assumingMemoryBound(to: PageEntry.self)
  }

  /// The same, made where it is missing.
  ///
  /// - Precondition: `page` is below `pageLimit`.
  func makeLeaf(of page: UInt64) -> Leaf {
    precondition(page < Self.pageLimit)
    let second = Self.child(root, Int(page >> 27))
    let third = Self.child(second, Int((page >> 18) & 511))
    let slot = third + Int((page >> 9) & 511)
    if let leaf = slot.pointee { return leaf.assumingMemoryBound(to: PageEntry.self) }
    let leaf = Leaf.allocate(capacity: Self.leafSize)
    leaf.initialize(repeating: PageEntry(), count: Self.leafSize)
    slot.pointee = UnsafeMutableRawPointer(leaf)
    return leaf
  }

  private static func child(_ node: Node, _ index: Int) -> Node {
    if let child = node[index] { return Self.node(child) }
    let child = makeNode()
    node[index] = UnsafeMutableRawPointer(child)
    return child
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
      guard let second = root[Int(page >> 27)] else {
        page = ((page >> 27) + 1) << 27
        continue
      }
      guard let third = Self.node(second)[Int((page >> 18) & 511)] else {
        page = ((page >> 18) + 1) << 18
        continue
      }
      let leafFirst = page & ~511
      if let leaf = Self.node(third)[Int((page >> 9) & 511)] {
        try body(
          leafFirst, leaf.assumingMemoryBound(to: PageEntry.self),
          Int(page - leafFirst)...Int(min(last - leafFirst, 511)))
      }
      page = leafFirst + 512
    }
  }

  /// Empties pages `first...last`; `body` gets each entry that there was. Leaves inside are given back.
  func removeAll(_ first: UInt64, _ last: UInt64, _ body: (PageEntry) -> Void) {
    forEachLeaf(first, last) { start, leaf, indexes in
      for index in indexes where leaf[index].isPresent {
        body(leaf[index])
        leaf[index] = PageEntry()
      }
      if indexes.count == Self.leafSize { freeLeaf(of: start) }
    }
  }

  private func freeLeaf(of page: UInt64) {
    guard let second = root[Int(page >> 27)], let third = Self.node(second)[Int((page >> 18) & 511)] else {
      return
    }
    let slot = Self.node(third) + Int((page >> 9) & 511)
    slot.pointee?.deallocate()
    slot.pointee = nil
  }
}
