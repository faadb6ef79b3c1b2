// SPDX-License-Identifier: GPL-3.0-or-later

// The object graph as a drawing: boxes with places and wires with paths, before anybody has said how they look.
//
//     ┌ /dev/iommu ──────────────┐
//     │  IOAS                    │   what is referred to is above what refers to it,
//     │   ▲                      │   so every wire goes up: from the holder to the held
//     │  HWPT    fault queue     │
//     │   ▲                      │
//     │  device                  │
//     └───│──────────────────────┘
//      function ──> IOMMU            hardware is below all files
//
// The rows are fixed by the kinds. Inside a file, boxes are put in an order in which few wires cross (each near the mean
// of its neighbours, a few times over), and then moved as close to their neighbours as they fit. Wires that pass a row
// have a place of their own in it, so they do not run through boxes. Nothing is random: equal snapshots give equal
// drawings.

/// The object graph of a snapshot, laid out.
struct ObjectGraph {
  struct Box {
    let node: Snapshot.Node
    var x: Double
    var y: Double
    let width: Double
    let height: Double
    var centre: Double { x + width / 2 }
  }

  struct Wire {
    let edge: Snapshot.Edge
    /// From the holder to the held, through the rows between.
    var points: [(x: Double, y: Double)]
    /// Where the label is centred.
    var labelPlace: (x: Double, y: Double) = (0, 0)
  }

  /// The frame around the objects of a file.
  struct Frame {
    let title: String
    let x: Double
    let y: Double
    let width: Double
    let height: Double
  }

  private(set) var boxes: [Box] = []
  private(set) var wires: [Wire] = []
  private(set) var frames: [Frame] = []
  private(set) var width = 0.0
  private(set) var height = 0.0

  /// Sizes in pixels; a character of the monospaced fonts that are asked for is at most this wide.
  enum Metrics {
    static let character = 7.3
    static let smallCharacter = 6.7
    static let line = 16.0
    static let padding = 10.0
    static let gap = 26.0
    static let rowGap = 54.0
    static let margin = 16.0
    static let header = 30.0
  }

  init(_ snapshot: Snapshot) {
    var x = Metrics.margin
    var bottom = Metrics.margin
    for file in snapshot.nodes(.file) {
      let block = Block(
        snapshot.nodes.filter { $0.file == file.key }, snapshot.edges, Self.row,
        under: Metrics.header + Metrics.margin)
      let title = Self.title(of: file, in: snapshot)
      let width = max(block.width, Double(title.count) * Metrics.character) + 2 * Metrics.margin
      let height = max(block.bottom, Metrics.header + Metrics.margin) + Metrics.margin
      let shift = x + (width - block.width) / 2
      add(block, dx: shift, dy: Metrics.margin)
      frames.append(Frame(title: title, x: x, y: Metrics.margin, width: width, height: height))
      x += width + Metrics.gap
      bottom = max(bottom, Metrics.margin + height)
    }
    width = max(x - Metrics.gap, Metrics.margin) + Metrics.margin
    placeHardware(snapshot, below: bottom)
    let right = boxes.map { $0.x + $0.width }.max() ?? 0
    width = max(width, right + Metrics.margin)
    height = max(bottom, boxes.map { $0.y + $0.height }.max() ?? 0) + Metrics.margin
    connect(snapshot.edges)
  }

  /// Rows from the top: nothing refers to anything in its own row but a hardware queue to another.
  private static func row(_ kind: Snapshot.Kind) -> Int? {
    switch kind {
    case .ioas: 0
    case .hwpt, .access: 1
    case .viommu, .faultQueue: 2
    case .nested, .eventQueue, .hwQueue: 3
    case .vdevice: 4
    case .device: 5
    case .selftest: 6
    case .process, .file, .function, .iommu: nil
    }
  }

  private static func title(of file: Snapshot.Node, in snapshot: Snapshot) -> String {
    let openers = snapshot.edges.filter { $0.to == file.key && $0.kind == .opens }.map { edge in
      "\(snapshot.node(edge.from)?.title ?? edge.from) \(edge.label)"
    }
    let parts = [file.title] + openers + file.lines
    return parts.joined(separator: " · ")
  }

