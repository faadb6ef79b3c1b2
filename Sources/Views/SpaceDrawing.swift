// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

/// The IOVA spaces of a snapshot, to scale, in the forms in which they can be had.
public enum SpaceDrawing {
  public enum Format: String, CaseIterable, Sendable {
    case text, svg, json
  }

  /// - Parameter spaces: the IOASes to draw; all of the snapshot if nil.
  public static func text(_ snapshot: Snapshot, spaces: [Snapshot.Node]? = nil, as format: Format) -> String {
    let maps = (spaces ?? snapshot.nodes(.ioas)).map { SpaceMap($0, in: snapshot) }
    let isKnown = snapshot.everything != nil
    switch format {
    case .text:
      if !isKnown { return View.unknown + "\n" }
      return maps.isEmpty ? "no IOAS\n" : maps.map(text).joined(separator: "\n")
    case .svg: return svg(isKnown ? maps : [], isKnown: isKnown)
    case .json: return json(isKnown ? maps : [], isKnown: isKnown)
    }
  }

  // MARK: Text

  private static let columns = 64

  /// A line for each piece; a window is a line of characters, each of which stands for as many bytes as is told.
  private static func text(_ map: SpaceMap) -> String {
    var text = "\(map.title): \(map.summary)\n"
    let labels = map.pieces.map { piece -> String in
      switch piece {
      case .broken(let stretch): "\(hex(stretch.first))...\(hex(stretch.last))"
      case .window(let first, let last, _, _): "\(hex(first))...\(hex(last))"
      }
    }
    let width = labels.map(\.count).max() ?? 0
    for (label, piece) in zip(labels, map.pieces) {
      text += "  " + label + String(repeating: " ", count: width - label.count) + "  "
      switch piece {
      case .broken(let stretch): text += "\(mark(stretch.state)) \(word(stretch.state)), \(stretch.size)\n"
      case .window(let first, let last, let areas, _):
        text += "|" + bar(map, first, last, areas) + "| \(sizeText(first: first, last: last))\n"
      }
    }
    for (index, line) in descriptions(map.areas).enumerated() { text += "  \(name(index))  \(line)\n" }
    return text
  }

  private static func word(_ state: SpaceMap.State) -> String {
    state == .forbidden ? "not allowed" : state.rawValue
  }

  private static func mark(_ state: SpaceMap.State) -> String {
    switch state {
    case .usable: "~"
    case .reserved: "/"
    case .forbidden: "x"
    }
  }

