// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// PASID entries: in scalable mode every attachment is one, that of the RID under PASID 0.
//
//     set up      words 1 to 7, then word 0 with P           flush only where what is not present may be cached
//     tear down   P = 0, PASID-cache, IOTLB, device-TLB, entry = 0, drain of page requests
//
// Source: `drivers/iommu/intel/pasid.c` and `prq.c`; reference backends-x86.md A2.6, A7.5 and A4.2.

/// What an entry is to say.
struct VTdPASIDContents {
  var first: UInt64
  var second: UInt64
  var third: UInt64 = 0
  var id: UInt16 { UInt16(truncatingIfNeeded: VTd.PASIDEntry.did.of(second)) }
}

extension VTdIOMMU {
  private typealias Entry = VTd.PASIDEntry

  private func identity(_ id: UInt16) -> UInt64 {
    Entry.did.with(UInt64(id)) | Entry.pwsnp.with(features.has(VTd.ECap.smpwcs) ? 1 : 0)
  }

  /// `pasid_pte_config_first_level`.
  ///
  /// - Throws: EINVAL for a unit without the stage, or without five levels.
  func firstStageEntry(root: UInt64, levels: Int, id: UInt16, snoops: Bool) throws(Errno) -> VTdPASIDContents
  {
    guard features.has(VTd.ECap.fsts) else { throw .EINVAL("the unit has no first stage") }
    guard levels < 5 || features.hasFiveLevelFirstStage else {
      throw .EINVAL("the unit has no five-level first stage")
    }
    return VTdPASIDContents(
      first: Entry.pgtt.with(Entry.TranslationType.firstStage) | Entry.aw.with(addressWidth),
      second: identity(id) | Entry.pgsnp.with(snoops ? 1 : 0),
      third: root & Entry.fsptptr.mask | Entry.fspm.with(levels == 5 ? 1 : 0))
  }

  /// `pasid_pte_config_second_level`.
  ///
  /// - Throws: EINVAL for a unit without the stage.
  func secondStageEntry(root: UInt64, levels: Int, id: UInt16, tracksDirty: Bool) throws(Errno)
    -> VTdPASIDContents
  {
    guard features.has(VTd.ECap.ssts) else { throw .EINVAL("the unit has no second stage") }
    return VTdPASIDContents(
      first: Entry.pgtt.with(Entry.TranslationType.secondStage) | root & Entry.ssptptr.mask
        | Entry.aw.with(UInt64(levels - 2)) | Entry.ssade.with(tracksDirty ? 1 : 0),
      second: identity(id))
  }

  /// `pasid_pte_config_nestd`.
  ///
  /// - Throws: EINVAL for what the first stage asks for and the unit has not.
  func nestedEntry(
    _ stage: VTdNestedStage, root: UInt64, levels: Int, id: UInt16, snoops: Bool, tracksDirty: Bool
  )
    throws(Errno) -> VTdPASIDContents
  {
    switch stage.addressWidth {
    case VTdABI.fourLevelWidth: break
    case VTdABI.fiveLevelWidth:
      guard features.hasFiveLevelFirstStage else { throw .EINVAL("the unit has no five-level first stage") }
    default: throw .EINVAL("the first stage has an odd address width", UInt64(stage.addressWidth))
    }
    guard stage.flags & VTdABI.supervisor == 0 || features.has(VTd.ECap.srs) else {
      throw .EINVAL("the unit takes no supervisor requests")
    }
    guard stage.flags & VTdABI.extendedAccess == 0 || features.has(VTd.ECap.eafs) else {
      throw .EINVAL("the unit has no extended accessed flag")
    }
    var third = stage.root & Entry.fsptptr.mask
    if stage.addressWidth == VTdABI.fiveLevelWidth { third |= Entry.fspm.with(1) }
    if stage.flags & VTdABI.supervisor != 0 {
      third |= Entry.sre.mask
      if stage.flags & VTdABI.writeProtect != 0 { third |= Entry.wpe.mask }
    }
    if stage.flags & VTdABI.extendedAccess != 0 { third |= Entry.eafe.mask }
    return VTdPASIDContents(
      first: Entry.pgtt.with(Entry.TranslationType.nested) | root & Entry.ssptptr.mask
        | Entry.aw.with(UInt64(levels - 2)) | Entry.ssade.with(tracksDirty ? 1 : 0),
      second: identity(id) | Entry.pgsnp.with(snoops ? 1 : 0), third: third)
  }

  // MARK: Set up and tear down

  /// Writes an entry that is not present. `intel_pasid_setup_first_level` and its siblings.
  ///
  /// - Throws: ENODEV for a PASID without room, EBUSY for one that is in use.
  func setUp(_ contents: VTdPASIDContents, _ pasid: UInt32, of device: VTdDevice) throws(Errno) {
    guard let table = device.pasidTable else { throw .ENODEV("the function has no PASID directory") }
    try structureLock.withLock { () throws(Errno) in
      let at = try table.makeEntry(pasid)
      guard Entry.p.of(load(at)) == 0 else { throw .EBUSY("the PASID entry is present", UInt64(pasid)) }
      if bugs.has(.tornContext) {
        store(contents.first | Entry.p.mask, at: at)
        // Whoever is quick sees a present entry with domain 0.
        _ = port.read32(VTd.Register.gsts)
      }
      for word in 3..<8 as Range<UInt64> { store(0, at: at &+ 8 * word) }
      store(contents.third, at: at &+ 16)
      store(contents.second, at: at &+ 8)
      store(contents.first | Entry.p.mask, at: at)
    }
    // `pasid_flush_caches`.
    guard features.cachesMissing else { return flushWriteBuffer() }
    submit(.pasidCache(contents.id, pasid))
    submit(.pasid(contents.id, pasid))
  }

