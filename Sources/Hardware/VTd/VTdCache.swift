// SPDX-License-Identifier: GPL-3.0-or-later

/// A translation or paging-structure cache under one of the policies: the shared direct-mapped cache, and behind
/// it, for the infinite policy, what was displaced from there.
struct VTdCache<Entry: BitwiseCopyable & Sendable>: Sendable {
  struct Key: Hashable, Sendable {
    var page: UInt64
    var tag: UInt64
  }

  /// Entries that an infinite cache keeps, so that a guest cannot make it eat the host.
  static var limit: Int { 1 << 20 }

  private var slots: TranslationCache<UInt64, Entry>
  private var displaced: [Key: Entry] = [:]
  private let infinite: Bool
  /// The policy is that of the slots.
  private let isDirect: Bool
  let enabled: Bool
  /// State of a random policy; 0 for the others.
  private var dice: UInt64

  init(_ policy: VTdCachePolicy) {
    var capacityLg2 = 12
    var infinite = false
    var dice: UInt64 = 0
    switch policy {
    case .none: capacityLg2 = 0
    case .direct(let lg2): capacityLg2 = min(max(lg2, 0), 20)
    case .infinite: infinite = true
    case .random(let seed): dice = seed | 1
    }
    slots = TranslationCache(capacityLg2: capacityLg2)
    self.infinite = infinite
    self.dice = dice
    enabled = policy != .none
    isDirect = enabled && !infinite && dice == 0
  }

  @inline(__always)
  func find(_ address: UInt64, _ tag: UInt64) -> Entry? {
    if let entry = slots.find(address, tag, salt: tag) { return entry }
    return displaced.isEmpty ? nil : displaced[Key(page: address >> 12, tag: tag)]
  }

  @inline(__always)
  mutating func insert(_ entry: Entry, for address: UInt64, _ tag: UInt64) {
    if isDirect {
      slots.insert(entry, for: address, tag, salt: tag)
    } else {
      insertByPolicy(entry, for: address, tag)
    }
  }

  @inline(never)
  private mutating func insertByPolicy(_ entry: Entry, for address: UInt64, _ tag: UInt64) {
    guard enabled else { return }
    if dice != 0 {
      dice ^= dice << 13
      dice ^= dice >> 7
      dice ^= dice << 17
      if dice & 7 == 0 { return }
      if dice >> 3 & 63 == 0 { removeAll() }
    }
    guard infinite else { return slots.insert(entry, for: address, tag, salt: tag) }
    guard let old = slots.replace(with: entry, for: address, tag, salt: tag) else { return }
    if displaced.count >= Self.limit { displaced.removeAll() }
    displaced[Key(page: old.address >> 12, tag: old.tag)] = old.entry
  }

  /// Forgets the entries for which `condition` holds; returns how many.
  @discardableResult
  mutating func remove(where condition: (_ address: UInt64, _ tag: UInt64, Entry) -> Bool) -> Int {
    var removed = slots.remove(where: condition)
    if !displaced.isEmpty {
      let before = displaced.count
      displaced = displaced.filter { !condition($0.key.page << 12, $0.key.tag, $0.value) }
      removed += before - displaced.count
    }
    return removed
  }

  mutating func removeAll() {
    slots.removeAll()
    displaced.removeAll()
  }

  var count: Int { slots.count + displaced.count }

  /// Every entry, in the order of addresses.
  var entries: [(address: UInt64, tag: UInt64, entry: Entry)] {
    let all = slots.entries + displaced.map { ($0.key.page << 12, $0.key.tag, $0.value) }
    return all.sorted { ($0.address, $0.tag) < ($1.address, $1.tag) }
  }
}
