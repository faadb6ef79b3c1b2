// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

// From reset to translating. The kernel prepares interrupt remapping first, which needs the invalidation queue; then
// every unit gets its root table, the page request queue and its interrupts; translation is turned on last.

/// What a unit was given: memory that hardware reads, and what the capability registers said.
///
/// Source: `intel_prepare_irq_remapping`, `init_dmars` and `intel_iommu_init`; reference backends-x86.md A3.5 and A7.1.
struct VTdBringUp {
  let features: VTdFeatures
  let addressWidth: UInt64
  let queue: VTdQueue
  let root: UInt64
  let pageRequestRing: UInt64?
  let interruptTable: VTdInterruptTable?

  /// Data of the unit's own messages; the kernel has two vectors for them.
  static let faultVector: UInt32 = 0x31
  static let pageRequestVector: UInt32 = 0x32
  /// Pages of the page request queue, as a base-2 logarithm: PRQ_ORDER.
  static let pageRequestRingLg2: UInt64 = 4

  /// - Throws: ENODEV for a unit that the driver leaves alone, ENOMEM.
  init(_ port: any RegisterPort, _ driver: VTdDriver, _ options: VTdIOMMU.Options) throws(Errno) {
    let cap = port.read64(VTd.Register.cap)
    let ecap = port.read64(VTd.Register.ecap)
    guard cap != .max || ecap != .max else { throw .ENODEV("the unit's registers read as all ones") }
    features = VTdFeatures(cap: cap, ecap: ecap, wantsScalable: options.isScalable)
    guard features.has(VTd.ECap.qi) else { throw .ENODEV("the unit has no invalidation queue") }
    guard let addressWidth = features.addressWidth else {
      throw .ENODEV("the unit walks tables of no depth that the driver knows", cap)
    }
    self.addressWidth = addressWidth
    var frames = VTdFrames(driver.memory, driver.failures)
    do throws(Errno) {
      queue = try VTdQueue(port, driver.memory, isWide: features.hasWideDescriptors, &frames)
      interruptTable =
        options.remapsInterrupts && features.has(VTd.ECap.ir)
        ? VTdInterruptTable(
          driver.memory, try frames.allocate(VTdInterruptTable.frames), driver.failures,
          isExtended: options.hasExtendedInterrupts && features.has(VTd.ECap.eim)) : nil
      root = try frames.allocate(1)
      pageRequestRing =
        features.isScalable && features.has(VTd.ECap.prs)
        ? try frames.allocate(1 << Int(Self.pageRequestRingLg2)) : nil
    } catch {
      frames.release()
      throw error
    }
  }
}

/// Frames that are taken together, or not at all.
struct VTdFrames {
  private let memory: PhysicalMemory
  private let failures: FailurePoints
  private var runs: [(first: FrameNumber, count: Int)] = []

  init(_ memory: PhysicalMemory, _ failures: FailurePoints) {
    self.memory = memory
    self.failures = failures
  }

  /// The address of a zeroed run that is aligned to its size.
  ///
  /// - Precondition: `count` is a power of two.
  /// - Throws: ENOMEM.
  mutating func allocate(_ count: Int) throws(Errno) -> UInt64 {
    try failures.pass(.allocation, "a table or queue of the unit")
    let first = try memory.allocateContiguous(count, alignment: count)
    runs.append((first, count))
    return first.address.raw
  }

  mutating func release() {
    for run in runs {
      for offset in 0..<UInt32(run.count) { memory.release(FrameNumber(run.first.raw + offset)) }
    }
    runs = []
  }
}

extension VTdIOMMU {
  /// Sets a bit of the global command register that stays. `iommu->gcmd |= ...`
  ///
  /// - Throws: ENODEV when the status does not follow; the kernel panics after ten seconds.
  private func turnOn(_ bit: UInt64) throws(Errno) {
    let status = registerLock.withLock { () -> UInt64 in
      command |= UInt32(bit)
      port.write32(VTd.Register.gcmd, command)
      return UInt64(port.read32(VTd.Register.gsts))
    }
    guard status & bit != 0 else { throw .ENODEV("a global command was not done", bit) }
  }

  /// A command that hardware does once.
  private func trigger(_ bit: UInt64) throws(Errno) {
    let status = registerLock.withLock { () -> UInt64 in
      port.write32(VTd.Register.gcmd, command | UInt32(bit))
      return UInt64(port.read32(VTd.Register.gsts))
    }
    guard status & bit != 0 else { throw .ENODEV("a global command was not done", bit) }
  }

  /// Turns the unit on.
  ///
  /// - Throws: ENODEV.
  func start() throws(Errno) {
    typealias R = VTd.Register
    typealias Command = VTd.GlobalCommand
    readFaults()
    try turnOn(Command.qie)
    if let interruptTable {
      port.write64(R.irta, interruptTable.register)
      try trigger(Command.sirtp)
      if VTd.Cap.esirtps.of(features.cap) == 0 { submit(.allInterruptEntries) }
      try turnOn(Command.ire)
    }
    flushWriteBuffer()
    try setRoot()
    if let pageRequestRing {
      route(R.pectl, VTdBringUp.pageRequestVector)
      port.write64(R.pqh, 0)
      port.write64(R.pqt, 0)
      port.write64(R.pqa, pageRequestRing | VTdBringUp.pageRequestRingLg2)
      port.write32(R.pectl, 0)
    }
    route(R.fectl, VTdBringUp.faultVector)
    port.write32(R.fectl, 0)
    try turnOn(Command.te)
    translating.store(true, ordering: .relaxed)
    port.write32(R.pmen, 0)
  }

  /// Data and address of a message. `dmar_msi_write`.
  private func route(_ control: UInt64, _ vector: UInt32) {
    port.write32(control &+ 4, vector)
    port.write32(control &+ 8, UInt32(VTd.interruptAddressTop << VTd.interruptAddressShift))
    port.write32(control &+ 12, 0)
  }

  /// `iommu_set_root_entry`: without ESRTPS software empties the caches itself.
  private func setRoot() throws(Errno) {
    typealias Address = VTd.RootTableAddress
    let mode = features.isScalable ? VTd.TranslationTableMode.scalable : VTd.TranslationTableMode.legacy
    port.write64(VTd.Register.rtaddr, root | Address.ttm.with(mode))
    try trigger(VTd.GlobalCommand.srtp)
    guard VTd.Cap.esrtps.of(features.cap) == 0 else { return }
    submit(.allContexts)
    if features.isScalable { submit(.allPASIDEntries) }
    submit(.allTranslations(cap: features.cap))
  }
}
