// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// Arm's System MMU, version 3 (IHI 0070, issues F.b to H.a): the Non-secure programming interface.
//
//     StreamID ── stream table ── STE ─┬ stage 2 tables
//                                      └ SubstreamID ── CD table ── CD ── stage 1 tables
//
// What is fetched is kept: STEs and CDs with the tables above them until a CFGI command, translations and
// pointers to tables until a TLBI. Nothing else makes the SMMU look again.
//
// Commands run when software moves CMDQ_PROD, within that register write.

/// An SMMUv3. One thread at a time.
public final class SMMUv3: IOMMUHardware {
  public let configuration: Configuration
  /// Where interrupts, invalidations of devices and page responses go.
  public weak var fabric: (any HardwareFabric)?

  let memory: PhysicalMemory
  let capabilities: Capabilities
  let atomicsFault: Bool
  let walksQuickly: Bool

  // Registers.
  var cr0: UInt32 = 0
  var cr1: UInt32 = 0
  var cr2: UInt32 = 0
  var gbpa: UInt32 = 0
  var irqControl: UInt32 = 0
  var gerror: UInt32 = 0
  var gerrorN: UInt32 = 0
  var streamTableBase: UInt64 = 0
  var streamTableConfig: UInt32 = 0
  var gerrorMessage = MessageRegisters()
  var eventMessage = MessageRegisters()
  var priMessage = MessageRegisters()
  var commands: Queue
  var events: Queue
  var requests: Queue

  // Caches.
  private let tlbPlace: Resident<TranslationCache<UInt64, Entry>>
  private let walkPlace: Resident<TranslationCache<UInt64, TablePointer>>
  let tlb: UnsafeMutablePointer<TranslationCache<UInt64, Entry>>
  let walkEntries: UnsafeMutablePointer<TranslationCache<UInt64, TablePointer>>
  /// The TLB may hold translations for all ASIDs. Asked at every miss, and never while it is set: see `Resident`.
  @exclusivity(unchecked) var holdsGlobals = false
  var streams: [UInt32: StreamTableEntry] = [:]
  var contextDescriptors: [UInt64: ContextDescriptor] = [:]
  var streamTables: [UInt32: UInt64] = [:]
  var contextTables: [UInt64: UInt64] = [:]
  let contexts = ContextTable()

  // Work in progress.
  var runningCommands = false
  var outstanding: [CommandWords] = []
  var lastInvalidation: CommandWords?
  /// A device did not answer an ATC_INV; the next SYNC says so.
  var atcTimedOut = false
  var stalled: [UInt16: StalledTransaction] = [:]
  var nextStallTag: UInt16 = 0
  /// Records of stalled transactions that wait for room in the event queue.
  var waitingEvents: [EventRecord] = []
  /// The first of them that is not in the queue yet.
  var waitingFrom = 0
  var lastEvent: EventRecord?
  var mistakes = Mistakes()

  /// The Tegra241 command queue virtualisation, if the configuration has one.
  public private(set) var cmdqv: Tegra241CMDQV?

  /// An SMMU out of reset. IHI 0070, 3.11: everything disabled, transactions bypass.
  public init(_ configuration: Configuration = Configuration(), memory: PhysicalMemory) {
    self.configuration = configuration
    self.memory = memory
    capabilities = Capabilities(configuration)
    atomicsFault = !configuration.supportsAtomics
    walksQuickly = !configuration.usesContiguousHint && !configuration.reportsConflicts
    let idr1 = capabilities.idr1
    commands = Queue(
      maximumLg2: idr1[SMMU.IDR1.commandQueueSize], bytesLg2: SMMU.Queue.commandBytesLg2)
    events = Queue(maximumLg2: idr1[SMMU.IDR1.eventQueueSize], bytesLg2: SMMU.Queue.eventBytesLg2)
    requests = Queue(maximumLg2: idr1[SMMU.IDR1.priQueueSize], bytesLg2: SMMU.Queue.pageRequestBytesLg2)
    tlbPlace = Resident(TranslationCache(capacityLg2: min(20, max(0, configuration.translationCacheLg2))))
    walkPlace = Resident(TranslationCache(capacityLg2: min(20, max(0, configuration.walkCacheLg2))))
    tlb = tlbPlace.pointer
    walkEntries = walkPlace.pointer
    if let front = configuration.cmdqv { cmdqv = Tegra241CMDQV(front, self) }
  }

  /// Something that software did and the architecture calls unpredictable or ignored.
  struct Mistakes {
    private(set) var count = 0
    private(set) var last: [String] = []
    mutating func note(_ text: String) {
      count &+= 1
      if last.count == 16 { last.removeFirst() }
      last.append(text)
    }
  }

  /// Sentences about what software did and should not have, the last 16, oldest first.
  public var driverMistakes: [String] { mistakes.last }

  func isEnabled(_ bit: UInt32) -> Bool { cr0 & bit != 0 }

  /// A service failure: everything aborts, no queue moves, GERROR.SFM_ERR is active. IHI 0070, 12.3.
  public func enterServiceFailureMode() {
    contexts.removeAll()
    raise(SMMU.GlobalError.serviceFailureMode)
  }

  var hasFailed: Bool { isActive(SMMU.GlobalError.serviceFailureMode) }
}