  static func box(_ node: Snapshot.Node) -> Box {
    let texts = [node.label] + node.lines
    let widest =
      texts.enumerated().map { index, text in
        Double(text.count) * (index == 0 ? Metrics.character : Metrics.smallCharacter)
      }.max() ?? 0
    return Box(
      node: node, x: 0, y: 0, width: (max(widest, 90) + 2 * Metrics.padding + 4).rounded(.up),
      height: Double(texts.count) * Metrics.line + 12)
  }

  private mutating func add(_ block: Block, dx: Double, dy: Double) {
    for var box in block.boxes {
      box.x += dx
      box.y += dy
      boxes.append(box)
    }
    for (edge, points) in block.detours {
      detours[Route(edge)] = points.map { ($0.x + dx, $0.y + dy) }
    }
  }

  /// Which edge a detour is of; there may be several of one kind between two nodes.
  private struct Route: Hashable {
    let from: String
    let to: String
    let label: String
    init(_ edge: Snapshot.Edge) {
      from = edge.from
      to = edge.to
      label = edge.label
    }
  }
  private var detours: [Route: [(x: Double, y: Double)]] = [:]

  /// Functions near what stands for them, IOMMUs near their functions.
  private mutating func placeHardware(_ snapshot: Snapshot, below top: Double) {
    var y = top + Metrics.rowGap
    for (kind, edge, isTarget) in [
      (Snapshot.Kind.function, Snapshot.Edge.Kind.binds, true), (.iommu, .behind, true),
    ] {
      var row = snapshot.nodes(kind).map { Self.box($0) }
      guard !row.isEmpty else { continue }
      let wanted = row.map { box -> Double? in
        let others = snapshot.edges.filter {
          $0.kind == edge && (isTarget ? $0.to : $0.from) == box.node.key
        }.compactMap { edge in boxes.first { $0.node.key == edge.from }?.centre }
        return others.isEmpty ? nil : others.reduce(0, +) / Double(others.count)
      }
      // Those that nothing stands for go to the right of the others.
      let order = row.indices.sorted { (wanted[$0] ?? .infinity, $0) < (wanted[$1] ?? .infinity, $1) }
      row = order.map { row[$0] }
      let last = wanted.compactMap { $0 }.max() ?? width / 2
      let places = Placement.fit(
        order.map { wanted[$0] ?? last }, widths: row.map(\.width), gap: Metrics.gap)
      let left = min(0, (zip(places, row).map { $0 - $1.width / 2 }.min() ?? 0) - Metrics.margin)
      for index in row.indices {
        row[index].x = places[index] - left - row[index].width / 2
        row[index].y = y
      }
      if left < 0 { shift(by: -left) }
      boxes += row
      y += (row.map(\.height).max() ?? 0) + Metrics.rowGap
    }
  }

  private mutating func shift(by distance: Double) {
    for index in boxes.indices { boxes[index].x += distance }
    frames = frames.map {
      Frame(title: $0.title, x: $0.x + distance, y: $0.y, width: $0.width, height: $0.height)
    }
    detours = detours.mapValues { $0.map { ($0.x + distance, $0.y) } }
    width += distance
  }

  // MARK: Wires

