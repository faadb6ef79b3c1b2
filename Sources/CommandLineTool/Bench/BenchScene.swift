// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import Memory
internal import PageTables
internal import UAPI

/// A hardware half with one device and 1024 pages mapped for it, whose tables the driver's classes have made: what a
/// translation is measured on.
struct BenchScene {
  /// What is to be measured.
  enum Way: Sendable {
    /// Nothing of page tables is cached: the tables are walked from the root, each time.
    case walk
    case cached
    /// Two stages, of 4 KiB pages both. No translation is cached; pointers to tables are, where the hardware does that.
    case nested
    /// As `walk`, through both stages.
    case nestedWalk

    var cachesTranslations: Bool { self == .cached }
    var cachesTables: Bool { self == .cached || self == .nested }
    /// Slots of a cache whose size is that of the cache of table pointers too: enough for those, and so few that a
    /// translation is displaced before it is asked for again.
    var sharedSlotsLg2: Int { cachesTranslations ? 12 : cachesTables ? 8 : 0 }
    var isNested: Bool { self == .nested || self == .nestedWalk }
  }

  let hardware: any IOMMUHardware
  let source: UInt32
  let pasid: UInt32?
  /// Keeps their frames.
  let tables: [any PageTable]

  static let pages: UInt64 = 1024
  static let base: UInt64 = 0x1_4000_0000
  private static let memorySize: UInt64 = 64 << 20

  /// Memory, small enough that a second stage can map all of it one to one.
  static func memory() -> PhysicalMemory { PhysicalMemory(size: memorySize) }

  /// Frames for structures, zeroed: the address of the first one.
  static func frames(_ count: Int, in memory: PhysicalMemory) throws(Errno) -> UInt64 {
    try memory.allocateContiguous(count, alignment: count).address.raw
  }

  static func put(_ words: [UInt64], at address: UInt64, in memory: PhysicalMemory) {
    for (index, word) in words.enumerated() {
      _ = memory.store64(word, at: PhysAddr(address + UInt64(index) * 8))
    }
  }

  /// Maps the scene's pages, scattered over memory.
  static func fill(_ table: any PageTable) throws(Errno) -> any PageTable {
    var gather = TableGather()
    defer { gather.release() }
    for page in 0..<pages {
      try table.map(
        IOVA(base + page << 12), to: PhysAddr(physical(page)), length: 4096, [.read, .write, .cache],
        gather: &gather)
    }
    return table
  }

  /// Maps all of memory one to one, so that a first stage's tables are where they are.
  static func fillSecondStage(_ table: any PageTable) throws(Errno) -> any PageTable {
    var gather = TableGather()
    defer { gather.release() }
    // One by one, or there would be larger pages.
    for address in stride(from: UInt64(0), to: memorySize, by: 4096) {
      try table.map(
        IOVA(address), to: PhysAddr(address), length: 4096, [.read, .write, .cache], gather: &gather)
    }
    return table
  }

  private static func physical(_ page: UInt64) -> UInt64 { (page &* 7 % pages + 8192) << 12 }

  /// The time of a translation; nil when one of them is wrong.
  func nanoseconds(_ effort: BenchEffort, rounds: Int) -> Double? {
    var transaction = Transaction(source: source, pasid: pasid, address: 0)
    for page in 0..<Self.pages {
      transaction.address = Self.base + page << 12 + 8
      guard case .translated(let found) = hardware.translate(transaction),
        found.address == Self.physical(page) + 8
      else { return nil }
    }
    // Everything is in variables of the loop's own, or the loop would be a good part of what is measured.
    let (hardware, question) = (hardware, transaction)
    var sum: UInt64 = 0
    let time = effort.nanoseconds(rounds: rounds) { rounds in
      var transaction = question
      var (page, total): (UInt64, UInt64) = (1, 0)
      for _ in 0..<rounds {
        page = (page &* 5 &+ 1) & (Self.pages - 1)
        transaction.address = Self.base | page << 12 | 8
        if case .translated(let found) = hardware.translate(transaction) { total &+= found.address }
      }
      sum &+= total
    }
    return sum == 0 ? nil : time
  }
}

extension PageTable {
  /// Where the root is.
  var origin: UInt64 { root.address.raw }
}
