// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// Root and context tables. In legacy mode a context entry is the attachment; in scalable mode it is written when a
// function is probed, leads to its PASID directory, and stays.
//
// Source: `drivers/iommu/intel/iommu.c` and `pasid.c`; reference backends-x86.md A2.2 to A2.4, A7.1 and A7.3.

extension VTdIOMMU {
  func load(_ address: UInt64) -> UInt64 { memory.load64(at: PhysAddr(address)) ?? 0 }
  func store(_ value: UInt64, at address: UInt64) { _ = memory.store64(value, at: PhysAddr(address)) }

  /// Where the context entry of a requester is. `iommu_context_addr`. With `structureLock` held.
  ///
  /// - Throws: ENOMEM when the bus has no table and none can be made.
  private func contextEntry(_ source: UInt16) throws(Errno) -> UInt64 {
    if let entry = existingContextEntry(source) { return entry }
    var frames = VTdFrames(memory, failures)
    let table = try frames.allocate(1)
    store(table | VTd.RootEntry.p.mask, at: rootWord(source))
    return existingContextEntry(source) ?? table
  }

  private func rootWord(_ source: UInt16) -> UInt64 {
    let upper = features.isScalable ? UInt64(source >> 7 & 1) << 3 : 0
    return root &+ UInt64(source >> 8) * VTd.RootEntry.size &+ upper
  }

  private func existingContextEntry(_ source: UInt16) -> UInt64? {
    let word = load(rootWord(source))
    guard VTd.RootEntry.p.of(word) != 0 else { return nil }
    let index = features.isScalable ? UInt64(source & 0x7F) : UInt64(source & 0xFF)
    let size = features.isScalable ? VTd.ScalableContextEntry.size : VTd.ContextEntry.size
    return word & VTd.RootEntry.contextTable.mask &+ index * size
  }

  // MARK: Legacy mode

  /// Points a function at a second-stage table. `domain_context_mapping_one`.
  ///
  /// - Throws: ENOMEM.
  func mapContext(of device: VTdDevice, root: UInt64, addressWidth: UInt64, id: UInt16) throws(Errno) {
    typealias Entry = VTd.ContextEntry
    let source = device.function.requesterID
    let type = device.atsSupported ? Entry.TranslationType.all : Entry.TranslationType.untranslatedOnly
    let isNew = try structureLock.withLock { () throws(Errno) -> Bool in
      let at = try contextEntry(source)
      guard Entry.p.of(load(at)) == 0 else { return false }
      let first = root & Entry.ssptptr.mask | Entry.tt.with(type)
      store(0, at: at)
      store(Entry.aw.with(addressWidth) | Entry.did.with(UInt64(id)), at: at &+ 8)
      store(first | Entry.p.mask, at: at)
      return true
    }
    if isNew {
      // What is not present may be cached, under domain 0.
      contextBecamePresent(source, id)
    }
    device.enableATS()
  }

  /// `context_present_cache_flush`.
  private func contextBecamePresent(_ source: UInt16, _ id: UInt16) {
    guard features.cachesMissing else { return flushWriteBuffer() }
    if !bugs.has(.skipContextFlush) { submit(.contextCache(source: source, id: 0)) }
    submit(.domain(id, cap: features.cap))
  }

  /// `domain_context_clear`.
  func clearContext(of device: VTdDevice) {
    typealias Entry = VTd.ContextEntry
    let source = device.function.requesterID
    let found = structureLock.withLock { () -> (at: UInt64, id: UInt16)? in
      guard let at = existingContextEntry(source), Entry.p.of(load(at)) != 0 else { return nil }
      let id = UInt16(truncatingIfNeeded: Entry.did.of(load(at &+ 8)))
      store(load(at) & ~Entry.p.mask, at: at)
      return (at, id)
    }
    if let found {
      forgetContext(of: device, found.id)
      store(0, at: found.at)
      store(0, at: found.at &+ 8)
    }
    device.disableATS()
  }

  /// `intel_context_flush_no_pasid`.
  private func forgetContext(of device: VTdDevice, _ id: UInt16) {
    if !bugs.has(.skipContextFlush) {
      submit(.contextCache(source: device.function.requesterID, id: id))
    }
    guard !features.isScalable else { return }
    if !bugs.has(.reuseTag) { submit(.domain(id, cap: features.cap)) }
    forgetDeviceTLB(of: device, nil)
  }

  // MARK: Scalable mode

  /// Gives a function its PASID directory. `intel_pasid_setup_sm_context`.
  ///
  /// - Throws: ENOMEM.
  func installDirectory(of device: VTdDevice) throws(Errno) {
    typealias Entry = VTd.ScalableContextEntry
    guard let table = device.pasidTable else { return }
    let source = device.function.requesterID
    try structureLock.withLock { () throws(Errno) in
      let at = try contextEntry(source)
      var first = table.directory & Entry.pasiddirptr.mask | Entry.pdts.with(table.sizeField)
      if device.atsSupported { first |= Entry.dte.mask }
      if device.pasidSupported { first |= Entry.paside.mask }
      if device.priSupported { first |= Entry.pre.mask }
      for word in 1..<4 as Range<UInt64> { store(0, at: at &+ 8 * word) }
      store(first | Entry.p.mask, at: at)
    }
    guard features.cachesMissing else { return }
    submit(.contextCache(source: source, id: 0))
    submit(.domain(0, cap: features.cap))
  }

  /// `intel_pasid_teardown_sm_context`.
  func removeDirectory(of device: VTdDevice) {
    let source = device.function.requesterID
    let at = structureLock.withLock { () -> UInt64? in
      guard let at = existingContextEntry(source), VTd.ScalableContextEntry.p.of(load(at)) != 0 else {
        return nil
      }
      store(load(at) & ~VTd.ScalableContextEntry.p.mask, at: at)
      return at
    }
    guard let at else { return }
    submit(.contextCache(source: source, id: 0))
    for word in 0..<4 as Range<UInt64> { store(0, at: at &+ 8 * word) }
  }
}
