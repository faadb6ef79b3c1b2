// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension AMDVi {
  /// The 64-bit words of the register file. AMD IOMMU Specification, publication 48882, section 3.4.
  enum Register: Int, CaseIterable, Sendable {
    case deviceTableBase, commandBufferBase, eventLogBase, control, exclusionBase, exclusionLimit
    case extendedFeature, pprLogBase, gaLogBase, gaLogTailAddress
    case segment1, segment2, segment3, segment4, segment5, segment6, segment7
    case msiAddress, msiData, x2apicEvent, x2apicPPR, x2apicGA, extendedFeature2
    case commandHead, commandTail, eventHead, eventTail, status, pprHead, pprTail, gaHead, gaTail

    struct Row: Sendable {
      let name: String
      let offset: UInt64
      /// Bits that software can write; for the status register, clear.
      let writable: UInt64
    }

    var row: Row { Self.rows[rawValue] }

    /// In the order of the cases.
    static let rows: [Row] = {
      let queue = AMDViRegister.baseMask | 0xF << AMDViRegister.lengthShift
      let table = AMDViRegister.baseMask | 0x1FF
      let pointer = AMDViRegister.pointerMask
      let x2apic: UInt64 = 0xFF01_00FF_FFFF_FF04
      var rows = [
        Row(name: "DeviceTableBase", offset: AMDViRegister.deviceTableBase, writable: table),
        Row(name: "CommandBufferBase", offset: AMDViRegister.commandBufferBase, writable: queue),
        Row(name: "EventLogBase", offset: AMDViRegister.eventLogBase, writable: queue),
        Row(name: "Control", offset: AMDViRegister.control, writable: .max),
        Row(
          name: "ExclusionBase", offset: AMDViRegister.exclusionBase,
          writable: AMDViRegister.baseMask | AMDViRegister.exclusionEnable | AMDViRegister.exclusionAllow),
        Row(name: "ExclusionLimit", offset: AMDViRegister.exclusionLimit, writable: AMDViRegister.baseMask),
        Row(name: "ExtendedFeature", offset: AMDViRegister.extendedFeature, writable: 0),
        Row(name: "PPRLogBase", offset: AMDViRegister.pprLogBase, writable: queue),
        Row(name: "GALogBase", offset: AMDViRegister.gaLogBase, writable: queue),
        Row(
          name: "GALogTailAddress", offset: AMDViRegister.gaLogTailAddress, writable: 0x000F_FFFF_FFFF_FFF8),
      ]
      for segment: UInt64 in 1...7 {
        rows.append(
          Row(
            name: "DeviceTableSegment\(segment)",
            offset: AMDViRegister.deviceTableSegment1 + 8 * (segment - 1), writable: table))
      }
      rows += [
        Row(
          name: "MSIAddress", offset: AMDViRegister.msiCapability,
          writable: 0xFFFF_FFFC_0000_0000 | AMDViRegister.msiEnable),
        Row(name: "MSIData", offset: AMDViRegister.msiAddressHigh, writable: .max),
        Row(name: "X2APICEvent", offset: AMDViRegister.x2apicEventInterrupt, writable: x2apic),
        Row(name: "X2APICPPR", offset: AMDViRegister.x2apicPPRInterrupt, writable: x2apic),
        Row(name: "X2APICGA", offset: AMDViRegister.x2apicGAInterrupt, writable: x2apic),
        Row(name: "ExtendedFeature2", offset: AMDViRegister.extendedFeature2, writable: 0),
        Row(name: "CommandHead", offset: AMDViRegister.commandHead, writable: pointer),
        Row(name: "CommandTail", offset: AMDViRegister.commandTail, writable: pointer),
        Row(name: "EventHead", offset: AMDViRegister.eventHead, writable: pointer),
        Row(name: "EventTail", offset: AMDViRegister.eventTail, writable: pointer),
        Row(name: "Status", offset: AMDViRegister.status, writable: AMDViStatus.writeOneToClear),
        Row(name: "PPRHead", offset: AMDViRegister.pprHead, writable: pointer),
        Row(name: "PPRTail", offset: AMDViRegister.pprTail, writable: pointer),
        Row(name: "GAHead", offset: AMDViRegister.gaHead, writable: AMDViRegister.gaPointerMask),
        Row(name: "GATail", offset: AMDViRegister.gaTail, writable: AMDViRegister.gaPointerMask),
      ]
      return rows
    }()

    /// The word that holds `offset`.
    static func at(_ offset: UInt64) -> Register? {
      rows.firstIndex { $0.offset == offset & ~7 }.flatMap { Register(rawValue: $0) }
    }
  }

  /// The words of all registers.
  struct RegisterFile: Sendable {
    private var words = [UInt64](repeating: 0, count: Register.allCases.count)
    subscript(_ register: Register) -> UInt64 {
      get { words[register.rawValue] }
      set { words[register.rawValue] = newValue }
    }

    /// A ring in memory: its base register says where, and how long in bytes. Lengths below the manual's least,
    /// 256 entries of 16 bytes, count as the least.
    func ring(_ base: Register) -> (base: UInt64, size: UInt64) {
      let word = self[base]
      return (
        word & AMDViRegister.baseMask, 16 << max(8, word >> AMDViRegister.lengthShift & 0xF)
      )
    }
  }
}
