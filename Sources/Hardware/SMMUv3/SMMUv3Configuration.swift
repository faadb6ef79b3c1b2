// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// What an SMMU is made with: its identification registers, as software reads them, and switches for what
  /// the architecture leaves to implementations or implementations got wrong.
  ///
  /// A feature that this model lacks reads as absent, whatever is asked for: AArch32 tables, ATOS and VATOS,
  /// ECMDQ, relative addresses, the DS and D128 descriptor formats, DPT.
  public struct Configuration: Sendable {
    /// IDR0. IHI 0070, 6.3.1. By default everything the model has, with HTTU = 2.
    public var idr0: UInt32 = 0x088F_76BB
    /// IDR1: by default 16 bits of StreamID, 20 of SubstreamID, queues of up to 2^19 entries, overrides.
    public var idr1: UInt32 = 0x0E73_9D10
    public var idr2: UInt32 = 0
    /// IDR3: by default HAD, XNX, FWB, STT, RIL, BBML = 2, E0PD.
    public var idr3: UInt32 = 0x3714
    public var idr4: UInt32 = 0
    /// IDR5: by default OAS = 48 bits, all granules, STALL_MAX = 256.
    public var idr5: UInt32 = 0x0100_0075
    public var iidr: UInt32 = 0
    public var aidr: UInt32 = 1

    /// Refuses a stage 2 start level where the architecture demands concatenated tables: 4K with a physical
    /// address of 42 bits or less must not start at level 0, 16K with 40 bits or less not at level 1.
    /// Arm DDI 0487, R_SRKBC and R_DXBSH.
    public var strictStartLevel = true
    /// Caches STEs and CDs that are not valid, until a CFGI command. IHI 0070, 3.21 and 4.3, permits it.
    public var cachesInvalidConfiguration = false
    /// An erratum: a CFGI or TLBI acts only when it comes twice in a row.
    public var needsRepeatedInvalidations = false
    /// Every TLBI drops everything. No driver may depend on it. IHI 0070, 4.4, permits it.
    public var overInvalidates = false
    /// A TLBI with a TTL leaves leaves of other levels alone, as the hint allows. IHI 0070, 4.4.1.
    public var honorsTTL = true
    /// Identical consecutive records of a stream with STE.MEV = 1 become one. IHI 0070, 3.5.4.
    public var mergesEvents = false
    /// A cached translation covers the whole contiguous run that its descriptor promises.
    public var usesContiguousHint = false
    /// Reports what is unpredictable: overlapping cached translations of different sizes and runs that
    /// disagree as F_TLB_CONFLICT; streams of one VMID, or contexts of one ASID, that disagree in a field
    /// that the TLB may hold as F_CFG_CONFLICT.
    public var reportsConflicts = false
    /// False: an atomic transaction is F_UUT.
    public var supportsAtomics = true
    /// The registers of page 1 are in page 0 (an early Cavium part).
    public var page0Only = false
    /// Keeps pointers to the last tables of walks, so that a TLBI with Leaf = 1 is not enough when a table
    /// goes.
    public var walkCache = true
    /// CFGI, TLBI and ATC_INV may be consumed long before they act: here they act at the next SYNC, or when
    /// `completeInvalidations` says so. IHI 0070, 4.7.
    public var completesInvalidationsAtSync = false
    /// Where interrupt messages go that are no writes to memory: the interrupt controller's doorbells.
    public var doorbells: ClosedRange<UInt64> = 0x0800_0000...0x08FF_FFFF
    /// Entries of the TLB and of the walk cache, base-2 logarithms, 0 to 20.
    public var translationCacheLg2 = 12
    public var walkCacheLg2 = 10
    /// STEs, CDs, L1STDs and L1CDs that are kept, each.
    public var configurationCacheSize = 4096
    /// The Tegra241 command queue virtualisation in front of it.
    public var cmdqv: Tegra241CMDQV.Configuration?

    public init() {}

    /// What QEMU's model shows to Linux in the recordings: no substreams, stalls, ATS, PRI, MSIs, HTTU.
    public static var plain: Configuration {
      var plain = Configuration()
      plain.idr0 = 0x0D44_101B
      plain.idr1 = 0x0273_0010
      plain.idr3 = 0x1414
      plain.idr5 = 0x74
      return plain
    }

    /// Arm MMU-600, by its revision: no SEV before r1p0, no events by wire.
    public static func mmu600(revision: UInt32) -> Configuration {
      var part = Configuration()
      part.iidr = 0x4830_043B | (revision & 0xF) << 12
      part.idr0 &= ~SMMU.IDR0.sev
      return part
    }

    /// Arm MMU-700: broadcast TLB maintenance is not to be relied on.
    public static var mmu700: Configuration {
      var part = Configuration()
      part.iidr = 0x4870_043B
      part.idr0 &= ~SMMU.IDR0.btm
      return part
    }

    /// Grace: an SMMU with its command queue virtualisation.
    public static var tegra241: Configuration {
      var part = Configuration()
      part.cmdqv = Tegra241CMDQV.Configuration()
      return part
    }
  }
}
