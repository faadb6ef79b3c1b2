// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import UAPI

/// A PCI function behind a unit: `struct device_domain_info`.
///
/// Source: `drivers/iommu/intel/iommu.c`, `intel_iommu_probe_device`; reference backends-x86.md A7.1.
final class VTdDevice: PCIDevice, @unchecked Sendable {
  let unit: VTdIOMMU
  let atsSupported: Bool
  let priSupported: Bool
  let pasidSupported: Bool
  /// The PASID directory; nil in legacy mode.
  let pasidTable: VTdPASIDTable?

  // Guarded by the group's lock, which is held over every attach.
  var atsEnabled = false
  var priEnabled = false
  /// Domains with a fault handler that it is on: `iopf_refcount`.
  var faultUsers = 0
  /// What the RID is attached to; nil while it is blocked.
  var domain: (any VTdAttachable)?

  /// - Throws: ENOMEM.
  init(_ function: PCIFunction, behind unit: VTdIOMMU) throws(Errno) {
    let features = unit.features
    let wants = function.capabilities
    self.unit = unit
    atsSupported = wants.ats && features.has(VTd.ECap.dt)
    pasidSupported = wants.pasidBits > 0 && features.hasPASID
    priSupported =
      features.isScalable && atsSupported && wants.pri && features.has(VTd.ECap.prs)
      && features.has(VTd.ECap.pds)
    let bits = UInt32(min(max(wants.pasidBits, 0), 20))
    let limit = pasidSupported ? min(1 << bits, features.pasidLimit) : 0
    pasidTable =
      features.isScalable ? try VTdPASIDTable(unit.memory, unit.failures, pasids: limit) : nil

    var capabilities: DeviceCapabilities = .cacheCoherency
    if features.snoops { capabilities.insert(.enforceCacheCoherency) }
    if features.tracksDirty { capabilities.insert(.dirtyTracking) }
    if atsSupported { capabilities.insert(.ats) }
    if pasidSupported, wants.pasidExecute { capabilities.insert(.pasidExecute) }
    if pasidSupported, wants.pasidPrivileged { capabilities.insert(.pasidPrivileged) }
    if unit.interruptTable != nil { capabilities.insert(.isolatedMSI) }
    if wants.isVirtualFunction { capabilities.insert(.virtualFunction) }
    if wants.pri { capabilities.insert(.pageRequests) }
    super.init(
      function, behind: unit, capabilities: capabilities, maxPASIDs: limit,
      reservedRegions: Self.reservedRegions(function, unit))
  }

  /// Firmware's ranges, then the window of interrupts. `intel_iommu_get_resv_regions`.
  private static func reservedRegions(_ function: PCIFunction, _ unit: VTdIOMMU) -> [ReservedRegion] {
    var regions: [ReservedRegion] = []
    for range in unit.options.reservedMemory
    where range.source ?? function.requesterID == function.requesterID {
      regions.append(
        ReservedRegion(
          range.first & ~Page.mask, range.last | Page.mask, range.isRelaxable ? .directRelaxable : .direct))
    }
    let window = VTd.interruptAddressTop << VTd.interruptAddressShift
    regions.append(ReservedRegion(window, window | (1 << VTd.interruptAddressShift) - 1, .msi))
    return regions
  }

  /// PFSID of its device-TLB invalidations: only units that throttle them look at it.
  var physicalSource: UInt64 { unit.features.has(VTd.ECap.dit) ? UInt64(function.requesterID) : 0 }

  // MARK: Control registers of the function

  /// `iommu_enable_pci_ats`.
  func enableATS() {
    guard atsSupported else { return }
    function.configure {
      $0.ats = true
      $0.stuLg2 = 12
    }
    atsEnabled = true
  }

  func disableATS() {
    guard atsEnabled else { return }
    function.configure { $0.ats = false }
    atsEnabled = false
  }

  /// `iommu_enable_pci_pri`: as many requests outstanding as the queue has entries.
  func enablePRI() {
    guard priSupported, atsEnabled, !priEnabled else { return }
    // With PASIDs on, an answer without one would be ambiguous.
    if function.control.pasid, !function.capabilities.responseNeedsPASID { return }
    function.configure {
      $0.pri = true
      $0.outstandingRequests = VTdIOMMU.pageRequestSlots
    }
    priEnabled = true
  }

  func disablePRI() {
    guard priEnabled else { return }
    function.configure { $0.pri = false }
    priEnabled = false
  }

  // MARK: Page faults

  /// The device goes on a domain: with a fault handler its page requests are taken from now on. In 6.12 iommufd asks
  /// for that by itself. `iopf_for_domain_set`.
  ///
  /// - Throws: ENODEV without the page request interface; EBUSY, ENOMEM.
  func enableFaults(for domain: (any Domain)?) throws(Errno) {
    guard unit.isModern, let domain, domain.faultHandler != nil else { return }
    if faultUsers == 0 {
      guard priEnabled else { throw .ENODEV("the function's page request interface is off") }
      try joinFaultQueue(unit.failures)
    }
    faultUsers += 1
  }

  /// `iopf_for_domain_remove`.
  func disableFaults(for domain: (any Domain)?) {
    guard unit.isModern, let domain, domain.faultHandler != nil, faultUsers > 0 else { return }
    faultUsers -= 1
    if faultUsers == 0 { leaveFaultQueue() }
  }
}
