// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// The RISC-V IOMMU, by the ratified specification 1.0 with its extensions (QoS identifiers, non-leaf and range
// invalidation, PTE bits 60:59):
//
//     registers ──▶ ddtp ─▶ DDT ─▶ device context ─▶ [PDT ─▶ process context] ─▶ first stage ─▶ second stage
//         │                                                                          └▶ MSI page table
//         ├── command queue   what software asks: forget, fence, tell a device
//         ├── fault queue     what went wrong
//         └── page requests   what devices ask for
//
// Three kinds of caches lie on the way, each coherent only when its command says so: directory entries
// (IODIR), translations and pointers to leaf tables (both IOTINVAL). Everything that the specification leaves
// to the implementation is a field of `Configuration`.
//
// The state is one struct, `Core`, which does all that needs nobody else: it reads memory and translates. The class
// around it speaks with the fabric, and never does while it is inside the core.

/// A RISC-V IOMMU. RISC-V IOMMU Architecture Specification 1.0.
public final class RISCVIOMMU: IOMMUHardware {
  public let configuration: Configuration
  weak var fabric: (any HardwareFabric)?
  /// Unchecked, because two checks cost more than a cached translation; and one thread at a time is in here, and no
  /// method of the core calls anything that could come back.
  @exclusivity(unchecked) var core: Core

  /// An ATS.INVAL that no device answered, and no fence has reported.
  var invalidationTimedOut = false
  /// IOFENCE.C that asked for earlier reads, and for earlier writes, to be globally ordered.
  var orderedReads: UInt64 = 0
  var orderedWrites: UInt64 = 0
  /// The command queue is at work; a register write of a device it talks to does not start it again.
  var commandsRunning = false

  public init(memory: PhysicalMemory, configuration: Configuration = Configuration()) {
    self.configuration = configuration
    core = Core(memory, configuration)
  }

  /// Plugs the IOMMU in; it does not keep the fabric alive.
  public func connect(_ fabric: any HardwareFabric) { self.fabric = fabric }

  /// Makes PMA or PMP checks refuse a range to the IOMMU: its accesses there are access faults.
  public func refuse(_ range: Span64) {
    core.view.hazards.refused.append(range)
    core.view.hazards.any = true
  }

  /// Gives memory uncorrectable errors: what the IOMMU reads there is poisoned.
  public func poison(_ range: Span64) {
    core.view.hazards.poisoned.append(range)
    core.view.hazards.any = true
  }

  /// Undoes every `refuse` and `poison`.
  public func heal() {
    core.view.hazards.refused = []
    core.view.hazards.poisoned = []
    core.view.hazards.any = false
  }
}
