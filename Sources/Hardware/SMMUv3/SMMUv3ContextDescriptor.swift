// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// Who the translations of a stream belong to: it tags them in the TLB. IHI 0070, 3.17 and STE.STRW.
  enum World: UInt64, Sendable { case el1 = 0, el2 = 1, el2Host = 2, stage2 = 3 }

  /// One half of the virtual addresses: TTB0 or TTB1.
  struct Half: BitwiseCopyable, Sendable {
    var geometry = TableGeometry()
    private var flags = Flags()

    @inline(__always) var enabled: Bool {
      get { flags[0] }
      set { flags[0] = newValue }
    }
    @inline(__always) var ignoresTopByte: Bool {
      get { flags[1] }
      set { flags[1] = newValue }
    }
    /// The permissions of table descriptors are ignored, HAD.
    @inline(__always) var flat: Bool {
      get { flags[2] }
      set { flags[2] = newValue }
    }
    /// Unprivileged accesses fault, E0PD.
    @inline(__always) var privilegedOnly: Bool {
      get { flags[3] }
      set { flags[3] = newValue }
    }
    /// 64K tables with bits 51:48 of the address in 15:12.
    @inline(__always) var wide: Bool {
      get { flags[4] }
      set { flags[4] = newValue }
    }

    init() {}
  }

  /// A context descriptor that was found legal, as the configuration cache keeps it. IHI 0070, 5.4.
  struct ContextDescriptor: BitwiseCopyable, Sendable {
    var raw = Words()
    var legal = true
    var world = World.el1
    /// Of the STE that it was reached through.
    var vmid: UInt64 = 0
    var low = Half()
    var high = Half()

    var asid: UInt64 { raw[SMMU.CD.asid] }
    /// The TLB's space for it.
    var tag: UInt64 { Tag.make(world, vmid: vmid, asid: world == .el2 ? 0 : asid) }

    /// A place holder for one that is not legal.
    init(illegal raw: Words) {
      self.raw = raw
      legal = false
    }

    /// Takes a CD apart: nil when it is illegal. The rules are those of IHI 0070, 5.4.1, in its order.
    init?(_ raw: Words, _ ste: StreamTableEntry, _ capabilities: Capabilities, e2h: Bool) {
      self.raw = raw
      guard raw.flag(SMMU.CD.valid) else { return nil }
      if ste.raw[SMMU.STE.strw] == SMMU.STE.worldEL2 { world = e2h ? .el2Host : .el2 }
      if world == .el1 { vmid = ste.raw[SMMU.STE.s2VMID] & capabilities.vmidMask }
      let stalls = raw.flag(SMMU.CD.stall)
      if stalls, ste.stallDisabled || capabilities.stallModel == SMMU.IDR0.terminateOnly { return nil }
      if !stalls, capabilities.stallModel == SMMU.IDR0.stallForced { return nil }
      if capabilities.has0(SMMU.IDR0.termModel), !raw.flag(SMMU.CD.abort) { return nil }
      // Tables of AArch32 are not implemented.
      guard raw.flag(SMMU.CD.aa64) else { return nil }
      let ha = raw.flag(SMMU.CD.ha)
      if ha || raw.flag(SMMU.CD.hd), capabilities.httu == 0 { return nil }
      if raw.flag(SMMU.CD.hd), capabilities.httu == 1 { return nil }
      if capabilities.httu == 3, raw.flag(SMMU.CD.haft), !ha { return nil }
      if world != .el2, asid & ~capabilities.asidMask != 0 { return nil }

      low.enabled = !raw.flag(SMMU.CD.epd0)
      // EL2 without E2H has one half and no EPDs.
      if world == .el2 { low.enabled = true }
      high.enabled = !raw.flag(SMMU.CD.epd1) && world != .el2
      if low.enabled || high.enabled, !capabilities.allowsBigEndian(raw.flag(SMMU.CD.endian)) { return nil }
      if low.enabled {
        let granule = capabilities.granule(raw[SMMU.CD.tg0])
        guard describe(&low, granule, Int(raw[SMMU.CD.t0SZ]), raw.words[1], capabilities) else { return nil }
        low.ignoresTopByte = raw.flag(SMMU.CD.tbi0)
        low.flat = raw.flag(SMMU.CD.had0) && capabilities.has3(SMMU.IDR3.had)
        low.privilegedOnly =
          raw.flag(SMMU.CD.e0pd0) && capabilities.has3(SMMU.IDR3.e0pd) && world != .el2
      }
      if high.enabled {
        let granule = capabilities.granule1(raw[SMMU.CD.tg1])
        guard describe(&high, granule, Int(raw[SMMU.CD.t1SZ]), raw.words[2], capabilities) else { return nil }
        high.ignoresTopByte = raw.flag(SMMU.CD.tbi1)
        high.flat = raw.flag(SMMU.CD.had1) && capabilities.has3(SMMU.IDR3.had)
        high.privilegedOnly = raw.flag(SMMU.CD.e0pd1) && capabilities.has3(SMMU.IDR3.e0pd)
      }
    }

    /// Fills in a half that is enabled; false when it makes the CD illegal.
    private func describe(
      _ half: inout Half, _ granule: Int?, _ size: Int, _ base: UInt64, _ capabilities: Capabilities
    ) -> Bool {
      guard let granuleLg2 = granule else { return false }
      let largest = capabilities.has3(SMMU.IDR3.stt) ? (granuleLg2 == 16 ? 47 : 48) : 39
      let smallest = capabilities.wideVirtual && granuleLg2 == 16 ? 12 : 16
      guard size <= largest, size >= smallest else { return false }
      let inputBits = 64 - size
      let stride = granuleLg2 - 3
      let levels = (inputBits - granuleLg2 + stride - 1) / stride
      let outputBits = capabilities.outputBits(raw[SMMU.CD.ips], granuleLg2: granuleLg2)
      let base = base & SMMU.CD.ttbMask
      guard base >> UInt64(outputBits) == 0 else { return false }
      half.geometry = TableGeometry(
        base: base, inputBits: inputBits, outputBits: outputBits, granuleLg2: granuleLg2,
        startLevel: max(0, 4 - levels))
      half.wide = granuleLg2 == 16 && capabilities.addressBits == 52
      return true
    }

    /// What the TLB may hold of a CD: contexts of one VMID and ASID must agree on it. IHI 0070, 5.4.1.
    func agreesInASID(with other: ContextDescriptor) -> Bool {
      // Everything of word 0 but ASID, ASET, A, R and S.
      let cacheable: UInt64 = 0x0000_0FFF_FFFF_FFFF
      return raw.words[0] & cacheable == other.raw.words[0] & cacheable && raw.words[1] == other.raw.words[1]
        && raw.words[2] == other.raw.words[2] && raw.words[3] == other.raw.words[3]
    }
  }
}
