// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory
internal import Seams

// The command buffer. AMD IOMMU Specification, publication 48882, section 2.4. Commands are taken from the
// head until it meets the tail. Each is done when the next begins, so COMPLETION_WAIT has nothing to wait
// for, and its F bit changes nothing. A command that is illegal, or cannot be read, is an event and stops the
// buffer, with the head on it, until software disables and enables it again.

extension AMDVi.Unit {
  /// What became of one command.
  enum Step {
    /// The buffer is empty, or does not run.
    case idle
    case done
    /// A device must forget translations, before the next command; `address` is the command's.
    case invalidate(DeviceTLBInvalidation, address: UInt64)
  }

  /// Takes one command.
  mutating func step() -> Step {
    guard registers[.status] & AMDViStatus.cmdBufRun != 0 else { return .idle }
    let ring = registers.ring(.commandBufferBase)
    let head = registers[.commandHead] & (ring.size - 16)
    guard head != registers[.commandTail] & (ring.size - 16) else { return .idle }
    let address = ring.base + head
    guard let low = memory.load64(at: PhysAddr(address)),
      let high = memory.load64(at: PhysAddr(address + 8))
    else {
      halt(AMDViEvent.commandHardwareError, address)
      return .done
    }
    let command = AMDVi.CommandWords(low, high)
    var step = Step.done
    switch execute(command, address) {
    case .done: break
    case .illegal:
      halt(AMDViEvent.illegalCommandError, address)
      return .done
    case .failed:
      halt(AMDViEvent.commandHardwareError, address)
      return .done
    case .invalidate(let invalidation): step = .invalidate(invalidation, address: address)
    }
    registers[.commandHead] = (head + AMDViCommand.size) & (ring.size - 1)
    return step
  }

  private mutating func halt(_ code: UInt32, _ address: UInt64) {
    registers[.status] &= ~AMDViStatus.cmdBufRun
    append((AMDVi.Failure(code: code, address: address, device: 0).word, address), to: .event)
  }

  /// A device did not answer: IOTLB_INV_TIMEOUT, unless InvTimeout says to wait for ever. That one is not
  /// modelled: the next command runs.
  mutating func timedOut(_ invalidation: DeviceTLBInvalidation, _ address: UInt64) {
    guard control >> AMDViControl.invTimeoutShift & 7 != 0 else { return }
    let failure = AMDVi.Failure(
      code: AMDViEvent.iotlbInvalidationTimeout, address: address,
      device: UInt16(truncatingIfNeeded: invalidation.source))
    append((failure.word, address), to: .event)
  }

  private enum Executed {
    case done
    case illegal
    /// Memory that it needs does not exist.
    case failed
    case invalidate(DeviceTLBInvalidation)
  }

  private mutating func execute(_ c: AMDVi.CommandWords, _ address: UInt64) -> Executed {
    Tracer.tell(
      MachineEvent(
        .command, .text("AMD-Vi"), .hex(UInt64(c.opcode)),
        .list([.hex(UInt64(c.w0)), .hex(UInt64(c.w1)), .hex(UInt64(c.w2)), .hex(UInt64(c.w3))])))
    switch c.opcode {
    case AMDViCommand.completionWait: return completionWait(c)
    case AMDViCommand.invalidateDeviceTableEntry:
      guard c.only(0xFFFF, 0, 0, 0) else { return .illegal }
      invalidateDevice(UInt16(truncatingIfNeeded: c.w0))
    case AMDViCommand.invalidateIOMMUPages:
      guard c.only(0xF_FFFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF) else { return .illegal }
      let gn = c.w2 & AMDViCommand.gn != 0
      if gn, !configuration.has(AMDViFeature.gt) { return .illegal }
      invalidatePages(
        domain: UInt64(c.w1 & 0xFFFF), pasid: gn ? UInt64(c.w0 & 0xF_FFFF) : nil, c.range,
        tables: c.w2 & AMDViCommand.pde != 0)
    case AMDViCommand.invalidateIOTLBPages:
      guard configuration.iotlbSupported, c.only(.max, 0x0FFF_FFFF, ~AMDViCommand.pde, .max) else {
        return .illegal
      }
      // The PASID's bits 7:0 and 19:16 are in word 1, 15:8 in word 0.
      let pasid = (c.w1 >> 16 & 0xFF) | (c.w0 >> 16 & 0xFF) << 8 | (c.w1 >> 24 & 0xF) << 16
      // With GIoV requests without PASID are those of PASID 0, and the function knows them without one.
      let plain = pasid == 0 && hasPlainGuest(UInt16(truncatingIfNeeded: c.w0))
      return .invalidate(
        DeviceTLBInvalidation(
          source: source(c), pasid: c.w2 & AMDViCommand.gn != 0 && !plain ? pasid : nil,
          address: c.range.first, sizeLg2: c.range.sizeLg2))
    case AMDViCommand.invalidateInterruptTable:
      guard c.only(0xFFFF, 0, 0, 0) else { return .illegal }
      let tag = AMDVi.Tag.used | UInt64(c.w0 & 0xFFFF)
      interrupts.remove { _, cached, _ in cached == tag }
    case AMDViCommand.prefetchIOMMUPages:
      // A hint, which this IOMMU does not take.
      guard configuration.has(AMDViFeature.prefetch) else { return .illegal }
    case AMDViCommand.completePPRRequest: return completePPR(c)
    case AMDViCommand.invalidateIOMMUAll:
      guard configuration.has(AMDViFeature.invalidateAll), c.only(0, 0, 0, 0) else { return .illegal }
      invalidateAll()
    // INSERT_GUEST_EVENT and RESET_VMMIO belong to the hardware vIOMMU, which no profile has.
    default: return .illegal
    }
    return .done
  }

