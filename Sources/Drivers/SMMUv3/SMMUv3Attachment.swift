// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import PageTables
internal import Seams
internal import UAPI

// Moving a device, or one PASID of it, from one domain to another:
//
//     prepare   the new domain's invalidations reach the device; ATS goes off in the function if it has to
//     entries   context descriptor before stream table entry on the way to stage 1, after it on the way out
//     commit    ATS goes on, or the device forgets everything; the old domain's invalidations end, and an ID
//               without any other user is flushed
//
// Everything that can fail is in `prepare` and before it. The whole is done with the driver's ASID lock held.
// Source: `arm_smmu_attach_prepare`, `_commit`, `arm_smmu_attach_dev`, `_attach_dev_ste`, `_set_pasid`,
// `_blocking_set_dev_pasid`; reference backends-arm-riscv-s390.md A5.3.

/// `struct arm_smmu_attach_state`.
struct SMMUv3Attachment {
  let device: SMMUv3Device
  let old: (any Domain)?
  /// 0 for the RID.
  var ssid: UInt32 = 0
  /// The context table stays in use, so a PASID may be using ATS.
  var keepsContexts = false
  /// The guest does not know of ATS.
  var forbidsATS = false
  private(set) var ats = false
  private var place: SMMUv3VirtualPlace?

  init(_ device: SMMUv3Device, from old: (any Domain)?) {
    self.device = device
    self.old = old
  }

  /// - Throws: EINVAL for a device of another driver.
  static func device(_ device: Device) throws(Errno) -> SMMUv3Device {
    guard let device = device as? SMMUv3Device else { throw .EINVAL("not a device behind an SMMUv3") }
    return device
  }

  /// The domain whose tables the SMMU walks, and whose invalidations concern the device.
  private static func tables(of domain: (any Domain)?) -> SMMUv3Domain? {
    (domain as? SMMUv3NestedDomain)?.viommu.parent ?? domain as? SMMUv3Domain
  }

  /// - Throws: ENOENT for a nested domain without the device's vDEVICE; EINVAL for a promise of coherency that the
  ///   device breaks; ENOMEM, EBUSY.
  mutating func prepare(_ new: any Domain) throws(Errno) {
    let tables = Self.tables(of: new)
    if tables != nil || keepsContexts { ats = !forbidsATS && device.canDoATS }
    if let tables {
      if let nested = new as? SMMUv3NestedDomain { place = try nested.place(of: device) }
      // The record of the attachment, and the grown array of invalidations.
      try device.unit.failures.pass(.allocation, "the domain's list of devices")
      try device.enableFaults(for: new)
      do throws(Errno) {
        try device.unit.failures.pass(.allocation, "the old domain's list of devices")
        try tables.enter(device, tables.holders(device, ssid: ssid, ats: ats))
      } catch {
        device.disableFaults(for: new)
        throw error
      }
    }
    if !ats, device.hasATS { device.function.configure { $0.ats = false } }
  }

  func commit() {
    if ssid == 0 { device.unit.setPlace(place, of: device) }
    if ats {
      if device.hasATS { device.forgetTranslations(ssid) } else { device.enableATS() }
    } else if device.hasATS {
      device.forgetTranslations(0)
    }
    release(hadATS: device.hasATS)
    device.hasATS = ats
  }

  /// The old domain loses the device. `arm_smmu_remove_master_domain`, `arm_smmu_install_old_domain_invs`.
  func release(hadATS: Bool, flushing: Bool = true) {
    guard let old, let tables = Self.tables(of: old) else { return }
    let gone = tables.leave(device, tables.holders(device, ssid: ssid, ats: hadATS))
    // Until 6.18 the end of the domain flushes its ID.
    if flushing, !device.unit.features.isOld, !device.unit.bugs.has(.reuseTag),
      gone.contains(where: { $0.kind == .asid || $0.kind == .vmid })
    {
      device.unit.issue([tables.wholeFlush])
    }
    device.disableFaults(for: old)
  }
}

extension SMMUv3Device {
  private func requireOwn(_ domain: SMMUv3Domain) throws(Errno) {
    guard domain.unit === unit else { throw .EINVAL("the domain is another SMMU's") }
  }