  /// Makes an entry not present and everything forget it. `intel_pasid_tear_down_entry`.
  func tearDown(_ pasid: UInt32, of device: VTdDevice) {
    guard let at = device.pasidTable?.entry(pasid) else { return }
    let old = structureLock.withLock { () -> (id: UInt16, type: UInt64)? in
      let first = load(at)
      guard Entry.p.of(first) != 0 else { return nil }
      store(first & ~Entry.p.mask, at: at)
      return (UInt16(truncatingIfNeeded: Entry.did.of(load(at &+ 8))), Entry.pgtt.of(first))
    }
    guard let old else { return }
    let isForgetful = pasid != 0 && bugs.has(.skipPASIDFlush)
    if !isForgetful {
      if !bugs.has(.skipContextFlush) { submit(.pasidCache(old.id, pasid)) }
      if !bugs.has(.reuseTag) { submit(translations(old.type, old.id, pasid)) }
      forgetDeviceTLB(of: device, pasid == 0 ? nil : pasid)
    }
    structureLock.withLock { for word in 0..<8 as Range<UInt64> { store(0, at: at &+ 8 * word) } }
    drain(device, pasid)
  }

  /// The invalidation for all that an entry of this type has led to.
  private func translations(_ type: UInt64, _ id: UInt16, _ pasid: UInt32) -> VTdDescriptor {
    type == Entry.TranslationType.passThrough || type == Entry.TranslationType.firstStage
      ? .pasid(id, pasid) : .domain(id, cap: features.cap)
  }

  /// `devtlb_invalidation_with_pasid`.
  func forgetDeviceTLB(of device: VTdDevice, _ pasid: UInt32?) {
    guard device.atsEnabled, isTranslating else { return }
    let descriptor: VTdDescriptor =
      pasid.map { .pasidDeviceTLB(device, $0, .everything) } ?? .deviceTLB(device, .everything)
    submit(descriptor)
    if options.doubledDeviceFlushes { submit(descriptor) }
  }

  // MARK: Changes to a present entry

  /// Turns SSADE on or off. `intel_pasid_setup_dirty_tracking`.
  ///
  /// - Throws: ENODEV without an entry; EOPNOTSUPP for one without a second stage.
  func setDirtyTracking(_ on: Bool, _ pasid: UInt32, of device: VTdDevice) throws(Errno) {
    guard let at = device.pasidTable?.entry(pasid) else { throw .ENODEV("the function has no PASID entry") }
    let id = try structureLock.withLock { () throws(Errno) -> UInt16? in
      let first = load(at)
      let type = Entry.pgtt.of(first)
      guard type == Entry.TranslationType.secondStage || type == Entry.TranslationType.nested else {
        throw .EOPNOTSUPP("the PASID entry has no second stage", type)
      }
      guard Entry.ssade.of(first) != (on ? 1 : 0) else { return nil }
      store(on ? first | Entry.ssade.mask : first & ~Entry.ssade.mask, at: at)
      return UInt16(truncatingIfNeeded: Entry.did.of(load(at &+ 8)))
    }
    guard let id else { return }
    if !bugs.has(.skipContextFlush) { submit(.pasidCache(id, pasid)) }
    submit(.domain(id, cap: features.cap))
    forgetDeviceTLB(of: device, pasid == 0 ? nil : pasid)
  }

  /// Sets PGSNP. `intel_pasid_setup_page_snoop_control`.
  func setPageSnoop(_ pasid: UInt32, of device: VTdDevice) {
    guard let at = device.pasidTable?.entry(pasid) else { return }
    let id = structureLock.withLock { () -> UInt16 in
      let second = load(at &+ 8)
      store(second | Entry.pgsnp.mask, at: at &+ 8)
      return UInt16(truncatingIfNeeded: Entry.did.of(second))
    }
    if !bugs.has(.skipContextFlush) { submit(.pasidCache(id, pasid)) }
    submit(.pasid(id, pasid))
    forgetDeviceTLB(of: device, pasid == 0 ? nil : pasid)
  }

  // MARK: Page requests

  /// Waits until no page request or response of a PASID is on its way. `intel_iommu_drain_pasid_prq`, from its third
  /// step: what is still in the queue is read by whoever handles its interrupt, who finds nobody to ask and answers.
  func drain(_ device: VTdDevice, _ pasid: UInt32) {
    guard device.isInFaultQueue, device.atsEnabled else { return }
    let id = device.domain?.links.id(on: self) ?? Self.sharedID
    let invalidation: [VTdDescriptor] =
      pasid == 0
      ? [.domain(id, cap: features.cap), .deviceTLB(device, .everything)]
      : [.pasid(id, pasid), .pasidDeviceTLB(device, pasid, .everything)]
    submit([.fence] + invalidation, drains: true)
  }

  /// The domain ID of pass-through and shared virtual addressing: FLPT_DEFAULT_DID.
  static var sharedID: UInt16 { 1 }
}
