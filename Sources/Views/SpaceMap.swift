// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

// The IOVAs of one IOAS, cut into pieces that can be drawn. 2^64 addresses do not fit on a page, and most of them hold
// nothing, so the axis is broken:
//
//     usable      window: to scale       usable      reserved   usable     reserved
//     ├──≈──┤├──[  area  ]──[area]────┤├─────≈─────┤├───≈────┤├────≈────┤├────≈─────┤
//     0      0x100000        0x12ffff               MSI
//
// A window is a run of areas with no large hole in it, and has a scale of its own, which is told. What lies between
// windows is a piece for each state in which it is.

/// An IOAS's addresses in pieces, ascending, which together are all 2^64.
public struct SpaceMap: Sendable {
  /// What an address may be used for.
  public enum State: String, Sendable {
    /// `IOMMU_IOAS_IOVA_RANGES` tells it.
    case usable
    /// A device or a driver has it, or no page table of the IOAS reaches it.
    case reserved
    /// Neither, since ranges were allowed and this is in none of them. It may still be used with a fixed address.
    case forbidden
  }

  /// A run of addresses in one state.
  public struct Stretch: Sendable {
    public let first: UInt64
    public let last: UInt64
    public let state: State
    public var size: String { sizeText(first: first, last: last) }
  }

  public enum Piece: Sendable {
    /// Drawn short, whatever its size.
    case broken(Stretch)
    /// Drawn to scale: areas by their index, and the states below and between them.
    case window(first: UInt64, last: UInt64, areas: [Int], stretches: [Stretch])
  }

  public let title: String
  /// `2 areas, 96 KiB mapped, 24 pages pinned`
  public let summary: String
  public let areas: [Area]
  public let pieces: [Piece]

  /// - Parameter node: an IOAS of the snapshot.
  public init(_ node: Snapshot.Node, in snapshot: Snapshot) {
    title = node.label
    summary = node.lines.joined(separator: ", ")
    areas = snapshot.areas(of: node)
    func ranges(_ name: String) -> [(first: UInt64, last: UInt64)] {
      (node.facts[name]?.items ?? []).compactMap {
        if case .range(let first, let last) = $0 { (first, last) } else { nil }
      }
    }
    let stretches = Self.stretches(reserved: ranges("reserved"), allowed: ranges("allowed"))
    let windows = Self.windows(areas)
    var pieces: [Piece] = []
    var next: UInt64? = 0
    for (window, members) in windows {
      if let start = next, start < window.first {
        pieces += Self.clip(stretches, start, window.first - 1).map { .broken($0) }
      }
      pieces.append(
        .window(
          first: window.first, last: window.last, areas: members,
          stretches: Self.clip(stretches, window.first, window.last)))
      next = window.last == .max ? nil : window.last + 1
    }
    if let start = next { pieces += Self.clip(stretches, start, .max).map { .broken($0) } }
    self.pieces = pieces
  }

  /// All addresses by state.
  private static func stretches(
    reserved: [(first: UInt64, last: UInt64)], allowed: [(first: UInt64, last: UInt64)]
  ) -> [Stretch] {
    // Where a state may change.
    var cuts: Set<UInt64> = [0]
    for range in reserved + allowed {
      cuts.insert(range.first)
      if range.last != .max { cuts.insert(range.last + 1) }
    }
    let starts = cuts.sorted()
    var result: [Stretch] = []
    for (index, start) in starts.enumerated() {
      let last = index + 1 < starts.count ? starts[index + 1] - 1 : .max
      let isIn = { (ranges: [(first: UInt64, last: UInt64)]) in
        ranges.contains { $0.first <= start && start <= $0.last }
      }
      let state: State =
        isIn(reserved) ? .reserved : allowed.isEmpty || isIn(allowed) ? .usable : .forbidden
      if let before = result.last, before.state == state {
        result[result.count - 1] = Stretch(first: before.first, last: last, state: state)
      } else {
        result.append(Stretch(first: start, last: last, state: state))
      }
    }
    return result
  }

  private static func clip(_ stretches: [Stretch], _ first: UInt64, _ last: UInt64) -> [Stretch] {
    stretches.compactMap { stretch in
      guard stretch.first <= last, stretch.last >= first else { return nil }
      return Stretch(first: max(first, stretch.first), last: min(last, stretch.last), state: stretch.state)
    }
  }

  /// Areas between which no hole is more than twice as large as what is on one of its sides, and none so small beside its neighbours that
  /// it would not be seen.
  private static func windows(_ areas: [Area]) -> [(window: (first: UInt64, last: UInt64), areas: [Int])] {
    var result: [(window: (first: UInt64, last: UInt64), areas: [Int])] = []
    for (index, area) in areas.enumerated() {
      if let current = result.last {
        let hole = area.first - current.window.last - 1
        let before = current.window.last - current.window.first
        let own = area.last - area.first
        let (larger, smaller) = (max(before, own), min(before, own))
        if hole / 2 <= larger, larger / 64 <= smaller {
          result[result.count - 1] = ((current.window.first, area.last), current.areas + [index])
          continue
        }
      }
      result.append(((area.first, area.last), [index]))
    }
    return result
  }
}
