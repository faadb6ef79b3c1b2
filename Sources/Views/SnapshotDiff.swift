// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

// What happened between two moments: what came, what went, and of the rest what is different.
//
//     + HWPT 3 $hw       automatic=no, ioas=1, ...
//     ~ IOAS 1 $vm       users: 1 became 2; areas: + 0x1000...0x1fff
//     - fault queue 4

/// The difference of two snapshots.
public struct SnapshotDiff: Sendable {
  public struct Change: Sendable {
    public enum Kind: String, CaseIterable, Sendable {
      case added, removed, changed
      var sign: String {
        switch self {
        case .added: "+"
        case .removed: "-"
        case .changed: "~"
        }
      }
    }
    public let kind: Kind
    /// The node's key; `memory` for what is no node's.
    public let key: String
    public let label: String
    /// What is different, each as `path: before became after`, `path: + item` or `path: - item`. Of what came or went,
    /// what it is.
    public let details: [String]
  }

  public let changes: [Change]

  public init(from old: Snapshot, to new: Snapshot) {
    var changes: [Change] = []
    for node in old.nodes where new.node(node.key)?.kind != node.kind {
      changes.append(
        Change(kind: .removed, key: node.key, label: node.label, details: Self.summary(node)))
    }
    for node in new.nodes {
      guard let before = old.node(node.key), before.kind == node.kind else {
        changes.append(
          Change(kind: .added, key: node.key, label: node.label, details: Self.summary(node)))
        continue
      }
      let details = Self.difference(before.facts, node.facts)
      if !details.isEmpty {
        changes.append(Change(kind: .changed, key: node.key, label: node.label, details: details))
      }
    }
    var memory = Self.difference(old.memory, new.memory)
    if let before = old.contents, let after = new.contents, before != after {
      memory.append("contents: other bytes")
    }
    if !memory.isEmpty {
      changes.append(Change(kind: .changed, key: "memory", label: "physical memory", details: memory))
    }
    self.changes = changes
  }

  public var isEmpty: Bool { changes.isEmpty }

  /// How many changes there are of a kind.
  public func count(_ kind: Change.Kind) -> Int { changes.count { $0.kind == kind } }

  /// A line for each thing that came, went or changed, and one more for each further detail.
  public var text: String {
    guard !changes.isEmpty else { return "nothing changed\n" }
    let width = changes.map(\.label.count).max() ?? 0
    var text = ""
    for change in changes {
      let lead = "\(change.kind.sign) \(change.label)"
      let margin = String(repeating: " ", count: width + 4)
      if change.details.isEmpty { text += lead + "\n" }
      for (index, detail) in change.details.enumerated() {
        text += index == 0 ? lead + String(repeating: " ", count: width + 4 - lead.count) : margin
        text += detail + "\n"
      }
    }
    return text
  }

  /// As a fact: a list of records with `change`, `key`, `what` and `details`.
  public var fact: Fact {
    .list(
      changes.map {
        .record([
          ("change", .text($0.kind.rawValue)), ("key", .text($0.key)), ("what", .text($0.label)),
          ("details", .list($0.details.map(Fact.text))),
        ])
      })
  }

  // MARK: Details

  /// The facts of a node that say something, on one line.
  private static func summary(_ node: Snapshot.Node) -> [String] {
    let parts = node.facts.members.compactMap { member -> String? in
      switch member.value {
      case .none, .flag(false), .number(0): return nil
      case .list(let items) where items.isEmpty: return nil
      case .list(let items) where items.contains(where: { !$0.members.isEmpty }):
        return "\(member.name): \(items.count)"
      case .record: return nil
      default:
        return ["id", "type", "pid", "number", "name"].contains(member.name)
          ? nil : "\(member.name)=\(FactText.line(member.value, limit: 60))"
      }
    }
    return parts.isEmpty ? [] : [parts.joined(separator: ", ")]
  }

  /// Where two facts differ. Items of lists are told by their first member, so that one in the middle may go.
  static func difference(_ old: Fact, _ new: Fact, at path: String = "") -> [String] {
    if FactText.same(old, new) { return [] }
    switch (old, new) {
    case (.record(let before), .record(let after)):
      var lines: [String] = []
      for member in before {
        let place = path.isEmpty ? member.name : "\(path).\(member.name)"
        if let now = new[member.name] {
          lines += difference(member.value, now, at: place)
        } else {
          lines.append("\(place): no longer known")
        }
      }
      for member in after where old[member.name] == nil {
        lines += difference(.none, member.value, at: path.isEmpty ? member.name : "\(path).\(member.name)")
      }
      return lines
    case (.list(let before), .list(let after)): return difference(before, after, at: path)
    default: return ["\(path): \(FactText.line(old, limit: 80)) became \(FactText.line(new, limit: 80))"]
    }
  }

  /// Most items of one list that are told one by one.
  private static let longest = 8

  private static func difference(_ old: [Fact], _ new: [Fact], at path: String) -> [String] {
    var lines: [String] = []
    var left = Dictionary(grouping: old.indices, by: { key(old[$0]) })
    var added: [Fact] = []
    for item in new {
      let name = key(item)
      // Of several with one name the equal one, if any.
      guard let candidates = left[name], !candidates.isEmpty else {
        added.append(item)
        continue
      }
      let index = candidates.first { FactText.same(old[$0], item) } ?? candidates[0]
      left[name] = candidates.filter { $0 != index }
      lines += difference(old[index], item, at: "\(path)[\(name)]")
    }
    let removed = left.values.flatMap { $0 }.sorted().map { old[$0] }
    for (sign, items) in [("-", removed), ("+", added)] {
      for item in items.prefix(longest) {
        lines.append("\(path): \(sign) \(FactText.line(item, limit: 120))")
      }
      if items.count > longest { lines.append("\(path): \(sign) \(items.count - longest) more") }
    }
    return lines
  }

  /// What tells an item of a list from its neighbours.
  private static func key(_ fact: Fact) -> String {
    switch fact {
    case .record(let members): members.first.map { FactText.line($0.value, limit: 60) } ?? ""
    default: FactText.line(fact, limit: 60)
    }
  }
}

extension Snapshot {
  /// What is no node's: frames and pins of the whole machine.
  var memory: Fact { everything?["memory"] ?? .none }

  /// All of it as text: two machines that went the same way have the same, and so has one that a statement did not
  /// change. Names are left out. With contents, two machines with the same text are in the same state, but for what a
  /// hash can miss.
  public var dump: String {
    var text = FactText.text(everything ?? .none)
    if let contents { text += "contents: \(hex(contents))\n" }
    return text
  }
}
