// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

/// The commands that the driver queues, as the two 64-bit words of each. AMD I/O Virtualization Technology (IOMMU)
/// Specification, publication 48882, section 2.4; source: the `build_...` functions of `drivers/iommu/amd/iommu.c`.
struct AMDViCommandWords: Hashable, Sendable {
  let low: UInt64
  let high: UInt64

  private init(_ opcode: UInt32, _ w0: UInt32 = 0, _ w1: UInt32 = 0, _ w2: UInt32 = 0, _ w3: UInt32 = 0) {
    low = UInt64(w0) | UInt64(w1 | opcode << AMDViCommand.opcodeShift) << 32
    high = UInt64(w2) | UInt64(w3) << 32
  }

  /// Stores `value` at `address` when all earlier commands are done. `build_completion_wait`.
  static func wait(storing value: UInt64, at address: UInt64) -> AMDViCommandWords {
    AMDViCommandWords(
      AMDViCommand.completionWait,
      UInt32(truncatingIfNeeded: address) & AMDViCommand.storeAddressMask | AMDViCommand.store,
      UInt32(truncatingIfNeeded: address >> 32) & 0xF_FFFF, UInt32(truncatingIfNeeded: value),
      UInt32(truncatingIfNeeded: value >> 32))
  }

  /// `build_inv_dte`.
  static func entry(of device: UInt16) -> AMDViCommandWords {
    AMDViCommandWords(AMDViCommand.invalidateDeviceTableEntry, UInt32(device))
  }

  /// `build_inv_irt`.
  static func interruptTable(of device: UInt16) -> AMDViCommandWords {
    AMDViCommandWords(AMDViCommand.invalidateInterruptTable, UInt32(device))
  }

  /// `build_inv_all`.
  static var everything: AMDViCommandWords { AMDViCommandWords(AMDViCommand.invalidateIOMMUAll) }

  /// `build_inv_iommu_pages`.
  ///
  /// - Parameters:
  ///   - pasid: nil for host addresses, GN=0.
  ///   - tables: PDE=1, what leads to the pages too.
  static func pages(_ range: AMDViRange, domain: UInt16, pasid: UInt32? = nil, tables: Bool)
    -> AMDViCommandWords
  {
    let flags = (tables ? AMDViCommand.pde : 0) | (pasid == nil ? 0 : AMDViCommand.gn)
    return AMDViCommandWords(
      AMDViCommand.invalidateIOMMUPages, pasid ?? 0, UInt32(domain),
      UInt32(truncatingIfNeeded: range.field) | flags, UInt32(truncatingIfNeeded: range.field >> 32))
  }

  /// What a function with ATS must forget. The driver leaves out bits 19:16 of a PASID. `build_inv_iotlb_pages`.
  static func deviceCache(of device: UInt16, queueDepth: UInt32, _ range: AMDViRange, pasid: UInt32? = nil)
    -> AMDViCommandWords
  {
    let pasidHigh = (pasid ?? 0) >> 8 & 0xFF
    let pasidLow = (pasid ?? 0) & 0xFF
    return AMDViCommandWords(
      AMDViCommand.invalidateIOTLBPages, UInt32(device) | pasidHigh << 16 | (queueDepth & 0xFF) << 24,
      UInt32(device) | pasidLow << 16,
      UInt32(truncatingIfNeeded: range.field) | (pasid == nil ? 0 : AMDViCommand.gn),
      UInt32(truncatingIfNeeded: range.field >> 32))
  }

  /// The answer to a group of page requests; status 0 success, 1 invalid, 15 failure. `build_complete_ppr`.
  static func response(to group: UInt32, of device: UInt16, pasid: UInt32?, status: UInt32)
    -> AMDViCommandWords
  {
    AMDViCommandWords(
      AMDViCommand.completePPRRequest, UInt32(device), pasid ?? 0, pasid == nil ? 0 : AMDViCommand.gn,
      group & AMDViCommand.pprTagMask | (status & 0xF) << AMDViCommand.pprStatusShift)
  }
}

/// The addresses that one invalidation can name: a page, an aligned power of two, or everything.
/// Publication 48882, section 2.4.3; source: `build_inv_address`.
struct AMDViRange: Hashable, Sendable {
  /// The address field, with S in bit 0.
  let field: UInt64

  /// All addresses: ones up to bit 62.
  static var everything: AMDViRange { AMDViRange(field: 0x7FFF_FFFF_FFFF_F000 | UInt64(AMDViCommand.sized)) }

  private init(field: UInt64) { self.field = field }

  /// The first page of it, for a driver that flushes too little.
  var firstPage: AMDViRange {
    guard field & UInt64(AMDViCommand.sized) != 0 else { return self }
    let zero = UInt64((~(field | Page.mask)).trailingZeroBitCount)
    return AMDViRange(field: zero >= 63 ? 0 : field & (~0 << (zero + 1)))
  }

  /// The smallest that covers `span`. Half of a power of two is the lowest bit that is 0; the highest bit in which
  /// both ends differ says which power.
  init(covering span: Span64) {
    let first = span.first & ~Page.mask
    guard span.last | Page.mask != first | Page.mask else {
      field = first
      return
    }
    let highest = UInt64(63 - (first ^ span.last).leadingZeroBitCount)
    // Bits 63:52 extend the sign: nothing larger than 2^52 can be named.
    guard highest <= 51 else {
      self = .everything
      return
    }
    let ones: UInt64 = (1 << highest) - 1
    field = (first | ones) & ~Page.mask | UInt64(AMDViCommand.sized)
  }

  /// Aligned powers of two that cover `span` and nothing else: what the driver sends where entries that are not
  /// present are cached, since it must be in a guest then, whose host should not look at more than changed.
  /// Source: `amd_iommu_domain_flush_pages`.
  static func pieces(of span: Span64) -> [AMDViRange] {
    var pieces: [AMDViRange] = []
    var first = span.first & ~Page.mask
    let last = span.last | Page.mask
    while true {
      let left = last &- first
      // What is left, as the largest power of two that is not more; 2^64 is cut in two.
      let fits = left == .max ? 63 : 63 - (left &+ 1).leadingZeroBitCount
      let sizeLg2 = min(fits, first == 0 ? 63 : first.trailingZeroBitCount)
      let end = first &+ ((1 << UInt64(sizeLg2)) &- 1)
      pieces.append(AMDViRange(covering: Span64(first, end)))
      guard end < last else { return pieces }
      first = end &+ 1
    }
  }
}
