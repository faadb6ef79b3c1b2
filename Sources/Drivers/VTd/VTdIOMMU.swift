// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// A VT-d unit as Linux's driver knows it: `struct intel_iommu`.
///
/// Source: `drivers/iommu/intel/iommu.c`, `dmar.c`, `prq.c` and `irq_remapping.c`; reference backends-x86.md A7.1.
public final class VTdIOMMU: HardwareIOMMU, @unchecked Sendable {
  /// What a kernel's command line and the platform's firmware decide.
  public struct Options: Sendable {
    /// Scalable mode where the unit has it: `intel_iommu=sm_on`.
    public var isScalable = true
    /// Interrupts of devices are remapped: `intremap=on`.
    public var remapsInterrupts = true
    /// Interrupt destinations have 32 bits: `IRTA.EIME`, for x2APIC.
    public var hasExtendedInterrupts = false
    /// PCI segment of the unit.
    public var segment: UInt16 = 0
    /// Firmware's reserved memory: RMRR.
    public var reservedMemory: [ReservedMemory] = []
    /// Functions whose device-TLB invalidations are sent twice: the QAT quirk, `dev_needs_extra_dtlb_flush`.
    public var doubledDeviceFlushes = false

    public init() {}
  }

  /// A range that firmware wants mapped one to one for one function, or for all: `struct dmar_rmrr_unit`.
  public struct ReservedMemory: Sendable {
    public var first: UInt64
    public var last: UInt64
    public var source: UInt16?
    /// Only firmware needs it: a USB or graphics function.
    public var isRelaxable: Bool

    /// - Precondition: `first <= last`.
    public init(_ first: UInt64, _ last: UInt64, source: UInt16?, isRelaxable: Bool) {
      precondition(first <= last)
      self.first = first
      self.last = last
      self.source = source
      self.isRelaxable = isRelaxable
    }
  }

  let features: VTdFeatures
  let options: Options
  let memory: PhysicalMemory
  let failures: FailurePoints
  /// Behaves as the drivers since 6.19 rather than as that of 6.12.
  let isModern: Bool
  let queue: VTdQueue
  let root: UInt64
  /// `iommu->agaw`.
  let addressWidth: UInt64
  let pageRequestRing: UInt64?
  let interruptTable: VTdInterruptTable?

  /// `iommu->register_lock`, over the global command register.
  let registerLock = Lock(.vtdRegisters)
  /// GCMD's bits that stay: `iommu->gcmd`. Guarded by `registerLock`.
  var command: UInt32 = 0
  let translating = Atomic<Bool>(false)

  /// `iommu->lock`: root, context and PASID structures.
  let structureLock = Lock(.vtdStructures)

  private let idLock = Lock(.vtdDomainIDs)
  /// 0 tags what is not present, 1 is pass-through's; what domains get begins with 2. Guarded by `idLock`.
  private var ids = NumberAllocator(first: 2)

  private let faultReader = VTdReader()
  private let pageRequestReader = VTdReader()

  private let deviceLock = Lock(.vtdDevices)
  // Guarded by `deviceLock`.
  private var devices: [UInt16: VTdDevice] = [:]
  private var hostFunctions: [VTdDevice] = []

  init(
    _ name: String, _ driver: VTdDriver, _ port: any RegisterPort, _ options: Options, _ parts: VTdBringUp
  ) {
    self.options = options
    features = parts.features
    memory = driver.memory
    failures = driver.failures
    isModern = driver.isModern
    queue = parts.queue
    root = parts.root
    addressWidth = parts.addressWidth
    pageRequestRing = parts.pageRequestRing
    interruptTable = parts.interruptTable
    super.init(name: name, driver: driver, port: port)
  }

  // MARK: Invalidation

