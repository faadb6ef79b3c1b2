// SPDX-License-Identifier: GPL-3.0-or-later

/// A cache of an IOMMU: direct-mapped by 4 KiB page, tagged with whatever the manual says tags it.
///
/// A large page occupies a slot for each 4 KiB piece of it that was used, and every piece knows the size of the
/// whole; so an invalidation must ask whether an entry's whole page meets the range, see `remove`. An entry
/// stays until it is removed or its slot is taken: nothing here looks at memory again, so software that forgets
/// to invalidate goes on getting what was there.
///
/// A lookup is one index and one comparison; an invalidation looks at every slot in use.
public struct TranslationCache<Tag: Hashable & BitwiseCopyable & Sendable, Entry: BitwiseCopyable & Sendable>:
  Sendable
{
  struct Slot: Sendable {
    /// Page number, or `unused`.
    var page: UInt64
    var tag: Tag
    var entry: Entry

    /// No page has this number: an address has 64 bits. An optional slot has one more
    /// field to be compared, and is a word larger in SMMUv3.
    @inline(__always) static var unused: UInt64 { .max }
  }

  /// None before the first insertion.
  private var slots: [Slot] = []
  private let mask: Int
  /// Entries that are valid.
  public private(set) var count = 0

  /// - Parameter capacityLg2: slots, as a base-2 logarithm, 0 to 20.
  public init(capacityLg2: Int) {
    precondition((0...20).contains(capacityLg2), "a cache has up to a million entries")
    mask = (1 << capacityLg2) - 1
  }

  @inline(__always)
  private func index(_ page: UInt64, _ salt: UInt64) -> Int {
    Int(truncatingIfNeeded: page ^ (page >> 17) ^ (salt &* 0x9E37_79B9_7F4A_7C15) >> 40) & mask
  }

  /// The entry for the page that holds `address`.
  ///
  /// - Parameter salt: any number that the tag determines; tags that share it compete for slots.
  @inline(__always)
  public func find(_ address: UInt64, _ tag: Tag, salt: UInt64) -> Entry? {
    let page = address >> 12
    let place = index(page, salt)
    guard place < slots.count, slots[place].page == page, slots[place].tag == tag else { return nil }
    return slots[place].entry
  }

  public mutating func insert(_ entry: Entry, for address: UInt64, _ tag: Tag, salt: UInt64) {
    let slot = Slot(page: address >> 12, tag: tag, entry: entry)
    let place = index(slot.page, salt)
    if slots.isEmpty { makeRoom(slot) }
    if slots[place].page == Slot.unused { count &+= 1 }
    slots[place] = slot
  }

  /// Inserts, and returns the entry of another page or tag that had to make room.
  public mutating func replace(with entry: Entry, for address: UInt64, _ tag: Tag, salt: UInt64)
    -> (address: UInt64, tag: Tag, entry: Entry)?
  {
    let page = address >> 12
    let place = index(page, salt)
    let old = place < slots.count ? slots[place] : nil
    insert(entry, for: address, tag, salt: salt)
    guard let old, old.page != Slot.unused, old.page != page || old.tag != tag else { return nil }
    return (old.page << 12, old.tag, old.entry)
  }

  /// - Parameter pattern: what an unused slot has in it, since it must have something.
  @inline(never)
  private mutating func makeRoom(_ pattern: Slot) {
    var slot = pattern
    slot.page = Slot.unused
    slots = Array(repeating: slot, count: mask + 1)
  }

  /// Forgets the entries for which `condition` holds, given the address of the 4 KiB piece; returns how many.
  @discardableResult
  public mutating func remove(where condition: (UInt64, Tag, Entry) -> Bool) -> Int {
    guard count > 0 else { return 0 }
    var removed = 0
    for place in slots.indices {
      let slot = slots[place]
      guard slot.page != Slot.unused, condition(slot.page << 12, slot.tag, slot.entry) else { continue }
      slots[place].page = Slot.unused
      removed += 1
    }
    count -= removed
    return removed
  }

  public mutating func removeAll() { remove { _, _, _ in true } }

  /// Every entry, with the address of its 4 KiB piece, in the order of the slots.
  public var entries: [(address: UInt64, tag: Tag, entry: Entry)] {
    slots.compactMap { $0.page == Slot.unused ? nil : ($0.page << 12, $0.tag, $0.entry) }
  }
}
