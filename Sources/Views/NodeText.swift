// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

// A node in a few words, for the column `about` and for the boxes of the graph.

extension Snapshot.Node {
  /// What there is to know at a glance, in one line.
  var about: String { lines.joined(separator: ", ") }

  /// The same as short lines, the most telling first.
  var lines: [String] {
    guard facts.members.count > 1 else { return [] }
    return switch kind {
    case .process: processLines
    case .file: ["\(facts["kernel"]?.text ?? "") · charges the \(facts["accounting"]?.text ?? "user")"]
    case .ioas: ioasLines
    case .access: [(facts["internal"]?.isSet == true ? "internal, " : "") + "alignment \(hexOf("alignment"))"]
    case .hwpt: tableLines
    case .nested: ["the guest's table", driver]
    case .viommu: ["type \(hexOf("viommu-type")) on \(facts["iommu"]?.text ?? "")"]
    case .vdevice: ["virtual ID \(hexOf("virtual-id"))"]
    case .eventQueue: ["\(numberOf("events")) of \(numberOf("depth")) events"]
    case .faultQueue:
      ["\(numberOf("queued")) queued, \(facts["cookies"]?.items.count ?? 0) unanswered"]
    case .hwQueue: ["\(sizeText(numberOf("length"))) at \(hexOf("iova"))"]
    case .device: ["\(facts["device"]?.text ?? "") · group \(numberOf("group"))"]
    case .selftest: [facts["device"]?.text ?? ""]
    case .function: functionLines
    case .iommu: iommuLines
    }
  }

  private func numberOf(_ name: String) -> UInt64 { facts[name]?.number ?? 0 }
  private func hexOf(_ name: String) -> String { hex(numberOf(name)) }
  private var driver: String { facts["driver"]?.text ?? "" }

  private var processLines: [String] {
    ["uid \(numberOf("uid"))", "\(count(Int(clamping: numberOf("vmpin")), "page")) pinned"]
  }

  private var ioasLines: [String] {
    let areas = facts["areas"]?.items.count ?? 0
    if areas == 0 { return ["nothing mapped"] }
    return [
      "\(count(areas, "area")), \(sizeText(numberOf("mapped")))",
      "\(count(Int(clamping: numberOf("pinned")), "page")) pinned",
    ]
  }

  private var tableLines: [String] {
    let purposes = [
      ("automatic", "automatic"), ("nest-parent", "nesting parent"), ("dirty-tracking", "dirty tracking"),
      ("pasid", "PASIDs"),
    ].filter { facts[$0.0]?.isSet ?? false }.map(\.1)
    let dirty = numberOf("dirty")
    return [
      facts["table"]?["format"]?.text ?? driver,
      (numberOf("leaves") == 1 ? "1 leaf" : "\(numberOf("leaves")) leaves")
        + (dirty > 0 ? ", \(dirty) dirty" : ""),
    ] + (purposes.isEmpty ? [] : [purposes.joined(separator: ", ")])
  }

  private var functionLines: [String] {
    let owners = numberOf("owners")
    return [
      "group \(numberOf("group"))" + (owners == 0 ? "" : ", owned"),
      capabilities.map { enabled.contains($0) ? $0 : "(\($0))" }.joined(separator: " "),
    ].filter { !$0.isEmpty }
  }

  private var iommuLines: [String] {
    let faults = facts["faults"]?.items.count ?? 0
    return [facts["kind"]?.text ?? ""] + (faults == 0 ? [] : [count(faults, "fault")])
  }

  /// What a PCI function can.
  var capabilities: [String] {
    (facts["has-ats"]?.isSet == true ? ["ATS"] : []) + (facts["has-pri"]?.isSet == true ? ["PRI"] : [])
      + (numberOf("pasid-bits") > 0 ? ["PASID"] : [])
  }

  /// What of it is on.
  var enabled: [String] {
    [("ats", "ATS"), ("pri", "PRI"), ("pasid", "PASID")].filter { facts[$0.0]?.isSet == true }.map(\.1)
  }
}
