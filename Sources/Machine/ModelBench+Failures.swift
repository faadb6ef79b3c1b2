// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI
internal import VFIO

extension ModelBench {
  public var failurePoints: [(name: String, summary: String)] {
    FailurePoint.allCases.map { ($0.name, $0.summary) }
  }

  public func armFailure(nth: UInt64, kinds: Set<String>?) {
    let points = kinds.map { kinds in Set(FailurePoint.allCases.filter { kinds.contains($0.name) }) }
    machine.kernel.failures.arm(nth: nth, only: points)
  }

  public func disarmFailure() -> Bool {
    machine.kernel.failures.disarm()
  }

  public var lastArming: (passes: UInt64, failure: InjectedFailure?) {
    let failures = machine.kernel.failures
    return (
      failures.passes,
      failures.failure.map { InjectedFailure(kind: $0.point.name, what: "\($0.what)", errno: $0.errno) }
    )
  }

  public var framesInUse: Int { machine.memory.allocatedFrames }

  public func endProcesses() { for process in machine.allProcesses { process.exit() } }

  public func restingState() -> Fact {
    let contexts = machine.kernel.openContexts
    let pins = machine.memory.pinTotals
    return .record([
      ("files", .list(contexts.map(\.facts))),
      ("pinned_frames", .number(UInt64(pins.frames))),
      ("pins", .number(UInt64(pins.pins))),
      ("processes", .list(machine.allProcesses.map(facts))),
      ("descriptors", .list(machine.allProcesses.map(descriptors))),
      ("groups", .number(UInt64(machine.groupNumbers.count))),
      ("iommus", .list(machine.allIOMMUs.map { unit in holdings(unit) })),
      ("devices", .list(machine.allFunctions.map { place($0, contexts) })),
    ])
  }

  private func descriptors(_ process: Process) -> Fact {
    .list(
      process.table.open.map { .record([("fd", .number(UInt64($0.fd))), ("file", .text($0.file.name))]) })
  }

  /// What the driver of an IOMMU has given out.
  private func holdings(_ unit: IOMMUUnit) -> Fact {
    .record(
      [(name: "name", value: Fact.text(unit.name))]
        + unit.software.holdings.map { ($0.name, .number(UInt64($0.count))) })
  }

  /// What a function is on, and where its DMA goes: by the driver's own account, and by what the hardware would do.
  private func place(_ endpoint: Endpoint, _ contexts: [Context]) -> Fact {
    let control = endpoint.function.control
    let group = endpoint.device.group
    let vfio = endpoint.vfio.holdings
    return .record([
      ("name", .text(endpoint.function.address)),
      ("ats", .flag(control.ats)), ("pri", .flag(control.pri)), ("pasid", .flag(control.pasid)),
      ("page-requests", .flag(endpoint.device.isInFaultQueue)),
      ("owners", .number(UInt64(group?.ownerCount ?? 0))),
      ("blocked", .flag(group?.isBlocked ?? false)), ("default", .flag(group?.isOnDefaultDomain ?? false)),
      ("attached", .list((group?.attachedPASIDs ?? []).map { .number(UInt64($0)) })),
      ("vfio-files", .number(UInt64(vfio.files))), ("vfio-bound", .flag(vfio.isBound)),
      ("vfio-attached", .flag(vfio.isAttached)),
      ("vfio-pasids", .list(vfio.pasids.map { .number(UInt64($0)) })),
      (
        endpoint.unit.software.blocksOnFailure ? "reach-or-blocked" : "reach",
        .list(reach(endpoint, contexts))
      ),
    ])
  }

  /// Most addresses that a function is asked about.
  private static let probes = 32

  /// Where the ends of mappings lead it, with each PASID that is attached and without.
  private func reach(_ endpoint: Endpoint, _ contexts: [Context]) -> [Fact] {
    var addresses: [UInt64] = [0, 0x1_2345_6000]
    for context in contexts {
      for case let ioas as IOAS in context.objects.all {
        for span in ioas.pagetable.mappedSpans where addresses.count < Self.probes {
          addresses += [span.first, span.last]
        }
      }
    }
    let pasids: [UInt32?] = [nil] + (endpoint.device.group?.attachedPASIDs ?? []).filter { $0 != 0 }
    return pasids.flatMap { pasid in
      addresses.map { address in
        let transaction = Transaction(source: endpoint.source, pasid: pasid, address: address, access: .read)
        let answer = endpoint.unit.withHardware { $0.walk(transaction) }.answer
        let place: String
        switch answer {
        case .translated(let translation):
          let access = (translation.readable ? "r" : "") + (translation.writable ? "w" : "")
          place = "0x\(String(translation.address, radix: 16)) \(access)"
        // At which level of a table it ends would depend on tables that are kept for the next time.
        case .aborted(let abort): place = endpoint.unit.kind.reason(abort.code).rawValue
        case .stalled: place = "held"
        }
        return .record([
          ("pasid", pasid.map { .number(UInt64($0)) } ?? .none), ("iova", .hex(address)),
          ("to", .text(place)),
        ])
      }
    }
  }
}
