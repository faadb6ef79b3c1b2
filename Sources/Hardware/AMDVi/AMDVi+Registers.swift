// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Register accesses and what they set off. AMD IOMMU Specification, publication 48882, section 3.4.

extension AMDVi.Unit {
  /// - Returns: 0 where nothing is.
  mutating func read(_ offset: UInt64, width: Int) -> UInt64 {
    guard let register = AMDVi.Register.at(offset) else { return 0 }
    if register == .status { arrived = 0 }
    let word = registers[register]
    guard width == 4 else { return word }
    return offset & 4 == 0 ? word & 0xFFFF_FFFF : word >> 32
  }

  mutating func write(_ offset: UInt64, width: Int, _ value: UInt64) {
    guard let register = AMDVi.Register.at(offset) else { return }
    let lanes: UInt64 = width == 4 ? (offset & 4 == 0 ? 0xFFFF_FFFF : ~0xFFFF_FFFF) : .max
    let value = width == 4 && offset & 4 != 0 ? value << 32 : value
    let old = registers[register]
    var writable = register.row.writable & lanes
    switch register {
    case .status:
      let interrupts = AMDViStatus.eventLogInt | AMDViStatus.pprInt | AMDViStatus.gaLogInt
      let stuck = configuration.erbt1312 ? arrived & interrupts : 0
      registers[.status] = old & ~(value & writable & ~stuck)
      return
    case .control: writable &= ~unsupportedControl
    default: break
    }
    registers[register] = old & ~writable | value & writable
    changed(register, from: old)
  }

  /// Control bits of features that are not there: they stay 0.
  private var unsupportedControl: UInt64 {
    var bits: UInt64 = 0
    func need(_ feature: UInt64, _ control: UInt64) { if !configuration.has(feature) { bits |= control } }
    need(
      AMDViFeature.ppr, AMDViControl.pprLogEn | AMDViControl.pprIntEn | AMDViControl.pprEn)
    need(AMDViFeature.gt, AMDViControl.gtEn)
    need(AMDViFeature.ga, AMDViControl.gaEn | AMDViControl.gaLogEn | AMDViControl.gaIntEn)
    need(AMDViFeature.xt, AMDViControl.xtEn | AMDViControl.intCapXTEn)
    need(AMDViFeature.eph, AMDViControl.ephEn)
    need(AMDViFeature.pprAutoResponse, AMDViControl.pprAutoResponseEn)
    need(AMDViFeature.v2HDDis, AMDViControl.v2HDDis)
    if configuration.features2 & AMDViFeature2.gcr3TRPMode == 0 { bits |= AMDViControl.gcr3TRPMode }
    if configuration.features2 >> AMDViFeature2.numIntRemapShift & 3 == 0 {
      bits |= 3 << AMDViControl.interruptTableModeShift
    }
    return bits
  }

  private mutating func changed(_ register: AMDVi.Register, from old: UInt64) {
    switch register {
    // A new base starts an empty queue.
    case .commandBufferBase: (registers[.commandHead], registers[.commandTail]) = (0, 0)
    case .eventLogBase: (registers[.eventHead], registers[.eventTail]) = (0, 0)
    case .pprLogBase: (registers[.pprHead], registers[.pprTail]) = (0, 0)
    case .gaLogBase: (registers[.gaHead], registers[.gaTail]) = (0, 0)
    case .exclusionBase:
      excludes = !configuration.snpEnabled && registers[.exclusionBase] & AMDViRegister.exclusionEnable != 0
    case .control: controlChanged(from: old)
    default: break
    }
  }

  /// A queue runs from the moment when both it and the IOMMU are enabled, until one is disabled or an error
  /// stops it. A log that overflowed starts again only after software has cleared its overflow bit.
  private mutating func controlChanged(from old: UInt64) {
    let new = control
    enabled = new & AMDViControl.iommuEn != 0
    quick = enabled && configuration.cachePolicy == .keep
    marksGuest = new & AMDViControl.v2HDDis == 0
    if (old ^ new) & AMDViControl.gtEn != 0 { devices.judgeAgain(configuration, control: new) }
    for queue in Self.queues {
      let enable = queue.enable | AMDViControl.iommuEn
      if new & enable != enable {
        registers[.status] &= ~queue.run
      } else if old & enable != enable, registers[.status] & queue.overflow == 0 {
        registers[.status] |= queue.run
      }
    }
  }

  private static let queues: [(enable: UInt64, run: UInt64, overflow: UInt64)] = [
    (AMDViControl.cmdBufEn, AMDViStatus.cmdBufRun, 0),
    (AMDViControl.eventLogEn, AMDViStatus.eventLogRun, AMDViStatus.eventOverflow),
    (AMDViControl.pprLogEn, AMDViStatus.pprRun, AMDViStatus.pprOverflow),
    (AMDViControl.gaLogEn, AMDViStatus.gaLogRun, AMDViStatus.gaLogOverflow),
  ]
}