  /// Hands descriptors to the hardware and waits. The kernel's callers ignore errors, and so do these; they are kept
  /// as complaints.
  func submit(_ descriptors: [VTdDescriptor], drains: Bool = false) {
    switch queue.submit(descriptors, drains: drains) {
    case .done: break
    case .badDescriptor(let isFirst, let code):
      complain(
        isFirst
          ? "invalidation queue error \(code): a descriptor was refused"
          : "invalidation queue error \(code) behind the first slot: the kernel would wait for ever")
    case .timedOut(let source):
      complain("device-TLB invalidation of 0x\(String(source, radix: 16)) timed out")
    case .stuck: complain("an invalidation wait was never done")
    }
  }

  func submit(_ descriptor: VTdDescriptor) { submit([descriptor]) }

  /// A batch of range invalidations. `qi_batch_flush_descs`.
  func submitBatch(_ batch: [VTdDescriptor]) {
    if bugs.has(.skipSync) { queue.leave(batch) } else { submit(batch) }
  }

  /// TE in the software copy of GCMD. Set once.
  var isTranslating: Bool { translating.load(ordering: .relaxed) }

  /// Asks for the write buffer to be flushed where the unit has one. `iommu_flush_write_buffer`.
  func flushWriteBuffer() {
    guard features.needsWriteBufferFlush else { return }
    registerLock.withLock {
      port.write32(VTd.Register.gcmd, command | UInt32(VTd.GlobalCommand.wbf))
      if UInt64(port.read32(VTd.Register.gsts)) & VTd.GlobalCommand.wbf != 0 {
        complain("the write buffer was never flushed")
      }
    }
  }

  // MARK: Domain IDs

  /// The lowest that is free. `ida_alloc_range` of `domain_attach_iommu`.
  ///
  /// - Throws: ENOSPC.
  func allocateID() throws(Errno) -> UInt16 {
    let id = idLock.withLock { () -> Int? in
      let id = ids.allocate()
      guard id < features.domainCount else {
        ids.free(id)
        return nil
      }
      return id
    }
    guard let id else { throw .ENOSPC("the unit has no domain ID left", UInt64(features.domainCount)) }
    return UInt16(truncatingIfNeeded: id)
  }

  func freeID(_ id: UInt16) { idLock.withLock { ids.free(Int(id)) } }

  public override var holdings: [(name: String, count: Int)] {
    [
      ("domain-ids", idLock.withLock { ids.count }), ("interrupts", interruptTable?.taken ?? 0),
      ("functions", deviceLock.withLock { devices.count }),
    ]
  }

  // MARK: Devices

  /// The function with this requester ID. `device_rbtree_find`, for functions with ATS.
  func device(_ source: UInt16) -> VTdDevice? { deviceLock.withLock { devices[source] } }

  /// - Throws: EEXIST when the requester ID is taken.
  func add(_ device: VTdDevice) throws(Errno) {
    let source = device.function.requesterID
    let isNew = deviceLock.withLock { () -> Bool in
      guard devices[source] == nil else { return false }
      devices[source] = device
      return true
    }
    guard isNew else { throw .EEXIST("a function with this requester ID is there", UInt64(source)) }
  }

  /// Devices that take part in page requests.
  var faultingDevices: [VTdDevice] {
    deviceLock.withLock { devices.values.filter { $0.isInFaultQueue } }
  }

  func remove(_ device: VTdDevice) {
    deviceLock.withLock {
      if devices[device.function.requesterID] === device { devices[device.function.requesterID] = nil }
    }
  }

  /// Functions of the host itself, which nobody plugged in: they have their default domains.
  func keep(_ device: VTdDevice) { deviceLock.withLock { hostFunctions.append(device) } }

  // MARK: Interrupts

  /// `dmar_fault` and `prq_event_thread`.
  public override func handle(_ interrupt: HardwareInterrupt) {
    guard case .message(_, let data) = interrupt else { return }
    switch data {
    case VTdBringUp.faultVector: faultReader.run { readFaults() }
    case VTdBringUp.pageRequestVector: pageRequestReader.run { readPageRequests() }
    default: break
    }
  }
}
