// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// The PCI of an s390 machine as its driver knows it: the functions, and the instructions that work on them.
///
/// Linux executes an instruction again for as long as it answers "busy"; the hardware's word that this ends is taken
/// here too. Source: `arch/s390/pci`: `pci_insn.c`, `pci.c`, `pci_event.c`.
public final class ZPCIHost: HardwareIOMMU, @unchecked Sendable {
  /// What the command line and the drivers bound to functions decide.
  public struct Settings: Sendable {
    /// `s390_iommu_aperture=`: functions may address so many times the size of memory; 0 for no bound.
    public var apertureFactor: UInt32 = 1
    /// `iommu.passthrough=1`.
    public var passthrough = false
    /// New domains have at least so many levels of region tables, 1 to 3, whatever they need. Not Linux's.
    public var leastRegions = 1
    /// A driver with error handlers is bound to every function, as vfio-pci is, so errors are recovered from.
    public var recovers = true

    public init() {}
  }

  public let settings: Settings
  let hasLargeTables: Bool
  /// Bytes that a function may address. `s390_iommu_aperture`.
  let aperture: UInt64
  private let instructions: any PCIInstructions

  private let lock = Lock(.zpciFunctions)
  // Guarded by `lock`, by FID.
  /// Handles of functions that the platform has announced and nobody has taken.
  private var announced: [UInt32: UInt32] = [:]
  private var devices: [UInt32: ZPCIDevice] = [:]

  /// - Parameter relaxed: functions may be given their addresses 1:1.
  public init(
    name: String, driver: ZPCIDriver, port: any RegisterPort & PCIInstructions, relaxed: Bool,
    settings: Settings = Settings()
  ) {
    self.settings = settings
    instructions = port
    hasLargeTables = driver.hasLargeTables
    let bytes = UInt64(driver.memory.frameCount) << Page.shift
    aperture = settings.apertureFactor == 0 ? .max : bytes &* UInt64(settings.apertureFactor)
    super.init(name: name, driver: driver.operations(relaxed: relaxed), port: port)
  }

  /// A channel report: events wait. What is above wire 0 are the functions' own interrupts.
  public override func handle(_ interrupt: HardwareInterrupt) {
    if interrupt == .wire(0) { readEvents() }
  }

  // MARK: Functions

  /// Takes a function that the platform has announced: asks what it is and enables it. Its FID is segment and requester
  /// ID. `zpci_create_device`, `zpci_scan_configured_device`.
  ///
  /// - Throws: ENODEV, EIO, ENOMEM.
  func create(_ function: PCIFunction, _ failures: FailurePoints) throws(Errno) -> ZPCIDevice {
    readEvents()
    let id = function.source
    guard let handle = lock.withLock({ announced[id] }) else {
      throw .ENODEV("the platform has announced no such function", UInt64(id))
    }
    try failures.pass(.allocation, "a function")
    guard let data = instructions.queryFunction(handle), let group = instructions.queryGroup(data.group)
    else {
      throw .EIO("the platform does not describe the function", UInt64(handle))
    }
    let enabled = instructions.setFunction(data.handle, enabled: true)
    guard enabled.response == ZPCI.CLP.ok else {
      throw .EIO("the function cannot be enabled", UInt64(handle), UInt64(enabled.response))
    }
    let device = ZPCIDevice(function, on: self, data, group, handle: enabled.handle)
    lock.withLock {
      announced[id] = nil
      devices[id] = device
    }
    return device
  }

  /// `zpci_disable_device`.
  func remove(_ device: ZPCIDevice) {
    let disabled = instructions.setFunction(device.handle, enabled: false)
    if disabled.response == ZPCI.CLP.ok { device.handle = disabled.handle }
    lock.withLock {
      devices[device.id] = nil
      announced[device.id] = device.handle
    }
  }

  /// `ZPCIDriver.move`.
  public override var blocksOnFailure: Bool { true }

  public override var holdings: [(name: String, count: Int)] {
    lock.withLock { [("functions", devices.count)] }
  }

  func device(_ id: UInt32) -> ZPCIDevice? { lock.withLock { devices[id] } }

  func announce(_ id: UInt32, _ handle: UInt32) {
    lock.withLock { if devices[id] == nil { announced[id] = handle } }
  }

  func retract(_ id: UInt32) { lock.withLock { announced[id] = nil } }

  // MARK: Instructions

