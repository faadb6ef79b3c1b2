// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension RISCVIOMMU {
  /// Bits of `capabilities` by the specification's names: section 6.3.
  public enum Feature: String, CaseIterable, Sendable {
    case svpbmt
    case svrsw60t59b
    case amoHWAD = "amo-hwad"
    case amoMRIF = "amo-mrif"
    case msiFlat = "msi-flat"
    case msiMRIF = "msi-mrif"
    case ats
    case t2gpa
    case end
    case hpm
    case dbg
    case qosid
    case nl
    case s

    var bit: UInt64 {
      switch self {
      case .svpbmt: RISCV.Capability.svpbmt
      case .svrsw60t59b: RISCV.Capability.svrsw60t59b
      case .amoHWAD: RISCV.Capability.amoHWAD
      case .amoMRIF: RISCV.Capability.amoMRIF
      case .msiFlat: RISCV.Capability.msiFlat
      case .msiMRIF: RISCV.Capability.msiMRIF
      case .ats: RISCV.Capability.ats
      case .t2gpa: RISCV.Capability.t2gpa
      case .end: RISCV.Capability.end
      case .hpm: RISCV.Capability.hpm
      case .dbg: RISCV.Capability.dbg
      case .qosid: RISCV.Capability.qosid
      case .nl: RISCV.Capability.nl
      case .s: RISCV.Capability.s
      }
    }
  }

  /// `capabilities.IGS`.
  public enum Signalling: String, CaseIterable, Sendable {
    case messages
    case wires
    case both
  }
}

extension RISCVIOMMU.Configuration {
  public subscript(_ feature: RISCVIOMMU.Feature) -> Bool {
    get { capabilities & feature.bit != 0 }
    set { if newValue { capabilities |= feature.bit } else { capabilities &= ~feature.bit } }
  }

  /// The widest first stage: Sv39, Sv48 or Sv57 with those below it, 0 for none.
  public mutating func setFirstStage(_ width: Int) { setStages(width, RISCV.Capability.sv39) }

  /// The widest second stage: Sv39x4, Sv48x4 or Sv57x4 with those below it, 0 for none.
  public mutating func setSecondStage(_ width: Int) { setStages(width, RISCV.Capability.sv39x4) }

  /// The three bits of a stage are neighbours.
  private mutating func setStages(_ width: Int, _ lowest: UInt64) {
    capabilities &= ~(lowest * 7)
    for (step, needed) in [39, 48, 57].enumerated() where width >= needed {
      capabilities |= lowest << UInt64(step)
    }
  }

  /// Sv32 and Sv32x4, for `SXL` and `GXL`.
  public mutating func setSv32(_ on: Bool) {
    let bits = RISCV.Capability.sv32 | RISCV.Capability.sv32x4
    capabilities = capabilities & ~bits | (on ? bits : 0)
  }

  /// Bits of a process_id: 20, 17 or 8 with what is below it, 0 for no process directory.
  public mutating func setProcessBits(_ bits: Int) {
    capabilities &= ~(RISCV.Capability.pd8 | RISCV.Capability.pd17 | RISCV.Capability.pd20)
    if bits >= 8 { capabilities |= RISCV.Capability.pd8 }
    if bits >= 17 { capabilities |= RISCV.Capability.pd17 }
    if bits >= 20 { capabilities |= RISCV.Capability.pd20 }
  }

  /// Bits of a physical address.
  public mutating func setPhysicalBits(_ bits: UInt64) {
    capabilities &= ~(RISCV.Capability.pasMask << RISCV.Capability.pasShift)
    capabilities |= (bits & RISCV.Capability.pasMask) << RISCV.Capability.pasShift
  }

  public mutating func setSignalling(_ signalling: RISCVIOMMU.Signalling) {
    capabilities &= ~(RISCV.Capability.igsMask << RISCV.Capability.igsShift)
    let code =
      switch signalling {
      case .messages: RISCV.InterruptSupport.msi
      case .wires: RISCV.InterruptSupport.wsi
      case .both: RISCV.InterruptSupport.both
      }
    capabilities |= code << RISCV.Capability.igsShift
  }

  /// `fctl.BE` after reset.
  public mutating func setBigEndian(_ on: Bool) {
    featureControl = featureControl & ~RISCV.FeatureControl.be | (on ? RISCV.FeatureControl.be : 0)
  }
}
