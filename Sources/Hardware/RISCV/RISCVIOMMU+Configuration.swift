// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension RISCVIOMMU {
  /// What an implementation decides.
  public struct Configuration: Sendable {
    /// The `capabilities` register. The default: version 1.0, Sv39/48/57 and x4, Svpbmt, flat MSI tables and MRIF,
    /// hardware A/D, ATS, T2GPA, HPM, DBG, PAS 50, PD8/17/20.
    public var capabilities: UInt64 = 0x0000_01F2_C7EE_8E10
    /// The directory levels there are: `ddtp.iommu_mode` takes no more.
    public var maxDirectoryLevels = 3
    /// `ddtp.iommu_mode` after reset is Bare, not Off.
    public var bareAtReset = false
    /// Reads of `ddtp` that find it busy after a write; what is written meanwhile is ignored.
    public var directoryBusyReads = 0
    /// `fctl.GXL` can be written.
    public var gxlWritable = false
    /// `fctl` after reset.
    public var featureControl: UInt64 = 0
    /// The largest `LOG2SZ` that the queues take; a larger one is written as this.
    public var queueSizeLg2 = 20
    /// Vectors that a field of `icvec` can hold, as a base-2 logarithm: 0 to 4.
    public var vectorsLg2 = 3
    /// `iohpmctr` registers, 0 to 31, and their width.
    public var counters = 7
    public var counterBits = 40
    /// Bits of RCID and MCID.
    public var qosBits = 12

    public var caches = Caches()
    /// A successful ATS translation fills the translation cache.
    public var cachesATS = false
    /// IOTINVAL forgets everything, whatever its operands.
    public var overInvalidates = false
    /// IOTINVAL.GVMA with an address forgets all of the GSCID, as implementations that cache
    /// combined translations without their GPA do.
    public var gvmaIgnoresAddress = false
    /// A NAPOT PTE of another size than 64 KiB faults, as it must; otherwise N is ignored there.
    public var strictNAPOT = true
    /// C=1 in an MSI PTE: misconfigured (263), otherwise the bit is ignored.
    public var faultsOnCustomMSIPTE = true
    /// An address beyond PAS in a device or process context is a misconfiguration when it is fetched, otherwise an
    /// access fault when it is used.
    public var checksContextAddresses = false
    /// `iotval2` of an implicit access has the offset in the page.
    public var reportsImplicitOffset = false
    /// Size that a translation has whose stages are both Bare, and the most that a Bare stage adds to another:
    /// base-2 logarithm, 12 or more.
    public var bareSizeLg2: UInt8 = 30
    /// IMSICs have `seteipnum_be`, so an MRIF takes big-endian MSIs too.
    public var bigEndianMSI = true

    public init() {}
  }

  /// Slots of each cache, as base-2 logarithms.
  public struct Caches: Sendable {
    public var deviceContextsLg2 = 6
    public var processContextsLg2 = 6
    public var translationsLg2 = 12
    /// Pointers to leaf tables, each stage. None at all with `cachesTables` false.
    public var tablesLg2 = 8
    public var cachesTables = true
    public var cachesDirectories = true
    public var cachesTranslations = true

    public init() {}
  }
}

extension RISCVIOMMU {
  /// The registers that are plain state.
  struct Registers {
    var fctl: UInt64
    var ddtp: UInt64
    /// Bits of a device_id that `ddtp.iommu_mode` takes.
    var deviceBits: UInt32 = UInt32(RISCV.deviceIDBits)
    var directoryBusy = 0
    var command = QueueRegisters(entrySizeLg2: RISCV.Queue.commandSizeLg2)
    var fault = QueueRegisters(entrySizeLg2: RISCV.Queue.faultSizeLg2)
    var pageRequest = QueueRegisters(entrySizeLg2: RISCV.Queue.pageRequestSizeLg2)
    var ipsr: UInt32 = 0
    var icvec: UInt64 = 0
    var qosid: UInt32 = 0
    var debugIOVA: UInt64 = 0
    var debugControl: UInt64 = 0
    var debugResponse: UInt64 = 0
    var vectors = Array(repeating: Vector(), count: RISCV.Register.msiVectors)

    init(_ configuration: Configuration) {
      fctl =
        configuration.featureControl
        & (RISCV.FeatureControl.be | RISCV.FeatureControl.wsi | RISCV.FeatureControl.gxl)
      // An IOMMU that has only wires signals by wire.
      let support = configuration.capabilities >> RISCV.Capability.igsShift & RISCV.Capability.igsMask
      if support == RISCV.InterruptSupport.wsi { fctl |= RISCV.FeatureControl.wsi }
      if support == RISCV.InterruptSupport.msi { fctl &= ~RISCV.FeatureControl.wsi }
      ddtp = configuration.bareAtReset ? RISCV.DirectoryPointer.bare : RISCV.DirectoryPointer.off
    }

    var mode: UInt64 { ddtp & RISCV.DirectoryPointer.modeMask }
    var bigEndian: Bool { fctl & RISCV.FeatureControl.be != 0 }
    var gxl: Bool { fctl & RISCV.FeatureControl.gxl != 0 }
    var wired: Bool { fctl & RISCV.FeatureControl.wsi != 0 }
  }

  /// An entry of `msi_cfg_tbl`, section 6.29.
  struct Vector {
    var address: UInt64 = 0
    var data: UInt32 = 0
    var control: UInt32 = 0
    /// A message waits for the mask to go.
    var pending = false
  }

  /// A queue's base, indices and control: `cqb`, `cqh`, `cqt`, `cqcsr` and their like.
  struct QueueRegisters {
    let entrySizeLg2: UInt64
    var base: UInt64 = 0
    var head: UInt32 = 0
    var tail: UInt32 = 0
    var control: UInt32 = 0

    init(entrySizeLg2: UInt64) { self.entrySizeLg2 = entrySizeLg2 }

    /// The indices that exist: `LOG2SZ` ones.
    var indexMask: UInt32 { UInt32(truncatingIfNeeded: (2 << (base & RISCV.Queue.sizeMask)) &- 1) }
    var isOn: Bool { control & RISCV.QueueControl.on != 0 }
    var isFull: Bool { (tail &+ 1) & indexMask == head }
    func address(of index: UInt32) -> UInt64 {
      let page = base >> RISCV.ppnShift & RISCV.ppnMask
      return page << RISCV.pageShift | UInt64(index) << entrySizeLg2
    }
    mutating func advanceHead() { head = (head &+ 1) & indexMask }
    mutating func advanceTail() { tail = (tail &+ 1) & indexMask }
    func has(_ bits: UInt32) -> Bool { control & bits != 0 }
  }
}
