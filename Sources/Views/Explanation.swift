// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

// Plain words: what an object is for, who needs it and what keeps it from going; and why a device's access ends where it
// ends. Every sentence is made from facts that the views show as well.

/// Sentences about a snapshot.
public struct Explanation {
  private let snapshot: Snapshot

  public init(_ snapshot: Snapshot) { self.snapshot = snapshot }

  // MARK: Objects

  /// What a node is, who refers to it, and whether it can go; a sentence on each line.
  public func text(of node: Snapshot.Node) -> String {
    var lines = [sentence(about: node)]
    let up = snapshot.edges.filter { $0.from == node.key }
    for edge in up where edge.kind != .opens { lines.append(sentence(node, edge)) }
    let holders = snapshot.edges.filter { $0.to == node.key }
    for edge in holders { lines.append(sentence(edge)) }
    if let users = node.facts["users"]?.number {
      lines.append(contentsOf: destroying(node, Int(users), holders))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func sentence(about node: Snapshot.Node) -> String {
    let details = node.lines.isEmpty ? "" : " (" + node.lines.joined(separator: ", ") + ")"
    let meaning: String =
      switch node.kind {
      case .process: "is a process"
      case .file: "is an open iommufd, with an ID space of its own"
      case .ioas: "is an address space for DMA: what is mapped in it is in every page table that mirrors it"
      case .access: "lets the kernel itself reach memory through an IOAS, without an IOMMU"
      case .hwpt: "is a page table that mirrors an IOAS"
      case .nested: "is a page table that the guest writes, for addresses that its parent translates further"
      case .viommu: "is a slice of an IOMMU for one guest"
      case .vdevice: "tells a vIOMMU by which ID the guest knows a device"
      case .eventQueue: "hands what the hardware reports about a guest's devices to user space"
      case .faultQueue: "hands page requests of devices to user space, which answers them"
      case .hwQueue: "is a queue in guest memory that the hardware reads by itself"
      case .device: "is a device that this iommufd has bound"
      case .selftest: "stands for a mock device of the selftest driver"
      case .function: "is a PCI function"
      case .iommu: "is an IOMMU"
      }
    return "\(node.label) \(meaning)\(details)."
  }

  private func label(_ key: String) -> String { snapshot.node(key)?.label ?? key }

  private func sentence(_ node: Snapshot.Node, _ edge: Snapshot.Edge) -> String {
    let note = edge.label.isEmpty ? "" : " (\(edge.label))"
    let target = label(edge.to)
    return switch edge.kind {
    case .opens: "It has \(target) open\(note)."
    case .attached: "Its DMA\(note) goes through \(target)."
    case .parent: "It is built on \(target)."
    case .reports: "Its faults go to \(target)."
    case .uses: "It holds \(target)."
    case .binds: "It stands for \(target)."
    case .behind: "Its requests go through \(target)."
    }
  }

  private func sentence(_ edge: Snapshot.Edge) -> String {
    let note = edge.label.isEmpty ? "" : " (\(edge.label))"
    let source = label(edge.from)
    return switch edge.kind {
    case .opens: "\(source) has it open\(note)."
    case .attached: "\(source)\(note) does its DMA through it."
    case .parent: "\(source) is built on it."
    case .reports: "\(source) reports its faults to it."
    case .uses: "\(source) holds it."
    case .binds: "\(source) stands for it."
    case .behind: "\(source) is behind it."
    }
  }

  /// Why IOMMU_DESTROY would be refused, if it would.
  private func destroying(_ node: Snapshot.Node, _ users: Int, _ holders: [Snapshot.Edge]) -> [String] {
    guard users > 1 else { return ["Nothing refers to it: it can be destroyed."] }
    let inside = holders.filter { $0.kind != .binds }
    var needs = inside.map { label($0.from) }
    let outside = users - 1 - inside.count
    if outside > 0 {
      needs.append(
        node.kind == .device
          ? "whoever bound it"
          : "\(outside) user\(outside == 1 ? "" : "s") outside of the graph, such as an open file")
    }
    return [
      "It has \(users) users, itself included: it cannot be destroyed (EBUSY) before \(Self.list(needs))."
    ]
  }

  private static func list(_ items: [String]) -> String {
    let verb = items.count == 1 ? "lets go of it" : "let go of it"
    if items.count < 2 { return (items.first ?? "somebody") + " " + verb }
    return items.dropLast().joined(separator: ", ") + " and " + items[items.count - 1] + " " + verb
  }

  // MARK: Accesses

  /// How an access of a PCI function goes, and why: the way through the IOMMU's structures, where it ends, and what the
  /// IOAS behind it has at the address.
  ///
  /// - Parameter walk: what `HardwareBench.walk` tells of it.
  public func text(
    of function: Snapshot.Node, accessing iova: UInt64, pasid: UInt32?, writing: Bool, walk: Fact
  ) -> String {
    let iommu = snapshot.edges.first { $0.from == function.key && $0.kind == .behind }.flatMap {
      snapshot.node($0.to)
    }
    var lines = [
      "\(function.label) wants to \(writing ? "write" : "read") IOVA \(hex(iova)) \(pasid.map { "with PASID \($0)" } ?? "without a PASID")."
    ]
    let steps = walk["steps"]?.items ?? []
    let names = steps.compactMap { $0["structure"]?.text }
    lines.append(
      "\(iommu?.label ?? "Its IOMMU")\(iommu?.facts["kind"]?.text.map { " (\($0))" } ?? "") "
        + (names.isEmpty
          ? "needs no structure in memory for it."
          : "reads \(count(names.count, "structure")): \(Self.summary(names))."))
    lines.append(ending(walk, steps))
    lines += behind(function, iova, pasid, isFault: walk["result"]?.text != "translated")
    return lines.map { $0 + "\n" }.joined()
  }

  /// Names of steps, levels that follow each other as one: `STE, CD, stage 1 level 0 to 3`.
  private static func summary(_ names: [String]) -> String {
    var parts: [(head: String, first: String, last: String)] = []
    for name in names {
      let words = name.split(separator: " ")
      let number = words.last.flatMap { Int($0) == nil ? nil : String($0) }
      let head = number == nil ? name : words.dropLast().joined(separator: " ")
      if let number, let before = parts.last, before.head == head, !before.last.isEmpty {
        parts[parts.count - 1].last = number
      } else {
        parts.append((head, number ?? "", number ?? ""))
      }
    }
    return parts.map { part in
      part.first.isEmpty
        ? part.head
        : part.first == part.last
          ? "\(part.head) \(part.first)" : "\(part.head) \(part.first) to \(part.last)"
    }.joined(separator: ", ")
  }

  private func ending(_ walk: Fact, _ steps: [Fact]) -> String {
    let last =
      steps.last.map { step in
        " The last, \(step["structure"]?.text ?? ""), is at \(hex(step["at"]?.number ?? 0))."
      } ?? ""
    switch walk["result"]?.text {
    case "translated":
      let rights =
        (walk["readable"]?.isSet == true ? "r" : "-") + (walk["writable"]?.isSet == true ? "w" : "-")
      return
        "It is translated to physical \(hex(walk["address"]?.number ?? 0)), in a piece of \(sizeText(walk["size"]?.number ?? 0)), \(rights).\(last)"
    case "fault":
      let reason = walk["reason"]?.text.flatMap { DMAFault.Reason(rawValue: $0) }
      return
        "It ends in a fault, \(walk["name"]?.text ?? "") (code \(hex(walk["code"]?.number ?? 0))): \(Self.meaning(reason)).\(last)"
    default: return "It is held until software answers.\(last)"
    }
  }

  private static func meaning(_ reason: DMAFault.Reason?) -> String {
    switch reason {
    case .page: "a page table has no translation for it, or one that does not allow the access"
    case .blocked: "no page table was reached, since the device has none or nothing is let through"
    case .malformed: "a structure or the request is not well-formed"
    case .external: "there is no memory where a structure or the page should be"
    case .denied: "the function's own translation request was answered without permission"
    case .ended: "software ended it"
    case nil: "the IOMMU does not say why"
    }
  }

  /// What iommufd knows about the address.
  private func behind(_ function: Snapshot.Node, _ iova: UInt64, _ pasid: UInt32?, isFault: Bool) -> [String]
  {
    guard let device = snapshot.edges.first(where: { $0.to == function.key && $0.kind == .binds }) else {
      return ["No iommufd has bound it: it is on its group's default domain."]
    }
    let label = pasid.map { $0 == 0 ? "" : "PASID \($0)" } ?? ""
    guard
      let attachment = snapshot.edges.first(where: {
        $0.from == device.from && $0.kind == .attached && $0.label == label
      }), let table = snapshot.node(attachment.to)
    else {
      return ["\(self.label(device.from)) has nothing attached\(label.isEmpty ? "" : " at \(label)")."]
    }
    if table.kind == .nested {
      return ["\(table.label) is attached: the guest's own table decides what \(hex(iova)) means."]
    }
    guard let edge = snapshot.edges.first(where: { $0.from == table.key && $0.kind == .parent }),
      let ioas = snapshot.node(edge.to)
    else { return [] }
    let areas = snapshot.areas(of: ioas)
    if let area = areas.first(where: { $0.first <= iova && iova <= $0.last }) {
      return [
        "\(table.label) is attached; \(ioas.label) maps \(hex(area.first))...\(hex(area.last)) there, \(area.access), to \(area.source): this is byte \(hex(iova - area.first)) of it."
          + (isFault && area.access == "ro" ? " The area is read-only." : "")
      ]
    }
    let near = areas.last { $0.last < iova } ?? areas.first
    return [
      "\(table.label) is attached; \(ioas.label) maps nothing at \(hex(iova))"
        + (near.map { ", the nearest area is \(hex($0.first))...\(hex($0.last))." } ?? ".")
    ]
  }
}
