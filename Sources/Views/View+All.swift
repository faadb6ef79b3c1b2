// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

extension View {
  /// Every view.
  public static let all: [View] = [
    View(
      "objects", "every object of every open /dev/iommu, with its users and who holds it", withoutBench: true
    ) { objects($0.snapshot) },
    View("edges", "who refers to whom, and as what") { edges($0.snapshot) },
    View("areas", "what every IOAS maps, where its bytes are, and what is pinned") { areas($0.snapshot) },
    View("ranges", "the IOVAs that every IOAS may use, those it is told to use, and those it may not") {
      ranges($0.snapshot)
    },
    View("domains", "every page table: its format and root, its size, what it is for, who uses it") {
      domains($0.snapshot)
    },
    View("accounting", "what is pinned and locked, by process and user, against the limits") {
      accounting($0.snapshot)
    },
    View("devices", "PCI functions and devices: group, IOMMU, capabilities, what they are attached to") {
      devices($0.snapshot)
    },
    View("groups", "groups of devices: their members, and who owns them") { groups($0.snapshot) },
    View("iommus", "the IOMMUs of the machine, and what went wrong in them") { iommus($0.snapshot) },
    View("caches", "every entry of every cache: IOMMUs' and devices' own") { caches($0.snapshot) },
    View("queues", "queues of iommufd and of IOMMUs, and what waits in them") { queues($0.snapshot) },
    View("faults", "the faults that IOMMUs reported to their drivers") { faults($0.snapshot) },
    View("processes", "processes, their descriptors and their memory") { processes($0.snapshot) },
    View("requests", "the requests so far, decoded", withoutBench: true) { requests($0) },
  ]

  // MARK: iommufd

  private static func objects(_ snapshot: Snapshot) -> Table {
    var table = Table("object", ["file", "id", "type", "name", "users", "holders", "about"])
    for node in snapshot.nodes where node.file != nil {
      let about = node.about
      table.add(
        .text(node.file ?? ""), .id(UInt32(truncatingIfNeeded: node.number)),
        .text(node.kind.objectType ?? ""),
        node.names.isEmpty ? .none : .text(node.names.joined(separator: " ")),
        node.facts["users"] ?? .none, node.facts["holders"] ?? .none, about.isEmpty ? .none : .text(about))
    }
    return table
  }

  private static func edges(_ snapshot: Snapshot) -> Table {
    var table = Table("reference", ["from", "edge", "to", "label"])
    for edge in snapshot.edges {
      table.add(
        .text(snapshot.node(edge.from)?.label ?? edge.from), .text(edge.kind.rawValue),
        .text(snapshot.node(edge.to)?.label ?? edge.to), edge.label.isEmpty ? .none : .text(edge.label))
    }
    return table
  }

  private static func areas(_ snapshot: Snapshot) -> Table {
    var table = Table(
      "area",
      ["ioas", "first", "last", "size", "access", "source", "pinned", "pins", "locks", "mapped"])
    for node in snapshot.nodes(.ioas) {
      for area in snapshot.areas(of: node) {
        table.add(
          .text(node.label), .hex(area.first), .hex(area.last),
          .text(sizeText(first: area.first, last: area.last)),
          .text(area.access), .text(area.source), .number(area.pinned), .number(area.pins),
          .number(area.locks), .flag(area.isMapped))
      }
    }
    return table
  }

  private static func ranges(_ snapshot: Snapshot) -> Table {
    var table = Table("range", ["ioas", "range", "first", "last", "size"])
    for node in snapshot.nodes(.ioas) {
      for (member, word) in [("iovas", "usable"), ("allowed", "allowed"), ("reserved", "reserved")] {
        for case .range(let first, let last) in node.facts[member]?.items ?? [] {
          table.add(
            .text(node.label), .text(word), .hex(first), .hex(last), .text(sizeText(first: first, last: last))
          )
        }
      }
    }
    return table
  }

  private static func domains(_ snapshot: Snapshot) -> Table {
    var table = Table(
      "page table",
      ["hwpt", "driver", "format", "on", "root", "levels", "frames", "leaves", "dirty", "for", "users"])
    for node in snapshot.nodes(.hwpt, .nested) {
      let facts = node.facts
      let purposes = [
        ("automatic", "automatic"), ("nest-parent", "nesting parent"), ("dirty-tracking", "dirty tracking"),
        ("pasid", "PASIDs"),
      ].filter { facts[$0.0]?.isSet ?? false }.map(\.1)
      let users = snapshot.edges.filter { $0.to == node.key && $0.kind == .attached }.map { edge in
        (snapshot.node(edge.from)?.label ?? edge.from) + (edge.label.isEmpty ? "" : " \(edge.label)")
      }
      let base = snapshot.edges.first { $0.from == node.key && $0.kind != .reports }
      let format = facts["table"]?["format"]?.text ?? (node.kind == .nested ? "the guest's" : "list")
      table.add(
        .text(node.label), facts["driver"] ?? .none, .text(format),
        base.flatMap { snapshot.node($0.to) }.map { .text($0.label) } ?? .none,
        facts["table"]?["root"] ?? .none,
        facts["table"]?["levels"] ?? .none, facts["table"]?["frames"] ?? .none, facts["leaves"] ?? .none,
        facts["dirty"] ?? .none, purposes.isEmpty ? .none : .text(purposes.joined(separator: ", ")),
        users.isEmpty ? .none : .text(users.joined(separator: ", ")))
    }
    return table
  }

