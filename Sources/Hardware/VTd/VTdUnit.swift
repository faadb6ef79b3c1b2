// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// One remapping unit, as the Intel Virtualization Technology for Directed I/O Architecture Specification
// (D51397) describes it:
//
//     software -> registers -> translator: root pointer, caches      requests of devices -> translator
//              -> invalidation queue (in memory) -> caches                               -> fault records
//     page requests of devices -> page request queue (in memory) -> events -> software
//
// Everything happens at once: a command is done when the register write returns, and the queue has been
// consumed as far as it can be. `holdsInvalidationQueue` changes that for tests that choose an interleaving.
//
// Whatever the unit tells its fabric may come back as another request or register write. So the fabric is only
// called from here, never from inside the translator, and every loop reads its registers again.

/// The hardware half of Intel VT-d: legacy and scalable mode, both stages, nesting, queues, faults, page
/// requests, ATS and interrupt remapping.
public final class VTdUnit: IOMMUHardware {
  public let configuration: VTdConfiguration
  let memory: PhysicalMemory
  weak var fabric: (any HardwareFabric)?

  var registers: VTdRegisterFile
  /// Not checked for overlapping access, which takes a third of a cached translation (12.7 ns, 9.3 without): the
  /// translator calls nobody but memory, so nothing can come back while it is at work.
  @exclusivity(unchecked) var translator: VTdTranslator
  /// GSTS.TES.
  var isTranslating = false { didSet { updateOpen() } }

  /// While set, a write to the tail register does not start the invalidation queue: see `runInvalidationQueue`.
  public var holdsInvalidationQueue = false
  var isRunningQueue = false
  /// The fault record that is written next.
  var nextFaultRecord = 0

  /// Interrupt remapping: the table pointer that SIRTP latched, and the entries that were used.
  var interruptTable: UInt64 = 0
  var interruptEntries: [UInt16: VTdInterruptEntry] = [:]

  /// What software did although the manual says that it must not, by name.
  public internal(set) var anomalies: [String: UInt64] = [:]

  /// - Parameter fabric: where interrupts and messages to devices go; not kept alive.
  public init(
    memory: PhysicalMemory, fabric: (any HardwareFabric)?,
    configuration: VTdConfiguration = VTdConfiguration()
  ) {
    self.memory = memory
    self.fabric = fabric
    self.configuration = configuration
    registers = VTdRegisterFile(configuration)
    translator = VTdTranslator(memory, configuration)
  }

  /// Where interrupts and messages to devices go; not kept alive.
  public func connect(to fabric: (any HardwareFabric)?) { self.fabric = fabric }

  /// After TES or PMEN changed.
  func updateOpen() { translator.isOpen = isTranslating && !isProtecting }

  func load(_ address: UInt64) -> UInt64? { memory.load64(at: PhysAddr(address)) }

  func note(_ anomaly: String) { anomalies[anomaly, default: 0] &+= 1 }

  /// The source number of a requester on the unit's segment.
  func source(_ sid: UInt64) -> UInt32 {
    configuration.segment << 16 | UInt32(truncatingIfNeeded: sid & 0xFFFF)
  }

  /// Accessed or dirty bits that were written to read-only pages: erratum 772415.
  public var updatesOfReadOnlyPages: UInt64 { translator.updatesOfReadOnlyPages }
}
