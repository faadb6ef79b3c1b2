// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory

/// What a recorded script's processes have in memory at a place of the script: the recorder compares it with what
/// the program has, and writes down only what differs.
struct ShadowMemory {
  /// What is mapped at `start..<end`.
  struct Piece: Equatable {
    enum Kind: Equatable {
      case anonymous
      /// Of the object with this number, from this offset on.
      case object(Int, offset: UInt64)
    }
    var start: UInt64
    var end: UInt64
    var kind: Kind
    var readable: Bool
    var writable: Bool
    var huge: Bool

    /// The part of it in `first..<last`, which it meets.
    func cut(_ first: UInt64, _ last: UInt64) -> Piece {
      var piece = self
      piece.start = max(start, first)
      piece.end = min(end, last)
      if case .object(let number, let offset) = kind {
        piece.kind = .object(number, offset: offset + (piece.start - start))
      }
      return piece
    }

    func isSamePlace(as other: Piece) -> Bool { kind == other.kind && huge == other.huge }

    var rights: String {
      switch (readable, writable) {
      case (true, true): "rw"
      case (true, false): "ro"
      case (false, true): "wo"
      case (false, false): "none"
      }
    }
  }

  /// Ascending, not overlapping.
  private(set) var pieces: [Piece] = []
  /// Bytes of private pages that are not zero, by page address.
  var contents = PageContents()

  func pieces(_ first: UInt64, _ end: UInt64) -> [Piece] {
    pieces.filter { $0.start < end && $0.end > first }.map { $0.cut(first, end) }
  }

  func piece(at address: UInt64) -> Piece? { pieces.first { $0.start <= address && address < $0.end } }

  mutating func remove(_ first: UInt64, _ end: UInt64) {
    var kept: [Piece] = []
    for piece in pieces {
      guard piece.start < end, piece.end > first else {
        kept.append(piece)
        continue
      }
      if piece.start < first { kept.append(piece.cut(piece.start, first)) }
      if piece.end > end { kept.append(piece.cut(end, piece.end)) }
    }
    pieces = kept
    contents.forget(first, end)
  }

  mutating func insert(_ piece: Piece) {
    remove(piece.start, piece.end)
    pieces.insert(piece, at: pieces.firstIndex { $0.start > piece.start } ?? pieces.count)
  }

  mutating func protect(_ piece: Piece) {
    let saved = contents
    insert(piece)
    contents = saved
  }

  /// A piece that maps a byte of an object, and where.
  func address(ofObject number: Int, _ offset: UInt64) -> UInt64? {
    for piece in pieces {
      if case .object(number, let start) = piece.kind, offset >= start,
        offset - start < piece.end - piece.start
      {
        return piece.start + (offset - start)
      }
    }
    return nil
  }
}

/// Bytes of pages; what was never stored is zero.
struct PageContents {
  private var pages: [UInt64: [UInt8]] = [:]

  /// Whether these bytes are there.
  func has(_ bytes: [UInt8], at address: UInt64) -> Bool {
    var index = 0
    while index < bytes.count {
      let place = address &+ UInt64(index)
      let offset = Int(place & Page.mask)
      let count = min(bytes.count - index, Int(Page.size) - offset)
      if let page = pages[place & ~Page.mask] {
        if page[offset..<offset + count] != bytes[index..<index + count] { return false }
      } else if !bytes[index..<index + count].allSatisfy({ $0 == 0 }) {
        return false
      }
      index += count
    }
    return true
  }

  mutating func store(_ bytes: [UInt8], at address: UInt64) {
    var index = 0
    while index < bytes.count {
      let place = address &+ UInt64(index)
      let offset = Int(place & Page.mask)
      let count = min(bytes.count - index, Int(Page.size) - offset)
      pages[place & ~Page.mask, default: [UInt8](repeating: 0, count: Int(Page.size))]
        .replaceSubrange(offset..<offset + count, with: bytes[index..<index + count])
      index += count
    }
  }

  mutating func forget(_ first: UInt64, _ end: UInt64) {
    guard !pages.isEmpty else { return }
    for page in pages.keys where page >= first && page < end { pages[page] = nil }
  }
}
