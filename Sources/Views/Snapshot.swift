// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

// Everything that is alive in a machine at one moment, as plain values: what is there (nodes), and who needs whom
// (edges). It is made from what the bench tells and knows neither the model nor any IOMMU. Every view, every drawing
// and every comparison is made from it, so they cannot disagree.
//
//     bench ── facts ──> Snapshot ──> tables, trees, JSON        `show objects`
//                                 ──> object graph               `graph`
//                                 ──> IOVA space                 `space`
//                                 ──> what changed               `diff`

/// A machine at one moment.
public struct Snapshot: Sendable {
  /// What a node is; objects of an iommufd by the kernel's type.
  public enum Kind: String, CaseIterable, Sendable {
    case process, file
    case ioas, access, hwpt, nested, viommu, vdevice, eventQueue, faultQueue, hwQueue, device, selftest
    case function, iommu

    /// The kernel's name of the object type; nil for what is no object of an iommufd.
    public var objectType: String? {
      switch self {
      case .ioas: "IOAS"
      case .access: "ACCESS"
      case .hwpt: "HWPT_PAGING"
      case .nested: "HWPT_NESTED"
      case .viommu: "VIOMMU"
      case .vdevice: "VDEVICE"
      case .eventQueue: "VEVENTQ"
      case .faultQueue: "FAULT"
      case .hwQueue: "HW_QUEUE"
      case .device: "DEVICE"
      case .selftest: "SELFTEST"
      case .process, .file, .function, .iommu: nil
      }
    }

    /// Whether the language's word for a kind of value can mean it.
    func isCalled(_ word: String) -> Bool {
      switch self {
      case .hwpt, .nested: word == "hwpt"
      case .faultQueue: word == "faultq"
      case .eventQueue: word == "veventq"
      case .hwQueue: word == "hwqueue"
      default: word == rawValue
      }
    }
  }

  /// Something alive.
  public struct Node: Sendable {
    /// What tells it from every other node, and is the same in a later snapshot: `3/2` is object 2 of the file that is
    /// descriptor 3, `device 0` a PCI function.
    public let key: String
    public let kind: Kind
    /// `IOAS 1`, `/dev/iommu`, `0000:00:01.0`.
    public let title: String
    /// What the script calls it, `$` in front.
    public internal(set) var names: [String]
    /// The key of the file that an object belongs to.
    public let file: String?
    public let facts: Fact

    /// The object ID, or the number of a process, an IOMMU or a function.
    public var number: UInt64 { (facts["id"] ?? facts["pid"] ?? facts["number"])?.number ?? 0 }
    /// `IOAS 1 $vm`
    public var label: String { ([title] + names).joined(separator: " ") }
  }

  /// Who needs whom: the source is there for the target's sake, or works through it.
  public struct Edge: Sendable, Equatable {
    public enum Kind: String, CaseIterable, Sendable {
      /// A process has the file open.
      case opens
      /// A device does its DMA through a page table.
      case attached
      /// A page table mirrors an IOAS, a nested one translates for its parent; an access looks into an IOAS.
      case parent
      /// Page faults go to the queue.
      case reports
      /// Anything else that holds a reference: a queue its vIOMMU, a vDEVICE its device.
      case uses
      /// The iommufd object stands for the PCI function.
      case binds
      /// The function's requests go through the IOMMU.
      case behind
    }
    public let from: String
    public let to: String
    public let kind: Kind
    /// What people read along the edge: `PASID 5`; often empty.
    public let label: String
  }

  /// Everything alive: processes, files, each file's objects by ID, PCI functions, IOMMUs.
  public private(set) var nodes: [Node] = []
  public private(set) var edges: [Edge] = []
  /// What the bench told, whole; nil where a target cannot be looked into, and only names are known.
  public let everything: Fact?
  /// The digest of all memory, where it was asked for.
  public let contents: UInt64?
  let names: SnapshotNames

  /// Looks at a machine.
  ///
  /// - Parameters:
  ///   - bench: nil for a target that cannot be looked into: the snapshot then holds the objects that have names, and
  ///     nothing about them.
  ///   - withContents: also tells machines apart by the bytes in their memory.
  public init(_ bench: (any Bench)?, names: SnapshotNames = SnapshotNames(), withContents: Bool = false) {
    everything = bench?.everything()
    contents = withContents ? bench?.contentsDigest() : nil
    self.names = names
    if let everything { read(everything) } else { readNames() }
  }

  /// The node of this key.
  public func node(_ key: String) -> Node? { nodes.first { $0.key == key } }

  /// Objects of one kind, or nodes of several, in order.
  public func nodes(_ kinds: Kind...) -> [Node] { nodes.filter { kinds.contains($0.kind) } }

