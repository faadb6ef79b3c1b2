// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// Everything that an STE and a CD say about the transactions of one (StreamID, SubstreamID).
  struct Context: BitwiseCopyable {
    /// StreamID in 31:0; above it SubstreamID + 1, 0 without one. All ones: nothing here.
    var key = UInt64.max
    var tag: UInt64 = 0
    var globalTag: UInt64 = 0
    var stage2Tag: UInt64 = 0
    var stage1 = false
    var stage2 = false
    /// The world has one privilege and one half only: EL2.
    var flat = false
    /// Stage 1 or 2 is on, and the transaction's address and attributes are what is translated.
    var plain = false
    /// Stage 1 alone, with nothing that `walkQuickly` does not know.
    var quick = false
    /// Some half ignores the top byte.
    var ignoresTopByte = false
    /// Bits 1:0 PRIVCFG, 3:2 INSTCFG.
    var override: UInt8 = 0

    var setsAccessFlag = false
    var setsDirty = false
    var setsTableAccessFlag = false
    var ignoresAccessFlag = false
    var privilegedAccessNever = false
    var writableExecuteNever = false
    var bigEndian = false

    /// CD.S and STE.S2S, CD.R and STE.S2R, CD.A; what is not in the TLB, IHI 0070, 5.4.1.
    var stalls1 = false
    var stalls2 = false
    var records1 = true
    var records2 = true
    var aborts1 = true
    var merges = false
    var eats: UInt8 = 0

    var low = Half()
    var high = Half()
    var second = Stage2()

    init() {}

    /// Stage 1 off, for whatever reason: what only the STE says.
    init(_ ste: StreamTableEntry, key: UInt64, _ capabilities: Capabilities) {
      self.key = key
      stage2 = ste.hasStage2
      second = ste.stage2
      let vmid = ste.raw[SMMU.STE.s2VMID] & capabilities.vmidMask
      stage2Tag = Tag.make(.stage2, vmid: vmid, asid: 0)
      tag = stage2Tag
      globalTag = stage2Tag
      plain = stage2
      if capabilities.has1(SMMU.IDR1.attributePermissionsOverride) {
        override = UInt8(ste.raw[SMMU.STE.privCfg] | ste.raw[SMMU.STE.instCfg] << 2)
        plain = plain && override == 0
      }
      stalls2 = ste.raw.flag(SMMU.STE.s2Stall)
      records2 = ste.raw.flag(SMMU.STE.s2Record)
      merges = ste.raw.flag(SMMU.STE.mev)
      if capabilities.has0(SMMU.IDR0.ats), ste.config != SMMU.STE.bypass {
        eats = UInt8(ste.raw[SMMU.STE.eats])
        if eats == 3 { eats = 0 }
      }
    }

    /// Turns stage 1 on, with what a CD says.
    mutating func add(_ cd: ContextDescriptor, _ ste: StreamTableEntry, _ capabilities: Capabilities) {
      stage1 = true
      tag = cd.tag
      globalTag = Tag.make(cd.world, vmid: cd.vmid, asid: 0) | Tag.global
      flat = cd.world == .el2
      low = cd.low
      high = cd.high
      ignoresTopByte =
        (low.enabled && low.ignoresTopByte) || (high.enabled && high.ignoresTopByte)
      plain = override == 0 && !ignoresTopByte
      setsAccessFlag = cd.raw.flag(SMMU.CD.ha)
      setsDirty = setsAccessFlag && cd.raw.flag(SMMU.CD.hd)
      setsTableAccessFlag = setsAccessFlag && cd.raw.flag(SMMU.CD.haft) && capabilities.httu == 3
      ignoresAccessFlag = cd.raw.flag(SMMU.CD.affd)
      privilegedAccessNever = cd.raw.flag(SMMU.CD.pan) && !flat
      writableExecuteNever = cd.raw.flag(SMMU.CD.wxn)
      bigEndian = cd.raw.flag(SMMU.CD.endian)
      let odd = bigEndian || setsTableAccessFlag || low.wide || high.wide
      quick = plain && !stage2 && !flat && !odd && !low.privilegedOnly && !high.privilegedOnly
      stalls1 = cd.raw.flag(SMMU.CD.stall) && !ste.stallDisabled
      // A stalled fault is always recorded: software could not resume it otherwise.
      records1 = cd.raw.flag(SMMU.CD.record)
      aborts1 = cd.raw.flag(SMMU.CD.abort)
    }

    /// The address as tables and TLB see it: where the top byte is ignored it is a copy of bit 55.
    @inline(__always)
    func canonical(_ address: UInt64) -> UInt64 {
      guard ignoresTopByte else { return address }
      let ignored = address & (1 << 55) != 0 ? high.ignoresTopByte : low.ignoresTopByte
      return ignored ? UInt64(bitPattern: (Int64(bitPattern: address) << 8) >> 8) : address
    }

    @inline(__always)
    static func key(_ source: UInt32, _ pasid: UInt32?) -> UInt64 {
      guard let pasid else { return UInt64(source) }
      // No such SubstreamID: a key that is never stored.
      guard pasid >> UInt32(PCI.pasidBits) == 0 else { return .max - 1 }
      return UInt64(source) | (UInt64(pasid) &+ 1) << 32
    }
  }
}
