// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// The I/O address translation of s390's PCI, as Linux uses it and QEMU provides it; IBM publishes no architecture.
// There are no registers: software speaks to it with instructions, which are methods here, and hears of errors
// through event records.
//
//     CLP      which functions there are; enable, disable
//     MPCIFC   register an address space (window and anchor) for a function, reset its error
//     RPCIT    refresh the translations of a range
//     STPCIFC  read back the state
//
// Each function has tables of its own, anchored at its IOTA: up to three region tables, a segment table, page tables.
// Two kinds of machine differ in what RPCIT is for. Bare metal caches what it walks, so RPCIT is needed when something
// goes. A hypervisor mirrors the guest's tables and sees only what RPCIT shows it, so it is needed when something
// comes as well; the function's group then has the refresh bit.

/// The zPCI address translation of one machine, with all its functions.
public final class ZPCIIOMMU: IOMMUHardware {
  public let configuration: Configuration
  weak var fabric: (any HardwareFabric)?
  /// Unchecked, because two checks cost more than a cached translation; and one thread at a time is in here, and no
  /// method of the core calls anything that could come back.
  @exclusivity(unchecked) var core: Core
  /// What is to be fetched, oldest first.
  public internal(set) var events: [Event] = []
  /// Events that found no room.
  public internal(set) var lostEvents = 0
  /// Busy answers that are still to be given.
  var busyAnswers: Int

  public init(memory: PhysicalMemory, configuration: Configuration = Configuration()) {
    self.configuration = configuration
    core = Core(memory, configuration)
    busyAnswers = configuration.busyAnswers
  }

  /// Plugs the IOMMU in; it does not keep the fabric alive.
  public func connect(_ fabric: any HardwareFabric) { self.fabric = fabric }

  /// There are no registers.
  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 { 0 }
  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {}

  /// There are no page requests: a function that expects an answer hears that its interface has failed.
  public func pageRequest(_ request: PageRequest) {
    guard request.last, request.read || request.write else { return }
    fabric?.respond(
      PageResponse(source: request.source, pasid: request.pasid, group: request.group, code: .failure))
  }
}