  /// The node of an object of the file that requests go to.
  public func object(_ id: UInt32) -> Node? {
    nodes.first { $0.file != nil && $0.file == currentFile && $0.number == UInt64(id) }
  }

  /// The key of the file that requests go to.
  public private(set) var currentFile: String?

  /// What an IOAS maps: its areas, in the order of addresses.
  public func areas(of node: Node) -> [Area] {
    (node.facts["areas"]?.items ?? []).compactMap { Area($0, names) }
  }

  // MARK: Reading

  /// Without a bench: what has a name exists, as far as the script can tell.
  private mutating func readNames() {
    let file = names.file.map { String($0) }
    currentFile = file
    if let file {
      nodes.append(
        Node(key: file, kind: .file, title: "/dev/iommu", names: [], file: nil, facts: .record([])))
    }
    for object in names.objects.sorted(by: { $0.id < $1.id }) {
      guard let kind = Kind.allCases.first(where: { $0.isCalled(object.word) }) else { continue }
      let key = "\(file ?? "?")/\(object.id)"
      if let index = nodes.firstIndex(where: { $0.key == key }) {
        nodes[index].names.append("$\(object.name)")
        continue
      }
      nodes.append(
        Node(
          key: key, kind: kind, title: "\(Self.noun(kind)) \(object.id)", names: ["$\(object.name)"],
          file: file,
          facts: .record([("id", .id(object.id))])))
    }
  }

  private mutating func read(_ all: Fact) {
    let current = all["process"]?.number
    for process in all["processes"]?.items ?? [] {
      let pid = process["pid"]?.number ?? 0
      nodes.append(
        Node(
          key: "process \(pid)", kind: .process, title: "process \(pid)", names: [], file: nil, facts: process
        ))
    }
    for (index, file) in (all["files"]?.items ?? []).enumerated() { read(file, index, all, current) }
    for (index, device) in (all["devices"]?.items ?? []).enumerated() {
      let number = Int(device["number"]?.number ?? UInt64(index))
      nodes.append(
        Node(
          key: "device \(number)", kind: .function, title: device["address"]?.text ?? "device \(number)",
          names: names.functions[number].map { ["$\($0)"] } ?? [], file: nil, facts: device))
    }
    for iommu in all["iommus"]?.items ?? [] {
      let name = iommu["name"]?.text ?? ""
      nodes.append(
        Node(key: "iommu \(name)", kind: .iommu, title: "IOMMU \(name)", names: [], file: nil, facts: iommu))
    }
    for function in nodes(.function) {
      if let iommu = function.facts["iommu"]?.text {
        edges.append(Edge(from: function.key, to: "iommu \(iommu)", kind: .behind, label: ""))
      }
      for node in nodes(.device) where node.facts["device"]?.text == function.facts["address"]?.text {
        edges.append(Edge(from: node.key, to: function.key, kind: .binds, label: ""))
      }
    }
  }

  private mutating func read(_ file: Fact, _ index: Int, _ all: Fact, _ current: UInt64?) {
    var openers: [(pid: UInt64, fd: UInt64)] = []
    for process in all["processes"]?.items ?? [] {
      for entry in process["descriptors"]?.items ?? [] where entry["iommufd"]?.number == UInt64(index) {
        openers.append((process["pid"]?.number ?? 0, entry["fd"]?.number ?? 0))
      }
    }
    // A file that only an access or a mapping keeps open has no descriptor.
    let first = openers.first { $0.pid == current } ?? openers.first
    let key = first.map { $0.pid == 1 ? "\($0.fd)" : "\($0.pid):\($0.fd)" } ?? "file \(index)"
    if let fd = names.file,
      openers.contains(where: { $0.pid == current && $0.fd == UInt64(bitPattern: Int64(fd)) })
    {
      currentFile = key
    }
    nodes.append(
      Node(
        key: key, kind: .file, title: "/dev/iommu", names: [], file: nil,
        facts: .record(file.members.filter { $0.name != "objects" })))
    var seen: Set<UInt64> = []
    for opener in openers where seen.insert(opener.pid).inserted {
      let descriptors = openers.filter { $0.pid == opener.pid }.map { "\($0.fd)" }
      edges.append(
        Edge(
          from: "process \(opener.pid)", to: key, kind: .opens,
          label: "fd " + descriptors.joined(separator: ", ")))
    }
    let objects = file["objects"]?.items ?? []
    for object in objects {
      guard let kind = Kind.allCases.first(where: { $0.objectType == object["type"]?.text }) else { continue }
      let id = UInt32(truncatingIfNeeded: object["id"]?.number ?? 0)
      let called = names.objects.filter { $0.id == id && kind.isCalled($0.word) && key == currentFile }
      nodes.append(
        Node(
          key: "\(key)/\(id)", kind: kind, title: "\(Self.noun(kind)) \(id)",
          names: called.map { "$\($0.name)" },
          file: key, facts: object))
    }
    for object in objects { readEdges(of: object, in: key) }
  }

