// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// One IOMMU of AMD's as its driver knows it: `struct amd_iommu`.
//
//     queue, wait  ──> command buffer ──> tail ──> hardware ──> number in the semaphore
//     device table <── functions' entries (AMDViDevice+Entry)
//     interrupt    ──> event log ──> fault records
//                      PPR log ────> page requests ──> Device.report ──> COMPLETE_PPR
//
// The hardware sees nothing of this object but registers and memory.

/// The driver half of an AMD-Vi IOMMU. Source: `drivers/iommu/amd/init.c`, `iommu.c`; AMD I/O Virtualization
/// Technology (IOMMU) Specification, publication 48882.
public final class AMDViIOMMU: HardwareIOMMU, @unchecked Sendable {
  let amd: AMDViDriver
  let memory: PhysicalMemory
  let failures: FailurePoints
  public let platform: AMDViPlatform
  /// EFR and EFR2 of this IOMMU.
  let features: UInt64
  let features2: UInt64

  let rings: AMDViRings
  var deviceTable: PhysAddr { rings.deviceTable }
  var deviceTableEntries: Int { rings.deviceTableEntries }
  var semaphore: PhysAddr { rings.semaphore }

  /// `iommu->lock`: the command buffer.
  let commandLock = Lock(.amdCommands)
  // Guarded by `commandLock`.
  var commandHead: UInt64 = 0
  var commandTail: UInt64 = 0
  var lastWait: UInt64
  /// Something was queued after the last wait. `need_sync`.
  var needsWait = false

  private let deviceLock = Lock(.amdDevices)
  // Guarded by `deviceLock`: functions by DevID.
  private var devices: [UInt16: WeakDevice] = [:]

  private struct WeakDevice { weak var device: AMDViDevice? }

  /// One reader of the logs at a time.
  let logLock = Lock(.amdLogs)

  let interruptTables: AMDViInterruptTables

  /// Finds the IOMMU behind `port`, and allocates what it needs in memory. `early_amd_iommu_init`,
  /// `init_iommu_one`.
  ///
  /// - Throws: ENOMEM.
  init(
    _ name: String, _ driver: AMDViDriver, _ port: any RegisterPort, _ platform: AMDViPlatform,
    memory: PhysicalMemory, failures: FailurePoints
  ) throws(Errno) {
    amd = driver
    self.memory = memory
    self.failures = failures
    self.platform = platform
    features = port.read64(AMDViRegister.extendedFeature)
    features2 = port.read64(AMDViRegister.extendedFeature2)
    lastWait = platform.waitsElsewhere
    rings = try AMDViRings(
      memory, failures, lastDeviceID: platform.lastDeviceID, isSNP: platform.snpEnabled)
    interruptTables = AMDViInterruptTables()
    super.init(name: name, driver: driver, port: port)
  }

  func has(_ feature: UInt64) -> Bool { features & feature != 0 }
  func has2(_ feature: UInt64) -> Bool { features2 & feature != 0 }

  // MARK: What it can do

  /// `amd_iommu_hd_support`.
  var tracksDirty: Bool { has(AMDViFeature.hd) }
  /// `amd_iommu_gt_ppr_supported`.
  var takesPageRequests: Bool {
    has(AMDViFeature.gt) && has(AMDViFeature.gio) && has(AMDViFeature.ppr) && has(AMDViFeature.eph)
  }
  /// One more than the highest PASID, as PASmax has it: `iommu->iommu.max_pasids`.
  var maxPASIDs: UInt32 {
    guard has(AMDViFeature.gt) else { return 0 }
    return UInt32(truncatingIfNeeded: (UInt64(2) << min(features >> AMDViFeature.pasMaxShift & 0x1F, 19)) - 1)
  }
  /// Levels of a GCR3 table less one: `amd_iommu_max_glx_val`.
  var highestGLX: Int { Int(features >> AMDViFeature.glxShift & 3) }

  // MARK: Functions

  func device(_ id: UInt16) -> AMDViDevice? { deviceLock.withLock { devices[id]?.device } }

  func add(_ device: AMDViDevice) {
    deviceLock.withLock { devices[device.deviceID] = WeakDevice(device: device) }
  }

  func remove(_ device: AMDViDevice) { deviceLock.withLock { devices[device.deviceID] = nil } }

  /// `AMDViDevice.attach`.
  public override var blocksOnFailure: Bool { true }

  public override var holdings: [(name: String, count: Int)] {
    [
      ("domain-ids", amd.domainIDs.taken), ("interrupts", interruptTables.taken),
      ("functions", deviceLock.withLock { devices.count { $0.value.device != nil } }),
    ]
  }

  // MARK: Interrupts

  /// An interrupt is of one of three logs, and one vector may stand for all: the driver looks at each.
  /// `amd_iommu_int_thread`.
  public override func handle(_ interrupt: HardwareInterrupt) {
    handleEvents()
    handlePageRequests()
  }
}