  private mutating func connect(_ edges: [Snapshot.Edge]) {
    let index = Dictionary(boxes.indices.map { (boxes[$0].node.key, $0) }, uniquingKeysWith: { $1 })
    struct End {
      let edge: Int
      let isSource: Bool
      let towards: Double
    }
    var tops: [Int: [End]] = [:]
    var bottoms: [Int: [End]] = [:]
    let drawn = edges.filter { index[$0.from] != nil && index[$0.to] != nil && $0.from != $0.to }
    for (number, edge) in drawn.enumerated() {
      guard let from = index[edge.from], let to = index[edge.to] else { continue }
      let via = detours[Route(edge)] ?? []
      let goesUp = boxes[from].y > boxes[to].y
      let first = via.first?.x ?? boxes[to].centre
      let last = via.last?.x ?? boxes[from].centre
      let source = End(edge: number, isSource: true, towards: first)
      let target = End(edge: number, isSource: false, towards: last)
      if goesUp { tops[from, default: []].append(source) } else { bottoms[from, default: []].append(source) }
      if goesUp { bottoms[to, default: []].append(target) } else { tops[to, default: []].append(target) }
    }
    var starts = [(x: Double, y: Double)](repeating: (0, 0), count: drawn.count)
    var ends = starts
    var turns = [Int](repeating: 0, count: drawn.count)
    for (sides, isTop) in [(tops, true), (bottoms, false)] {
      for (box, list) in sides {
        let sorted = list.sorted { ($0.towards, $0.edge) < ($1.towards, $1.edge) }
        for (place, end) in sorted.enumerated() {
          let x = boxes[box].x + boxes[box].width * Double(place + 1) / Double(sorted.count + 1)
          let y = isTop ? boxes[box].y : boxes[box].y + boxes[box].height
          if end.isSource {
            starts[end.edge] = (x, y)
            turns[end.edge] = place
          } else {
            ends[end.edge] = (x, y)
          }
        }
      }
    }
    for (number, edge) in drawn.enumerated() {
      let points = [starts[number]] + (detours[Route(edge)] ?? []) + [ends[number]]
      // Labels of wires from one box are at different heights, so they do not lie on each other.
      let along = 0.28 + 0.2 * Double(turns[number] % 3)
      let (a, b) = (points[0], points[1])
      let bend = along * along * (3 - 2 * along)
      wires.append(
        Wire(
          edge: edge, points: points,
          labelPlace: (a.x + (b.x - a.x) * bend, a.y + (b.y - a.y) * along)))
    }
  }
}

/// The boxes of one file in rows, from (0, 0).
private struct Block {
  var boxes: [ObjectGraph.Box] = []
  /// The points at which long edges pass the rows between their ends, from the holder to the held.
  var detours: [(edge: Snapshot.Edge, points: [(x: Double, y: Double)])] = []
  var width = 0.0
  var bottom = 0.0

  /// A box, or a place that a wire passes.
  private struct Item {
    var box: ObjectGraph.Box?
    var width: Double
    var centre = 0.0
    /// Items in the row above and in the row below that it is joined to.
    var above: [Int] = []
    var below: [Int] = []
  }
  private var items: [Item] = []
  private var rows: [[Int]] = []

  init(
    _ nodes: [Snapshot.Node], _ edges: [Snapshot.Edge], _ rowOf: (Snapshot.Kind) -> Int?, under top: Double
  ) {
    let used = Set(nodes.compactMap { rowOf($0.kind) }).sorted()
    rows = Array(repeating: [], count: used.count)
    var place: [String: (item: Int, row: Int)] = [:]
    for node in nodes {
      guard let wanted = rowOf(node.kind), let row = used.firstIndex(of: wanted) else { continue }
      let box = ObjectGraph.box(node)
      place[node.key] = (items.count, row)
      rows[row].append(items.count)
      items.append(Item(box: box, width: box.width))
    }
    var passing: [(edge: Snapshot.Edge, items: [Int])] = []
    for edge in edges {
      guard let from = place[edge.from], let to = place[edge.to], from.row != to.row else { continue }
      let step = from.row > to.row ? -1 : 1
      var chain = [from.item]
      for row in stride(from: from.row + step, to: to.row, by: step) {
        rows[row].append(items.count)
        chain.append(items.count)
        items.append(Item(box: nil, width: 6))
      }
      chain.append(to.item)
      for (a, b) in zip(chain, chain.dropFirst()) {
        let (upper, lower) = step < 0 ? (b, a) : (a, b)
        items[upper].below.append(lower)
        items[lower].above.append(upper)
      }
      if chain.count > 2 { passing.append((edge, Array(chain.dropFirst().dropLast()))) }
    }
    order()
    spread()
    finish(passing, under: top)
  }

