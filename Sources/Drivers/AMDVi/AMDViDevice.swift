// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// A PCI function behind an AMD-Vi IOMMU: `struct iommu_dev_data`.
///
/// What it is attached to changes under the lock of its group only; its entry in the device table changes under
/// `entryLock` too, since interrupts and dirty tracking write there.
public final class AMDViDevice: PCIDevice, @unchecked Sendable {
  let unit: AMDViIOMMU
  /// PASIDs that the driver takes part in: `dev_data->max_pasids`.
  let pasidLimit: UInt32
  /// Invalidations that the function may have outstanding: `ats_qdep`.
  static let queueDepth: UInt32 = 32

  /// `dte_lock`.
  let entryLock = Lock(.amdDeviceEntry)

  // Guarded by the group's lock.
  /// The domain of requests without PASID; nil while blocked.
  var domain: (any AMDViAttachable)?
  /// The guest-managed domain on top of that, if one is attached.
  var nested: AMDViNestedDomain?
  var usesPRI = false
  var usesPASIDs = false
  /// Its page requests are taken: `ppr`.
  var takesPageRequests = false

  private let ats = Atomic<Bool>(false)
  /// `ats_enabled`. Flushes of the domain look at it too.
  var usesATS: Bool {
    get { ats.load(ordering: .acquiring) }
    set { ats.store(newValue, ordering: .releasing) }
  }

  private let guestLock = Lock(.amdGCR3)
  // Guarded by `guestLock`.
  private var guestTables: AMDViGCR3Table?

  /// Its tables by PASID, while the domain of its RID leaves room for some.
  var gcr3: AMDViGCR3Table? {
    get { guestLock.withLock { guestTables } }
    set { guestLock.withLock { guestTables = newValue } }
  }
  /// What PASIDs are attached to.
  var pasidDomains: [UInt32: AMDViGuestDomain] = [:]

  init(_ function: PCIFunction, behind unit: AMDViIOMMU, pasidLimit: UInt32) {
    self.unit = unit
    self.pasidLimit = pasidLimit
    let abilities = function.capabilities
    var capabilities: DeviceCapabilities = [.cacheCoherency, .enforceCacheCoherency]
    if unit.tracksDirty { capabilities.insert(.dirtyTracking) }
    if abilities.ats, unit.platform.hasDeviceCaches { capabilities.insert(.ats) }
    if abilities.pri { capabilities.insert(.pageRequests) }
    if abilities.isVirtualFunction { capabilities.insert(.virtualFunction) }
    if unit.platform.remapsInterrupts { capabilities.insert(.isolatedMSI) }
    let maxPASIDs =
      abilities.pasidBits == 0 ? 0 : min(unit.maxPASIDs, 1 << UInt32(min(abilities.pasidBits, 20)))
    super.init(
      function, behind: unit, capabilities: capabilities, maxPASIDs: maxPASIDs,
      reservedRegions: Self.regions(unit))
  }

  var deviceID: UInt16 { function.requesterID }

  /// `amd_iommu_get_resv_regions`.
  private static func regions(_ unit: AMDViIOMMU) -> [ReservedRegion] {
    var regions: [ReservedRegion] = []
    if let unity = unit.platform.unityRegion { regions.append(unity) }
    regions.append(ReservedRegion(AMDViAddress.msiFirst, AMDViAddress.msiLast, .msi))
    if !unit.has2(AMDViFeature2.htRangeIgnore) || !unit.amd.ignoresHTRange {
      regions.append(ReservedRegion(AMDViAddress.htFirst, AMDViAddress.htLast, .reserved))
    }
    return regions
  }

  /// A PASID capability that Linux uses makes the default domain an identity: `pdev_pasid_supported`.
  var canSendPASIDs: Bool { function.capabilities.pasidBits > 0 }

  // MARK: Capabilities of the function

  /// `pdev_enable_cap_ats`.
  func enableATS() {
    guard !usesATS, unit.platform.hasDeviceCaches, function.capabilities.ats else { return }
    function.configure {
      $0.ats = true
      $0.stuLg2 = 12
    }
    usesATS = true
  }

  /// `pdev_enable_caps`.
  func enableAll() {
    enableATS()
    if !usesPASIDs, canSendPASIDs {
      function.configure { $0.pasid = true }
      usesPASIDs = true
    }
    if !usesPRI, usesATS, function.capabilities.pri {
      function.configure {
        $0.pri = true
        $0.outstandingRequests = 32
      }
      usesPRI = true
    }
  }

  func disablePRI() {
    function.configure { $0.pri = false }
    usesPRI = false
  }

  /// `pdev_disable_caps`.
  func disableAll() {
    function.configure {
      $0.ats = false
      $0.pasid = false
      $0.pri = false
    }
    (usesATS, usesPASIDs, usesPRI) = (false, false, false)
  }

  /// Everything that the function has cached without PASID.
  func invalidateCache() {
    guard usesATS else { return }
    unit.queue(.deviceCache(of: deviceID, queueDepth: Self.queueDepth, .everything))
  }
}
