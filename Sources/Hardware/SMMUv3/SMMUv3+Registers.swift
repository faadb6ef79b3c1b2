// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The register pages. IHI 0070, 6.2 and 6.3. A 64-bit register can be reached by halves; a register that an
// enable bit guards keeps its value while the bit is set, and the attempt is noted as a mistake of software.

extension SMMUv3 {
  /// Where the Tegra241 block lies, from the SMMU's registers: 2 MiB above.
  public static let cmdqvWindow: UInt64 = 0x20_0000

  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    if offset >= Self.cmdqvWindow {
      return cmdqv?.readRegister(offset - Self.cmdqvWindow, width: width) ?? 0
    }
    if width == 8, offset & 7 == 0 {
      return UInt64(read32(offset)) | UInt64(read32(offset + 4)) << 32
    }
    return width == 4 && offset & 3 == 0 ? UInt64(read32(offset)) : 0
  }

  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    if offset >= Self.cmdqvWindow {
      cmdqv?.writeRegister(offset - Self.cmdqvWindow, width: width, value)
    } else if width == 8, offset & 7 == 0 {
      write32(offset, UInt32(truncatingIfNeeded: value))
      write32(offset + 4, UInt32(truncatingIfNeeded: value >> 32))
    } else if width == 4, offset & 3 == 0 {
      write32(offset, UInt32(truncatingIfNeeded: value))
    }
  }

  /// Page 1's registers, where this part has them: the number that the switch below works with.
  private func canonicalOffset(_ offset: UInt64) -> UInt64? {
    switch offset {
    case 0xA8, 0xAC, 0xC8, 0xCC: configuration.page0Only ? offset + SMMU.Register.page1 : nil
    case SMMU.Register.eventQueueProd, SMMU.Register.eventQueueCons, SMMU.Register.pageRequestQueueProd,
      SMMU.Register.pageRequestQueueCons:
      configuration.page0Only ? nil : offset
    default: offset
    }
  }

  private func read32(_ offset: UInt64) -> UInt32 {
    guard let offset = canonicalOffset(offset) else { return 0 }
    typealias R = SMMU.Register
    switch offset {
    case R.idr0: return capabilities.idr0
    case R.idr1: return capabilities.idr1
    case R.idr2: return configuration.idr2
    case R.idr3: return capabilities.idr3
    case R.idr4: return configuration.idr4
    case R.idr5: return capabilities.idr5
    case R.iidr: return configuration.iidr
    case R.aidr: return configuration.aidr
    case R.cr0, R.cr0ack: return cr0
    case R.cr1: return cr1
    case R.cr2: return cr2
    case R.gbpa: return gbpa
    case R.irqControl, R.irqControlAck: return irqControl
    case R.gerror: return gerror
    case R.gerrorN: return gerrorN
    case R.streamTableBase...R.streamTableBase + 4: return half(streamTableBase, offset)
    case R.streamTableConfig: return streamTableConfig
    case R.commandQueueBase...R.commandQueueBase + 4: return half(commands.base, offset)
    case R.commandQueueProd: return commands.prod
    case R.commandQueueCons: return commands.cons
    case R.eventQueueBase...R.eventQueueBase + 4: return half(events.base, offset)
    case R.eventQueueProd: return events.prod
    case R.eventQueueCons: return events.cons
    case R.pageRequestQueueBase...R.pageRequestQueueBase + 4: return half(requests.base, offset)
    case R.pageRequestQueueProd: return requests.prod
    case R.pageRequestQueueCons: return requests.cons
    case R.gerrorIRQConfig0...R.gerrorIRQConfig0 + 12:
      return message(gerrorMessage, offset - R.gerrorIRQConfig0)
    case R.eventQueueIRQConfig0...R.eventQueueIRQConfig0 + 12:
      return message(eventMessage, offset - R.eventQueueIRQConfig0)
    case R.pageRequestQueueIRQConfig0...R.pageRequestQueueIRQConfig0 + 12:
      return message(priMessage, offset - R.pageRequestQueueIRQConfig0)
    default: return 0
    }
  }

  private func write32(_ offset: UInt64, _ value: UInt32) {
    guard let offset = canonicalOffset(offset) else { return }
    typealias R = SMMU.Register
    let translating = isEnabled(SMMU.CR0.smmuEnable)
    switch offset {
    case R.cr0: writeCR0(value)
    case R.cr1: cr1 = value & 0xFFF
    case R.cr2:
      guard permitted(!translating, "CR2 was written while SMMUEN is set") else { return }
      var mask = SMMU.CR2.recordInvalidSID | SMMU.CR2.privateTLBMaintenance
      if capabilities.has0(SMMU.IDR0.hyp) { mask |= SMMU.CR2.e2h }
      if capabilities.has0(SMMU.IDR0.atsrecerr) { mask |= SMMU.CR2.recordATSConfiguration }
      cr2 = value & mask
    case R.gbpa:
      // The write counts with UPDATE set, and has happened when UPDATE reads as 0.
      if value & SMMU.GBPA.update != 0 { gbpa = value & ~SMMU.GBPA.update }
    case R.irqControl:
      irqControl = value & (SMMU.IRQControl.gerror | SMMU.IRQControl.priQueue | SMMU.IRQControl.eventQueue)
    case R.gerrorN: acknowledge(value & SMMU.GlobalError.all)
    case R.streamTableBase...R.streamTableBase + 4:
      guard permitted(!translating && !preset(SMMU.IDR1.tablesPreset), "STRTAB_BASE was written while in use")
      else { return }
      put(&streamTableBase, offset, value, mask: SMMU.StreamTable.baseMask | SMMU.StreamTable.readAllocate)
    case R.streamTableConfig:
      guard
        permitted(!translating && !preset(SMMU.IDR1.tablesPreset), "STRTAB_BASE_CFG was written while in use")
      else { return }
      streamTableConfig = value & 0x3_07FF
    case R.commandQueueBase...R.commandQueueProd, R.commandQueueCons: writeCommandQueue(offset, value)
    case R.eventQueueBase...R.eventQueueBase + 4, R.eventQueueProd, R.eventQueueCons:
      writeEventQueue(offset, value)
    case R.pageRequestQueueBase...R.pageRequestQueueBase + 4, R.pageRequestQueueProd,
      R.pageRequestQueueCons:
      writeRequestQueue(offset, value)
    case R.gerrorIRQConfig0...R.gerrorIRQConfig0 + 12:
      guard permitted(irqControl & SMMU.IRQControl.gerror == 0, "GERROR_IRQ_CFG was written while in use")
      else { return }
      put(&gerrorMessage, offset - R.gerrorIRQConfig0, value)
    case R.eventQueueIRQConfig0...R.eventQueueIRQConfig0 + 12:
      guard permitted(irqControl & SMMU.IRQControl.eventQueue == 0, "EVENTQ_IRQ_CFG was written while in use")
      else { return }
      put(&eventMessage, offset - R.eventQueueIRQConfig0, value)
    case R.pageRequestQueueIRQConfig0...R.pageRequestQueueIRQConfig0 + 12:
      guard permitted(irqControl & SMMU.IRQControl.priQueue == 0, "PRIQ_IRQ_CFG was written while in use")
      else { return }
      put(&priMessage, offset - R.pageRequestQueueIRQConfig0, value)
    default: break
    }
  }

  // MARK: CR0

  private func writeCR0(_ value: UInt32) {
    var mask = SMMU.CR0.smmuEnable | SMMU.CR0.eventQueueEnable | SMMU.CR0.commandQueueEnable
    if capabilities.has0(SMMU.IDR0.pri) { mask |= SMMU.CR0.priQueueEnable }
    if capabilities.has0(SMMU.IDR0.ats) { mask |= SMMU.CR0.atsCheck }
    var new = value & mask
    if capabilities.has0(SMMU.IDR0.vmw) {
      let wildcard = value[SMMU.CR0.vmidWildcard]
      new[SMMU.CR0.vmidWildcard] = wildcard <= 4 ? wildcard : 0
    }
    cr0 = new
    contexts.removeAll()
    // A queue that was just enabled has work to do.
    flushWaitingEvents()
    runCommands()
  }

  // MARK: Queues

  private func writeCommandQueue(_ offset: UInt64, _ value: UInt32) {
    typealias R = SMMU.Register
    let enabled = isEnabled(SMMU.CR0.commandQueueEnable)
    switch offset {
    case R.commandQueueProd:
      commands.prod = value & 0xF_FFFF
      runCommands()
    case R.commandQueueCons:
      guard permitted(!enabled, "CMDQ_CONS was written while CMDQEN is set") else { return }
      commands.cons = value & 0x7F0F_FFFF
    default:
      guard permitted(!enabled && !preset(SMMU.IDR1.queuesPreset), "CMDQ_BASE was written while in use")
      else { return }
      put(&commands.base, offset, value, mask: Self.queueBaseMask)
    }
  }

  private func writeEventQueue(_ offset: UInt64, _ value: UInt32) {
    typealias R = SMMU.Register
    let enabled = isEnabled(SMMU.CR0.eventQueueEnable)
    switch offset {
    case R.eventQueueProd:
      guard permitted(!enabled, "EVENTQ_PROD was written while EVENTQEN is set") else { return }
      events.prod = value & 0x800F_FFFF
    case R.eventQueueCons:
      events.cons = value & 0x800F_FFFF
      if events.isEmpty { lastEvent = nil }
      flushWaitingEvents()
    default:
      guard permitted(!enabled && !preset(SMMU.IDR1.queuesPreset), "EVENTQ_BASE was written while in use")
      else { return }
      put(&events.base, offset, value, mask: Self.queueBaseMask)
    }
  }

  private func writeRequestQueue(_ offset: UInt64, _ value: UInt32) {
    guard capabilities.has0(SMMU.IDR0.pri) else { return }
    typealias R = SMMU.Register
    let enabled = isEnabled(SMMU.CR0.priQueueEnable)
    switch offset {
    case R.pageRequestQueueProd:
      guard permitted(!enabled, "PRIQ_PROD was written while PRIQEN is set") else { return }
      requests.prod = value & 0x800F_FFFF
    case R.pageRequestQueueCons: requests.cons = value & 0x800F_FFFF
    default:
      guard permitted(!enabled && !preset(SMMU.IDR1.queuesPreset), "PRIQ_BASE was written while in use")
      else { return }
      put(&requests.base, offset, value, mask: Self.queueBaseMask)
    }
  }

  // MARK: Helpers

  private static var queueBaseMask: UInt64 { SMMU.Queue.baseMask | SMMU.Queue.allocateHint | 0x1F }

  private func preset(_ bit: UInt32) -> Bool { capabilities.has1(bit) }

  private func permitted(_ condition: Bool, _ mistake: String) -> Bool {
    if !condition { mistakes.note(mistake) }
    return condition
  }

  private func half(_ value: UInt64, _ offset: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: offset & 4 == 0 ? value : value >> 32)
  }

  private func put(_ register: inout UInt64, _ offset: UInt64, _ value: UInt32, mask: UInt64) {
    if offset & 4 == 0 {
      register = (register & ~0xFFFF_FFFF | UInt64(value)) & mask
    } else {
      register = (register & 0xFFFF_FFFF | UInt64(value) << 32) & mask
    }
  }

  private func message(_ registers: MessageRegisters, _ offset: UInt64) -> UInt32 {
    switch offset {
    case 0, 4: half(registers.address, offset)
    case 8: registers.data
    default: registers.attributes
    }
  }

  private func put(_ registers: inout MessageRegisters, _ offset: UInt64, _ value: UInt32) {
    // Without MSIs these are RES0.
    guard capabilities.has0(SMMU.IDR0.msi) else { return }
    switch offset {
    case 0, 4: put(&registers.address, offset, value, mask: SMMU.IRQControl.addressMask)
    case 8: registers.data = value
    default: registers.attributes = value & 0x8000_003F
    }
  }
}
