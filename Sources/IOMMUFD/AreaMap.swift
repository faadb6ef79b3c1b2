// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory

/// The areas of one IOAS by IOVA: disjoint intervals in ascending order.
///
/// A sorted list cut into short pieces, so that finding is two binary searches and inserting moves a few
/// hundred entries at most however many areas there are. Positions are valid until the next change.
struct AreaMap {
  struct Position: Equatable {
    fileprivate var piece: Int
    fileprivate var index: Int
  }

  private struct Entry {
    let first: UInt64
    let last: UInt64
    let area: Area
  }

  private static let longestPiece = 256
  private var pieces: [[Entry]] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// The lowest area that has an address at or above `x`.
  func position(atOrAbove x: UInt64) -> Position? {
    // The last piece that begins at or below x, then the last entry in it that does.
    var low = 0
    var high = pieces.count
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle][0].first <= x { low = middle + 1 } else { high = middle }
    }
    if low == 0 { return pieces.isEmpty ? nil : Position(piece: 0, index: 0) }
    let piece = low - 1
    let index = pieces[piece].withUnsafeBufferPointer { entries -> Int in
      var low = 0
      var high = entries.count
      while low < high {
        let middle = (low + high) / 2
        if entries[middle].first <= x { low = middle + 1 } else { high = middle }
      }
      return entries[low - 1].last >= x ? low - 1 : low
    }
    return normalized(Position(piece: piece, index: index))
  }

  func next(_ position: Position) -> Position? {
    normalized(Position(piece: position.piece, index: position.index + 1))
  }

  private func normalized(_ position: Position) -> Position? {
    if position.index < pieces[position.piece].count { return position }
    return position.piece + 1 < pieces.count ? Position(piece: position.piece + 1, index: 0) : nil
  }

  subscript(_ position: Position) -> Area { pieces[position.piece][position.index].area }

  /// The lowest area that shares an address with `span`.
  func first(in span: Span64) -> Area? {
    guard let position = position(atOrAbove: span.first) else { return nil }
    let entry = pieces[position.piece][position.index]
    return entry.first <= span.last ? entry.area : nil
  }

  /// The interval of the lowest area that shares an address with `span`.
  func firstSpan(in span: Span64) -> Span64? {
    guard let position = position(atOrAbove: span.first) else { return nil }
    let entry = pieces[position.piece][position.index]
    return entry.first <= span.last ? Span64(entry.first, entry.last) : nil
  }

  /// Inserts an area that overlaps none.
  mutating func insert(_ area: Area) {
    let entry = Entry(first: area.iova.first, last: area.iova.last, area: area)
    count += 1
    guard let last = pieces.indices.last else {
      pieces.append([entry])
      return
    }
    let at = position(atOrAbove: entry.first) ?? Position(piece: last, index: pieces[last].count)
    pieces[at.piece].insert(entry, at: at.index)
    if pieces[at.piece].count > Self.longestPiece {
      let half = pieces[at.piece].count / 2
      let upper = Array(pieces[at.piece][half...])
      pieces[at.piece].removeSubrange(half...)
      pieces.insert(upper, at: at.piece + 1)
    }
  }

  /// Removes an area that is there.
  mutating func remove(_ area: Area) {
    guard let at = position(atOrAbove: area.iova.first), self[at] === area else {
      preconditionFailure("an area that is not in the map")
    }
    pieces[at.piece].remove(at: at.index)
    if pieces[at.piece].isEmpty { pieces.remove(at: at.piece) }
    count -= 1
  }

  /// Every area, ascending.
  var all: [Area] { pieces.flatMap { $0.map(\.area) } }
}