  private static func accounting(_ snapshot: Snapshot) -> Table {
    var table = Table("process", ["process", "uid", "vmpin", "vmlck", "charged", "memlock"])
    for node in snapshot.nodes(.process) {
      table.add(
        .number(node.number), node.facts["uid"] ?? .none, node.facts["vmpin"] ?? .none,
        node.facts["vmlck"] ?? .none,
        node.facts["charged"] ?? .none, .text(sizeText(node.facts["memlock"]?.number ?? 0)))
    }
    let memory = snapshot.memory
    let files = snapshot.nodes(.file).map { file in
      "file \(file.key) charges the \(file.facts["accounting"]?.text ?? "user")"
    }
    table.remark =
      ([
        "\(count(Int(memory["pins"]?.number ?? 0), "pin")) on \(count(Int(memory["pinned_frames"]?.number ?? 0), "frame"))"
      ]
      + files).joined(separator: "; ")
    return table
  }

  private static func processes(_ snapshot: Snapshot) -> Table {
    var table = Table("process", ["process", "current", "descriptors", "memory"])
    for node in snapshot.nodes(.process) {
      let files = (node.facts["descriptors"]?.items ?? []).map {
        "\($0["fd"]?.number ?? 0)=\($0["file"]?.text ?? "")"
      }
      let memory = (node.facts["maps"]?.items ?? []).reduce(UInt64(0)) {
        $0 &+ ($1["last"]?.number ?? 0) &- ($1["first"]?.number ?? 0) &+ 1
      }
      table.add(
        .number(node.number), .flag(snapshot.everything?["process"]?.number == node.number),
        .list(files.map(Fact.text)), .text(sizeText(memory)))
    }
    return table
  }

  private static func requests(_ input: ViewInput) -> Table {
    var table = Table("request", ["statement", "request"])
    for request in input.requests { table.add(.number(UInt64(request.statement)), .text(request.line)) }
    return table
  }

  // MARK: Hardware

  private static func devices(_ snapshot: Snapshot) -> Table {
    var table = Table(
      "device", ["device", "name", "object", "group", "iommu", "has", "on", "attached", "owners", "held"])
    func attachments(_ node: Snapshot.Node?) -> Fact {
      let edges = snapshot.edges.filter { $0.from == node?.key && $0.kind == .attached }
      return .list(
        edges.map { edge in
          .text((snapshot.node(edge.to)?.title ?? edge.to) + (edge.label.isEmpty ? "" : " (\(edge.label))"))
        })
    }
    for node in snapshot.nodes(.function) {
      let bound = snapshot.edges.first { $0.to == node.key && $0.kind == .binds }.flatMap {
        snapshot.node($0.from)
      }
      table.add(
        .text(node.title), .list(node.names.map(Fact.text)), bound.map { .text($0.title) } ?? .none,
        node.facts["group"] ?? .none, node.facts["iommu"] ?? .none, .list(node.capabilities.map(Fact.text)),
        .list(node.enabled.map(Fact.text)), attachments(bound), node.facts["owners"] ?? .none,
        node.facts["held"] ?? .none)
    }
    let functions = Set(snapshot.nodes(.function).map(\.title))
    for node in snapshot.nodes(.device) {
      guard let name = node.facts["device"]?.text, !functions.contains(name) else { continue }
      table.add(
        .text(name), .list(node.names.map(Fact.text)), .text(node.title), node.facts["group"] ?? .none,
        .text("mock"), .list([]), .list([]), attachments(node), node.facts["owners"] ?? .none, .none)
    }
    return table
  }

  private static func groups(_ snapshot: Snapshot) -> Table {
    var table = Table("group", ["group", "devices", "owners", "domain", "pasids"])
    var order: [UInt64] = []
    var members: [UInt64: [Snapshot.Node]] = [:]
    let functions = Set(snapshot.nodes(.function).map(\.title))
    for node in snapshot.nodes(.function, .device) {
      // A function's iommufd object says the same of it again.
      if node.kind == .device, functions.contains(node.facts["device"]?.text ?? "") { continue }
      guard let group = node.facts["group"]?.number else { continue }
      if members[group] == nil { order.append(group) }
      members[group, default: []].append(node)
    }
    for group in order.sorted() {
      let nodes = members[group] ?? []
      let facts = nodes[0].facts
      let domain: String
      switch (facts["blocked"]?.isSet, facts["default-domain"]?.isSet) {
      case (true?, _): domain = "blocked"
      case (_, true?): domain = "default"
      default: domain = (facts["owners"]?.number ?? 0) > 0 ? "its owner's" : "default"
      }
      table.add(
        .number(group),
        .list(
          nodes.map { .text(([$0.facts["device"]?.text ?? $0.title] + $0.names).joined(separator: " ")) }),
        facts["owners"] ?? .none, .text(domain), facts["attached"] ?? .none)
    }
    return table
  }

