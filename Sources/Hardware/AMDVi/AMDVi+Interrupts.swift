// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Interrupt remapping. AMD IOMMU Specification, publication 48882, section 2.2.5. The device table entry says
// where the table is (IV, IntTabLen, the root), what happens to fixed and arbitrated interrupts (IntCtl), and
// which of the others pass. The lower bits of a message's data select the entry: nine, the upper two of which
// are the message's type (0 fixed, 1 arbitrated), or eleven where the table may have 2048 entries.
//
// An entry has four bytes, and sixteen with GAEn. The long one has a form for a guest with a virtual APIC: the
// interrupt is set in the guest's page, and a running guest's processor is told; for one that does not run, the
// GA log is.

extension AMDVi.Unit {
  private enum MessageType {
    static let arbitrated: UInt32 = 1
    static let nmi: UInt32 = 4
    static let initialize: UInt32 = 5
    static let external: UInt32 = 7
  }

  /// A write to where interrupts go.
  ///
  /// - Parameter index: nil for a message-signalled interrupt, whose data has it.
  mutating func remap<O: AMDViObserver>(
    _ t: Transaction, _ request: AMDVi.Request, _ device: AMDVi.Device, index: UInt64?,
    _ observer: inout O
  ) -> AMDVi.Outcome {
    // IV=0: interrupts pass.
    guard device.interruptsValid else { return pass(t.address) }
    let data = t.data
    let wide = control >> AMDViControl.interruptTableModeShift & 3 == 1
    let type = data >> 8 & 7
    if !wide, index == nil, type > MessageType.arbitrated {
      let passes =
        switch type {
        case MessageType.nmi: AMDViDTE.nmiPass
        case MessageType.initialize: AMDViDTE.initPass
        case MessageType.external: AMDViDTE.extIntPass
        default: UInt64(0)
        }
      guard device.words.2 & passes == 0 else { return pass(t.address) }
      return .failed(invalid(AMDViInvalidRequest.interruptMessage, device, t, request))
    }
    switch device.interruptControl {
    case 0: return .failed(invalid(AMDViInvalidRequest.interrupt, device, t, request))
    case 1: return pass(t.address)
    case 2: break
    default: return .failed(illegalInterrupt(device, request))
    }
    guard device.interruptLengthLg2 <= 11 else { return .failed(illegalInterrupt(device, request)) }

    let index = index ?? UInt64(data) & (wide ? 0x7FF : 0x1FF)
    let ignored = device.words.2 & AMDViDTE.ignoreUnmapped != 0
    guard index >> device.interruptLengthLg2 == 0 else {
      return .failed(interruptFault(device, request, 0, silent: ignored))
    }
    let long = controls(AMDViControl.gaEn)
    let entry: AMDVi.InterruptEntry
    switch interruptEntry(device, index, long: long, &observer) {
    case .success(let found): entry = found
    case .failure(let failure):
      return .failed(
        .init(
          code: AMDViEvent.pageTableHardwareError, flags: request.flags | AMDViEvent.interrupt,
          address: failure.address, device: device.id, domain: device.domain))
    }
    let silent = ignored || entry.low & AMDViIRTE.suppressFault != 0
    guard entry.low & AMDViIRTE.remapEn != 0 else {
      return .failed(interruptFault(device, request, 0, silent: silent))
    }
    if long, entry.low & AMDViIRTE.guestMode != 0 {
      return deliverToGuest(t, request, device, entry, live: O.live)
    }
    let intType = UInt32(entry.low >> AMDViIRTE.intTypeShift & 7)
    // Fixed, arbitrated, SMI, NMI, INIT, ExtInt; 3 and 6 are reserved.
    if intType == 3 || intType == 6 || !long && entry.low & AMDViIRTE.basicReserved != 0 {
      return .failed(
        interruptFault(
          device, request, AMDViEvent.present | AMDViEvent.reserved, silent: silent))
    }
    let (destination, vector) =
      long
      ? (
        (entry.low >> AMDViIRTE.destinationShift & 0xFF_FFFF)
          | (entry.high >> AMDViIRTE.destinationHighShift) << 24, entry.high & 0xFF
      )
      : (
        entry.low >> AMDViIRTE.basicDestinationShift & 0xFF, entry.low >> AMDViIRTE.basicVectorShift & 0xFF
      )
    // Without x2APIC interrupts a destination has eight bits.
    let reach: UInt64 = controls(AMDViControl.xtEn) ? 0xFFFF_FFFF : 0xFF
    return deliver(
      t,
      AMDVi.message(
        destination: UInt32(destination & reach),
        logical: entry.low & AMDViIRTE.destinationMode != 0, vector: UInt32(vector), type: intType))
  }

