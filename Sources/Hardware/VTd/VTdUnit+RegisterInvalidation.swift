// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Invalidation by registers: VT-d section 6.5.1. The actual granularity that is reported is what was done: at
// least what was asked for, or 0 for nothing. While queued invalidation is on, the registers do nothing.

extension VTdUnit {
  /// CCMD was written. VT-d section 11.4.6.1.
  func contextCommand() {
    typealias Command = VTd.ContextCommand
    let value = registers.read64(VTd.Register.ccmd)
    guard Command.icc.of(value) != 0 else { return }
    var done: UInt64 = 0
    let asked = Command.cirg.of(value)
    if isQueueEnabled {
      note("register-based invalidation while queued invalidation is on")
    } else if asked != 0 {
      let limits = translator.limits
      translator.invalidateContexts(
        asked, did: UInt16(truncatingIfNeeded: Command.did.of(value) & limits.domainMask),
        sid: UInt16(truncatingIfNeeded: Command.sid.of(value)), functionMask: Command.fm.of(value))
      done = asked
    }
    registers.set64(
      VTd.Register.ccmd, value & ~(Command.icc.mask | Command.caig.mask) | Command.caig.with(done))
  }

  /// The IOTLB register was written. VT-d section 11.4.6.3. A range that the unit cannot do is done as its
  /// domain.
  func iotlbCommand() {
    typealias Command = VTd.IOTLBCommand
    typealias Granularity = VTd.Descriptor.Granularity
    let at = registers.iva + VTd.Register.iotlbAfterIVA
    let value = registers.read64(at)
    guard Command.ivt.of(value) != 0 else { return }
    var done: UInt64 = 0
    let limits = translator.limits
    let did = UInt16(truncatingIfNeeded: Command.did.of(value) & limits.domainMask)
    let iva = registers.read64(registers.iva)
    let mask = Command.ivaAM.of(iva)
    if isQueueEnabled {
      note("register-based invalidation while queued invalidation is on")
    } else {
      done = Command.iirg.of(value)
      if done == Granularity.selective,
        VTd.Cap.psi.of(limits.cap) == 0 || mask > VTd.Cap.mamv.of(limits.cap)
      {
        done = Granularity.domain
      }
      switch done {
      case 0: break
      case Granularity.global: translator.invalidateIOTLB(did: nil)
      case Granularity.domain: translator.invalidateIOTLB(did: did)
      default:
        translator.invalidateIOTLB(
          did: did, VTdRange(iva & Command.ivaAddress.mask, mask: mask),
          keepsTables: Command.ivaIH.of(iva) != 0)
      }
    }
    registers.set64(at, value & ~(Command.ivt.mask | Command.iaig.mask) | Command.iaig.with(done))
  }
}
