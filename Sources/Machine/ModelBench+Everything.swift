// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import PageTables
internal import Seams
internal import UAPI
internal import VFIO

// The whole machine as one fact, for whoever draws it, compares it with what it was, or keeps it.

extension ModelBench {
  public func everything() -> Fact {
    let contexts = machine.kernel.openContexts
    let pins = machine.memory.pinTotals
    return .record([
      ("kernel", .text(machine.kernel.personality.rawValue)),
      ("process", .number(UInt64(target.process.pid))),
      (
        "memory",
        .record([
          ("frames", .number(UInt64(machine.memory.allocatedFrames))),
          ("pinned_frames", .number(UInt64(pins.frames))), ("pins", .number(UInt64(pins.pins))),
        ])
      ),
      ("processes", .list(machine.allProcesses.map { process($0, contexts) })),
      ("files", .list(contexts.map(file))),
      ("iommus", .list(machine.allIOMMUs.indices.compactMap { iommu($0) })),
      ("devices", .list((0..<machine.functionCount).compactMap(device))),
    ])
  }

  private func process(_ process: Process, _ contexts: [Context]) -> Fact {
    let descriptors = process.table.open.map { entry in
      let number = (entry.file as? ContextFile).flatMap { file in
        contexts.firstIndex { $0 === file.context }
      }
      return Fact.record([
        ("fd", .number(UInt64(entry.fd))), ("file", .text(entry.file.name)),
        ("iommufd", number.map { .number(UInt64($0)) } ?? .none),
      ])
    }
    let maps = process.space.mappings.map { mapping in
      Fact.record([
        ("first", .hex(mapping.first)), ("last", .hex(mapping.last)),
        ("mode", .text(Self.text(mapping.mode))),
        ("huge", .flag(mapping.huge)),
      ])
    }
    return facts(process).adding([("descriptors", .list(descriptors)), ("maps", .list(maps))])
  }

  /// `rwxs`, as in `/proc/PID/maps`.
  private static func text(_ mode: MapMode) -> String {
    let letters: [(MapMode, String)] = [(.read, "r"), (.write, "w"), (.execute, "x")]
    return letters.map { mode.contains($0.0) ? $0.1 : "-" }.joined() + (mode.contains(.shared) ? "s" : "p")
  }

  public func contentsDigest() -> UInt64 { machine.memory.digest }

  /// A file, with the page table of each HWPT that has one of a hardware format.
  private func file(_ context: Context) -> Fact {
    var tables: [UInt32: Fact] = [:]
    for case let hwpt as PagingHWPT in context.objects.all {
      guard let domain = hwpt.pagingDomain as? TableDomain else { continue }
      tables[hwpt.id] = .record([
        ("format", .text(domain.tableName)), ("root", .hex(domain.tableRoot.address.raw)),
        ("levels", .number(UInt64(domain.tableRoot.level + 1))),
        ("frames", .number(UInt64(domain.tableFrames))),
      ])
    }
    guard case .record(let members) = context.facts else { return context.facts }
    return .record(
      members.map { member in
        guard member.name == "objects", case .list(let objects) = member.value else { return member }
        return (
          "objects",
          .list(
            objects.map { object in
              guard let id = object["id"]?.number, let table = tables[UInt32(truncatingIfNeeded: id)] else {
                return object
              }
              return object.adding([("table", table)])
            })
        )
      })
  }

  private func iommu(_ number: Int) -> Fact? {
    let unit = machine.allIOMMUs[number]
    return state(ofIOMMU: number)?.adding(
      [(name: "number", value: .number(UInt64(number)))]
        + unit.software.holdings.map { ($0.name, .number(UInt64($0.count))) })
  }

  private func device(_ number: Int) -> Fact? {
    guard let endpoint = machine.function(number: number) else { return nil }
    let group = endpoint.device.group
    let vfio = endpoint.vfio.holdings
    return endpoint.facts.adding([
      ("number", .number(UInt64(number))),
      ("has-ats", .flag(endpoint.function.capabilities.ats)),
      ("has-pri", .flag(endpoint.function.capabilities.pri)),
      ("pasid-bits", .number(UInt64(endpoint.function.capabilities.pasidBits))),
      ("page-requests", .flag(endpoint.device.isInFaultQueue)),
      ("owners", .number(UInt64(group?.ownerCount ?? 0))),
      ("blocked", .flag(group?.isBlocked ?? false)),
      ("default-domain", .flag(group?.isOnDefaultDomain ?? false)),
      ("attached", .list((group?.attachedPASIDs ?? []).map { .number(UInt64($0)) })),
      ("vfio-files", .number(UInt64(vfio.files))), ("vfio-bound", .flag(vfio.isBound)),
      ("vfio-attached", .flag(vfio.isAttached)),
      ("vfio-pasids", .list(vfio.pasids.map { .number(UInt64($0)) })),
    ])
  }
}