  /// The references of an object, as its facts name them. What holds it is the same seen from the other end, and is
  /// drawn where no fact names it.
  private mutating func readEdges(of object: Fact, in file: String) {
    guard let id = object["id"]?.number else { return }
    let from = "\(file)/\(id)"
    // What is nested on a vIOMMU refers to that, and to the parent through it.
    let isOnVIOMMU = object["viommu"].map { !Self.identifiers($0).isEmpty } ?? false
    for (member, kind) in Self.references where !(isOnVIOMMU && member == "parent") {
      for target in object[member].map(Self.identifiers) ?? [] {
        edges.append(Edge(from: from, to: "\(file)/\(target)", kind: kind, label: ""))
      }
    }
    for entry in object["pasids"]?.items ?? [] {
      guard let pasid = entry["pasid"]?.number, let target = entry["hwpt"]?.number else { continue }
      edges.append(Edge(from: from, to: "\(file)/\(target)", kind: .attached, label: "PASID \(pasid)"))
    }
    for holder in object["holders"].map(Self.identifiers) ?? []
    where !names(holder, asUserOf: id, in: file) {
      edges.append(Edge(from: "\(file)/\(holder)", to: from, kind: .uses, label: ""))
    }
  }

  /// Whether the facts of `holder` name `target` among what it refers to.
  private func names(_ holder: UInt32, asUserOf target: UInt64, in file: String) -> Bool {
    guard let facts = node("\(file)/\(holder)")?.facts else { return true }
    let id = UInt32(truncatingIfNeeded: target)
    if Self.references.contains(where: { facts[$0.member].map(Self.identifiers)?.contains(id) ?? false }) {
      return true
    }
    return (facts["pasids"]?.items ?? []).contains { $0["hwpt"]?.number == target }
  }

  /// Members of an object's facts that are references to other objects, not lists of who refers to it.
  private static let references: [(member: String, kind: Edge.Kind)] = [
    ("hwpt", .attached), ("ioas", .parent), ("parent", .parent), ("fault", .reports), ("viommu", .uses),
    ("device", .uses), ("access", .uses), ("depends-on", .uses), ("bound", .uses),
  ]

  private static func identifiers(_ fact: Fact) -> [UInt32] {
    switch fact {
    case .id(let id): [id]
    case .list(let items): items.flatMap(identifiers)
    default: []
    }
  }

  static func noun(_ kind: Kind) -> String {
    switch kind {
    case .ioas: "IOAS"
    case .access: "access"
    case .hwpt: "HWPT"
    case .nested: "nested HWPT"
    case .viommu: "vIOMMU"
    case .vdevice: "vDEVICE"
    case .eventQueue: "vEVENTQ"
    case .faultQueue: "fault queue"
    case .hwQueue: "HW queue"
    case .device: "device"
    case .selftest: "selftest device"
    case .process, .file, .function, .iommu: kind.rawValue
    }
  }
}

/// Something that an IOAS maps: a range of IOVAs and where its bytes are.
public struct Area: Sendable {
  public let first: UInt64
  public let last: UInt64
  /// `rw`, `ro`, `wo`, `none`
  public let access: String
  /// `$buf+0x1000`, an address of the process, `file 0x0`, `dma-buf 0x0`.
  public let source: String
  /// Pages of it and of whatever shares its memory that are pinned.
  public let pinned: UInt64
  /// Accesses that have it pinned; a hardware queue locks it.
  public let pins: UInt64
  public let locks: UInt64
  /// A page table holds it.
  public let isMapped: Bool

  init?(_ fact: Fact, _ names: SnapshotNames) {
    guard let first = fact["iova"]?.number, let last = fact["last"]?.number else { return nil }
    self.first = first
    self.last = last
    access = fact["access"]?.text ?? ""
    let offset = fact["offset"]?.number ?? 0
    let kind = fact["source"]?.text ?? ""
    source = kind == "memory" ? names.place(offset) ?? hex(offset) : "\(kind) \(hex(offset))"
    pinned = fact["pinned"]?.number ?? 0
    pins = fact["pins"]?.number ?? 0
    locks = fact["locks"]?.number ?? 0
    isMapped = fact["mapped"]?.isSet ?? false
  }
}