  private func deliver(_ t: Transaction, _ message: InterruptMessage) -> AMDVi.Outcome {
    .done(Translation(address: message.address, sizeLg2: 12, readable: false, interrupt: message))
  }

  private struct Unreadable: Error { let address: UInt64 }

  private mutating func interruptEntry<O: AMDViObserver>(
    _ device: AMDVi.Device, _ index: UInt64, long: Bool, _ observer: inout O
  ) -> Result<AMDVi.InterruptEntry, Unreadable> {
    let caches = O.live && fillsCaches && !controls(AMDViControl.irtCacheDis)
    let tag = AMDVi.Tag.used | UInt64(device.id)
    let looks = !controls(AMDViControl.irtCacheDis) && asksCaches(O.self)
    if looks, let entry = interrupts.find(index << 12, tag, salt: tag) {
      observer.usedCache()
      return .success(entry)
    }
    let root = device.words.2 & AMDViDTE.interruptRootMask
    let entry: AMDVi.InterruptEntry
    let address = root &+ index * (long ? 16 : 4)
    if long {
      guard let low = memory.load64(at: PhysAddr(address)),
        let high = memory.load64(at: PhysAddr(address &+ 8))
      else { return .failure(Unreadable(address: address)) }
      entry = .init(low: low, high: high)
      observer.interrupt(address, [low, high])
    } else {
      guard let word = memory.load32(at: PhysAddr(address)) else {
        return .failure(Unreadable(address: address))
      }
      entry = .init(low: UInt64(word), high: 0)
      observer.interrupt(address, [UInt64(word)])
    }
    if caches { interrupts.insert(entry, for: index << 12, tag, salt: tag) }
    return .success(entry)
  }

  private func illegalInterrupt(_ device: AMDVi.Device, _ request: AMDVi.Request) -> AMDVi.Failure {
    var failure = illegal(device, request)
    failure.flags |= AMDViEvent.interrupt
    return failure
  }

  private func interruptFault(
    _ device: AMDVi.Device, _ request: AMDVi.Request, _ flags: UInt32, silent: Bool
  ) -> AMDVi.Failure {
    var failure = pageFault(
      device, flags: request.flags | AMDViEvent.interrupt | flags, address: request.address,
      domain: device.domain)
    failure.silent = silent
    return failure
  }

  // MARK: Guests

  /// Sections 2.2.5.3 and 2.7: sets the vector in IRR of the guest's virtual APIC page; then either tells the
  /// processor that runs the guest, or writes the guest's tag to the GA log.
  private mutating func deliverToGuest(
    _ t: Transaction, _ request: AMDVi.Request, _ device: AMDVi.Device, _ entry: AMDVi.InterruptEntry,
    live: Bool
  ) -> AMDVi.Outcome {
    let vector = entry.high & 0xFF
    let word = (entry.high & AMDViIRTE.vapicRootMask) &+ AMDViIRTE.vapicIRR &+ (vector >> 5) << 4
    guard let pending = memory.load32(at: PhysAddr(word)) else {
      return .failed(
        .init(
          code: AMDViEvent.pageTableHardwareError, flags: request.flags | AMDViEvent.interrupt,
          address: word, device: device.id, domain: device.domain))
    }
    if live { _ = memory.store32(pending | 1 << UInt32(vector & 31), at: PhysAddr(word)) }
    let destination =
      (entry.low >> AMDViIRTE.destinationShift & 0xFF_FFFF)
      | (entry.high >> AMDViIRTE.destinationHighShift) << 24
    if live, entry.low & AMDViIRTE.isRun == 0, entry.low & AMDViIRTE.gaLogIntr != 0 {
      let record =
        entry.low >> AMDViIRTE.gaTagShift | UInt64(device.id) << 32 | AMDViIRTE.gaLogGuestInterrupt << 60
      if append((record, 0), to: .ga), registers[.gaLogTailAddress] != 0 {
        _ = memory.store64(registers[.gaTail], at: PhysAddr(registers[.gaLogTailAddress]))
      }
    }
    // A doorbell to the processor, if the guest runs: an interrupt without a vector of its own.
    return deliver(
      t,
      AMDVi.message(
        destination: entry.low & AMDViIRTE.isRun == 0 ? 0 : UInt32(destination & 0xFFFF_FFFF),
        logical: false, vector: 0, type: 0))
  }
}
