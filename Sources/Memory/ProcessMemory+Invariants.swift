// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
internal import UAPI

extension ProcessMemory {
  /// What is wrong with the areas and the page table; empty when all is well.
  public func checkInvariants() -> [String] {
    lock.withShared {
      var broken: [String] = []
      var lastEnd: UInt64 = 0
      for area in areas {
        let name = "area 0x\(String(area.start, radix: 16))"
        if area.start < lastEnd { broken.append("\(name) overlaps the one below") }
        if area.end <= area.start || area.end > Self.addressLimit { broken.append("\(name) has a bad end") }
        let mask = (area.huge ? Page.hugeSize : Page.size) - 1
        if (area.start | area.end | area.offset) & mask != 0 { broken.append("\(name) is misaligned") }
        lastEnd = max(lastEnd, area.end)
      }
      if areas.reduce(0, { $0 + ($1.end > solidFrom ? $1.end - max($1.start, solidFrom) : 0) })
        != Self.addressLimit - solidFrom
      {
        broken.append("there is a gap above 0x\(String(solidFrom, radix: 16))")
      }
      // Pages ascend, so most lie in the area of the one before.
      var rules = EntryRules.none
      table.forEachEntry { page, entry in
        let address = page << Page.shift
        if !rules.range.contains(address) {
          rules = areaIndex(address).map { EntryRules(areas[$0]) } ?? .none
        }
        if let reason = check(entry, rules) {
          broken.append("page 0x\(String(page, radix: 16)): \(reason)")
        }
      }
      return broken
    }
  }

  private func check(_ entry: PageEntry, _ area: EntryRules) -> String? {
    guard !area.range.isEmpty else { return "is mapped outside of every area" }
    if entry.has(PageEntry.writable), !area.isWritable { return "is writable, its area is not" }
    if entry.has(PageEntry.accessible) != area.isAccessible { return "disagrees with its area" }
    if area.isWindow {
      return entry.has(PageEntry.special) ? nil : "is counted, and its frame is a driver's"
    }
    guard !entry.has(PageEntry.special) else { return "is a driver's, its area is not" }
    let references = physical.isAllocated(entry.frame) ? physical.referenceCount(of: entry.frame) : 0
    guard references > 0 else { return "has frame \(entry.frame.raw), which nobody holds" }
    if entry.has(PageEntry.anonymous), area.isShared { return "is private in a shared area" }
    if entry.has(PageEntry.anonymous | PageEntry.writable), references != 1 {
      return "is private and writable, and its frame has \(references) references"
    }
    if !area.isShared, !entry.has(PageEntry.anonymous), entry.has(PageEntry.writable) {
      return "is the file's page, and writable in a private area"
    }
    if area.isHuge != physical.isCompound(entry.frame) { return "has a frame of the wrong size" }
    return nil
  }
}

/// What an area says of the entries of its pages.
private struct EntryRules {
  var range: Range<UInt64> = 0..<0
  var isWritable = false
  var isAccessible = false
  var isWindow = false
  var isShared = false
  var isHuge = false

  /// Where there is no area.
  static let none = EntryRules()

  private init() {}

  init(_ area: VirtualArea) {
    range = area.start..<max(area.start, area.end)
    isWritable = area.mode.contains(.write)
    isAccessible = area.mode.isAccessible
    if case .window = area.backing { isWindow = true }
    isShared = area.isShared
    isHuge = area.huge
  }
}
