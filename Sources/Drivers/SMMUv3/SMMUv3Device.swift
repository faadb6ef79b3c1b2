// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import UAPI

/// A PCI function behind an SMMU: `struct arm_smmu_master`. Its requester ID is its only StreamID.
public final class SMMUv3Device: PCIDevice, @unchecked Sendable {
  let unit: SMMUv3Unit
  let ssidBits: Int
  /// It waits for the answer to a fault.
  let stalls: Bool

  // Guarded by the lock of the device's group.
  var contexts: SMMUv3ContextTable?
  /// PASIDs above 0 that have a context.
  var usedPASIDs = 0
  /// The STE leads to `contexts`.
  var usesContexts = false
  /// ATS as it is in the STE, and as it is in the function.
  var steHasATS = false
  var hasATS = false
  /// What the RID is on.
  var domain: (any Domain)?
  /// Attachments to domains that take faults.
  var faultUsers = 0

  /// What it is on a vIOMMU. Guarded by the unit's streams lock.
  var place: SMMUv3VirtualPlace?

  var stream: UInt32 { function.source }

  /// `arm_smmu_probe_device`.
  init(_ function: PCIFunction, behind unit: SMMUv3Unit) {
    self.unit = unit
    let features = unit.features
    var bits = min(function.capabilities.pasidBits, features.ssidBits)
    if !features.twoLevelContexts { bits = min(bits, SMMUv3ContextTable.linearLimit) }
    ssidBits = bits
    stalls = features.stallsAlways || (features.stalls && features.platform.devicesStall)

    var capabilities: DeviceCapabilities = []
    if features.coherent { capabilities.insert(.cacheCoherency) }
    if features.platform.canWriteBack { capabilities.insert(.enforceCacheCoherency) }
    if features.tracksDirty { capabilities.insert(.dirtyTracking) }
    if features.ats, function.capabilities.ats { capabilities.insert(.ats) }
    if function.capabilities.pasidBits > 0 {
      if function.capabilities.pasidExecute { capabilities.insert(.pasidExecute) }
      if function.capabilities.pasidPrivileged { capabilities.insert(.pasidPrivileged) }
    }
    if features.platform.isolatesInterrupts { capabilities.insert(.isolatedMSI) }
    if function.capabilities.isVirtualFunction { capabilities.insert(.virtualFunction) }
    if function.capabilities.pri { capabilities.insert(.pageRequests) }
    let pasids =
      function.capabilities.pasidBits > 0 ? UInt32(1) << UInt32(function.capabilities.pasidBits) : 0
    super.init(
      function, behind: unit, capabilities: capabilities,
      maxPASIDs: min(pasids, 1 << UInt32(features.ssidBits)), reservedRegions: [Self.messageWindow])
  }

  /// Where software maps interrupt doorbells. `arm_smmu_get_resv_regions`.
  static let messageWindow = ReservedRegion(0x800_0000, 0x80F_FFFF, .softwareMSI)

  var canDoATS: Bool { unit.features.ats && function.capabilities.ats }

  // MARK: Stream table entry

  /// `arm_smmu_install_ste_for_dev`.
  func install(_ ste: SMMUv3Entry) {
    usesContexts = ste[SMMU.STE.config] == SMMU.STE.stage1
    steHasATS = ste[SMMU.STE.eats] == SMMU.STE.eatsFull
    guard let place = unit.streamTable.place(stream) else { return }
    let isOld = unit.features.isOld
    SMMUv3EntryWriter(
      buffer: place.buffer, offset: place.offset, used: { $0.usedOfSTE },
      harmless: { isOld ? SMMUv3Entry() : .harmlessOfSTE($0, $1) },
      forget: { [unit, stream] in
        if !unit.bugs.has(.skipContextFlush) { unit.issue([.forgetSTE(stream)]) }
      },
      tears: unit.bugs.has(.tornContext)
    ).write(ste)
    if !unit.features.platform.skipsPrefetch { unit.post([.prefetch(stream)]) }
  }

  // MARK: Context descriptors

  /// Makes the place of a PASID's descriptor. `arm_smmu_alloc_cd_ptr`.
  ///
  /// - Throws: ENOMEM.
  func prepareContext(_ ssid: UInt32) throws(Errno) {
    let table: SMMUv3ContextTable
    if let contexts {
      table = contexts
    } else {
      table = try SMMUv3ContextTable(ssidBits: ssidBits, unit.features, unit.memory, unit.failures)
      contexts = table
    }
    if try table.prepare(ssid) { unit.issue([.forgetCD(stream, ssid, leaf: false)]) }
  }

  /// `arm_smmu_write_cd_entry`.
  func write(_ context: SMMUv3Entry, _ ssid: UInt32) {
    guard let place = contexts?.place(ssid) else { return }
    let detaches = ssid != 0 && context[SMMU.CD.valid] == 0
    let writer = SMMUv3EntryWriter(
      buffer: place.buffer, offset: place.offset, used: { $0.usedOfCD }, harmless: { _, _ in SMMUv3Entry() },
      forget: { [unit, stream] in
        if unit.bugs.has(.skipContextFlush) || (detaches && unit.bugs.has(.skipPASIDFlush)) { return }
        unit.issue([.forgetCD(stream, ssid, leaf: true)])
      },
      tears: unit.bugs.has(.tornContext))
    let (before, after) = (writer.current[SMMU.CD.valid], context[SMMU.CD.valid])
    if ssid != 0, before != after { usedPASIDs += after != 0 ? 1 : -1 }
    writer.write(context)
  }

  /// `arm_smmu_clear_cd`.
  func clearContext(_ ssid: UInt32) { write(SMMUv3Entry(), ssid) }

  // MARK: ATS

  /// Makes the device forget everything, or everything of a PASID. `arm_smmu_atc_inv_master`.
  func forgetTranslations(_ ssid: UInt32) {
    unit.invalidate([.forgetInDevice(stream, ssid: ssid, nil)])
  }

  /// `arm_smmu_enable_ats`.
  func enableATS() {
    forgetTranslations(0)
    let unitLg2 = unit.features.smallestUnitLg2
    function.configure {
      $0.stuLg2 = unitLg2
      $0.ats = true
    }
  }

  // MARK: Page requests

  /// The device's faults are taken while it is on a domain that handles them. `arm_smmu_enable_iopf`; until 6.15
  /// iommufd did it.
  ///
  /// - Throws: ENOMEM, EBUSY.
  func enableFaults(for domain: any Domain) throws(Errno) {
    guard !unit.features.isOld, domain.faultHandler != nil, stalls else { return }
    if faultUsers == 0 { try joinFaultQueue(unit.failures) }
    faultUsers += 1
  }

  /// `arm_smmu_disable_iopf`.
  func disableFaults(for domain: any Domain) {
    guard !unit.features.isOld, domain.faultHandler != nil, stalls, faultUsers > 0 else { return }
    faultUsers -= 1
    if faultUsers == 0 { leaveFaultQueue() }
  }
}
