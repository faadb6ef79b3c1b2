// SPDX-License-Identifier: GPL-3.0-or-later

/// A set of addresses as closed ranges that do not touch.
struct AddressRanges {
  private(set) var ranges: [ClosedRange<UInt64>] = []

  mutating func insert(_ range: ClosedRange<UInt64>) {
    var joined = range
    ranges.removeAll { other in
      let touches =
        other.overlaps(joined)
        || (other.upperBound < joined.lowerBound && other.upperBound + 1 == joined.lowerBound)
        || (joined.upperBound < other.lowerBound && joined.upperBound + 1 == other.lowerBound)
      if touches {
        joined = min(other.lowerBound, joined.lowerBound)...max(other.upperBound, joined.upperBound)
      }
      return touches
    }
    ranges.insert(joined, at: ranges.firstIndex { $0.lowerBound > joined.lowerBound } ?? ranges.count)
  }

  mutating func remove(_ range: ClosedRange<UInt64>) {
    ranges = ranges.flatMap { other -> [ClosedRange<UInt64>] in
      guard other.overlaps(range) else { return [other] }
      var rest: [ClosedRange<UInt64>] = []
      if other.lowerBound < range.lowerBound { rest.append(other.lowerBound...(range.lowerBound - 1)) }
      if other.upperBound > range.upperBound { rest.append((range.upperBound + 1)...other.upperBound) }
      return rest
    }
  }

  /// The parts of `range` that are in the set, ascending.
  func parts(of range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
    ranges.filter { $0.overlaps(range) }.map { $0.clamped(to: range) }
  }

  func contains(_ range: ClosedRange<UInt64>) -> Bool { parts(of: range) == [range] }
}
