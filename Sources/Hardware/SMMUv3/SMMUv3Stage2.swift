// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// Where a walk starts, and how its indexes lie in the address.
  ///
  /// The small numbers share a word, here and in the structures around it: copied byte by byte, as the walker
  /// takes them, they would cost more than a level of the walk.
  struct TableGeometry: BitwiseCopyable, Sendable {
    var root: UInt64 = 0
    /// Entries of the root, less 1; more than a table has when stage 2 tables are concatenated.
    var rootMask: UInt64 = 0
    /// 7:0 input bits · 15:8 granule · 23:16 start level · 31:24 first shift · 39:32 output bits.
    private var shape: UInt64 = 0
    /// Bits of a table descriptor that address the next table.
    private(set) var tableMask: UInt64 = 0
    /// Bits of a descriptor that are 3 together if it is a table's, within the output size.
    private(set) var tableType: UInt64 = 0

    @inline(__always) var inputBits: UInt64 { shape & 0xFF }
    @inline(__always) var granuleLg2: UInt64 { (shape &>> 8) & 0xFF }
    @inline(__always) var startLevel: UInt64 { (shape &>> 16) & 0xFF }
    /// Lowest address bit that the first level's index has.
    @inline(__always) var firstShift: UInt64 { (shape &>> 24) & 0xFF }
    /// The effective size of an output address.
    @inline(__always) var outputBits: UInt64 { (shape &>> 32) & 0xFF }

    init() {}

    /// Arm DDI 0487, D8.2: the root is aligned to its size, at least to 64 bytes; lower bits are ignored.
    init(base: UInt64, inputBits: Int, outputBits: Int, granuleLg2: Int, startLevel: Int) {
      let shift = granuleLg2 + (granuleLg2 - 3) * (3 - startLevel)
      let indexBits = max(0, inputBits - shift)
      root = base & ~((1 << UInt64(max(6, indexBits + 3))) &- 1)
      rootMask = (1 << UInt64(indexBits)) &- 1
      for (value, place) in [
        (inputBits, 0), (granuleLg2, 8), (startLevel, 16), (shift, 24), (outputBits, 32),
      ] { shape |= UInt64(UInt8(clamping: value)) << UInt64(place) }
      tableMask = VMSAv8.addressMask & ~((1 << self.granuleLg2) &- 1)
      tableType = tableMask & ~((1 << self.outputBits) &- 1) | VMSAv8.valid | VMSAv8.tableOrPage
    }
  }

  /// Up to 64 yes or no.
  struct Flags: BitwiseCopyable, Sendable {
    private var bits: UInt64 = 0
    @inline(__always)
    subscript(_ index: UInt64) -> Bool {
      get { (bits &>> index) & 1 != 0 }
      set { bits = newValue ? bits | 1 &<< index : bits & ~(1 &<< index) }
    }
  }

  /// The stage 2 of an STE. IHI 0070, 5.2.
  struct Stage2: BitwiseCopyable, Sendable {
    var geometry = TableGeometry()
    private var flags = Flags()

    @inline(__always) var bigEndian: Bool {
      get { flags[0] }
      set { flags[0] = newValue }
    }
    /// AF faults are off.
    @inline(__always) var ignoresAccessFlag: Bool {
      get { flags[1] }
      set { flags[1] = newValue }
    }
    @inline(__always) var setsAccessFlag: Bool {
      get { flags[2] }
      set { flags[2] = newValue }
    }
    @inline(__always) var setsDirty: Bool {
      get { flags[3] }
      set { flags[3] = newValue }
    }
    /// Stage 1 tables in Device memory are a permission fault.
    @inline(__always) var protectsWalk: Bool {
      get { flags[4] }
      set { flags[4] = newValue }
    }
    @inline(__always) var extendedExecuteNever: Bool {
      get { flags[5] }
      set { flags[5] = newValue }
    }
    /// 64K tables with bits 51:48 of the address in 15:12.
    @inline(__always) var wide: Bool {
      get { flags[6] }
      set { flags[6] = newValue }
    }

    init() {}

    /// Nil when the stage 2 of the STE is illegal. IHI 0070, 5.2.2.
    init?(_ raw: Words, _ capabilities: Capabilities) {
      let stalls = raw.flag(SMMU.STE.s2Stall)
      if stalls, capabilities.stallModel == SMMU.IDR0.terminateOnly { return nil }
      if !stalls, capabilities.stallModel == SMMU.IDR0.stallForced { return nil }
      guard raw.flag(SMMU.STE.s2AA64) else { return nil }
      guard let granuleLg2 = capabilities.granule(raw[SMMU.STE.s2TG]) else { return nil }
      bigEndian = raw.flag(SMMU.STE.s2Endian)
      guard capabilities.allowsBigEndian(bigEndian) else { return nil }
      setsAccessFlag = raw.flag(SMMU.STE.s2HA)
      setsDirty = raw.flag(SMMU.STE.s2HD)
      if setsAccessFlag || setsDirty, capabilities.httu == 0 { return nil }
      if setsDirty, capabilities.httu == 1 { return nil }
      // HD without HA does nothing.
      setsDirty = setsDirty && setsAccessFlag

      let size = Int(raw[SMMU.STE.s2T0SZ])
      let largest = capabilities.has3(SMMU.IDR3.stt) ? (granuleLg2 == 16 ? 47 : 48) : 39
      let smallest = max(granuleLg2 == 16 ? 12 : 16, 64 - capabilities.addressBits)
      guard size <= largest, size >= smallest else { return nil }
      let inputBits = 64 - size
      guard let startLevel = Self.startLevel(raw[SMMU.STE.s2SL0], granuleLg2, capabilities) else {
        return nil
      }
      // At most 16 tables side by side, and at least one bit of index.
      let stride = granuleLg2 - 3
      let indexBits = inputBits - (granuleLg2 + stride * (3 - startLevel))
      guard indexBits >= 1, indexBits <= stride + 4 else { return nil }
      let outputBits = capabilities.outputBits(raw[SMMU.STE.s2PS], granuleLg2: granuleLg2)
      let base = raw.words[3] & SMMU.STE.s2TTBMask
      guard base >> UInt64(outputBits) == 0 else { return nil }
      geometry = TableGeometry(
        base: base, inputBits: inputBits, outputBits: outputBits, granuleLg2: granuleLg2,
        startLevel: startLevel)
      ignoresAccessFlag = raw.flag(SMMU.STE.s2AFFD)
      protectsWalk = raw.flag(SMMU.STE.s2PTW)
      extendedExecuteNever = capabilities.has3(SMMU.IDR3.xnx)
      wide = granuleLg2 == 16 && capabilities.addressBits == 52
    }

    private static func startLevel(_ code: UInt64, _ granuleLg2: Int, _ capabilities: Capabilities) -> Int? {
      if granuleLg2 == 12 {
        switch code {
        case 0: return 2
        case 1: return 1
        case 2: return 0
        default: return capabilities.has3(SMMU.IDR3.stt) ? 3 : nil
        }
      }
      return code <= 2 ? 3 - Int(code) : nil
    }

    /// Arm DDI 0487, R_SRKBC and R_DXBSH: a physical address of few bits demands concatenated tables.
    func respectsConcatenation(_ capabilities: Capabilities) -> Bool {
      let bits = capabilities.addressBits
      return switch geometry.granuleLg2 {
      case 12: geometry.startLevel > 0 || bits > 42
      case 14: geometry.startLevel > 1 || bits > 40
      default: true
      }
    }
  }
}
