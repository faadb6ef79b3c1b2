// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import PageTables
internal import Seams

// A function's entry in the device table. The IOMMU may read it at any moment, 32 bytes at once, and goes on using
// what it read until INVALIDATE_DEVTAB_ENTRY; software can store 16 bytes at once. So the order of the halves matters:
// the half that makes the entry usable, the lower, comes last when it becomes so and first when it ceases to.
// Source: `update_dte256`, `set_dte_entry`, `clear_dte_entry`; reference backends-x86.md B2.

/// Four words of a device table entry.
struct AMDViEntry: Hashable, Sendable {
  var w0: UInt64 = 0
  var w1: UInt64 = 0
  var w2: UInt64 = 0

  var isValid: Bool { w0 & AMDViDTE.valid != 0 }
  var translates: Bool { w0 & AMDViDTE.translationValid != 0 }
  var hasGuest: Bool { w0 & AMDViDTE.gv != 0 }
  var guestPagingMode: UInt64 { w2 >> AMDViDTE.guestPagingModeShift & 3 }
  /// What of word 2 belongs to translation. The rest is of interrupts, and stays. `DTE_DATA2_INTR_MASK`.
  static let translationMask2: UInt64 = 0xF << 52
}

extension AMDViDevice {
  private func place(_ word: UInt64) -> PhysAddr {
    PhysAddr(unit.deviceTable.raw + UInt64(deviceID) * AMDViDTE.size + word * 8)
  }

  private func load(_ word: UInt64) -> UInt64 { unit.memory.load64(at: place(word)) ?? 0 }
  private func store(_ value: UInt64, _ word: UInt64) { _ = unit.memory.store64(value, at: place(word)) }

  // MARK: What is in it

  /// Valid, and nothing else but what firmware wants: no DMA gets through. `amd_iommu_make_clear_dte`.
  private var clearEntryWords: AMDViEntry {
    var entry = AMDViEntry()
    entry.w0 = AMDViDTE.valid
    addPersistentBits(&entry)
    return entry
  }

  private func addPersistentBits(_ entry: inout AMDViEntry) {
    let bits = unit.platform.persistentEntryBits
    entry.w0 |= bits[0] | (unit.platform.needsErratum63 ? AMDViDTE.iw : 0)
    entry.w1 |= bits[1]
    entry.w2 |= bits[2]
  }

  /// Points the entry at the domain that the function is on. `set_dte_entry`.
  ///
  /// - Parameter root: of a host table that has just grown; otherwise the domain is asked.
  func setEntry(root: TableRoot? = nil) {
    guard let domain else { return }
    var new = clearEntryWords
    let guest = gcr3
    let id = guest?.domainID ?? domain.id
    if guest == nil, let root = root ?? domain.hostRoot {
      new.w0 |= root.address.raw | UInt64(root.level + 1) << AMDViDTE.modeShift
    }
    new.w0 |= AMDViDTE.ir | AMDViDTE.iw
    if !unit.platform.snpEnabled || id != 0 { new.w0 |= AMDViDTE.translationValid }
    if takesPageRequests { new.w0 |= AMDViDTE.ppr }
    if domain.isTrackingDirty { new.w0 |= 3 << AMDViDTE.hadShift }
    if usesATS { new.w1 |= AMDViDTE.iotlb }
    new.w1 |= UInt64(id)
    if let guest {
      new.w0 |= AMDViDTE.gv | UInt64(guest.levels - 1) << AMDViDTE.glxShift
      if domain.usesGuestTable { new.w0 |= AMDViDTE.giov }
      add(gcr3: guest.root.raw, to: &new)
      if unit.amd.usesFiveLevels { new.w2 |= 1 << AMDViDTE.guestPagingModeShift }
    }
    let old = UInt16(truncatingIfNeeded: load(1) & AMDViDTE.domainMask)
    update(new)
    // What was cached under the ID that is replaced: written for a kernel that boots after a crash.
    if old != 0 { unit.invalidateDomain(old) }
  }

  private func add(gcr3 root: UInt64, to entry: inout AMDViEntry) {
    entry.w0 |= (root >> 12 & 0x7) << AMDViDTE.gcr3LowShift
    entry.w1 |= (root >> 15 & 0xFFFF) << AMDViDTE.gcr3MiddleShift
    entry.w1 |= (root >> 31 & 0x1F_FFFF) << AMDViDTE.gcr3HighShift
  }

