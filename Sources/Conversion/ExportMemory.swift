// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// Where a script's memory lies in the data area of a syzkaller program.
///
/// A script has memory wherever it likes, a program in 16 MiB at one place. Each part of the script's gets a place when
/// something first refers to it; a script whose memory is that area (as those have that were made of programs) keeps
/// its addresses. Structs of requests lie in a window that nothing else uses.
struct ExportMemory {
  private static let page: UInt64 = 4096
  private static let hugePage: UInt64 = 2 << 20
  private static let window: UInt64 = 1 << 20

  private struct Area {
    let first: UInt64
    let last: UInt64
    let isHuge: Bool
    var offset: UInt64?
  }

  /// The newest last: what replaced older memory is found first.
  private var areas: [Area] = []
  private var nextArea: UInt64 = 0
  private var nextStruct: UInt64
  private let structs: UInt64

  /// - Parameter used: addresses that the history refers to.
  init(used: [UInt64]) {
    let taken = Set(used.map { ($0 &- SyzImage.area) / Self.window })
    let count = SyzLimits.areaBytes / Self.window
    // The last window that nothing lies in; there is one unless a program spreads over all of its memory.
    let free = (0..<count).last { !taken.contains($0) } ?? count - 1
    structs = free * Self.window
    nextStruct = structs
  }

  mutating func add(_ first: UInt64, length: UInt64, isHuge: Bool) {
    guard length > 0 else { return }
    let (last, overflow) = first.addingReportingOverflow(length - 1)
    let isArea = first >= SyzImage.area && last < SyzImage.area + SyzLimits.areaBytes
    areas.append(
      Area(
        first: first, last: overflow ? .max : last, isHuge: isHuge,
        offset: isArea ? first - SyzImage.area : nil))
  }

  /// The offset of an address into the data area; nil where the script has no memory, or the area no room.
  mutating func offset(of address: UInt64) -> UInt64? {
    guard let index = areas.lastIndex(where: { $0.first <= address && address <= $0.last }) else {
      return nil
    }
    if areas[index].offset == nil {
      let area = areas[index]
      let unit = area.isHuge ? Self.hugePage : Self.page
      let length = (area.last - area.first) / unit * unit + unit
      var start = (nextArea + unit - 1) / unit * unit
      if start < structs + Self.window, structs < start + length {
        start = (structs + Self.window + unit - 1) / unit * unit
      }
      guard start + length <= SyzLimits.areaBytes else { return nil }
      areas[index].offset = start
      nextArea = start + length
    }
    return areas[index].offset.map { $0 + (address - areas[index].first) }
  }

  /// The offset of new room for a struct, on a line of its own: behind it there are zeroes.
  mutating func place(_ count: Int) -> UInt64? {
    let size = (UInt64(max(count, 1)) + 63) / 64 * 64
    guard nextStruct + size <= structs + Self.window else { return nil }
    defer { nextStruct += size }
    return nextStruct
  }
}
