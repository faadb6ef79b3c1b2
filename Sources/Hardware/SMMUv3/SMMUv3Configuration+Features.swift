// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Choosing the identification registers by what they say, for whoever does not think in bits.

extension SMMUv3 {
  /// A bit of IDR0, IDR1, IDR3 or IDR5. IHI 0070, 6.3.1 to 6.3.6.
  public enum Feature: Sendable {
    case stage1, stage2, coherentAccess, broadcastTLBMaintenance, hypervisor, ats, pri, asid16, vmid16,
      messages,
      events, twoLevelContexts, twoLevelStreams, forcedWriteBack, rangeInvalidation, typesOverride, granule4K,
      granule16K, granule64K, wideVirtual
  }

  /// A field of more bits.
  public enum Size: Sendable {
    /// IDR5.OAS, in bits of an address.
    case outputBits
    /// IDR0.HTTU.
    case tableUpdates
    /// IDR0.STALL_MODEL.
    case stallModel
    case streamBits, substreamBits
    /// Base-2 logarithms of entries.
    case commandQueue, eventQueue, requestQueue
  }
}

extension SMMUv3.Configuration {
  private typealias Register = WritableKeyPath<SMMUv3.Configuration, UInt32>

  public mutating func set(_ feature: SMMUv3.Feature, _ on: Bool) {
    let (register, bit) = Self.place(feature)
    if on { self[keyPath: register] |= bit } else { self[keyPath: register] &= ~bit }
  }

  private static func place(_ feature: SMMUv3.Feature) -> (Register, UInt32) {
    switch feature {
    case .stage1: (\.idr0, SMMU.IDR0.s1p)
    case .stage2: (\.idr0, SMMU.IDR0.s2p)
    case .coherentAccess: (\.idr0, SMMU.IDR0.cohacc)
    case .broadcastTLBMaintenance: (\.idr0, SMMU.IDR0.btm)
    case .hypervisor: (\.idr0, SMMU.IDR0.hyp)
    case .ats: (\.idr0, SMMU.IDR0.ats)
    case .pri: (\.idr0, SMMU.IDR0.pri)
    case .asid16: (\.idr0, SMMU.IDR0.asid16)
    case .vmid16: (\.idr0, SMMU.IDR0.vmid16)
    case .messages: (\.idr0, SMMU.IDR0.msi)
    case .events: (\.idr0, SMMU.IDR0.sev)
    case .twoLevelContexts: (\.idr0, SMMU.IDR0.cd2l)
    // ST_LEVEL = 1.
    case .twoLevelStreams: (\.idr0, 1 << UInt32(SMMU.IDR0.stLevel.low))
    case .forcedWriteBack: (\.idr3, SMMU.IDR3.fwb)
    case .rangeInvalidation: (\.idr3, SMMU.IDR3.ril)
    case .typesOverride: (\.idr1, SMMU.IDR1.attributeTypesOverride)
    case .granule4K: (\.idr5, SMMU.IDR5.granule4K)
    case .granule16K: (\.idr5, SMMU.IDR5.granule16K)
    case .granule64K: (\.idr5, SMMU.IDR5.granule64K)
    // VAX = 1.
    case .wideVirtual: (\.idr5, 1 << UInt32(SMMU.IDR5.vax.low))
    }
  }

  /// False for a value that the field does not have.
  public mutating func set(_ size: SMMUv3.Size, _ value: UInt64) -> Bool {
    let (register, field, largest): (Register, SMMU.Field, UInt64) =
      switch size {
      case .outputBits: (\.idr5, SMMU.IDR5.oas, 6)
      case .tableUpdates: (\.idr0, SMMU.IDR0.httu, 3)
      case .stallModel: (\.idr0, SMMU.IDR0.stallModel, 2)
      case .streamBits: (\.idr1, SMMU.IDR1.sidSize, 32)
      case .substreamBits: (\.idr1, SMMU.IDR1.ssidSize, 20)
      case .commandQueue: (\.idr1, SMMU.IDR1.commandQueueSize, 19)
      case .eventQueue: (\.idr1, SMMU.IDR1.eventQueueSize, 19)
      case .requestQueue: (\.idr1, SMMU.IDR1.priQueueSize, 19)
      }
    var value = value
    if size == .outputBits {
      guard let code = SMMU.addressSizes.prefix(7).firstIndex(where: { UInt64($0) == value }) else {
        return false
      }
      value = UInt64(code)
    }
    guard value <= largest else { return false }
    self[keyPath: register][field] = UInt32(value)
    return true
  }
}