  /// `arm_smmu_attach_dev`.
  func attach(to new: SMMUv3Domain, from old: (any Domain)?) throws(Errno) {
    try requireOwn(new)
    switch new.stage {
    case .one: try prepareContext(0)
    case .two:
      guard usedPASIDs == 0 else { throw .EBUSY("a PASID is attached", UInt64(usedPASIDs)) }
    }
    try unit.smmu.attaching { () throws(Errno) in
      var state = SMMUv3Attachment(self, from: old)
      try state.prepare(new)
      switch new.stage {
      case .one:
        write(new.contextDescriptor(for: self), 0)
        install(contextTableEntry(ats: state.ats, substreamless: SMMU.STE.dssContext0))
      case .two:
        install(new.streamTableEntry(for: self, ats: state.ats))
        clearContext(0)
      }
      state.commit()
      domain = new
    }
  }

  /// Blocked, and one to one: a stream table entry that says it all, unless PASIDs need the context table.
  /// `arm_smmu_attach_dev_ste`.
  func attach(to new: SMMUv3StaticDomain, from old: (any Domain)?) throws(Errno) {
    try unit.smmu.attaching { () throws(Errno) in
      var state = SMMUv3Attachment(self, from: old)
      state.keepsContexts = usedPASIDs > 0
      try state.prepare(new)
      if state.keepsContexts {
        install(contextTableEntry(ats: state.ats, substreamless: new.substreamless))
      } else {
        install(new.isIdentity ? bypassEntry : SMMUv3StreamTable.abort)
      }
      state.commit()
      domain = new
    }
    clearContext(0)
  }

  /// `arm_smmu_attach_dev_nested`.
  func attach(to new: SMMUv3NestedDomain, from old: (any Domain)?) throws(Errno) {
    guard new.viommu.unit === unit else { throw .EINVAL("the vIOMMU is on another SMMU") }
    guard usedPASIDs == 0 else { throw .EBUSY("a PASID is attached", UInt64(usedPASIDs)) }
    try unit.smmu.attaching { () throws(Errno) in
      var state = SMMUv3Attachment(self, from: old)
      // The guest invalidates the device's cache, and only if it believes that ATS is on.
      state.forbidsATS = new.translates && !new.allowsATS
      try state.prepare(new)
      install(new.streamTableEntry(for: self, ats: state.ats))
      state.commit()
      domain = new
    }
  }

  // MARK: PASIDs

  /// `arm_smmu_s1_set_dev_pasid`, `arm_smmu_set_pasid`.
  func attach(pasid: UInt32, to new: SMMUv3Domain, from old: (any Domain)?) throws(Errno) {
    try requireOwn(new)
    guard new.stage == .one else { throw .EINVAL("only a stage 1 domain can be at a PASID") }
    guard usesContexts || domain is SMMUv3StaticDomain else {
      throw .EINVAL("the device's own domain leaves no room for PASIDs")
    }
    try prepareContext(pasid)
    try unit.smmu.attaching { () throws(Errno) in
      var state = SMMUv3Attachment(self, from: old)
      state.ssid = pasid
      try state.prepare(new)
      write(new.contextDescriptor(for: self), pasid)
      if !usesContexts || steHasATS != state.ats {
        let dss = (domain as? SMMUv3StaticDomain)?.substreamless ?? SMMU.STE.dssTerminate
        install(contextTableEntry(ats: state.ats, substreamless: dss))
      }
      state.commit()
    }
  }

  /// `arm_smmu_blocking_set_dev_pasid`.
  func detach(pasid: UInt32, from old: (any Domain)?) {
    unit.smmu.attaching {
      let careless = unit.bugs.has(.skipPASIDFlush)
      clearContext(pasid)
      if hasATS, !careless { forgetTranslations(pasid) }
      var state = SMMUv3Attachment(self, from: old)
      state.ssid = pasid
      state.release(hadATS: hasATS, flushing: !careless)
    }
    // The last PASID takes the context table out of the stream table entry.
    if usedPASIDs == 0, let own = domain as? SMMUv3StaticDomain { try? attach(to: own, from: own) }
  }
}