  /// Puts every row into the order of the mean places of its neighbours, down and up again.
  private mutating func order() {
    var position = [Double](repeating: 0, count: items.count)
    for row in rows { for (index, item) in row.enumerated() { position[item] = Double(index) } }
    for round in 0..<6 {
      let down = round % 2 == 0
      for row in down ? Array(rows.indices) : rows.indices.reversed() {
        let keyed = rows[row].enumerated().map { index, item -> (item: Int, key: Double, index: Int) in
          let neighbours = down ? items[item].above : items[item].below
          let mean = neighbours.map { position[$0] }.reduce(0, +) / Double(max(neighbours.count, 1))
          return (item, neighbours.isEmpty ? position[item] : mean, index)
        }
        rows[row] = keyed.sorted { ($0.key, $0.index) < ($1.key, $1.index) }.map(\.item)
        for (index, item) in rows[row].enumerated() { position[item] = Double(index) }
      }
    }
  }

  /// Moves every item as near to the mean of its neighbours as its row lets it.
  private mutating func spread() {
    for row in rows { place(row, wanted: row.map { _ in 0 }) }
    for round in 0..<10 {
      for row in round % 2 == 0 ? rows : rows.reversed() {
        place(
          row,
          wanted: row.map { item in
            let neighbours = items[item].above + items[item].below
            if neighbours.isEmpty { return items[item].centre }
            return neighbours.map { items[$0].centre }.reduce(0, +) / Double(neighbours.count)
          })
      }
    }
    let left = items.map { $0.centre - $0.width / 2 }.min() ?? 0
    for index in items.indices { items[index].centre -= left }
    width = items.map { $0.centre + $0.width / 2 }.max() ?? 0
  }

  private mutating func place(_ row: [Int], wanted: [Double]) {
    let places = Placement.fit(
      wanted, widths: row.map { items[$0].width }, gap: ObjectGraph.Metrics.gap)
    for (item, place) in zip(row, places) { items[item].centre = place }
  }

  private mutating func finish(_ passing: [(edge: Snapshot.Edge, items: [Int])], under top: Double) {
    var y = top
    var heights: [Double] = []
    var middles = [Double](repeating: 0, count: items.count)
    for row in rows {
      let height = row.compactMap { items[$0].box?.height }.max() ?? 0
      for item in row {
        middles[item] = y + height / 2
        guard var box = items[item].box else { continue }
        box.x = items[item].centre - box.width / 2
        box.y = y
        boxes.append(box)
      }
      heights.append(height)
      y += height + ObjectGraph.Metrics.rowGap
    }
    bottom = rows.isEmpty ? top : y - ObjectGraph.Metrics.rowGap
    detours = passing.map { edge, chain in (edge, chain.map { (items[$0].centre, middles[$0]) }) }
  }
}

/// One row: everybody where he wants to be, as far as nobody overlaps.
enum Placement {
  /// The centres that are nearest to `wanted` (least squares) in that order, `gap` apart at least: isotonic regression of
  /// the wishes, each less what stands in front of it.
  static func fit(_ wanted: [Double], widths: [Double], gap: Double) -> [Double] {
    var offsets: [Double] = []
    var offset = 0.0
    for (index, width) in widths.enumerated() {
      if index > 0 { offset += widths[index - 1] / 2 + gap + width / 2 }
      offsets.append(offset)
    }
    // Neighbours whose wishes are in the wrong order share the mean.
    var pools: [(sum: Double, count: Int)] = []
    for (wish, offset) in zip(wanted, offsets) {
      pools.append((wish - offset, 1))
      while pools.count > 1 {
        let (last, before) = (pools[pools.count - 1], pools[pools.count - 2])
        guard before.sum / Double(before.count) > last.sum / Double(last.count) else { break }
        pools.removeLast(2)
        pools.append((before.sum + last.sum, before.count + last.count))
      }
    }
    let bases = pools.flatMap { [Double](repeating: $0.sum / Double($0.count), count: $0.count) }
    return zip(bases, offsets).map { $0 + $1 }
  }
}
