// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// A stream table entry that was found legal, as the configuration cache keeps it. IHI 0070, 5.2.
  struct StreamTableEntry: BitwiseCopyable, Sendable {
    var raw = Words()
    /// False: an STE with V = 0 or an illegal one, which only the switch for sloppy caches keeps.
    var legal = true
    var stage2 = Stage2()

    var config: UInt64 { raw[SMMU.STE.config] }
    var aborts: Bool { config & 4 == 0 }
    var hasStage1: Bool { config & 5 == 5 }
    var hasStage2: Bool { config & 6 == 6 }
    var contextPointer: UInt64 { raw.words[0] & SMMU.STE.s1ContextMask }
    var cdMax: UInt64 { raw[SMMU.STE.s1CDMax] }
    var stallDisabled: Bool { raw.flag(SMMU.STE.s1StallDisabled) }

    /// Takes an STE apart: nil when it is illegal. The rules are those of IHI 0070, 5.2.2, in its order.
    init?(_ raw: Words, _ capabilities: Capabilities) {
      self.raw = raw
      guard raw.flag(SMMU.STE.valid) else { return nil }
      if aborts { return }
      let stage1 = hasStage1
      let stage2 = hasStage2
      if stage1, !capabilities.has0(SMMU.IDR0.s1p) { return nil }
      if stage2, !capabilities.has0(SMMU.IDR0.s2p) { return nil }
      guard Self.eatsIsLegal(raw, capabilities, stage2: stage2) else { return nil }
      if stage1, !Self.stage1IsLegal(raw, capabilities, nested: stage2) { return nil }
      if stage2 {
        guard let parameters = Stage2(raw, capabilities) else { return nil }
        self.stage2 = parameters
      }
      // The VMID tags stage 1 as well, as long as it is that of EL1.
      let usesVMID = stage2 || (stage1 && raw[SMMU.STE.strw] == SMMU.STE.worldEL1)
      if usesVMID, capabilities.has0(SMMU.IDR0.s2p), raw[SMMU.STE.s2VMID] & ~capabilities.vmidMask != 0 {
        return nil
      }
    }

    /// A place holder for an entry that is not legal.
    init(illegal raw: Words) {
      self.raw = raw
      legal = false
    }

    private static func eatsIsLegal(_ raw: Words, _ capabilities: Capabilities, stage2: Bool) -> Bool {
      guard capabilities.has0(SMMU.IDR0.ats) else { return true }
      switch raw[SMMU.STE.eats] {
      case SMMU.STE.eatsFull: return !(stage2 && raw.flag(SMMU.STE.s2Stall))
      case SMMU.STE.eatsSplit:
        return raw[SMMU.STE.config] == SMMU.STE.nested && !raw.flag(SMMU.STE.s2Stall)
          && !capabilities.has0(SMMU.IDR0.ns1ats)
      default: return true
      }
    }

    private static func stage1IsLegal(_ raw: Words, _ capabilities: Capabilities, nested: Bool) -> Bool {
      switch raw[SMMU.STE.strw] {
      case SMMU.STE.worldEL1: break
      case SMMU.STE.worldEL2: if nested || !capabilities.has0(SMMU.IDR0.hyp) { return false }
      default: return false
      }
      if raw.flag(SMMU.STE.s1StallDisabled), capabilities.stallModel != SMMU.IDR0.stallAndTerminate {
        return false
      }
      let maximum = raw[SMMU.STE.s1CDMax]
      guard maximum <= UInt64(capabilities.ssidBits) else { return false }
      if maximum != 0 {
        let format = raw[SMMU.STE.s1Format]
        if format == 3 || (format != SMMU.STE.linear && !capabilities.has0(SMMU.IDR0.cd2l)) { return false }
      }
      return (raw.words[0] & SMMU.STE.s1ContextMask) >> UInt64(capabilities.addressBits) == 0
    }

    /// What the TLB may hold of an STE: streams of one VMID must agree on it. IHI 0070, 5.2.2 and 3.17.
    func agreesInVMID(with other: StreamTableEntry) -> Bool {
      let cacheable: UInt64 = 0x01FF_FFFF_0000_0000
      return raw.words[2] & cacheable == other.raw.words[2] & cacheable
        && (raw.words[3] ^ other.raw.words[3]) & SMMU.STE.s2TTBMask == 0
        && raw[SMMU.STE.s2FWB] == other.raw[SMMU.STE.s2FWB]
    }
  }
}
