// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Interrupt remapping: VT-d chapter 5. Posted interrupts are not modelled; an entry that asks for one is
// invalid.

/// A line of the interrupt entry cache. VT-d section 6.2.6.
struct VTdInterruptEntry: Sendable {
  var first: UInt64
  var second: UInt64
}

extension VTdUnit {
  /// A write to the interrupt range. VT-d section 5.1.3.
  func interruptRequest(_ request: VTdRequest, data: UInt32) -> TranslationAnswer {
    typealias Request = VTd.InterruptRequest
    let status = registers.read32(VTd.Register.gsts)
    let address = request.address
    guard status & VTd.GlobalCommand.ire != 0 else { return Self.interrupt(address, data) }
    let extended = VTd.InterruptTableAddress.eime.of(interruptTable) != 0
    do throws(VTdFault) {
      // 1: compatibility format.
      if Request.format.of(address) == 0 {
        guard status & VTd.GlobalCommand.cfi != 0, !extended else {
          throw VTdFault(VTd.Reason.compatibilityFormatBlocked)
        }
        return Self.interrupt(address, data)
      }
      // 2: the index, from handle and subhandle.
      let index = try interruptIndex(address, data)
      // 3 to 6: the entry, and whether this source may use it.
      let entry = try interruptEntry(index, extended: extended)
      try verify(request.sid, entry)
      return Self.message(entry, extended: extended, at: address)
    } catch {
      return interruptFault(error, request, data)
    }
  }

  private static func interrupt(_ address: UInt64, _ data: UInt32) -> TranslationAnswer {
    .translated(
      Translation(
        address: address, sizeLg2: 12, readable: false, executable: false,
        interrupt: InterruptMessage(address: address, data: data)))
  }

  /// Index of an interrupt: VT-d section 5.1.3.
  func interruptIndex(_ address: UInt64, _ data: UInt32) throws(VTdFault) -> UInt64 {
    typealias Request = VTd.InterruptRequest
    var index = Request.handle.of(address) | Request.handleHigh.of(address) << 15
    if Request.shv.of(address) != 0 {
      guard Request.reservedData.of(UInt64(data)) == 0 else {
        throw VTdFault(VTd.Reason.interruptRequestReserved)
      }
      index += Request.subhandle.of(UInt64(data))
    }
    let entries = UInt64(2) << VTd.InterruptTableAddress.size.of(interruptTable)
    guard index < entries else { throw VTdFault(VTd.Reason.interruptIndexBeyondTable) }
    return index
  }

  private func interruptEntry(_ index: UInt64, extended: Bool) throws(VTdFault) -> VTdInterruptEntry {
    typealias Entry = VTd.InterruptEntry
    let key = UInt16(truncatingIfNeeded: index)
    if let cached = interruptEntries[key] { return cached }
    let at = interruptTable & VTd.InterruptTableAddress.base.mask &+ index * Entry.size
    guard let first = load(at), let second = load(at &+ 8) else {
      throw VTdFault(VTd.Reason.interruptTableAccess)
    }
    let fpd = Entry.fpd.of(first) != 0
    guard Entry.p.of(first) != 0 else { throw VTdFault(VTd.Reason.interruptEntryNotPresent, fpd: fpd) }
    let unused = extended ? 0 : Entry.dst.mask & ~Entry.dstShort.mask
    guard first & (Entry.reserved0.mask | Entry.im.mask | Entry.reserved0High.mask | unused) == 0,
      second & Entry.reserved1.mask == 0, Entry.svt.of(second) != 3
    else { throw VTdFault(VTd.Reason.interruptEntryReserved, fpd: fpd) }
    let entry = VTdInterruptEntry(first: first, second: second)
    if translator.caches { interruptEntries[key] = entry }
    return entry
  }

  /// Source validation: VT-d section 9.10, SVT and SQ.
  func verify(_ sid: UInt16, _ entry: VTdInterruptEntry) throws(VTdFault) {
    typealias Entry = VTd.InterruptEntry
    let expected = Entry.sid.of(entry.second)
    let allowed: Bool
    switch Entry.svt.of(entry.second) {
    case 1:
      let ignored = VTd.Descriptor.functionMasks[Int(Entry.sq.of(entry.second))]
      allowed = (UInt64(sid) ^ expected) & ~ignored == 0
    case 2:
      let bus = UInt64(sid >> 8)
      allowed = expected >> 8 <= bus && bus <= expected & 0xFF
    default: allowed = true
    }
    if !allowed {
      throw VTdFault(VTd.Reason.sourceIDCheck, fpd: Entry.fpd.of(entry.first) != 0)
    }
  }

  /// The interrupt that goes out, as the message that asks the processor for it.
  static func message(_ entry: VTdInterruptEntry, extended: Bool, at requested: UInt64)
    -> TranslationAnswer
  {
    typealias Entry = VTd.InterruptEntry
    let destination = extended ? Entry.dst.of(entry.first) : Entry.dstShort.of(entry.first)
    let address =
      VTd.interruptAddressTop << VTd.interruptAddressShift | (destination & 0xFF) << 12
      | Entry.rh.of(entry.first) << 3 | Entry.dm.of(entry.first) << 2 | (destination & ~0xFF) << 32
    let data =
      Entry.v.of(entry.first) | Entry.dlm.of(entry.first) << 8 | 1 << 14 | Entry.tm.of(entry.first) << 15
    return .translated(
      Translation(
        address: requested, sizeLg2: 12, readable: false, executable: false,
        interrupt: InterruptMessage(address: address, data: UInt32(truncatingIfNeeded: data))))
  }

  private func interruptFault(_ fault: VTdFault, _ request: VTdRequest, _ data: UInt32) -> TranslationAnswer {
    typealias Request = VTd.InterruptRequest
    typealias Record = VTd.FaultRecord
    var index = Request.handle.of(request.address) | Request.handleHigh.of(request.address) << 15
    if Request.shv.of(request.address) != 0 { index += Request.subhandle.of(UInt64(data)) }
    if fault.code == VTd.Reason.compatibilityFormatBlocked { index = 0 }
    let recorded = record(
      fault, low: Record.interruptIndex.with(index),
      high: Record.sid.with(UInt64(request.sid)) | Record.fr.with(UInt64(fault.code)))
    return .aborted(
      Abort(
        code: UInt32(fault.code), name: VTd.faultReason(fault.code)?.name ?? "interrupt blocked",
        recorded: recorded))
  }

  /// Interrupt entry cache invalidation, VT-d section 6.5.2.7: all, or `1 << mask` entries from an aligned index.
  func invalidateInterruptEntries(_ index: UInt64?, mask: UInt64) {
    guard let index else { return interruptEntries.removeAll() }
    interruptEntries = interruptEntries.filter { UInt64($0.key) >> mask != index >> mask }
  }
}
