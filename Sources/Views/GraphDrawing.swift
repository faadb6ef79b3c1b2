// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

/// The object graph of a snapshot in the forms in which it can be had.
public enum GraphDrawing {
  public enum Format: String, CaseIterable, Sendable {
    case text, dot, svg, json
  }

  public static func text(_ snapshot: Snapshot, as format: Format) -> String {
    switch format {
    case .text: tree(snapshot)
    case .dot: dot(snapshot)
    case .svg: svg(snapshot)
    case .json: json(snapshot)
    }
  }

  // MARK: SVG

  private static func svg(_ snapshot: Snapshot) -> String {
    let graph = ObjectGraph(snapshot)
    let kinds = Snapshot.Edge.Kind.allCases.filter { kind in graph.wires.contains { $0.edge.kind == kind } }
    let legend = kinds.isEmpty ? 0.0 : 24
    let note = snapshot.everything == nil ? 24.0 : 0
    let width = max(graph.width, legendWidth(kinds) + 2 * ObjectGraph.Metrics.margin)
    var svg = SVG(
      width: width, height: graph.height + legend + note, title: "the objects of every open /dev/iommu")
    for frame in graph.frames {
      svg.rectangle(frame.x, frame.y, frame.width, frame.height, class: "frame", radius: 8)
      svg.text(frame.title, frame.x + 12, frame.y + 20, class: "title")
    }
    for wire in graph.wires {
      svg.path(path(wire.points), class: "wire \(wire.edge.kind.rawValue)", hasTip: true)
    }
    for box in graph.boxes { draw(box, &svg) }
    for wire in graph.wires where !wire.edge.label.isEmpty {
      let width = Double(wire.edge.label.count) * ObjectGraph.Metrics.smallCharacter + 6
      let (x, y) = wire.labelPlace
      svg.rectangle(x - width / 2, y - 8, width, 15, class: "plate", radius: 3)
      svg.text(wire.edge.label, x, y + 4, class: "small", anchor: "middle")
    }
    var x = ObjectGraph.Metrics.margin
    for kind in kinds {
      svg.path(
        "M\(SVG.number(x)),\(SVG.number(graph.height + 4)) h28", class: "wire \(kind.rawValue)", hasTip: true)
      svg.text(meaning(kind), x + 34, graph.height + 8, class: "small")
      x += 50 + Double(meaning(kind).count) * ObjectGraph.Metrics.smallCharacter
    }
    if note > 0 {
      svg.text(View.unknown, ObjectGraph.Metrics.margin, graph.height + legend + 8, class: "small")
    }
    return svg.document
  }

  private static func legendWidth(_ kinds: [Snapshot.Edge.Kind]) -> Double {
    kinds.reduce(0) { $0 + 50 + Double(meaning($1).count) * ObjectGraph.Metrics.smallCharacter }
  }

  private static func meaning(_ kind: Snapshot.Edge.Kind) -> String {
    switch kind {
    case .opens: "has open"
    case .attached: "DMA goes through"
    case .parent: "is built on"
    case .reports: "faults go to"
    case .uses: "holds"
    case .binds: "stands for"
    case .behind: "is behind"
    }
  }

  private static func draw(_ box: ObjectGraph.Box, _ svg: inout SVG) {
    svg.rectangle(
      box.x, box.y, box.width, box.height, class: "box", radius: 5,
      tip: box.node.facts["users"]?.number.map { "\(box.node.label): users \($0)" } ?? box.node.label)
    svg.rectangle(box.x, box.y + 3, 5, box.height - 6, class: box.node.kind.rawValue, radius: 2)
    let left = box.x + ObjectGraph.Metrics.padding + 3
    var y = box.y + 18
    var parts = [(text: box.node.title, class: "title")]
    if !box.node.names.isEmpty {
      parts.append((text: " " + box.node.names.joined(separator: " "), class: "name"))
    }
    svg.text(parts, left, y)
    for line in box.node.lines {
      y += ObjectGraph.Metrics.line
      svg.text(line, left, y, class: "small")
    }
  }

  /// From point to point, leaving and arriving upright.
  private static func path(_ points: [(x: Double, y: Double)]) -> String {
    let n = SVG.number
    var data = "M\(n(points[0].x)),\(n(points[0].y))"
    for (a, b) in zip(points, points.dropFirst()) {
      // Two boxes of one row: over the top of both.
      if a.y == b.y {
        data += " C\(n(a.x)),\(n(a.y - 30)) \(n(b.x)),\(n(b.y - 30)) \(n(b.x)),\(n(b.y))"
        continue
      }
      let half = (b.y - a.y) / 2
      data += " C\(n(a.x)),\(n(a.y + half)) \(n(b.x)),\(n(b.y - half)) \(n(b.x)),\(n(b.y))"
    }
    return data
  }

  // MARK: DOT