  /// Section 2.4.1.
  private mutating func completionWait(_ c: AMDVi.CommandWords) -> Executed {
    guard c.only(.max, 0xF_FFFF, .max, .max) else { return .illegal }
    if c.w0 & AMDViCommand.store != 0 {
      let address = UInt64(c.w0 & AMDViCommand.storeAddressMask) | UInt64(c.w1 & 0xF_FFFF) << 32
      // Under SNP the exclusion registers bound the addresses; both name pages that belong to the window.
      if configuration.snpEnabled {
        let (base, limit) = (registers[.exclusionBase], registers[.exclusionLimit])
        guard address >= base & AMDViRegister.baseMask, address <= limit | 0xFFF else { return .illegal }
      }
      guard memory.store64(UInt64(c.w2) | UInt64(c.w3) << 32, at: PhysAddr(address)) else { return .failed }
    }
    if c.w0 & AMDViCommand.interrupt != 0, registers[.status] & AMDViStatus.comWaitInt == 0 {
      registers[.status] |= AMDViStatus.comWaitInt
      if controls(AMDViControl.comWaitIntEn) { outbox.append(.interrupt(.event)) }
    }
    return .done
  }

  /// The function that a command names.
  private func source(_ c: AMDVi.CommandWords) -> UInt32 {
    UInt32(configuration.segment) << 16 | c.w0 & 0xFFFF
  }

  private mutating func hasPlainGuest(_ id: UInt16) -> Bool {
    var live = AMDVi.Live()
    guard case .device(let device) = fetch(id, &live) else { return false }
    return device.hasPlainGuest
  }

  /// Section 2.4.7: software's answer to a page request.
  private mutating func completePPR(_ c: AMDVi.CommandWords) -> Executed {
    guard configuration.has(AMDViFeature.ppr), c.only(0xFFFF, 0xF_FFFF, AMDViCommand.gn, 0xF1FF),
      let code = PageResponse.Code(rawValue: UInt8(truncatingIfNeeded: c.w3 >> AMDViCommand.pprStatusShift))
    else { return .illegal }
    outbox.append(
      .respond(
        PageResponse(
          source: source(c), pasid: c.w2 & AMDViCommand.gn != 0 ? c.w1 & 0xF_FFFF : nil,
          group: UInt16(c.w3 & AMDViCommand.pprTagMask), code: code)))
    return .done
  }
}

extension AMDVi {
  /// A command as four words of 32 bits.
  struct CommandWords {
    let w0, w1, w2, w3: UInt32
    init(_ low: UInt64, _ high: UInt64) {
      w0 = UInt32(truncatingIfNeeded: low)
      w1 = UInt32(truncatingIfNeeded: low >> 32)
      w2 = UInt32(truncatingIfNeeded: high)
      w3 = UInt32(truncatingIfNeeded: high >> 32)
    }

    var opcode: UInt32 { w1 >> AMDViCommand.opcodeShift }

    /// No reserved bit is set, outside of these and the opcode.
    func only(_ m0: UInt32, _ m1: UInt32, _ m2: UInt32, _ m3: UInt32) -> Bool {
      w0 & ~m0 == 0 && w1 & ~(m1 | 0xF << AMDViCommand.opcodeShift) == 0 && w2 & ~m2 == 0 && w3 & ~m3 == 0
    }

    /// The addresses of an invalidation. Section 2.4.3: one page, or with S an aligned power of two, whose half
    /// is the lowest bit from 12 up that is 0; all ones up to bit 62 are everything.
    var range: AddressRange {
      let address = UInt64(w2 & 0xFFFF_F000) | UInt64(w3) << 32
      guard w2 & AMDViCommand.sized != 0 else { return AddressRange(first: address, sizeLg2: 12) }
      let zero = (~(address | 0xFFF)).trailingZeroBitCount
      guard zero < 63 else { return AddressRange(first: 0, sizeLg2: 64) }
      return AddressRange(first: address & (~0 << UInt64(zero + 1)), sizeLg2: UInt8(zero + 1))
    }
  }

  /// An aligned power of two of addresses; 64 for all.
  struct AddressRange {
    let first: UInt64
    let sizeLg2: UInt8
    var last: UInt64 { sizeLg2 >= 64 ? .max : first | ((1 << UInt64(sizeLg2)) - 1) }
    var isEverything: Bool { sizeLg2 >= 64 }

    /// Whether it meets the aligned `1 << lg2` bytes around `address`.
    func meets(_ address: UInt64, lg2: UInt64) -> Bool {
      let mask: UInt64 = (1 << lg2) &- 1
      return address & ~mask <= last && first <= address | mask
    }
  }
}