  private static func iommus(_ snapshot: Snapshot) -> Table {
    var table = Table("IOMMU", ["iommu", "kind", "devices", "faults", "complaints", "bugs"])
    for node in snapshot.nodes(.iommu) {
      let devices = snapshot.edges.filter { $0.to == node.key }.compactMap { snapshot.node($0.from)?.title }
      table.add(
        node.facts["name"] ?? .none, node.facts["kind"] ?? .none, .list(devices.map(Fact.text)),
        .number(UInt64(node.facts["faults"]?.items.count ?? 0)), node.facts["complaints"] ?? .none,
        node.facts["bugs"] ?? .none)
    }
    return table
  }

  private static func caches(_ snapshot: Snapshot) -> Table {
    var table = Table("cached entry", ["where", "cache", "entry"])
    for node in snapshot.nodes(.iommu) {
      for path in HardwareParts.paths(HardwareParts.caches, node.facts["kind"]?.text ?? "") {
        for entry in HardwareParts.part(path, of: node.facts)?.items ?? [] {
          table.add(
            .text(node.title), .text(path.split(separator: ".").last.map { String($0) } ?? path),
            .text(members(entry)))
        }
      }
    }
    for node in snapshot.nodes(.function) {
      for entry in node.facts["cache"]?.items ?? [] {
        table.add(.text(node.title), .text("ATS"), .text(members(entry)))
      }
    }
    return table
  }

  /// The members of a record that say something: `address=0x1000 size=0x1000`.
  private static func members(_ fact: Fact) -> String {
    fact.members.compactMap { member in
      if case .none = member.value { return nil }
      return "\(member.name)=\(FactText.line(member.value))"
    }.joined(separator: " ")
  }

  private static func queues(_ snapshot: Snapshot) -> Table {
    var table = Table("queue", ["where", "queue", "size", "waiting", "contents"])
    for node in snapshot.nodes {
      let facts = node.facts
      switch node.kind {
      case .faultQueue:
        table.add(
          .text(node.label), .text("faults"), .none, facts["queued"] ?? .none,
          .text("answers awaited: \(FactText.line(facts["cookies"] ?? .none))"))
      case .eventQueue:
        table.add(
          .text(node.label), .text("events"), facts["depth"] ?? .none, facts["events"] ?? .none,
          facts["lost"]?.isSet == true ? .text("events were lost") : .none)
      case .hwQueue:
        table.add(
          .text(node.label), .text("the guest's"), .text(sizeText(facts["length"]?.number ?? 0)), .none,
          .text("at IOVA \(hex(facts["iova"]?.number ?? 0))"))
      case .iommu:
        for path in HardwareParts.paths(HardwareParts.queues, facts["kind"]?.text ?? "") {
          guard let queue = HardwareParts.part(path, of: facts) else { continue }
          let entries: [Fact]
          if case .list(let waiting) = queue {
            entries = waiting
          } else {
            entries = (queue["contents"] ?? queue["entries"])?.items ?? []
          }
          table.add(
            .text(node.title), .text(path.split(separator: ".").last.map { String($0) } ?? path),
            queueSize(queue), .number(UInt64(entries.count)), entries.isEmpty ? .none : .list(entries))
        }
      default: break
      }
    }
    return table
  }

  /// Entries that a queue has room for, as its kind tells it.
  private static func queueSize(_ queue: Fact) -> Fact {
    if let size = queue["size"] { return size }
    if let power = queue["sizeLg2"]?.number, power < 64 { return .number(1 << power) }
    // RISC-V calls the room "entries", and what is inside "contents".
    if queue["contents"] != nil, let size = queue["entries"] { return size }
    return .none
  }

  private static func faults(_ snapshot: Snapshot) -> Table {
    var table = Table("fault", ["iommu", "source", "pasid", "address", "access", "code", "name"])
    for node in snapshot.nodes(.iommu) {
      for fault in node.facts["faults"]?.items ?? [] {
        table.add(
          node.facts["name"] ?? .none, fault["source"] ?? .none, fault["pasid"] ?? .none,
          fault["address"] ?? .none, .text(fault["write"]?.isSet == true ? "write" : "read"),
          fault["code"] ?? .none, fault["name"] ?? .none)
      }
    }
    return table
  }
}