  /// For graphviz: a cluster for each file, edges from the holder to the held.
  private static func dot(_ snapshot: Snapshot) -> String {
    func quoted(_ text: String) -> String {
      var result = "\""
      for character in text {
        switch character {
        case "\\", "\"": result += "\\\(character)"
        case "\n": result += "\\n"
        default: result.append(character)
        }
      }
      return result + "\""
    }
    func statement(_ node: Snapshot.Node) -> String {
      "\(quoted(node.key)) [label=\(quoted(([node.label] + node.lines).joined(separator: "\n")))];\n"
    }
    var text = "digraph iofd {\n  rankdir=BT;\n  node [shape=box, style=rounded, fontname=monospace];\n"
    for (number, file) in snapshot.nodes(.file).enumerated() {
      text +=
        "  subgraph cluster\(number) {\n    label=\(quoted(([file.title] + file.lines).joined(separator: "\n")));\n"
      text += "    " + "\(quoted(file.key)) [shape=point, style=invis];\n"
      for node in snapshot.nodes where node.file == file.key { text += "    " + statement(node) }
      text += "  }\n"
    }
    for node in snapshot.nodes(.process, .function, .iommu) { text += "  " + statement(node) }
    for edge in snapshot.edges {
      let label = edge.label.isEmpty ? edge.kind.rawValue : edge.label
      text += "  \(quoted(edge.from)) -> \(quoted(edge.to)) [label=\(quoted(label))];\n"
    }
    if snapshot.everything == nil { text += "  label=\(quoted(View.unknown));\n" }
    return text + "}\n"
  }

  // MARK: JSON

  /// Everything known: nodes with all their facts, and edges. `version` changes when members change their meaning or go.
  private static func json(_ snapshot: Snapshot) -> String {
    let nodes = snapshot.nodes.map { node in
      Fact.record([
        ("key", .text(node.key)), ("kind", .text(node.kind.rawValue)), ("title", .text(node.title)),
        ("names", .list(node.names.map(Fact.text))), ("file", node.file.map(Fact.text) ?? .none),
        ("facts", node.facts),
      ])
    }
    let edges = snapshot.edges.map { edge in
      Fact.record([
        ("from", .text(edge.from)), ("to", .text(edge.to)), ("kind", .text(edge.kind.rawValue)),
        ("label", .text(edge.label)),
      ])
    }
    return FactJSON.text(
      .record([
        ("version", .number(1)), ("complete", .flag(snapshot.everything != nil)), ("nodes", .list(nodes)),
        ("edges", .list(edges)),
      ]))
  }

  // MARK: Text

  /// A tree for each file: what is referred to, and under it what refers to it. What has several such edges is under the
  /// first, and the others are told.
  private static func tree(_ snapshot: Snapshot) -> String {
    var text = ""
    var told: Set<String> = []
    func line(_ node: Snapshot.Node, via edge: Snapshot.Edge?) -> String {
      var parts = [node.label]
      if let edge, !edge.label.isEmpty { parts.append("(\(edge.label))") }
      let about = node.about
      if !about.isEmpty { parts.append("· \(about)") }
      let others = snapshot.edges.filter { $0.from == node.key && $0 != edge }.compactMap { other in
        snapshot.node(other.to).map { target in
          "\(meaning(other.kind)) \(target.label)" + (other.label.isEmpty ? "" : " (\(other.label))")
        }
      }
      if !others.isEmpty { parts.append("→ " + others.joined(separator: ", ")) }
      return parts.joined(separator: " ")
    }
    func children(of key: String, in file: String) -> [(node: Snapshot.Node, edge: Snapshot.Edge)] {
      snapshot.edges.filter { $0.to == key }.compactMap { edge in
        snapshot.node(edge.from).flatMap { $0.file == file ? ($0, edge) : nil }
      }
    }
    func put(_ node: Snapshot.Node, _ edge: Snapshot.Edge?, _ file: String, _ margin: String, isLast: Bool) {
      guard told.insert(node.key).inserted else { return }
      text += margin + (isLast ? "└─ " : "├─ ") + line(node, via: edge) + "\n"
      let below = children(of: node.key, in: file).filter { !told.contains($0.node.key) }
      // One node may come by several edges; it is told by the first.
      var keys: Set<String> = []
      let unique = below.filter { keys.insert($0.node.key).inserted }
      for (index, child) in unique.enumerated() {
        put(
          child.node, child.edge, file, margin + (isLast ? "   " : "│  "), isLast: index == unique.count - 1)
      }
    }
    for file in snapshot.nodes(.file) {
      let openers = snapshot.edges.filter { $0.to == file.key && $0.kind == .opens }.map { edge in
        "\(snapshot.node(edge.from)?.title ?? edge.from) \(edge.label)"
      }
      text += ([file.title] + openers + file.lines).joined(separator: " · ") + "\n"
      let nodes = snapshot.nodes.filter { $0.file == file.key }
      let roots = nodes.filter { node in
        !snapshot.edges.contains { $0.from == node.key && snapshot.node($0.to)?.file == file.key }
      }
      for (index, root) in roots.enumerated() {
        put(root, nil, file.key, "", isLast: index == roots.count - 1)
      }
      // A circle of references has no root; there is none in the kernel, and if there is one here it must be seen.
      for node in nodes where !told.contains(node.key) { put(node, nil, file.key, "", isLast: true) }
    }
    let hardware = snapshot.nodes(.iommu)
    for iommu in hardware {
      text += line(iommu, via: nil) + "\n"
      let functions = snapshot.edges.filter { $0.to == iommu.key }.compactMap { snapshot.node($0.from) }
      for (index, function) in functions.enumerated() {
        let edge = snapshot.edges.first { $0.from == function.key && $0.to == iommu.key }
        text += (index == functions.count - 1 ? "└─ " : "├─ ") + line(function, via: edge) + "\n"
      }
    }
    if text.isEmpty { text = "nothing is open\n" }
    if snapshot.everything == nil { text += View.unknown + "\n" }
    return text
  }
}
