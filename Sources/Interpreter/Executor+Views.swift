// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI
internal import Views

// Looking at the whole machine. A target without a bench is looked at as well: what is known of it is what the script
// itself has been told.

extension Executor {
  func look(_ action: ViewAction) throws(ActionError) {
    switch action {
    case .view(let view, let format):
      var input = ViewInput(snapshot())
      input.requests = requests
      output(view.text(input, as: format))
    case .graph(let format): output(GraphDrawing.text(snapshot(), as: format))
    case .space(let code, let format):
      let snapshot = snapshot()
      var spaces: [Snapshot.Node]?
      if let code {
        let id = UInt32(truncatingIfNeeded: try integer(code))
        guard let node = snapshot.object(id), node.kind == .ioas else {
          throw .stop(
            .problem(
              Problem(code: .noSuchMember, place: noPlace, message: "there is no IOAS \(id) in the open file")
            ))
        }
        spaces = [node]
      }
      output(SpaceDrawing.text(snapshot, spaces: spaces, as: format))
    case .explain(let code, let address, let pasid, let writing):
      guard bench != nil else { throw .stop(.needsBench) }
      if let address {
        try explain(access: code, address, pasid, writing)
      } else {
        try explain(code)
      }
    case .snapshot:
      guard bench != nil else { throw .stop(.needsBench) }
      answer("snapshot", .snapshot(KeptSnapshot(snapshot(withContents: true))))
    case .diff(let from, let to):
      let old = try kept(from)
      let new: Snapshot
      if let to { new = try kept(to) } else { new = snapshot(withContents: true) }
      let diff = SnapshotDiff(from: old, to: new)
      if !isAnswerChecked { output(diff.text) }
      for kind in SnapshotDiff.Change.Kind.allCases {
        answer(kind.rawValue, .number(UInt64(diff.count(kind))))
      }
    }
  }

  private func explain(_ code: Code) throws(ActionError) {
    let snapshot = snapshot()
    let subject = try given { () throws(Stop) in try value(code) }
    var nodes: [Snapshot.Node] = []
    switch subject {
    case .device(let device):
      if device.exists, let node = snapshot.object(device.device) { nodes.append(node) }
      if let number = device.function, let node = snapshot.node("device \(number)") { nodes.append(node) }
    case .handle(let handle) where handle.kind == .iommu:
      let iommus = snapshot.nodes(.iommu)
      if Int(handle.id) < iommus.count { nodes.append(iommus[Int(handle.id)]) }
    case .handle(let handle) where Kind.objects.contains(handle.kind):
      if let node = snapshot.object(handle.id) { nodes.append(node) }
    case .handle(let handle) where handle.kind == .context:
      nodes += snapshot.nodes(.file).filter { $0.key == "\(handle.fd)" || $0.key.hasSuffix(":\(handle.fd)") }
    default: break
    }
    guard !nodes.isEmpty else {
      throw .stop(
        .problem(
          Problem(
            code: .noSuchMember, place: noPlace,
            message: "there is nothing alive to explain: \(ValueText(executor: self).text(subject, .any))")))
    }
    let explanation = Explanation(snapshot)
    output(nodes.map { explanation.text(of: $0) }.joined())
  }

  private func explain(access code: Code, _ address: Code, _ pasid: Code?, _ writing: Bool)
    throws(ActionError)
  {
    guard let bench, case .device(let device) = try given({ () throws(Stop) in try value(code) }),
      let number = device.function
    else {
      throw .stop(
        .problem(
          Problem(
            code: .wrongKindAtRun, place: noPlace, message: "an access is explained of a PCI function",
            help: ["device add nic behind $io"])))
    }
    let iova = try integer(address)
    var tag: UInt32?
    if let pasid { tag = UInt32(truncatingIfNeeded: try integer(pasid)) }
    let walk = try tried { () throws(Errno) in
      try bench.walk(number, iova, pasid: tag, writing: writing)
    }
    let snapshot = snapshot()
    guard let function = snapshot.node("device \(number)") else { return }
    output(
      Explanation(snapshot).text(of: function, accessing: iova, pasid: tag, writing: writing, walk: walk))
  }

  private func kept(_ code: Code) throws(ActionError) -> Snapshot {
    guard case .snapshot(let kept) = try given({ () throws(Stop) in try value(code) }) else {
      throw .stop(
        .problem(
          Problem(
            code: .wrongKindAtRun, place: noPlace, message: "a snapshot belongs here",
            help: ["before = snapshot"])))
    }
    return kept.snapshot
  }

  /// The machine now, with the script's names for what is in it.
  func snapshot(withContents: Bool = false) -> Snapshot {
    Snapshot(bench, names: snapshotNames, withContents: withContents)
  }

  /// Names of what is bound where the statement stands; what was bound outside of a test is on another machine.
  private var snapshotNames: SnapshotNames {
    var names = SnapshotNames()
    names.file = context
    for (index, slot) in program.slots.enumerated() where index < slots.count && !foreignSlots.contains(index)
    {
      switch slots[index] {
      case .handle(let handle) where Kind.objects.contains(handle.kind) && handle.id != 0:
        names.objects.append(
          SnapshotNames.Object(name: slot.name, id: handle.id, word: handle.kind.rawValue))
      case .device(let device):
        if device.exists {
          names.objects.append(
            SnapshotNames.Object(name: slot.name, id: device.device, word: Kind.device.rawValue))
        }
        if let function = device.function { names.functions[function] = slot.name }
      case .memory(let address, let length): names.memory.append((slot.name, address, length))
      default: break
      }
    }
    return names
  }

  /// Most requests that are kept for `show requests`; older ones go.
  private static let keptRequests = 4096

  func keep(_ request: RequestRecord) {
    if requests.count == Self.keptRequests { requests.removeFirst(Self.keptRequests / 2) }
    requests.append(request)
  }
}