  /// MPCIFC. `zpci_mod_fc`.
  func modify(_ device: ZPCIDevice, _ operation: UInt8, _ block: [UInt8]) -> InstructionEnd {
    let request = UInt64(device.handle) << 32 | UInt64(operation)
    return execute("MPCIFC", operand: request) { instructions.modifyFunctionControls(request, block) }
  }

  private static let emptyBlock = [UInt8](repeating: 0, count: ZPCI.FIB.size)

  /// Registers the DMA address space of a function: its window, and an anchor. The limit of internal shared memory is a
  /// page too far, since the platform's is one short. `zpci_register_ioat`.
  func register(_ device: ZPCIDevice, anchor: UInt64) -> InstructionEnd {
    let window = device.window
    let isShort = device.type == ZPCI.CLP.typeISM && window.last > window.first
    var block = Self.emptyBlock
    Self.put(window.first, at: ZPCI.FIB.base, in: &block)
    Self.put(isShort ? window.last &+ 4096 : window.last, at: ZPCI.FIB.limit, in: &block)
    Self.put(anchor, at: ZPCI.FIB.anchor, in: &block)
    return modify(device, ZPCI.Operation.registerIOAT, block)
  }

  /// Whether it worked is not asked. `zpci_unregister_ioat`.
  func unregister(_ device: ZPCIDevice) {
    guard !bugs.has(.skipContextFlush) else { return }
    _ = modify(device, ZPCI.Operation.deregisterIOAT, Self.emptyBlock)
  }

  /// `zpci_reset_load_store_blocked`, `zpci_clear_error_state`.
  func reset(_ device: ZPCIDevice, _ operation: UInt8) -> Bool {
    modify(device, operation, Self.emptyBlock) == .condition(ZPCI.Condition.ok, status: 0)
  }

  /// CLP SET PCI FUNCTION. `clp_set_pci_fn`.
  func enable(_ device: ZPCIDevice, _ enabled: Bool) -> Bool {
    let answer = instructions.setFunction(device.handle, enabled: enabled)
    if answer.response == ZPCI.CLP.ok { device.handle = answer.handle }
    return answer.response == ZPCI.CLP.ok
  }

  /// The handle that a function has now. `clp_refresh_fh`.
  func currentHandle(_ handle: UInt32) -> UInt32? { instructions.queryFunction(handle)?.handle }

  /// RPCIT. `zpci_refresh_trans`.
  ///
  /// - Returns: ENOMEM, EIO, or nil when all went well.
  func refresh(_ handle: UInt32, _ address: UInt64, _ length: UInt64) -> Errno? {
    let end = execute("RPCIT", operand: address) {
      instructions.refreshTranslations(UInt64(handle) << 32, address, length)
    }
    switch end {
    case .condition(ZPCI.Condition.ok, _): return nil
    case .condition(ZPCI.Condition.error, ZPCI.Status.notEnabled),
      .condition(ZPCI.Condition.error, ZPCI.Status.insufficientResources):
      return .ENOMEM("the hypervisor has no room for the translations", address, length)
    default: return .EIO("refreshing translations failed", address, length)
    }
  }

  /// The refresh that follows an unmap, with the mistakes that can be made.
  func refreshUnmapped(_ device: ZPCIDevice, _ address: UInt64, _ length: UInt64) {
    guard !bugs.isEmpty else {
      _ = refresh(device.handle, address, length)
      return
    }
    guard !bugs.has(.skipUnmapFlush) else { return }
    let handle = bugs.has(.wrongDomainFlush) ? device.handle ^ 1 : device.handle
    _ = refresh(handle, address, bugs.has(.shortFlush) ? min(length, 4096) : length)
  }

  func nextEvent() -> (contentCode: UInt8, record: [UInt8])? { instructions.storeEvent() }

  /// Executes until it is not busy, and complains of what did not work.
  private func execute(_ name: String, operand: UInt64, _ body: () -> InstructionEnd) -> InstructionEnd {
    var end = body()
    while case .condition(ZPCI.Condition.busy, _) = end { end = body() }
    switch end {
    case .condition(ZPCI.Condition.ok, _): break
    case .condition(let code, let status):
      complain("\(name) 0x\(String(operand, radix: 16)): condition \(code), status \(status)")
    case .exception: complain("\(name) 0x\(String(operand, radix: 16)): operand exception")
    }
    return end
  }

  /// Big-endian.
  private static func put(_ value: UInt64, at offset: Int, in block: inout [UInt8]) {
    for index in 0..<8 { block[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * index)) }
  }
}