  /// A line for each area: `0x100000...0x10ffff  64 KiB  rw  $buf+0  16 pinned`.
  private static func descriptions(_ areas: [Area]) -> [String] {
    let rows = areas.map { area in
      [
        "\(hex(area.first))...\(hex(area.last))", sizeText(first: area.first, last: area.last), area.access,
        area.source,
        "\(area.pinned) pinned" + (area.locks > 0 ? ", locked" : "")
          + (area.isMapped ? "" : ", in no page table"),
      ]
    }
    let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell + (column < 4 ? String(repeating: " ", count: widths[column] - cell.count + 2) : "")
      }
      return line
    }
  }

  /// `a`, `b`, ... `z`, `a1`, ...
  private static func name(_ index: Int) -> String {
    let letter = String(UnicodeScalar(UInt8(97 + index % 26)))
    return index < 26 ? letter : "\(letter)\(index / 26)"
  }

  /// Each column shows the area that has its middle, so the picture is to scale; an area too small for a column of its
  /// own takes the one in which it begins.
  private static func bar(_ map: SpaceMap, _ first: UInt64, _ last: UInt64, _ areas: [Int]) -> String {
    var cells = [Character](repeating: ".", count: columns)
    let size = Double(last - first) + 1
    func column(_ address: UInt64) -> Double { (Double(address - first)) / size * Double(columns) }
    for index in areas {
      let area = map.areas[index]
      let from = min(columns - 1, Int(column(area.first) + 0.5))
      let to = max(from, min(columns - 1, Int(column(area.last) + 0.5) - 1))
      for cell in from...to { cells[cell] = name(index).first ?? "#" }
    }
    return String(cells)
  }

  // MARK: SVG

  private enum Metrics {
    static let width = 980.0
    static let margin = 16.0
    static let bar = 34.0
    static let broken = 104.0
    static let window = 190.0
    static let line = 17.0
    static let row = 84.0
  }

  private static func svg(_ maps: [SpaceMap], isKnown: Bool) -> String {
    var height = Metrics.margin
    let layouts = maps.map { rows($0) }
    for (map, rows) in zip(maps, layouts) {
      height += 34 + Double(rows.count) * Metrics.row + Double(map.areas.count) * Metrics.line + 14
    }
    height += 30
    var svg = SVG(width: Metrics.width, height: height, title: "IOVA space")
    var y = Metrics.margin
    for (map, rows) in zip(maps, layouts) {
      svg.text(
        [(map.title, "title"), ("   " + map.summary, "small")], Metrics.margin, y + 14)
      y += 34
      for row in rows {
        draw(row, of: map, y, &svg)
        y += Metrics.row
      }
      let lines = descriptions(map.areas)
      for (index, area) in map.areas.enumerated() {
        let access = Self.accesses.contains(area.access) ? area.access : "none"
        svg.rectangle(Metrics.margin, y - 1, 18, 13, class: access, radius: 2)
        svg.text(name(index), Metrics.margin + 9, y + 9.5, class: "inside", anchor: "middle")
        svg.text([(lines[index], "small")], Metrics.margin + 28, y + 10)
        y += Metrics.line
      }
      y += 14
    }
    if isKnown { legend(y, &svg) } else { svg.text(View.unknown, Metrics.margin, y + 14, class: "small") }
    return svg.document
  }

  private static let accesses = ["rw", "ro", "wo", "none"]

  private static func legend(_ y: Double, _ svg: inout SVG) {
    var x = Metrics.margin
    let entries = [
      ("rw", "mapped rw"), ("ro", "ro"), ("wo", "wo"), ("usable", "usable"), ("forbidden", "not allowed"),
      ("reserved", "reserved"),
    ]
    for (name, meaning) in entries {
      svg.rectangle(x, y, 18, 13, class: name, radius: 2)
      svg.text(meaning, x + 24, y + 11, class: "small")
      x += 40 + Double(meaning.count) * 6.7
    }
    svg.text("each window has a scale of its own; broken pieces have none", x + 8, y + 11, class: "small")
  }

  /// Pieces with their widths, in as many rows as they need; windows share what broken pieces leave, by their sizes on a
  /// logarithmic scale.
  private static func rows(_ map: SpaceMap) -> [[(piece: SpaceMap.Piece, x: Double, width: Double)]] {
    let room = Metrics.width - 2 * Metrics.margin
    var rows: [[SpaceMap.Piece]] = [[]]
    var used = 0.0
    for piece in map.pieces {
      let least = if case .window = piece { Metrics.window } else { Metrics.broken }
      if used + least > room, !(rows.last ?? []).isEmpty {
        rows.append([])
        used = 0
      }
      rows[rows.count - 1].append(piece)
      used += least
    }
    return rows.map { pieces in
      let weights = pieces.map { piece -> Double in
        guard case .window(let first, let last, _, _) = piece else { return 0 }
        return 4 + Double(64 - (last - first).leadingZeroBitCount) / 8
      }
      let least = pieces.reduce(0.0) { sum, piece in
        if case .window = piece { sum + Metrics.window } else { sum + Metrics.broken }
      }
      let total = weights.reduce(0, +)
      var x = Metrics.margin
      return zip(pieces, weights).map { piece, weight in
        var width = weight > 0 ? Metrics.window : Metrics.broken
        if total > 0 { width += (room - least) * weight / total }
        defer { x += width }
        return (piece, x, width)
      }
    }
  }

  private static func draw(
    _ row: [(piece: SpaceMap.Piece, x: Double, width: Double)], of map: SpaceMap, _ y: Double,
    _ svg: inout SVG
  ) {
    let n = SVG.number
    let axis = y + Metrics.bar + 4
    for (piece, x, width) in row {
      switch piece {
      case .broken(let stretch):
        svg.rectangle(
          x, y, width, Metrics.bar, class: stretch.state.rawValue,
          tip: "\(hex(stretch.first))...\(hex(stretch.last)) \(word(stretch.state))")
        let middle = x + width / 2
        svg.rectangle(middle - 44, y + 2, 88, Metrics.bar - 4, class: "plate", radius: 4)
        svg.text(word(stretch.state), middle, y + 15, class: "small", anchor: "middle")
        svg.text(stretch.size, middle, y + 28, class: "small", anchor: "middle")
        // The axis is broken: two strokes across it.
        svg.path(
          "M\(n(x)),\(n(axis)) H\(n(middle - 5)) m-3,4 l6,-8 m4,8 l6,-8 M\(n(middle + 5)),\(n(axis)) H\(n(x + width))",
          class: "axis")
        svg.path("M\(n(x)),\(n(axis - 3)) v6", class: "axis")
        svg.text(hex(stretch.first), x + 2, axis + 28, class: "small")
      case .window(let first, let last, let areas, let stretches):
        drawWindow(map, x, width, y, first, last, areas, stretches, &svg)
      }
    }
    if let last = row.last {
      svg.path("M\(n(last.x + last.width)),\(n(axis - 3)) v6", class: "axis")
    }
  }

  private static func drawWindow(
    _ map: SpaceMap, _ x: Double, _ width: Double, _ y: Double, _ first: UInt64, _ last: UInt64,
    _ areas: [Int], _ stretches: [SpaceMap.Stretch], _ svg: inout SVG
  ) {
    let n = SVG.number
    let size = Double(last - first) + 1
    func place(_ from: UInt64, _ to: UInt64) -> (x: Double, width: Double) {
      let start = Double(from - first) / size * width
      return (x + start, max(2, Double(to - from) / size * width + width / size))
    }
    for stretch in stretches {
      let (left, wide) = place(stretch.first, stretch.last)
      svg.rectangle(left, y, min(wide, x + width - left), Metrics.bar, class: stretch.state.rawValue)
    }
    let lines = descriptions(map.areas)
    for index in areas {
      let area = map.areas[index]
      let access = accesses.contains(area.access) ? area.access : "none"
      let (left, wide) = place(area.first, area.last)
      svg.rectangle(left, y, min(wide, x + width - left), Metrics.bar, class: access, tip: lines[index])
      svg.path("M\(n(left)),\(n(y)) v\(n(Metrics.bar))", class: "edge")
      if wide >= Double(name(index).count) * 7.3 + 4 {
        svg.text(name(index), left + wide / 2, y + 22, class: "inside", anchor: "middle")
      }
    }
    let axis = y + Metrics.bar + 4
    svg.path("M\(n(x)),\(n(axis)) H\(n(x + width)) M\(n(x)),\(n(axis - 3)) v6", class: "axis")
    svg.text(sizeText(first: first, last: last), x + width / 2, axis + 14, class: "small", anchor: "middle")
    svg.text(hex(first), x + 2, axis + 28, class: "small")
  }

  // MARK: JSON

  private static func json(_ maps: [SpaceMap], isKnown: Bool) -> String {
    let spaces = maps.map { map in
      Fact.record([
        ("ioas", .text(map.title)), ("summary", .text(map.summary)),
        ("pieces", .list(map.pieces.map { piece(of: map, $0) })),
      ])
    }
    return FactJSON.text(
      .record([("version", .number(1)), ("complete", .flag(isKnown)), ("spaces", .list(spaces))]))
  }

  private static func piece(of map: SpaceMap, _ piece: SpaceMap.Piece) -> Fact {
    switch piece {
    case .broken(let stretch):
      return .record([
        ("first", .hex(stretch.first)), ("last", .hex(stretch.last)),
        ("state", .text(stretch.state.rawValue)),
      ])
    case .window(let first, let last, let areas, _):
      let members = areas.map { index in
        let area = map.areas[index]
        return Fact.record([
          ("first", .hex(area.first)), ("last", .hex(area.last)), ("access", .text(area.access)),
          ("source", .text(area.source)), ("pinned", .number(area.pinned)), ("pins", .number(area.pins)),
          ("locks", .number(area.locks)), ("mapped", .flag(area.isMapped)),
        ])
      }
      return .record([("first", .hex(first)), ("last", .hex(last)), ("areas", .list(members))])
    }
  }
}
