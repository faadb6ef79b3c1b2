// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
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
