// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// The identification registers, taken apart once.
  struct Capabilities: Sendable {
    let idr0: UInt32
    let idr1: UInt32
    let idr3: UInt32
    let idr5: UInt32

    init(_ configuration: Configuration) {
      var idr0 = configuration.idr0 & ~(SMMU.IDR0.atos | SMMU.IDR0.vatos)
      idr0[SMMU.IDR0.ttf] = 2
      // Without stage 1 or stage 2 there is no SMMU: stage 1 it is.
      if idr0 & (SMMU.IDR0.s1p | SMMU.IDR0.s2p) == 0 { idr0 |= SMMU.IDR0.s1p }
      if idr0 & SMMU.IDR0.ats == 0 { idr0 &= ~SMMU.IDR0.pri }
      if idr0[SMMU.IDR0.stallModel] == 3 { idr0[SMMU.IDR0.stallModel] = SMMU.IDR0.terminateOnly }
      if idr0[SMMU.IDR0.ttendian] == 1 { idr0[SMMU.IDR0.ttendian] = SMMU.IDR0.littleEndian }
      self.idr0 = idr0

      var idr1 = configuration.idr1 & ~(SMMU.IDR1.relative | SMMU.IDR1.ecmdq)
      idr1[SMMU.IDR1.sidSize] = min(idr1[SMMU.IDR1.sidSize], 32)
      idr1[SMMU.IDR1.ssidSize] = min(idr1[SMMU.IDR1.ssidSize], 20)
      for size in [SMMU.IDR1.priQueueSize, SMMU.IDR1.eventQueueSize, SMMU.IDR1.commandQueueSize] {
        idr1[size] = min(idr1[size], SMMU.IDR1.largestQueueLg2)
      }
      self.idr1 = idr1

      idr3 = configuration.idr3 & ~SMMU.IDR3.dpt
      var idr5 = configuration.idr5 & ~(SMMU.IDR5.ds | SMMU.IDR5.d128)
      idr5[SMMU.IDR5.oas] = min(idr5[SMMU.IDR5.oas], 6)
      if idr5 & (SMMU.IDR5.granule4K | SMMU.IDR5.granule16K | SMMU.IDR5.granule64K) == 0 {
        idr5 |= SMMU.IDR5.granule4K
      }
      self.idr5 = idr5
    }

    func has0(_ bit: UInt32) -> Bool { idr0 & bit != 0 }
    func has1(_ bit: UInt32) -> Bool { idr1 & bit != 0 }
    func has3(_ bit: UInt32) -> Bool { idr3 & bit != 0 }

    var httu: UInt32 { idr0[SMMU.IDR0.httu] }
    var stallModel: UInt32 { idr0[SMMU.IDR0.stallModel] }
    var sidBits: Int { Int(idr1[SMMU.IDR1.sidSize]) }
    var ssidBits: Int { Int(idr1[SMMU.IDR1.ssidSize]) }
    /// Bits of an output address; without AArch32 tables also of an intermediate one, IAS. IHI 0070, 3.4.
    var addressBits: Int { Int(SMMU.addressSizes[Int(idr5[SMMU.IDR5.oas])]) }
    var wideVirtual: Bool { idr5[SMMU.IDR5.vax] >= 1 }
    var stallMax: Int { Int(idr5[SMMU.IDR5.stallMax]) }
    var asidMask: UInt64 { has0(SMMU.IDR0.asid16) ? 0xFFFF : 0xFF }
    /// Without stage 2 there are no VMIDs: every field reads as 0.
    var vmidMask: UInt64 { !has0(SMMU.IDR0.s2p) ? 0 : has0(SMMU.IDR0.vmid16) ? 0xFFFF : 0xFF }

    /// The base-2 logarithm of the granule that S2TG and TG0 mean; nil when reserved or not implemented.
    func granule(_ code: UInt64) -> Int? {
      switch code {
      case SMMU.STE.granule4K: idr5 & SMMU.IDR5.granule4K != 0 ? 12 : nil
      case SMMU.STE.granule16K: idr5 & SMMU.IDR5.granule16K != 0 ? 14 : nil
      case SMMU.STE.granule64K: idr5 & SMMU.IDR5.granule64K != 0 ? 16 : nil
      default: nil
      }
    }

    /// As `granule`, for the other encoding of TG1.
    func granule1(_ code: UInt64) -> Int? {
      switch code {
      case SMMU.CD.tg1Granule4K: granule(SMMU.STE.granule4K)
      case SMMU.CD.tg1Granule16K: granule(SMMU.STE.granule16K)
      case SMMU.CD.tg1Granule64K: granule(SMMU.STE.granule64K)
      default: nil
      }
    }

    /// The effective size of an output address for a code of IPS or S2PS: never more than the SMMU has, and
    /// 52 bits only with 64K tables.
    func outputBits(_ code: UInt64, granuleLg2: Int) -> Int {
      let bits = min(Int(SMMU.addressSizes[Int(code & 7)]), addressBits)
      return granuleLg2 == 16 ? bits : min(bits, 48)
    }

    /// Whether tables may have the byte order that an ENDI bit asks for.
    func allowsBigEndian(_ big: Bool) -> Bool {
      switch idr0[SMMU.IDR0.ttendian] {
      case SMMU.IDR0.mixedEndian: true
      case SMMU.IDR0.bigEndian: big
      default: !big
      }
    }
  }
}