  /// Blocks the function. `clear_dte_entry`.
  func clearEntry() { update(clearEntryWords) }

  /// The parent's table below what the guest wants: GCR3, its levels, GIoV, PPR, the paging mode. `set_dte_nested`.
  func setNestedEntry(_ nested: AMDViNestedDomain) {
    var new = clearEntryWords
    let root = nested.parent.table.root
    new.w0 |= root.address.raw | UInt64(root.level + 1) << AMDViDTE.modeShift
    new.w0 |= AMDViDTE.ir | AMDViDTE.iw | AMDViDTE.translationValid | AMDViDTE.gv
    if nested.parent.isTrackingDirty { new.w0 |= 3 << AMDViDTE.hadShift }
    new.w0 |= nested.guestEntry[0] & AMDViNestedDomain.guestBits0
    new.w1 |= UInt64(nested.mapping.hostID) | nested.guestEntry[1] & AMDViNestedDomain.guestBits1
    if usesATS { new.w1 |= AMDViDTE.iotlb }
    new.w2 |= nested.guestEntry[2] & 3 << AMDViDTE.guestPagingModeShift
    update(new)
  }

  // MARK: Changing it

  /// Stores the entry, and sees to it that the IOMMU and the function forget the old one. `amd_iommu_update_dte`.
  private func update(_ new: AMDViEntry) {
    entryLock.withLock { replace(new) }
    invalidateEntry()
    unit.wait()
  }

  /// The cached entry, and what the function has cached. `device_flush_dte`.
  func invalidateEntry() {
    if !unit.bugs.has(.skipContextFlush) { unit.queue(.entry(of: deviceID)) }
    invalidateCache()
  }

  /// With `entryLock` held. `update_dte256`.
  private func replace(_ new: AMDViEntry) {
    let old = AMDViEntry(w0: load(0), w1: load(1), w2: load(2))
    if unit.bugs.has(.tornContext) { return tear(new) }
    switch (old.isValid, new.isValid) {
    case (false, _):
      storeUpper(new)
      storeLower(new)
    case (true, false):
      storeLower(new)
      storeUpper(new)
    case (true, true) where !old.hasGuest:
      storeUpper(new)
      storeLower(new)
    case (true, true) where !new.hasGuest:
      storeLower(new)
      storeUpper(new)
    case (true, true) where old.guestPagingMode != new.guestPagingMode:
      storeLower(AMDViEntry())
      flushReplaced()
      storeUpper(new)
      storeLower(new)
    case (true, true):
      // The upper half stays as it is, and the caller's flush is enough.
      return storeLower(new)
    }
    flushReplaced()
  }

  private func flushReplaced() {
    if !unit.bugs.has(.skipContextFlush) { unit.invalidateEntry(of: deviceID) }
  }

  /// The bug: words become visible one by one, the one that makes the entry usable first.
  private func tear(_ new: AMDViEntry) {
    store(new.w0, 0)
    flushReplaced()
    store(new.w1, 1)
    storeUpper(new)
  }

  private func storeUpper(_ new: AMDViEntry) {
    let mask = AMDViEntry.translationMask2
    store(load(2) & ~mask | new.w2 & mask, 2)
    store(0, 3)
  }

  /// Two stores stand for one of 16 bytes: an entry that ceases to translate does so before its tag changes.
  private func storeLower(_ new: AMDViEntry) {
    if new.translates {
      store(new.w1, 1)
      store(new.w0, 0)
    } else {
      store(new.w0, 0)
      store(new.w1, 1)
    }
  }

  /// HAD on or off, and nothing else. `amd_iommu_set_dirty_tracking`.
  func setDirtyBits(_ enabled: Bool) {
    let bits: UInt64 = 3 << AMDViDTE.hadShift
    entryLock.withLock { store(enabled ? load(0) | bits : load(0) & ~bits, 0) }
    invalidateEntry()
  }

  /// Where the function's interrupts are remapped. `set_dte_irq_entry`.
  func pointInterrupts(at table: PhysAddr, countLg2: UInt64) {
    entryLock.withLock {
      let kept = load(2) & ~(AMDViDTE.interruptRootMask | 0xF << AMDViDTE.interruptLengthShift)
      store(
        kept | table.raw | AMDViDTE.interruptValid | countLg2 << AMDViDTE.interruptLengthShift
          | 2 << AMDViDTE.intCtlShift, 2)
    }
  }
}
